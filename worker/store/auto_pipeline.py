"""
Commands that are asked for in one step of the event loop go to the server together: one write, one look at the socket.

A worker with two hundred busy accounts runs hundreds of scripts a second. redis-py sends each by itself: it takes a
connection, looks whether it lives, sends, and waits. That is 100 us of a processor, where the script takes 30.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.store.exchange import Command, exchange_packed, packed

_MOST: Final = 32
_LARGE: Final = 16 * 1024
"""Bytes from which on a command goes alone: a permit must not wait until a slice of the intake is through."""


@dataclass(slots=True)
class _Asked:
    command: Command
    wire: bytes
    reply: asyncio.Future[Any]


class AutoPipeline:
    """The commands of one client. Each has its own reply, and its own error."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._open: list[_Asked] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def run(self, command: Command) -> Any:
        """
        Send a command with those that are asked for at the same time. It may be sent twice, as any of this client.

        Returns:
            The reply as the server gave it; an error of the server as a value.

        Raises:
            RedisError: No answer; DataError: It cannot be sent, and the others are.
            UnicodeEncodeError: Likewise.
        """
        wire = packed(command)
        asked = _Asked(command, wire, asyncio.get_running_loop().create_future())
        if len(wire) >= _LARGE:
            self._begin([asked])
        elif self._open is None or len(self._open) >= _MOST:
            self._open = self._begin([asked])
        else:
            self._open.append(asked)
        return await asked.reply

    def _begin(self, batch: list[_Asked]) -> list[_Asked]:
        """Have a batch sent in the next step of the event loop, with what has joined it by then."""
        task = asyncio.create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(partial(self._ended, batch))
        return batch

    async def _send(self, batch: list[_Asked]) -> None:
        self._close(batch)
        wanted = [asked for asked in batch if not asked.reply.done()]
        if not wanted:
            return
        _end_with_the_last(wanted)
        found: list[Any] = []
        try:
            await exchange_packed(self._redis, [one.command for one in wanted], [one.wire for one in wanted], found)
        except Exception as exc:  # noqa: BLE001 - whatever it is: nobody waits for ever
            for asked in wanted[len(found) :]:
                if not asked.reply.done():
                    asked.reply.set_exception(_own(exc))
        for asked, value in zip(wanted, found, strict=False):
            if not asked.reply.done():
                asked.reply.set_result(value)

    def _close(self, batch: list[_Asked]) -> None:
        if self._open is batch:
            self._open = None

    def _ended(self, batch: list[_Asked], task: asyncio.Task[None]) -> None:
        """Also where it was cancelled before its first step: nobody joins it any more, and nobody waits for it."""
        self._sending.discard(task)
        self._close(batch)
        for asked in batch:
            asked.reply.cancel()


def _end_with_the_last(wanted: list[_Asked]) -> None:
    """
    Cancel the sending when everybody has given up: what nobody waits for is not sent again and again through an outage,
    to take effect long after its owner has gone on.
    """
    task = asyncio.current_task()
    assert task is not None
    left = {id(asked.reply) for asked in wanted}

    def gone(reply: asyncio.Future[Any]) -> None:
        left.discard(id(reply))
        if not left and not task.done() and reply.cancelled():
            task.cancel()

    for asked in wanted:
        asked.reply.add_done_callback(gone)


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
