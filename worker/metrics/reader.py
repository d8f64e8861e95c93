"""
Reads what a scrape shows: a few round trips (one more for each 500 questions: some 30 busy accounts), however much
waits.

Reading only, but for one key that dies by itself: whether Redis takes writes is seen by writing. What the user of this
process may not read is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from jobs.estimate.forecast import forecast
from jobs.event_counts import read_field
from schemas.names import account_of, within_account
from schemas.records import pushed_ms_of, score_bands
from worker.factus.rate_limit import limit_window_ms
from worker.guard import redis_word
from worker.metrics.facts import HOLD, SLOWED, Facts, account_seen, hold_of, lane_seen
from worker.metrics.groups import Groups
from worker.metrics.questions import Questions, attribute, into, listed, rows, scored, text, whole
from worker.metrics.snapshot import AccountState, LaneState, Snapshot
from worker.queue.load_reader import LoadReader
from worker.queue.range_notes import RangeSeen
from worker.settings.account import Account
from worker.status.facts import AccountSeen, Hold, LaneSeen
from worker.store.connection import words_of
from worker.store.keys import Keys

_LONGEST_S: Final = 3.0
_PROBE_LIFE_MS: Final = 5_000
_MOST_DAYS: Final = 2_000
_MOST_HOOKS: Final = 1_000
_MOST_RANGES: Final = 100
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
    workers: Any
    written: Any


@dataclass(slots=True)
class _Lane:
    """What is read of a lane, as it comes."""

    name: str
    sizes: list[int] = field(default_factory=lambda: [0, 0, 0])
    hold: Sequence[bytes | None] = (None,) * len(HOLD)
    oldest_ms: list[int] = field(default_factory=list)
    came_back: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _AccountRead:
    """The same of an account."""

    name: str
    stored: Any = ()
    grants: Sequence[bytes] | None = None
    token: Sequence[bytes | None] = (None,)
    ranges: Sequence[bytes] = ()
    lanes: list[_Lane] = field(default_factory=list)

    @property
    def state(self) -> dict[str, bytes]:
        """The account's own record."""
        return {text(name): value for name, value in rows(self.stored)}


class ScrapeReader:
    """Reads one namespace. Keeps when backlogs will be done, from one scrape to the next."""

    def __init__(
        self, redis: Redis, keys: Keys, accounts: Mapping[str, Account], probe: str, *, results_maxlen: int = 1_000_000
    ) -> None:
        self._redis = redis
        self._results_maxlen = results_maxlen
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
        questions = Questions(self._redis)
        for account in accounts.values():
            self._ask_account(questions, account)
        own = [name for name, one in self._accounts.items() if one.own_streams]
        groups = Groups(questions, self._keys, own, self._results_maxlen)
        hooks: dict[str, int] = {}
        hook_names = [raw.decode(errors="replace") for raw in listed(first.hooks)[:_MOST_HOOKS]]
        for name in hook_names:
            questions.ask(into(hooks, name), "ZCARD", self._keys.hook(name, "order"))
        facts = Facts.asked(questions, self._keys, first.workers, hook_names, now_ms)
        at_risk: list[int] = []
        days = [raw.decode(errors="replace") for raw in listed(first.days)]
        for day in days:
            told = self._keys.day_told(account_of(day), within_account(day))
            questions.ask(_at_risk_into(at_risk), "HMGET", told, "is_at_risk", "will_miss")
        await questions.run()
        await self._ask_more(accounts.values(), groups)
        await self._reckon(accounts.values(), now_ms)
        fault, words = _fault(first.written)
        refused = (redis_word(first.written), words) if fault else ("", "")
        seen_accounts, seen_lanes = _as_status_sees(accounts.values(), now_ms)
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
            n_workers=facts.n_alive,
            n_lost=facts.n_lost,
            overview=facts.overview(
                seen_accounts, seen_lanes, groups.lags(), hooks, refused, [*self._damaged(first), *questions.damaged]
            ),
        )

    async def _first(self) -> _First:
        pipe = self._redis.pipeline(transaction=False)
        for parts in self._first_questions():
            pipe.execute_command(*parts)
        return _First(*await pipe.execute(raise_on_error=False))

    def _first_questions(self) -> tuple[tuple[str | int, ...], ...]:
        now_ms = round(time.time() * 1000)
        return (
            ("TIME",),
            ("SMEMBERS", self._keys.lanes()),
            ("ZRANGE", self._keys.served_accounts(), 0, -1),
            ("GET", self._keys.leader("intake")),
            ("XLEN", self._keys.dead()),
            ("HGETALL", self._keys.counts()),
            ("ZRANGE", self._keys.hooks_seen(), 0, -1),
            ("ZRANGEBYSCORE", self._keys.days(), f"({now_ms}", "+inf", "LIMIT", 0, _MOST_DAYS),
            ("ZRANGE", self._keys.workers(), 0, -1, "WITHSCORES"),
            ("SET", self._probe, "1", "PX", _PROBE_LIFE_MS),
        )

    def _damaged(self, first: _First) -> list[str]:
        """Keys that hold something else than they should."""
        asked = zip(self._first_questions(), first, strict=True)
        return [str(parts[1]) for parts, one in asked if isinstance(one, RedisError) and redis_word(one) == "WRONGTYPE"]

    def _names(self, first: _First) -> dict[str, _AccountRead]:
        """Every account that is configured here, was served lately, or has work, with its lanes."""
        lanes = sorted(raw.decode(errors="replace") for raw in listed(first.lanes))[:_MOST_LANES]
        names = {raw.decode(errors="replace") for raw in listed(first.served)} | self._accounts.keys()
        found = {name: _AccountRead(name) for name in sorted(names | {account_of(lane) for lane in lanes})}
        for lane in lanes:
            found[account_of(lane)].lanes.append(_Lane(lane))
        return found

    def _ask_account(self, questions: Questions, account: _AccountRead) -> None:
        keys, name = self._keys, account.name
        questions.ask(attribute(account, "stored"), "HGETALL", keys.account(name))
        if name in self._accounts:
            last = self._accounts[name].rate_limit - 1
            questions.ask(attribute(account, "grants"), "LRANGE", keys.grants(name), 0, last)
        questions.ask(attribute(account, "token"), "HMGET", keys.token(name), "expires_at")
        questions.ask(attribute(account, "ranges"), "HGETALL", keys.ranges(name))
        for lane in account.lanes:
            self._ask_lane(questions, lane)

    def _ask_lane(self, questions: Questions, lane: _Lane) -> None:
        keys = self._keys
        places = (keys.waiting(lane.name), keys.later(lane.name), keys.in_flight(lane.name))
        for n, place in enumerate(places):
            questions.ask(into(lane.sizes, n), "ZCARD", place)
        questions.ask(attribute(lane, "hold"), "HMGET", keys.lane(lane.name), *HOLD)
        for low, high in score_bands():
            parts = ("ZRANGEBYSCORE", places[0], low, f"({high}", "WITHSCORES", "LIMIT", 0, 1)
            questions.ask(_oldest_into(lane), *parts)

    async def _ask_more(self, accounts: Sequence[_AccountRead] | Any, groups: Groups) -> None:
        """
        Of groups what they have had in hand for long; and when jobs were pushed that stand before all others, because
        they are on again: only a record tells.
        """
        questions = Questions(self._redis)
        groups.ask_of_pending(questions)
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
        known, stored = self._accounts.get(read.name), read.state
        state = AccountState(
            read.name,
            tuple(self._lane(lane, now_ms) for lane in read.lanes),
            blocked=_blocked(_hold_in(stored, now_ms)),
            token_expires_ms=whole(read.token[0]) or None,
            ranges=tuple(_ranges(read.ranges)),
        )
        if known is None or read.grants is None:
            return state
        counted_ms = limit_window_ms(known) + whole(stored.get("margin_ms"))
        n_used = sum(whole(at) > now_ms - counted_ms for at in read.grants)
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
            _blocked(hold_of(read.hold, now_ms)) if any(read.sizes) else "",
        )


def _away(exc: Exception) -> Snapshot:
    fault = _FAULTS.get(redis_word(exc), "redis.unavailable")
    return Snapshot(fault, words_of(exc), is_read=False)


def _fault(written: Any) -> tuple[str, str]:
    """What keeps Redis from being written. Who may only look is no reason to worry."""
    if not isinstance(written, Exception) or isinstance(written, NoPermissionError):
        return "", ""
    return _FAULTS.get(redis_word(written), "redis.refuses"), words_of(written)


def _hold_in(state: Mapping[str, bytes], now_ms: int) -> Hold | None:
    return hold_of([state.get(name) for name in HOLD], now_ms)


def _blocked(hold: Hold | None) -> str:
    """Why nothing goes on until somebody mends it, or Factus does; empty for a pause that has an end."""
    return "" if hold is None or hold.reason == SLOWED else hold.reason or "other"


def _as_status_sees(
    accounts: Iterable[_AccountRead], now_ms: int
) -> tuple[tuple[AccountSeen, ...], tuple[LaneSeen, ...]]:
    """
    Accounts and lanes of which there may be something to tell: those that something holds, and their lanes; and one
    lane with work of each other account, which somebody has to serve.
    """
    seen: list[AccountSeen] = []
    lanes: list[LaneSeen] = []
    for account in accounts:
        state = account.state
        hold = _hold_in(state, now_ms)
        mine = [lane_seen(one.name, account.name, one.sizes, hold_of(one.hold, now_ms), hold) for one in account.lanes]
        found = account_seen(account.name, state, hold)
        if hold or found.blocks or any(lane.hold for lane in mine):
            seen.append(found)
            lanes += mine
        else:
            lanes += [lane for lane in mine if lane.n_open][:1]
    return tuple(seen), tuple(lanes)


def _counts(reply: Any) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for name, n in rows(reply):
        read = read_field(name.decode(errors="replace"))
        if read is not None:
            found[read] = whole(n)
    return found


def _ranges(reply: Any) -> Iterator[RangeSeen]:
    for name, noted in rows(reply)[:_MOST_RANGES]:
        seen = RangeSeen.from_text(text(name), text(noted))
        if seen is not None:
            yield seen


# -- what is done with an answer ---------------------------------------------------------------------------------------
def _instant_into(place: list[int]) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        if at_ms := whole(answer):
            place.append(at_ms)

    return take


def _oldest_into(lane: _Lane) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        for job_id, score in scored(answer):
            if score < 0:
                lane.came_back.append(job_id.decode(errors="surrogateescape"))
            else:
                lane.oldest_ms.append(pushed_ms_of(int(score)))

    return take


def _at_risk_into(found: list[int]) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        is_at_risk, will_miss = answer
        if is_at_risk == b"1":
            found.append(whole(will_miss))

    return take
