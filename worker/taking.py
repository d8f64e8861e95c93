"""
Jobs that a script has put into this worker's hands: claimed under a lease, begun, and with their record.

Whoever starts a job takes it along in the same script as far as this process has room, so that between two documents
of a lane there is no further round trip. What is beyond its room stays in arq's queue for anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from arq.constants import in_progress_key_prefix

from jobs.standing import Standing
from schemas.records import JobRecord
from worker.lua import Arg

LEASE_MS: Final = 5000
"""How long a taken job is ours without renewal: what a killed worker's job waits for at most."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One job in our hands. Its record carries our fence; every write of an earlier owner is refused from here."""

    arq_id: str
    job: JobRecord
    standing: Standing


@dataclass(slots=True)
class Taker:
    """This process as the scripts know it. The arq worker says what room it has and runs what was taken."""

    worker_id: str
    room: Callable[[], int] = field(default=lambda: 0)
    run: Callable[[Sequence[Taken]], None] = field(default=lambda taken: None)
    call_others: Callable[[], None] = field(default=lambda: None)
    """More was started than we could take: the other processes should look into arq's queue."""

    def arguments(self, *, room: int | None = None) -> list[Arg]:
        """The four ARGV that ``taker_of`` (lib_lanes.lua) reads."""
        return [self.worker_id, LEASE_MS, max(self.room() if room is None else room, 0), in_progress_key_prefix]

    def receive(self, n_started: int, rows: Sequence[Any]) -> None:
        """Run what a script started and handed over."""
        if rows:
            self.run(read_taken(rows))
        if n_started > len(rows):
            self.call_others()


def read_taken(rows: Sequence[Any]) -> list[Taken]:
    """The rows that ``begin`` (lib_lanes.lua) makes."""
    found = []
    for arq_id, flat, *told in rows:
        record = JobRecord.from_hash(dict(zip(flat[::2], flat[1::2], strict=True)))
        now, conflict, account, scope, hold_reason, lane_hold_reason = told
        blocked = (int(now), int(conflict), int(account), int(scope))
        standing = Standing(*blocked, hold_reason.decode(), lane_hold_reason.decode())
        found.append(Taken(arq_id.decode(), record, standing))
    return found
