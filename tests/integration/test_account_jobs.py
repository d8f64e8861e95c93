"""What can be done with an account: reception of bills, numbering ranges, company, subscriptions, acquirers, tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.call_cases import COMPANY, PERSON, PNG, RANGES, Ranges, a_cufe, a_received_bill
from tests.integration.families import FAMILY_CASES
from tests.integration.service import Event, TestedAccount


def refusal(event: Event) -> tuple[str, str, str | None]:
    error = event["errors"][0]
    return event["type"], error["code"], error["field"]


# -- reception ---------------------------------------------------------------------------------------------------------
def emit(tenant: TestedAccount, bill: str, code: str, **more: Any) -> Event:
    return tenant.run("reception.emit_event", {"bill_id": bill, "event_type": code, **PERSON, **more})


def received(tenant: TestedAccount, bill: str) -> Any:
    (row,) = tenant.data_at_factus(f"/v2/receptions/bills?filter[id]={bill}")["data"]
    return row


def test_supplier_s_bill_is_loaded_found_and_answered(tenant):
    cufe = a_cufe()
    loaded = tenant.run("reception.upload", {"track_id": cufe})
    assert loaded["data"]["factus"]["cufe"] == cufe
    (row,) = tenant.run("reception.list", {"filters": {"cufe": cufe, "completed_events": "0"}})["data"]["items"]
    bill = str(row["id"])
    assert bill == str(loaded["data"]["factus"]["id"])
    for code in ("030", "032", "033"):
        event = emit(tenant, bill, code)
        assert (event["type"], event["data"]["factus"]["event_code"]) == ("reception.emit_event.completed", code)
    assert received(tenant, bill)["is_negotiable_instrument"] is True
    assert tenant.run("reception.list", {"filters": {"completed_events": "0"}})["data"]["items"] == []
    assert tenant.n_changes("receptions.emit") == 3


def test_claim_carries_its_concept(tenant):
    bill = a_received_bill(tenant)
    emit(tenant, bill, "030")
    emit(tenant, bill, "032")
    refused = emit(tenant, bill, "031")
    assert refusal(refused) == ("job.refused", "payload.invalid", "claim_concept_code")
    assert refused["errors"][0]["rule"] == "EVT-004"
    assert emit(tenant, bill, "031", claim_concept_code="02")["success"]
    assert received(tenant, bill)["has_claim"] is True


def test_event_out_of_order_or_repeated_or_of_nobody_fails(tenant):
    bill = a_received_bill(tenant)
    assert refusal(emit(tenant, bill, "032")) == ("reception.emit_event.failed", "factus.validation", "event_type")
    assert emit(tenant, bill, "030")["success"]
    assert refusal(emit(tenant, bill, "030"))[:2] == ("reception.emit_event.failed", "factus.conflict")
    assert refusal(emit(tenant, "999", "030"))[:2] == ("reception.emit_event.failed", "factus.not_found")
    assert tenant.seen()["changes"]["receptions.emit"] == {f"{bill}/030": 1}


@pytest.mark.parametrize(("effect", "n_events"), [("drop_after", 1), ("error_before", 0)])
def test_event_of_unknown_outcome_is_not_emitted_again(tenant, effect, n_events):
    bill = a_received_bill(tenant)
    tenant.fault(effect, on="emit")
    assert refusal(emit(tenant, bill, "030"))[:2] == ("reception.emit_event.failed", "factus.unavailable")
    assert tenant.n_changes("receptions.emit") == n_events


def test_bill_that_cannot_be_loaded_says_why(tenant):
    cufe = a_cufe()
    assert tenant.run("reception.upload", {"track_id": cufe})["success"]
    assert refusal(tenant.run("reception.upload", {"track_id": cufe}))[:2] == (
        "reception.upload.failed",
        "factus.conflict",
    )
    nobody = tenant.run("reception.upload", {"track_id": "a" * 96})
    assert refusal(nobody)[:2] == ("reception.upload.failed", "factus.not_found")
    wrong = tenant.run("reception.upload", {"track_id": "corto"})
    assert refusal(wrong) == ("job.refused", "payload.invalid", "track_id")
    assert tenant.seen()["changes"]["receptions.upload"] == {cufe: 1}


def test_received_bills_are_listed_over_all_pages(tenant):
    for _ in range(22):
        a_received_bill(tenant)
    event = tenant.run("reception.list", {"all": True})
    assert [row["id"] for row in event["data"]["items"]] == list(range(22, 0, -1))
    assert event["data"]["pagination"]["next_page"] is None


# -- numbering ranges --------------------------------------------------------------------------------------------------
@pytest.fixture(params=RANGES, ids=lambda kind: kind.family)
def ranges(request: pytest.FixtureRequest) -> Ranges:
    return request.param


def test_range_is_created_renumbered_switched_and_deleted(tenant, ranges):
    wanted = ranges.wanted()
    made = tenant.run(f"{ranges.family}.create", wanted)["data"]["factus"]
    key = str(made["id"])
    assert (made["prefix"], made["is_active"]) == (wanted["prefix"], 0)
    shown = tenant.run(f"{ranges.family}.get", {"numbering_range_id": key})["data"]["factus"]
    assert shown == ranges.shown(tenant, key)
    tenant.run(f"{ranges.family}.update", {"numbering_range_id": key, "current": "40"})
    on = tenant.run(f"{ranges.family}.set_status", {"numbering_range_id": key, "is_active": True})
    assert (on["data"]["is_active"], on["data"]["factus"]["is_active"]) == (True, 1)
    assert (ranges.shown(tenant, key)["current"], ranges.shown(tenant, key)["is_active"]) == (40, 1)
    listed = tenant.run(f"{ranges.family}.list", {"all": True})["data"]["items"]
    assert key in {str(row["id"]) for row in listed}
    assert tenant.run(f"{ranges.family}.delete", {"numbering_range_id": key})["data"] == {"deleted": True}
    gone = tenant.run(f"{ranges.family}.get", {"numbering_range_id": key})
    assert refusal(gone)[:2] == (f"{ranges.family}.get.failed", "factus.not_found")


def test_range_that_stands_as_wanted_is_not_toggled(tenant, ranges):
    event = tenant.run(f"{ranges.family}.set_status", {"numbering_range_id": ranges.known, "is_active": True})
    assert (event["data"]["is_active"], event["success"]) == (True, True)
    assert tenant.n_changes(f"{ranges.area}.toggle") == 0


@pytest.mark.parametrize("effect", ["drop_after", "error_after", "garbage", "empty"])
def test_toggle_of_lost_answer_is_done_exactly_once(tenant, ranges, effect):
    tenant.fault(effect, on="toggle")
    event = tenant.run(f"{ranges.family}.set_status", {"numbering_range_id": ranges.known, "is_active": False})
    assert event["data"]["is_active"] is False
    assert tenant.n_changes(f"{ranges.area}.toggle") == 1
    assert ranges.shown(tenant, ranges.known)["is_active"] == 0


def test_range_of_lost_answer_is_created_exactly_once(tenant, ranges):
    wanted = ranges.wanted()
    tenant.fault("drop_after", on="add")
    event = tenant.run(f"{ranges.family}.create", wanted)
    assert event["data"]["factus"]["prefix"] == wanted["prefix"]
    assert tenant.n_changes(f"{ranges.area}.add") == 1


def test_range_of_another_resolution_is_not_taken_for_the_one_that_got_lost(tenant):
    ranges = RANGES[0]
    wanted = ranges.wanted()
    older = {**wanted, "resolution_number": "18760000078"}
    assert tenant.run("numbering_range.create", older)["success"]
    tenant.fault("drop_before", on="add")
    event = tenant.run("numbering_range.create", wanted)
    assert event["data"]["factus"]["resolution_number"] == wanted["resolution_number"]
    assert tenant.n_changes("numbering-ranges.add") == 2


def test_what_cannot_be_done_with_a_range_fails_and_says_why(tenant, ranges):
    wanted = ranges.wanted()
    assert tenant.run(f"{ranges.family}.create", wanted)["success"]
    twice = tenant.run(f"{ranges.family}.create", wanted)
    assert refusal(twice) == (f"{ranges.family}.create.failed", "factus.validation", "prefix")
    beyond = tenant.run(f"{ranges.family}.update", {"numbering_range_id": ranges.known, "current": "999999999999"})
    assert refusal(beyond) == (f"{ranges.family}.update.failed", "factus.validation", "current")
    for verb, more in (("get", {}), ("update", {"current": "1"}), ("set_status", {"is_active": True}), ("delete", {})):
        event = tenant.run(f"{ranges.family}.{verb}", {"numbering_range_id": "77777", **more})
        assert refusal(event)[:2] == (f"{ranges.family}.{verb}.failed", "factus.not_found")


def test_range_in_use_is_not_deleted(tenant):
    event = tenant.run("numbering_range.delete", {"numbering_range_id": "389"})
    assert refusal(event)[:2] == ("numbering_range.delete.failed", "factus.conflict")
    assert RANGES[0].shown(tenant, "389")["prefix"] == "SETP"


def test_filters_of_ranges_are_factus_s_own(tenant):
    event = tenant.run("numbering_range.list", {"filters": {"document": "22", "is_active": "1"}})
    assert [row["prefix"] for row in event["data"]["items"]] == ["NC"]
    event = tenant.run("payroll_numbering_range.list", {"filters": {"code": "26", "is_enabled": "true"}})
    assert [row["prefix"] for row in event["data"]["items"]] == ["NEF"]


def test_ranges_of_the_software_are_listed_whole(tenant):
    event = tenant.run("numbering_range.software", {})
    assert event["data"] == {"items": tenant.data_at_factus("/v2/numbering-ranges/dian"), "pagination": None}


def test_without_an_active_range_a_bill_is_rejected_without_a_field_and_later_passes(tenant):
    paper = FAMILY_CASES["invoice"]
    body = paper.body(tenant)
    tenant.run("numbering_range.set_status", {"numbering_range_id": "389", "is_active": False})
    assert refusal(paper.issue(tenant, body)) == ("invoice.rejected", "factus.validation", None)
    tenant.run("numbering_range.set_status", {"numbering_range_id": "389", "is_active": True})
    assert paper.issue(tenant, body)["type"] == "invoice.validated"


# -- company and the rest ----------------------------------------------------------------------------------------------
def test_company_is_changed_as_a_whole_and_read_back(tenant):
    changed = tenant.run("company.update", COMPANY)["data"]["factus"]
    read = tenant.run("company.get", {})["data"]["factus"]
    assert changed == read == tenant.data_at_factus("/v2/companies")
    assert (read["company"], read["municipality"]["code"]) == (COMPANY["company"], "08001")


def test_company_that_nobody_would_take_is_refused_and_stays_as_it_was(tenant):
    before = tenant.data_at_factus("/v2/companies")
    event = tenant.run("company.update", {**COMPANY, "email": "sin arroba"})
    assert refusal(event) == ("job.refused", "payload.invalid", "email")
    assert tenant.data_at_factus("/v2/companies") == before


def test_logo_arrives_as_a_file(tenant):
    before = tenant.data_at_factus("/v2/companies")["url_logo"]
    event = tenant.run("company.logo", {"image_base_64_encoded": PNG})
    assert event["data"]["factus"]["url_logo"] == tenant.data_at_factus("/v2/companies")["url_logo"] != before
    assert event["data"]["factus"]["url_logo"].endswith(".png")


def test_subscriptions_are_listed_whole(tenant):
    event = tenant.run("subscription.list", {})
    assert [row["name"] for row in event["data"]["items"]] == ["Facturación", "Nómina"]
    assert event["data"]["pagination"] is None


def test_acquirer_is_found_or_not(tenant):
    found = tenant.run("acquirer.get", {"identification_document_code": "13", "identification_number": "1399991"})
    assert set(found["data"]["factus"]) == {"name", "email"}
    unknown = tenant.run("acquirer.get", {"identification_document_code": "13", "identification_number": "1"})
    assert refusal(unknown)[:2] == ("acquirer.get.failed", "factus.not_found")


@pytest.mark.parametrize("waits", [False, True])
def test_tables_are_searched_without_asking_anybody(tenant, waits):
    soon = (datetime.now(UTC) + timedelta(seconds=0.2)).isoformat()
    wish = {"catalog": "municipalities", "query": "bogota", "limit": 2}
    event = tenant.run("catalog.search", wish, **({"not_before": soon} if waits else {}))
    assert event["type"] == "catalog.search.completed"
    assert event["data"]["items"][0]["code"] == "11001"
    assert len(event["data"]["items"]) <= 2
    assert tenant.seen() == {}
