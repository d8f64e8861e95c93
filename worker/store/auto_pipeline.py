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
_LARGE: Final = 16 * 1024
"""Bytes from which on a command goes alone: a permit must not wait until a slice of the intake is through."""


@dataclass(slots=True)
class _Batch:
    commands: list[Command] = field(default_factory=list)
    wire: list[bytes] = field(default_factory=list)
    replies: list[asyncio.Future[Any]] = field(default_factory=list)

    def add(self, command: Command, wire: bytes) -> asyncio.Future[Any]:
        reply = asyncio.get_running_loop().create_future()
        self.commands.append(command)
        self.wire.append(wire)
        self.replies.append(reply)
        return reply


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
        batch = self._begun() if len(wire) >= _LARGE else self._joined()
        return await batch.add(command, wire)

    def _joined(self) -> _Batch:
        """The batch that what comes now goes with."""
        if self._open is None or len(self._open.commands) >= _MOST:
            self._open = self._begun()
        return self._open

    def _begun(self) -> _Batch:
        """A new batch, which is sent in the next step of the event loop."""
        batch = _Batch()
        task = asyncio.create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return batch

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
