"""
Jobs that a script has claimed for this worker: under a lease, with a new fence, and with their record.

Whoever starts a job takes it along in the same script as far as this process has room, so that between two documents
of a lane there is no further round trip. What is beyond its room stays in arq's queue for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import structlog
from arq.constants import in_progress_key_prefix
from arq.worker import RetryJob

from jobs.outcomes import AccountState
from schemas.records import JobRecord
from worker.guard import Guard
from worker.queue.slots import SLOT_BYTES, slots_of

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LeasePolicy:
    """How long a claimed job is ours without renewal: what a killed worker's job waits for at most."""

    lease_ms: int = 5000

    @property
    def renew_every_s(self) -> float:
        return self.lease_ms / 1000 / 3


LEASE: Final = LeasePolicy()


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """One job in our hands. Its record carries our fence; every write of an earlier owner is refused from here."""

    arq_id: str
    job: JobRecord
    standing: AccountState

    @property
    def slots(self) -> int:
        """How many of its process's slots it takes."""
        return slots_of(self.job.payload)


class SetAside(RetryJob):
    """The run of a job ends without an end of its own: it comes back after a pause, and its record counts a defect."""

    def __init__(self, claimed: ClaimedJob, pause_s: float, n_defects: int) -> None:
        super().__init__()
        self.claimed = claimed
        self.pause_s = pause_s
        self.n_defects = n_defects


class ClaimedJobRunner(Protocol):
    """Runs the claimed jobs of this process (``arq_worker.py``)."""

    @property
    def room(self) -> int:
        """How many more slots there are for jobs that a script claims for us."""
        ...

    def run_claimed(self, claimed: Sequence[ClaimedJob]) -> None:
        """Run jobs that a script has claimed for us."""
        ...

    def set_aside(self, arq_id: bytes, pause_s: float) -> None:
        """Put a job that cannot be read back into arq's queue, for later."""
        ...

    def wake_other_workers(self) -> None:
        """More was dispatched than we have room for: the other processes should look into arq's queue."""
        ...


class ClaimerValues(NamedTuple):
    """What the scripts are given of a process that claims jobs, in the order of ``CLAIMER`` (``lib/claims.lua``)."""

    worker: str
    lease_ms: int
    room: int
    mark_prefix: str
    slot_bytes: int


@dataclass(frozen=True, slots=True)
class Claimer:
    """This process as the scripts know it."""

    worker_id: str
    runner: ClaimedJobRunner
    guard: Guard
    lease: LeasePolicy = LEASE

    def arguments(self, *, room: int | None = None) -> ClaimerValues:
        """This process as ``claimer_of`` (lib/claims.lua) reads it."""
        room = max(self.runner.room if room is None else room, 0)
        return ClaimerValues(self.worker_id, self.lease.lease_ms, room, in_progress_key_prefix, SLOT_BYTES)

    def receive(self, n_started: int, rows: Sequence[Any]) -> None:
        """Run what a script started and handed over."""
        if rows:
            self.runner.run_claimed(self.read(rows))
        if n_started > sum(1 for row in rows if row[0]):
            self.runner.wake_other_workers()

    def read(self, rows: Sequence[Any]) -> list[ClaimedJob]:
        """
        The jobs in rows that a script gave (``begin``, lib/claims.lua). What cannot be read is logged, counted and set
        aside for a pause that grows: for a worker of the version that wrote it, or until it is mended.
        """
        claimed: list[ClaimedJob] = []
        for row in rows:
            if not row[0]:
                _, account, job_id, why = row
                self.guard.fails(account + b"/" + job_id, why.decode())
                continue
            with self.guard.member(row[0]):
                claimed.append(_read(row))
                continue
            self.runner.set_aside(row[0], self.guard.rest_s(row[0]))
        return claimed


def _read(row: Sequence[Any]) -> ClaimedJob:
    """
    One row that ``begin`` (lib/claims.lua) made.

    Raises:
        ValueError: It cannot be read.
    """
    arq_id, flat, now, conflict, account, scope, hold_reason, lane_hold_reason, *numbers = row
    stored = dict(zip(flat[::2], flat[1::2], strict=True))
    try:
        record = JobRecord.from_hash(stored)
    except ValueError:
        record, damaged = JobRecord.from_damaged(stored)
        log.error("record.damaged", account=record.account, job_id=record.id, variables=damaged)
    blocked = (int(now), int(conflict), int(account), int(scope))
    reasons = (_word(hold_reason), _word(lane_hold_reason))
    standing = AccountState(*blocked, *reasons, *map(int, numbers))
    return ClaimedJob(arq_id.decode(), record, standing)


def _word(stored: bytes) -> str:
    return stored.decode(errors="replace")
