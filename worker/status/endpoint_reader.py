"""
What ``status`` sees of webhooks: the endpoints that a process has had in its file lately, read from Redis as they are.

Not through ``worker/webhooks``: whoever only looks needs neither its file nor its scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from worker.guard import redis_word
from worker.status.facts import EndpointSeen
from worker.store.connection import command
from worker.store.keys import Keys

SEEN_MS: Final = 7 * 86_400_000
"""An endpoint that no file has had for so long is forgotten, by the processes too."""

_ALIVE_MS: Final = 10_000
_MOST: Final = 200


async def read_endpoints(redis: Redis, keys: Keys, now_ms: int) -> tuple[tuple[EndpointSeen, ...], int | None]:
    """
    The endpoints, and how many processes deliver; None where this user may not see it.

    What stands in a key that holds something else than it should is missing, and nothing else.
    """
    try:
        names = await _asked(redis, "ZRANGEBYSCORE", keys.hooks_seen(), now_ms - SEEN_MS, "+inf") or []
        n_alive = await _asked(redis, "ZCOUNT", keys.hook_processes(), now_ms - _ALIVE_MS, "+inf")
        endpoints = [await _endpoint(redis, keys, name.decode(errors="replace")) for name in names[:_MOST]]
    except NoPermissionError:
        return (), None
    return tuple(sorted(endpoints, key=lambda one: one.name)), None if n_alive is None else int(n_alive)


async def _asked(redis: Redis, *parts: str | int) -> Any:
    """The answer; None where the key is of another kind."""
    try:
        return await command(redis, *parts)
    except ResponseError as exc:
        if redis_word(exc) != "WRONGTYPE":
            raise
        return None


async def _endpoint(redis: Redis, keys: Keys, name: str) -> EndpointSeen:
    held = await _asked(redis, "HGETALL", keys.hook(name)) or {}
    n_waiting = await _asked(redis, "ZCARD", keys.hook(name, "order")) or 0
    n_failed = await _asked(redis, "ZCARD", keys.hook(name, "failed")) or 0
    due = await _asked(redis, "ZRANGE", keys.hook(name, "due"), 0, 0, "WITHSCORES")
    return _seen(name, dict(held), n_waiting, n_failed, due)


def _seen(
    name: str, held: Mapping[bytes, bytes], n_waiting: int, n_failed: int, due: Sequence[Any] | None
) -> EndpointSeen:
    def text(field: str) -> str:
        return held.get(field.encode(), b"").decode(errors="replace")

    def number(field: str) -> int:
        stored = text(field)
        return int(stored) if stored.isascii() and stored.isdigit() and len(stored) < 16 else 0

    return EndpointSeen(
        name=name,
        is_disabled=text("state") == "disabled",
        disabled_why=text("disabled_why"),
        disabled_at_ms=number("disabled_at"),
        failing_since_ms=number("failing_since"),
        n_waiting=n_waiting,
        oldest_due_ms=int(float(due[1])) if due else 0,
        n_exhausted=n_failed,
        last_success_ms=number("last_success_at"),
        last_status=number("last_status"),
        last_fault=text("last_fault"),
        n_gone=number("n_gone"),
        gone_at_ms=number("gone_at"),
    )
