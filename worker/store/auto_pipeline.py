"""
Commands that are asked for in one step of the event loop go to the server together: one write, one look at the socket.

A worker with two hundred busy accounts runs hundreds of scripts a second, and of each redis-py makes an errand of its
own: take a connection, see whether it lives, send, wait. That is 100 us of a processor where the script takes 30.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.store.exchange import Command, exchange_packed, packed

_MOST: Final = 32
_MOST_BYTES: Final = 64 * 1024
"""From here on what comes next goes apart: a small command shall not wait until a large one is through."""


@dataclass(slots=True)
class _Batch:
    commands: list[Command] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)
    replies: list[asyncio.Future[Any]] = field(default_factory=list)
    n_bytes: int = 0

    @property
    def is_full(self) -> bool:
        return len(self.commands) >= _MOST or self.n_bytes >= _MOST_BYTES


class AutoPipeline:
    """The commands of one client. Each has its own reply, and its own error."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._open: _Batch | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, command: Command) -> Any:
        """
        Send a command with those that are asked for at the same time. It may be sent twice, as any of this client.

        Returns:
            The reply as the server gave it; an error of the server as a value.

        Raises:
            RedisError: No answer.
            TypeError, UnicodeEncodeError: It cannot be sent; the others are.
        """
        wire = packed(command)
        batch = self._open
        if batch is None or batch.is_full:
            batch = self._open = _Batch()
            task = asyncio.create_task(self._send(batch))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        reply = asyncio.get_running_loop().create_future()
        batch.commands.append(command)
        batch.wire.append(wire)
        batch.replies.append(reply)
        batch.n_bytes += len(wire)
        return await reply

    async def _send(self, batch: _Batch) -> None:
        if self._open is batch:
            self._open = None
        try:
            found = await exchange_packed(self._redis, batch.commands, batch.wire)
        except asyncio.CancelledError:
            for reply in batch.replies:
                reply.cancel()
            raise
        except Exception as exc:  # noqa: BLE001 - whatever it is: nobody waits for ever
            for reply in batch.replies:
                if not reply.done():
                    reply.set_exception(_own(exc))
        else:
            for reply, value in zip(batch.replies, found, strict=True):
                if not reply.done():
                    reply.set_result(value)


def _own(error: Exception) -> Exception:
    """The error for one of those who wait: raised in many places, one error would gather the way of each."""
    if not isinstance(error, RedisError):
        return error
    try:
        own = type(error)(*error.args)
    except TypeError:
        return error
    own.__cause__ = error.__cause__
    return own
