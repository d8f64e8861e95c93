"""
What is published, as it comes: one reader for all who wait and listen at this door.

The streams (results and RADIAN, those of accounts with ``own_streams`` too) are read as one, in the order of their ids.
The newest entries are kept for a while, within bounds: who comes late, or reads slowly, finds them here, and what is
older in the streams themselves. No state: what is here stands in the streams.

Several streams have no common order within a millisecond, so an entry is passed on when its millisecond is over by the
server's clock: behind an id that was passed on, nothing can come any more. What lies ahead of the clock is passed on at
once, in the order of its own stream (:mod:`worker.http.marks`): it may lie ahead for hours.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from arq.connections import ArqRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.events import is_of_another_push
from schemas import strict_json
from schemas.names import ending_of
from worker.guard import Guard, pause
from worker.http.marks import START, Clock, Mark, Place, Row, before, entry_of, place_of, turn

_BLOCK_MS: Final = 500
_MOST_READ: Final = 128
_KEPT: Final = 4096
_KEPT_BYTES: Final = 16 * 1024 * 1024
_SETTLE_S: Final = 0.001
REFUSED: Final = "job.refused"
FINAL_ENDINGS: Final = frozenset({"validated", "rejected", "failed", "completed", "refused"})


@dataclass(frozen=True, slots=True)
class Published:
    """One entry of the streams that consumers read."""

    place: Place
    type: str
    account: str
    job_id: str
    raw: bytes
    """The event, as JSON."""

    @property
    def is_final(self) -> bool:
        return ending_of(self.type) in FINAL_ENDINGS


def published(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Published]:
    """Entries as Redis gave them; what is no event is left out."""
    return [
        Published(
            place_of(entry.decode()),
            fields.get(b"type", b"").decode(errors="replace"),
            fields.get(b"account", b"").decode(errors="replace"),
            fields.get(b"job_id", b"").decode(errors="replace"),
            fields[b"event"],
        )
        for entry, fields in entries
        if b"event" in fields
    ]


@dataclass(eq=False, slots=True)
class Expected:
    """The final event that somebody waits for: of a job of an account, under any of a few ids."""

    account: str
    ids: frozenset[str]
    entry: str
    """The id of its entry in the stream; empty where it is not known."""
    found: asyncio.Future[Published]

    def take(self, one: Published) -> None:
        """Enter an event, if it is the one."""
        if one.is_final and self._is_its(one) and not self.found.done():
            self.found.set_result(one)

    def _is_its(self, one: Published) -> bool:
        # An id may be anybody's, an entry is one job's: what names no account is his by that alone.
        if not one.account:
            return bool(self.entry) and one.job_id == self.entry
        if one.account != self.account or one.job_id not in self.ids:
            return False
        return one.type != REFUSED or not is_of_another_push(strict_json.parse_written(one.raw)["id"], self.ids)


@dataclass(slots=True)
class Feed:
    """Reads the streams of one namespace."""

    redis: ArqRedis
    """For reads that wait at the server (``connect(blocking=True)``)."""
    streams: Sequence[str]
    guard: Guard
    most_kept: int = _KEPT
    seen: int = 0
    """How many entries have been passed on."""
    now_ms: int = 0
    """The server's clock at the last look: what was published before it has been passed on. It may be set back."""
    is_up: bool = False
    _kept: deque[Row[Published]] = field(default_factory=deque, init=False)
    _kept_bytes: int = field(default=0, init=False)
    _gone: dict[str, Place] = field(default_factory=dict, init=False)
    """Behind which place each stream is kept."""
    _expected: dict[str, set[Expected]] = field(default_factory=lambda: defaultdict(set), init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _places: dict[str, Place] = field(default_factory=dict, init=False)
    _base: Place = field(default=START, init=False)
    """Up to where all streams have been passed on."""
    _count: int = field(default=_MOST_READ, init=False)

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until *stopping*. Whatever fails, it goes on where it was."""
        while not stopping.is_set():
            with self.guard.iteration() as iteration:
                try:
                    await self._turn()
                    self.is_up = True
                except BaseException:
                    self.is_up = False
                    raise
            await pause(stopping, iteration.pause_s) if iteration.pause_s else None
        self._wake()

    # -- for those who wait ----------------------------------------------------------------------------------------
    @contextmanager
    def expect(
        self, account: str, ids: Iterable[str], since: int, *, entry: str = ""
    ) -> Iterator[asyncio.Future[Published]]:
        """
        A future of the final event of a job, while the block lasts.

        Args:
            ids: Names under which the job may end.
            since: :attr:`seen` of before it was pushed: what came meanwhile is found as well.
            entry: The id of its entry, by which alone it is known where its account could not be read.
        """
        one = Expected(
            account, frozenset(filter(None, (*ids, entry))), entry, asyncio.get_running_loop().create_future()
        )
        for kept in self.kept_since(since) or ():
            one.take(kept.one)
        for name in one.ids:
            self._expected[name].add(one)
        try:
            yield one.found
        finally:
            for name in one.ids:
                self._expected[name].discard(one)
                if not self._expected[name]:
                    del self._expected[name]

    def kept_since(self, n: int) -> list[Row[Published]] | None:
        """What was passed on behind the first *n*, in that order; None where some of that is kept no more."""
        if n < self.seen - len(self._kept):
            return None
        found = list(islice(reversed(self._kept), self.seen - n))
        found.reverse()
        return found

    def kept_behind(self, mark: Mark) -> list[Row[Published]] | None:
        """What was passed on behind a mark; None where some of that is kept no more, or the mark is further on."""
        if not self._places or mark.base > self._base:
            return None
        if any(place > mark.of(stream) for stream, place in self._gone.items()):
            return None
        if any(place > self._places.get(stream, START) for stream, place in mark.ahead.items()):
            return None
        return [row for row in self._kept if row.place > mark.of(row.stream)]

    async def news(self, timeout_s: float) -> None:
        """Wait until something is passed on, or for so long."""
        event = self._news
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return

    async def reached(self, now_ms: int, timeout_s: float) -> bool:
        """Wait until all that was published before an instant of the server's clock is passed on; False: it is not."""
        gives_up_at = asyncio.get_running_loop().time() + timeout_s
        while self.now_ms <= now_ms:
            left_s = gives_up_at - asyncio.get_running_loop().time()
            if left_s <= 0:
                return False
            await asyncio.sleep(min(left_s, 0.05))
        return True

    # -- reading ---------------------------------------------------------------------------------------------------
    async def _turn(self) -> None:
        if not self._places:
            await self._begin()
        waiting = await self._look()
        if waiting:
            await asyncio.sleep(_SETTLE_S)
            return
        # Only to be woken: what came is read by the next look, with the clock.
        await self.redis.xread(self._waits(), count=1, block=_BLOCK_MS)

    async def _begin(self) -> None:
        """From what is published now on."""
        now_ms, last_ids = await last_ids_of(self.redis, self.streams)
        self._base = before(now_ms)
        self._places = {stream: max(self._base, place) for stream, place in last_ids.items()}
        self._gone = dict(self._places)

    def _waits(self) -> dict[Any, Any]:
        return {stream: entry_of(place) for stream, place in self._places.items()}

    async def _look(self) -> bool:
        """Pass on what is complete; whether something is there that will be in a moment, or more than was read."""
        # No transaction: a Redis user that may only read has no right to one.
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.xread(self._waits(), count=self._count)
            pipe.time()
            try:
                began, reply, ended = await pipe.execute()
            except RedisError:
                self._count = max(self._count // 4, 1)  # it may have been more than a reply may hold
                raise
        clock = Clock.of(began, ended)
        now_ms = clock.before_ms
        read = {stream.decode(): published_or_not(entries) for stream, entries in reply or ()}
        full = [stream for stream, entries in read.items() if len(entries) >= self._count]
        found = turn(self._places, read, full, clock)
        for row in found.rows:
            self._places[row.stream] = row.place
        self._base = found.upto.base if found.has_more else before(now_ms)
        self._pass_on([Row(row.stream, row.place, row.one, row.mark) for row in found.rows if row.one is not None])
        self._count = min(self._count * 2, _MOST_READ)
        if not found.has_more:
            self.now_ms = now_ms
        return found.has_more

    def _pass_on(self, complete: Sequence[Row[Published]]) -> None:
        for row in complete:
            self._keep(row)
            for expected in list(self._expected.get(row.one.job_id, ())) if row.one.job_id else ():
                expected.take(row.one)
        if complete:
            self._wake()

    def _keep(self, row: Row[Published]) -> None:
        self.seen += 1
        self._kept.append(row)
        self._kept_bytes += len(row.one.raw)
        while len(self._kept) > self.most_kept or self._kept_bytes > _KEPT_BYTES:
            gone = self._kept.popleft()
            self._kept_bytes -= len(gone.one.raw)
            self._gone[gone.stream] = gone.place

    def _wake(self) -> None:
        event, self._news = self._news, asyncio.Event()
        event.set()


async def last_ids_of(redis: Redis, streams: Sequence[str]) -> tuple[int, dict[str, Place]]:
    """The server's clock, and the last id that each stream had given a moment later."""
    async with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for stream in streams:
            pipe.xinfo_stream(stream)
        (seconds, micros), *infos = await pipe.execute(raise_on_error=False)
    last_ids = {}
    for stream, info in zip(streams, infos, strict=True):
        if isinstance(info, Exception):
            if "no such key" not in str(info):
                raise info
            last_ids[stream] = START
        else:
            last_ids[stream] = place_of(info["last-generated-id"].decode())
    return int(seconds) * 1000 + int(micros) // 1000, last_ids


def published_or_not(
    entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]],
) -> list[tuple[Place, Published | None]]:
    """Each entry's place, with its event where it is one."""
    return [(place_of(entry.decode()), next(iter(published([(entry, fields)])), None)) for entry, fields in entries]
