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

from worker.store.exchange import Command
from worker.store.inquiry import Inquiry, answered, asked, each

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


async def groups_of(redis: Redis, streams: Iterable[str], maxlen: int) -> tuple[GroupLag, ...]:
    """The groups of the streams that exist, without what was not acknowledged; as :func:`group_lags`."""
    return await answered(redis, group_lags(streams, maxlen))


def group_lags(streams: Iterable[str], maxlen: int, *, with_pending: bool = False) -> Inquiry[tuple[GroupLag, ...]]:
    """
    The groups of the streams that exist. A few cheap commands for each stream, no entries are read.

    Args:
        with_pending: Count what was given out and not acknowledged, too.

    Raises:
        ResponseError: Redis refuses a command, or a key is of another kind.
    """
    names = list(streams)
    replies = yield [("XINFO", what, name) for name in names for what in ("GROUPS", "STREAM")]
    lags: list[Inquiry[GroupLag]] = []
    for name, groups, info in zip(names, replies[::2], replies[1::2], strict=True):
        if _is_there(groups) and _is_there(info):
            about = named(info)
            lags += [_group(name, about, named(group), maxlen, with_pending=with_pending) for group in groups]
    found = yield from each(lags)
    return tuple(found)


def named(flat: Any) -> dict[str, Any]:
    """A reply of names and values, one after the other; an imitated server has them as a mapping."""
    pairs = flat.items() if isinstance(flat, Mapping) else zip(flat[::2], flat[1::2], strict=True)
    return {name.decode(errors="replace") if isinstance(name, bytes) else name: value for name, value in pairs}


def _is_there(reply: Any) -> bool:
    """Whether there is a stream; every other error is one."""
    if not isinstance(reply, Exception):
        return True
    if "no such key" not in str(reply):
        raise reply
    return False


def _group(
    stream: str, info: Mapping[str, Any], group: Mapping[str, Any], maxlen: int, *, with_pending: bool
) -> Inquiry[GroupLag]:
    seen, n_pending = group_seen(stream, info, group, maxlen), int(group["pending"])
    if not n_pending:
        return seen
    commands: list[Command] = []
    if info["length"]:
        # What was given out, never acknowledged, and is gone: the first hundred of them.
        first = info["first-entry"][0].decode()
        commands.append(("XPENDING", stream, group["name"], "-", f"({first}", _MOST_ABANDONED))
    if with_pending:
        commands.append(("XPENDING", stream, group["name"], "IDLE", STALE_MS, "-", "+", _MOST_ABANDONED))
    replies = yield from asked(*commands)
    n_abandoned = len(replies[0]) if info["length"] else n_pending
    if n_abandoned and seen.n_trimmed is not None:
        seen = replace(seen, n_trimmed=seen.n_trimmed + n_abandoned)
    return replace(seen, n_pending=n_pending, n_stale=len(replies[-1])) if with_pending else seen


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
