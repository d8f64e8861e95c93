"""
Reading the results streams for a person or a pipe: from where, which events, and how one looks as a line.

Several streams (``own_streams``) are read as one, in the order in which their entries were published. A group's events
are acknowledged by the caller, after they were put out.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from schemas import strict_json
from schemas.factus import BOGOTA
from worker.cli.console import clean
from worker.settings.values import parse_duration
from worker.speech import clock
from worker.store.entry_ids import LAST_PART, read_entry_id

_PAGE: Final = 500
_BLOCK_MS: Final = 1000
_ABANDONED_MS: Final = 60_000
_MOST_HELD: Final = 10_000
_CONSUMER: Final = "results-"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Published:
    """One entry of a results stream."""

    stream: str
    entry: str
    raw: bytes
    type: str
    account: str

    @property
    def order(self) -> tuple[int, int]:
        ms, _, seq = self.entry.partition("-")
        return int(ms), int(seq)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; None takes all."""

    type_glob: str | None = None
    account: str | None = None

    def takes(self, found: Published) -> bool:
        if self.account is not None and found.account != self.account:
            return False
        return self.type_glob is None or fnmatchcase(found.type, self.type_glob)


_TIME: Final = "2026-11-30T08:00:00-05:00"
_ID: Final = "1795622401234-0"
SINCE: Final = (
    f"es un tiempo (10m), un día (2026-11-30), una hora con su zona ({_TIME}) o el id de una entrada ({_ID})",
    f"a duration (10m), a day (2026-11-30), a time with its zone ({_TIME}) or a stream entry id ({_ID})",
)


def since_entry(text: str, *, now: datetime) -> str:
    """
    The first entry id at or after *text*: a duration before now, a day in Bogotá, an RFC 3339 time, or an entry id.

    Raises:
        ValueError: None of these; what it may be is :data:`SINCE`.
    """
    try:
        seconds = parse_duration(text)
        return _first_of(now.timestamp() - float(str(seconds)))
    except ValueError:
        pass
    if read_entry_id(text) is not None:
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is not None and _DAY.fullmatch(text):
        at = at.replace(tzinfo=BOGOTA)
    if at is None or at.tzinfo is None:
        raise ValueError(SINCE[1])
    return _first_of(at.timestamp())


def _first_of(seconds: float) -> str:
    """The first entry id of a time; before 1970 there is none, so that is the beginning."""
    return f"{max(round(seconds * 1000), 0)}-0"


def before(entry: str) -> str:
    """The greatest id below *entry*: reading on behind it gives *entry* first."""
    ms, _, seq = entry.partition("-")
    if int(seq or 0):
        return f"{ms}-{int(seq) - 1}"
    return f"{int(ms) - 1}-{LAST_PART}" if int(ms) else "0-0"


async def there(redis: Redis, streams: Sequence[str], since: str) -> AsyncGenerator[Published, None]:
    """Every event from *since* on that is there now, oldest first."""
    pages: dict[str, list[Published]] = {}
    following: dict[str, str | None] = dict.fromkeys(streams, since)
    while True:
        for stream in streams:
            while not pages.get(stream) and (start := following[stream]) is not None:
                entries = await redis.xrange(stream, min=start, count=_PAGE)
                pages[stream] = _published(stream, entries)
                following[stream] = f"({entries[-1][0].decode()}" if len(entries) == _PAGE else None
        heads = [page[0] for page in pages.values() if page]
        if not heads:
            return
        first = min(heads, key=lambda found: found.order)
        yield pages[first.stream].pop(0)


async def _nothing() -> None:
    pass


async def followed(
    redis: Redis, places: dict[str, str], look: Callable[[], Awaitable[None]] = _nothing
) -> AsyncGenerator[Published, None]:
    """
    Every event behind *places* (the last entry seen of each stream), then each as it comes, without end.

    Args:
        look: Called before each reading, about once a second; it may add to *places*.
    """
    while True:
        await look()
        reply = await redis.xread(dict[Any, Any](places), count=_PAGE, block=_BLOCK_MS)
        for found in _merged(reply):
            places[found.stream] = found.entry
            yield found
        # Behind what is no event as well, or it is read again without rest.
        places.update((stream.decode(), entries[-1][0].decode()) for stream, entries in reply or () if entries)


class GroupReader:
    """One consumer of a consumer group on every stream; what it has read stays pending until :meth:`ack`."""

    def __init__(self, redis: Redis, streams: Sequence[str], group: str) -> None:
        self._redis = redis
        self._streams = streams
        self._group = group
        self._consumer = f"{_CONSUMER}{socket.gethostname()}-{os.getpid()}"

    async def open(self) -> None:
        """Have the group, from the beginning of each stream."""
        for stream in self._streams:
            try:
                await self._redis.xgroup_create(stream, self._group, id="0", mkstream=True)
            except ResponseError as exc:
                if "BUSYGROUP" not in str(exc):
                    raise

    async def read(self, *, follow: bool) -> AsyncGenerator[Published, None]:
        """What nobody of the group has acknowledged and no living consumer holds; with *follow* without end."""
        async for found in self._abandoned():
            yield found
        while True:
            reply = await self._redis.xreadgroup(
                self._group,
                self._consumer,
                dict.fromkeys(self._streams, ">"),
                count=_PAGE,
                block=_BLOCK_MS if follow else None,
            )
            await self._drop_others(reply)
            for found in _merged(reply):
                yield found
            if reply:
                continue
            if not follow:
                return
            async for found in self._abandoned():
                yield found

    async def ack(self, found: Published) -> None:
        await self._redis.xack(found.stream, self._group, found.entry)

    async def _drop_others(self, reply: Iterable[Any] | None) -> None:
        """Acknowledge what is no event: nobody puts it out, so it would be pending for ever."""
        for stream, entries in reply or ():
            others = [entry for entry, fields in entries if fields is not None and b"event" not in fields]
            if others:
                await self._redis.xack(stream, self._group, *others)

    async def close(self) -> None:
        """Give back what was read and not acknowledged, and leave no consumer behind that holds nothing."""
        for stream in self._streams:
            held = await self._redis.xpending_range(stream, self._group, "-", "+", _MOST_HELD, self._consumer)
            if held:
                # Marked as long untouched, so that the next reader takes it over without waiting a minute.
                entries = [one["message_id"] for one in held]
                await self._redis.xclaim(stream, self._group, self._consumer, 0, entries, idle=_ABANDONED_MS)
            for one in await self._redis.xinfo_consumers(stream, self._group):
                if self._is_done(one):
                    await self._redis.xgroup_delconsumer(stream, self._group, one["name"])

    def _is_done(self, consumer: Mapping[str, Any]) -> bool:
        name = consumer["name"].decode()
        is_gone = name == self._consumer or (name.startswith(_CONSUMER) and consumer["idle"] > _ABANDONED_MS)
        return is_gone and not consumer["pending"]

    async def _abandoned(self) -> AsyncGenerator[Published, None]:
        """What a consumer read a minute ago and never acknowledged: it was killed in between."""
        for stream in self._streams:
            start: str | bytes = "0-0"
            while True:
                reply = await self._redis.xautoclaim(
                    stream, self._group, self._consumer, _ABANDONED_MS, start, count=_PAGE
                )
                start = reply[0]
                await self._drop_others([(stream, reply[1])])
                for found in _published(stream, reply[1]):
                    yield found
                if start in (b"0-0", "0-0"):
                    break
                await asyncio.sleep(0)


def line_of(raw: bytes) -> str:
    """One event as one aligned line: time, type, reference, number or error, message."""
    at, type_, reference, found, message = columns_of(raw)
    columns = [at, f"{type_:<26}", f"{reference:<24}", f"{found:<20}", message]
    return clean("  ".join(columns)).rstrip()


def columns_of(raw: bytes) -> list[str]:
    """An event for a person: time, type, reference, number or error code, message."""
    event = strict_json.parse_written(raw)
    at = datetime.fromisoformat(event["time"])
    data, errors = event["data"] or {}, event["errors"] or []
    found = errors[0].get("code") if errors else data.get("number")
    rule = errors[0].get("rule") if errors else None
    number = data.get("number") if errors else None  # of a rejected document, which has used it up
    # An operator's event is of no document: what it is about is the account, or its batch.
    reference = event["reference_code"] or event["job_id"] or data.get("batch") or event["account"] or "-"
    more = "".join(f" [{part}]" for part in (number, rule) if part)
    return [
        clock(at.timestamp() * 1000, at.tzinfo or UTC),
        event["type"],
        reference,
        found or "-",
        event["message"] + more,
    ]


def _merged(reply: Iterable[Any] | None) -> list[Published]:
    found = [one for stream, entries in reply or () for one in _published(stream.decode(), entries)]
    return sorted(found, key=lambda one: one.order)


def _published(stream: str, entries: Iterable[tuple[bytes, Mapping[bytes, bytes] | None]]) -> list[Published]:
    # XAUTOCLAIM gives None for entries that were trimmed while they were pending.
    return [
        Published(
            stream=stream,
            entry=entry.decode(),
            raw=fields[b"event"],
            type=fields.get(b"type", b"").decode(errors="replace"),
            account=fields.get(b"account", b"").decode(errors="replace"),
        )
        for entry, fields in entries
        if fields is not None and b"event" in fields
    ]
