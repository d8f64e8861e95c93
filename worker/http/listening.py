"""
``GET /events``: what was published, a page at a time as JSON, or as it comes as Server-Sent Events.

A place in the streams is the id of an entry, and behind it nothing is ever missed: a page ends before the millisecond
that is not over yet, and never between two entries of one id (two streams may have the same).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
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
from worker.http.feed import Place, Published, entry_of, place_of, published
from worker.http.masking import masked
from worker.http.requests import caller_of, query_of, turn_to_read
from worker.http.routes import NOW, EventsQuery, is_place

_PAGE: Final = 128
_MOST_LOOKED_AT: Final = 8_192
_MOST_BYTES: Final = 16 * 1024 * 1024
_EVENT_STREAM: Final = "text/event-stream"
_LAST: Final = 2**64 - 1
_RETRY: Final = b"retry: 3000\n: ok\n\n"
_COMMENT: Final = b": sigue\n\n"


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

    entries: tuple[Published, ...]
    upto: Place
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
        now_ms = await self._now_ms()
        if _EVENT_STREAM in request.headers.get("accept", ""):
            after = _place(_last_event_id(request) or asked.after, now_ms)
            return _Stream(self._door, wanted, after, request.headers.getlist("authorization"))
        async with turn_to_read(self._door):
            return await self._page(wanted, _place(asked.after, now_ms), asked.limit)

    async def _now_ms(self) -> int:
        seconds, micros = await self._door.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def _page(self, wanted: Wanted, after: Place, limit: int) -> Response:
        found: list[Published] = []
        place, n_looked_at, n_bytes = after, 0, 0
        while len(found) < limit and n_looked_at < _MOST_LOOKED_AT and n_bytes < _MOST_BYTES:
            page = await page_after(self._door, place)
            for same in _by_place(page.entries):
                if len(found) >= limit:
                    break
                found += filter(wanted.takes, same)
                place = same[-1].place
                n_looked_at += len(same)
                n_bytes += sum(len(one.raw) for one in same)
            else:
                place = page.upto
                if page.is_last:
                    break
        events = b",".join(
            b'{"id":"%s","event":%s}' % (entry_of(one.place).encode(), wanted.shown(one)) for one in found
        )
        data = b'{"events":[' + events + b'],"next":"' + entry_of(place).encode() + b'"}'
        return raw_answer(True, f"{len(found)} eventos.", data)


async def page_after(door: Door, after: Place) -> Page:
    """What stands behind a place in all the streams, of what no stream can add to any more."""
    if after == (_LAST, _LAST):  # Redis takes no range behind it
        return Page((), after, True)
    seconds, micros = await door.redis.time()
    horizon: Place = (int(seconds) * 1000 + int(micros) // 1000, 0)
    rows: list[list[Published]] = []
    upto = (horizon[0] - 1, _LAST)
    is_last = True
    for stream in door.streams:
        read = await door.redis.xrange(stream, min=f"({entry_of(after)}", max=str(horizon[0] - 1), count=_PAGE)
        rows.append(published(read))
        if len(read) == _PAGE:  # it may have more: no other stream is looked at beyond it
            upto = min(upto, place_of(read[-1][0].decode()))
            is_last = False
    entries = tuple(one for one in merge(*rows, key=lambda one: one.place) if one.place <= upto)
    if is_last:
        upto = entries[-1].place if entries else after
    return Page(entries, max(upto, after), is_last)


class _Stream(Response):
    """The events of one listener, for as long as it lasts, he stays, and his token holds."""

    def __init__(self, door: Door, wanted: Wanted, after: Place, authorization: list[str]) -> None:
        super().__init__()
        self._door = door
        self._wanted = wanted
        self._place = after
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
                await self._door.feed.news(max(min(until_spoken_s, policy.trust_s), 0.01))

    def _is_trusted(self) -> bool:
        try:
            caller = self._door.gate.identify(self._authorization)
        except Refusal:
            return False
        self._wanted = Wanted(caller, self._wanted.account, self._wanted.types)
        return caller.expires_at > datetime.now(UTC)

    async def _next(self) -> Sequence[Published]:
        """What comes behind the place, wanted or not; nothing where nothing is there, or Redis does not answer."""
        feed = self._door.feed
        kept = feed.kept_since(self._place) if feed.is_up else None
        if kept is not None:
            self._place = max(self._place, kept[-1].place) if kept else self._place
            return kept
        try:
            async with turn_to_read(self._door):
                page = await page_after(self._door, self._place)
        except (RedisError, OSError, Refusal):
            await asyncio.sleep(1)  # it goes on where it was when Redis answers again
            return ()
        self._place = page.upto
        return page.entries

    def _told(self, news: Sequence[Published]) -> Iterator[bytes]:
        for same in _by_place(news):
            mine = [one for one in same if self._wanted.takes(one)]
            for n, one in enumerate(mine, 1):
                # Of several with one id the last alone names it: who is cut off between them gets them all again.
                head = b"id: %s\n" % entry_of(one.place).encode() if n == len(mine) else b""
                yield head + b"data: " + self._wanted.shown(one) + b"\n\n"


def _by_place(entries: Sequence[Published]) -> Iterator[list[Published]]:
    """Entries that have the same id, together."""
    for _, same in groupby(entries, key=lambda one: one.place):
        yield list(same)


def _place(text: str, now_ms: int) -> Place:
    if text == NOW:
        return now_ms - 1, _LAST
    return place_of(text)


def _last_event_id(request: Request) -> str | None:
    """Where a client goes on that was cut off; what is no id of a stream says nothing."""
    text = request.headers.get("last-event-id", "").strip()
    return text if is_place(text) else None
