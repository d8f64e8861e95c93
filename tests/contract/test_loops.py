"""No member of a loop ends the process, makes it spin, or keeps the members behind it from their turn."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on


@pytest.fixture
def built(redis, namespace):
    return services_on(redis, namespace, gateway=FakeFactus())


def most_failures(since: float) -> int:
    """How often one member can have failed by now: it rests for 1, 2, 4 ... s after each time."""
    return 1 + int(math.log2(1 + time.monotonic() - since))


async def test_poisoned_deadlines_keep_the_next_from_nothing(built, redis):
    keys = built.keys
    names = [b"acme/\xff%d" % n for n in range(100)] + [f"acme/wrong{n}".encode() for n in range(50)] + [b"stranger/x"]
    for n in range(50):
        await redis.set(keys.job("acme", f"wrong{n}"), "wrong")
    await redis.hset(keys.job("stranger", "x"), mapping={"v": "1", "lane": "stranger/invoice"})
    await redis.zadd(keys.deadlines(), dict.fromkeys(names, 1))
    began = time.monotonic()
    async with running(built) as rig:
        await rig.push_bill(
            "late", id="j", expires_at="2020-01-01T00:00:00-05:00", not_before="2020-01-01T00:00:00-05:00"
        )
        (event,) = await rig.events(1)
        for _ in range(2):  # a round has 100 of them in hand
            await built.sweep.end_overdue()
        left = await redis.zrangebyscore(keys.deadlines(), 1, 1)
    assert event["errors"][0]["code"] == "job.expired"
    assert left == [b"stranger/x"], "each stands behind those that have not been tried, but for what is not ours"
    assert built.guards.failed.total["sweep"] >= 150
    # Twice at most at a time: the process's own round and the test's may have the same one in hand.
    assert built.guards.failed.total["sweep"] <= 2 * 150 * most_failures(began), "each rests after it has failed"
    assert await redis.zcard(keys.deadlines()) == len(names), "none was forgotten"


async def test_poisoned_lanes_keep_no_lane_waiting(built, redis):
    keys = built.keys
    names = [b"acme/\xff%d" % n for n in range(150)] + [f"acme/wrong{n}".encode() for n in range(50)]
    for n in range(50):
        await redis.set(keys.waiting(f"acme/wrong{n}"), "wrong")
    await redis.zadd(keys.lanes_due(), dict.fromkeys(names, 1))
    await redis.sadd(keys.lanes(), *names)
    began = time.monotonic()
    async with running(built) as rig:
        await rig.push_bill("A")
        (event,) = await rig.events(1)
        await built.sweep.sweep()
    assert event["type"] == "invoice.validated"
    assert built.guards.failed.total["dispatch"] <= 200 * most_failures(began)
    assert built.guards.failed.total["sweep"] >= 200


@pytest.mark.parametrize(
    "stored",
    [
        {"size": "1e+99", "n_final": "2", "type:job.refused": "2"},
        {"size": "x", "n_final": "1", "type:invoice.validated": "1", "cents": "1e+99"},
        {"size": "1", "n_final": "1", b"\xff": b"\xff", "type:\x1b": "x", "first_number": b"\xff"},
    ],
)
async def test_a_batch_with_garbage_is_closed(built, redis, stored):
    await redis.hset(built.keys.batch("acme/b"), mapping=stored)
    await redis.rpush(built.keys.batch_failures("acme/b"), b"\xff", b"{")
    await redis.sadd(built.keys.batches_due(), "acme/b")
    async with running(built) as rig:
        (event,) = await rig.events(1)
    assert (event["type"], event["batch"], event["data"]["failures"]) == ("batch.completed", "b", [])
    assert not await redis.scard(built.keys.batches_due())


async def test_a_batch_that_cannot_be_closed_rests_and_the_others_are_closed(built, redis):
    await redis.set(built.keys.batch("acme/wrong"), "wrong")
    await redis.sadd(built.keys.batches_due(), "acme/wrong", b"acme/\xff", b"\xff")
    began = time.monotonic()
    async with running(built) as rig:
        await rig.push_bill("A", batch="b", batch_size=1)
        events = await rig.events(2)
        n_failed = built.guards.failed.total["batches"]
        await built.sweep.end_expired_and_close_batches()
        await built.sweep.end_expired_and_close_batches()
    assert {event["type"] for event in events} == {"invoice.validated", "batch.completed"}
    assert 1 <= n_failed <= built.guards.failed.total["batches"] <= 2 * 3 * most_failures(began)


KEYS = ["lanes_due", "lanes", "deadlines", "batches_due", "ended_due", "workers", "arq_queue", "results", "dead"]


@pytest.mark.parametrize("name", KEYS)
async def test_a_loop_whose_own_key_is_broken_goes_on_when_it_is_mended(built, redis, name):
    key = getattr(built.keys, name)()
    await redis.set(key, "wrong")
    async with running(built) as rig:
        await rig.push_bill("A", batch="b", batch_size=1, issue_on="2020-01-01")
        while not built.guards.failed.total and not await redis.xlen(built.keys.jobs()):
            await asyncio.sleep(0.01)
        assert not rig.task.done()
        await redis.delete(key)
        await rig.push_bill("B")
        found = {event["type"] for event in await rig.events(3)}
    assert found >= {"invoice.validated", "invoice.failed"}


@pytest.mark.parametrize("is_own", [False, True], ids=["common", "own"])
@pytest.mark.parametrize("at", ["start", "work"])
async def test_a_stream_whose_key_is_broken_keeps_no_other_from_being_read(redis, namespace, is_own, at):
    accounts = an_account("common"), an_account("own", own_streams=True)
    built = services_on(redis, namespace, *accounts, gateway=FakeFactus())
    keys = built.keys
    broken, sound = ("own", "common") if is_own else ("common", "own")
    owner = {"common": "", "own": "own"}  # of a stream

    async def issued(rig: ServiceInProcess, account: str) -> str:
        rig._last = "0-0"
        job = {"type": "invoice.issue", "account": account, "payload": a_bill(reference_code=account)}
        await rig.push(job, stream=keys.jobs(owner[account]))
        (event,) = await rig.events(1, stream=keys.results(owner[account]))
        return event["type"]

    began = time.monotonic()
    if at == "start":
        await redis.set(keys.jobs(owner[broken]), "wrong")
    async with running(built) as rig:
        if at == "work":
            while not built.intake.is_leader:
                await asyncio.sleep(0)
            await redis.set(keys.jobs(owner[broken]), "wrong")
        assert await issued(rig, sound) == "invoice.validated"
        assert 1 <= built.guards.failed.total["intake"] <= 1 + most_failures(began), "it rests after it has failed"
        await redis.delete(keys.jobs(owner[broken]))
        assert await issued(rig, broken) == "invoice.validated"


async def test_the_heartbeat_tells_what_failed(built, redis):
    for task in ("sweep", "take", "sweep"):
        built.guards.failed.note(task)
    async with running(built) as rig:
        while not (facts := await redis.hgetall(built.keys.worker(built.worker_id))):
            await asyncio.sleep(0.01)
        assert not rig.task.done()
    assert facts[b"failed"].startswith(b"sweep=2,take=1")
    assert facts[b"failed_lately"] == facts[b"failed"]
    assert 0 <= int(facts[b"at"]) - int(facts[b"failing_since"]) < 600_000
    assert {b"held", b"held_ms", b"held_busy_ms"} <= facts.keys()
