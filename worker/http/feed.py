"""
What is published, as it comes: one reader for all who wait and listen at this door.

The streams (results and RADIAN, those of accounts with ``own_streams`` too) are read as one, in the order of their ids.
The newest entries are kept for a while, within bounds: who comes late, or reads slowly, finds them here, and what is
older in the streams themselves. No state: what is here stands in the streams.

Several streams have no common order within a millisecond, so an entry is passed on when its millisecond is over by the
server's clock: behind an id that was passed on, nothing can come any more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from jobs.events import is_of_another_push
from schemas import strict_json
from schemas.names import ending_of
from worker.guard import Guard, pause

_BLOCK_MS: Final = 500
_MOST_READ: Final = 128
_KEPT: Final = 4096
_KEPT_BYTES: Final = 16 * 1024 * 1024
_SETTLE_S: Final = 0.001
REFUSED: Final = "job.refused"
FINAL_ENDINGS: Final = frozenset({"validated", "rejected", "failed", "completed", "refused"})

Place = tuple[int, int]
"""The id of a stream's entry: milliseconds, and its number within them."""

START: Final[Place] = (0, 0)


def place_of(entry: str) -> Place:
    """An id as it stands in a stream, or its milliseconds alone."""
    ms, _, seq = entry.partition("-")
    return int(ms), int(seq or 0)


def entry_of(place: Place) -> str:
    return f"{place[0]}-{place[1]}"


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
    seen: Place = START
    """Everything up to here has been passed on."""
    now_ms: int = 0
    """The server's clock at the last look: what was published before it has been passed on."""
    is_up: bool = False
    _kept: deque[Published] = field(default_factory=deque, init=False)
    _kept_bytes: int = field(default=0, init=False)
    _first_kept: Place = field(default=START, init=False)
    _expected: dict[str, set[Expected]] = field(default_factory=lambda: defaultdict(set), init=False)
    _news: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _places: dict[str, str] = field(default_factory=dict, init=False)
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
        self, account: str, ids: Iterable[str], since: Place, *, entry: str = ""
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
            one.take(kept)
        for name in one.ids:
            self._expected[name].add(one)
        try:
            yield one.found
        finally:
            for name in one.ids:
                self._expected[name].discard(one)
                if not self._expected[name]:
                    del self._expected[name]

    def kept_since(self, place: Place) -> list[Published] | None:
        """What was passed on behind a place, oldest first; None where some of that is kept no more."""
        if place < self._first_kept:
            return None
        found: list[Published] = []
        for one in reversed(self._kept):
            if one.place <= place:
                break
            found.append(one)
        found.reverse()
        return found

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
        await self.redis.xread(dict[Any, Any](self._places), count=1, block=_BLOCK_MS)

    async def _begin(self) -> None:
        """From what is published now on."""
        seconds, micros = await self.redis.time()
        start = f"{int(seconds) * 1000 + int(micros) // 1000 - 1}-{2**64 - 1}"
        self._places = dict.fromkeys(self.streams, start)
        self.seen = self._first_kept = place_of(start)

    async def _look(self) -> bool:
        """Pass on what is complete; whether something is there that will be in a moment, or more than was read."""
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.xread(dict[Any, Any](self._places), count=self._count)
            try:
                (seconds, micros), reply = await pipe.execute()
            except RedisError:
                self._count = max(self._count // 4, 1)  # it may have been more than a reply may hold
                raise
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        read = {stream.decode(): published_or_not(entries) for stream, entries in reply or ()}
        # Where a stream has more than was read, the others may not run ahead of it.
        horizon = min(
            [(now_ms, 0), *((one[-1][0][0], one[-1][0][1] + 1) for one in read.values() if len(one) >= self._count)]
        )
        complete: list[Published] = []
        n_left = 0
        for stream, entries in read.items():
            for place, one in entries:
                if place >= horizon:
                    n_left += 1
                    continue
                self._places[stream] = entry_of(place)
                if one is not None:
                    complete.append(one)
        complete.sort(key=lambda one: one.place)
        self._pass_on(complete)
        self._count = min(self._count * 2, _MOST_READ)
        if not n_left:
            self.now_ms = max(self.now_ms, now_ms)
        return bool(n_left)

    def _pass_on(self, complete: Sequence[Published]) -> None:
        for one in complete:
            self.seen = max(self.seen, one.place)
            self._keep(one)
            for expected in list(self._expected.get(one.job_id, ())) if one.job_id else ():
                expected.take(one)
        if complete:
            self._wake()

    def _keep(self, one: Published) -> None:
        self._kept.append(one)
        self._kept_bytes += len(one.raw)
        while len(self._kept) > self.most_kept or self._kept_bytes > _KEPT_BYTES:
            gone = self._kept.popleft()
            self._kept_bytes -= len(gone.raw)
            self._first_kept = gone.place

    def _wake(self) -> None:
        event, self._news = self._news, asyncio.Event()
        event.set()


def published_or_not(
    entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]],
) -> list[tuple[Place, Published | None]]:
    """Each entry's place, with its event where it is one."""
    return [(place_of(entry.decode()), next(iter(published([(entry, fields)])), None)) for entry, fields in entries]
