"""Who joined a document ends after its owner, a few at a time, once each, whoever dies in between."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from jobs import answers
from schemas.factus import DocumentView, Remark
from tests.contract.test_follow_ups import kill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, quick, running, services_on
from worker.process import run_tasks

N = 120


@pytest.fixture
def factus():
    return FakeFactus(gate=asyncio.Event())


async def push_joined(rig, factus, n=N, **envelope):
    """One document and *n* jobs that join it while it is open."""
    await rig.push_bill("A", id="owner", **envelope)
    await factus.called("create")
    for k in range(n):
        await rig.push_bill("A", id=f"j{k}", **envelope)
    joined = rig.services.keys.joined(rig.services.keys.document("acme", "invoice", "A"))
    while await rig.services.redis.llen(joined) < n:
        await asyncio.sleep(0.01)


def ends(events):
    return Counter((event["job_id"], event["type"], event["seq"], event["attempts"]) for event in events)


def nested(n_levels):
    """What Factus answers, so many levels deep."""
    value = "x"
    for _ in range(n_levels):
        value = {"a": value}
    return value


async def test_an_answer_as_deep_as_any_that_is_read_ends_who_joined_too(redis, namespace, factus):
    """It stands a level deeper in the event: read with an answer's bounds, those who joined waited for ever."""

    def deep(seen):
        return answers.DocumentSeen(DocumentView({**seen.document.raw, "more": nested(30)}))

    factus.script = [deep]
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await push_joined(rig, factus, 3)
        factus.gate.set()
        events = await rig.events(4)
    assert len({event["data"]["factus"]["more"]["a"]["a"]["a"] != "" for event in events}) == 1
    assert ends(events).total() == len(ends(events)) == 4


@pytest.mark.parametrize("outcome", ["validated", "rejected", "failed"])
async def test_each_ends_once_after_the_owner(redis, namespace, factus, outcome):
    if outcome == "rejected":
        factus.script = [answers.RulesRefused((Remark("Regla: X, Rechazo: x", "X"),))]
    if outcome == "failed":
        factus.script = [answers.BadRequest(400, "no")]
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await push_joined(rig, factus, batch="b", batch_size=N + 1)
        factus.gate.set()
        events = await rig.events(N + 2)
        await rig.rest()
        keys = rig.services.keys
        assert await redis.xlen(keys.results()) == N + 2
        states = {await redis.hget(keys.job("acme", f"j{k}"), "state") for k in range(N)}
        assert states == {b"final"}
        assert not await redis.keys(f"{namespace}:ended:*")
        assert not await redis.hexists(keys.job("acme", "j0"), "payload")
    assert events[0]["job_id"] == "owner"
    closing = events.pop(next(n for n, event in enumerate(events) if event["type"] == "batch.completed"))
    assert closing["data"]["counts"] == {f"invoice.{outcome}": N + 1}
    assert all(event["data"] == events[0]["data"] for event in events)
    found = ends(events)
    assert set(found.values()) == {1}
    assert all((type_, seq) == (f"invoice.{outcome}", 1) for _, type_, seq, _ in found)
    assert {attempts for id_, _, _, attempts in found if id_ != "owner"} == {0}


@pytest.mark.parametrize("n_slices", [0, 1, 2])
async def test_a_kill_between_two_slices_loses_and_doubles_nothing(redis, namespace, factus, monkeypatch, n_slices):
    policies = quick(joined={"lease_ms": 200, "look_every_s": 0.05}, drain={"joined_s": 0.0})
    dying = services_on(redis, namespace, gateway=factus, policies=policies)
    slices, died = dying.joined._slice, asyncio.Event()
    left = iter(range(n_slices))

    async def dies(owner):
        if next(left, None) is None:
            died.set()
            await asyncio.Event().wait()
        return await slices(owner)

    monkeypatch.setattr(dying.joined, "_slice", dies)
    stopping = asyncio.Event()
    rig = ServiceInProcess(dying, stopping, asyncio.create_task(run_tasks(dying, stopping)))
    await push_joined(rig, factus)
    factus.gate.set()
    await died.wait()
    await kill(dying, rig.task)
    async with running(services_on(redis, namespace, gateway=factus, policies=policies)) as heir:
        await redis.zadd(heir.services.keys.ended_due(), {"acme/owner": 1}, xx=True)  # its lease is over
        events = await heir.events(N + 1)
        await heir.rest()
        assert await redis.xlen(heir.services.keys.results()) == N + 1
    assert set(ends(events).values()) == {1}


async def test_two_workers_at_once_end_each_job_once(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus)
    other = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig, running(other):
        await push_joined(rig, factus)
        factus.gate.set()
        while not await redis.exists(built.keys.ended_due()):
            await asyncio.sleep(0)
        for one in (other, built):
            one.joined._owners.add("acme/owner")
        events = await rig.events(N + 1)
        await rig.rest()
        assert await redis.xlen(built.keys.results()) == N + 1
    assert set(ends(events).values()) == {1}


async def test_a_reference_that_failed_can_be_pushed_and_joined_anew_meanwhile(redis, namespace, factus, monkeypatch):
    factus.script = [answers.BadRequest(400, "no")]
    built = services_on(redis, namespace, gateway=factus)
    gate, slices = asyncio.Event(), built.joined._slice

    async def waits(owner):
        await gate.wait()
        return await slices(owner)

    monkeypatch.setattr(built.joined, "_slice", waits)
    async with running(built) as rig:
        await push_joined(rig, factus, n=3)
        factus.gate.set()
        await rig.events(1)
        await rig.push_bill("A", id="new")
        (validated,) = await rig.events(1)
        await rig.push_bill("A", id="replay")
        (replayed,) = await rig.events(1)
        gate.set()
        failed = await rig.events(3)
    assert (validated["job_id"], validated["type"]) == ("new", "invoice.validated")
    assert replayed["data"]["replayed"] is True
    assert {event["type"] for event in failed} == {"invoice.failed"}


async def test_a_slice_that_another_worker_has_ended_is_not_ended_again(redis, namespace, factus, monkeypatch):
    """Both have read the same ids; the second finds others at the head of the list."""
    built = services_on(redis, namespace, gateway=factus)
    run = built.joined._scripts.run

    async def twice(name, keys, args):
        if name == "end_joined":
            await run(name, keys, args)
        return await run(name, keys, args)

    monkeypatch.setattr(built.joined._scripts, "run", twice)
    async with running(built) as rig:
        await push_joined(rig, factus)
        factus.gate.set()
        events = await rig.events(51)
        while await redis.exists(built.keys.ended_due()):
            built.joined._owners.add("acme/owner")
            await asyncio.sleep(0.01)
        events += await rig.events(N + 1 - 51)
        await rig.rest()
        assert await redis.xlen(built.keys.results()) == N + 1
    assert set(ends(events).values()) == {1}


@pytest.mark.parametrize("damage", ["gone", "wrong type", "no UTF-8", "no number", "no JSON"])
async def test_one_whose_record_is_broken_hears_of_its_document_all_the_same(redis, namespace, factus, damage):
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await push_joined(rig, factus, n=3)
        key = rig.services.keys.job("acme", "j1")
        if damage in ("gone", "wrong type"):
            await redis.delete(key)
        if damage == "wrong type":
            await redis.set(key, "wrong")
        if damage == "no UTF-8":
            await redis.hset(key, "metadata", b"\xff")
        if damage == "no number":
            await redis.hset(key, "seq", "x")
        if damage == "no JSON":
            await redis.hset(key, "metadata", "{")
        factus.gate.set()
        events = await rig.events(4)
    assert {event["job_id"] for event in events} == {"owner", "j0", "j1", "j2"}
    assert {event["type"] for event in events} == {"invoice.validated"}


async def test_no_script_is_long_however_many_joined(real_redis, namespace, factus, monkeypatch):
    """40,000 of them; 1,000 are ended here, which shows what a slice costs."""
    built = services_on(real_redis, namespace, gateway=factus)
    keys, run, longest = built.keys, built.joined._scripts.run, []

    async with running(built) as rig:
        await push_joined(rig, factus, n=1)
        joined = keys.joined(keys.document("acme", "invoice", "A"))
        record = await real_redis.hgetall(keys.job("acme", "j0"))
        for start in range(0, 40_000, 5_000):
            await real_redis.rpush(joined, *[f"k{n}" for n in range(start, start + 5_000)])
        async with real_redis.pipeline(transaction=False) as pipe:
            for n in range(1_000):
                pipe.hset(keys.job("acme", f"k{n}"), mapping={**record, b"id": f"k{n}"})
            await pipe.execute()

        async def counted(name, script_keys, args):
            if name == "end_joined":
                longest.append(int(args["n_jobs"]))
            return await run(name, script_keys, args)

        monkeypatch.setattr(built.joined._scripts, "run", counted)
        await real_redis.config_resetstat()
        factus.gate.set()
        events = await rig.events(500)
        stats = await real_redis.info("commandstats")
    assert events[0]["job_id"] == "owner"
    # By what a script does, not by its time, which is the machine's: a slice is bounded, and nothing walks the list.
    assert 1 < max(longest) <= 100
    walked = {name: stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("lpop", "lrem", "rpush", "lmove")}
    assert max(walked.values()) < 50, walked
