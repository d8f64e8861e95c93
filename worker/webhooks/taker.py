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
from redis.exceptions import ResponseError

from jobs.webhooks.bodies import EventHead, UnreadableEvent, body_of, read_event
from jobs.webhooks.endpoint import Endpoint, rank_of
from jobs.webhooks.places import Place, Places, StreamFacts, entry_id, first_place, read_places, written
from jobs.webhooks.signing import message_id
from worker.guard import Guard, pause, shown
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs
from worker.webhooks.book import DeliveryValues, Move, WebhookBook, packed_body
from worker.webhooks.policy import WebhookPolicy

log = structlog.get_logger()

_NOT_LEADING_S: Final = 1.0
_LEADER: Final = "webhooks"
_FIRST_PAGE: Final = 16
_LARGE_PAGE: Final = 4 * 1024 * 1024
"""Bytes of a page from which the next one is smaller: an event may have more than a megabyte."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream."""

    stream: str
    id: str
    raw: bytes | None
    """The event; None where somebody else's entry has none."""


@dataclass(slots=True)
class _Group:
    """Endpoints that stand at the same place, each with what is kept of it."""

    places: Places
    kept: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Slice:
    """What becomes of some entries: bodies, and a delivery for each endpoint that wants one."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    deliveries: list[DeliveryValues] = field(default_factory=list)

    def add(
        self, raw: bytes, head: EventHead, event: dict[str, Any], at_ms: int, endpoints: Iterable[Endpoint]
    ) -> None:
        """An event, for those of the endpoints that take it."""
        message = message_id(head.id)
        for endpoint in endpoints:
            if not endpoint.takes(head):
                continue
            name = f"{message}:{endpoint.body_form}"
            if name not in self.bodies:
                self.bodies[name] = packed_body(body_of(raw, event, endpoint.omit))
            self.deliveries.append(
                DeliveryValues(
                    endpoint=endpoint.name,
                    id=message,
                    body=name,
                    rank=rank_of(head, message),
                    made_at=str(at_ms),
                    type=head.type,
                    account=head.account,
                    reference=head.reference_code,
                    size=len(self.bodies[name]),
                )
            )


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
        self.is_leader = False

    async def run(self, wake: Callable[[], None], stopping: asyncio.Event) -> None:
        """Until *stopping*. *wake* is called when deliveries were made."""
        while not stopping.is_set():
            pause_s = 0.0
            with self._guard.turn() as turn:
                if await self._leads():
                    await self._look(wake, stopping)
                else:
                    pause_s = _NOT_LEADING_S
            await pause(stopping, turn.pause_s or pause_s)
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
            made, more = await self._take_for(group, [endpoints[name] for name in group.kept], streams)
            n_made, has_more = n_made + made, has_more or more
        return n_made, has_more, groups[-1].places if groups else None

    async def streams(self) -> list[str]:
        """The streams that events are read from: the common ones, and those of accounts with their own."""
        if time.monotonic() - self._streams_at >= self._policy.streams_s:
            served = await self._redis.zrange(self._keys.served_accounts(), 0, -1)
            names = sorted({name.decode(errors="replace") for name in served} | self._own)
            own = [stream for name in names for stream in (self._keys.results(name), self._keys.radian(name))]
            async with self._redis.pipeline(transaction=False) as pipe:
                for stream in own:
                    pipe.exists(stream)
                there = await pipe.execute() if own else []
            found = [stream for stream, is_there in zip(own, there, strict=True) if is_there]
            self._streams = [self._keys.results(), self._keys.radian(), *found]
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
        now_ms = int((await self._redis.time())[0]) * 1000
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self._keys.hook_places(), names)
            pipe.zadd(self._keys.hooks_seen(), dict.fromkeys(names, now_ms))
            for name in names:
                pipe.zcard(self._keys.hook(name, "order"))
                pipe.hmget(self._keys.hook(name), ["bytes", "since"])
            kept, _, *filled = await pipe.execute()
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
            groups.setdefault(written(here), _Group(here)).kept[name] = before
        return sorted(groups.values(), key=lambda group: max(entry_id(one.entry) for one in group.places.values()))

    async def _begin(
        self, endpoint: Endpoint, before: str, streams: Sequence[str], now_ms: int
    ) -> tuple[str, dict[str, Place]]:
        """The first place of an endpoint; what cannot be read is set anew, and said."""
        if before:
            log.error("webhooks.place_damaged", member=endpoint.name)
        from_start = endpoint.start == "all" and not before
        rows = {stream: first_place(await self._facts(stream), from_start=from_start) for stream in streams}
        await self._book.note_since(endpoint.name, 1 if from_start else now_ms)
        await self._book.take([Move(endpoint.name, before, written(rows))], {}, [])
        log.info("webhooks.endpoint_begins", member=endpoint.name, detail=endpoint.start)
        return written(rows), rows

    async def _facts(self, stream: str) -> StreamFacts | None:
        try:
            info = await self._redis.xinfo_stream(stream)
        except ResponseError as exc:
            if "no such key" not in str(exc):
                raise
            return None
        return _facts_of(info, 0, is_whole=False)

    async def _take_for(self, group: _Group, endpoints: Sequence[Endpoint], streams: Sequence[str]) -> tuple[int, bool]:
        entries, facts = await self._read(group.places, streams)
        # Of streams that are read in pages nothing is taken that is newer than what is still unread of another one:
        # events of one job may stand in two.
        ends = [rows[-1].id for stream, rows in entries.items() if rows and not facts[stream].is_whole]
        horizon = min(map(entry_id, ends)) if ends else None
        taken = {
            stream: [one for one in rows if horizon is None or entry_id(one.id) <= horizon]
            for stream, rows in entries.items()
        }
        moved = {}
        for stream, rows in taken.items():
            place = group.places[stream]
            if stream in facts:
                await self._tell_of_trimmed(stream, place.n_trimmed(facts[stream]), group)
                moved[stream] = place.moved(rows[-1].id if rows else place.entry, len(rows), facts[stream])
        after = {**group.places, **moved}
        if after == group.places:
            return 0, False
        ordered = sorted((one for rows in taken.values() for one in rows), key=lambda one: entry_id(one.id))
        made = self._slice(ordered, endpoints)
        moves = [Move(name, before, written(after)) for name, before in group.kept.items()]
        n_made = await self._book.take(moves, made.bodies, made.deliveries)
        return n_made or 0, n_made is None or horizon is not None

    async def _read(
        self, places: Places, streams: Sequence[str]
    ) -> tuple[dict[str, list[Entry]], dict[str, StreamFacts]]:
        """A page of each stream, and how it stands, all of one moment."""
        page = self._page
        async with self._redis.pipeline(transaction=True) as pipe:
            for stream in streams:
                pipe.xinfo_stream(stream)
                pipe.xrange(stream, min=f"({places[stream].entry}", count=page)
            reply = await pipe.execute(raise_on_error=False)
        entries: dict[str, list[Entry]] = {}
        facts: dict[str, StreamFacts] = {}
        for n, stream in enumerate(streams):
            info, rows = reply[2 * n], reply[2 * n + 1]
            for part in (info, rows):
                if isinstance(part, Exception) and "no such key" not in str(part):
                    raise part
            if isinstance(info, Exception):
                continue
            entries[stream] = [Entry(stream, id_.decode(), fields.get(b"event")) for id_, fields in rows]
            facts[stream] = _facts_of(info, len(rows), is_whole=len(rows) < page)
        n_bytes = sum(len(one.raw or b"") for rows in entries.values() for one in rows)
        self._page = max(page // 4, 4) if n_bytes > _LARGE_PAGE else min(2 * page, self._policy.page)
        return entries, facts

    def _slice(self, entries: Sequence[Entry], endpoints: Sequence[Endpoint]) -> Slice:
        made = Slice()
        for entry in entries:
            try:
                head, event = read_event(entry.raw or b"")
            except UnreadableEvent as exc:
                log.error("webhooks.entry_unreadable", stream=entry.stream, entry=entry.id, detail=str(exc))
                continue
            made.add(entry.raw or b"", head, event, entry_id(entry.id)[0], endpoints)
        return made

    async def _tell_of_trimmed(self, stream: str, n: int, group: _Group) -> None:
        if not n:
            return
        now_ms = int((await self._redis.time())[0]) * 1000
        for name in group.kept:
            log.error("webhooks.entries_trimmed", stream=shown(stream), member=name, n_trimmed=n)
            await self._book.note_gone(name, n, now_ms)

    # -- the lead --------------------------------------------------------------------------------------------------
    async def _leads(self) -> bool:
        keys = {"leader": self._keys.leader(_LEADER)}
        args: ScriptArgs = {"worker": self._process_id, "lease_ms": self._policy.lead_ms}
        self.is_leader = bool(await self._book.scripts.run("acquire_leadership", keys, args))
        return self.is_leader

    async def _resign(self) -> None:
        if self.is_leader:
            with self._guard.turn():
                keys = {"leader": self._keys.leader(_LEADER)}
                await self._book.scripts.run("release_leadership", keys, {"worker": self._process_id})


def _facts_of(info: Mapping[str, Any], n_read: int, *, is_whole: bool) -> StreamFacts:
    added = info.get("entries-added")
    last = info["last-generated-id"]
    return StreamFacts(
        n_added=int(added) if added is not None else None,
        length=int(info["length"]),
        last_id=last.decode() if isinstance(last, bytes) else str(last),
        n_read=n_read,
        is_whole=is_whole,
    )
