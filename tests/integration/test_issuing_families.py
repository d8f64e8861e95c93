"""Every family issues its documents end to end, whatever becomes of them at Factus and at DIAN."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import changed
from tests.integration.families import FAMILY_CASES, FamilyCase
from tests.integration.service import Event, TestedAccount, new_reference

_DATA = {
    *("number", "reference_code", "qr", "public_url", "issued_at", "validated_at", "total", "tax_amount"),
    *("notifications", "warnings", "documents", "replayed", "environment", "factus"),
}


def each_with(first: str, **others: str) -> Any:
    """Every family with *first*; a named one with another value too, where all families are treated alike."""
    pairs = [*((name, first) for name in FAMILY_CASES), *((name, value) for value, name in others.items())]
    return [pytest.param(FAMILY_CASES[name], value, id=f"{name}-{value}") for name, value in pairs]


SOME = pytest.mark.parametrize(
    "paper", [FAMILY_CASES[name] for name in ("invoice", "adjustment_note", "payroll_adjustment")], ids=str
)
"""A family of each way of looking up, for what is no matter of families."""


@pytest.fixture(params=FAMILY_CASES.values(), ids=str)
def paper(request: pytest.FixtureRequest) -> FamilyCase:
    return request.param


@pytest.fixture
def body(paper: FamilyCase, tenant: TestedAccount) -> dict[str, Any]:
    return paper.body(tenant)


def counts(tenant: TestedAccount, paper: FamilyCase) -> dict[str, Any]:
    return tenant.seen()["families"][paper.area]


def hold_one_document(tenant: TestedAccount, paper: FamilyCase, event: Event) -> None:
    """It is validated, and Factus has exactly this one."""
    assert (event["type"], event["success"]) == (f"{paper.name}.validated", True), event
    (document,) = tenant.documents(paper.area)
    assert document["state"] == "validated"
    assert document["reference_code"] == event["data"]["reference_code"] == event["reference_code"]
    assert (document["number"], document["code"]) == (event["data"]["number"], event["data"][paper.code])
    seen = counts(tenant, paper)
    assert (seen["validated"], seen["duplicates"]["references"], seen["forbidden_deletes"]) == (1, [], [])


def refusal(event: Event) -> tuple[str, str, str | None]:
    (error,) = event["errors"]
    return event["type"], error["code"], error["field"]


# -- good ends ---------------------------------------------------------------------------------------------------------
def test_document_is_validated_with_all_that_the_contract_promises(paper, tenant, body):
    event = paper.issue(tenant, body, metadata={"erp": [1, None]}, batch="lote")
    hold_one_document(tenant, paper, event)
    data = event["data"]
    assert set(data) == _DATA | {paper.code}
    assert (data["total"], data["replayed"], data["documents"]) == (paper.total, False, [])
    assert len(data[paper.code]) == 96
    assert data[paper.code] in data["qr"]
    assert data["issued_at"].endswith("-05:00")
    assert data["validated_at"].endswith("-05:00")
    assert data["factus"] == paper.shown_at_factus(tenant, data["number"])
    assert (event["seq"], event["attempts"], event["job_type"]) == (1, 1, f"{paper.name}.issue")
    assert (event["metadata"], event["batch"]) == ({"erp": [1, None]}, "lote")
    assert counts(tenant, paper)["creates_posted"] == 1


def test_pushed_again_it_is_replayed_without_a_call(paper, tenant, body):
    first = paper.issue(tenant, body)
    n_asked = sum(tenant.seen()["requests"].values())
    again = paper.issue(tenant, body)
    assert (again["data"]["replayed"], again["attempts"]) == (True, 0)
    assert again["data"] | {"replayed": False} == first["data"]
    assert sum(tenant.seen()["requests"].values()) == n_asked
    hold_one_document(tenant, paper, again)


@SOME
def test_two_jobs_of_one_document_get_its_one_result(paper, tenant, body):
    tenant.fault({"kind": "slow", "seconds": 0.15}, on="create", family=paper.area)
    first, second = (tenant.push(f"{paper.name}.issue", body) for _ in range(2))
    ends = [tenant.end_of(first), tenant.end_of(second)]
    hold_one_document(tenant, paper, ends[1])
    assert ends[0]["data"]["number"] == ends[1]["data"]["number"]
    assert counts(tenant, paper)["creates_posted"] == 1


@pytest.mark.parametrize(
    ("paper", "effect"),
    each_with("drop_after", error_after="support_document", garbage="payroll_adjustment", empty="invoice"),
)
def test_answer_lost_after_the_commit_is_looked_up(paper, tenant, body, effect):
    tenant.fault(effect, on="create", reference=body["reference_code"])
    hold_one_document(tenant, paper, paper.issue(tenant, body))


@pytest.mark.parametrize(("paper", "effect"), each_with("error_before", drop_before="payroll"))
def test_failure_before_the_commit_is_sent_again(paper, tenant, body, effect):
    tenant.fault(effect, on="create", reference=body["reference_code"])
    event = paper.issue(tenant, body)
    hold_one_document(tenant, paper, event)
    assert event["attempts"] == 2
    assert counts(tenant, paper)["creates_posted"] == 1


# -- DIAN --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", ["body", "accepted"])
def test_waiting_for_dian_is_told_once_and_ends_validated(paper, tenant, body, shape):
    tenant.fault({"kind": "pending", "polls": 3, "shape": shape}, on="create", reference=body["reference_code"])
    event = paper.issue(tenant, body)
    hold_one_document(tenant, paper, event)
    story = tenant.live.events(tenant.name, event["job_id"])
    assert [one["type"] for one in story] == [f"{paper.name}.pending", f"{paper.name}.validated"]
    assert [one["seq"] for one in story] == [1, 2]
    waiting = story[0]
    assert (waiting["success"], waiting["data"]["reference_code"]) == (True, body["reference_code"])
    assert set(waiting["data"]) == {"reference_code", "number", "since"}
    assert waiting["data"]["number"] == (event["data"]["number"] if shape == "body" else None)


@SOME
def test_document_that_waits_unbeknown_to_us_is_found_and_never_deleted(paper, tenant, body):
    for effect in ({"kind": "pending", "polls": 2}, "drop_after"):
        tenant.fault(effect, on="create", reference=body["reference_code"])
    event = paper.issue(tenant, body)
    hold_one_document(tenant, paper, event)
    assert tenant.story_of(event["job_id"]).count(f"{paper.name}.pending") <= 1


@pytest.mark.parametrize(("paper", "shape"), each_with("map", list="adjustment_note", body="payroll"))
def test_what_dian_rejects_is_told_by_rule_deleted_and_blocks_nothing(paper, tenant, body, shape):
    rules = {"FAJ43b": "Nombre informado No corresponde al registrado en el RUT"}
    tenant.fault({"kind": "reject", "rules": rules, "shape": shape}, on="create", reference=body["reference_code"])
    event = paper.issue(tenant, body)
    assert refusal(event) == (f"{paper.name}.rejected", "dian.rejected", None)
    assert event["errors"][0]["rule"] == "FAJ43b"
    assert event["errors"][0]["message"] == rules["FAJ43b"]
    assert tenant.documents(paper.area) == []
    hold_one_document(tenant, paper, paper.issue(tenant, paper.body(tenant)))
    assert counts(tenant, paper)["deletes"]["rejected"] == 1


@SOME
def test_rejection_whose_answer_is_lost_is_found_and_deleted(paper, tenant, body):
    for effect in ("reject", "drop_after"):
        tenant.fault(effect, on="create", reference=body["reference_code"])
    assert refusal(paper.issue(tenant, body))[:2] == (f"{paper.name}.rejected", "dian.rejected")
    assert tenant.documents(paper.area) == []


@SOME
def test_delete_whose_answer_is_lost_still_ends_rejected(paper, tenant, body):
    tenant.fault("reject", on="create", reference=body["reference_code"])
    tenant.fault("drop_after", on="delete", family=paper.area)
    assert refusal(paper.issue(tenant, body))[:2] == (f"{paper.name}.rejected", "dian.rejected")
    assert tenant.documents(paper.area) == []


@SOME
def test_rejected_is_pushed_again_mended_and_passes(paper, tenant, body):
    tenant.fault("reject", on="create", reference=body["reference_code"])
    paper.issue(tenant, body)
    hold_one_document(tenant, paper, paper.issue(tenant, paper.other_than(tenant, body)))


def test_kept_rejected_document_holds_its_family_until_it_is_deleted(paper, tenant, body):
    tenant.fault("reject", on="create", reference=body["reference_code"])
    event = paper.issue(tenant, body, options={"delete_rejected": False})
    assert refusal(event)[:2] == (f"{paper.name}.rejected", "dian.rejected")
    blocked = tenant.told_operator("account.blocked", family=paper.name)
    assert (blocked["success"], blocked["errors"][0]["code"]) == (False, "dian.rejected")
    assert set(blocked["data"]) == {"family", "since", "jobs_waiting", "mend"}
    held = tenant.push(f"{paper.name}.issue", paper.body(tenant))
    tenant.wait(lambda: counts(tenant, paper)["conflicts"] >= 1, "a 409")
    assert tenant.story_of(held) == []
    freed = tenant.run(f"{paper.name}.delete", {"reference_code": body["reference_code"]})
    assert (freed["type"], freed["data"]["deleted"]) == (f"{paper.name}.delete.completed", True)
    hold_one_document(tenant, paper, tenant.end_of(held))
    tenant.told_operator("account.resumed", family=paper.name)


@SOME
def test_rule_90_of_a_validated_document_is_its_success(paper, tenant, body):
    tenant.fault({"kind": "rule_90", "found": "validated"}, on="create", reference=body["reference_code"])
    hold_one_document(tenant, paper, paper.issue(tenant, body))


def test_rule_90_of_anything_else_fails_and_is_left_for_a_person(paper, tenant, body):
    tenant.fault({"kind": "rule_90", "found": "rejected"}, on="create", reference=body["reference_code"])
    event = paper.issue(tenant, body)
    assert refusal(event)[:2] == (f"{paper.name}.failed", "dian.processed")
    assert event["errors"][0]["rule"] == "90"
    assert [one["reference_code"] for one in tenant.documents(paper.area)] == [body["reference_code"]]


# -- refusals and conflicts --------------------------------------------------------------------------------------------
def test_fields_that_factus_refuses_are_named_and_nothing_is_stored(paper, tenant, body):
    path, value = paper.unknown
    event = paper.issue(tenant, changed(body, {path: value}))
    assert refusal(event) == (f"{paper.name}.rejected", "factus.validation", path)
    assert (tenant.documents(paper.area), event["attempts"]) == ([], 1)
    hold_one_document(tenant, paper, paper.issue(tenant, body))


def test_other_document_under_the_reference_at_factus_is_a_conflict(paper, tenant, body):
    paper.at_factus(tenant, paper.other_than(tenant, body))
    event = paper.issue(tenant, body)
    assert refusal(event) == (f"{paper.name}.failed", "reference.conflict", "reference_code")
    assert counts(tenant, paper)["validated"] == 1


@SOME
def test_the_same_document_issued_by_another_hand_is_taken_for_ours(paper, tenant, body):
    paper.at_factus(tenant, body)
    hold_one_document(tenant, paper, paper.issue(tenant, body))


@SOME
def test_other_payload_under_a_known_reference_is_refused_before_any_call(paper, tenant, body):
    paper.issue(tenant, body)
    other = paper.other_than(tenant, body)
    n_asked = sum(tenant.seen()["requests"].values())
    event = paper.issue(tenant, other)
    assert refusal(event) == ("job.refused", "reference.conflict", "reference_code")
    assert (event["attempts"], sum(tenant.seen()["requests"].values())) == (0, n_asked)


def test_bad_payload_is_refused_with_rule_and_field_before_any_call(paper, live):
    tenant = live.account()
    about = {paper.about[0]: "X1"} if paper.about else {}
    path, value, rule = paper.bad
    body = changed(paper.body(tenant, new_reference(), **about), {path: value, "descuento": "1"})
    event = paper.issue(tenant, body, id="mal")
    assert (event["type"], event["attempts"], event["seq"]) == ("job.refused", 0, 1)
    assert (event["job_id"], event["job_type"]) == ("mal", f"{paper.name}.issue")
    assert {error["code"] for error in event["errors"]} == {"payload.invalid"}
    assert {(error["field"], error["rule"]) for error in event["errors"]} >= {(path, rule), ("descuento", "GEN-002")}
    assert tenant.seen() == {}, "Factus has never heard of it"


def test_somebody_else_s_pending_document_blocks_its_family_only(paper, tenant, body):
    tenant.control("documents/foreign", family=paper.area, reference="AJENO")
    others = [one for one in FAMILY_CASES.values() if one is not paper and (one.about or ("", ""))[1] != paper.name]
    held = tenant.push(f"{paper.name}.issue", body)
    tenant.wait(lambda: counts(tenant, paper)["conflicts"] >= 2, "conflicts")
    jobs = {one.name: tenant.push(f"{one.name}.issue", one.body(tenant)) for one in others if one.about is None}
    assert {tenant.end_of(job)["type"] for job in jobs.values()} == {f"{name}.validated" for name in jobs}
    assert tenant.story_of(held) == []
    tenant.control("documents/settle", family=paper.area, reference="AJENO", outcome="gone")
    event = tenant.end_of(held)
    hold_one_document(tenant, paper, event)
    assert event["attempts"] == 1, "a 409 is no attempt"
