"""What a worker leaves when it ends: no lead that others wait for, and after a burst no complete batch that is open."""

from __future__ import annotations

import asyncio

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.service_in_process import running, services_on
from worker.store.scripts import Scripts


@pytest.mark.parametrize("task", ["sweep", "days"])
class TestLeads:
    async def test_the_lead_is_given_back(self, redis, namespace, factus, task):
        """A worker that was started again waited for the lease of the one before it to end: half a minute."""
        built = services_on(redis, namespace, gateway=factus)
        key = built.keys.leader(task, built.accounts)
        async with running(built):
            while not await redis.exists(key):
                await asyncio.sleep(0.01)
        assert not await redis.exists(key)

    async def test_another_worker_s_is_left_to_it(self, redis, namespace, factus, task):
        built = services_on(redis, namespace, gateway=factus)
        key = built.keys.leader(task, built.accounts)
        await redis.set(key, "another worker")
        async with running(built) as rig:
            await rig.push_bill("A")
            await rig.events(1)
        assert await redis.get(key) == b"another worker"

    async def test_without_redis_the_process_ends_all_the_same(self, redis, namespace, factus, monkeypatch, task):
        built = services_on(redis, namespace, gateway=factus)
        key, run = built.keys.leader(task, built.accounts), Scripts.run

        async def failing(self, name, keys, args, **how):
            if name == "release_leadership":
                raise RedisConnectionError("gone")
            return await run(self, name, keys, args, **how)

        monkeypatch.setattr(Scripts, "run", failing)
        async with running(built) as rig:
            while not await redis.exists(key):
                await asyncio.sleep(0.01)
        assert rig.task.done()
        assert rig.task.exception() is None


class TestBurst:
    """``run --burst`` ends when nothing is left to do: a batch that is complete is closed by then."""

    @pytest.fixture(autouse=True)
    async def _not_swept(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        await redis.set(built.keys.leader("sweep", built.accounts), "another worker")

    async def test_a_batch_is_told_of_whoever_leads_the_sweep(self, rig, redis):
        for n in range(2):
            await rig.push_bill(f"R{n}", batch="b", batch_size=2)
        await rig.rest()
        assert [event["type"] for event in await rig.events(3)][-1] == "batch.completed"

    async def test_a_batch_that_is_not_complete_holds_it_up_no_longer(self, rig, redis):
        await rig.push_bill("A", batch="b", batch_size=3)
        await rig.push_bill("B", batch="without a size")
        await rig.rest()
        assert await redis.xlen(rig.services.keys.results()) == 2

    async def test_nor_does_one_that_cannot_be_closed_or_is_another_worker_s(self, rig, redis):
        keys = rig.services.keys
        await redis.set(keys.batch("acme/wrong"), "wrong")
        await redis.hset(keys.batch("b/x"), mapping={"size": "1", "n_final": "1"})
        await redis.zadd(keys.served_accounts(), {"b": 10**15})
        await redis.sadd(keys.batches_due(), "acme/wrong", "b/x")
        await rig.push_bill("A", batch="b", batch_size=1)
        await rig.rest()
        assert await redis.smembers(keys.batches_due()) == {b"acme/wrong", b"b/x"}
