"""
What an operator is told after an attempt: an account or family is blocked, or works again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from jobs.errors import LedgerRefused
from jobs.events import blocked_event, resumed_event
from jobs.outcomes import HELD, AccountState, AttemptResult, Block, Finished, Retry, scope_of
from jobs.registry import type_of
from schemas.records import JobRecord
from worker.queue.attempt_write import Notice
from worker.queue.claims import ClaimedJob
from worker.queue.ledger_reader import LedgerReader


@dataclass(frozen=True, slots=True)
class AttemptNotices:
    """Makes the notices of an attempt; *reader* counts who waits behind a block."""

    reader: LedgerReader

    async def of(self, claimed: ClaimedJob, attempted: AttemptResult, now: datetime) -> tuple[Notice, ...]:
        """What the operator must be told: a new block, or that an old one is over."""
        job, standing, block = claimed.job, claimed.standing, attempted.ending.block
        if block:
            known_since_ms = standing.family_blocked_since_ms if block.family else standing.account_blocked_since_ms
            if known_since_ms:
                return ()
            is_waiting = isinstance(attempted.ending, Retry)
            since_ms = blocked_since_ms(standing, block)
            event = blocked_event(
                job.account,
                block,
                n_waiting=is_waiting + await self._n_behind(job, block),
                since=_instant(since_ms, now),
                now=now,
                by=job.id,
            )
            return (Notice("blocked", block.scope, event, since_ms),)
        if attempted.health != "up" or _is_conflict(attempted.ending):
            return ()
        job_type = "" if type_of(job.type).issues else job.type
        # Reading is free of charge: that it works says nothing of a plan that is used up.
        says_nothing = job_type and standing.account_hold_reason == "factus.payment_required"
        is_own_over = _has_worked(job, attempted.ending) if job_type else not _is_held(attempted.ending)
        blocked: dict[str | None, int] = {
            None: 0 if says_nothing else standing.account_blocked_since_ms,
            job.family: standing.family_blocked_since_ms if is_own_over else 0,
        }
        return tuple(
            Notice(
                "resumed",
                scope_of(family, job_type),
                resumed_event(
                    job.account, family, since=_instant(since_ms, now), now=now, by=job.id, job_type=job_type
                ),
                since_ms,
            )
            for family, since_ms in blocked.items()
            if since_ms
        )

    async def _n_behind(self, job: JobRecord, block: Block) -> int:
        """How many other jobs wait behind a block that *job* has found."""
        try:
            if block.job_type:
                return await self.reader.n_waiting_like(job)
            return await self.reader.n_waiting(job.account, None if block.family is None else job.lane)
        except LedgerRefused:
            return 0  # a key of a lane is broken: the operator is told of the block all the same


def blocked_since_ms(standing: AccountState, block: Block) -> int:
    """Since when what is blocked stands still: a person is told of some blocks only when they have lasted."""
    since_ms = 0
    if block.error.code == "factus.conflict":
        since_ms = standing.conflict_since_ms
    elif block.error.code == "factus.unavailable":
        since_ms = standing.outage_since_ms
    return since_ms or standing.now_ms


def _has_worked(job: JobRecord, ending: Finished | Retry) -> bool:
    """
    Whether a job that issues nothing has done all that it does: then its type is not denied (any more).

    One call of several that came through does not show it: the PDF may be allowed and the XML not.
    """
    if isinstance(ending, Finished):
        return ending.state == "completed"
    return job.is_tracking and ending.progress is not None  # a watch goes on after a look that found what there is


def _is_held(ending: Finished | Retry) -> bool:
    """Whether a job that issues ended by what holds its family: a look-up that came through does not end that."""
    reason = ending.errors[0].code if isinstance(ending, Finished) and ending.errors else ""
    return reason in HELD


def _is_conflict(ending: Finished | Retry) -> bool:
    return isinstance(ending, Retry) and ending.reason.code == "factus.conflict"


def _instant(ms: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(ms / 1000, like.tzinfo or UTC)
