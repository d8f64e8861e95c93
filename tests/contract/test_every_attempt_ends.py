"""Whatever an answer holds, and whatever fails while an end is written: one final event, and the lane goes on."""

from __future__ import annotations

import asyncio
import json

import pytest
from redis import exceptions

from jobs import answers
from schemas.factus import DocumentView
from tests.fakes import FakeFactus
from tests.service_in_process import quick, running, services_on
from worker.queue.run_policy import RUN


def deep(n: int) -> list:
    found: list = []
    for _ in range(n):
        found = [found]
    return found


class Odd(FakeFactus):
    """Answers with something that cannot be written down, for one reference."""

    def __init__(self, odd):
        super().__init__()
        self.odd = odd

    def _store(self, job):
        found = super()._store(job)
        if job.reference_code != "odd":
            return found
        return answers.DocumentSeen(DocumentView({**found.document.raw, "odd": self.odd}))


@pytest.mark.parametrize("odd", ["\ud800", {"\udfff": 1}, deep(5000), {1}], ids=["text", "key", "deep", "kind"])
async def test_a_document_whose_answer_cannot_be_written_is_validated_all_the_same(redis, namespace, odd):
    factus = Odd(odd)
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("odd", id="j", batch="b", batch_size=2, options={"archive": ["pdf"]})
        await rig.push_bill("next", batch="b")
        events = {event["type"]: event for event in await rig.events(4)}
        assert events.keys() == {"invoice.validated", "batch.completed", "invoice.archived"}
        assert events["batch.completed"]["data"]["counts"] == {"invoice.validated": 2}
        await rig.rest()
        document = rig.services.keys.document("acme", "invoice", "odd")
        told = json.loads(await redis.hget(document, "event"))
    assert (told["job_id"], told["data"]["number"], "odd" in told["data"]["factus"]) == (
        "j",
        "SETP990000001",
        odd == "\ud800",
    )
    assert factus.calls["create"] == 2


class Trips(FakeFactus):
    """A defect of ours in every look at one reference."""

    async def create(self, job, *, latest_ms):
        if job.reference_code == "trips":
            self._note("create")
            raise ZeroDivisionError
        return await super().create(job, latest_ms=latest_ms)

    async def find(self, family, reference_code):
        if reference_code == "trips":
            self._note("find")
            raise ZeroDivisionError
        return await super().find(family, reference_code)


async def test_defects_in_a_row_end_a_job_and_the_lane_goes_on(redis, namespace):
    factus = Trips()
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("trips", id="j")
        await rig.push_bill("next")
        events = {event["reference_code"]: event for event in await rig.events(2)}
        await rig.rest()
        assert await redis.xlen(rig.services.keys.results()) == 2
    assert (events["trips"]["type"], events["trips"]["errors"][0]["code"]) == ("invoice.failed", "internal")
    assert events["next"]["type"] == "invoice.validated"
    assert factus.calls["create"] + factus.calls["find"] == RUN.most_defects + 1


async def test_a_defect_after_the_deadline_ends_the_job_at_once(redis, namespace):
    factus = Trips()
    built = services_on(redis, namespace, gateway=factus, job_deadline=0.3, backoff_base=5.0, backoff_max=5.0)
    async with running(built) as rig:
        await rig.push_bill("trips")
        (event,) = await rig.events(1)
    assert event["errors"][0]["code"] in ("internal", "factus.unavailable")
    assert event["type"] == "invoice.failed"


async def test_a_defect_keeps_the_number_and_what_was_sent(redis, namespace, monkeypatch):
    """Factus has shown the document, and we stumble over it: who reads the event can find it there."""
    monkeypatch.setattr("jobs.issue_policy.IssuePolicy._document", lambda *_, **__: 1 / 0)
    factus = FakeFactus()
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("A", id="j")
        (event,) = await rig.events(1)
        assert "SETP990000001" in event["message"]
        record = await redis.hgetall(rig.services.keys.job("acme", "j"))
        assert record[b"number"] == b"SETP990000001"
        monkeypatch.undo()
        await rig.push_bill("A", id="again")
        (validated,) = await rig.events(1)
    assert validated["type"] == "invoice.validated"
    assert factus.calls["find"] >= 1
    assert len(factus.documents) == 1


WRONG = {
    "the lane's later": lambda keys, _: keys.later("acme/invoice"),
    "the lane": lambda keys, _: keys.lane("acme/invoice"),
    "the account": lambda keys, _: keys.account("acme"),
    "grants": lambda keys, _: keys.grants("acme"),
    "dead letters": lambda keys, _: keys.dead(),
    "deadlines": lambda keys, _: keys.deadlines(),
    "lanes": lambda keys, _: keys.lanes(),
    "the document": lambda keys, document: document,
    "those that joined": lambda keys, document: keys.joined(document),
    "the set of what is to be drained": lambda keys, _: keys.ended_due(),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_key_that_holds_what_it_must_not_keeps_no_job_open_for_ever(redis, namespace, what):
    """The end is tried again with pauses; the last word needs the job's record and the stream only."""
    factus = FakeFactus(gate=asyncio.Event())
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push_bill("A", id="j", batch="b", batch_size=1)
        await factus.called("create")
        key = WRONG[what](built.keys, built.keys.document("acme", "invoice", "A"))
        await redis.delete(key)
        await redis.set(key, "wrong")
        factus.gate.set()
        events = await rig.events(1)
        assert [event["type"] for event in events] == ["invoice.validated"]
        assert await redis.hget(built.keys.job("acme", "j"), "state") == b"final"
        await redis.delete(key)
        built.dispatcher.wake()
    assert len(factus.documents) == 1


@pytest.mark.parametrize("key", ["batch", "documents", "failures", "due"])
async def test_a_broken_batch_keeps_no_job_from_its_end(redis, namespace, key):
    built = services_on(redis, namespace, gateway=FakeFactus())
    keys = built.keys
    names = {
        "batch": keys.batch("acme/b"),
        "documents": keys.batch_documents("acme/b"),
        "failures": keys.batch_failures("acme/b"),
        "due": keys.batches_due(),
    }
    await redis.set(names[key], "wrong")
    async with running(built) as rig:
        await rig.push_bill("A", id="j", batch="b")
        await rig.push_bill("B")
        events = await rig.events(2)
    assert {event["type"] for event in events} == {"invoice.validated"}


async def test_what_redis_cannot_take_just_now_is_no_defect_of_the_job(redis, namespace, monkeypatch):
    """Out of memory: the job stays open, and ends when there is room again."""
    factus = FakeFactus()
    built = services_on(redis, namespace, gateway=factus, policies=quick(run={"ledger_pause_s": 0.01}))
    run, failures = built.ledger._scripts.run, iter(range(2))

    async def full(name, keys, args):
        if name == "end_attempt" and next(failures, None) is not None:
            raise exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'.")
        return await run(name, keys, args)

    monkeypatch.setattr(built.ledger._scripts, "run", full)
    async with running(built) as rig:
        await rig.push_bill("A", id="j")
        (event,) = await rig.events(1)
        assert b"defects" not in await redis.hgetall(built.keys.job("acme", "j"))
    assert event["type"] == "invoice.validated"


RECORDS = {
    "text for a deadline": {"deadline_at": "soon"},
    "text for attempts": {"attempts": "many", "failures": "1e99"},
    "no UTF-8 in metadata": {"metadata": b"\xff"},
    "no UTF-8 in the payload": {"payload": b"\xff"},
    "an unknown type": {"type": "invoice.unheard"},
    "an unknown family": {"type": "x.issue", "family": "x"},
    "options that are no JSON": {"options": "{"},
    "a day that is none": {"issue_on": "2026-99-99"},
    "a fence that is none": {"fence": "abc", "epoch": "def"},
}


@pytest.mark.parametrize("what", RECORDS)
async def test_a_damaged_record_ends_and_the_lane_goes_on(redis, namespace, what):
    factus = FakeFactus()
    built = services_on(redis, namespace, gateway=factus)
    room, built.arq.max_jobs = built.arq.max_jobs, 0
    await redis.hset(built.keys.account("acme"), "hold_until", str(2 * 10**12))
    async with running(built) as rig:
        await rig.push_bill("damaged", id="j")
        await rig.push_bill("next", id="k")
        while await redis.zcard(built.keys.waiting("acme/invoice")) < 2:
            await asyncio.sleep(0)
        await redis.hset(built.keys.job("acme", "j"), mapping=RECORDS[what])
        built.arq.max_jobs = room
        await redis.hdel(built.keys.account("acme"), "hold_until")
        await rig.look("acme/invoice")
        events = {event["job_id"]: event for event in await rig.events(2)}
        await rig.rest()
        assert await redis.xlen(built.keys.results()) == 2
    assert events["k"]["type"] == "invoice.validated"
    assert events["j"]["type"].endswith((".validated", ".failed"))


@pytest.mark.parametrize("record", [None, {"v": "2", "state": "waiting"}, {"state": "waiting"}, "wrong"])
async def test_a_job_without_a_record_that_can_be_read_is_told_and_keeps_nobody_waiting(redis, namespace, record):
    built = services_on(redis, namespace, gateway=FakeFactus())
    await redis.zadd(built.keys.waiting("acme/invoice"), {"ghost": 1})
    if record == "wrong":
        await redis.set(built.keys.job("acme", "ghost"), "wrong")
    elif record:
        await redis.hset(built.keys.job("acme", "ghost"), mapping=record)
    async with running(built) as rig:
        if record == {"v": "2", "state": "waiting"}:
            # Another version's: it keeps its place until a worker of that version takes it.
            await rig.look("acme/invoice")
            while not built.guards.failed.total["take"]:
                await asyncio.sleep(0.01)
            await redis.zrem(built.keys.in_flight("acme/invoice"), "ghost")
        await rig.push_bill("next", id="k")
        (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
    assert built.guards.failed.total["take"] >= 1
