"""
A DELETE that had no answer may arrive late: until it is settled nothing is issued under its reference, whatever becomes
of the jobs that wait for it.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from jobs import answers
from schemas.factus import Remark
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, quick

SETTLE_S = 3.0
REFUSED = answers.RulesRefused((Remark("Regla: FAK24, Rechazo: x", "FAK24"),))

pytestmark = pytest.mark.service(
    policies=quick(patience={"least_settle_ms": round(SETTLE_S * 1000)}, run={"most_defects": 1}), timeout=0.1
)


@pytest.fixture
async def settled_at(rig: ServiceInProcess, factus: FakeFactus) -> float:
    """A document was rejected, its DELETE had no answer: the least instant (``time.monotonic``) of the next create."""
    factus.script, factus.deletes = [REFUSED], [answers.Unknown("sin respuesta")]
    began = time.monotonic()
    await rig.push_bill("A", id="first")
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.rejected"
    return began + SETTLE_S


def creates_of(factus: FakeFactus) -> list[float]:
    """The instants of the creates from now on."""
    create, instants = factus.create, []

    async def timed(job, *, latest_ms):
        instants.append(time.monotonic())
        return await create(job, latest_ms=latest_ms)

    factus.create = timed
    return instants


async def correct(rig: ServiceInProcess, id_: str, text: str = "corregida", **envelope: object) -> None:
    await rig.push_bill(payload=a_bill(reference_code="A", observation=text), id=id_, **envelope)


async def cancel(rig: ServiceInProcess, id_: str) -> None:
    await rig.push({"type": "job.cancel", "account": "acme", "payload": {"job_id": id_}})


async def test_the_heir_of_one_that_is_cancelled_waits(rig, factus, settled_at):
    creates = creates_of(factus)
    await correct(rig, "one")
    await correct(rig, "two")
    await rig.taken_in()
    await cancel(rig, "one")
    found = {event["job_id"]: event["type"] for event in await rig.events(3)}
    assert (found["one"], found["two"]) == ("invoice.failed", "invoice.validated")
    assert len(creates) == 1
    assert creates[0] >= settled_at


async def test_the_next_after_one_that_is_cancelled_waits(rig, factus, settled_at):
    creates = creates_of(factus)
    await correct(rig, "one")
    await cancel(rig, "one")
    await rig.events(2)
    await correct(rig, "two", "otra vez")
    (event,) = await rig.events(1)
    assert (event["job_id"], event["type"]) == ("two", "invoice.validated")
    assert len(creates) == 1
    assert creates[0] >= settled_at


async def test_the_next_after_one_whose_time_is_up_waits(rig, factus, settled_at):
    creates = creates_of(factus)
    await correct(rig, "one", expires_at=(datetime.now(UTC) + timedelta(seconds=0.5)).isoformat())
    (expired,) = await rig.events(1)
    assert (expired["job_id"], expired["errors"][0]["code"]) == ("one", "job.expired")
    assert time.monotonic() < settled_at, "the test was too slow to show anything"
    await correct(rig, "two", "otra vez")
    (event,) = await rig.events(1)
    assert (event["job_id"], event["type"]) == ("two", "invoice.validated")
    assert len(creates) == 1
    assert creates[0] >= settled_at


async def test_the_next_after_one_that_ended_in_a_defect_waits(rig, factus):
    """The defect came while the DELETE was under way: nobody knows whether it is."""
    keys, redis = rig.services.keys, rig.services.redis
    factus.script = [REFUSED]

    async def deleting(_job, reference, *, settle_ms):
        # What the permit of the real client writes with the call.
        seconds, micros = await redis.time()
        free_at = seconds * 1000 + micros // 1000 + settle_ms
        await redis.hset(keys.document("acme", "invoice", reference), "free_at", free_at)
        raise RuntimeError("a defect")

    factus.delete = deleting
    began = time.monotonic()
    await rig.push_bill("A", id="first")
    (event,) = await rig.events(1)
    assert event["errors"][0]["code"] == "internal"
    creates = creates_of(factus)
    await correct(rig, "two")
    (event,) = await rig.events(1)
    assert (event["job_id"], event["type"]) == ("two", "invoice.validated")
    assert len(creates) == 1
    assert creates[0] >= began + SETTLE_S


async def test_one_that_was_answered_keeps_nobody_waiting(rig, factus):
    factus.script = [REFUSED]
    await rig.push_bill("A", id="first")
    await rig.events(1)
    began = time.monotonic()
    creates = creates_of(factus)
    await correct(rig, "two")
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
    assert len(creates) == 1
    assert creates[0] - began < SETTLE_S
