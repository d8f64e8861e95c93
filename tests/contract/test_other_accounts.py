"""
Workers of one namespace that serve different accounts (an upgrade, a company moved to another host): each does its own
accounts' work in time, and leaves the work of the others to those who can do it.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.builders import a_bill
from tests.service_in_process import ServiceInProcess, an_account, quick, running, services_on

LATE = {"expires_at": "2020-01-01T00:00:00-05:00", "not_before": "2020-01-01T00:00:00-05:00"}
FAR_MS = 10**15


@pytest.fixture
def one(redis, namespace, factus):
    """Serves account a alone."""
    return services_on(redis, namespace, an_account("a"), gateway=factus)


@pytest.fixture
def two(redis, namespace, factus):
    """Serves account b alone, which has streams of its own."""
    return services_on(redis, namespace, an_account("b", own_streams=True), gateway=factus)


def at(built) -> ServiceInProcess:
    """The two ends of a service that another block runs."""
    return ServiceInProcess(built, asyncio.Event(), asyncio.get_running_loop().create_future())


async def push_to_b(rig, code="B", **envelope):
    job = {"type": "invoice.issue", "account": "b", "payload": a_bill(reference_code=code), **envelope}
    await rig.push(job, stream=rig.services.keys.jobs("b"))


async def leads_sweep(built):
    while not await built.redis.keys(f"{built.keys.namespace}:leader:sweep*"):
        await asyncio.sleep(0.01)


class TestSweep:
    """Each set of accounts has a sweep of its own: what one worker leads is no other accounts' business."""

    async def test_a_job_whose_time_is_up_ends_beside_a_worker_that_swept_first(self, redis, one, two):
        """It was told when the worker that led the sweep, and could not end it, had gone."""
        await redis.hset(two.keys.account("b"), mapping={"hold_until": FAR_MS, "hold_reason": "payment"})
        async with running(one):
            await leads_sweep(one)
            async with running(two) as rig:
                await push_to_b(rig, id="late", **LATE)
                (event,) = await rig.events(1, stream=two.keys.results("b"))
        assert (event["job_id"], event["errors"][0]["code"]) == ("late", "job.expired")

    async def test_workers_of_the_same_accounts_have_one_sweep(self, redis, namespace, factus):
        names = [("a", "b"), ("b", "a"), ("a",)]
        keys = [
            services_on(redis, namespace, *map(an_account, accounts), gateway=factus).sweep._leader
            for accounts in names
        ]
        assert keys[0] == keys[1] != keys[2]

    async def test_what_is_due_of_others_keeps_its_place_and_nobody_from_theirs(self, redis, one):
        """Where nobody serves an account any more, what it has may be more than is looked at in a round."""
        keys = one.keys
        strangers = {f"stranger/{n}": 1 for n in range(25_000)}
        await redis.zadd(keys.deadlines(), strangers)
        await redis.zadd(keys.deadlines(), {"a/gone": 2, "a/gone too": 1})
        for _ in range(4):
            await one.sweep.end_overdue()
        assert await redis.zrange(keys.deadlines(), 0, -1, withscores=True) == [
            (name.encode(), 1.0) for name in sorted(strangers)
        ]

    async def test_two_sweeps_at_once_end_a_job_once(self, redis, namespace, factus):
        """Accounts may be served by workers of several sets."""
        sets = [("a",), ("a", "b"), ("a", "c")]
        built = [services_on(redis, namespace, *map(an_account, names), gateway=factus) for names in sets]
        await redis.hset(built[0].keys.account("a"), mapping={"hold_until": FAR_MS, "hold_reason": "payment"})
        async with running(built[0]) as rig, running(built[1]), running(built[2]):
            for n in range(5):
                await rig.push_bill(account="a", id=f"late{n}", batch="x", batch_size=5, **LATE)
            events = await rig.events(6)
            for other in built:
                await other.sweep.end_overdue()
                await other.sweep.sweep()
            await rig.rest()
            assert await redis.xlen(built[0].keys.results()) == 6
        assert sorted(event["type"] for event in events) == ["batch.completed", *["invoice.failed"] * 5]


class TestJoined:
    async def test_what_is_due_of_others_keeps_its_place(self, redis, namespace, factus):
        policies = quick(joined={"look_every_s": 0.02})
        built = services_on(redis, namespace, an_account("a"), gateway=factus, policies=policies)
        await redis.zadd(built.keys.ended_due(), {f"stranger/{n}": 1 for n in range(200)} | {"a/gone": 2})
        async with running(built):
            while await redis.zscore(built.keys.ended_due(), "a/gone"):
                await asyncio.sleep(0.01)
        assert await redis.zcount(built.keys.ended_due(), 1, 1) == 200
