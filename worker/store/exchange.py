"""
A pipeline whose replies are taken as they come: for reading thousands of values at once.

redis-py reads each reply of a pipeline in a call of its own, with a time limit of its own, and makes of it what it may
mean: 10 to 16 us of a processor for a command, of which hiredis needs two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis
from redis._parsers.hiredis import NOT_ENOUGH_DATA
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

Command = tuple[str | bytes | int | float, ...]

MOST: Final = 2_000
"""Commands that go at once: to read their replies holds the event loop for some five milliseconds."""


async def exchange(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """
    The replies, each as the server gave it: pairs stand one after the other. An error stands for what was refused.

    Raises:
        RedisError: No answer. What was not answered may have been sent twice.
    """
    found: list[Any] = []
    for first in range(0, len(commands), MOST):
        if first:
            await asyncio.sleep(0)
        some = commands[first : first + MOST]
        replies: list[Any] = []
        await exchange_packed(redis, some, [packed(command) for command in some], replies)
        found += replies
    return found


async def exchange_packed(redis: Redis, commands: Sequence[Command], wire: Sequence[bytes], found: list[Any]) -> None:
    """
    As :func:`exchange`, of at most ``MOST`` commands that somebody has packed (:func:`packed`) already.

    Args:
        found: Where the replies go. After an error it has those that came: what was answered is not sent again.
    """
    pool = redis.connection_pool
    if getattr(pool.connection_class, "exchange", None) is None:
        found += await _one_by_one(redis, commands)
        return
    connection: Any = await pool.get_connection()
    try:
        # As redis-py has it, of single commands and behind sentinels.
        await connection.retry.call_with_retry(
            lambda: _rest(pool, connection, wire, found), lambda _error: connection.disconnect()
        )
    finally:
        await pool.release(connection)


async def _rest(pool: ConnectionPool, connection: Any, wire: Sequence[bytes], found: list[Any]) -> None:
    await connection.exchange(wire[len(found) :], found)
    if not isinstance(pool, SentinelConnectionPool):
        return
    refused = next((n for n, one in enumerate(found) if type(one) is ReadOnlyError), None)
    if refused is not None:
        del found[refused:]
        await connection.disconnect()  # so that the sentinels are asked again
        raise RedisConnectionError("the primary is none any more")


class Exchanging:
    """What a connection of ours can do besides what redis-py's can."""

    async def exchange(self: Any, wire: Sequence[bytes], found: list[Any]) -> None:
        """Send commands, and take their replies, within the connection's time limit for whatever comes next."""
        await self.send_packed_command([b"".join(wire)])
        try:
            await self._take(len(wire), found)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("no reply in time") from None
        except OSError as exc:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"the connection broke: {exc.args}") from exc
        except BaseException:
            # Whatever it was: a reply that nobody has read must not be the answer to what is asked next.
            await self.disconnect(nowait=True)
            raise

    async def _take(self: Any, n: int, found: list[Any]) -> None:
        gets = self._parser._reader.gets
        n += len(found)
        while len(found) < n:
            reply = gets()
            if reply is NOT_ENOUGH_DATA:
                async with asyncio.timeout(self.socket_timeout):
                    await self._parser.read_from_socket()
            elif isinstance(reply, RedisConnectionError):
                raise reply
            else:
                found.append(reply)


def packed(command: Command) -> bytes:
    """
    A command as it is sent.

    Raises:
        DataError: A value that Redis has no form for.
        UnicodeEncodeError: A text that UTF-8 has none for.
    """
    try:
        return _pack(command)
    except TypeError as exc:
        raise DataError(str(exc)) from exc


_pack: Callable[[Any], bytes] = hiredis.pack_command


async def _one_by_one(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """The same over a connection that cannot: of a server that is only imitated, or with a bound for each reply."""
    pipe: Any = redis.pipeline(transaction=False)
    pipe.response_callbacks = {}
    for command in commands:
        pipe.execute_command(*command)
    found: list[Any] = await pipe.execute(raise_on_error=False)
    return found
