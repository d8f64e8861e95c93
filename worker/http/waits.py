"""
Waiting for the final event of a job that was just pushed.

The event comes from the one reader of the streams. What was final before it was pushed again gets no event of its own:
its end is looked up, once its entry has been taken in without a word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from schemas.records import JobRecord
from worker.http.feed import Feed, Published
from worker.status.final_events import FinalEvents
from worker.store.connection import command
from worker.store.keys import Keys

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_LATE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Pushed:
    """A job in its stream."""

    account: str
    id: str
    entry: str
    stream: str
    owner: str | None
    """The account whose own stream it is."""
    before: int
    """How much had been passed on before it was pushed."""

    @property
    def has_own_id(self) -> bool:
        return self.id != self.entry


@dataclass(slots=True)
class Waits:
    """Waits for jobs."""

    redis: ArqRedis
    keys: Keys
    feed: Feed
    finals: FinalEvents

    async def final_of(self, pushed: Pushed, seconds: float, gone: Callable[[], Awaitable[None]]) -> bytes | None:
        """
        The final event (JSON), or None when time is up or whoever waits has gone.

        Args:
            gone: Ends when nobody waits any more.
        """
        with self.feed.expect(pushed.account, {pushed.id}, pushed.before, entry=pushed.entry) as found:
            left = asyncio.create_task(_ignoring(gone))
            # A repetition may be answered by nothing at all.
            again = asyncio.create_task(self._of_a_repetition(pushed)) if pushed.has_own_id else None
            try:
                await _first_of(found, left, again, seconds)
                if found.done():
                    return found.result().raw
                if again is not None and again.done() and not again.exception() and again.result() is not None:
                    return again.result()
                return None if left.done() else await self._late(pushed)
            finally:
                for task in (left, again):
                    if task is not None:
                        task.cancel()

    async def record_of(self, account: str, job_id: str) -> JobRecord | None:
        stored = dict(await command(self.redis, "HGETALL", self.keys.job(account, job_id)))
        return JobRecord.from_hash(stored) if stored else None

    async def _late(self, pushed: Pushed) -> bytes | None:
        """
        A last look when time is up: what was published while the reader of the streams was not there (Redis had been
        away, and its first look came after) is found where it stands.
        """
        try:
            async with asyncio.timeout(_LATE_S):
                record = await self.record_of(pushed.account, pushed.id)
                if record is None:
                    # It is his own entry: where its account could not be read, he is told all the same.
                    return await self.finals.of_entry(
                        pushed.entry, lambda whose: whose in (pushed.account, ""), pushed.owner
                    )
                is_its = record.is_final and record.entry == pushed.entry
                return await self.finals.of_job(record) if is_its else None
        except (RedisError, OSError, ValueError):
            return None

    async def _of_a_repetition(self, pushed: Pushed) -> bytes | None:
        """The end of a job that was final when it was pushed again; None where that is not so: its event comes."""
        record = await self.record_of(pushed.account, pushed.id)
        if record is None or not record.is_final or record.entry == pushed.entry:
            return None
        pause_s = _FIRST_PAUSE_S
        while await self.redis.xrange(pushed.stream, min=pushed.entry, max=pushed.entry, count=1):
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        # Its entry is gone. Had it another content, that was said in the same step, and is found before this.
        seconds, micros = await self.redis.time()
        await self.feed.reached(int(seconds) * 1000 + int(micros) // 1000, 5.0)
        return await self.finals.of_job(record)


async def _ignoring(gone: Callable[[], Awaitable[None]]) -> None:
    # Asked for here: a task that is cancelled before it has begun would leave behind what nobody awaits.
    await gone()


async def _first_of(
    found: asyncio.Future[Published],
    left: asyncio.Task[None],
    again: asyncio.Task[bytes | None] | None,
    seconds: float,
) -> None:
    gives_up_at = asyncio.get_running_loop().time() + seconds
    while not found.done() and not left.done():
        left_s = gives_up_at - asyncio.get_running_loop().time()
        if left_s <= 0:
            return
        waiting: set[asyncio.Future[Any]] = {found, left}
        if again is not None and not again.done():
            waiting.add(again)
        done, _ = await asyncio.wait(waiting, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if again is not None and again in done and not again.exception() and again.result() is not None:
            return
