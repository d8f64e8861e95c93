"""
The same push on another day, or to another configuration: what it is goes by its content, not by what was said of it.

An ERP that reads a refusal for a document that is issued issues it again under another reference.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta

import pytest

from tests.builders import a_bill, fiscal_day
from tests.families import a_document_payload
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, running, services_on
from worker.process import run_tasks

DAY_MS = 86_400_000
TEN_DAYS = 10 * DAY_MS
FUTURE = "4102444800000-0"


def received_today(reference="SD-1", **envelope):
    """A support document for what was delivered today: refused as soon as that is more than six days ago."""
    payload = a_document_payload("support_document") | {"reference_code": reference}
    payload["items"][0]["period"] = {"generation_mode": "2", "start_date": fiscal_day().isoformat()}
    return {"type": "support_document.issue", "account": "acme", "payload": payload, **envelope}


@pytest.fixture
def later(redis, namespace, factus, monkeypatch):
    """The same service, so many ms later as far as its intake knows."""

    def build(after_ms, *accounts):
        monkeypatch.setattr("worker.bootstrap._now_ms", lambda: round(time.time() * 1000) + after_ms)
        return services_on(redis, namespace, *accounts, gateway=factus)

    return build


async def pushed(built, *jobs):
    """The events of these jobs, all that there are; what was dropped has none."""
    n_before = await built.redis.xlen(built.keys.results())
    async with running(built) as rig:
        for job in jobs:
            await rig.push(job)
        await rig.rest()
    entries = await built.redis.xrange(built.keys.results())
    return [json.loads(fields[b"event"]) for _, fields in entries[n_before:]]


class TestRulesOfTheDay:
    async def test_a_job_that_was_accepted_before_is_dropped(self, redis, namespace, factus, later):
        (first,) = await pushed(services_on(redis, namespace, gateway=factus), received_today(id="one"))
        assert first["type"] == "support_document.validated"
        assert await pushed(later(TEN_DAYS), received_today(id="one")) == []
        assert factus.calls["create"] == 1

    @pytest.mark.parametrize("envelope", [{}, {"id": "another"}])
    async def test_a_document_that_is_validated_is_the_answer(self, redis, namespace, factus, later, envelope):
        (first,) = await pushed(services_on(redis, namespace, gateway=factus), received_today(id="one"))
        (again,) = await pushed(later(TEN_DAYS), received_today(**envelope))
        assert (again["type"], again["success"]) == ("support_document.validated", True)
        assert again["data"] == {**first["data"], "replayed": True}
        assert await redis.xlen(later(0).keys.dead()) == 0
        assert factus.calls["create"] == 1

    async def test_also_where_another_entry_had_the_same_id_before(self, redis, namespace, factus, later):
        """A stream whose last id lay in the future was made anew, and takes the same id once more."""
        (first,) = await pushed(services_on(redis, namespace, gateway=factus), received_today())
        built = later(TEN_DAYS)
        async with running(built) as rig:
            for job in ({**received_today(), "type": "nothing"}, received_today()):
                await redis.xadd(built.keys.jobs(), {"job": json.dumps(job)}, id=FUTURE)
                await rig.rest()
                await built.intake._watch.look()
            _, refused, replayed = await rig.events(3)
        assert (refused["job_id"], replayed["job_id"]) == (FUTURE, f"{FUTURE}.2")
        assert replayed["data"] == {**first["data"], "replayed": True}

    @pytest.mark.parametrize(
        "job",
        [
            received_today("SD-2"),
            received_today(metadata={"n": 1}) | {"payload": received_today()["payload"] | {"observation": "otro"}},
        ],
        ids=["no document of it", "another payload"],
    )
    async def test_anything_else_is_refused_by_them(self, redis, namespace, factus, later, job):
        await pushed(services_on(redis, namespace, gateway=factus), received_today())
        (event,) = await pushed(later(TEN_DAYS), job)
        assert (event["type"], event["errors"][0]["rule"]) == ("job.refused", "DS-016")

    async def test_a_process_that_dies_between_the_refusal_and_its_answer_loses_and_repeats_nothing(
        self, redis, namespace, factus, later
    ):
        """The ledger has stopped the refusal, and the answer from it is not written yet: the entry is pending."""
        (first,) = await pushed(services_on(redis, namespace, gateway=factus), received_today())
        dying, reached = later(TEN_DAYS), asyncio.Event()

        async def never(_events):
            reached.set()
            await asyncio.Event().wait()

        dying.intake._writer._answers_of = never
        process = asyncio.create_task(run_tasks(dying, asyncio.Event()))
        await redis.xadd(dying.keys.jobs(), {"job": json.dumps(received_today())})
        await asyncio.wait_for(reached.wait(), PATIENCE_S)
        process.cancel()
        await asyncio.wait([process])
        assert await redis.xlen(dying.keys.results()) == 1
        (again,) = await pushed(later(TEN_DAYS))
        assert again["data"] == {**first["data"], "replayed": True}
        assert await redis.xlen(dying.keys.jobs()) == await redis.xlen(dying.keys.dead()) == 0
        assert factus.calls["create"] == 1

    async def test_a_job_that_was_refused_before_is_dropped_whatever_is_said_now(self, redis, namespace, factus, later):
        (first,) = await pushed(later(TEN_DAYS), received_today(id="one"))
        assert first["type"] == "job.refused"
        assert await pushed(later(0), received_today(id="one")) == []
        (other,) = await pushed(later(0), received_today("SD-3", id="one"))
        assert other["errors"][0]["code"] == "id.conflict"
        assert not factus.calls["create"]

    async def test_beyond_the_horizon_is_a_verdict_of_the_day_too(self, redis, namespace, factus, later):
        far = (fiscal_day() + timedelta(days=405)).isoformat()
        job = {"type": "invoice.issue", "account": "acme", "id": "one", "issue_on": far, "payload": a_bill()}
        (first,) = await pushed(later(0), job)
        assert first["errors"][0]["field"] == "envelope.issue_on"
        assert await pushed(later(TEN_DAYS), job) == []


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_an_account_that_was_unknown_is_a_verdict_of_the_configuration(redis, namespace, factus, later, version):
    payload = {"document": "01", "reference_code": "R-1"} if version == "v1" else a_bill(reference_code="R-1")
    job = {"type": "invoice.issue", "account": "beta", "id": "one", "payload_version": version, "payload": payload}
    (first,) = await pushed(services_on(redis, namespace, gateway=factus), job)
    assert first["errors"][0]["code"] == "account.unknown"
    both = (an_account(), an_account("beta"))
    assert await pushed(later(0, *both), job) == []
    if version == "v2":
        (other,) = await pushed(later(0, *both), job | {"payload": a_bill(reference_code="R-2")})
        assert other["errors"][0]["code"] == "id.conflict"
