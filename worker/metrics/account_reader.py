"""What a scrape reads of accounts and their lanes. What this user of Redis may not read is left out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, Final

from schemas.names import within_account
from schemas.records import pushed_ms_of, score_bands
from worker.factus.rate_limit import limit_window_ms
from worker.metrics.snapshot import AccountState, LaneState, RangeState
from worker.queue.range_notes import RangeNote, noted
from worker.settings.account import Account
from worker.status.stored import Asker
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry, each
from worker.store.keys import Keys

SLOWED: Final = "factus.throttled"
"""Factus has asked to slow down: a pause that has an end."""

_HOLD: Final = ("hold_until", "hold_reason", "held_since", "held_for")
_NOT_HELD: Final = (None,) * len(_HOLD)
_BANDS: Final = [(low, f"({high}") for low, high in score_bands()]
_EDGES: Final = [score_bands()[0][0], *(high for _, high in score_bands())]
_ONE_PRIORITY: Final = frozenset((n, n) for n in range(1, len(_BANDS)))
"""Where the first that waits and the last are of one priority, as mostly, the first has come first."""
_MS_DIGITS: Final = 13
"""Of an instant in ms, from 2001 to 2286."""


@dataclass(slots=True)
class LaneRead:
    """What was read of a lane."""

    name: str
    n_waiting: int = 0
    n_delayed: int = 0
    n_in_flight: int = 0
    hold: Sequence[bytes | None] = _NOT_HELD
    oldest_ms: list[int] = field(default_factory=list)

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.n_waiting, self.n_delayed, self.n_in_flight

    def state(self, now_ms: int, done_ms: float | None) -> LaneState:
        n_waiting, n_open = self.n_waiting, self.n_waiting + self.n_delayed + self.n_in_flight
        return LaneState(
            within_account(self.name),
            n_waiting,
            self.n_delayed,
            self.n_in_flight,
            min(self.oldest_ms, default=None) if n_waiting else None,
            done_ms if n_waiting else None,
            _blocked(self.hold, now_ms) if n_open else "",
        )


@dataclass(slots=True)
class AccountRead:
    """The same of an account."""

    name: str
    lanes: list[LaneRead]
    hold: Sequence[bytes | None] = _NOT_HELD
    margin: bytes | None = None
    blocks: Mapping[str, bytes] = field(default_factory=dict)
    """Since when what is held, by what keeps the account from going on (``blocked:`` in its record)."""

    grants: Sequence[bytes] | None = None
    token: Sequence[bytes | None] = (None,)
    notes: Sequence[RangeNote] = ()

    @property
    def is_busy(self) -> bool:
        return any(lane.n_waiting for lane in self.lanes)

    def state(self, known: Account | None, now_ms: int, today: date, done: Mapping[str, float | None]) -> AccountState:
        """
        The account as a scrape tells it.

        Args:
            known: Its configuration, where this process has it.
            done: When the backlogs of lanes will be done, ms; of those that were reckoned.
        """
        n_used = limit = None
        if known is not None and self.grants is not None:
            counted_ms = limit_window_ms(known) + _whole(self.margin)
            n_used, limit = _n_after(self.grants, now_ms - counted_ms), known.rate_limit
        return AccountState(
            self.name,
            tuple(lane.state(now_ms, done.get(lane.name)) for lane in self.lanes),
            _blocked(self.hold, now_ms),
            n_used,
            limit,
            _whole(self.token[0]) or None,
            tuple([_range(note, today) for note in self.notes]),
        )


def account_read(
    asker: Asker, keys: Keys, name: str, known: Account | None, lanes: Sequence[str]
) -> Inquiry[AccountRead]:
    """An account and its lanes."""
    commands: list[Command] = [
        ("HGETALL", keys.account(name)),
        ("HMGET", keys.token(name), "expires_at"),
        ("HGETALL", keys.ranges(name)),
    ]
    for lane in lanes:
        commands += _of_lane(keys, lane)
    if known:
        commands.append(("LRANGE", keys.grants(name), 0, known.rate_limit - 1))
    told = asker.all_noted(commands, (yield commands))
    found = AccountRead(name, [])
    _note(found, told[0] or ())
    found.token, found.notes = told[1] or found.token, noted(told[2] or ())
    found.grants = told[-1] if known else None
    firsts: list[Inquiry[None]] = []
    for place, lane in enumerate(lanes):
        began = _N_OF_OWN + place * _N_OF_LANE
        n_waiting, n_delayed, n_in_flight, hold, first, last = told[began : began + _N_OF_LANE]
        read = LaneRead(lane, n_waiting or 0, n_delayed or 0, n_in_flight or 0, hold or _NOT_HELD)
        found.lanes.append(read)
        if first:
            band = _band(first[1]), _band((last or first)[1])
            if band in _ONE_PRIORITY:
                read.oldest_ms.append(_pushed_ms(first[1]))
            else:
                firsts.append(_firsts(asker, keys, name, read, first, band))
    if firsts:
        yield from each(firsts)
    return found


_N_OF_OWN: Final = 3
_N_OF_LANE: Final = 6


def _note(account: AccountRead, flat: Sequence[bytes]) -> None:
    """What stands in the account's own record."""
    stored = {name.decode(errors="replace"): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    account.hold = [stored.get(name) for name in _HOLD] if stored else _NOT_HELD
    account.margin = stored.get("margin_ms")
    account.blocks = {
        name.removeprefix("blocked:"): since for name, since in stored.items() if name.startswith("blocked:")
    }


def _of_lane(keys: Keys, lane: str) -> tuple[Command, ...]:
    """What is asked of a lane, in the order of :func:`account_read`."""
    waiting = keys.waiting(lane)
    return (
        ("ZCARD", waiting),
        ("ZCARD", keys.later(lane)),
        ("ZCARD", keys.in_flight(lane)),
        ("HMGET", keys.lane(lane), *_HOLD),
        ("ZRANGE", waiting, 0, 0, "WITHSCORES"),
        ("ZRANGE", waiting, -1, -1, "WITHSCORES"),
    )


# -- who waits longest -------------------------------------------------------------------------------------------------
def _firsts(
    asker: Asker, keys: Keys, account: str, lane: LaneRead, first: Sequence[bytes], band: tuple[int | None, int | None]
) -> Inquiry[None]:
    """
    Note when those were pushed that wait longest: the first of each band.

    Args:
        first: The first of all, and its place.
        band: That of the first of all, and that of the last.
    """
    lowest, highest = band
    rows = [] if lowest is None else [first]
    bands = _BANDS[0 if lowest is None else lowest + 1 : None if highest is None else highest + 1]
    if bands:
        waiting = keys.waiting(lane.name)
        commands = [("ZRANGEBYSCORE", waiting, low, high, "WITHSCORES", "LIMIT", 0, 1) for low, high in bands]
        rows += filter(None, asker.all_noted(commands, (yield commands)))
    lane.oldest_ms += [_pushed_ms(score) for _, score in rows if not score.startswith(b"-")]
    came_back = [job_id.decode(errors="surrogateescape") for job_id, score in rows if score.startswith(b"-")]
    if came_back:
        # Those stand before all others because they are on again: only their records tell when they were pushed.
        replies = yield [("HGET", keys.job(account, job_id), "accepted_at") for job_id in came_back]
        told = [0 if isinstance(reply, Exception) else _whole(reply) for reply in replies]
        lane.oldest_ms += filter(None, told)


def _band(place: bytes) -> int | None:
    """The number of its band; None for a place that no version of ours gives."""
    found = bisect_right(_EDGES, float(place)) - 1
    return found if 0 <= found < len(_BANDS) else None


def _pushed_ms(place: bytes) -> int:
    return pushed_ms_of(int(float(place)))


def _n_after(grants: Sequence[bytes], at_ms: int) -> int:
    """How many of the instants are later; as bytes, where all have as many digits as it: there are thousands."""
    bound = str(at_ms).encode()
    if {len(bound), *map(len, grants)} == {_MS_DIGITS}:
        return sum(map(bound.__lt__, grants))
    return sum(_whole(one) > at_ms for one in grants)


@lru_cache(maxsize=1024)  # a range stays as it is for long, and a day is a day
def _range(note: RangeNote, today: date) -> RangeState:
    return RangeState(note.family, note.prefix, note.n_left, note.expires_ms, note.end(today).is_told)


def _blocked(hold: Sequence[bytes | None], now_ms: int) -> str:
    """Why nothing goes on until somebody mends it, or Factus does; empty for a pause that has an end."""
    if hold[0] is None and hold[2] is None:
        return ""
    until_ms, since_ms = _whole(hold[0]), _whole(hold[2])
    if until_ms <= now_ms and not since_ms:
        return ""
    code = hold[1] if until_ms > now_ms else hold[3]
    reason = (code or b"").decode(errors="replace")
    return "" if reason == SLOWED else reason or "other"


def _whole(value: Any) -> int:
    try:
        return int(float(value or 0))
    except (ValueError, OverflowError):
        return 0
