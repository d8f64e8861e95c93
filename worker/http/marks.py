"""
Where a reader of several streams stands, and what he may be told next. Pure.

A stream is in order by itself: nothing comes before its last entry any more. Between streams there is an order by the
server's clock alone: what is older than the clock is complete. So one id says where a reader stands in all of them,
as long as none lies ahead of the clock. One does when the clock was set back (its ids go on from where they were), or
when somebody wrote such an id: then the id alone would pass by what the others publish meanwhile, and a mark names
the streams that lie ahead beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Generic, TypeVar

Place = tuple[int, int]
"""The id of a stream's entry: milliseconds, and its number within them."""

T = TypeVar("T")

LAST: Final = 2**64 - 1
START: Final[Place] = (0, 0)
END: Final[Place] = (LAST, LAST)
NOW: Final = "$"

_ID: Final = r"[0-9]{1,20}(-[0-9]{1,20})?"
PATTERN: Final = rf"^(\$|{_ID}(\.[0-9a-f]{{8}}\.{_ID})*)$"
_NONE: Final[Mapping[str, Place]] = MappingProxyType({})


def place_of(entry: str) -> Place:
    """An id as it stands in a stream, or its milliseconds alone."""
    ms, _, seq = entry.partition("-")
    return int(ms), int(seq or 0)


def entry_of(place: Place) -> str:
    return f"{place[0]}-{place[1]}"


def before(now_ms: int) -> Place:
    """The last place before a millisecond."""
    return max(now_ms - 1, 0), LAST


@dataclass(frozen=True, slots=True)
class Mark:
    """All streams up to a place, and those that lie ahead of it up to theirs."""

    base: Place
    ahead: Mapping[str, Place] = field(default_factory=lambda: _NONE)

    def of(self, stream: str) -> Place:
        return max(self.base, self.ahead.get(stream, START))

    def text(self) -> str:
        """As a client gets it: an id, and behind it a name and an id for each stream that lies ahead."""
        parts = [f".{_name_of(stream)}.{entry_of(place)}" for stream, place in sorted(self.ahead.items())]
        return entry_of(self.base) + "".join(parts)

    def by_the_clock(self, now_ms: int, last_ids: Mapping[str, Place]) -> Mark:
        """
        The same where it lies ahead of the clock, as of a moment: what this moment has is taken for told up to there,
        what comes is new.

        Args:
            last_ids: The last id that each stream has given, at that moment.
        """
        end = before(now_ms)
        if self.base <= end:
            return self
        places = {stream: min(self.of(stream), last) for stream, last in last_ids.items()}
        return _mark(end, places)


def is_mark(text: str) -> bool:
    """Whether the streams can be read from here on: both parts of an id have 64 bits, as Redis has them."""
    if not re.fullmatch(PATTERN, text):
        return False
    return text == NOW or all(max(place_of(entry)) <= LAST for entry in text.split(".")[::2])


def mark_of(text: str, streams: Iterable[str]) -> Mark:
    """A mark as a client gives it back; streams that are read no more are left out."""
    if text == NOW:
        return Mark(END)
    base, *rest = text.split(".")
    named = dict(zip(rest[::2], map(place_of, rest[1::2]), strict=True))
    places = {one: named[_name_of(one)] for one in streams if _name_of(one) in named} if named else {}
    return _mark(place_of(base), places)


@dataclass(frozen=True, slots=True)
class Row(Generic[T]):
    """One entry, told in its turn."""

    stream: str
    place: Place
    one: T
    mark: Mark
    """Where whoever was told this and all before it stands. Of several with one id: the last one's."""


@dataclass(frozen=True, slots=True)
class Turn(Generic[T]):
    """What may be told of what was read."""

    rows: Sequence[Row[T]]
    upto: Mark
    has_more: bool
    """Whether something stands behind it, read or not."""


@dataclass(frozen=True, slots=True)
class Clock:
    """
    The server's clock around a reading: what is older than ``before_ms`` is complete, and what is younger than
    ``after_ms`` lies ahead of the clock, for it was there before.
    """

    before_ms: int
    after_ms: int

    @classmethod
    def of(cls, before: Sequence[int], after: Sequence[int]) -> Clock:
        """Two replies to TIME."""
        ms = [int(seconds) * 1000 + int(micros) // 1000 for seconds, micros in (before, after)]
        return cls(*ms)


def turn(
    places: Mapping[str, Place],
    read: Mapping[str, Sequence[tuple[Place, T]]],
    full: Collection[str],
    clock: Clock,
) -> Turn[T]:
    """
    The entries that no stream can add anything before, in order.

    Args:
        places: Where the reader stands in each stream.
        read: What was read behind them, and no later than the clock.
        full: The streams that may have more than was read.
        clock: When it was read.
    """
    now_ms = clock.before_ms
    end = before(now_ms)
    # Where a stream has more than was read, the others may not run ahead of it.
    cuts = [read[stream][-1][0] for stream in full if read[stream][-1][0] <= end]
    cut = min(cuts, default=end)
    told = [(place, stream, one) for stream, rows in read.items() for place, one in rows if place <= cut]
    told.sort(key=lambda row: row[:2])
    if not cuts:
        later = [row for stream, rows in read.items() for row in _ahead(stream, rows, clock)]
        told += sorted(later, key=lambda row: row[:2])
    rows = list(_marked(places, told, cut))
    n_left = sum(map(len, read.values())) - len(rows)
    last = rows[-1].mark if rows else _mark(cut, places)
    upto = _mark(cut, {**places, **{row.stream: row.place for row in rows}}) if cuts else last
    return Turn(rows, upto, bool(full) or n_left > 0)


def _ahead(stream: str, rows: Sequence[tuple[Place, T]], clock: Clock) -> list[tuple[Place, str, T]]:
    """What lies ahead of the clock; nothing of it before what came while it was read."""
    later = [(place, stream, one) for place, one in rows if place > before(clock.before_ms)]
    return later if later and later[0][0][0] > clock.after_ms else []


def _marked(places: Mapping[str, Place], told: Iterable[tuple[Place, str, T]], cut: Place) -> Iterator[Row[T]]:
    ahead = dict(places)
    for place, stream, one in told:
        mark = _mark(min(place, cut), {**ahead, stream: place})
        ahead = dict(mark.ahead)
        yield Row(stream, place, one, mark)


def _mark(base: Place, places: Mapping[str, Place]) -> Mark:
    ahead = {stream: place for stream, place in places.items() if place > base}
    return Mark(base, ahead or _NONE)


@lru_cache(maxsize=4096)
def _name_of(stream: str) -> str:
    # Short, the same for all doors, and no name of an account that is another's.
    return hashlib.sha256(stream.encode()).hexdigest()[:8]
