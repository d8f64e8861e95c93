"""RADIAN's clock over the real client and the sandbox: due, declared, refused, and what notes it stops."""

from __future__ import annotations

import json

import pytest

from tests.integration.families import FAMILY_CASES, a_credit_bill

TACIT = {"tacit_acceptance": True}


@pytest.fixture
def due(tenant):
    """A bill on credit whose term is over, with a person who declares its acceptance: the job and the number."""

    def make(options=TACIT, **answers):
        if answers:
            tenant.control("radian", **answers)
        job = tenant.push("invoice.issue", a_credit_bill(), options=options)
        number = tenant.end_of(job)["data"]["number"]
        tenant.control("events", number=number, event_code="030", days_ago=9)
        tenant.control("events", number=number, event_code="032", days_ago=9)
        return job, number

    return make


def types(tenant, job):
    return [one["type"] for one in tenant.live.clock(tenant.name, job) if one["type"] != "radian.event"]


def accepted(tenant):
    return tenant.n_changes("bills.accept")


def evidence(tenant, number):
    return tenant.wait(
        lambda: next(iter(tenant.live.archive.glob(f"{tenant.name}/*/*/*/invoice/{number}-radian.json")), None),
        f"the evidence of {number}",
    )


def test_a_bill_is_due_then_declared_then_accepted_with_its_evidence(tenant, due):
    job, number = due()
    told = tenant.clock_of(job, "radian.accepted")
    assert types(tenant, job) == ["radian.clock", "radian.due", "radian.accepted"]
    assert (told["success"], told["data"]["kind"], told["data"]["number"]) == (True, "tacit", number)
    clock, over = tenant.clock_of(job, "radian.clock"), tenant.clock_of(job, "radian.due")
    assert over["data"]["emits"] is True
    assert clock["data"]["claim_until"][10:] == "T18:00:00-05:00"
    assert clock["data"]["accepts_from"][10:] == "T00:00:00-05:00"
    assert clock["data"]["cude"] == over["data"]["cude"]
    assert over["time"] >= over["data"]["accepts_from"]
    assert accepted(tenant) == 1
    file = json.loads(evidence(tenant, number).read_text(encoding="utf-8"))
    assert [event["event_code"] for event in file["before"]["events"]] == ["030", "032"]
    assert [event["event_code"] for event in file["after"]["events"]] == ["030", "032", "034"]
    assert (file["accepted"]["by"], file["term"]["calendar"]) == ("service", clock["data"]["calendar"])


def test_whoever_only_tracks_hears_that_it_is_due_and_nothing_is_declared(tenant, due):
    job, _ = due({"track_radian": True})
    assert tenant.clock_of(job, "radian.due")["data"]["emits"] is False
    tenant.run("catalog.search", {"catalog": "taxes", "query": "01"})
    assert accepted(tenant) == 0


def test_factus_that_declares_it_by_itself_is_found_and_gets_none(tenant):
    tenant.control("radian", emits=True)
    job = tenant.push("invoice.issue", a_credit_bill(), options=TACIT)
    number = tenant.end_of(job)["data"]["number"]
    tenant.control("events", number=number, event_code="032", days_ago=9)
    assert tenant.clock_of(job, "radian.accepted")["data"]["kind"] == "tacit"
    assert accepted(tenant) == 0
    assert json.loads(evidence(tenant, number).read_text(encoding="utf-8"))["accepted"]["by"] == "found"


def test_a_factus_that_wants_another_person_is_told_of_with_the_mend(tenant, due):
    job, _ = due(answers="person")
    reason = tenant.clock_of(job, "radian.unconfirmed")["data"]["reason"]
    assert "persona natural" in reason
    assert f"[accounts.{tenant.name}.radian_person]" in reason
    assert accepted(tenant) == 0


def test_lgc01_is_looked_at_and_is_an_acceptance(tenant, due):
    job, _ = due(answers="registered")
    tenant.clock_of(job, "radian.accepted")
    assert "radian.unconfirmed" not in types(tenant, job)


def test_a_409_is_looked_at_and_not_sent_again_for_an_hour(tenant, due):
    job, number = due(answers="conflict")
    tenant.wait(lambda: tenant.seen()["operations"].get("bills.accept"), "the 034")
    tenant.control("events", number=number, event_code="034")
    tenant.clock_of(job, "radian.accepted")
    assert tenant.seen()["operations"]["bills.accept"] == 1


@pytest.mark.parametrize("effect", ["drop_after", "error_after"])
def test_a_lost_answer_makes_no_second_one(tenant, due, effect):
    tenant.fault(effect, on="accept")
    job, _ = due()
    tenant.clock_of(job, "radian.accepted")
    assert (accepted(tenant), tenant.seen()["operations"]["bills.accept"]) == (1, 1)


def test_events_that_are_listed_twice_and_backwards_are_told_once(tenant, due):
    tenant.control("radian", doubled=True, reversed=True)
    job, _ = due()
    tenant.clock_of(job, "radian.accepted")
    assert types(tenant, job) == ["radian.clock", "radian.due", "radian.accepted"]
    assert sorted(one["data"]["event_code"] for one in tenant.live.news(tenant.name, job)) == ["030", "032", "034"]


def test_a_note_about_an_accepted_bill_is_refused_without_a_look_unless_its_producer_insists(tenant, due):
    job, number = due({"track_radian": True})
    tenant.control("events", number=number, event_code="033")
    cude = tenant.clock_of(job, "radian.accepted")["data"]["cude"]
    n_looks = tenant.seen()["operations"]["bills.events"]
    note = FAMILY_CASES["credit_note"].body_about(number)
    for _ in ("pushed", "pushed again"):
        refused = tenant.run("credit_note.issue", note)
        assert (refused["type"], refused["errors"][0]["code"]) == ("job.refused", "radian.accepted")
        assert cude in refused["errors"][0]["message"]
    assert tenant.seen()["operations"]["bills.events"] == n_looks
    insisted = tenant.run("credit_note.issue", note, options={"after_acceptance": True})
    assert insisted["type"] != "job.refused"


def test_of_a_bill_of_others_factus_is_asked_once_and_of_a_cash_bill_never(tenant):
    theirs = FAMILY_CASES["invoice"].at_factus(tenant, a_credit_bill())["number"]
    tenant.control("events", number=theirs, event_code="034")
    debit = FAMILY_CASES["debit_note"]
    assert tenant.run("debit_note.issue", debit.body_about(theirs))["errors"][0]["code"] == "radian.accepted"
    assert tenant.seen()["operations"]["bills.events"] == 1
    ours = tenant.run("invoice.issue", FAMILY_CASES["invoice"].body(tenant))["data"]["number"]
    assert tenant.run("debit_note.issue", debit.body_about(ours))["type"] == "debit_note.validated"
    assert tenant.seen()["operations"]["bills.events"] == 1
