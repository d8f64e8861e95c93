"""Inquiries go in step: as many round trips as the longest needs, and each is sent its own replies."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from worker.store import connection, exchange
from worker.store.inquiry import Inquiry, answered, each, together


def asking(steps: Sequence[int], name: int) -> Inquiry[list[Any]]:
    """Asks so many things in each step, and returns what it was sent."""
    found: list[Any] = []
    for n, many in enumerate(steps):
        found += yield [(f"{name}.{n}.{k}",) for k in range(many)]
    return found


def echoed(inquiry: Inquiry[Any]) -> tuple[Any, int]:
    """An inquiry in which each command is its own reply; what it returns, and how many steps it took."""
    steps = 0
    try:
        asked = next(inquiry)
        while True:
            steps += 1
            asked = inquiry.send([command[0] for command in asked])
    except StopIteration as done:
        return done.value, steps


@given(st.lists(st.lists(st.integers(0, 3), max_size=4), max_size=6))
def test_each_is_sent_what_it_has_asked_for_in_as_many_steps_as_the_longest_takes(many: list[list[int]]) -> None:
    alone = [echoed(asking(steps, n)) for n, steps in enumerate(many)]
    found, steps = echoed(each(asking(steps, n) for n, steps in enumerate(many)))
    assert found == [one for one, _ in alone]
    assert steps == max((n for _, n in alone), default=0)


def test_those_that_stand_inside_others_go_in_step_too() -> None:
    inner = together(asking([1, 1], 0), asking([1], 1))
    (first, second), steps = echoed(together(inner, asking([2, 1, 1], 2)))
    assert (first, second) == ((["0.0.0", "0.1.0"], ["1.0.0"]), ["2.0.0", "2.0.1", "2.1.0", "2.2.0"])
    assert steps == 3


def test_what_one_raises_ends_all() -> None:
    def failing() -> Inquiry[None]:
        yield [("a",)]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        echoed(together(asking([1, 1, 1], 0), failing()))


async def test_replies_are_the_server_s_and_a_refusal_is_one_of_them(redis: Any, namespace: str) -> None:
    """Of the real server and of the imitated one; more than go at once come in order."""
    await redis.zadd(f"{namespace}:z", {"a": 1, "b": 2.5})

    def asked() -> Inquiry[Any]:
        replies = yield [
            ("ZRANGE", f"{namespace}:z", 0, -1, "WITHSCORES"),
            ("GET", f"{namespace}:z"),
            ("ECHO", b"\xff"),
        ]
        more = yield [("ECHO", str(n)) for n in range(exchange.MOST + 7)]
        return replies, more

    (pairs, refused, raw), more = await answered(redis, asked())
    assert pairs == [b"a", b"1", b"b", b"2.5"]
    assert isinstance(refused, ResponseError)
    assert raw == b"\xff"
    assert [int(one) for one in more] == list(range(exchange.MOST + 7))


async def test_over_a_connection_with_a_bound_each_reply_has_its_own(valkey_url: str) -> None:
    """Together they may be larger than one may be."""
    client = connection.connect(valkey_url, blocking=True)
    try:
        large = "x" * (1024 * 1024)
        assert await exchange.exchange(client, [("ECHO", large)] * 20) == [large.encode()] * 20
    finally:
        await connection.close(client)


@asynccontextmanager
async def a_server(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[ArqRedis]:
    """A client of something that speaks like a server, as far as *talk* goes; it gives up after 0.2 s."""
    talks: list[asyncio.Task[Any]] = []

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.create_task(to_its_end(reader, writer)))

    async def to_its_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await talk(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(begin, "127.0.0.1", 0, family=socket.AF_INET)
    client = connection.connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", impatient=True)
    client.connection_pool.connection_kwargs["socket_timeout"] = 0.2
    async with server:
        yield client
        await connection.close(client)
        await asyncio.wait(talks)


async def test_a_reply_that_nobody_waits_for_any_more_answers_nothing_else() -> None:
    """Who goes away in the middle leaves a connection with replies on the way: it is not used again."""
    asked, n = asyncio.Event(), 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n
        n += 1
        while await reader.read(100):
            asked.set()
            writer.write(b"+first\r\n" if n == 1 else b"+mine\r\n")

    async with a_server(talk) as client:
        waiting = asyncio.create_task(exchange.exchange(client, [("PING",), ("PING",)]))
        await asked.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert await exchange.exchange(client, [("PING",)]) == [b"mine"]


@pytest.mark.parametrize(
    ("answer", "error"), [(b"", RedisConnectionError), (b"+half", RedisTimeoutError), (b"-LOADING it\r\n", RedisError)]
)
async def test_what_does_not_answer_is_told(answer: bytes, error: type[RedisError]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        if answer:
            await reader.read()

    async with a_server(talk) as client:
        with pytest.raises(error):
            await exchange.exchange(client, [("PING",), ("PING",)])


def test_none_of_them_ask_nothing() -> None:
    assert echoed(each([])) == ([], 0)
