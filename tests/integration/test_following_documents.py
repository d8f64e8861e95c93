"""What an issued document asked for beside: its files in the archive, its RADIAN events in the stream."""

from __future__ import annotations

import pytest

from tests.integration.families import FAMILY_CASES, FamilyCase, a_credit_bill, hold_file


@pytest.fixture(params=FAMILY_CASES.values(), ids=str)
def paper(request: pytest.FixtureRequest) -> FamilyCase:
    return request.param


def test_archive_stores_every_file_of_the_family(paper, tenant, live):
    body = paper.body(tenant)
    job = tenant.push(f"{paper.name}.issue", body, options={"archive": list(paper.kinds)}, metadata={"a": 1})
    archived = tenant.event_of(job, f"{paper.name}.archived")
    validated = tenant.end_of(job)
    assert (validated["seq"], archived["seq"], archived["success"]) == (1, 2, True)
    assert (archived["metadata"], archived["reference_code"]) == ({"a": 1}, body["reference_code"])
    files = archived["data"]["documents"]
    assert tuple(file["kind"] for file in files) == paper.kinds
    for file in files:
        hold_file(file, live.archive)
    assert (validated["data"]["documents"], validated["data"]["warnings"]) == ([], [])


def test_archive_waits_out_a_bad_moment_and_the_document_stands(paper, tenant):
    tenant.fault("error_before", on="download", times=2)
    job = tenant.push(f"{paper.name}.issue", paper.body(tenant), options={"archive": ["xml"]})
    assert tenant.end_of(job)["type"] == f"{paper.name}.validated"
    assert [file["kind"] for file in tenant.event_of(job, f"{paper.name}.archived")["data"]["documents"]] == ["xml"]


def test_option_that_the_family_cannot_have_is_warned_of(paper, tenant):
    wanted = {"archive": ["pdf", "xml", "attached"], "track_radian": True}
    job = tenant.push(f"{paper.name}.issue", paper.body(tenant), options=wanted)
    missing = {"archive"} if len(paper.kinds) < 3 else set()
    warnings = tenant.end_of(job)["data"]["warnings"]
    assert {(w["code"], w["field"]) for w in warnings} == {
        ("option.unavailable", f"envelope.options.{name}") for name in {"track_radian", *missing}
    }
    assert len(tenant.event_of(job, f"{paper.name}.archived")["data"]["documents"]) == len(paper.kinds)


@pytest.mark.parametrize("last", ["031", "033", "034"])
def test_tracked_bill_tells_each_event_once_until_its_last_word(tenant, last):
    bill = a_credit_bill()
    job = tenant.push("invoice.issue", bill, options={"track_radian": True}, metadata={"erp": 7})
    number = tenant.end_of(job)["data"]["number"]
    told = []
    for n, code in enumerate(("030", "032", last), 1):
        made = tenant.control("events", number=number, event_code=code)
        told = tenant.news_of(job, n)
        data = told[-1]["data"]
        assert (data["number"], data["event_code"], data["event_name"]) == (number, code, made["event_name"])
        assert data["cude"] == made["cude"]
        assert data["occurred_at"] == f"{made['effective_date']}T{made['effective_time']}-05:00"
    assert [(one["type"], one["seq"], one["job_id"]) for one in told] == [("radian.event", n, job) for n in (2, 3, 5)]
    assert {(one["metadata"]["erp"], one["reference_code"]) for one in told} == {(7, bill["reference_code"])}
    tenant.control("events", number=number, event_code="032")
    n_looks = tenant.seen()["operations"]["bills.events"]
    tenant.run("invoice.get", {"number": number})
    assert tenant.seen()["operations"]["bills.events"] <= n_looks + 1, "nobody looks any more"
    assert len(tenant.live.news(tenant.name, job)) == 3


def test_tracking_goes_on_through_an_outage(tenant):
    tenant.fault("error_before", on="events", times=3)
    job = tenant.push("invoice.issue", a_credit_bill(), options={"track_radian": True, "archive": ["xml"]})
    number = tenant.end_of(job)["data"]["number"]
    tenant.control("events", number=number, event_code="030")
    tenant.control("events", number=number, event_code="032")
    tenant.control("events", number=number, event_code="033")
    assert {one["data"]["event_code"] for one in tenant.news_of(job, 3)} == {"030", "032", "033"}
    numbers = [one["seq"] for one in (*tenant.live.events(tenant.name, job), *tenant.live.clock(tenant.name, job))]
    assert sorted(numbers) == [*range(1, len(numbers) + 1)]


def test_tacit_acceptance_by_a_job_is_seen_by_the_tracking(tenant):
    job = tenant.push("invoice.issue", a_credit_bill(), options={"track_radian": True})
    number = tenant.end_of(job)["data"]["number"]
    tenant.control("events", number=number, event_code="030", days_ago=6)
    tenant.control("events", number=number, event_code="032", days_ago=5)
    person = {"identification_document_code": "13", "identification": "1", "first_name": "Ana", "last_name": "Ríos"}
    assert tenant.run("invoice.accept", {"number": number, **person})["success"]
    assert [one["data"]["event_code"] for one in tenant.news_of(job, 3)] == ["030", "032", "034"]
