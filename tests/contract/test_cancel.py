"""
Cancelling: what has sent nothing ends, once and with its event; what Factus may have stays as it is.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs import answers
from jobs.answers import Answer
from jobs.errors import LeaseLost
from schemas.records import JobRecord
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, quick, running, services_on
from worker.factus.rate_limit import RateLimit, SendMark

HOUR_MS = 3_600_000
LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()
MEANT = {"b0", "b1", "b2", "joined", "later"}


@dataclass
class MarkingFactus(FakeFactus):
    """Notes a send in the ledger before it goes out, as the real client does; ``before_permit`` holds it back."""

    rig: ServiceInProcess | None = None
    before_permit: asyncio.Event | None = None
    n_lost: int = 0

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        self._note("asked")
        if self.before_permit:
            await self.before_permit.wait()
        assert self.rig is not None
        services = self.rig.services
        limit = RateLimit(services.ledger._scripts, services.keys, services.accounts[job.account])
        try:
            await limit.acquire(patience_s=0, mark=SendMark(services.keys.job(job.account, job.id), job.fence, 0))
        except LeaseLost:
            self.n_lost += 1
            raise
        return await super().create(job, latest_ms=latest_ms)


@pytest.fixture
def factus():
    return MarkingFactus(gate=asyncio.Event())


@pytest.fixture
def rig(rig, factus):
    factus.rig = rig
    return rig


async def cancel(rig: ServiceInProcess, **wanted: Any) -> None:
    await rig.push({"type": "job.cancel", "id": "stop", "account": "acme", "payload": wanted})


async def told(rig: ServiceInProcess, n: int) -> dict[str, dict[str, Any]]:
    """The next events by job; a job with two is a failure."""
    events = await rig.events(n)
    assert max(Counter(event["job_id"] for event in events).values()) == 1, events
    return {event["job_id"]: event for event in events}


def is_cancelled(event: dict[str, Any]) -> bool:
    return event["type"] == "invoice.failed" and [error["code"] for error in event["errors"]] == ["job.cancelled"]


async def test_what_waits_ends_and_what_was_sent_stays(rig, factus):
    await rig.push_bill("A", id="sent")
    await factus.called("create")
    await rig.push_bill("B", id="waits", metadata={"till": 7})
    await cancel(rig, job_id="waits")
    first = await told(rig, 2)
    assert is_cancelled(first["waits"])
    assert (first["waits"]["metadata"], first["waits"]["attempts"]) == ({"till": 7}, 0)
    assert first["stop"]["data"] == {"cancelled": ["waits"], "kept": []}
    await rig.push({"type": "job.cancel", "id": "late", "account": "acme", "payload": {"job_id": "sent"}})
    (late,) = await rig.events(1)
    assert (late["data"]["cancelled"], [one["job_id"] for one in late["data"]["kept"]]) == ([], ["sent"])
    assert "Factus puede tenerlo" in late["data"]["kept"][0]["why"]
    factus.gate.set()
    assert (await told(rig, 1))["sent"]["type"] == "invoice.validated"
    await rig.rest()
    assert factus.order == ["A"], "what was cancelled never went out"
    assert not await rig.services.redis.exists(rig.services.keys.dead()), "a person has dealt with it already"


async def test_a_job_in_flight_that_has_sent_nothing_is_lost_to_its_worker(rig, factus):
    """Between the cancellation and the permit there is no gap: the older fence gets none."""
    factus.before_permit = asyncio.Event()
    await rig.push_bill("A", id="a")
    await factus.called("asked")
    await cancel(rig, job_id="a")
    found = await told(rig, 2)
    assert is_cancelled(found["a"])
    factus.before_permit.set()
    await rig.push_bill("B", id="b")
    await factus.called("create")
    factus.gate.set()
    assert (await told(rig, 1))["b"]["type"] == "invoice.validated"
    await rig.rest()
    assert (factus.n_lost, factus.order) == (1, ["B"])


@pytest.mark.parametrize(
    "seen", [answers.CredentialsRefused("no"), answers.PaymentRequired("pago"), answers.NotSent("sin conexión")]
)
async def test_an_account_that_is_held_holds_nobody_from_cancelling(redis, namespace, seen):
    factus = FakeFactus(script=[seen])
    async with running(services_on(redis, namespace, gateway=factus, backoff_base=200.0, backoff_max=300.0)) as rig:
        await rig.push_bill("A", id="a")
        await factus.called("create")
        while not await redis.hget(rig.services.keys.account("acme"), "hold_until"):
            await redis.ping()
        await cancel(rig, family="invoice", reference_code="A")
        ends = {event["job_id"]: event for event in await rig.events(2) if event["job_id"]}
        while "stop" not in ends or "a" not in ends:
            ends |= {event["job_id"]: event for event in await rig.events(1)}
        assert is_cancelled(ends["a"])
        assert ends["stop"]["data"]["cancelled"] == ["a"]


async def test_who_joined_takes_the_document_over(rig, factus):
    """Nobody has cancelled the second job of the document: it is issued, once."""
    await rig.push_bill("A", id="sent")
    await factus.called("create")
    for id_ in ("one", "two", "three"):
        await rig.push_bill("B", id=id_)
    await cancel(rig, job_id="one")
    first = await told(rig, 2)
    assert is_cancelled(first["one"])
    factus.gate.set()
    rest = await told(rig, 3)
    assert {id_: event["type"] for id_, event in rest.items()} == dict.fromkeys(
        ("sent", "two", "three"), "invoice.validated"
    )
    await rig.rest()
    assert factus.order == ["A", "B"]


async def test_all_jobs_of_a_document_end_by_its_reference(rig, factus):
    await rig.push_bill("A", id="sent")
    await factus.called("create")
    for id_ in ("one", "two"):
        await rig.push_bill("B", id=id_)
    await cancel(rig, family="invoice", reference_code="B")
    found = await told(rig, 3)
    assert is_cancelled(found["one"])
    assert is_cancelled(found["two"])
    assert sorted(found["stop"]["data"]["cancelled"]) == ["one", "two"]
    await rig.push_bill("B", id="again")
    factus.gate.set()
    assert {event["type"] for event in (await told(rig, 2)).values()} == {"invoice.validated"}
    await rig.rest()
    assert factus.order == ["A", "B"], "pushed again it is issued, once"


@pytest.mark.service(policies=quick(cancelled_a_turn=2))
async def test_a_batch_ends_but_for_what_was_sent_and_is_counted(rig, factus):
    await rig.push_bill("A", id="sent", batch="b", batch_size=6)
    await factus.called("create")
    for n in range(3):
        await rig.push_bill(f"B{n}", id=f"b{n}", batch="b")
    await rig.push_bill("B0", id="joined", batch="b")
    await rig.push_bill("B4", id="later", batch="b", not_before=LATER)
    await rig.push_bill("C", id="other", batch="c")
    while not await rig.services.redis.exists(rig.services.keys.job("acme", "other")):
        await rig.services.redis.ping()
    await cancel(rig, batch="b")
    found = {}
    while "stop" not in found:
        found |= await told(rig, 1)
    assert {id_ for id_, event in found.items() if is_cancelled(event)} == MEANT
    assert [one["job_id"] for one in found["stop"]["data"]["kept"]] == ["sent"]
    assert set(found["stop"]["data"]["cancelled"]) == MEANT
    factus.gate.set()
    closing = None
    while closing is None:
        (event,) = await rig.events(1)
        closing = event if event["type"] == "batch.completed" else None
    assert (closing["data"]["size"], sum(closing["data"]["counts"].values())) == (6, 6)
    assert {failure["code"] for failure in closing["data"]["failures"]} >= {"job.cancelled"}
    assert "other" not in found


async def test_what_waits_for_its_day_is_cancelled(redis, namespace, factus):
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        factus.rig = rig
        await rig.push_bill("A", id="a", not_before=LATER)
        await cancel(rig, job_id="a")
        found = await told(rig, 2)
        assert is_cancelled(found["a"])
        document = await rig.services.reader.document("acme", "invoice", "A")
        assert document.state == "failed"
        free_at = int(await redis.hget(rig.services.keys.document("acme", "invoice", "A"), "free_at") or 0)
        record = await rig.services.reader.job("acme", "a")
        assert free_at - record.final_at < HOUR_MS, "the next job does not inherit its day"


async def test_what_dian_has_not_answered_stays(rig, factus):
    factus.gate.set()
    factus.script = [lambda _answer: answers.Acknowledged()] * 50
    await rig.push_bill("A", id="a")
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.pending"
    await cancel(rig, job_id="a")
    (found,) = await rig.events(1)
    assert (found["job_id"], found["data"]["cancelled"]) == ("stop", [])
    factus.script = []
    assert (await told(rig, 1))["a"]["type"] == "invoice.validated"


@pytest.mark.service(backoff_base=2.0, backoff_max=2.0)
async def test_what_may_be_on_its_way_stays_whatever_the_next_send_has_met(rig, factus):
    """Factus is at work on a create whose answer was lost, and answers the next with 409."""
    factus.gate.set()
    factus.script = [answers.Unknown("sin respuesta"), *[answers.Conflicted("409")] * 50]
    await rig.push_bill("A", id="a")
    await factus.called("create", 2)
    while (await rig.services.reader.job("acme", "a")).state != "waiting":
        await asyncio.sleep(0.01)
    await cancel(rig, job_id="a")
    (found,) = await rig.events(1)
    assert (found["data"]["cancelled"], found["data"]["kept"][0]["job_id"]) == ([], "a")
    factus.script = []
    assert (await told(rig, 1))["a"]["type"] == "invoice.validated"


async def test_what_is_final_or_unknown_is_said(rig, factus):
    factus.gate.set()
    await rig.push_bill("A", id="a")
    await told(rig, 1)
    for id_, words in (("a", "ya terminó (invoice.validated)"), ("nobody", "no se conoce")):
        await rig.push({"type": "job.cancel", "id": f"stop-{id_}", "account": "acme", "payload": {"job_id": id_}})
        (event,) = await rig.events(1)
        assert event["data"]["cancelled"] == []
        assert words in event["data"]["kept"][0]["why"]


async def test_a_cancellation_that_died_halfway_tells_all_that_it_ended(rig, factus):
    """The jobs ended, the worker died before the end of the cancellation: whoever goes on with it finds them."""
    await rig.push_bill("A", id="sent")
    await factus.called("create")
    await rig.push_bill("B", id="waits", batch="b")
    await rig.taken_in()
    by = replace(await rig.services.reader.job("acme", "waits"), id="stop", type="job.cancel", batch="")
    canceller = rig.services.runner.work.canceller
    for _ in range(2):
        found = await canceller.cancel(by, {"batch": "b"})
        assert (found.job_ids, found.kept) == (("waits",), ())
    again = await canceller.cancel(by, {"job_id": "waits"})
    assert (again.job_ids, again.kept) == (("waits",), ())
    (event,) = await rig.events(1)
    assert is_cancelled(event)
    factus.gate.set()


async def test_an_account_with_its_own_streams_is_told_there(redis, namespace):
    factus = FakeFactus(gate=asyncio.Event())
    async with running(services_on(redis, namespace, an_account("own", own_streams=True), gateway=factus)) as rig:
        keys = rig.services.keys
        for id_ in ("a", "b"):
            job = {"type": "invoice.issue", "id": id_, "payload": a_bill(reference_code=id_)}
            await rig.push(job, stream=keys.jobs("own"))
        await factus.called("create")
        stop = {"type": "job.cancel", "id": "stop", "payload": {"job_id": "b"}}
        await rig.push(stop, stream=keys.jobs("own"))
        found = await rig.events(2, stream=keys.results("own"))
        assert {event["job_id"] for event in found} == {"b", "stop"}
        factus.gate.set()


@dataclass
class SlowFactus(MarkingFactus):
    """Takes a few turns of the loop before the permit and before the answer: cancellations come in between."""

    dice: random.Random = field(default_factory=lambda: random.Random(0))

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        for _ in range(self.dice.randrange(6)):
            await asyncio.sleep(0)
        answer = await super().create(job, latest_ms=latest_ms)
        for _ in range(self.dice.randrange(6)):
            await asyncio.sleep(0)
        return answer


async def push_at_random(rig: ServiceInProcess, dice: random.Random, n: int) -> set[str]:
    """Bills of few references, and cancellations of them by id, reference and batch; the ids of all."""
    ids: set[str] = set()
    for k in range(n):
        reference, batch = f"R{dice.randrange(6)}", dice.choice(["b", "c"])
        ids.add(f"j{k}")
        if dice.random() < 0.6:
            await rig.push_bill(reference, id=f"j{k}", batch=batch)
        else:
            wanted = dice.choice(
                [
                    {"job_id": f"j{dice.randrange(k + 1)}"},
                    {"family": "invoice", "reference_code": reference},
                    {"batch": batch},
                ]
            )
            await rig.push({"type": "job.cancel", "id": f"j{k}", "account": "acme", "payload": wanted})
        for _ in range(dice.randrange(20)):
            await asyncio.sleep(0)
    return ids


@pytest.mark.parametrize("seed", range(6))
async def test_however_they_interleave_nothing_is_done_twice_lost_or_silent(redis, namespace, seed):
    dice = random.Random(seed)
    factus = SlowFactus(dice=random.Random(seed + 1000))
    async with (
        running(services_on(redis, namespace, gateway=factus)) as rig,
        running(services_on(redis, namespace, gateway=factus)),
    ):
        factus.rig = rig
        ids = await push_at_random(rig, dice, 60)
        found = {}
        while len(found) < len(ids):
            for event in await rig.events(1):
                if event["job_id"] and not event["type"].endswith(".pending"):
                    assert event["job_id"] not in found, "one final event for each job"
                    found[event["job_id"]] = event
        await rig.rest()
    cancelled = {id_ for id_, event in found.items() if (event["errors"] or [{}])[0].get("code") == "job.cancelled"}
    ends = [event["data"] for event in found.values() if event["type"] == "job.cancel.completed"]
    told = [id_ for data in ends for id_ in data["cancelled"]]
    assert Counter(told) == Counter(cancelled), "each cancelled job was told once, and none that was not"
    issued = {event["reference_code"] for event in found.values() if event["type"] == "invoice.validated"}
    assert set(factus.documents) == issued, "nothing stands at Factus that nobody was told of"
    assert all(document.n_creates == 1 for document in factus.documents.values())
    for key in ("in_flight", "waiting", "later"):
        assert not await redis.exists(getattr(rig.services.keys, key)("acme/invoice"))
    assert not await redis.exists(rig.services.keys.deadlines())
