"""Outages, blocks and deadlines: few calls while nothing works, one word to the operator, and no job past its time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from jobs import answers
from jobs.example_payloads import example
from schemas.factus import DocumentView, Remark
from tests.fakes import FakeFactus
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, quick, running, services_on


class Weather(FakeFactus):
    """Answers creates and look-ups with *storm* while there is one."""

    storm: answers.Answer | None = None

    async def create(self, job, *, latest_ms):
        if self.storm:
            self._note("create")
            return self.storm
        return await super().create(job, latest_ms=latest_ms)

    async def find(self, family, reference_code):
        if self.storm:
            self._note("find")
            return self.storm
        return await super().find(family, reference_code)


pytestmark = pytest.mark.service(backoff_base=0.1, backoff_max=0.4)


@pytest.fixture
def factus():
    return Weather()


@pytest.mark.parametrize(
    "storm", [answers.NotSent("sin conexión"), answers.Unknown("500")], ids=["not_sent", "unknown"]
)
async def test_a_backlog_burns_one_probe_per_pause_and_resumes_by_itself(rig, factus, storm):
    factus.storm = storm
    began = time.monotonic()  # before the first push: on a busy machine the first probes go out while others are pushed
    for n in range(30):
        await rig.push_bill(f"R{n}")
    probe = "create" if isinstance(storm, answers.NotSent) else "find"
    await factus.called(probe, 5)
    # Pauses of 0.1, 0.2, 0.4, 0.4 ... s, of which at least half is taken, whatever the machine's pace.
    n_calls = factus.calls["create"] + factus.calls["find"]
    n_pauses = n_calls - (2 if isinstance(storm, answers.Unknown) else 1)  # the first answer is looked up at once
    least_s = 0.05 + 0.1 + 0.2 * (n_pauses - 2)
    assert time.monotonic() - began >= least_s, "one probe a pause, and none of the other 29"
    factus.storm = None
    events = await rig.events(30)
    assert {event["type"] for event in events} == {"invoice.validated"}


async def test_after_an_outage_every_lane_of_the_account_goes_on_at_once(rig, factus):
    """The others need not sit out the probe's time."""
    factus.storm = answers.NotSent("sin conexión")
    await rig.push_bill("A")
    await factus.called("create", 2)  # the first attempt's end is written
    assert await rig.services.redis.hget(rig.services.keys.account("acme"), "outage") == b"1"
    factus.storm = None
    await rig.events(1)
    assert await rig.services.redis.hget(rig.services.keys.account("acme"), "outage") is None


async def test_a_probe_that_ends_without_news_leaves_its_place_to_the_next_lane(rig, factus):
    """Its own lane has nothing left to ask with; the others waited for as long as a probe may take."""
    redis, keys = rig.services.redis, rig.services.keys
    await redis.hset(keys.account("acme"), "outage", "1")
    is_asked, go_on = asyncio.Event(), asyncio.Event()

    async def held(request):
        factus.replies[f"{request.method} {request.path}"] = [answers.Conflicted("409")]
        is_asked.set()
        await go_on.wait()

    factus.before_call = held
    await rig.push({"type": "invoice.get", "account": "acme", "payload": {"number": "SETP1"}})
    await is_asked.wait()
    await rig.push_bill("A")
    while await redis.hget(keys.lane("acme/invoice"), "wait_reason") != b"probe":
        await asyncio.sleep(0.01)
    go_on.set()
    asked, issued = await rig.events(2, timeout_s=PATIENCE_S / 2)  # a probe may take 90 s
    assert (asked["errors"][0]["code"], issued["type"]) == ("factus.conflict", "invoice.validated")


@pytest.mark.parametrize(
    ("seen", "code", "family"),
    [
        (answers.CredentialsRefused("invalid_grant"), "factus.credentials", None),
        (answers.PaymentRequired("pago requerido"), "factus.payment_required", None),
        (answers.Denied("version", "Version de API no disponible"), "factus.denied", None),
        (answers.Denied("product", "no tiene habilitada"), "factus.denied", "invoice"),
    ],
)
@pytest.mark.service(policies=quick(patience={"account_pause_s": 0.05}))
async def test_a_block_is_told_once_with_its_cause_and_its_mend(rig, factus, seen, code, family):
    factus.script = [seen, seen, seen]
    with structlog.testing.capture_logs() as lines:
        await rig.push_bill("A")
        await rig.push_bill("B")
        blocked, resumed, first, _ = sorted(await rig.events(4), key=lambda e: e["type"])
        while not (over := [line for line in lines if line["event"] == "account.resumed"]):
            await asyncio.sleep(0)  # the line comes after the write that publishes the event
    (told,) = [line for line in lines if line["event"] == "account.blocked"]
    assert (told["log_level"], told["scope"], told["error"]) == ("error", family or "*", code)
    assert over[0]["log_level"] == "warning"
    assert (blocked["type"], blocked["success"], blocked["errors"][0]["code"]) == ("account.blocked", False, code)
    assert (blocked["account"], blocked["data"]["family"]) == ("acme", family)
    assert blocked["data"]["jobs_waiting"] >= 1
    assert blocked["data"]["mend"]
    assert (blocked["job_id"], blocked["reference_code"]) == (None, None)
    assert (resumed["type"], resumed["success"]) == ("account.resumed", True)
    assert first["type"] == "invoice.validated"


@pytest.mark.service(policies=quick(patience={"foreign_ms": 200}))
async def test_a_foreign_document_is_named_after_ten_minutes(rig, factus):
    factus.blocker = answers.DocumentSeen(
        DocumentView({"reference_code": "AJENO-1", "number": "SETP9", "is_validated": False})
    )
    factus.script = [answers.Conflicted("409")] * 6
    await rig.push_bill("A")
    events = await rig.events(3)
    assert [event["type"] for event in events] == ["account.blocked", "invoice.validated", "account.resumed"]
    assert "AJENO-1" in events[0]["errors"][0]["message"]
    assert events[0]["data"]["family"] == "invoice"
    assert (events[1]["attempts"], factus.deleted) == (1, [])


async def test_a_rejected_document_that_shall_stay_is_told(rig, factus):
    factus.script = [answers.RulesRefused((Remark("Regla: FAK24, Rechazo: sin DV", "FAK24"),))]
    await rig.push_bill("A", options={"delete_rejected": False})
    rejected, blocked = await rig.events(2)
    assert (rejected["type"], blocked["type"]) == ("invoice.rejected", "account.blocked")
    assert blocked["data"]["family"] == "invoice"
    assert factus.deleted == []


class TestTime:
    async def test_a_waiting_job_expires_on_time_though_its_lane_is_held(self, rig, factus):
        factus.storm = answers.Denied("version", "Version de API no disponible")
        await rig.push_bill("A")
        await rig.events(1)
        expires_at = datetime.now(UTC) + timedelta(seconds=1.5)
        await rig.push_bill("B", expires_at=expires_at.isoformat())
        (event,) = await rig.events(1)
        assert (event["type"], event["reference_code"]) == ("invoice.failed", "B")
        assert (event["errors"][0]["code"], event["attempts"]) == ("job.expired", 0)

    async def test_past_at_intake_it_expires_without_a_call(self, rig, factus):
        await rig.push_bill("A", expires_at="2020-01-01T00:00:00-05:00")
        (event,) = await rig.events(1)
        assert (event["errors"][0]["code"], factus.calls) == ("job.expired", {})

    async def test_a_day_that_is_over_is_missed_without_a_call(self, rig, factus):
        await rig.push_bill("A", issue_on="2020-01-01")
        (event,) = await rig.events(1)
        assert (event["errors"][0]["code"], factus.calls) == ("date.missed", {})

    async def test_a_job_for_tomorrow_waits(self, rig, factus):
        tomorrow = (datetime.now(an_account().zone) + timedelta(days=1)).date()
        await rig.push_bill("A", issue_on=tomorrow.isoformat())
        await rig.push_bill("B", id="b", not_before=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
        await rig.push_bill("C")
        events = await rig.events(1)
        redis, later = rig.services.redis, rig.services.keys.later("acme/invoice")
        await redis.zincrby(later, -3_600_000, "b")  # the hour is over
        await rig.look("acme/invoice")
        events += await rig.events(1)
        assert [event["reference_code"] for event in events] == ["C", "B"]
        assert await redis.zcard(later) == 1

    async def test_the_deadline_ends_a_job_with_what_stood_in_its_way(self, redis, namespace, factus):
        factus.storm = answers.NotSent("sin conexión")
        built = services_on(redis, namespace, gateway=factus, job_deadline=1.0, backoff_base=0.1, backoff_max=30.0)
        async with running(built) as rig:
            await rig.push_bill("A")
            (event,) = await rig.events(1)
        assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "factus.unavailable")

    async def test_a_failed_job_is_a_dead_letter_that_can_be_pushed_again(self, rig, factus):
        await rig.push_bill("A", issue_on="2020-01-01", id="one")
        await rig.events(1)
        ((_, fields),) = await rig.services.redis.xrange(rig.services.keys.dead())
        assert fields[b"reason"] == b"date.missed"
        await rig.push(fields[b"raw"].replace(b'"one"', b'"one.r1"'))
        (event,) = await rig.events(1)
        assert event["type"] == "invoice.validated"
        assert factus.calls["find"] == 1, "it looks at Factus first"

    @pytest.mark.parametrize(
        ("storm", "code", "kept"),
        [
            (answers.CredentialsRefused("no", 401), "factus.credentials", "blocked:*"),
            (answers.PaymentRequired("no", 402), "factus.payment_required", "blocked:*"),
            (answers.Denied("version", "no", 403), "factus.denied", "blocked:*"),
            (answers.NotSent("sin conexión"), "factus.unavailable", "outage"),
        ],
    )
    async def test_a_last_call_in_vain_is_no_news_of_a_mend(self, redis, namespace, factus, storm, code, kept):
        """What stops the account stops it still when the time of a job is up that has just asked: of a note's bill."""
        look = "GET /v2/bills/SETP990000145/radian/events"
        factus.replies[look] = [storm]
        built = services_on(redis, namespace, gateway=factus, job_deadline=1.0, backoff_base=0.1, backoff_max=0.2)
        note = example("credit_note.issue") | {"bill_number": "SETP990000145"}
        async with running(built) as rig:
            await rig.push({"type": "credit_note.issue", "account": "acme", "payload": note})
            events = []
            while not events or events[-1]["type"] != "credit_note.failed":
                events += await rig.events(1)
            await rig.rest()
            state = await redis.hgetall(built.keys.account("acme"))
        assert events[-1]["errors"][0]["code"] == code
        assert "account.resumed" not in {event["type"] for event in events}
        assert kept.encode() in state
        assert factus.calls[look] >= 2

    async def test_finished_jobs_leave_no_deadline_behind(self, rig):
        for n in range(5):
            await rig.push_bill(f"R{n}")
        await rig.events(5)
        assert await rig.services.redis.zcard(rig.services.keys.deadlines()) == 0
