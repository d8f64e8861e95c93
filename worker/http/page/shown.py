"""What stands on the page, as lines and figures: what the templates are given. Values only; texts are cut already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many rows of each list are shown, and how many characters of a name and of a sentence."""

    problems: int = 12
    days: int = 8
    references: int = 6
    accounts: int = 20
    batches: int = 10
    letters: int = 8
    endpoints: int = 8
    ranges: int = 8
    events: int = 20
    name: int = 64
    sentence: int = 240

    def tighter(self) -> Bounds:
        """The same with two thirds of everything, one at least."""
        return Bounds(*(max(getattr(self, name) * 2 // 3, 1) for name in Bounds.__slots__))


BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The first of a list, and how many more there are."""

    items: tuple[T, ...] = ()
    n_more: int = 0

    @property
    def more(self) -> str:
        return f"{self.n_more:,}".replace(",", ".")

    @property
    def n(self) -> int:
        return len(self.items) + self.n_more


def rows(found: Sequence[S], most: int, build: Callable[[S], T]) -> Rows[T]:
    """The first *most*, as *build* makes them: the rest is counted only."""
    return Rows(tuple(map(build, found[:most])), max(len(found) - most, 0))


@dataclass(frozen=True, slots=True)
class Clock:
    """The time until the day of Bogotá is over: a large figure with its unit."""

    figure: str
    unit: str
    day: str
    time: str


@dataclass(frozen=True, slots=True)
class ProblemShown:
    kind: str
    severity: str
    what: str
    mend: str
    since: str
    holder: str
    next: str


@dataclass(frozen=True, slots=True)
class Reference:
    text: str
    href: str


@dataclass(frozen=True, slots=True)
class DayShown:
    account: str
    day: str
    will_miss: str
    n_waiting: str
    expected: str
    ends: str
    references: Rows[Reference]


@dataclass(frozen=True, slots=True)
class AccountShown:
    """``state`` is ``calm``, ``busy``, ``late`` (its backlog ends after midnight) or ``stopped``."""

    name: str
    state: str
    waiting: str
    later: str
    need: str
    has: str
    need_share: int
    """Of the time until midnight, in hundredths, 100 at most."""
    allowance: str
    allowance_share: int
    room: str
    """What the allowance lets go until midnight."""
    why: str
    environment: str


@dataclass(frozen=True, slots=True)
class BatchShown:
    name: str
    account: str
    done: str
    share: int
    state: str
    bad: str
    at_risk: str


@dataclass(frozen=True, slots=True)
class LetterShown:
    time: str
    reason: str
    account: str
    reference: Reference
    message: str
    acts: str


@dataclass(frozen=True, slots=True)
class EndpointShown:
    name: str
    state: str
    is_bad: bool
    waiting: str
    told: str
    mend: str


@dataclass(frozen=True, slots=True)
class RangeShown:
    name: str
    told: str
    mend: str


@dataclass(frozen=True, slots=True)
class EventShown:
    time: str
    type: str
    is_bad: bool
    account: str
    reference: Reference
    message: str


@dataclass(frozen=True, slots=True)
class View:
    """The page of one person, just now."""

    clock: Clock
    headline: str
    is_calm: bool
    risk_line: str
    is_at_risk: bool
    problems: Rows[ProblemShown]
    days: Rows[DayShown]
    n_days_left_out: str
    accounts: Rows[AccountShown]
    batches: Rows[BatchShown]
    letters: Rows[LetterShown]
    letters_line: str
    endpoints: Rows[EndpointShown]
    endpoints_line: str
    ranges: Rows[RangeShown]
    ranges_line: str
    events: Rows[EventShown]
    seen_at: str
