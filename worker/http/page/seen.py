"""What a look at Redis has brought, as values, of all accounts. No I/O. Instants are ms on the server's clock."""

from __future__ import annotations

from dataclasses import dataclass

from worker.status.batch import BatchSeen
from worker.status.facts import Overview


@dataclass(frozen=True, slots=True)
class DayAtRisk:
    """A day of an account on which documents must go out, and how many of them will not."""

    account: str
    day: str
    ends_ms: int
    n_waiting: int
    will_miss: int
    expected_ms: float | None
    references: tuple[tuple[str, str], ...] = ()
    """Family and reference of the first that will miss, in the order of sending."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event, as far as a line tells of it. Texts are of others."""

    place: tuple[int, int]
    type: str
    account: str
    job_id: str = ""
    job_type: str = ""
    reference_code: str = ""
    batch: str = ""
    message: str = ""
    success: bool = True

    @property
    def at_ms(self) -> int:
        return self.place[0]


@dataclass(frozen=True, slots=True)
class LetterSeen:
    """One dead letter, without what was pushed."""

    at_ms: int
    reason: str
    account: str
    job_id: str
    job_type: str
    reference_code: str
    message: str


@dataclass(frozen=True, slots=True)
class Looked:
    """All of it."""

    overview: Overview
    days: tuple[DayAtRisk, ...] = ()
    n_days_left_out: int = 0
    """Days of accounts that were not reckoned: those with the most work were."""
    batches: tuple[BatchSeen, ...] = ()
    events: tuple[Happened, ...] = ()
    """The newest first."""
    letters: tuple[LetterSeen, ...] = ()
    """The newest first."""

    @property
    def now_ms(self) -> int:
        return self.overview.now_ms
