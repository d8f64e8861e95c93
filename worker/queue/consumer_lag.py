"""
Consumer groups that lag: how far each is behind, and whether entries were trimmed that it had not read.

The result streams are cut at ``FACTUS_RESULTS_MAXLEN``, whoever has read them or not. What is cut unread is lost to the
group, so it must be seen before, and told when it has happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

LAGGING_SHARE: Final = 0.8
"""Part of the largest length that may be unread before somebody is told."""

STALE_MS: Final = 3_600_000
"""After an hour without an acknowledgement a consumer has most likely died with what it was given."""

_MOST_ABANDONED: Final = 100

EntryId = tuple[int, int]
_NONE: Final[EntryId] = (0, 0)


@dataclass(frozen=True, slots=True)
class GroupLag:
    """
    One consumer group of a result stream.

    ``n_unread`` entries are there and were never given to it. ``n_trimmed`` are gone, and were never given to it or
    never acknowledged; None when some may be, and the server does not tell how many.
    """

    stream: str
    name: str
    n_unread: int
    n_trimmed: int | None
    maxlen: int
    n_pending: int = 0
    """Given out and not acknowledged."""
    n_stale: int = 0
    """Of those, what was given out longer than STALE_MS ago; 100 at most."""

    @property
    def is_lagging(self) -> bool:
        return self.n_unread > LAGGING_SHARE * self.maxlen

    @property
    def has_lost(self) -> bool:
        return self.n_trimmed != 0


async def groups_of(
    redis: Redis, streams: Iterable[str], maxlen: int, *, with_pending: bool = False
) -> tuple[GroupLag, ...]:
    """
    The groups of the streams that exist. A few cheap commands for each stream, no entries are read.

    Args:
        with_pending: Count what was given out and not acknowledged, too.
    """
    found: list[GroupLag] = []
    for stream in streams:
        try:
            groups = await redis.xinfo_groups(stream)
            info = await redis.xinfo_stream(stream) if groups else {}
        except ResponseError as exc:
            if "no such key" not in str(exc):
                raise
            continue
        for group in groups:
            seen = group_seen(stream, info, group, maxlen)
            n_abandoned = await _n_trimmed_pending(redis, stream, info, group)
            if n_abandoned and seen.n_trimmed is not None:
                seen = replace(seen, n_trimmed=seen.n_trimmed + n_abandoned)
            if with_pending and group["pending"]:
                stale = await redis.xpending_range(stream, seen.name, "-", "+", _MOST_ABANDONED, idle=STALE_MS)
                seen = replace(seen, n_pending=group["pending"], n_stale=len(stale))
            found.append(seen)
    return tuple(found)


async def _n_trimmed_pending(redis: Redis, stream: str, info: Mapping[str, Any], group: Mapping[str, Any]) -> int:
    """Entries that were given to the group, never acknowledged, and are gone: the first hundred of them."""
    if not group["pending"] or not info["length"]:
        return int(group["pending"])
    first = info["first-entry"][0].decode()
    reply = await redis.xpending_range(stream, group["name"].decode(), "-", f"({first}", _MOST_ABANDONED)
    return len(reply)


def group_seen(stream: str, info: Mapping[str, Any], group: Mapping[str, Any], maxlen: int) -> GroupLag:
    """
    Where a group stands.

    Args:
        info: XINFO STREAM of the stream.
        group: Its part of XINFO GROUPS. Redis 6.2 knows neither ``entries-read`` nor ``lag``.
    """
    name = group["name"].decode(errors="replace")
    delivered = _entry_id(group["last-delivered-id"])
    if delivered >= _entry_id(info["last-generated-id"]):
        return GroupLag(stream, name, 0, 0, maxlen)
    first = _entry_id(info["first-entry"][0]) if info["length"] else None
    if first is None or delivered < first:
        return GroupLag(stream, name, info["length"], _n_trimmed(delivered, info, group, maxlen), maxlen)
    lag = group.get("lag")
    return GroupLag(stream, name, _about(delivered, first, info) if lag is None else lag, 0, maxlen)


def _n_trimmed(delivered: EntryId, info: Mapping[str, Any], group: Mapping[str, Any], maxlen: int) -> int | None:
    """How many entries between the last one given to the group and the first one that is there are gone."""
    n_added = info.get("entries-added")
    if n_added is None:
        # Redis 6.2 does not count. A stream that is shorter than we let it grow was never cut.
        return None if info["length"] >= maxlen else 0
    n_gone = int(n_added) - int(info["length"])
    if not n_gone or delivered == _NONE:
        return n_gone
    n_read = group.get("entries-read")
    is_hand_deleted = _entry_id(info.get("max-deleted-entry-id", b"0-0")) > delivered
    if n_read is None or is_hand_deleted:
        return None
    return max(n_gone - int(n_read), 0)


def _about(delivered: EntryId, first: EntryId, info: Mapping[str, Any]) -> int:
    """
    The unread entries where the server does not count them, as if they had come at one pace: entry ids are times.

    To count them would be to read them, up to the whole stream every 15 seconds.
    """
    last = _entry_id(info["last-generated-id"])
    whole_ms = last[0] - first[0]
    share = (last[0] - delivered[0]) / whole_ms if whole_ms else 1.0
    return max(round(share * int(info["length"])), 1)


def _entry_id(text: bytes | str) -> EntryId:
    ms, _, seq = (text.decode() if isinstance(text, bytes) else text).partition("-")
    return int(ms), int(seq or 0)
