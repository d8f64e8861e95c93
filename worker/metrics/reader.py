"""
Reads what a scrape shows: a few round trips (one more for each 500 questions: some 30 busy accounts), however much
waits.

Reading only, but for one key that dies by itself: whether Redis takes writes is seen by writing. What the user of this
process may not read is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from jobs.estimate.forecast import forecast
from jobs.event_counts import read_field
from schemas.factus import BOGOTA
from schemas.names import account_of, within_account
from schemas.records import pushed_ms_of, score_bands
from worker.factus.rate_limit import limit_window_ms
from worker.guard import redis_word
from worker.metrics.snapshot import AccountState, GroupState, LaneState, RangeState, Snapshot
from worker.queue.consumer_lag import group_seen
from worker.queue.load_reader import LoadReader
from worker.queue.range_notes import noted
from worker.settings import Account
from worker.store.connection import words_of
from worker.store.keys import Keys

_LONGEST_S: Final = 3.0
_SLICE: Final = 500
_PROBE_LIFE_MS: Final = 5_000
_MOST_DAYS: Final = 2_000
_MOST_HOOKS: Final = 1_000
_MOST_LANES: Final = 20_000
_ESTIMATES_S: Final = 0.008
"""For so long accounts are reckoned anew in one scrape, at least one; the others keep the instant of an earlier one."""

_FAULTS: Final = {
    "READONLY": "redis.read_only",
    "MISCONF": "redis.disk",
    "OOM": "redis.memory",
    "NOREPLICAS": "redis.replicas",
    "LOADING": "redis.loading",
}
_HAS_AN_END: Final = "factus.throttled"
_HOLD: Final = ("hold_until", "hold_reason", "held_since", "held_for")


class _First(NamedTuple):
    """The replies of the first round trip, in the order of the questions; an error in place of one that failed."""

    time: Any
    lanes: Any
    served: Any
    leader: Any
    n_dead: Any
    counts: Any
    hooks: Any
    days: Any
    written: Any


@dataclass(slots=True)
class _Questions:
    """
    Pipelines: each question with what is to be done with its answer.

    In slices, because the answers to one pipeline are read in one go: a thousand accounts would hold the loop of a
    worker for a second.
    """

    redis: Redis
    asked: list[tuple[Callable[[Any], None], tuple[str | int, ...]]] = field(default_factory=list)

    def ask(self, taker: Callable[[Any], None], *parts: str | int) -> None:
        self.asked.append((taker, parts))

    async def run(self) -> None:
        for first in range(0, len(self.asked), _SLICE):
            some = self.asked[first : first + _SLICE]
            pipe = self.redis.pipeline(transaction=False)
            for _, parts in some:
                pipe.execute_command(*parts)
            for (taker, _), answer in zip(some, await pipe.execute(raise_on_error=False), strict=True):
                if not isinstance(answer, Exception):
                    taker(answer)
            await asyncio.sleep(0)


@dataclass(slots=True)
class _Lane:
    """What is read of a lane, as it comes."""

    name: str
    sizes: list[int] = field(default_factory=lambda: [0, 0, 0])
    hold: Sequence[bytes | None] = (None,) * len(_HOLD)
    oldest_ms: list[int] = field(default_factory=list)
    came_back: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _AccountRead:
    """The same of an account."""

    name: str
    hold: Sequence[bytes | None] = (None,) * (len(_HOLD) + 1)
    grants: Sequence[bytes] | None = None
    token: Sequence[bytes | None] = (None,)
    ranges: Sequence[bytes] = ()
    lanes: list[_Lane] = field(default_factory=list)


class ScrapeReader:
    """Reads one namespace. Keeps when backlogs will be done, from one scrape to the next."""

    def __init__(self, redis: Redis, keys: Keys, accounts: Mapping[str, Account], probe: str) -> None:
        self._redis = redis
        self._keys = keys
        self._accounts = accounts
        self._probe = keys.write_probe(probe)
        self._done: dict[str, float | None] = {}
        self._reckoned_at: dict[str, float] = {}

    async def ready(self) -> Snapshot:
        """Whether Redis takes writes and the intake has a leader: all that readiness asks."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.execute_command("GET", self._keys.leader("intake"))
        pipe.execute_command("SET", self._probe, "1", "PX", _PROBE_LIFE_MS)
        try:
            async with asyncio.timeout(_LONGEST_S):
                leader, written = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError) as exc:
            return _away(exc)
        fault, words = _fault(written)
        return Snapshot(fault, words, has_leader=bool(leader) and not isinstance(leader, Exception))

    async def read(self) -> Snapshot:
        """All of it; nothing but the fault where Redis does not answer."""
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await self._read()
        except (RedisError, OSError) as exc:
            return _away(exc)

    async def _read(self) -> Snapshot:
        first = await self._first()
        if isinstance(first.time, Exception):
            raise first.time
        now_ms = int(first.time[0]) * 1000 + int(first.time[1]) // 1000
        accounts = self._names(first)
        questions = _Questions(self._redis)
        for account in accounts.values():
            self._ask_account(questions, account)
        groups = _Groups(questions, self._keys, [n for n, one in self._accounts.items() if one.own_streams])
        hooks: dict[str, int] = {}
        for name in [raw.decode(errors="replace") for raw in _list(first.hooks)[:_MOST_HOOKS]]:
            questions.ask(_into(hooks, name), "ZCARD", self._keys.hook(name, "order"))
        at_risk: list[int] = []
        days = [raw.decode(errors="replace") for raw in _list(first.days)]
        for day in days:
            told = self._keys.day_told(account_of(day), within_account(day))
            questions.ask(_at_risk_into(at_risk), "HMGET", told, "is_at_risk", "will_miss")
        await questions.run()
        await self._ask_those_that_came_back(accounts.values())
        await self._reckon(accounts.values(), now_ms)
        fault, words = _fault(first.written)
        return Snapshot(
            fault,
            words,
            has_leader=isinstance(first.leader, bytes),
            counts=_counts(first.counts),
            accounts=tuple(self._account(one, now_ms) for one in accounts.values()),
            n_dead=first.n_dead if isinstance(first.n_dead, int) else None,
            n_at_risk=None if isinstance(first.days, Exception) else sum(at_risk),
            groups=groups.found(),
            hooks=hooks,
        )

    async def _first(self) -> _First:
        pipe = self._redis.pipeline(transaction=False)
        now_ms = round(time.time() * 1000)
        for parts in (
            ("TIME",),
            ("SMEMBERS", self._keys.lanes()),
            ("ZRANGE", self._keys.served_accounts(), 0, -1),
            ("GET", self._keys.leader("intake")),
            ("XLEN", self._keys.dead()),
            ("HGETALL", self._keys.counts()),
            ("ZRANGE", self._keys.hooks_seen(), 0, -1),
            ("ZRANGEBYSCORE", self._keys.days(), f"({now_ms}", "+inf", "LIMIT", 0, _MOST_DAYS),
            ("SET", self._probe, "1", "PX", _PROBE_LIFE_MS),
        ):
            pipe.execute_command(*parts)
        return _First(*await pipe.execute(raise_on_error=False))

    def _names(self, first: _First) -> dict[str, _AccountRead]:
        """Every account that is configured here, was served lately, or has work, with its lanes."""
        lanes = sorted(raw.decode(errors="replace") for raw in _list(first.lanes))[:_MOST_LANES]
        names = {raw.decode(errors="replace") for raw in _list(first.served)} | self._accounts.keys()
        found = {name: _AccountRead(name) for name in sorted(names | {account_of(lane) for lane in lanes})}
        for lane in lanes:
            found[account_of(lane)].lanes.append(_Lane(lane))
        return found

    def _ask_account(self, questions: _Questions, account: _AccountRead) -> None:
        keys, name = self._keys, account.name
        questions.ask(_attribute(account, "hold"), "HMGET", keys.account(name), *_HOLD, "margin_ms")
        if name in self._accounts:
            last = self._accounts[name].rate_limit - 1
            questions.ask(_attribute(account, "grants"), "LRANGE", keys.grants(name), 0, last)
        questions.ask(_attribute(account, "token"), "HMGET", keys.token(name), "expires_at")
        questions.ask(_attribute(account, "ranges"), "HGETALL", keys.ranges(name))
        for lane in account.lanes:
            self._ask_lane(questions, lane)

    def _ask_lane(self, questions: _Questions, lane: _Lane) -> None:
        keys = self._keys
        places = (keys.waiting(lane.name), keys.later(lane.name), keys.in_flight(lane.name))
        for n, place in enumerate(places):
            questions.ask(_into(lane.sizes, n), "ZCARD", place)
        questions.ask(_attribute(lane, "hold"), "HMGET", keys.lane(lane.name), *_HOLD)
        for low, high in score_bands():
            parts = ("ZRANGEBYSCORE", places[0], low, f"({high}", "WITHSCORES", "LIMIT", 0, 1)
            questions.ask(_oldest_into(lane), *parts)

    async def _ask_those_that_came_back(self, accounts: Sequence[_AccountRead] | Any) -> None:
        """When jobs were pushed that stand before all others, because they are on again: only a record tells."""
        questions = _Questions(self._redis)
        for account in accounts:
            for lane in account.lanes:
                for job_id in lane.came_back:
                    record = self._keys.job(account.name, job_id)
                    questions.ask(_instant_into(lane.oldest_ms), "HGET", record, "accepted_at")
        await questions.run()

    async def _reckon(self, accounts: Sequence[_AccountRead] | Any, now_ms: int) -> None:
        """Reckon when backlogs will be done, those first that were reckoned longest ago, for a few milliseconds."""
        busy = [one for one in accounts if one.name in self._accounts and any(lane.sizes[0] for lane in one.lanes)]
        began = time.perf_counter()
        for account in sorted(busy, key=lambda one: self._reckoned_at.get(one.name, 0.0)):
            reading = await LoadReader(self._redis, self._keys).read(self._accounts[account.name], now_ms)
            courses = forecast(reading.load)
            for lane in account.lanes:
                course = courses.get(lane.name)
                self._done[lane.name] = None if course is None or lane.name in reading.held else course.done_ms
            self._reckoned_at[account.name] = time.monotonic()
            if time.perf_counter() - began > _ESTIMATES_S:
                break
        names = {lane.name for one in busy for lane in one.lanes}
        self._done = {name: at for name, at in self._done.items() if name in names}

    # -- from replies to values ------------------------------------------------------------------------------------
    def _account(self, read: _AccountRead, now_ms: int) -> AccountState:
        known = self._accounts.get(read.name)
        state = AccountState(
            read.name,
            tuple(self._lane(lane, now_ms) for lane in read.lanes),
            blocked=_blocked(read.hold, now_ms),
            token_expires_ms=_whole(read.token[0]) or None,
            ranges=tuple(_ranges(read.ranges, datetime.fromtimestamp(now_ms / 1000, BOGOTA).date())),
        )
        if known is None or read.grants is None:
            return state
        counted_ms = limit_window_ms(known) + _whole(read.hold[len(_HOLD)])
        n_used = sum(_whole(at) > now_ms - counted_ms for at in read.grants)
        return replace(state, n_used=n_used, limit=known.rate_limit)

    def _lane(self, read: _Lane, now_ms: int) -> LaneState:
        n_waiting, n_delayed, n_in_flight = read.sizes
        return LaneState(
            within_account(read.name),
            n_waiting,
            n_delayed,
            n_in_flight,
            min(read.oldest_ms, default=None) if n_waiting else None,
            self._done.get(read.name) if n_waiting else None,
            _blocked(read.hold, now_ms) if any(read.sizes) else "",
        )


class _Groups:
    """The consumer groups of the result streams."""

    def __init__(self, questions: _Questions, keys: Keys, own: Sequence[str]) -> None:
        self._prefix = f"{keys.namespace}:"
        self._groups: dict[str, Any] = {}
        self._streams: dict[str, Any] = {}
        for stream in keys.outcomes(own):
            questions.ask(_into(self._groups, stream), "XINFO", "GROUPS", stream)
            questions.ask(_into(self._streams, stream), "XINFO", "STREAM", stream)

    def found(self) -> tuple[GroupState, ...]:
        found: list[GroupState] = []
        for stream, groups in self._groups.items():
            about = self._streams.get(stream)
            for group in map(_about, groups):
                n_unread: int | None
                if about is not None:
                    n_unread = group_seen(stream, _about(about), group, maxlen=1).n_unread
                else:
                    n_unread = group.get("lag")  # who may not look into the stream has what Redis 7 counts by itself
                if n_unread is not None:
                    found.append(GroupState(stream.removeprefix(self._prefix), _text(group["name"]), n_unread))
        return tuple(found)


def _about(flat: Any) -> dict[str, Any]:
    """A reply of names and values; redis-py has read some of them already."""
    if isinstance(flat, Mapping):
        return {_text(name): value for name, value in flat.items()}
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _away(exc: Exception) -> Snapshot:
    fault = _FAULTS.get(redis_word(exc), "redis.unavailable")
    return Snapshot(fault, words_of(exc), is_read=False)


def _fault(written: Any) -> tuple[str, str]:
    """What keeps Redis from being written. Who may only look is no reason to worry."""
    if not isinstance(written, Exception) or isinstance(written, NoPermissionError):
        return "", ""
    return _FAULTS.get(redis_word(written), "redis.refuses"), words_of(written)


def _blocked(hold: Sequence[bytes | None], now_ms: int) -> str:
    """Why nothing goes on until somebody mends it, or Factus does; empty for a pause that has an end."""
    until_ms, since_ms = _whole(hold[0]), _whole(hold[2])
    if until_ms <= now_ms and not since_ms:
        return ""
    code = hold[1] if until_ms > now_ms else hold[3]
    reason = (code or b"").decode(errors="replace")
    return "" if reason == _HAS_AN_END else reason or "other"


def _counts(reply: Any) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for name, n in _rows(reply):
        read = read_field(name.decode(errors="replace"))
        if read is not None:
            found[read] = _whole(n)
    return found


def _ranges(reply: Any, today: date) -> Iterator[RangeState]:
    for note in noted([part for row in _rows(reply) for part in row]):
        yield RangeState(note.family, note.prefix, note.n_left, note.expires_ms, note.end(today).is_told)


def _rows(reply: Any) -> list[tuple[bytes, bytes]]:
    if isinstance(reply, Mapping):
        return list(reply.items())
    flat = _list(reply)
    return list(zip(flat[::2], flat[1::2], strict=False))


def _list(reply: Any) -> list[Any]:
    """Members of a set or list; none where the reply is an error."""
    return list(reply) if isinstance(reply, list | tuple | set | frozenset) else []


def _whole(value: Any) -> int:
    try:
        return int(float(value or 0))
    except (ValueError, OverflowError):
        return 0


# -- what is done with an answer ---------------------------------------------------------------------------------------
def _attribute(of: object, name: str) -> Callable[[Any], None]:
    return lambda answer: setattr(of, name, answer)


def _into(place: Any, key: Any) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        place[key] = answer

    return take


def _instant_into(place: list[int]) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        if at_ms := _whole(answer):
            place.append(at_ms)

    return take


def _oldest_into(lane: _Lane) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        for job_id, score in _scored(answer):
            if score < 0:
                lane.came_back.append(job_id.decode(errors="surrogateescape"))
            else:
                lane.oldest_ms.append(pushed_ms_of(int(score)))

    return take


def _scored(answer: Any) -> list[tuple[bytes, float]]:
    """Members with their scores: in pairs where redis-py has read them, one after the other where it has not."""
    if answer and isinstance(answer[0], tuple | list):
        return [(member, float(score)) for member, score in answer]
    return [(member, float(score)) for member, score in zip(answer[::2], answer[1::2], strict=True)]


def _at_risk_into(found: list[int]) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        is_at_risk, will_miss = answer
        if is_at_risk == b"1":
            found.append(_whole(will_miss))

    return take
