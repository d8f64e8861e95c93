"""What was pushed before, in any number: each push has its one answer, and costs a share of a script."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest

from jobs import answers
from schemas.factus import Remark
from tests.builders import a_bill
from tests.service_in_process import an_account, quick, running, services_on

N = 25
WHOLE_SLICES = quick(intake={"slice_ms": 60_000})
"""A slice ends by its number of entries, however busy the machine is."""

JOB = {"type": "invoice.issue", "account": "acme"}


def a_job(reference, **envelope):
    return {**JOB, "payload": a_bill(reference_code=reference), **envelope}


async def push_together(rig, jobs):
    """All of them, before the first is read."""
    pipeline = rig.services.redis.pipeline()
    for job in jobs:
        pipeline.xadd(rig.services.keys.jobs(), {"job": json.dumps(job)})
    await pipeline.execute()


def counted(built):
    """Counts the scripts that one intake runs."""
    runs, run = Counter(), built.intake._writer._scripts.run

    async def counting(name, keys, args, **how):
        runs[name] += 1
        return await run(name, keys, args, **how)

    built.intake._writer._scripts.run = counting
    return runs


async def test_a_day_that_is_pushed_again_is_answered_by_slices(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus, policies=WHOLE_SLICES)
    runs = counted(built)
    async with running(built) as rig:
        await push_together(rig, [a_job(f"R-{n}") for n in range(N)])
        first = {event["reference_code"]: event for event in await rig.events(N)}
        await rig.rest()
        runs.clear()
        await push_together(rig, [a_job(f"R-{n}") for n in range(N)])
        again = await rig.events(N)
    assert [event["reference_code"] for event in again] == [f"R-{n}" for n in range(N)]
    for event in again:
        assert event["data"] == {**first[event["reference_code"]]["data"], "replayed": True}
    # The wait brings a few, a script the rest; each slice needs one word and one writing.
    assert runs["intake"] <= 8, runs


async def test_among_new_jobs_and_conflicts_each_push_has_its_own_answer(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus, policies=WHOLE_SLICES)
    runs = counted(built)
    async with running(built) as rig:
        await push_together(rig, [a_job("old", id="one")])
        await rig.events(1)
        await rig.rest()
        runs.clear()
        jobs = []
        for n in range(4):
            jobs += [
                a_job("old", id=f"again-{n}"),
                a_job(f"new-{n}", id=f"new-{n}"),
                a_job(f"x-{n}", id="one"),  # the id of another
                {**JOB, "id": f"other-{n}", "payload": a_bill(total="5000.00", reference_code="old")},
                a_job("old", id=f"again-{n}"),  # the same push twice
                a_job(f"y-{n}", id=f"again-{n}"),  # and its id for something else
            ]
        await push_together(rig, jobs)
        events = await rig.events(4 * 5)
        await rig.rest()
        assert await redis.xlen(built.keys.results()) == 1 + 4 * 5
    ends = Counter((event["type"], event["errors"][0]["code"] if event["errors"] else "") for event in events)
    assert ends == {
        ("invoice.validated", ""): 8,
        ("job.refused", "id.conflict"): 8,
        ("job.refused", "reference.conflict"): 4,
    }
    by_id = {event["job_id"]: event for event in events}
    assert len(by_id) == 20
    for n in range(4):
        assert by_id[f"again-{n}"]["data"]["replayed"] is True
        assert by_id[f"new-{n}"]["data"]["replayed"] is False
        assert by_id[f"other-{n}"]["errors"][0]["code"] == "reference.conflict"
    assert factus.calls["create"] == 1 + 4
    assert runs["intake"] <= 14, runs


@pytest.mark.parametrize("spoilt", ["{", "[]", '{"job_id": 5}', '{"job_id": "gone", "data": 7}'])
async def test_an_answer_that_cannot_be_read_costs_its_own_pushes_only(redis, namespace, factus, spoilt):
    built = services_on(redis, namespace, gateway=factus, policies=WHOLE_SLICES)
    async with running(built) as rig:
        await push_together(rig, [a_job("A"), a_job("B")])
        await rig.events(2)
        await rig.rest()
        await redis.hset(built.keys.document("acme", "invoice", "A"), "event", spoilt)
        await push_together(rig, [a_job("B"), a_job("A"), a_job("B"), a_job("A"), a_job("C")])
        events = await rig.events(5)
    ends = Counter((event["reference_code"], event["type"]) for event in events)
    assert ends == {
        (None, "job.refused"): 2,  # what trips us keeps its top level only
        ("B", "invoice.validated"): 2,
        ("C", "invoice.validated"): 1,
    }


FUTURE = "4102444800000-0"
PUSHED = {
    "fine": json.dumps(a_job("F")),
    "fine as well": json.dumps(a_job("G")),
    "no JSON": "{",
    "another without JSON": "[",
    "a wrong payload": json.dumps({**JOB, "payload": {}}),
    "of an unknown account": json.dumps({**a_job("H"), "account": "nobody"}),
    "of an account with its own stream": json.dumps({**a_job("I"), "account": "own"}),
}


@pytest.mark.parametrize("second", PUSHED.values(), ids=PUSHED)
@pytest.mark.parametrize("first", PUSHED.values(), ids=PUSHED)
async def test_an_id_of_the_future_that_is_used_again_ends_no_job_twice(redis, namespace, factus, first, second):
    """The stream was made anew in between, and takes the same id once more."""
    built = services_on(redis, namespace, an_account(), an_account("own", own_streams=True), gateway=factus)
    async with running(built) as rig:
        events = []
        for n, raw in enumerate((first, second)):
            await redis.xadd(built.keys.jobs(), {"job": raw}, id=FUTURE)
            if n == 0 or second != first:
                events += await rig.events(1)
            await rig.rest()
            await built.intake._watch.look()
        await rig.push_bill("later")
        (event,) = await rig.events(1)
        assert event["reference_code"] == "later"
    assert {event["job_id"] for event in events} <= {FUTURE, f"{FUTURE}.2"}
    assert len({(event["account"], event["job_id"]) for event in events}) == len(events) == 1 + (second != first)
    assert len({event["id"] for event in events}) == len(events)


CROWDED = {
    "an id that another job has": json.dumps({**a_job("C"), "id": "mine"}),
    "the same once more": json.dumps({**a_job("D"), "id": "mine"}),
    "and without an account": json.dumps({"id": "mine", "type": "invoice.issue"}),
    "denied, with an id of its own": json.dumps({**a_job("E"), "account": "own", "id": "theirs"}),
    "denied, with the same id": json.dumps({**a_job("F"), "account": "own", "id": "theirs"}),
    "no JSON": "{",
    "fine": json.dumps(a_job("G")),
}


@pytest.mark.parametrize("second", list(CROWDED.values())[::2], ids=list(CROWDED)[::2])
@pytest.mark.parametrize("first", CROWDED.values(), ids=CROWDED)
async def test_nor_where_the_jobs_have_ids_of_their_own(redis, namespace, factus, first, second):
    """A refusal that cannot go out under the job's own id goes out under the entry's, which is no new one either."""
    built = services_on(redis, namespace, an_account(), an_account("own", own_streams=True), gateway=factus)
    async with running(built) as rig:
        await redis.xadd(built.keys.jobs(), {"job": json.dumps({**a_job("A"), "id": "mine"})})
        await redis.xadd(built.keys.jobs(), {"job": json.dumps({**a_job("B"), "account": "own", "id": "theirs"})})
        events = await rig.events(2)
        for raw in (first, second):
            await redis.xadd(built.keys.jobs(), {"job": raw}, id=FUTURE)
            await rig.rest()
            await built.intake._watch.look()
        await rig.push_bill("later")
        while not events or events[-1]["reference_code"] != "later":
            events += await rig.events(1)
    finals = [(event["account"], event["job_id"]) for event in events]
    assert len(set(finals)) == len(finals)
    assert len({event["id"] for event in events}) == len(events)
    assert len(events) >= 3 + (second != first)


WITH_OPTIONS = {"options": {"track_radian": True, "after_acceptance": True}}
"""Neither applies to a bill that is paid at once."""


async def test_who_joins_a_document_that_is_rejected_is_told_of_it_as_its_own_job_is(redis, namespace, factus):
    factus.script = [answers.RulesRefused((Remark("Regla: FAJ43b, Rechazo: no", "FAJ43b"),), "no", number="SETP1")]
    factus.gate = asyncio.Event()
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await rig.push(a_job("A", id="first"))
        await factus.called("create")
        await rig.push(a_job("A", id="second", **WITH_OPTIONS))
        await rig.taken_in()
        factus.gate.set()
        await rig.rest()
        entries = await redis.xrange(rig.services.keys.results())
    events = {event["job_id"]: event for event in (json.loads(fields[b"event"]) for _, fields in entries)}
    assert [events[name]["type"] for name in ("first", "second")] == ["invoice.rejected"] * 2
    assert events["second"]["data"] == events["first"]["data"]


class TestWarnings:
    """Those about the document are everybody's; those about a push are its own."""

    def codes(self, event):
        return [one["code"] for one in event["data"]["warnings"]]

    @pytest.mark.parametrize("envelope", [{}, WITH_OPTIONS])
    @pytest.mark.parametrize("first", [{}, WITH_OPTIONS])
    @pytest.mark.parametrize("is_joined", [True, False], ids=["joined", "replayed"])
    async def test_each_push_has_its_own(self, redis, namespace, factus, envelope, first, is_joined):
        factus.gate = asyncio.Event()
        async with running(services_on(redis, namespace, gateway=factus)) as rig:
            await rig.push(a_job("A", id="first", **first))
            await factus.called("create")
            if is_joined:
                await rig.push(a_job("A", id="second", **envelope))
                await rig.taken_in()
            factus.gate.set()
            await rig.rest()
        async with running(services_on(redis, namespace, gateway=factus)) as rig:
            if not is_joined:
                await rig.push(a_job("A", id="second", **envelope))
            await rig.rest()
            entries = await redis.xrange(rig.services.keys.results())
        events = {event["job_id"]: event for event in (json.loads(fields[b"event"]) for _, fields in entries)}
        for job_id, given in (("first", first), ("second", envelope)):
            assert self.codes(events[job_id]).count("option.unavailable") == (2 if given else 0), job_id
        if first == envelope:
            assert events["second"]["data"] == {**events["first"]["data"], "replayed": not is_joined}
