"""
One look at the whole service, read from Redis and shared by all who have the page open. Nothing is written.

What is read has a bound, whatever waits: lanes are counted, days and batches are reckoned for those with the most work,
of streams the newest entries are read. The names of open batches stand nowhere in a list: they are taken from jobs at
a few places of each lane, and from the newest events.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.fiscal_day import day_bounds_ms
from schemas import strict_json
from schemas.factus import BOGOTA
from schemas.names import account_of, within_account
from worker.guard import redis_word
from worker.http.door import Door
from worker.http.feed import Place, Published, published
from worker.http.page.ranges import RangeFact, facts_of, ranges_on
from worker.http.page.seen import DayAtRisk, Happened, LetterSeen, Looked
from worker.http.requests import turn_to_read
from worker.queue.day_reader import DayReader, LaneDay
from worker.settings.account import Account
from worker.status.batch import BatchReader, BatchSeen
from worker.status.facts import LaneSeen, Overview
from worker.status.reader import StatusReader
from worker.status.writes import WritesSeen
from worker.store.connection import command
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """How much is read, and how often. Counts; times in seconds."""

    most_days: int = 500
    """Of ``account/day`` that are looked through; ``days_reckoned`` of them are reckoned."""
    days_reckoned: int = 20
    references: int = 8
    lanes_sampled: int = 40
    places_sampled: int = 24
    most_batches: int = 12
    events: int = 40
    own_streams: int = 100
    events_each: int = 4
    events_kept: int = 500
    letters: int = 20
    most_bytes: int = 8 * 1024 * 1024
    """Of a page of letters or events, beyond which no further one is read."""
    largest_parsed: int = 256 * 1024
    fresh_s: float = 1.0
    rest: float = 4.0
    """A look that takes long is good for so many times as long, and ``longest_fresh_s`` at most."""
    longest_fresh_s: float = 10.0
    patience_s: float = 15.0


POLICY: Final = LookPolicy()
_PAGE: Final = 10
_MOST_RANGES: Final = 2000


class Looks:
    """The newest look; several who ask at once get one and the same."""

    def __init__(self, door: Door, policy: LookPolicy = POLICY) -> None:
        self._door = door
        self._policy = policy
        self._memory = _Memory(policy.events_kept)
        self._newest: Looked | None = None
        self._good_until = 0.0
        self._task: asyncio.Task[Looked] | None = None

    async def newest(self) -> Looked:
        """
        What was seen a moment ago, or is to be seen now.

        Raises:
            RedisError, OSError, Refusal: Redis does not answer, or no turn has come; the next call tries again.
        """
        if self._newest is not None and self._clock() < self._good_until:
            return self._newest
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="page.look")
            self._task.add_done_callback(_retrieved)
        # Whoever goes away meanwhile takes the look from nobody else.
        return await asyncio.shield(self._task)

    async def _look(self) -> Looked:
        policy, door = self._policy, self._door
        async with asyncio.timeout(policy.patience_s), turn_to_read(door):
            began = self._clock()
            found = await _Reader.of(door, policy, self._memory).look()
            took_s = self._clock() - began
        good_s = min(max(policy.fresh_s, took_s * policy.rest), policy.longest_fresh_s)
        self._newest, self._good_until = found, self._clock() + good_s
        return found

    @staticmethod
    def _clock() -> float:
        return asyncio.get_running_loop().time()


def _retrieved(task: asyncio.Task[Looked]) -> None:
    """An error that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()


class _Memory:
    """Events that were read before: an event never changes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, Place], Happened] = OrderedDict()
        self._ranges: OrderedDict[tuple[str, str], tuple[Place, RangeFact]] = OrderedDict()
        self.writes = WritesSeen()

    def of(self, stream: str, one: Published, largest: int) -> Happened:
        key = (stream, one.place)
        if key not in self._kept:
            self._kept[key] = found = happened(one, largest)
            self._note(found)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return self._kept[key]

    def _note(self, found: Happened) -> None:
        """A range as the newest event has it."""
        for fact in found.ranges:
            before = self._ranges.get(fact.key)
            if before is None or before[0] <= found.place:
                self._ranges[fact.key] = (found.place, fact)
            while len(self._ranges) > _MOST_RANGES:
                self._ranges.popitem(last=False)

    def ranges(self) -> list[RangeFact]:
        return [fact for _, (_, fact) in sorted(self._ranges.items())]

    def all(self) -> tuple[Happened, ...]:
        return tuple(sorted(self._kept.values(), key=lambda one: one.place, reverse=True))


@dataclass(slots=True)
class _Reader:
    """Reads once."""

    redis: Redis
    keys: Keys
    accounts: Mapping[str, Account]
    status: StatusReader
    days: DayReader
    batches: BatchReader
    policy: LookPolicy
    memory: _Memory
    _forecasts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, door: Door, policy: LookPolicy, memory: _Memory) -> _Reader:
        settings, configured = door.settings, door.accounts.configured
        # A new one each time: it notes what it stumbles over, and what was mended meanwhile shall not stay.
        status = StatusReader(
            door.redis,
            door.keys,
            configured,
            limit=settings.rate_limit,
            window_s=settings.rate_window,
            results_maxlen=settings.results_maxlen,
        )
        days, batches = DayReader(door.redis, door.keys), BatchReader(door.redis, door.keys, status)
        return cls(door.redis, door.keys, configured, status, days, batches, policy, memory)

    async def look(self) -> Looked:
        overview = await self.status.overview(tries_a_write=False)
        events = await self._events()
        days, n_left_out = await self._days(overview)
        today = datetime.fromtimestamp(overview.now_ms / 1000, BOGOTA).date()
        ranges = overview.ranges or ranges_on(self.memory.ranges(), today)
        refused = await self.memory.writes.refused(self.redis, overview.now_ms)
        if refused:
            overview = replace(overview, writes_word=refused.word, writes_refused=refused.words)
        return Looked(
            overview=replace(overview, ranges=ranges),
            days=days,
            n_days_left_out=n_left_out,
            batches=await self._batches(overview, events),
            events=events,
            letters=await self._letters(),
        )

    # -- days ------------------------------------------------------------------------------------------------------
    async def _days(self, overview: Overview) -> tuple[tuple[DayAtRisk, ...], int]:
        """The days that have not ended: what was told to be at risk first, then the accounts with the most work."""
        policy, now_ms = self.policy, overview.now_ms
        members = await self._ask("ZRANGEBYSCORE", self.keys.days(), f"({now_ms}", "+inf", "LIMIT", 0, policy.most_days)
        names = [member.decode(errors="replace") for member in members or ()]
        pipe: Any = self.redis.pipeline(transaction=False)
        for name in names:
            pipe.hget(self.keys.day_told(account_of(name), within_account(name)), "is_at_risk")
        told = await pipe.execute(raise_on_error=False) if names else []
        is_told = {name: one == b"1" for name, one in zip(names, told, strict=True)}
        load: dict[str, int] = {}
        for lane in overview.lanes:
            load[lane.account] = load.get(lane.account, 0) + lane.n_waiting
        names.sort(key=lambda name: (not is_told[name], -load.get(account_of(name), 0), name))
        chosen = names[: policy.days_reckoned]
        found = [await self._day(account_of(name), within_account(name), now_ms) for name in chosen]
        return tuple(one for one in found if one is not None), len(names) - len(chosen)

    async def _day(self, name: str, day: str, now_ms: int) -> DayAtRisk | None:
        account = self.status.account_settings(name)
        try:
            ends_ms = day_bounds_ms(day, account.zone)[1]
        except ValueError:
            return None  # somebody wrote there by hand
        if name not in self._forecasts:
            self._forecasts[name] = await self.days.load(account, now_ms)
        reading, courses = self._forecasts[name]
        seen = await self.days.day(account, day, reading, courses)
        if not seen.n_waiting:
            return None
        references = [one for lane in seen.lanes for one in await self._late(name, lane, day)]
        expected = max((one.expected_ms for one in seen.lanes if one.expected_ms is not None), default=None)
        first = tuple(references[: self.policy.references])
        return DayAtRisk(name, day, ends_ms, seen.n_waiting, seen.will_miss, expected, first)

    async def _late(self, account: str, lane: LaneDay, day: str) -> list[tuple[str, str]]:
        """Family and reference of the first in a lane that will miss their day."""
        if not lane.will_miss:
            return []
        key, most = self.keys.day_jobs(lane.lane, day), self.policy.references
        ids = await self._ask("ZRANGEBYSCORE", key, lane.from_score or "-inf", "+inf", "LIMIT", 0, most)
        rows = await self._job_fields(account, ids or (), "reference_code")
        return [(within_account(lane.lane), row) for row in rows if row]

    # -- batches ---------------------------------------------------------------------------------------------------
    async def _batches(self, overview: Overview, events: Sequence[Happened]) -> tuple[BatchSeen, ...]:
        """Open batches, and those that ended of late."""
        named = dict.fromkeys([*await self._batches_of_lanes(overview.lanes), *_batches_of_events(events)])
        has_workers = bool(overview.workers)
        found: list[BatchSeen] = []
        for account, batch in list(named)[: self.policy.most_batches]:
            try:
                found += await self.batches.named(batch, [account], overview.now_ms, has_workers=has_workers)
            except (ResponseError, ValueError, KeyError):
                continue  # its key holds something else: the rest is still worth a look
        return tuple(found)

    async def _batches_of_lanes(self, lanes: Iterable[LaneSeen]) -> list[tuple[str, str]]:
        """Account and batch of jobs at a few places of each lane that has work."""
        busy = sorted((lane for lane in lanes if lane.n_open), key=lambda lane: -lane.n_open)
        pipe: Any = self.redis.pipeline(transaction=False)
        asked: list[str] = []
        for lane in busy[: self.policy.lanes_sampled]:
            parts = ((self.keys.in_flight, lane.n_in_flight), (self.keys.waiting, lane.n_waiting))
            for key, n in (*parts, (self.keys.later, lane.n_later)):
                for rank in places(n, self.policy.places_sampled):
                    pipe.zrange(key(lane.name), rank, rank)
                    asked.append(lane.account)
        rows = await pipe.execute(raise_on_error=False) if asked else []
        ids: dict[tuple[str, bytes], None] = {}
        for account, row in zip(asked, rows, strict=True):
            if row and not isinstance(row, Exception):
                ids[account, row[0]] = None
        pipe = self.redis.pipeline(transaction=False)
        for account, job_id in ids:
            pipe.hget(self.keys.job(account, job_id.decode(errors="surrogateescape")), "batch")
        stored = await pipe.execute(raise_on_error=False) if ids else []
        found = zip(ids, stored, strict=True)
        return [
            (account, one.decode(errors="replace")) for (account, _), one in found if isinstance(one, bytes) and one
        ]

    # -- streams ---------------------------------------------------------------------------------------------------
    async def _events(self) -> tuple[Happened, ...]:
        """The newest events of all streams that consumers read, newest first."""
        policy = self.policy
        own = sorted(name for name, account in self.accounts.items() if account.own_streams)[: policy.own_streams]
        for stream in self.keys.outcomes(()):
            await self._read_events(stream, policy.events)
        pipe: Any = self.redis.pipeline(transaction=False)
        streams = [stream for name in own for stream in (self.keys.results(name), self.keys.radian(name))]
        for stream in streams:
            pipe.xrevrange(stream, count=policy.events_each)
        for stream, rows in zip(streams, await pipe.execute(raise_on_error=False) if streams else (), strict=True):
            if not isinstance(rows, Exception):
                self._keep(stream, rows)
        return self.memory.all()

    async def _read_events(self, stream: str, most: int) -> None:
        for rows in await self._newest(stream, most):
            self._keep(stream, rows)

    def _keep(self, stream: str, rows: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        for one in reversed(published(rows)):
            self.memory.of(stream, one, self.policy.largest_parsed)

    async def _letters(self) -> tuple[LetterSeen, ...]:
        pages = await self._newest(self.keys.dead(), self.policy.letters)
        return tuple(letter(entry, fields, self.policy.largest_parsed) for rows in pages for entry, fields in rows)

    async def _newest(self, stream: str, most: int) -> list[list[tuple[bytes, Mapping[bytes, bytes]]]]:
        """The newest entries of a stream, in pages: one may have a megabyte."""
        pages: list[list[tuple[bytes, Mapping[bytes, bytes]]]] = []
        end, n, n_bytes = "+", 0, 0
        while n < most and n_bytes < self.policy.most_bytes:
            try:
                rows = await self.redis.xrevrange(stream, max=end, count=min(_PAGE, most - n))
            except ResponseError:
                return pages  # the key holds something else, and status says so
            pages.append(rows)
            n += len(rows)
            n_bytes += sum(len(value) for _, fields in rows for value in fields.values())
            if len(rows) < _PAGE:
                break
            end = f"({rows[-1][0].decode()}"
        return pages

    # -- parts -----------------------------------------------------------------------------------------------------
    async def _job_fields(self, account: str, ids: Sequence[bytes], name: str) -> list[str]:
        pipe: Any = self.redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hget(self.keys.job(account, job_id.decode(errors="surrogateescape")), name)
        stored = await pipe.execute(raise_on_error=False) if ids else []
        return [one.decode(errors="replace") if isinstance(one, bytes) else "" for one in stored]

    async def _ask(self, *parts: str | int) -> Any:
        """The answer to a command; None where its key holds something else, which status tells."""
        try:
            return await command(self.redis, *parts)
        except ResponseError as exc:
            if redis_word(exc) != "WRONGTYPE":
                raise
            return None


def places(n: int, most: int) -> list[int]:
    """At most so many ranks among *n*, from the first to the last, evenly."""
    if n <= most:
        return list(range(n))
    return sorted({round(k * (n - 1) / (most - 1)) for k in range(most)})


def _batches_of_events(events: Iterable[Happened]) -> list[tuple[str, str]]:
    return [(one.account, one.batch) for one in events if one.batch and one.account]


def happened(one: Published, largest: int) -> Happened:
    """An event as a line tells of it."""
    event = _object(one.raw, largest)

    def text(name: str) -> str:
        value = event.get(name)
        return value if isinstance(value, str) else ""

    return Happened(
        place=one.place,
        type=one.type or text("type"),
        account=one.account or text("account"),
        job_id=one.job_id,
        job_type=text("job_type"),
        reference_code=text("reference_code"),
        batch=text("batch"),
        message=text("message"),
        success=event.get("success") is not False,
        ranges=facts_of(event),
    )


def letter(entry: bytes, fields: Mapping[bytes, bytes], largest: int) -> LetterSeen:
    """A dead letter as a line tells of it. A hand may have written there: what is missing is empty."""
    event = _object(fields.get(b"errors", b""), largest)
    errors = event.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    ms = entry.partition(b"-")[0]

    def text(name: str) -> str:
        return fields.get(name.encode(), b"").decode(errors="replace")

    return LetterSeen(
        at_ms=int(ms) if ms.isdigit() else 0,
        reason=text("reason"),
        account=text("account"),
        job_id=text("job_id") or text("entry"),
        job_type=str(event.get("job_type") or ""),
        reference_code=str(event.get("reference_code") or ""),
        message=str(first.get("message") or event.get("message") or ""),
    )


def _object(raw: bytes, largest: int) -> dict[str, Any]:
    """The JSON of an entry; of a large one what stands at its top, of what is none nothing."""
    try:
        found = strict_json.parse(raw) if len(raw) <= largest else strict_json.top_level(raw[:largest])
    except strict_json.JsonRefused:
        return {}
    return found if isinstance(found, dict) else {}
