"""How many jobs a process runs at once, and what it leaves to the others."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, quick, running, services_on
from worker.queue.arq_worker import CALL_PAUSE_S
from worker.queue.slots import SLOT_BYTES

NAMES = [f"a{n}" for n in range(5)]
NEVER_MS = 3_600_000


def a_worker(redis, namespace, gateway, **slots):
    return services_on(redis, namespace, *map(an_account, NAMES), gateway=gateway, policies=quick(slots=slots))


@pytest.fixture
def barred() -> FakeFactus:
    """A Factus whose creates wait at a gate."""
    return FakeFactus(gate=asyncio.Event())


async def test_alone_it_runs_all_that_it_may_and_no_more(redis, namespace, barred):
    built = a_worker(redis, namespace, barred, most=3, shared_from=1)
    async with running(built) as rig:
        for name in NAMES:
            await rig.push_bill(account=name)
        await barred.called("create", 3)
        await rig.taken_in()
        assert (built.arq.n_running, barred.calls["create"]) == (3, 3)
        barred.gate.set()
        events = await rig.events(len(NAMES))
    assert {event["type"] for event in events} == {"invoice.validated"}
    assert len(barred.documents) == barred.calls["create"] == len(NAMES)


async def test_what_it_leaves_is_taken_by_one_that_has_less_to_do(redis, namespace, barred):
    others = FakeFactus(gate=barred.gate)
    first = a_worker(redis, namespace, barred, shared_from=1, patience_ms=NEVER_MS)
    async with running(first) as rig:
        await rig.taken_in()  # it leads the intake: what comes is started by its scripts
        async with running(a_worker(redis, namespace, others)):
            for name in NAMES:
                await rig.push_bill(account=name)
            await barred.called("create", 1)
            await others.called("create", len(NAMES) - 1)
            barred.gate.set()
            await rig.events(len(NAMES))
    assert (barred.calls["create"], others.calls["create"]) == (1, len(NAMES) - 1)


async def test_what_nobody_takes_it_takes_itself_and_forgets_none(redis, namespace):
    """All of it goes through the queue, and is told of while the look for what came before is still to come."""
    factus = FakeFactus()
    built = a_worker(redis, namespace, factus, most=3, shared_from=0, patience_ms=20)
    async with running(built) as rig:
        codes = {await rig.push_bill(account=NAMES[n % len(NAMES)]) for n in range(60)}
        events = await rig.events(len(codes))
    assert {event["reference_code"] for event in events} == codes == set(factus.documents)
    assert factus.calls["create"] == len(codes)


async def test_a_large_job_takes_the_slots_of_many(redis, namespace, barred):
    """What is in hand is in memory, ten times as large as it was sent."""
    built = a_worker(redis, namespace, barred, most=3, shared_from=3)
    line, payment = a_bill()["items"][0], a_bill()["payment_details"][0]
    lines = [{**line, "code_reference": f"A-{n}"} for n in range(700)]
    paid = [{**payment, "amount": f"{700 * 11_900}.00"}]
    large = a_bill(reference_code="large", items=lines, payment_details=paid)
    assert len(json.dumps(large, default=str)) > 2 * SLOT_BYTES
    async with running(built) as rig:
        await rig.push_bill(payload=large, account=NAMES[0])
        await barred.called("create", 1)
        for name in NAMES[1:]:
            await rig.push_bill(account=name)
        await rig.taken_in()
        assert (built.arq.n_running, barred.calls["create"]) == (1, 1)
        assert built.arq.slots_busy >= built.arq.max_jobs
        barred.gate.set()
        await rig.events(len(NAMES))
        await rig.rest()
        assert built.arq.slots_busy == 0
    assert barred.calls["create"] == len(NAMES)


async def test_others_are_called_once_for_all_that_is_left_to_them_in_a_moment(redis, namespace):
    built = a_worker(redis, namespace, FakeFactus())
    async with redis.pubsub() as channel:
        await channel.subscribe(built.keys.wake())
        for _ in range(50):
            built.arq.wake_other_workers()
        await asyncio.sleep(CALL_PAUSE_S / 2)
        built.arq.wake_other_workers()  # left after the first call: whoever has looked by now finds it with the next
        n_calls = 0
        while n_calls < 2:
            message = await channel.get_message(ignore_subscribe_messages=True, timeout=5.0)
            n_calls += message is not None
        assert await channel.get_message(ignore_subscribe_messages=True, timeout=0.2) is None
    await built.close()
