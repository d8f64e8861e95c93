"""
The end of an attempt, from its outcome to the ledger: record, events, notices and letter in one write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from jobs.errors import LeaseLost, LedgerRefused, LedgerUnavailable
from jobs.events import events_of
from jobs.follow_ups import follow_ups
from jobs.lesser_ends import defect_end, lesser_ends, plain
from jobs.outcomes import AttemptResult, Finished, Retry
from jobs.radian.notes import bill_note
from schemas.records import JobRecord
from worker.guard import LONGEST_REST_S, redis_key, redis_word
from worker.queue.attempt_log import log_notices
from worker.queue.attempt_notices import AttemptNotices
from worker.queue.attempt_write import AttemptWrite, Notice
from worker.queue.claims import ClaimedJob, SetAside
from worker.queue.dead_letter import dead_letter
from worker.queue.ledger import Ledger
from worker.queue.range_notes import RangeNotes
from worker.queue.record_fields import record_fields
from worker.queue.run_policy import DefectRule
from worker.settings.account import Account

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Tried:
    """
    What an attempt came to. ``n_defects``: how many in a row have ended in a defect of ours, this one included; 0 for
    one that has not. What the record says of what was sent is left as it is then: it was written before each call.
    """

    attempted: AttemptResult
    n_defects: int = 0


@dataclass(frozen=True, slots=True)
class EndWriter:
    """Writes the ends of attempts for all accounts of this process."""

    ledger: Ledger
    notices: AttemptNotices
    accounts: Mapping[str, Account]
    defects: DefectRule
    draining: asyncio.Event
    range_notes: RangeNotes | None = None

    async def write(self, claimed: ClaimedJob, tried: Tried) -> tuple[AttemptResult, int]:
        """
        Write the end of an attempt: as it is, or with less in it where that cannot be written.

        Returns:
            What was written, and how many jobs of the lane were started.

        Raises:
            LeaseLost, LedgerUnavailable: As the ledger.
            SetAside: It cannot be written now, whatever is in it: the job comes back later.
        """
        attempted, n_defects = tried.attempted, tried.n_defects
        last: tuple[ClaimedJob, AttemptResult] = claimed, attempted
        for job, ending in lesser_ends(claimed.job, attempted.ending):
            last = replace(claimed, job=job), replace(attempted, ending=ending)
            try:
                return last[1], await self._write(*last, n_defects)
            except (LeaseLost, LedgerUnavailable):
                raise
            except LedgerRefused as exc:
                cause = exc.__cause__ or exc
                log.exception("attempt.end_refused", error=str(exc), detail=redis_word(cause), key=redis_key(cause))
                break
            except Exception as exc:  # what an answer held cannot be written: an end without it can
                log.exception("attempt.end_unwritable", error=type(exc).__name__)
        n_defects = claimed.job.defects + 1
        if self.defects.is_spent(claimed, n_defects):
            return await self._last_word(*last), 0
        raise SetAside(claimed, self.defects.pause_s(n_defects), n_defects)

    async def _last_word(self, claimed: ClaimedJob, attempted: AttemptResult) -> AttemptResult:
        """
        The job's end, whatever keys beside it are broken.

        Raises:
            LeaseLost, LedgerUnavailable: As the ledger.
            SetAside: Not even that can be written: its event has nowhere to go.
        """
        job = claimed.job
        final = attempted.ending if isinstance(attempted.ending, Finished) else defect_end(plain(job))
        attempted = replace(attempted, ending=final)
        try:
            await self.ledger.last_word(claimed, final, self._write_of(claimed, attempted, (), 0))
        except LedgerRefused as exc:
            raise SetAside(claimed, LONGEST_REST_S, job.defects + 1) from exc
        return attempted

    def _write_of(
        self, claimed: ClaimedJob, attempted: AttemptResult, notices: tuple[Notice, ...], n_defects: int
    ) -> AttemptWrite:
        job, ending = claimed.job, attempted.ending
        now = datetime.now(self.accounts[job.account].zone)
        attempts = job.attempts + attempted.n_sent
        events = events_of(job, ending, attempts=attempts, now_ms=claimed.standing.now_ms, now=now)
        write = AttemptWrite(
            fields=record_fields(job, ending, events, attempts, claimed.standing.now_ms, n_defects),
            health=attempted.health,
            goes_on=not self.draining.is_set(),
            events=events,
            notices=notices,
            mend=ending.block.mend if ending.block else "",
            bill=bill_note(job, ending),
        )
        if isinstance(ending, Finished) and ending.state in ("failed", "refused") and events:
            return replace(write, dead=dead_letter(job, ending, events[-1]))
        return write

    async def _write(self, claimed: ClaimedJob, attempted: AttemptResult, n_defects: int) -> int:
        job, ending = claimed.job, attempted.ending
        now = datetime.now(self.accounts[job.account].zone)
        notices = await self.notices.of(claimed, attempted, now)
        write = self._write_of(claimed, attempted, notices, n_defects)
        if isinstance(ending, Retry):
            n_started = await self.ledger.pause(claimed, ending, write)
        else:
            following: list[JobRecord] = []
            if ending.state == "validated" and ending.data is not None:
                following = follow_ups(job, ending.data, seq=job.seq + 1)
            n_started = await self.ledger.close(claimed, ending, write, following)
            if self.range_notes and not ending.errors:
                await self.range_notes.note(job.account, job.type, ending.data)
        log_notices(job.account, write.notices)
        return n_started
