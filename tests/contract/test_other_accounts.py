"""
Workers of one namespace that serve different accounts (an upgrade, a company moved to another host): each does its own
accounts' work in time, and leaves the work of the others to those who can do it.
"""

from __future__ import annotations

import asyncio
import json

import pytest
import structlog

from tests.builders import a_bill
from tests.service_in_process import ServiceInProcess, an_account, quick, running, services_on
from worker.queue.dispatcher import IDLE_S
from worker.status.intake_reader import unread_streams

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
            services_on(redis, namespace, *map(an_account, accounts), gateway=factus).sweep._lead.key
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


class TestLanes:
    """A lane of another account keeps its time: its own worker looks at it by that."""

    async def test_its_time_is_not_moved_and_it_is_no_reason_to_look_again(self, redis, one):
        await redis.zadd(one.keys.lanes_due(), {"b/invoice": 1, "b/calls": FAR_MS})
        waits = [await one.dispatcher.poll_due_lanes() for _ in range(2)]
        assert await redis.zrange(one.keys.lanes_due(), 0, -1, withscores=True) == [
            (b"b/invoice", 1.0),
            (b"b/calls", float(FAR_MS)),
        ]
        assert waits == [IDLE_S, IDLE_S]

    async def test_however_many_are_due_those_behind_them_are_reached(self, redis, one):
        """Also where nobody serves them any more, and more than are looked at together."""
        strangers = {f"stranger{n}/invoice": 1 for n in range(250)}
        await redis.zadd(one.keys.lanes_due(), strangers)
        await redis.zadd(one.keys.lanes_due(), {"a/invoice": 2})
        n_looks = 1
        while not await one.dispatcher.poll_due_lanes():
            n_looks += 1
        assert n_looks <= 4
        assert await redis.zscore(one.keys.lanes_due(), "a/invoice") is None, "looked at: nothing waits in it"
        assert await redis.zcount(one.keys.lanes_due(), 1, 1) == 250
        assert await one.dispatcher.poll_due_lanes() == IDLE_S

    async def test_the_next_look_is_when_an_own_lane_is_due(self, redis, one):
        """Not when others' are, some of which are due for ever."""
        now = await redis.time()
        soon_ms = now[0] * 1000 + now[1] // 1000 + 600
        await redis.zadd(one.keys.lanes_due(), {f"b/{n}": n for n in range(150)})
        await redis.zadd(one.keys.lanes_due(), {"b/soon": soon_ms - 400, "a/invoice": soon_ms})
        while not (wait_s := await one.dispatcher.poll_due_lanes()):
            pass
        assert 0.2 < wait_s <= 0.6

    async def test_more_than_can_be_remembered_do_not_make_it_spin(self, redis, namespace, factus):
        one = services_on(redis, namespace, an_account("a"), gateway=factus, policies=quick(most_foreign=2))
        await redis.zadd(one.keys.lanes_due(), {f"stranger{n}/invoice": 1 for n in range(250)})
        assert await one.dispatcher.poll_due_lanes() == IDLE_S
        assert len(one.dispatcher._foreign.names) == 2

    async def test_it_is_told_once_of_each_account(self, redis, one):
        await redis.zadd(one.keys.lanes_due(), {"b/invoice": 1, "b/calls": 1, "c/invoice": 1})
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                await one.dispatcher.poll_due_lanes()
        told = [entry["lane"] for entry in logs if entry["event"] == "lane.account_unknown"]
        assert told == ["b/calls", "c/invoice"]

    async def test_two_workers_that_look_at_once_start_each_its_own(self, redis, one, two):
        async with running(two) as rig:
            await redis.hset(two.keys.account("b"), mapping={"hold_until": FAR_MS, "hold_reason": "payment"})
            await push_to_b(rig, "B")
            while not await redis.zscore(two.keys.waiting("b/invoice"), await job_of_b(redis, two)):
                await asyncio.sleep(0.01)
            await redis.hdel(two.keys.account("b"), "hold_until")
            await redis.zadd(two.keys.lanes_due(), {"b/invoice": 1})
            await one.dispatcher.poll_due_lanes()
            two.dispatcher.wake()
            (event,) = await rig.events(1, stream=two.keys.results("b"))
        assert event["type"] == "invoice.validated"


async def job_of_b(redis, built) -> bytes:
    while not (found := await redis.zrange(built.keys.waiting("b/invoice"), 0, 0)):
        await asyncio.sleep(0.01)
    return found[0]


class TestQueue:
    """What another account's worker has no room for stays in arq's queue for others who serve the account."""

    async def test_jobs_of_other_accounts_are_left_there(self, redis, namespace, factus, one):
        two = services_on(redis, namespace, an_account("b"), an_account("c"), gateway=factus)
        two.arq.max_jobs = 0  # it dispatches, and claims nothing
        async with running(two) as rig:
            for name in ("b", "c"):
                await rig.push_bill(account=name, id="one")
            while await redis.zcard(two.keys.arq_queue()) < 2:
                await asyncio.sleep(0.01)
            one.dispatcher._foreign.meet(b"b")
            async with running(one):
                while b"c" not in one.dispatcher._foreign.names:  # met in arq's queue
                    await asyncio.sleep(0.01)
            begun = [await redis.hexists(two.keys.job(name, "one"), "worker") for name in ("b", "c")]
            two.arq.max_jobs = 8
            two.arq.wake()
            events = await rig.events(2)
        assert begun == [False, True], "met once, in arq's queue; and never where it is known"
        assert sorted(event["account"] for event in events) == ["b", "c"]

    async def test_however_many_lie_there_those_behind_them_are_taken(self, redis, one):
        keys = one.keys
        await redis.zadd(keys.arq_queue(), {f"{keys.namespace}:b:{n}:1": 1 for n in range(250)})
        one.dispatcher._foreign.meet(b"b")
        await redis.zadd(keys.arq_queue(), {f"{keys.namespace}:a:gone:1": 2})
        one.arq.allow_pick_jobs = True
        await one.arq._claim()
        assert await redis.zcount(keys.arq_queue(), 1, 1) == 250
        assert await redis.zcard(keys.arq_queue()) == 250, "what is no dispatch any more was forgotten"


class TestBatches:
    """A batch is closed by a worker that knows the streams and the clock of its account."""

    async def due(self, redis, built, member, *, is_served=True):
        await redis.hset(built.keys.batch(member), mapping={"size": "1", "n_final": "1", "type:job.refused": "1"})
        await redis.sadd(built.keys.batches_due(), member)
        if is_served:
            await redis.zadd(built.keys.served_accounts(), {member.partition("/")[0]: 1})

    async def test_its_end_comes_in_the_own_stream_of_its_account(self, redis, one, two):
        await self.due(redis, one, "b/x")
        assert [await one.batches.close_complete() for _ in range(2)] == [0, 0]
        assert not await redis.exists(one.keys.results())
        assert await two.batches.close_complete() == 1
        ((_, fields),) = await redis.xrange(two.keys.results("b"))
        event = json.loads(fields[b"event"])
        assert (event["type"], event["account"], event["batch"]) == ("batch.completed", "b", "x")
        assert not await redis.exists(one.keys.results())
        assert not await redis.scard(one.keys.batches_due())

    @pytest.mark.parametrize("account", ["?", "typo"])
    async def test_that_of_an_account_that_nobody_serves_is_closed_by_anybody(self, redis, one, account):
        """Its jobs were refused: who pushed them waits for the end of their batch."""
        await self.due(redis, one, f"{account}/x", is_served=False)
        assert await one.batches.close_complete() == 1
        assert await redis.xlen(one.keys.results()) == 1

    async def test_what_nobody_closes_is_told_of(self, redis, one):
        await self.due(redis, one, "b/x")
        batches = one.batches
        with structlog.testing.capture_logs() as logs:
            for _ in range(3):
                await batches.close_complete()
            assert logs == [], "its own worker has a turn of its own"
            batches._tell_at = {member: at_s - 60 for member, at_s in batches._tell_at.items()}
            for _ in range(3):
                await batches.close_complete()
        assert [(entry["event"], entry["member"]) for entry in logs] == [("batch.account_unknown", "b/x")]
        await redis.srem(one.keys.batches_due(), "b/x")
        await batches.close_complete()
        assert batches._tell_at == {}


class TestOwnStreams:
    """What is pushed to an account's own stream that no worker reads is not lost, and not silent either."""

    async def seen(self, redis, built):
        """What the leader of the intake has seen, as `status` reads it."""
        await built.intake._peers.look()
        with structlog.testing.capture_logs() as logs:
            await built.intake._watch._look_at_strays()
        stored = await redis.hgetall(built.keys.intake_facts())
        facts = {name.decode(): value.decode() for name, value in stored.items()}
        seconds, _ = await redis.time()
        told = [(entry["stream"], entry["n_entries"]) for entry in logs if entry["event"] == "intake.stream_unread"]
        found = unread_streams(facts, seconds * 1000)
        assert list(found) == sorted(told)
        assert unread_streams(facts, seconds * 1000 + 150_000) == (), "who has seen it may be gone"
        return found

    async def test_of_an_account_that_is_configured_without_one(self, redis, one):
        await redis.xadd(one.keys.jobs("a"), {"job": "{}"})
        assert await self.seen(redis, one) == ((one.keys.jobs("a"), 1),)
        await redis.delete(one.keys.jobs("a"))
        assert await self.seen(redis, one) == ()

    async def test_of_an_account_that_is_served_no_more(self, redis, one, two):
        await two.intake._peers.look()  # b is remembered for a day
        await redis.xadd(one.keys.jobs("b"), {"job": "{}"})
        assert await self.seen(redis, one) == ((one.keys.jobs("b"), 1),)
        await redis.zadd(one.keys.workers(), {"w-two": FAR_MS})
        await redis.hset(one.keys.worker("w-two"), "accounts", "b")
        assert await self.seen(redis, one) == (), "a living worker serves it"

    async def test_of_one_that_is_read_nothing_is_told(self, redis, two):
        await redis.xadd(two.keys.jobs("b"), {"job": "{}"})
        await redis.set(two.keys.jobs("x"), "no stream")
        assert await self.seen(redis, two) == ()

    async def test_the_leader_looks_by_itself(self, redis, one):
        await redis.xadd(one.keys.jobs("a"), {"job": "{}"})
        async with running(one):
            while not await redis.hexists(one.keys.intake_facts(), f"unread:{one.keys.jobs('a')}"):
                await asyncio.sleep(0.01)
