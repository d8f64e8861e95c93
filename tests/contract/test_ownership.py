"""Who may act on a job: leases, fences, restarts, and the repairs of the sweep."""

from __future__ import annotations

import asyncio
import json

import pytest
from arq.constants import in_progress_key_prefix, job_key_prefix

from jobs.entry import Entry
from jobs.intake import EntryValidator
from jobs.outcomes import AccountState
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import not_swept, quick, running, services_on
from worker.intake.writer import LeadLost
from worker.queue.claims import ClaimedJob


async def test_a_stale_owner_notices_and_writes_nothing(redis, namespace, factus):
    """Its process was blocked longer than its lease; the other one has issued the document meanwhile."""
    gates = [asyncio.Event(), asyncio.Event()]
    stale, fresh = FakeFactus(gate=gates[0]), factus
    stale.documents = fresh.documents
    first = services_on(redis, namespace, gateway=stale)
    second = services_on(redis, namespace, gateway=fresh)
    async with running(first) as rig:
        await rig.push_bill("A", id="one")
        await stale.called("create")
        arq_id = f"{namespace}:acme:one:1"
        await first.redis.delete(in_progress_key_prefix + arq_id)
        await first.redis.zadd(first.keys.arq_queue(), {arq_id: 0})
        first.arq.max_jobs = 0  # the blocked one claims nothing
        async with running(second):
            (event,) = await rig.events(1)
            gates[0].set()
            await asyncio.wait(first.arq.tasks.values())
            entries = await redis.xrange(first.keys.results())
    assert (event["type"], len(entries)) == ("invoice.validated", 1)
    assert fresh.calls["create"] <= 1
    assert len(fresh.documents) == 1


async def test_the_leader_that_was_replaced_writes_nothing(redis, namespace, factus):
    first = services_on(redis, namespace, gateway=factus)
    await redis.set(first.keys.leader("intake"), "somebody-else")
    prepared = first.intake._writer.prepare(Entry(first.keys.jobs(), "1-1", b"{}"))
    with pytest.raises(LeadLost):
        await first.intake._writer.write(prepared)
    assert not await redis.exists(first.keys.results())


async def test_what_a_dead_leader_had_read_is_taken_over_in_order(redis, namespace, factus):
    """Killed between the read and the write: its entries are pending in the group, and nobody else's yet."""
    built = services_on(redis, namespace, gateway=factus)
    stream = built.keys.jobs()
    for code in ("A", "B", "C"):
        await redis.xadd(stream, {"job": json.dumps({"type": "invoice.issue", "payload": a_bill(reference_code=code)})})
    await redis.xgroup_create(stream, "intake", id="0")
    await redis.xreadgroup("intake", "dead-leader", {stream: ">"}, count=2)
    async with running(built) as rig:
        await rig.events(3)
    assert factus.order == ["A", "B", "C"]


async def test_an_entry_that_trips_a_defect_is_refused_and_the_next_goes_on(redis, namespace, factus, monkeypatch):
    built = services_on(redis, namespace, gateway=factus)
    validate = EntryValidator.validate

    def trip(self, entry):
        if b"tripwire" in (entry.raw or b""):
            raise KeyError("defect")
        return validate(self, entry)

    monkeypatch.setattr(EntryValidator, "validate", trip)
    async with running(built) as rig:
        await rig.push(b"tripwire")
        await rig.push_bill("A")
        refused, validated = await rig.events(2)
    assert (refused["type"], refused["errors"][0]["code"]) == ("job.refused", "internal")
    assert validated["type"] == "invoice.validated"


async def test_a_job_that_comes_while_a_worker_drains_is_put_back_at_once(redis, namespace, factus, monkeypatch):
    """The answer to an end that was sent before the stop brings the lane's next job: it is another worker's to send."""
    factus.gate = asyncio.Event()
    built = services_on(redis, namespace, gateway=factus)
    ended, may_answer = asyncio.Event(), asyncio.Event()
    run = built.ledger._scripts.run

    async def answered_late(name, keys, args, **how):
        reply = await run(name, keys, args, **how)
        if name == "end_attempt":
            ended.set()
            await may_answer.wait()
        return reply

    monkeypatch.setattr(built.ledger._scripts, "run", answered_late)
    async with running(built) as rig:
        for reference in "AB":
            await rig.push_bill(reference, id=reference)
        await rig.taken_in()
        factus.gate.set()
        await ended.wait()
        stopped = asyncio.create_task(rig.stop())
        await built.draining.wait()
        may_answer.set()
        await stopped
        assert factus.order == ["A"]
        arq_id = f"{namespace}:acme:B:1"
        assert await redis.get(in_progress_key_prefix + arq_id) is None
        assert await redis.zscore(built.keys.arq_queue(), arq_id) == 0
    monkeypatch.undo()
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        events = await rig.events(3)  # one is the search of `taken_in`
    assert [event["reference_code"] for event in events if event["reference_code"]] == ["A", "B"]
    assert factus.order == ["A", "B"]


async def test_a_job_in_the_hands_of_a_worker_that_stops_before_it_starts_it_is_put_back(redis, namespace, factus):
    """Between the script that hands a job over and its run there is one turn of the loop."""
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        factus.gate = asyncio.Event()
        await rig.push_bill("A", id="A")
        await factus.called("create")
        arq_id = f"{namespace}:acme:A:1"
        (run,) = built.arq.tasks.values()
        run.cancel()
        await asyncio.wait([run])
        await redis.set(in_progress_key_prefix + arq_id, built.worker_id, px=60_000)
        await redis.zadd(built.keys.arq_queue(), {arq_id: 9e15})
        record = await built.reader.job("acme", "A")
        built.arq.run_claimed([ClaimedJob(arq_id, record, AccountState())])
        assert (built.arq.n_running, built.arq.slots_busy) == (1, 1)
        await built.arq.drain(1.0)
        assert (built.arq.n_running, built.arq.slots_busy) == (0, 0)
        assert await redis.get(in_progress_key_prefix + arq_id) is None
        assert await redis.zscore(built.keys.arq_queue(), arq_id) == 0
        assert factus.calls["create"] == 1


async def test_a_run_that_ends_frees_no_newer_one_of_its_own_process(redis, namespace, factus):
    """The loop was held for longer than the lease: the mark of the older run bears the same worker's id."""
    factus.gate = asyncio.Event()
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push_bill("A", id="one")
        await factus.called("create")
        (older,) = built.arq.tasks.values()
        arq_id = f"{namespace}:acme:one:1"
        await redis.delete(in_progress_key_prefix + arq_id)
        await redis.zadd(built.keys.arq_queue(), {arq_id: 0})
        built.arq.wake()
        await factus.called("create", 2)
        fence = await redis.hget(built.keys.job("acme", "one"), "fence")
        assert older in built.arq.tasks.values(), "what runs is awaited at the end"
        older.cancel()
        await asyncio.wait([older])
        assert await redis.get(in_progress_key_prefix + arq_id) == built.worker_id.encode()
        assert await redis.zscore(built.keys.arq_queue(), arq_id) > 0
        factus.gate.set()
        (event,) = await rig.events(1)
        assert await redis.hget(built.keys.job("acme", "one"), "fence") == fence
    assert (event["type"], factus.calls["create"]) == ("invoice.validated", 2)


@pytest.mark.parametrize("n_stops", [6])
async def test_six_stops_on_one_job_neither_lose_nor_repeat_it(redis, namespace, factus, n_stops):
    """arq gives a job up after five interrupted runs; here a run that was cut off is no attempt that failed."""
    hasty = quick(drain={"calls_s": 0.0})
    factus.gate = asyncio.Event()
    built = services_on(redis, namespace, gateway=factus)
    await redis.xadd(built.keys.jobs(), {"job": _job("A")})
    for n in range(n_stops):
        async with running(services_on(redis, namespace, gateway=factus, policies=hasty)):
            await factus.called("create", n + 1)
    factus.gate.set()
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
    assert len(factus.documents) == 1


class TestSweep:
    """Each thing that the sweep repairs, made by hand: no script of ours leaves it behind."""

    @pytest.fixture
    async def held(self, redis, namespace, factus):
        """A service whose one job is under way and stays so."""
        factus.gate = asyncio.Event()
        built = services_on(redis, namespace, gateway=factus, policies=quick(sweep={"lost_after_ms": 0}))
        async with not_swept(built), running(built) as rig:
            await rig.push_bill("A", id="one")
            await factus.called("create")
            yield rig
            factus.gate.set()

    async def test_a_job_in_flight_that_arq_has_lost_is_enqueued_again(self, redis, namespace):
        built = services_on(redis, namespace, policies=quick(sweep={"lost_after_ms": 0}))
        await redis.xadd(built.keys.jobs(), {"job": _job("A")})
        built.arq.max_jobs = 0
        async with not_swept(built), running(built) as rig:
            await rig.taken_in()
            assert await _in_flight(built)
            arq_id = f"{namespace}:acme:one:1"
            await redis.delete(job_key_prefix + arq_id)
            await redis.zrem(built.keys.arq_queue(), arq_id)
            built.arq.max_jobs = 8
            repairs = await built.sweep.sweep()
            built.arq.wake()
            (event,) = await rig.events(1)
        assert (repairs.n_requeued, event["type"]) == (1, "invoice.validated")

    async def test_a_place_that_no_job_holds_is_freed(self, held, redis):
        built = held.services
        await redis.zadd(built.keys.in_flight("acme/invoice"), {"ghost": 1})
        repairs = await built.sweep.sweep()
        assert repairs.n_freed == 1
        assert await redis.zscore(built.keys.in_flight("acme/invoice"), "ghost") is None
        assert await redis.zscore(built.keys.in_flight("acme/invoice"), "one") is not None, (
            "the living one keeps its place"
        )

    async def test_a_lane_with_work_that_nobody_would_look_at_is_woken(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        await redis.sadd(built.keys.lanes(), "acme/invoice")
        await redis.zadd(built.keys.waiting("acme/invoice"), {"one": 1})
        assert (await built.sweep.sweep()).n_woken == 1
        assert await redis.zscore(built.keys.lanes_due(), "acme/invoice") is not None

    async def test_a_lane_of_an_account_that_is_not_ours_is_left_alone(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        await redis.sadd(built.keys.lanes(), "stranger/invoice")
        await redis.zadd(built.keys.waiting("stranger/invoice"), {"one": 1})
        assert not await built.sweep.sweep()


async def _in_flight(built):
    return await built.redis.zcard(built.keys.in_flight("acme/invoice")) == 1


def _job(reference):

    return json.dumps({"type": "invoice.issue", "id": "one", "payload": a_bill(reference_code=reference)})


async def test_a_mark_that_outlives_its_score_is_looked_at_when_it_ends(redis, namespace, factus):
    """Both end in the same millisecond; whoever came in it waited a whole lease more, ten seconds in all."""
    built = services_on(redis, namespace, gateway=factus)
    await redis.xadd(built.keys.jobs(), {"job": _job("A")})
    built.arq.max_jobs = 0
    async with running(built) as rig:
        await rig.taken_in()
        assert await _in_flight(built)
        arq_id = f"{namespace}:acme:one:1"
        await redis.set(in_progress_key_prefix + arq_id, "a-dead-worker", px=400)
        await redis.zadd(built.keys.arq_queue(), {arq_id: 0})
        built.arq.max_jobs = 8
        built.arq.wake()
        (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
