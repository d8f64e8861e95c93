"""Every final event counts exactly once, by whatever road it came; nothing else counts."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis

from jobs import answers
from jobs.event_counts import read_field
from jobs.registry import JOB_TYPES
from schemas.factus import Remark
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from worker.store.keys import Keys

LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()
ENDINGS = ("validated", "completed", "rejected", "failed", "refused")


async def counted(redis: ArqRedis, keys: Keys) -> dict[tuple[str, str], int]:
    """What was counted; fails with a name that nobody can read."""
    found = {}
    for name, n in (await redis.hgetall(keys.counts())).items():
        read = read_field(name.decode())
        assert read is not None, name
        found[read] = int(n)
    return found


async def told(redis: ArqRedis, keys: Keys, *owners: str) -> dict[tuple[str, str], int]:
    """The final events in the streams by type and outcome, read as a consumer would; each job has one."""
    found: Counter[tuple[str, str]] = Counter()
    jobs: Counter[tuple[str, str]] = Counter()
    for stream in keys.outcomes(owners):
        for _, fields in await redis.xrange(stream):
            event = json.loads(fields[b"event"])
            ending = event["type"].split(".")[-1]
            if event["job_id"] and ending in ENDINGS:
                found[event["job_type"] if event["job_type"] in JOB_TYPES else "unknown", ending] += 1
                jobs[event["account"], event["job_id"]] += 1
    assert set(jobs.values()) <= {1}, jobs
    return dict(found)


class Trips(FakeFactus):
    async def create(self, job, *, latest_ms):
        if job.reference_code == "trips":
            raise ZeroDivisionError
        return await super().create(job, latest_ms=latest_ms)

    async def find(self, family, reference_code):
        if reference_code == "trips":
            raise ZeroDivisionError
        return await super().find(family, reference_code)


async def ends_of_all_kinds(rig: ServiceInProcess, factus: FakeFactus) -> None:
    """One job after the other, so that each meets the answer that is meant for it."""
    factus.script = [answers.RulesRefused((Remark("Regla: X, Rechazo: x", "X"),)), answers.BadRequest(400, "no")]
    for reference in ("rejected", "failed", "validated"):
        await rig.push_bill(reference, id=reference, options={"archive": ["pdf"]}, batch="b", batch_size=3)
        await rig.rest()
    await rig.push_bill("validated", id="replayed")
    await rig.push_bill("trips", id="internal")
    await rig.push({"type": "invoice.get", "id": "called", "payload": {"number": "SETP1"}})
    await rig.push({"type": "invoice.get", "id": "absent", "payload": {"reference_code": "NADA"}})
    await rig.rest()


async def refusals(rig: ServiceInProcess) -> None:
    await rig.push("{")
    await rig.push({"type": "invoice.get", "payload": {}})
    await rig.push({"type": "acme/validated", "payload": {}})
    await rig.push({"type": "x" * 300, "payload": {}})
    await rig.push_bill("other", id="validated")  # the id is another job's
    await rig.push_bill("late", expires_at="2020-01-01T00:00:00Z")


async def what_is_cancelled(rig: ServiceInProcess) -> None:
    await rig.push_bill("waits", id="waits", not_before=LATER)
    await rig.rest()
    await rig.push({"type": "job.cancel", "id": "stop", "account": "acme", "payload": {"job_id": "waits"}})
    await rig.rest()


async def joined(rig: ServiceInProcess, factus: FakeFactus) -> None:
    factus.gate = asyncio.Event()
    n_before = factus.calls["create"]
    await rig.push_bill("shared", id="owner")
    await factus.called("create", n_before + 1)
    for n in range(3):
        await rig.push_bill("shared", id=f"joined{n}")
    keys, redis = rig.services.keys, rig.services.redis
    while await redis.llen(keys.joined(keys.document("acme", "invoice", "shared"))) < 3:
        await asyncio.sleep(0)
    factus.gate.set()
    await rig.rest()


async def test_counts_are_the_final_events_exactly(redis, namespace):
    factus = Trips(replies={"GET /v2/bills/SETP1": [answers.Replied({"data": {"number": "SETP1"}})]})
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await ends_of_all_kinds(rig, factus)
        await refusals(rig)
        await what_is_cancelled(rig)
        await joined(rig, factus)
        keys = rig.services.keys
        found = await counted(redis, keys)
        assert found == await told(redis, keys)
        types = {json.loads(fields[b"event"])["type"] for _, fields in await redis.xrange(keys.results())}
    assert {"invoice.archived", "batch.completed"} <= types, "what does not count was there, too"
    assert {outcome for _, outcome in found} == set(ENDINGS)
    assert found["invoice.issue", "validated"] == 6, "its own, the replay, the shared one and who joined it"
    assert found["unknown", "refused"] == 3
    assert found["job.cancel", "completed"] == 1


async def test_own_streams_count_with_the_others(redis, namespace):
    built = services_on(redis, namespace, an_account("own", own_streams=True), an_account("acme"))
    async with running(built) as rig:
        await rig.push_bill("A", account="acme")
        own = {"type": "invoice.issue", "account": "own", "payload": a_bill(reference_code="B")}
        await rig.push(own, stream=built.keys.jobs("own"))
        await rig.rest()
        found = await counted(redis, built.keys)
        assert found == await told(redis, built.keys, "own") == {("invoice.issue", "validated"): 2}


async def test_the_last_word_counts_and_a_lost_fence_does_not(redis, namespace):
    """An end that end_attempt.lua cannot write, because a key beside it holds another type."""
    factus = FakeFactus(gate=asyncio.Event())
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push_bill("A", id="j")
        await factus.called("create")
        await redis.delete(built.keys.deadlines())
        await redis.set(built.keys.deadlines(), "wrong")
        factus.gate.set()
        await rig.events(1)
        assert await counted(redis, built.keys) == await told(redis, built.keys)
        await redis.delete(built.keys.deadlines())


@pytest.mark.parametrize("kind", ["text", "field"])
async def test_a_count_that_somebody_has_spoilt_keeps_no_event_back(redis, namespace, kind):
    built = services_on(redis, namespace)
    if kind == "text":
        await redis.set(built.keys.counts(), "wrong")
    else:
        await redis.hset(built.keys.counts(), "invoice.issue/validated", "wrong")
    async with running(built) as rig:
        await rig.push_bill("A")
        (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
