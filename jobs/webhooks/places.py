"""
Where an endpoint stands in the result streams, and what was trimmed before it was read. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

UNKNOWN: Final = -1

EntryId = tuple[int, int]


def entry_id(text: str | bytes) -> EntryId:
    """A stream entry's id as numbers, which have its order."""
    ms, _, seq = (text.decode() if isinstance(text, bytes) else text).partition("-")
    return int(ms), int(seq or 0)


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """
    What Redis says of a stream, and what was read of it at the same moment.

    ``n_added`` is None where the server does not count (Redis 6.2).
    """

    n_added: int | None
    length: int
    last_id: str
    n_read: int
    """Entries that were read behind the place."""
    is_whole: bool
    """Whether nothing stands behind them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Behind which entry an endpoint reads on, and how many stood up to there in the life of the stream."""

    entry: str
    n_before: int = UNKNOWN

    def n_trimmed(self, facts: StreamFacts) -> int:
        """How many entries are gone that nobody has read for it."""
        if facts.n_added is None or self.n_before == UNKNOWN:
            return 0
        return max(facts.n_added - facts.length - self.n_before, 0)

    def moved(self, entry: str, n_taken: int, facts: StreamFacts) -> Place:
        """
        The place behind *entry*, after so many have been taken.

        The count is set right whenever all has been read: entries that somebody deletes by hand are in no sum.
        """
        if facts.n_added is None:
            return Place(entry)
        if facts.is_whole and n_taken == facts.n_read:
            return Place(entry, facts.n_added)
        if self.n_before == UNKNOWN:
            return Place(entry)
        return Place(entry, self.n_before + self.n_trimmed(facts) + n_taken)


Places = Mapping[str, Place]
"""Where an endpoint stands in each stream."""


def written(places: Places) -> str:
    """Places as they are kept; two that are the same are written the same."""
    rows = {stream: [place.entry, place.n_before] for stream, place in sorted(places.items())}
    return json.dumps(rows, separators=(",", ":"))


def read_places(text: str) -> dict[str, Place] | None:
    """Places as they are kept; None for what cannot be read."""
    try:
        rows = {str(stream): Place(str(row[0]), int(row[1])) for stream, row in json.loads(text).items()}
        for place in rows.values():
            entry_id(place.entry)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return rows


def set_aside(places: Places, read: Collection[str], most: int) -> dict[str, Place]:
    """
    The places in streams that are not read now: they are for when these come back.

    Args:
        most: How many are kept; those that were read last.
    """
    rest = [(stream, place) for stream, place in places.items() if stream not in read]
    return dict(sorted(rest, key=lambda row: entry_id(row[1].entry), reverse=True)[:most])


def first_place(facts: StreamFacts | None, *, from_start: bool) -> Place:
    """
    Where an endpoint begins: behind what is there, or before it.

    Args:
        facts: None for a stream that is not there yet.
    """
    if facts is None:
        return Place("0-0", 0)
    n_gone = facts.n_added - facts.length if facts.n_added is not None else UNKNOWN
    if from_start:
        return Place("0-0", n_gone)
    return Place(facts.last_id, facts.n_added if facts.n_added is not None else UNKNOWN)
