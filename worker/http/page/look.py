"""
One look at the whole service, read from Redis and shared by all who have the page open. Nothing is written.

What is read has a bound, whatever waits: lanes are counted, days and batches are reckoned for those with the most work,
of streams the newest entries are read. Everything is read in step, so that a look costs some fifteen round trips.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from worker.http.door import Door
from worker.http.page.days_at_risk import days_seen
from worker.http.page.look_policy import POLICY, LookPolicy
from worker.http.page.newest_entries import EventMemory, events_seen, letters_seen
from worker.http.page.open_batches import batches_seen
from worker.http.page.seen import Looked
from worker.http.requests import turn_to_read
from worker.status.reader import StatusReader
from worker.status.writes import WritesSeen
from worker.store.inquiry import Inquiry, answered, together


class Looks:
    """The newest look; several who ask at once get one and the same, and never is more than one being made."""

    def __init__(self, door: Door, policy: LookPolicy = POLICY) -> None:
        self._door = door
        self._policy = policy
        self._memory = EventMemory(policy.events_kept, policy.largest_parsed)
        self._writes = WritesSeen()
        self._newest: Looked | None = None
        self._began = 0.0
        self._good_until = 0.0
        self._task: asyncio.Task[Looked] | None = None

    async def newest(self) -> Looked:
        """
        What was seen a moment ago, or is to be seen now. Where that takes long, what was seen in the last ten seconds.

        Raises:
            RedisError, OSError, Refusal: Redis does not answer, or no turn has come; the next call tries again.
        """
        if self._newest is not None and self._clock() < self._good_until:
            return self._newest
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look(), name="page.look")
            self._task.add_done_callback(_retrieved)
        # Whoever goes away meanwhile takes the look from nobody else.
        task = asyncio.shield(self._task)
        if self._newest is not None and self._clock() < self._began + self._policy.oldest_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._policy.hurry_s):
                    return await task
            return self._newest
        return await task

    async def _look(self) -> Looked:
        policy, door = self._policy, self._door
        async with asyncio.timeout(policy.patience_s), turn_to_read(door):
            began = self._clock()
            found = await seen_now(door, self._memory, self._writes, policy)
            ended = self._clock()
        good_s = max(policy.fresh_s, (ended - began) * policy.rest)
        self._newest, self._began = found, began
        self._good_until = min(ended + good_s, began + policy.oldest_s)
        return found

    @staticmethod
    def _clock() -> float:
        return asyncio.get_running_loop().time()


def _retrieved(task: asyncio.Task[Looked]) -> None:
    """An error that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()


async def seen_now(door: Door, memory: EventMemory, writes: WritesSeen, policy: LookPolicy) -> Looked:
    """Everything that the page shows, and whether Redis takes writes: that is not tried, but seen from INFO."""
    found = await answered(door.redis, look_at(door, memory, policy))
    refused = await writes.refused(door.redis, found.overview.now_ms)
    if refused is None:
        return found
    return replace(found, overview=replace(found.overview, writes_word=refused.word, writes_refused=refused.words))


def look_at(door: Door, memory: EventMemory, policy: LookPolicy) -> Inquiry[Looked]:
    """Everything that the page shows."""
    settings, configured, keys = door.settings, door.accounts.configured, door.keys
    status = StatusReader(
        door.redis,
        keys,
        configured,
        limit=settings.rate_limit,
        window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )
    own = sorted(name for name, account in configured.items() if account.own_streams)
    (overview, loads), events, letters = yield from together(
        status.whole(tries_a_write=False),
        events_seen(keys, own, memory, policy),
        letters_seen(keys, policy),
    )
    (days, n_left_out), batches = yield from together(
        days_seen(keys, overview, loads, status.account_settings, policy),
        batches_seen(keys, overview, events, loads, status.account_settings, policy),
    )
    return Looked(
        overview=overview,
        days=days,
        n_days_left_out=n_left_out,
        batches=batches,
        events=events,
        letters=letters,
    )
