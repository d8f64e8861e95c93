"""
What a state means to a person: where a document is, why, what happens next and when.

Pure. Messages that came from Factus, DIAN or our rules stay in the Spanish they were given in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from jobs.fiscal_day import tried_until_ms
from schemas.names import ending_of, issues
from schemas.records import JobState
from worker.speech import Speech, iso
from worker.status.explain_follow_ups import Part, parts_of
from worker.status.lookup import JobWithFollowUps
from worker.status.state_words import after, finished, situation

_GOOD: Final = ("validated", "completed")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One job in words and figures; ``None`` and empty where there is nothing to say. Times are ISO 8601."""

    reference_code: str | None
    job_id: str
    account: str
    family: str | None
    job_type: str
    state: str
    where: str
    why: str
    next: str
    next_at: str | None
    since: str | None
    outcome: str | None
    number: str | None
    attempts: int
    last_error: dict[str, Any] | None
    position: int | None
    n_in_lane: int | None
    tried_until: str | None
    rule: str | None = None
    """DIAN's rule, or ours, of the last error."""
    follows: tuple[Part, ...] = ()

    @property
    def needs_event(self) -> bool:
        """Whether the ledger does not say all: why it ended badly, or what a call was answered."""
        if self.outcome is None:
            return False
        ending = ending_of(self.outcome)
        return ending == "completed" or (ending not in _GOOD and self.last_error is None)


def explain(followed: JobWithFollowUps, zone: ZoneInfo, speech: Speech) -> Explanation:
    """Say what stands in the ledger."""
    found = followed.job
    job = found.job
    where, why, following, next_ms = situation(found, zone, speech)
    is_final = job.is_final
    error = dict(job.parsed_last_error) if job.parsed_last_error else None
    return Explanation(
        reference_code=job.reference_code or None,
        job_id=job.id,
        account=job.account,
        family=job.family or None,
        job_type=job.type,
        state=job.state,
        where=where,
        why=why,
        next=following,
        next_at=iso(next_ms, zone),
        since=iso(job.final_at if is_final else job.accepted_at, zone),
        outcome=job.final_type or None,
        number=job.number or None,
        attempts=job.attempts,
        last_error=error,
        rule=(error or {}).get("rule"),
        position=found.rank + 1 if found.rank is not None else None,
        n_in_lane=found.lane.n_waiting if found.lane and found.rank is not None else None,
        tried_until=None if is_final else iso(tried_until_ms(job, zone), zone),
        follows=parts_of(followed, zone, speech),
    )


def explain_event(event: dict[str, Any], speech: Speech) -> Explanation:
    """Say what an event tells of a job: one that was refused at the door has no record, a call's has no answer."""
    errors = event["errors"] or [None]
    return Explanation(
        reference_code=event["reference_code"],
        job_id=event["job_id"] or "",
        account=event["account"] or "?",
        family=None,
        job_type=event["job_type"] or "?",
        state=JobState.FINAL,
        where=finished(event["type"], speech),
        why=event["message"],
        next=after(event["type"], speech, is_call=not _issues(event)),
        next_at=None,
        since=event["time"],
        outcome=event["type"],
        number=(event["data"] or {}).get("number"),
        attempts=event["attempts"],
        last_error=errors[0],
        rule=(errors[0] or {}).get("rule"),
        position=None,
        n_in_lane=None,
        tried_until=None,
    )


def _issues(event: dict[str, Any]) -> bool:
    return event["type"] == "job.refused" or issues(event["job_type"] or "")
