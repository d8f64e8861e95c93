"""
Every job type of the contract, end to end: what it gives, and what becomes of it when Factus fails.

The tables of cases are held against the registry, so that a new job type without cases is missed here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from jobs.registry import JOB_TYPES
from tests import processes
from tests.integration.call_cases import CALLS, Call
from tests.integration.families import FAMILY_CASES
from tests.integration.service import AGENT, Event, FactusUser, Live, TestedAccount, live
from tests.service_processes import SECRETS, plant

ISSUED = {f"{name}.issue" for name in FAMILY_CASES}
ASKING = {job: call for job, call in CALLS.items() if call.area}


def test_every_job_type_has_its_cases():
    """Of what issues, test_issuing_families.py tries every good and bad end; the rest is tried here, a row each."""
    assert set(JOB_TYPES) == ISSUED | set(CALLS)
    for job, call in CALLS.items():
        assert call.bad[1], f"{job} has no failure"
        assert bool(call.changes) is (call.when_lost != "read"), job


@pytest.fixture(scope="module")
def office(live: Live) -> TestedAccount:
    return live.account()


@pytest.fixture
def tenant(office: TestedAccount) -> TestedAccount:
    """One account for all jobs, as at home; without the faults of the test before."""
    office.live.control("faults", method="DELETE")
    return office


def ended(event: Event) -> tuple[str, str | None]:
    return event["type"], event["errors"][0]["code"] if event["errors"] else None


@pytest.mark.parametrize("call", CALLS.values(), ids=str)
def test_job_completes_with_the_data_of_its_type(call: Call, tenant: TestedAccount):
    payload = call.prepare(tenant)
    n_changes = tenant.n_changes(call.changes) if call.changes else 0
    event = tenant.run(call.job, payload, metadata={"x": 1}, batch="b")
    assert ended(event) == (f"{call.job}.completed", None)
    assert set(event["data"]) == call.keys
    assert (event["job_type"], event["seq"], event["metadata"], event["batch"]) == (call.job, 1, {"x": 1}, "b")
    assert event["attempts"] == (1 if call.area else 0), "look-ups do not count"
    assert event["reference_code"] == payload.get("reference_code")
    if call.changes:
        assert tenant.n_changes(call.changes) == n_changes + 1


def test_bad_payloads_are_refused_by_rule_and_field_before_any_call(live: Live):
    tenant = live.account(keeps_others=True)
    jobs = [(call, tenant.push(call.job, call.bad[0])) for call in CALLS.values()]
    for call, job in jobs:
        event = tenant.end_of(job)
        assert (*ended(event), event["attempts"]) == ("job.refused", "payload.invalid", 0), call.job
        assert call.bad[1:] in {(error["field"], error["rule"]) for error in event["errors"]}, call.job
    assert tenant.seen() == {}, "Factus has never heard of it"


@dataclass
class Moment:
    """A job in an account of its own, with one fault in its way."""

    tenant: TestedAccount
    job_id: str
    event: Event = field(default_factory=dict)
    n_changes: int = 0


MOMENTS = [
    (call.job, effect)
    for call in ASKING.values()
    for effect in (("error_before", "drop_after") if call.changes else ("error_before",))
]


@pytest.fixture(scope="module")
def moments(live: Live) -> dict[tuple[str, str], Moment]:
    """All of them at once: what may have been done is waited for before it is sent again."""
    tenants = {moment: live.account(keeps_others=True) for moment in MOMENTS}
    payloads = {(job, effect): CALLS[job].prepare(tenants[job, effect]) for job, effect in MOMENTS}
    before = live.control("report", method="GET")["accounts"]
    found = {}
    for (job, effect), tenant in tenants.items():
        asked = {"set_status": "toggle", "delete": "delete"}.get(job.partition(".")[2], "any")
        tenant.fault(effect, on=asked, family=CALLS[job].area)
        found[job, effect] = Moment(tenant, tenant.push(job, payloads[job, effect]))
    for moment in found.values():
        moment.event = moment.tenant.end_of(moment.job_id)
    after = live.control("report", method="GET")["accounts"]
    for (job, _), moment in found.items():
        tenant, changes = moment.tenant, CALLS[job].changes
        counts = [tenant.n_changes(changes, seen.get(tenant.name, {"changes": {}})) for seen in (before, after)]
        moment.n_changes = counts[1] - counts[0]
    return found


@pytest.mark.parametrize(("job", "effect"), MOMENTS)
def test_one_bad_moment_is_got_over_without_a_second_change(job: str, effect: str, moments):
    """What Factus did, it did once; what may not be repeated ends as failed, whether it was done or not."""
    call, moment = CALLS[job], moments[job, effect]
    if call.when_lost == "stop":
        assert (*ended(moment.event), moment.event["attempts"]) == (f"{job}.failed", "factus.unavailable", 1)
    else:
        assert ended(moment.event) == (f"{job}.completed", None)
        assert set(moment.event["data"]) == call.keys
    was_done = effect == "drop_after"
    assert moment.n_changes == {"read": 0, "once": 1, "again": 1 + was_done, "stop": int(was_done)}[call.when_lost]


# -- when nothing mends it in the job's time ---------------------------------------------------------------------------
@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Live]:
    """A service that gives a job six seconds, and holds an account for longer than that: nobody has a second turn."""
    folder = tmp_path_factory.mktemp("hurried")
    with live(folder, valkey_url, "hurried", job_deadline=6.0, timeout=4.0, backoff_max=60.0) as found:
        yield found


def ends_of_all(hurried: Live, spoil: Callable[[TestedAccount], None]) -> dict[str, tuple[str, str | None]]:
    """How each job that asks Factus ends in an account that has been spoilt after all was prepared."""
    tenant = hurried.account()
    payloads = {job: call.prepare(tenant) for job, call in ASKING.items() if not job.endswith(".delete")}
    payloads |= {f"{paper.name}.issue": paper.body(tenant) for paper in FAMILY_CASES.values()}
    # A rejected document bars its family: made last.
    payloads |= {job: call.prepare(tenant) for job, call in ASKING.items() if job.endswith(".delete")}
    spoil(tenant)
    pushed = {job: tenant.push(job, payload) for job, payload in payloads.items()}
    return {job: ended(tenant.end_of(job_id)) for job, job_id in pushed.items()}


def failed_with(code: str) -> dict[str, tuple[str, str]]:
    issued = {f"{name}.issue": (f"{name}.failed", code) for name in FAMILY_CASES}
    return {**{job: (f"{job}.failed", code) for job in ASKING}, **issued}


def test_what_an_account_may_not_do_fails_by_name_when_its_time_is_up(hurried: Live):
    forbid = {"forbidden": ["*"]}
    assert ends_of_all(hurried, lambda tenant: tenant.change_account(**forbid)) == failed_with("factus.denied")


def test_what_never_answers_fails_by_name_when_its_time_is_up(hurried: Live):
    def spoil(tenant: TestedAccount) -> None:
        for area in {*(call.area for call in ASKING.values()), *(paper.area for paper in FAMILY_CASES.values())}:
            tenant.fault({"kind": "error_before", "status": 503}, family=area, times=None)

    assert ends_of_all(hurried, spoil) == failed_with("factus.unavailable")


def test_refused_credentials_fail_by_name_when_its_time_is_up(hurried: Live):
    refuse = {"refused": True}
    assert ends_of_all(hurried, lambda tenant: tenant.change_account(**refuse)) == failed_with("factus.credentials")


@pytest.mark.parametrize("name", ["forbidden", "refused"])
def test_what_only_a_person_can_mend_is_told_at_once_with_its_scope(hurried: Live, name: str):
    tenant = hurried.account()
    tenant.change_account(**{"forbidden": ["companies.*"]} if name == "forbidden" else {"refused": True})
    tenant.push("company.get", {})
    family = "company" if name == "forbidden" else None
    blocked = tenant.told_operator("account.blocked", family=family)
    assert (blocked["success"], blocked["job_id"], blocked["job_type"]) == (False, None, None)
    assert set(blocked["data"]) == {"family", "since", "jobs_waiting", "mend"}


def test_unpaid_plan_and_pending_documents_fail_by_name_and_are_left_alone(hurried: Live):
    unpaid = hurried.account()
    waiting, barred = (hurried.account(keeps_others=True) for _ in range(2))
    bodies = {
        one.name: {name: paper.body(one) for name, paper in FAMILY_CASES.items()} for one in (unpaid, waiting, barred)
    }
    unpaid.change_account(paid=False)
    waiting.fault({"kind": "pending", "polls": 100_000}, on="create", times=None)
    for paper in FAMILY_CASES.values():
        barred.control("documents/foreign", family=paper.area)
    jobs = {
        one.name: {name: one.push(f"{name}.issue", body) for name, body in bodies[one.name].items()}
        for one in (unpaid, waiting, barred)
    }
    for tenant, code in ((unpaid, "factus.payment_required"), (waiting, "dian.pending"), (barred, "factus.conflict")):
        ends = {name: ended(tenant.end_of(job)) for name, job in jobs[tenant.name].items()}
        assert ends == {name: (f"{name}.failed", code) for name in FAMILY_CASES}
    for paper in FAMILY_CASES.values():
        assert waiting.documents(paper.area)[-1]["state"] == "pending"
        assert waiting.story_of(jobs[waiting.name][paper.name]) == [f"{paper.name}.pending", f"{paper.name}.failed"]
        for tenant in (waiting, barred):
            assert tenant.seen()["families"][paper.area]["forbidden_deletes"] == []


# -- as processes ------------------------------------------------------------------------------------------------------
def test_file_with_a_document_of_each_family_is_submitted_and_waited_for(tmp_path: Path):
    """The real command on a real worker process: every family in one file, and one job that is refused."""
    with plant(tmp_path) as works, httpx.Client(base_url=works.sandbox_url, headers=AGENT) as http:
        works.start_worker()
        other_hand = FactusUser(SECRETS["FACTUS_USERNAME"], http)
        jobs = [{"type": f"{name}.issue", "payload": paper.body(other_hand)} for name, paper in FAMILY_CASES.items()]
        n_before = works.report()["totals"]["validated"]
        file = tmp_path / "all.jsonl"
        file.write_text("\n".join(map(json.dumps, [*jobs, {"type": "invoice.get", "payload": {}}])), encoding="utf-8")
        command = ("submit", str(file), "--wait", "--timeout", "90s")
        done = processes.run("worker", *command, folder=tmp_path, env=works.env)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "payload.invalid" in done.stdout
        types = sorted(event["type"] for event in works.events())
        assert types == sorted([*(f"{name}.validated" for name in FAMILY_CASES), "job.refused"])
        assert works.report()["totals"]["validated"] == n_before + 7
