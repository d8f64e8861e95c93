"""
Reading several result streams as one, a page at a time, in the order in which their entries were published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.webhooks.places import Places, StreamFacts, entry_id, read_places
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream."""

    stream: str
    id: str
    raw: bytes
    """The event; empty where somebody else's entry has none."""


@dataclass(frozen=True, slots=True)
class Page:
    """What stands behind the places of a few streams, as far as it was read, and how they stood at that moment."""

    entries: Mapping[str, Sequence[Entry]]
    facts: Mapping[str, StreamFacts]

    @property
    def n_bytes(self) -> int:
        return sum(len(one.raw) for rows in self.entries.values() for one in rows)

    @property
    def horizon(self) -> tuple[int, int] | None:
        """
        Up to where all streams were read; None when nothing is left to read.

        Events of one job may stand in two streams: nothing is taken that is newer than what is unread of another.
        """
        ends = [rows[-1].id for stream, rows in self.entries.items() if rows and not self.facts[stream].is_whole]
        return min(map(entry_id, ends)) if ends else None

    def taken(self) -> dict[str, list[Entry]]:
        """The entries up to the horizon, by stream."""
        horizon = self.horizon
        return {
            stream: [one for one in rows if horizon is None or entry_id(one.id) <= horizon]
            for stream, rows in self.entries.items()
        }


def in_order(taken: Mapping[str, Sequence[Entry]]) -> list[Entry]:
    """All entries, in the order of publication."""
    return sorted((one for rows in taken.values() for one in rows), key=lambda one: entry_id(one.id))


async def read_page(redis: Redis, places: Places, count: int) -> Page:
    """Up to *count* entries behind each place, and how the streams stand, all of one moment."""
    streams = [*places]
    async with redis.pipeline(transaction=True) as pipe:
        for stream in streams:
            pipe.xinfo_stream(stream)
            pipe.xrange(stream, min=f"({places[stream].entry}", count=count)
        reply = await pipe.execute(raise_on_error=False)
    entries: dict[str, list[Entry]] = {}
    facts: dict[str, StreamFacts] = {}
    for n, stream in enumerate(streams):
        info, rows = reply[2 * n], reply[2 * n + 1]
        for part in (info, rows):
            if isinstance(part, Exception) and "no such key" not in str(part):
                raise part
        if isinstance(info, Exception):
            continue  # there is no such stream yet
        entries[stream] = [Entry(stream, id_.decode(), fields.get(b"event", b"")) for id_, fields in rows]
        facts[stream] = _facts_of(info, len(rows), is_whole=len(rows) < count)
    return Page(entries, facts)


async def event_streams(redis: Redis, keys: Keys, own_streams: Iterable[str] = ()) -> list[str]:
    """
    The streams that events are published to: the common ones, and those of accounts with their own that are there.

    Accounts are those that workers have served lately, and those in whose streams an endpoint has a place: nobody may
    have served one for days.

    Args:
        own_streams: Accounts that are known to have their own, beside these.
    """
    async with redis.pipeline(transaction=False) as pipe:
        pipe.zrange(keys.served_accounts(), 0, -1)
        pipe.hgetall(keys.hook_places())
        served, kept = await pipe.execute()
    names = sorted(
        {name.decode(errors="replace") for name in served} | {*own_streams} | _accounts_of(keys, kept.values())
    )
    own = [stream for name in names for stream in (keys.results(name), keys.radian(name))]
    async with redis.pipeline(transaction=False) as pipe:
        for stream in own:
            pipe.exists(stream)
        there = await pipe.execute() if own else []
    return [keys.results(), keys.radian(), *(one for one, is_there in zip(own, there, strict=True) if is_there)]


def _accounts_of(keys: Keys, kept: Iterable[bytes]) -> set[str]:
    """The accounts whose own streams stand in places; other keys that somebody may have written there are passed."""
    streams = {stream for text in kept for stream in read_places(text.decode(errors="replace")) or {}}
    names = {stream.removeprefix(f"{common}:") for stream in streams for common in (keys.results(), keys.radian())}
    return {name for name in names if name and {keys.results(name), keys.radian(name)} & streams}


async def facts_of(redis: Redis, stream: str) -> StreamFacts | None:
    """How a stream stands; None for one that is not there."""
    try:
        info = await redis.xinfo_stream(stream)
    except ResponseError as exc:
        if "no such key" not in str(exc):
            raise
        return None
    return _facts_of(info, 0, is_whole=False)


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
