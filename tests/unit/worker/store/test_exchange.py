"""Many commands at once, where the server that answers is no primary any more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

from worker.store.exchange import exchange, exchange_packed, packed


class _Connection:
    """Answers with each of its replies in turn, and counts how often it was closed."""

    def __init__(self, n_retries: int, *replies: Any) -> None:
        self.retry = Retry(NoBackoff(), n_retries)
        self.replies = [*replies]
        self.n_closed = 0
        self.sent: list[int] = []

    async def exchange(self, wire: Any, found: list[Any]) -> None:
        self.sent.append(len(wire))
        for _ in wire:
            reply = self.replies.pop(0)
            if isinstance(reply, RedisConnectionError):
                raise reply
            found.append(reply)

    async def disconnect(self) -> None:
        self.n_closed += 1


class _Pool(SentinelConnectionPool):
    connection_class = _Connection

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection
        self.n_out = 0

    async def get_connection(self, *_given: Any) -> Any:
        self.n_out += 1
        return self._connection

    async def release(self, _connection: Any) -> None:
        self.n_out -= 1


def _client(connection: _Connection) -> Any:
    return SimpleNamespace(connection_pool=_Pool(connection))


READ_ONLY = ReadOnlyError("You can't write against a read only replica.")


async def test_the_sentinels_are_asked_again_and_what_was_refused_is_sent_again() -> None:
    connection = _Connection(2, b"1", READ_ONLY, READ_ONLY, b"2", b"3")
    client = _client(connection)
    assert await exchange(client, [("SET", "a", 1), ("SET", "b", 2), ("SET", "c", 3)]) == [b"1", b"2", b"3"]
    assert connection.sent == [3, 2]
    assert connection.n_closed >= 1
    assert client.connection_pool.n_out == 0


async def test_where_nobody_is_the_primary_it_ends_as_no_answer() -> None:
    connection = _Connection(1, READ_ONLY, READ_ONLY)
    client = _client(connection)
    with pytest.raises(RedisConnectionError):
        await exchange(client, [("SET", "a", 1)])
    assert connection.replies == []
    assert client.connection_pool.n_out == 0


async def test_what_was_answered_before_the_cut_is_not_sent_again() -> None:
    connection = _Connection(2, b"1", RedisConnectionError("cut"), b"2", b"3")
    assert await exchange(_client(connection), [("SET", key, 1) for key in "abc"]) == [b"1", b"2", b"3"]
    assert connection.sent == [3, 2]


async def test_an_error_leaves_the_replies_that_came() -> None:
    connection = _Connection(0, b"1", RedisConnectionError("cut"))
    commands: list[Any] = [("SET", key, 1) for key in "abc"]
    found: list[Any] = []
    with pytest.raises(RedisConnectionError):
        await exchange_packed(_client(connection), commands, [packed(one) for one in commands], found)
    assert found == [b"1"]
