"""
What the log says of an attempt: its one line, at the level of who has to act, and what stops an account or is over.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import structlog

from jobs.outcomes import AttemptResult, Finished, Retry
from schemas.contract.error_codes import ERROR_CODES
from schemas.records import JobRecord
from worker.queue.attempt_write import Notice

log = structlog.get_logger()

_NEEDS_US: Final = frozenset(row.code for row in ERROR_CODES if row.acts in ("operator", "developers"))
"""Codes on which an operator or developer acts."""


def log_notices(account: str, notices: Sequence[Notice]) -> None:
    """What a person must act on, and that it is over. Its words are in the event: they may quote Factus."""
    for notice in notices:
        if notice.kind == "resumed":
            log.warning("account.resumed", account=account, scope=notice.scope)
            continue
        error = (notice.event.errors or (None,))[0]
        log.error(
            "account.blocked",
            account=account,
            scope=notice.scope,
            error=error.code if error else None,
            detail=f"factus-worker status says what mends it; factus-worker resume {account} asks again at once",
        )


def log_attempt(job: JobRecord, attempted: AttemptResult, attempts: int, began_ms: int, started: float) -> None:
    """The one canonical line of an attempt."""
    facts: dict[str, Any] = {
        "job_type": job.type,
        "attempts": attempts,
        "status": attempted.status or None,
        "duration_ms": round((time.perf_counter() - started) * 1000, 1),
        "queue_wait_ms": began_ms - max(job.accepted_at, job.start_at) if not job.failures else None,
    }
    match ending := attempted.ending:
        case Finished():
            code = ending.errors[0].code if ending.errors else None
            # A failure on which the operator acts is one that a person must see; what a producer corrects is none.
            say = log.error if ending.state == "failed" and code in _NEEDS_US else log.info
            say("attempt.finished", outcome=ending.state, error=code, number=ending.number or None, **facts)
        case Retry() if ending.goes_on:
            # A step of a job with several is no trouble: its reason is told only if time runs out before the next one.
            log.info("attempt.finished", outcome="goes_on", error=None, **_next(ending), **facts)
        case Retry():
            log.warning("attempt.finished", outcome="again", error=ending.reason.code, **_next(ending), **facts)


def _next(ending: Retry) -> dict[str, Any]:
    return {"waits": ending.waits, "next_attempt_in_s": round(ending.pause_s, 1)}
