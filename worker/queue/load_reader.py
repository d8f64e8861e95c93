"""
What is known of an account's load, read from Redis: two round trips, however much waits; one where the rough number of
delayed jobs is known.

What comes later is read at a few ranks, and what documents took of late is a list of a few hundred.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any, Final

from redis.asyncio import Redis

from jobs.estimate.course import Course
from jobs.estimate.forecast import forecast
from jobs.estimate.load import UNSEEN, AccountLoad, LaneLoad, Pace, Release, Seen, others_per_ms, pace_of
from jobs.families import FAMILIES
from jobs.registry import max_in_flight
from schemas.names import CALLS_LANE, in_account, is_calls_lane
from worker.factus.rate_limit import limit_window_ms
from worker.settings.account import Account
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry, answered, each, together
from worker.store.keys import Keys

_MOST_GRANTS: Final = 2000
"""Of a larger allowance the places beyond are taken to be free."""

_MOST_SEEN: Final = 300
_RANKS: Final = 16
_IN_A_ROW: Final = 10
_LOW: Final = 2 * 10**15
_CALL: Final = Pace(500.0, 500.0, 500.0)
"""How long a call is taken to need."""

_HAS_AN_END: Final = "factus.throttled"
"""The one hold of which Factus says when it ends; of all others it is known only when it is asked again."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The load of an account, and the lanes that are held until nobody knows when."""

    load: AccountLoad
    held: frozenset[str]

    def lane(self, name: str) -> LaneLoad:
        """
        Raises:
            KeyError: The account has no lane of that name.
        """
        for one in self.load.lanes:
            if one.name == name:
                return one
        raise KeyError(name)


def issuing_lanes(account: str) -> list[str]:
    """The lanes of an account in which documents wait."""
    return [in_account(account, family) for family in FAMILIES]


class LoadReader:
    """Reads the load of accounts. Reading only."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def read(self, account: Account, now_ms: int) -> Reading:
        """The load of one account as it is just now."""
        return await answered(self._redis, load_of(self._keys, account, now_ms))


def load_of(keys: Keys, account: Account, now_ms: int, busy: Collection[str] | None = None) -> Inquiry[Reading]:
    """
    The load of one account as it is just now; what Redis refuses to tell is taken to be nothing.

    Args:
        busy: The lanes that have work, of whatever accounts, where they are known: of others nothing is asked but what
            documents took there of late.
    """
    asked = yield from load_asked(keys, account, busy)
    return asked.reading(now_ms)


def load_asked(
    keys: Keys, account: Account, busy: Collection[str] | None = None, n_later: Mapping[str, int] | None = None
) -> Inquiry[Asked]:
    """
    What is asked of an account's load, whatever the time.

    Args:
        busy: As :func:`load_of` has it.
        n_later: How many jobs come later in a lane, about, where that is known: it saves a round trip.
    """
    lanes = [*issuing_lanes(account.name), in_account(account.name, CALLS_LANE)]
    known = n_later or {}
    (hold, grants), rows = yield from together(
        _own_asked(keys, account),
        each(_row_asked(keys, lane, known.get(lane, 0), has_work=busy is None or lane in busy) for lane in lanes),
    )
    return Asked(account, hold or (None,) * 4, grants or (), tuple(rows))


def _own_asked(keys: Keys, account: Account) -> Inquiry[list[Any]]:
    """The account's own record, and its grants."""
    replies = yield [
        ("HMGET", keys.account(account.name), "hold_until", "hold_reason", "held_since", "margin_ms"),
        ("LRANGE", keys.grants(account.name), 0, min(account.rate_limit, _MOST_GRANTS) - 1),
    ]
    return _told(replies)


def _row_asked(keys: Keys, lane: str, n_known: int, *, has_work: bool) -> Inquiry[_Row]:
    """
    One lane.

    Args:
        n_known: How many of its jobs come later, about; 0 where nobody knows.
    """
    commands: list[Command] = [("LRANGE", keys.seen(lane), 0, _MOST_SEEN - 1)]
    if not has_work:
        return _Row(lane, *_told((yield commands)))
    step = _step(n_known) if n_known and not is_calls_lane(lane) else 0
    commands += _of_work(keys, lane)
    n_fixed = len(commands)
    replies = _told((yield commands + (_at_ranks(keys, lane, step) if step else [])))
    row, at_ranks = _Row(lane, *replies[:n_fixed]), replies[n_fixed:]
    if not row.n_later or is_calls_lane(lane):
        return row
    if step != _step(row.n_later):
        step = _step(row.n_later)
        at_ranks = _told((yield _at_ranks(keys, lane, step)))
    return replace(row, releases=_releases(row.n_later, step, at_ranks))


def _told(replies: Sequence[Any]) -> list[Any]:
    """The replies; None for what was refused."""
    return [None if isinstance(one, Exception) else one for one in replies]


def _of_work(keys: Keys, lane: str) -> list[Command]:
    """What is asked of a lane that has work, in the order of a row."""
    waiting, in_flight = keys.waiting(lane), keys.in_flight(lane)
    return [
        ("ZCARD", waiting),
        ("ZCARD", keys.later(lane)),
        ("ZCARD", in_flight),
        ("HMGET", keys.lane(lane), "hold_until", "hold_reason", "held_since", "width_in_use"),
        ("ZRANGE", in_flight, 0, 0, "WITHSCORES"),
        ("ZCOUNT", waiting, _LOW, "+inf"),
    ]


# -- what comes later --------------------------------------------------------------------------------------------------
def _step(n_later: int) -> int:
    """
    The step between the delayed jobs that are read, sixteen at most: a power of two, so that one job more or less
    changes no question.
    """
    return 1 << max((n_later - 1).bit_length() - _RANKS.bit_length() + 1, 0)


def _at_ranks(keys: Keys, lane: str, step: int) -> list[Command]:
    """The last of each so many, and the last of all."""
    ranks = [*range(step - 1, _RANKS * step, step), -1]
    return [("ZRANGE", keys.later(lane), rank, rank, "WITHSCORES") for rank in ranks]


def _releases(n_later: int, step: int, found: Sequence[Any]) -> tuple[Release, ...]:
    """When delayed jobs may start: at a few ranks, each with those before it."""
    releases, before = [], 0
    ranks = [*range(step, n_later, step), n_later]
    for rank, row in zip(ranks, [*found[: len(ranks) - 1], found[-1]], strict=True):
        if not row:
            continue
        releases.append(Release(int(float(row[1])), rank - before))
        before = rank
    return tuple(releases)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was read of an account's load."""

    account: Account
    hold: Sequence[bytes | None]
    grants: Sequence[bytes]
    rows: tuple[_Row, ...]

    def reading(self, now_ms: int) -> Reading:
        """What it says at an instant."""
        return _reading(self, now_ms)


@dataclass(frozen=True, slots=True)
class _Row:
    """What was read of one lane; None where a key holds something else, or nothing was asked."""

    lane: str
    seen: Sequence[bytes] | None
    n_waiting: int | None = None
    n_later: int | None = None
    n_in_flight: int | None = None
    hold: Sequence[bytes | None] | None = None
    oldest: Sequence[bytes] | None = None
    """The job that is under way longest, and since when."""
    n_low: int | None = None
    releases: tuple[Release, ...] = ()


def _reading(asked: Asked, now_ms: int) -> Reading:
    account, hold, grants, rows = asked.account, asked.hold, asked.grants, asked.rows
    window_ms = limit_window_ms(account) + _whole(hold[3])
    times = tuple(filter(None, map(_whole, grants)))
    seen = {row.lane: _seen(row.seen or ()) for row in rows}
    under_way = [int(float(row.oldest[1])) for row in rows if row.oldest]
    until_ms = min([now_ms, *under_way])
    sent = [one.sent_at_ms for some in seen.values() for one in some]
    of_account = pace_of([one for some in seen.values() for one in some[:50]])
    is_held = _is_held(hold, now_ms)
    lanes, held = [], set()
    for row in rows:
        is_calls = is_calls_lane(row.lane)
        own = row.hold or (None,) * 4
        in_use = account.concurrency if is_calls else max(_whole(own[3]), 1)
        lanes.append(
            LaneLoad(
                row.lane,
                row.n_waiting or 0,
                row.n_in_flight or 0,
                row.releases,
                pace=_CALL if is_calls else pace_of(seen[row.lane]) if seen[row.lane] else of_account,
                hold_until_ms=_whole(own[0]),
                width=min(max_in_flight(row.lane, account.concurrency, account.lane_width), in_use),
                is_calls=is_calls,
                n_low=(row.n_low or 0) if is_calls else 0,
                n_lately=sum(until_ms - window_ms < one.sent_at_ms <= until_ms for one in seen[row.lane]),
            )
        )
        if is_held or _is_held(own, now_ms):
            held.add(row.lane)
    load = AccountLoad(
        now_ms,
        account.rate_limit,
        window_ms,
        tuple(lanes),
        times,
        _whole(hold[0]),
        others_per_ms(times, sent, until_ms, window_ms),
    )
    return Reading(load, frozenset(held))


def _is_held(hold: Sequence[bytes | None], now_ms: int) -> bool:
    """Whether something is held of which nobody knows when it ends: as ``status`` tells it."""
    until_ms, reason, since_ms = _whole(hold[0]), hold[1] or b"", _whole(hold[2])
    return bool(since_ms) or (until_ms > now_ms and reason != _HAS_AN_END.encode())


def without_unseen(reading: Reading) -> Reading:
    """The same, where a lane that has shown no pace yet is taken to be as fast as can be: for what is only feared."""
    if all(one.pace != UNSEEN for one in reading.load.lanes):
        return reading
    quick = Pace(1.0, 1.0, 1.0)
    lanes = tuple(replace(one, pace=quick) if one.pace == UNSEEN else one for one in reading.load.lanes)
    return replace(reading, load=replace(reading.load, lanes=lanes))


Courses = dict[str, Course]
"""What will become of the lanes of an account, by name."""


class Loads:
    """
    The loads of accounts within one look: each is read once, and reckoned once, whoever asks for it.

    Args:
        settings: An account by its name.
        busy: As :func:`load_of` has it.
    """

    def __init__(
        self, keys: Keys, settings: Callable[[str], Account], now_ms: int, busy: Collection[str] | None = None
    ) -> None:
        self._keys = keys
        self._settings = settings
        self._now_ms = now_ms
        self._busy = busy
        self._likely: dict[str, tuple[Reading, Courses]] = {}
        self._feared: dict[str, tuple[Reading, Courses]] = {}

    def likely(self, account: str) -> Inquiry[tuple[Reading, Courses]]:
        """The load of an account, and what will become of it."""
        if account not in self._likely:
            reading = yield from load_of(self._keys, self._settings(account), self._now_ms, self._busy)
            self._likely[account] = reading, forecast(reading.load)
        return self._likely[account]

    def all(self, accounts: Iterable[str]) -> Inquiry[dict[str, tuple[Reading, Courses]]]:
        """The same of many: read at once, and reckoned a few at a time, so that a process does other things between."""
        names = [name for name in accounts if name not in self._likely]
        readings = yield from each(load_of(self._keys, self._settings(n), self._now_ms, self._busy) for n in names)
        for n, (name, reading) in enumerate(zip(names, readings, strict=True), 1):
            self._likely[name] = reading, forecast(reading.load)
            if n % _IN_A_ROW == 0:
                yield ()
        return self._likely

    def feared(self, account: str) -> Inquiry[tuple[Reading, Courses]]:
        """The same where nobody is alarmed by a pace that was never seen (:func:`without_unseen`)."""
        if account not in self._feared:
            likely = yield from self.likely(account)
            reading = without_unseen(likely[0])
            self._feared[account] = likely if reading is likely[0] else (reading, forecast(reading.load))
        return self._feared[account]


def _seen(stored: Sequence[bytes]) -> list[Seen]:
    """What lanes have noted of documents; without what no version of ours has written."""
    together = b":".join(stored)
    if {*map(_n_colons, stored)} <= {2} and not together.translate(None, _FIGURES):
        with suppress(ValueError):  # one of the three is missing
            figures = iter(json.loads(b"[" + together.replace(b":", b",") + b"]"))  # hundreds at once, quickly
            return [*map(Seen._make, zip(figures, figures, figures, strict=True))]
    parted = [one.split(b":") for one in stored]
    return [Seen(*map(int, parts)) for parts in parted if len(parts) == 3 and all(part.isdigit() for part in parts)]


_FIGURES: Final = b"0123456789:"
_n_colons: Final = methodcaller("count", b":")


def _whole(value: bytes | None) -> int:
    return int(value) if value and value.isdigit() and len(value) < 19 else 0
