"""The day that a document carries, and what the rules say when it is another than the one it was judged on."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest

from jobs.entry import Accepted, Entry, Refused
from jobs.fiscal_day import first_day, revalidate_for_today
from jobs.intake import EntryValidator
from jobs.outcomes import Finished
from schemas import strict_json
from schemas.factus import BOGOTA
from schemas.payload.validate import DOCUMENT_SPECS
from tests.builders import an_envelope, changed
from tests.families import a_document_payload
from tests.records import a_job

MONDAY = datetime(2026, 11, 30, 12, tzinfo=BOGOTA)
DAY_MS = 86_400_000
NOW_MS = int(MONDAY.timestamp() * 1000)


def weekly(start_date: str, **more):
    purchase = {"items.0.period": {"generation_mode": "2", "start_date": start_date}}
    return changed(a_document_payload("support_document"), {**purchase, **more})


def judged_at_intake(payload, **fields):
    """What the intake of Monday noon makes of a purchase."""
    job = an_envelope(payload, type="support_document.issue", **fields)
    validator = EntryValidator({"acme": BOGOTA}, lambda: NOW_MS)
    return validator.validate(Entry("factus:jobs", f"{NOW_MS}-0", json.dumps(job).encode()))


@pytest.mark.parametrize(
    ("issue_on", "start_at", "day"),
    [
        ("", 0, "2026-11-30"),
        ("", NOW_MS - DAY_MS, "2026-11-30"),
        ("", NOW_MS + DAY_MS, "2026-12-01"),
        ("2026-12-24", NOW_MS + DAY_MS, "2026-12-24"),
    ],
)
def test_the_first_day_is_the_one_asked_for_or_the_first_possible(issue_on, start_at, day):
    assert first_day(issue_on, start_at, NOW_MS) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("start_date", "fields"),
    [
        ("2026-12-04", {"issue_on": "2026-12-04"}),
        ("2026-11-28", {"issue_on": "2026-12-04"}),
        ("2026-12-01", {"not_before": "2026-12-01T00:00:00-05:00"}),
        ("2026-12-01", {"not_before": "2026-12-01T23:59:59-05:00"}),
        ("2026-11-24", {}),
    ],
)
def test_a_purchase_is_judged_as_of_the_day_of_its_sending(start_date, fields):
    assert isinstance(judged_at_intake(weekly(start_date), **fields), Accepted)


@pytest.mark.parametrize(
    ("start_date", "fields"),
    [
        ("2026-11-27", {"issue_on": "2026-12-04"}),
        ("2026-11-24", {"not_before": "2026-12-01T00:00:00-05:00"}),
        ("2026-12-01", {}),
    ],
)
def test_one_that_the_day_forbids_is_refused_before_it_waits(start_date, fields):
    found = judged_at_intake(weekly(start_date), **fields)
    assert isinstance(found, Refused)
    assert [(error.rule, error.field) for error in found.errors] == [("DS-016", "items.0.period.start_date")]


def a_purchase(start_date, **fields):
    payload = strict_json.dump(weekly(start_date))
    return a_job(type="support_document.issue", family="support_document", payload=payload, **fields)


def again(job, *, days=0):
    return revalidate_for_today(job, DOCUMENT_SPECS["support_document"], NOW_MS + days * DAY_MS)


def test_on_the_day_it_was_judged_nothing_is_judged_again():
    job = a_purchase("2020-01-01", accepted_at=NOW_MS)
    assert again(job) is job


def test_a_day_later_the_rules_are_asked_again():
    job = a_purchase("2026-11-24", accepted_at=NOW_MS)
    found = again(job, days=1)
    assert isinstance(found, Finished)
    assert (found.state, [error.rule for error in found.errors]) == ("refused", ["DS-016"])
    assert "2026-12-01" in found.message


def test_one_that_is_still_fine_goes_out():
    job = a_purchase("2026-11-25", accepted_at=NOW_MS)
    assert again(job, days=1) == job


@pytest.mark.parametrize("fields", [{"attempts": 1}, {"sent": "unknown"}, {"pending_since": NOW_MS}])
def test_what_may_be_at_factus_is_not_refused_any_more(fields):
    job = a_purchase("2026-11-24", accepted_at=NOW_MS, **fields)
    assert again(job, days=1) is job


def test_what_the_day_makes_doubtful_is_told_beside_what_was_known():
    known = {"code": "payload.warning", "message": "x", "field": "y", "rule": "GEN-009", "retryable": False}
    due = (MONDAY + timedelta(days=1)).date().isoformat()
    payload = weekly("2026-11-29", **{"payment_details.0.payment_form": "2", "payment_details.0.due_date": due})
    job = a_purchase("2026-11-29", accepted_at=NOW_MS, warnings=strict_json.dump([known]))
    told = again(job_with(job, payload), days=2)
    assert [warning["rule"] for warning in strict_json.parse(told.warnings)] == ["GEN-009", "SUM-006"]


def job_with(job, payload):
    return a_job(
        type=job.type, family=job.family, payload=strict_json.dump(payload), accepted_at=NOW_MS, warnings=job.warnings
    )
