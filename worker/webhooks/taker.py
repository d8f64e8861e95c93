"""
From the result streams to deliveries: each event once for each endpoint that wants it, in the order of publication.

One process reads at a time; another one that reads all the same does no harm, since a place moves only from where it
was read. Endpoints that stand at the same place are read for together. One that has more waiting than may be is left
where it stands: its events wait in the stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from jobs.webhooks.endpoint import Endpoint
from jobs.webhooks.places import Place, Places, entry_id, first_place, read_places, set_aside, written
from worker.guard import Guard, pause, shown
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs
from worker.webhooks.book import Move, WebhookBook
from worker.webhooks.policy import WebhookPolicy
from worker.webhooks.slices import slice_of
from worker.webhooks.streams import event_streams, facts_of, in_order, read_page

log = structlog.get_logger()

_NOT_LEADING_S: Final = 1.0
_LEADER: Final = "webhooks"
_RENEWED_AFTER: Final = 0.2
"""Of the lease of who reads."""
_FIRST_PAGE: Final = 16
_LARGE_PAGE: Final = 4 * 1024 * 1024
"""Bytes of a page from which the next one is smaller: an event may have more than a megabyte."""


@dataclass(slots=True)
class _Group:
    """Endpoints that stand at the same place, each with what is kept of it, and its places in streams that are gone."""

    places: Places
    kept: dict[str, str] = field(default_factory=dict)
    aside: dict[str, Places] = field(default_factory=dict)


class Taker:
    """The reading side of one process."""

    def __init__(
        self,
        redis: Redis,
        blocking: Redis,
        book: WebhookBook,
        process_id: str,
        endpoints: Callable[[], Mapping[str, Endpoint]],
        own_streams: Iterable[str],
        guard: Guard,
        policy: WebhookPolicy,
    ) -> None:
        """
        Args:
            endpoints: Those of the file, as they are now.
            own_streams: Accounts that are known to have their own.
        """
        self._redis = redis
        self._blocking = blocking
        self._book = book
        self._keys: Keys = book.keys
        self._process_id = process_id
        self._endpoints = endpoints
        self._own = frozenset(own_streams)
        self._guard = guard
        self._policy = policy
        self._streams: list[str] = []
        self._streams_at = float("-inf")
        self._page = min(_FIRST_PAGE, policy.page)
        self._seen: Sequence[str] = ()
        self._seen_at = float("-inf")
        self._led_at = float("-inf")
        self.is_leader = False

    async def run(self, wake: Callable[[], None], stopping: asyncio.Event) -> None:
        """Until *stopping*. *wake* is called when deliveries were made."""
        while not stopping.is_set():
            pause_s = 0.0
            with self._guard.iteration() as iteration:
                if await self._leads():
                    await self._look(wake, stopping)
                else:
                    pause_s = _NOT_LEADING_S
            await pause(stopping, iteration.pause_s or pause_s)
        await self._resign()

    async def take(self) -> tuple[int, bool, Places | None]:
        """
        One turn: a page for each group of endpoints.

        Returns:
            How many deliveries were made, whether there may be more to read, and where the foremost stand.
        """
        endpoints = self._endpoints()
        streams = await self.streams()
        groups = await self._groups(endpoints, streams)
        n_made, has_more = 0, False
        for group in groups:
            made, more = await self._take_for(group, [endpoints[name] for name in group.kept])
            n_made, has_more = n_made + made, has_more or more
        return n_made, has_more, groups[-1].places if groups else None

    async def streams(self) -> list[str]:
        """The streams that events are read from: the common ones, and those of accounts with their own."""
        if time.monotonic() - self._streams_at >= self._policy.streams_s:
            self._streams = await event_streams(self._redis, self._keys, self._own)
            self._streams_at = time.monotonic()
        return self._streams

    # -- parts -----------------------------------------------------------------------------------------------------
    async def _look(self, wake: Callable[[], None], stopping: asyncio.Event) -> None:
        n_made, has_more, places = await self.take()
        if n_made:
            wake()
        if has_more or stopping.is_set():
            return
        if places is None:
            await pause(stopping, self._policy.block_ms / 1000)
            return
        waits = {stream: place.entry for stream, place in places.items()}
        await self._blocking.xread(dict[Any, Any](waits), count=1, block=self._policy.block_ms)

    async def _groups(self, endpoints: Mapping[str, Endpoint], streams: Sequence[str]) -> list[_Group]:
        """Endpoints by their place, the foremost last. Those that are new get one; those that are full are left out."""
        if not endpoints:
            return []
        names = sorted(endpoints)
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hmget(self._keys.hook_places(), names)
            for name in names:
                pipe.zcard(self._keys.hook(name, "order"))
                pipe.hmget(self._keys.hook(name), ["bytes", "since"])
            (seconds, _), kept, *filled = await pipe.execute()
        now_ms = int(seconds) * 1000
        await self._note_seen(names, now_ms)
        groups: dict[str, _Group] = {}
        for n, (name, raw) in enumerate(zip(names, kept, strict=True)):
            before = raw.decode(errors="replace") if raw is not None else ""
            n_waiting, (n_bytes, since) = filled[2 * n], filled[2 * n + 1]
            places = read_places(before) if before else None
            if places is None:
                before, places = await self._begin(endpoints[name], before, streams, now_ms)
                since = None
            if n_waiting >= self._policy.most_waiting or int(n_bytes or 0) >= self._policy.most_bytes:
                continue
            # A stream that has come later is read from when the endpoint began.
            first = Place(f"{int(since or 0) or now_ms}-0")
            here = {stream: places.get(stream, first) for stream in streams}
            group = groups.setdefault(written(here), _Group(here))
            group.kept[name] = before
            # Forgotten, all that such a stream holds would go out again when it comes back.
            group.aside[name] = set_aside(places, here, self._policy.most_aside)
        return sorted(groups.values(), key=lambda group: max(entry_id(one.entry) for one in group.places.values()))

    async def _note_seen(self, names: Sequence[str], now_ms: int) -> None:
        """That a file has these endpoints. Now and then: a page costs one write, and each is synced."""
        if self._seen == names and time.monotonic() - self._seen_at < self._policy.seen_s:
            return
        await self._redis.zadd(self._keys.hooks_seen(), dict.fromkeys(names, now_ms))
        self._seen, self._seen_at = names, time.monotonic()

    async def _begin(
        self, endpoint: Endpoint, before: str, streams: Sequence[str], now_ms: int
    ) -> tuple[str, dict[str, Place]]:
        """The first place of an endpoint; what cannot be read is set anew, and said."""
        if before:
            log.error("webhooks.place_damaged", member=endpoint.name)
        from_start = endpoint.start == "all" and not before
        rows = {stream: first_place(await facts_of(self._redis, stream), from_start=from_start) for stream in streams}
        await self._book.note_since(endpoint.name, 1 if from_start else now_ms)
        await self._book.take([Move(endpoint.name, before, written(rows))], {}, [])
        log.info("webhooks.endpoint_begins", member=endpoint.name, detail=endpoint.start)
        return written(rows), rows

    async def _take_for(self, group: _Group, endpoints: Sequence[Endpoint]) -> tuple[int, bool]:
        page = await read_page(self._redis, group.places, self._page)
        self._page = max(self._page // 4, 4) if page.n_bytes > _LARGE_PAGE else min(2 * self._page, self._policy.page)
        taken, moved = page.taken(), {}
        for stream, rows in taken.items():
            place, facts = group.places[stream], page.facts[stream]
            await self._tell_of_trimmed(stream, place.n_trimmed(facts), group)
            moved[stream] = place.moved(rows[-1].id if rows else place.entry, len(rows), facts)
        after = {**group.places, **moved}
        if after == group.places:
            return 0, False
        made = slice_of(in_order(taken), endpoints)
        moves = [Move(name, before, written({**group.aside[name], **after})) for name, before in group.kept.items()]
        n_made = await self._book.take(moves, made.bodies, made.deliveries)
        return n_made or 0, n_made is None or page.horizon is not None

    async def _tell_of_trimmed(self, stream: str, n: int, group: _Group) -> None:
        if not n:
            return
        now_ms = int((await self._redis.time())[0]) * 1000
        for name in group.kept:
            log.error("webhooks.entries_trimmed", stream=shown(stream), member=name, n_trimmed=n)
            await self._book.note_gone(name, n, now_ms)

    # -- the lead --------------------------------------------------------------------------------------------------
    async def _leads(self) -> bool:
        """Whether this process reads. Its lease is renewed while most of it is left, and not with every page."""
        asked_at = time.monotonic()
        if self.is_leader and asked_at - self._led_at < self._policy.lead_ms / 1000 * _RENEWED_AFTER:
            return True
        keys = {"leader": self._keys.leader(_LEADER)}
        args: ScriptArgs = {"worker": self._process_id, "lease_ms": self._policy.lead_ms}
        self.is_leader = bool(await self._book.scripts.run("acquire_leadership", keys, args))
        self._led_at = asked_at
        return self.is_leader

    async def _resign(self) -> None:
        if self.is_leader:
            with self._guard.iteration():
                keys = {"leader": self._keys.leader(_LEADER)}
                await self._book.scripts.run("release_leadership", keys, {"worker": self._process_id})
