"""A batch is closed once, when all its jobs are final, with sums an accountant can use."""

from __future__ import annotations

import pytest

from jobs import seen as s
from tests.fakes import FakeFactus
from tests.rig import running, services_on


@pytest.fixture
def factus():
    return FakeFactus()


@pytest.fixture
async def rig(redis, namespace, factus):
    async with running(services_on(redis, namespace, gateway=factus)) as found:
        yield found


async def completed(rig, n_before):
    events = await rig.events(n_before + 1)
    (found,) = [event for event in events if event["type"] == "batch.completed"]
    return found


async def test_it_closes_when_the_last_of_its_jobs_is_final(rig):
    for n in range(3):
        await rig.push_bill(f"R{n}", batch="cierre", batch_size=3)
    event = await completed(rig, 3)
    assert (event["success"], event["errors"], event["batch"], event["account"]) == (True, None, "cierre", "acme")
    assert event["data"] == {
        "batch": "cierre",
        "size": 3,
        "counts": {"invoice.validated": 3},
        "total": "249900.00",
        "first_number": "SETP990000001",
        "last_number": "SETP990000003",
        "failures": [],
    }


async def test_what_failed_is_named_and_counts(rig, factus):
    factus.script = [s.FieldsRefused("Error de validación", ())]
    await rig.push_bill("rejected", batch="b", batch_size=4, id="one")
    await rig.push_bill("good", batch="b")
    await rig.push({"type": "invoice.issue", "account": "acme", "payload": {}, "batch": "b", "id": "three"})
    await rig.push_bill("late", batch="b", issue_on="2020-01-01", id="four")
    event = await completed(rig, 4)
    assert (event["success"], event["errors"][0]["code"]) == (False, "batch.partial")
    assert event["data"]["counts"] == {
        "invoice.failed": 1,
        "invoice.rejected": 1,
        "invoice.validated": 1,
        "job.refused": 1,
    }
    assert {failure["job_id"]: failure["code"] for failure in event["data"]["failures"]} == {
        "one": "factus.validation",
        "three": "payload.invalid",
        "four": "date.missed",
    }


async def test_the_largest_stated_size_counts_and_repetitions_do_not(rig):
    await rig.push_bill("A", batch="b", batch_size=1, id="a")
    await rig.push_bill("B", batch="b", batch_size=2, id="b")
    await rig.push_bill("B", batch="b", batch_size=2, id="b")
    event = await completed(rig, 2)
    assert (event["data"]["size"], event["data"]["counts"]) == (2, {"invoice.validated": 2})


async def test_a_replay_and_a_joined_job_count_in_their_own_batch(rig):
    await rig.push_bill("A")
    await rig.events(1)
    await rig.push_bill("A", batch="later", batch_size=1)
    event = await completed(rig, 1)
    assert (event["data"]["size"], event["data"]["total"]) == (1, "83300.00")


async def test_it_is_closed_once(rig, redis):
    await rig.push_bill("A", batch="b", batch_size=1)
    await completed(rig, 1)
    built = rig.services
    await redis.sadd(built.keys.batches_due(), "acme/b")
    assert await built.sweep._batches.close_complete() == 0
    assert not await redis.scard(built.keys.batches_due())


async def test_without_a_size_it_stays_open(rig, redis):
    await rig.push_bill("A", batch="b")
    await rig.events(1)
    assert not await redis.scard(rig.services.keys.batches_due())
