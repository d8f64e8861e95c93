"""
What is known of an account's load: what waits in its lanes, its allowance and who else uses it, and how fast it goes.

Values only; ``worker/queue/load_reader.py`` fills them in. Instants are ms since 1970 on the Redis server's clock,
durations ms.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

ASSUMED_MS: Final = 1000.0
"""How long a create takes, as long as none has been seen."""

_MOST_TIMES_P90: Final = 5.0
"""A create that took longer than so many times the slow ones counts as that: one that hung for minutes says nothing of
the next hundred."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a lane is taken up by one job of late, without its waits for the allowance."""

    mean_ms: float = ASSUMED_MS
    median_ms: float = ASSUMED_MS
    p90_ms: float = ASSUMED_MS
    n_seen: int = 0


UNSEEN: Final = Pace()


class Seen(NamedTuple):
    """One document as its lane has seen it: when it was sent, and what it took of the lane before and since."""

    sent_at_ms: int
    service_ms: int
    gap_ms: int
    """From its start in the lane to its sending: what the service takes itself, or a wait for the allowance."""


def pace_of(seen: Sequence[Seen]) -> Pace:
    """
    What the documents of late say of the next.

    Of the gaps the short ones count: a long one was a wait for the allowance, which is counted by itself.
    """
    if not seen:
        return UNSEEN
    _, services, gaps = map(sorted, zip(*seen, strict=True))  # hundreds, of hundreds of lanes
    gap_ms = gaps[len(gaps) // 5]
    median_ms, p90_ms = services[len(services) // 2], services[(len(services) - 1) * 9 // 10]
    most_ms = max(p90_ms, 1) * _MOST_TIMES_P90
    n_usual = bisect_right(services, most_ms)
    mean_ms = (sum(services[:n_usual]) + most_ms * (len(services) - n_usual)) / len(services)
    return Pace(max(gap_ms + mean_ms, 1.0), gap_ms + median_ms, gap_ms + p90_ms, len(seen))


@dataclass(frozen=True, slots=True)
class Release:
    """So many delayed jobs may start at an instant."""

    at_ms: int
    n: int


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """
    A lane: documents of one family, or the calls.

    ``n_low`` of the waiting calls go only when no document waits. ``hold_until_ms`` is when it goes on, as far as that
    is known; of a hold without a known end, when it is asked again. ``n_lately`` of its documents were sent within the
    last window: that is its part in the allowance, as long as others go too.
    """

    name: str
    n_waiting: int
    n_in_flight: int = 0
    releases: tuple[Release, ...] = ()
    pace: Pace = UNSEEN
    hold_until_ms: int = 0
    width: int = 1
    is_calls: bool = False
    n_low: int = 0
    n_lately: int = 0


@dataclass(frozen=True, slots=True)
class AccountLoad:
    """
    An account at an instant.

    ``grants`` are the instants of its last requests, newest first; ``limit`` of them may lie within ``window_ms``.
    ``others_per_ms`` is what else uses the allowance: calls, look-ups, tokens, other programs.
    """

    now_ms: int
    limit: int
    window_ms: int
    lanes: tuple[LaneLoad, ...] = ()
    grants: tuple[int, ...] = ()
    hold_until_ms: int = 0
    others_per_ms: float = 0.0


def others_per_ms(grants: Iterable[int], sent: Iterable[int], until_ms: int, window_ms: int) -> float:
    """
    What but documents has used the allowance within the last window, requests for each ms.

    Args:
        grants: Instants of all requests of late.
        sent: Those at which documents were sent.
        until_ms: The end of the window: before the start of what is under way, of which nobody knows yet what it was.
    """

    def within(instants: Iterable[int]) -> int:
        return sum(until_ms - window_ms < at_ms <= until_ms for at_ms in instants)

    return max(within(grants) - within(sent), 0) / window_ms
