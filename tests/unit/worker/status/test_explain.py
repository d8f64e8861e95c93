"""One job in words: where it is, why, and what comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.records import JobRecord, WaitReason
from tests.unit.worker.status.snapshots import ACCOUNT, CALL, CALLS, DONE, HELD, JOB, LANE, NOW, UTC, found
from worker.speech import ENGLISH, SPANISH
from worker.status.explain import explain, explain_event
from worker.status.facts import (
    Hold,
)
from worker.status.lookup import JobSnapshot, JobWithFollowUps


@pytest.mark.parametrize(
    ("seen", "where", "why", "following"),
    [
        (found(), "number 3 of 5", "one at a time", "after the 2 before it"),
        (found(n_workers=0), "number 3 of 5", "no worker is running", "factus-worker run"),
        (
            found(account=replace(ACCOUNT, hold=Hold("factus.credentials", NOW + 60_000))),
            "number 3",
            "refuses the credentials",
            "mend user",
        ),
        (
            found(lane=replace(LANE, hold=Hold("factus.conflict", NOW + 60_000))),
            "number 3",
            "blocks the family",
            "tried again at",
        ),
        (
            found(
                lane=replace(LANE, wait_reason=WaitReason.ALLOWANCE, next_look_ms=NOW + 5_000),
                account=replace(ACCOUNT, n_used=80),
            ),
            "number 3",
            "80 of 80 calls",
            "after the 2 before it",
        ),
        (
            found(replace(JOB, start_at=NOW + 1, issue_on="2026-12-01"), rank=None),
            "held until its time",
            "carry the date 2026-12-01",
            "joins its lane",
        ),
        (
            found(replace(JOB, next_at=NOW + 1, last_error='{"code":"c","message":"m"}'), rank=None),
            "pauses",
            "c: m",
            "tried again at",
        ),
        (found(replace(JOB, state="inflight", sent="sending")), "being sent", "under way", "another takes it up"),
        (found(replace(JOB, state="inflight", sent="unknown")), "looked up", "unknown outcome", "only if"),
        (found(replace(JOB, state="inflight", sent="deleting")), "removed", "DIAN rejected", "gone"),
        (found(CALL, lane=replace(CALLS, n_ahead=4)), "number 3 of 5", "behind issuing: 4 documents", "after the 2"),
        (
            found(replace(CALL, priority="normal"), lane=replace(CALLS, wait_reason=WaitReason.NOTHING)),
            "number 3 of 5",
            "nothing stands in its way",
            "after the 2",
        ),
        (
            found(CALL, lane=CALLS),
            "number 3 of 5",
            "a quarter of the allowance",
            "after the 2",
        ),
        (
            found(replace(CALL, state="inflight", sent="unknown")),
            "looked up",
            "unknown outcome",
            "done again only if it was not",
        ),
        (
            found(
                replace(CALL, state="final", final_type="invoice.email.failed", last_error='{"code":"c","message":"m"}')
            ),
            "finished: invoice.email.failed",
            "m",
            "dead list",
        ),
        (found(replace(JOB, state="joined"), issued_by="j-0"), "another job", "job j-0", "same result"),
        (
            found(replace(JOB, state="final", final_type="invoice.validated", number="SETP1", final_at=NOW)),
            "finished: invoice.validated",
            "number SETP1",
            "nothing",
        ),
        (
            found(replace(JOB, state="final", final_type="invoice.rejected", last_error='{"code":"c","message":"m"}')),
            "finished: invoice.rejected",
            "m",
            "push it again",
        ),
    ],
)
def test_every_state_says_where_why_and_what_next(seen: JobSnapshot, where: str, why: str, following: str) -> None:
    told = explain(JobWithFollowUps(seen), UTC, ENGLISH)
    assert where in told.where
    assert why in told.why
    assert following in told.next


def test_refusal_without_record_is_told_from_its_event() -> None:
    event = {
        "type": "job.refused", "job_id": "1-0", "account": None, "reference_code": "R", "job_type": None,
        "message": "m", "time": "t", "attempts": 0, "data": None, "errors": [{"code": "envelope.invalid"}],
    }  # fmt: skip
    told = explain_event(event, ENGLISH)
    assert (told.where, told.last_error) == ("finished: job.refused", {"code": "envelope.invalid"})


def test_a_neighbour_names_the_document_that_holds_the_lane() -> None:
    one = explain(JobWithFollowUps(found(lane=replace(LANE, hold=HELD))), UTC, SPANISH)
    assert "R-0 (SETP7)" in one.why
    assert "desde 20" in one.why
    own = explain(JobWithFollowUps(found(lane=replace(LANE, hold=replace(HELD, job_id="j-1")))), UTC, SPANISH)
    assert "R-0" not in own.why, "it is the holder itself"


@pytest.mark.parametrize(
    ("job", "until"),
    [
        (replace(JOB, issue_on="2026-11-25", deadline_at=NOW + 10**9), "2026-11-26T00:00:00"),
        (replace(JOB, issue_on="2026-11-25", pending_since=NOW), None),
        (replace(JOB, expires_at=NOW + 1000), "2026-11-25T"),
        (replace(JOB, expires_at=NOW + 1000, attempts=1), None),
        (JOB, None),
    ],
)
def test_tried_until_is_when_it_is_true(job: JobRecord, until: str | None) -> None:
    """A document that must carry a day is not tried beyond it."""
    shown = explain(JobWithFollowUps(found(job)), UTC, SPANISH).tried_until
    assert shown is not None
    deadline = explain(JobWithFollowUps(found(JOB)), UTC, SPANISH).tried_until
    assert shown.startswith(until) if until else shown == deadline


def test_a_call_s_answer_is_in_its_event() -> None:
    assert explain(
        JobWithFollowUps(found(replace(CALL, state="final", final_type="invoice.get.completed"))), UTC, ENGLISH
    ).needs_event
    assert not explain(JobWithFollowUps(found(DONE)), UTC, ENGLISH).needs_event
    assert not explain(JobWithFollowUps(found()), UTC, ENGLISH).needs_event
