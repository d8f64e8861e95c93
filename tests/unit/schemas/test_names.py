"""Names are taken apart as they are put together; they stand in keys of ledgers that are older than this code."""

from __future__ import annotations

import pytest

from jobs.registry import FOLLOW_UPS, JOB_TYPES
from schemas import names


@pytest.mark.parametrize(
    ("job_type", "lane", "is_calls", "is_issuing"),
    [
        ("invoice.issue", "acme/invoice", False, True),
        ("payroll_adjustment.issue", "acme/payroll_adjustment", False, True),
        ("invoice.get", "acme/calls", True, False),
        ("invoice.archive", "acme/calls", True, False),
        ("job.cancel", "acme/control", False, False),
    ],
)
def test_a_lane_follows_from_the_type_of_its_jobs(job_type: str, lane: str, is_calls: bool, is_issuing: bool) -> None:
    assert names.lane_of("acme", job_type) == lane
    assert (names.is_calls_lane(lane), names.is_issuing_lane(lane)) == (is_calls, is_issuing)
    assert names.account_of(lane) == "acme"


@pytest.mark.parametrize("row", [*JOB_TYPES.values(), *FOLLOW_UPS.values()], ids=lambda row: row.name)
def test_a_type_says_its_family_and_verb(row) -> None:
    assert f"{names.family_of(row.name)}.{names.verb_of(row.name)}" == row.name
    assert row.issues is names.issues(row.name) is (row.name in JOB_TYPES and row.work is None)


@pytest.mark.parametrize(
    ("event", "subject", "ending"),
    [("invoice.validated", "invoice", "validated"), ("company.get.completed", "company.get", "completed")],
)
def test_an_event_says_its_subject_and_ending(event: str, subject: str, ending: str) -> None:
    assert (names.subject_of(event), names.ending_of(event)) == (subject, ending)


def test_a_job_of_all_accounts_is_named_by_account_and_id() -> None:
    assert (names.account_of("acme/a/b"), names.within_account("acme/a/b")) == ("acme", "a/b")


@pytest.mark.parametrize("job_id", ["FV-1", "1764480000000-0", "x.r2"])
def test_a_follow_up_is_named_by_the_job_that_it_follows(job_id: str) -> None:
    follow_up = names.follow_up_id(job_id, "archive")
    assert follow_up == f"{job_id}~archive"
    assert (names.followed_id(follow_up), names.followed_id(job_id)) == (job_id, job_id)
    assert names.pushable_id(follow_up) == f"{job_id}.archive"
