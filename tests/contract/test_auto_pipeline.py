"""Commands that are asked for at the same time go together, and each is answered for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, NoScriptError, RedisError, ResponseError

from tests.patience import PATIENCE_S
from tests.sentinels import free_ports
from worker.store import auto_pipeline
from worker.store.auto_pipeline import AutoPipeline
from worker.store.connection import close, connect
from worker.store.scripts import Scripts


async def _all(pipeline: AutoPipeline, *commands: tuple[Any, ...]) -> list[Any]:
    return await asyncio.gather(*map(pipeline.run, commands), return_exceptions=True)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many commands went together, each time."""
    found: list[int] = []
    send = auto_pipeline.exchange_packed

    async def counted(client: Any, commands: Any, wire: Any, replies: Any) -> None:
        found.append(len(commands))
        await send(client, commands, wire, replies)

    monkeypatch.setattr(auto_pipeline, "exchange_packed", counted)
    return found


async def test_what_is_asked_at_once_goes_at_once(redis: ArqRedis, namespace: str, sizes: list[int]) -> None:
    pipeline = AutoPipeline(redis)
    found = await _all(pipeline, *[("SET", f"{namespace}:{n}", n, "GET") for n in range(70)])
    assert found == [None] * 70
    assert sizes == [32, 32, 6]
    assert await _all(pipeline, *[("GET", f"{namespace}:{n}") for n in range(3)]) == [b"0", b"1", b"2"]
    assert await pipeline.run(("GET", f"{namespace}:69")) == b"69"
    assert sizes == [32, 32, 6, 3, 1]


async def test_what_is_large_keeps_no_small_one_waiting(redis: ArqRedis, namespace: str, sizes: list[int]) -> None:
    large = ("SET", f"{namespace}:large", "x" * 200_000)
    small = [("SET", f"{namespace}:{n}", "x") for n in range(3)]
    await _all(AutoPipeline(redis), small[0], large, small[1], large, small[2])
    assert sizes == [3, 1, 1]


async def test_an_error_is_the_answer_of_its_own_command(redis: ArqRedis, namespace: str) -> None:
    key = f"{namespace}:text"
    await redis.set(key, "x")
    wrong, unknown, right = await _all(AutoPipeline(redis), ("LPUSH", key, "y"), ("EVALSHA", "0" * 40, 0), ("GET", key))
    assert isinstance(wrong, ResponseError)
    assert isinstance(unknown, NoScriptError)
    assert right == b"x"


@pytest.mark.parametrize(("value", "error"), [("\ud800", UnicodeEncodeError), (None, DataError), ({}, DataError)])
async def test_what_cannot_be_sent_keeps_no_other_back(
    redis: ArqRedis, namespace: str, value: Any, error: type[Exception]
) -> None:
    key = f"{namespace}:text"
    before, found, after = await _all(AutoPipeline(redis), ("SET", key, "x"), ("SET", key, value), ("GET", key))
    assert (bool(before), after) == (True, b"x")
    assert isinstance(found, error)


async def test_who_gives_up_waiting_takes_nobody_along(redis: ArqRedis, namespace: str) -> None:
    pipeline, key = AutoPipeline(redis), f"{namespace}:n"
    left, stays = [asyncio.create_task(pipeline.run(("INCR", key))) for _ in range(2)]
    await asyncio.sleep(0)
    left.cancel()
    assert await stays == 1, "what nobody waits for any more is not sent"
    assert left.cancelled()


async def test_through_an_outage_nothing_is_tried_again_for_those_who_have_gone(
    redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def silent(*_given: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    monkeypatch.setattr(auto_pipeline, "exchange_packed", silent)
    pipeline = AutoPipeline(redis)
    first, second = [asyncio.create_task(pipeline.run(("GET", "a"))) for _ in range(2)]
    await begun.wait()
    first.cancel()
    await asyncio.sleep(0.01)
    assert not ended.is_set(), "somebody waits still"
    second.cancel()
    await asyncio.wait_for(ended.wait(), PATIENCE_S)


async def test_who_was_answered_before_the_cut_has_the_answer(redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut(_client: Any, _commands: Any, _wire: Any, found: list[Any]) -> None:
        found.append(b"1")
        raise RedisConnectionError("cut")

    monkeypatch.setattr(auto_pipeline, "exchange_packed", cut)
    first, second = await _all(AutoPipeline(redis), ("GET", "a"), ("GET", "b"))
    assert first == b"1"
    assert isinstance(second, RedisConnectionError)


async def test_a_sending_that_is_cancelled_before_it_began_keeps_nobody_waiting(redis: ArqRedis) -> None:
    """As at the end of a loop, where what cleans up may run a script still."""
    pipeline = AutoPipeline(redis)
    waiting = asyncio.create_task(pipeline.run(("PING",)))
    while not pipeline._sending:
        await asyncio.sleep(0)
    (sending,) = pipeline._sending
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, PATIENCE_S)
    assert await asyncio.wait_for(pipeline.run(("PING",)), PATIENCE_S) in (b"PONG", True)


async def test_a_server_that_is_not_there_is_told_to_each() -> None:
    redis = connect(f"redis://127.0.0.1:{free_ports(1)[0]}/0", impatient=True)
    first, second = await _all(AutoPipeline(redis), ("GET", "a"), ("GET", "b"))
    assert isinstance(first, RedisConnectionError)
    assert isinstance(second, RedisConnectionError)
    assert first is not second, "raised in two places, an error would gather the way of both"
    await close(redis)


async def test_a_defect_on_the_way_leaves_nobody_waiting(redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_given: Any) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(auto_pipeline, "exchange_packed", broken)
    found = await asyncio.wait_for(_all(AutoPipeline(redis), ("GET", "a"), ("GET", "b")), 5)
    assert [type(one) for one in found] == [ValueError, ValueError]


async def test_scripts_that_the_server_has_forgotten_are_loaded_for_all_who_ask(
    redis: ArqRedis, namespace: str
) -> None:
    scripts = Scripts(redis)
    keys = {"leader": f"{namespace}:leader"}

    async def lead(worker: str) -> int:
        return int(await scripts.run("acquire_leadership", keys, {"worker": worker, "lease_ms": 10_000}))

    for _ in range(2):
        await redis.delete(keys["leader"])
        await redis.script_flush()
        assert sorted(await asyncio.gather(*map(lead, "abc"))) == [0, 0, 2]


async def test_an_error_of_the_server_is_raised_where_the_script_was_asked_for(redis: ArqRedis, namespace: str) -> None:
    await redis.lpush(f"{namespace}:list", "x")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        await Scripts(redis).run(
            "acquire_leadership", {"leader": f"{namespace}:list"}, {"worker": "a", "lease_ms": 1000}
        )


async def test_a_connection_that_is_cut_between_two_replies() -> None:
    """On a socket: the one has its answer, and the other alone is sent again."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = not received
        received.append(await reader.readuntil(b"second\r\n"))
        writer.write(b"+one\r\n" if is_first else b"+two\r\n")
        await writer.drain()
        if not is_first:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    redis = connect(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    found = await _all(AutoPipeline(redis), ("ECHO", "first"), ("ECHO", "second"))
    await close(redis)
    server.close()
    await server.wait_closed()
    assert found == [b"one", b"two"]
    assert [one.count(b"ECHO") for one in received] == [2, 1]
