"""
What a scrape reads of the service as a whole: counts, groups, endpoints of webhooks, days. What this user of Redis may
not read is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from jobs.event_counts import read_field
from schemas.names import account_of, within_account
from worker.metrics.snapshot import GroupState
from worker.queue.consumer_lag import group_seen, named
from worker.status.stored import Asker, scored, text
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry
from worker.store.keys import Keys

_MOST_DAYS: Final = 2_000
_MOST_HOOKS: Final = 1_000


class First(NamedTuple):
    """The replies of the first round trip; an error in place of one that failed."""

    time: Any
    lanes: Any
    served: Any
    leader: Any
    n_dead: Any
    counts: Any
    hooks: Any
    days: Any
    written: Any


def first_read(asker: Asker, keys: Keys, around_ms: int, probe: Command) -> Inquiry[First]:
    """
    What tells what else there is to ask.

    Args:
        around_ms: What time it is, about: days that were over an hour ago are not asked for.
        probe: A write, by which it is seen whether Redis takes any.
    """
    commands: list[Command] = [
        ("TIME",),
        ("SMEMBERS", keys.lanes()),
        ("ZRANGE", keys.served_accounts(), 0, -1),
        ("GET", keys.leader("intake")),
        ("XLEN", keys.dead()),
        ("HGETALL", keys.counts()),
        ("ZRANGE", keys.hooks_seen(), 0, -1),
        ("ZRANGEBYSCORE", keys.days(), f"({around_ms}", "+inf", "WITHSCORES", "LIMIT", 0, _MOST_DAYS),
        probe,
    ]
    replies = yield commands
    for command, reply in zip(commands, replies, strict=True):
        asker.noted(command, reply)
    return First(*replies)


def names_of(reply: Any) -> list[str]:
    """Members of a set or list, as text; none where the reply is an error."""
    members = reply if isinstance(reply, list | tuple | set | frozenset) else ()
    return [raw.decode(errors="replace") for raw in members]


def counts_of(reply: Any) -> dict[tuple[str, str], int]:
    """Final events by job type and outcome."""
    names = names_of(reply)
    found: dict[tuple[str, str], int] = {}
    for name, n in zip(names[::2], names[1::2], strict=True):
        read = read_field(name)
        if read is not None:
            found[read] = _whole(n)
    return found


def hooks_read(keys: Keys, hooks: Any) -> Inquiry[dict[str, int]]:
    """How many deliveries wait for each endpoint."""
    names = names_of(hooks)[:_MOST_HOOKS]
    replies = yield [("ZCARD", keys.hook(name, "order")) for name in names]
    return {name: n for name, n in zip(names, replies, strict=True) if not isinstance(n, Exception)}


def at_risk_read(keys: Keys, days: Any, now_ms: int) -> Inquiry[int | None]:
    """How many documents will miss their day, as was told last; None where it cannot be read."""
    if isinstance(days, Exception):
        return None
    names = [text(name) for name, ends_ms in scored(days) if ends_ms > now_ms]
    asked = [keys.day_told(account_of(name), within_account(name)) for name in names]
    replies = yield [("HMGET", key, "is_at_risk", "will_miss") for key in asked]
    told = [reply for reply in replies if not isinstance(reply, Exception)]
    return sum(_whole(will_miss) for is_at_risk, will_miss in told if is_at_risk == b"1")


def groups_read(keys: Keys, own: Sequence[str]) -> Inquiry[tuple[GroupState, ...]]:
    """
    The consumer groups of the result streams.

    Args:
        own: The accounts with streams of their own.
    """
    streams = keys.outcomes(own)
    replies = yield [("XINFO", what, stream) for stream in streams for what in ("GROUPS", "STREAM")]
    found: list[GroupState] = []
    for stream, groups, about in zip(streams, replies[::2], replies[1::2], strict=True):
        for group in map(named, () if isinstance(groups, Exception) else groups):
            # Who may not look into the stream has what Redis 7 counts by itself.
            is_hidden = isinstance(about, Exception)
            n = group.get("lag") if is_hidden else group_seen(stream, named(about), group, maxlen=1).n_unread
            if n is not None:
                name = group["name"].decode(errors="replace")
                found.append(GroupState(stream.removeprefix(f"{keys.namespace}:"), name, n))
    return tuple(found)


def _whole(value: Any) -> int:
    try:
        return int(float(value or 0))
    except (ValueError, OverflowError):
        return 0
