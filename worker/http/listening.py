"""
``GET /events``: what was published, a page at a time as JSON, or as it comes as Server-Sent Events.

A place in the streams is the id of an entry, and behind it nothing is ever missed: a page ends before the millisecond
that is not over yet, and never between two entries of one id (two streams may have the same). While streams lie ahead
of the clock it names those as well (:mod:`worker.http.marks`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from jobs.rights.globs import any_matches
from schemas import strict_json
from worker.http.answers import Refusal, forbidden, limited, raw_answer
from worker.http.callers import Caller
from worker.http.door import Door
from worker.http.feed import Published, last_ids_of, published_or_not
from worker.http.marks import END, Clock, Mark, Row, before, entry_of, is_mark, mark_of, turn
from worker.http.masking import masked
from worker.http.requests import caller_of, query_of, turn_to_read
from worker.http.routes import EventsQuery

_PAGE: Final = 128
_MOST_LOOKED_AT: Final = 8_192
_MOST_BYTES: Final = 16 * 1024 * 1024
_EVENT_STREAM: Final = "text/event-stream"
_RETRY: Final = b"retry: 3000\n: ok\n\n"
_COMMENT: Final = b": sigue\n\n"
_NOT_JOINED_S: Final = 0.5
"""After which who does not listen to the one reader yet looks again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody gets."""

    caller: Caller
    account: str | None
    types: tuple[str, ...]

    def takes(self, one: Published) -> bool:
        return (
            self.account in (None, one.account) and any_matches(self.types, one.type) and self.caller.sees(one.account)
        )

    def shown(self, one: Published) -> bytes:
        """The event as this caller may see it, JSON in one line."""
        if self.caller.is_masked:
            return strict_json.dump(masked(strict_json.parse_written(one.raw))).encode()
        return one.raw.replace(b"\n", b" ")


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in their order, all of them up to a place."""

    entries: tuple[Row[Published], ...]
    upto: Mark
    is_last: bool
    """Whether nothing more is there now."""


class Listening:
    """The route of events."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def events(self, request: Request) -> Response:
        """A page, or the stream, as ``Accept`` asks."""
        caller, asked = caller_of(self._door, request), query_of(request, EventsQuery)
        if asked.account is not None and not caller.sees(asked.account):
            raise forbidden()
        types = tuple(one for one in (part.strip() for part in asked.types.split(",")) if one) or ("*",)
        wanted = Wanted(caller, asked.account, types)
        if _EVENT_STREAM in request.headers.get("accept", ""):
            after = await self._mark(_last_event_id(request) or asked.after)
            return _Stream(self._door, wanted, after, request.headers.getlist("authorization"))
        async with turn_to_read(self._door):
            return await self._page(wanted, await self._mark(asked.after), asked.limit)

    async def _mark(self, text: str) -> Mark:
        return await _by_the_clock(self._door, mark_of(text, self._door.streams))

    async def _page(self, wanted: Wanted, after: Mark, limit: int) -> Response:
        found: list[Published] = []
        place, n_looked_at, n_bytes = after, 0, 0
        while len(found) < limit and n_looked_at < _MOST_LOOKED_AT and n_bytes < _MOST_BYTES:
            page = await page_after(self._door, place)
            for same in _by_place(page.entries):
                if len(found) >= limit:
                    break
                found += [row.one for row in same if wanted.takes(row.one)]
                place = same[-1].mark
                n_looked_at += len(same)
                n_bytes += sum(len(row.one.raw) for row in same)
            else:
                place = page.upto
                if page.is_last:
                    break
        events = b",".join(
            b'{"id":"%s","event":%s}' % (entry_of(one.place).encode(), wanted.shown(one)) for one in found
        )
        data = b'{"events":[' + events + b'],"next":"' + place.text().encode() + b'"}'
        return raw_answer(True, f"{len(found)} eventos.", data)


async def page_after(door: Door, after: Mark) -> Page:
    """What stands behind a mark in all the streams, of what no stream can add to any more."""
    after = await _by_the_clock(door, after)
    places = {stream: after.of(stream) for stream in door.streams}
    async with door.redis.pipeline(transaction=False) as pipe:
        pipe.time()
        streams = [stream for stream, place in places.items() if place != END]  # Redis takes no range behind it
        for stream in streams:
            pipe.xrange(stream, min=f"({entry_of(places[stream])}", count=_PAGE)
        pipe.time()
        began, *reply, ended = await pipe.execute()
    read = {stream: published_or_not(entries) for stream, entries in zip(streams, reply, strict=True)}
    full = [stream for stream, entries in read.items() if len(entries) >= _PAGE]
    found = turn(places, read, full, Clock.of(began, ended))
    entries = tuple(Row(row.stream, row.place, row.one, row.mark) for row in found.rows if row.one is not None)
    return Page(entries, found.upto if found.rows else after, not full)


async def _by_the_clock(door: Door, mark: Mark) -> Mark:
    """A mark as it is to be read from; see :meth:`Mark.by_the_clock`."""
    seconds, micros = await door.redis.time()
    if mark.base <= before(int(seconds) * 1000 + int(micros) // 1000):
        return mark
    return mark.by_the_clock(*await last_ids_of(door.redis, door.streams))


class _Stream(Response):
    """The events of one listener, for as long as it lasts, he stays, and his token holds."""

    def __init__(self, door: Door, wanted: Wanted, after: Mark, authorization: list[str]) -> None:
        super().__init__()
        self._door = door
        self._wanted = wanted
        self._mark = after
        self._n: int | None = None
        """Up to where he has what the one reader has passed on; None while he reads the streams himself."""
        self._authorization = authorization

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The place is taken here and not in the route: who has gone before the answer begins must not keep it.
        with self._door.listening.place(self._wanted.caller.name) as is_free:
            if not is_free:
                refused = limited("Demasiadas conexiones abiertas para escuchar eventos.", 10)
                await refused.answer()(scope, receive, send)
                return
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            answer = StreamingResponse(self._lines(), media_type=_EVENT_STREAM, headers=headers)
            await answer(scope, receive, send)

    async def _lines(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        policy, stopping = self._door.policy, self._door.stopping
        ends_at, trusted_at, spoken_at = clock() + policy.longest_stream_s, clock(), clock()
        yield _RETRY
        while clock() < ends_at and not stopping.is_set():
            if clock() - trusted_at >= policy.trust_s:
                if not self._is_trusted():
                    return
                trusted_at = clock()
            news = await self._next()
            lines = b"".join(self._told(news))
            if lines or clock() - spoken_at >= policy.comment_s:
                yield lines or _COMMENT
                spoken_at = clock()
            if not news:
                until_spoken_s = policy.comment_s - (clock() - spoken_at)
                longest_s = policy.trust_s if self._n is not None else _NOT_JOINED_S
                await self._door.feed.news(max(min(until_spoken_s, longest_s), 0.01))

    def _is_trusted(self) -> bool:
        try:
            caller = self._door.gate.identify(self._authorization)
        except Refusal:
            return False
        self._wanted = Wanted(caller, self._wanted.account, self._wanted.types)
        return caller.expires_at > datetime.now(UTC)

    async def _next(self) -> Sequence[Row[Published]]:
        """What comes behind the place, wanted or not; nothing where nothing is there, or Redis does not answer."""
        kept = self._kept()
        if kept is not None:
            self._n = self._door.feed.seen
            self._mark = kept[-1].mark if kept else self._mark
            return kept
        self._n = None
        try:
            async with turn_to_read(self._door):
                page = await page_after(self._door, self._mark)
        except (RedisError, OSError, Refusal):
            await asyncio.sleep(1)  # it goes on where it was when Redis answers again
            return ()
        self._mark = page.upto
        return page.entries

    def _kept(self) -> list[Row[Published]] | None:
        feed = self._door.feed
        if not feed.is_up:
            return None
        # By their number: after the clock was set back what is new may have an id that is below one he was told.
        return feed.kept_since(self._n) if self._n is not None else feed.kept_behind(self._mark)

    def _told(self, news: Sequence[Row[Published]]) -> Iterator[bytes]:
        for same in _by_place(news):
            mine = [row for row in same if self._wanted.takes(row.one)]
            for n, row in enumerate(mine, 1):
                # Of several with one id the last alone names it: who is cut off between them gets them all again.
                head = b"id: %s\n" % same[-1].mark.text().encode() if n == len(mine) else b""
                yield head + b"data: " + self._wanted.shown(row.one) + b"\n\n"


def _by_place(entries: Sequence[Row[Published]]) -> Iterator[list[Row[Published]]]:
    """Entries that have the same id, together."""
    for _, same in groupby(entries, key=lambda row: row.place):
        yield list(same)


def _last_event_id(request: Request) -> str | None:
    """Where a client goes on that was cut off; what is no id of a stream says nothing."""
    text = request.headers.get("last-event-id", "").strip()
    return text if is_mark(text) else None
