"""Commands that are asked for at the same time go together, and each is answered for itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from tests.sentinels import free_ports
from worker.store import auto_pipeline
from worker.store.auto_pipeline import AutoPipeline
from worker.store.connection import connect
from worker.store.scripts import Scripts


async def _all(pipeline: AutoPipeline, *commands: tuple[Any, ...]) -> list[Any]:
    return await asyncio.gather(*map(pipeline.run, commands), return_exceptions=True)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many commands went together, each time."""
    found: list[int] = []
    send = auto_pipeline.exchange_packed

    async def counted(client: Any, commands: Any, wire: Any) -> list[Any]:
        found.append(len(commands))
        return await send(client, commands, wire)

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


@pytest.mark.parametrize(("value", "error"), [("\ud800", UnicodeEncodeError), (None, TypeError), ({}, TypeError)])
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
    assert await stays == 2
    assert left.cancelled() or await asyncio.wait_for(asyncio.gather(left, return_exceptions=True), 1)


async def test_a_server_that_is_not_there_is_told_to_each() -> None:
    redis = connect(f"redis://127.0.0.1:{free_ports(1)[0]}/0", impatient=True)
    first, second = await _all(AutoPipeline(redis), ("GET", "a"), ("GET", "b"))
    assert isinstance(first, RedisConnectionError)
    assert isinstance(second, RedisConnectionError)
    assert first is not second, "raised in two places, an error would gather the way of both"
    await redis.aclose()


async def test_a_defect_on_the_way_leaves_nobody_waiting(redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_given: Any) -> list[Any]:
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
