"""What a scrape reads of accounts and their lanes. What this user of Redis may not read is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from schemas.names import within_account
from schemas.records import pushed_ms_of, score_bands
from worker.factus.rate_limit import limit_window_ms
from worker.metrics.snapshot import AccountState, LaneState, RangeState
from worker.queue.range_notes import noted
from worker.settings.account import Account
from worker.status.stored import Asker
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys

SLOWED: Final = "factus.throttled"
"""Factus has asked to slow down: a pause that has an end."""

_HOLD: Final = ("hold_until", "hold_reason", "held_since", "held_for")
_NOT_HELD: Final = (None,) * len(_HOLD)
_BANDS: Final = [(low, f"({high}") for low, high in score_bands()]
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
    came_back: list[str] = field(default_factory=list)
    """Jobs that stand before all others, because they are on again: only their records tell when they were pushed."""

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
    ranges: Sequence[bytes] = ()

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
            tuple(_ranges(self.ranges, today)),
        )


def account_read(
    asker: Asker, keys: Keys, name: str, known: Account | None, lanes: Sequence[str]
) -> Inquiry[AccountRead]:
    """An account and its lanes."""
    commands: list[Command] = [
        ("HGETALL", keys.account(name)),
        ("HMGET", keys.token(name), "expires_at"),
        ("HGETALL", keys.ranges(name)),
        *_of_lanes(keys, lanes),
    ]
    if known:
        commands.append(("LRANGE", keys.grants(name), 0, known.rate_limit - 1))
    replies = yield commands
    came = iter([asker.noted(*one) for one in zip(commands, replies, strict=True)])
    found = AccountRead(name, [])
    _note(found, next(came) or ())
    found.token, found.ranges = next(came) or found.token, next(came) or ()
    found.lanes = [_lane(lane, came) for lane in lanes]
    found.grants = next(came) if known else None
    yield from _those_that_came_back(keys, found)
    return found


def _note(account: AccountRead, flat: Sequence[bytes]) -> None:
    """What stands in the account's own record."""
    stored = {name.decode(errors="replace"): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
    account.hold = [stored.get(name) for name in _HOLD]
    account.margin = stored.get("margin_ms")
    account.blocks = {
        name.removeprefix("blocked:"): since for name, since in stored.items() if name.startswith("blocked:")
    }


def _of_lanes(keys: Keys, lanes: Sequence[str]) -> Iterator[Command]:
    """What is asked of lanes, each in the order of :func:`_lane`."""
    for lane in lanes:
        waiting = keys.waiting(lane)
        yield "ZCARD", waiting
        yield "ZCARD", keys.later(lane)
        yield "ZCARD", keys.in_flight(lane)
        yield "HMGET", keys.lane(lane), *_HOLD
        for low, high in _BANDS:
            yield "ZRANGEBYSCORE", waiting, low, high, "WITHSCORES", "LIMIT", 0, 1


def _lane(name: str, came: Iterator[Any]) -> LaneRead:
    found = LaneRead(name, next(came) or 0, next(came) or 0, next(came) or 0, next(came) or _NOT_HELD)
    for _ in _BANDS:
        first = next(came)
        if first:
            job_id, score = first
            if score.startswith(b"-"):
                found.came_back.append(job_id.decode(errors="surrogateescape"))
            else:
                found.oldest_ms.append(pushed_ms_of(int(float(score))))
    return found


def _those_that_came_back(keys: Keys, account: AccountRead) -> Inquiry[None]:
    asked = [(lane, job_id) for lane in account.lanes for job_id in lane.came_back]
    if not asked:
        return
    replies = yield [("HGET", keys.job(account.name, job_id), "accepted_at") for _, job_id in asked]
    for (lane, _), reply in zip(asked, replies, strict=True):
        if not isinstance(reply, Exception) and (at_ms := _whole(reply)):
            lane.oldest_ms.append(at_ms)


def _n_after(grants: Sequence[bytes], at_ms: int) -> int:
    """How many of the instants are later; as bytes, where all have as many digits as it: there are thousands."""
    bound = str(at_ms).encode()
    if {len(bound), *map(len, grants)} == {_MS_DIGITS}:
        return sum(map(bound.__lt__, grants))
    return sum(_whole(one) > at_ms for one in grants)


def _ranges(flat: Sequence[bytes], today: date) -> Iterator[RangeState]:
    for note in noted(flat):
        yield RangeState(note.family, note.prefix, note.n_left, note.expires_ms, note.end(today).is_told)


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
