"""The room that large answers share: in order, given back with the task, never lost to one that stopped waiting."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from worker.factus.bounded_body import Room, read_bounded

MIB = 1024 * 1024


async def held(room: Room, limit: int, gate: asyncio.Event, order: list[str] | None = None, name: str = "") -> None:
    await room.enter(limit)
    if order is not None:
        order.append(name)
    await gate.wait()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def room():
    return Room(size=100 * MIB)


async def test_shares_come_in_the_order_in_which_they_were_asked_for(room):
    order, gates = [], [asyncio.Event() for _ in range(3)]
    tasks = [
        asyncio.create_task(held(room, limit, gate, order, name))
        for name, limit, gate in zip("abc", (20 * MIB, 10 * MIB, 1), gates, strict=True)
    ]
    await settled()
    assert order == ["a"], "the last would fit, and would starve the second"
    gates[0].set()
    await tasks[0]
    await settled()
    assert order == ["a", "b", "c"]
    for gate in gates:
        gate.set()
    await asyncio.gather(*tasks)
    await settled()
    assert room.used == 0


@pytest.mark.parametrize("when", ["waiting", "holding"])
async def test_a_task_that_is_cancelled_leaves_nothing_behind(room, when):
    gate = asyncio.Event()
    first = asyncio.create_task(held(room, 24 * MIB, gate))
    await settled()
    second = asyncio.create_task(held(room, 24 * MIB, gate))
    third = asyncio.create_task(held(room, 1, gate))
    await settled()
    (second if when == "waiting" else first).cancel()
    gate.set()
    await asyncio.gather(first, second, third, return_exceptions=True)
    await settled()
    assert room.used == 0


async def test_a_share_that_came_to_one_that_was_just_cancelled_is_given_back(room):
    gate, other = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(held(room, 24 * MIB, gate))
    await settled()
    second = asyncio.create_task(held(room, 24 * MIB, other))
    await settled()
    gate.set()
    await first
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await settled()
    assert room.used == 0


async def test_a_task_waits_once_only(room):
    async def twice():
        await room.enter(1 * MIB)
        await room.enter(20 * MIB)
        return room.used

    assert await asyncio.create_task(twice()) > 60 * MIB
    await settled()
    assert room.used == 0


async def test_what_is_larger_than_the_room_has_it_alone(room):
    gate = asyncio.Event()
    gate.set()
    await asyncio.gather(*(held(room, 500 * MIB, gate) for _ in range(3)))


@pytest.mark.parametrize("inside", [b"", b"a", b"a" * 1000], ids=["nothing", "a byte", "a line"])
async def test_others_have_their_turn_while_one_chunk_of_many_members_is_unpacked(room, inside):
    async def once():
        yield gzip.compress(inside) * 2000

    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(other())
    found = await read_bounded(once(), encoding="gzip", length=None, limit=4 * MIB, room=room)
    ticking.cancel()
    assert found == (inside * 2000, True)
    assert turns >= 2000 // 200
