"""A batch is closed once, when all its jobs are final, with sums an accountant can use."""

from __future__ import annotations

import asyncio

from jobs import answers
from schemas.factus import Remark
from tests.service_in_process import running, services_on


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


async def test_a_gap_in_the_numbers_is_explained_by_the_rejection_that_used_it(rig, factus):
    """Six validated under seven numbers: the auditor asks for the seventh."""
    rule = Remark("Regla: FAJ43b, Rechazo: Nombre informado no corresponde", "FAJ43b")
    factus.script = [answers.RulesRefused((rule,), number="SETP7")]
    await rig.push_bill("rejected", batch="b", batch_size=2)
    await rig.push_bill("good", batch="b")
    event = await completed(rig, 2)
    (failure,) = event["data"]["failures"]
    assert (failure["reference_code"], failure["number"], failure["rule"]) == ("rejected", "SETP7", "FAJ43b")


async def test_what_failed_is_named_and_counts(rig, factus):
    factus.script = [answers.FieldsRefused("Error de validación", ())]
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


async def test_a_document_of_several_jobs_is_paid_once_in_each_of_their_batches(redis, namespace, factus):
    """Joined, and answered from the ledger by another process: three jobs, two documents, two amounts."""
    factus.gate = asyncio.Event()
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("A", batch="b", batch_size=4)
        await factus.called("create")
        await rig.push_bill("A", batch="b")
        await rig.push_bill("A", batch="other", batch_size=1)
        await rig.push_bill("B", batch="b")
        await rig.taken_in()
        factus.gate.set()
        closing = [event for event in await rig.events(5) if event["type"] == "batch.completed"]
        assert [(event["batch"], event["data"]["total"]) for event in closing] == [("other", "83300.00")]
    async with running(services_on(redis, namespace, gateway=factus)) as again:
        again._last = rig._last
        await again.push_bill("A", batch="b")
        await again.events(1)
        await again.services.sweep._batches.close_complete()
        (event,) = await again.events(1)
    assert (event["data"]["counts"], event["data"]["total"]) == ({"invoice.validated": 4}, "166600.00")
    assert (event["data"]["first_number"], event["data"]["last_number"]) == ("SETP990000001", "SETP990000001")
    keys = again.services.keys
    assert not await redis.exists(keys.batch_documents("acme/b")), "told: nothing is kept of it"


async def test_documents_are_remembered_as_long_as_their_batch(rig, redis):
    await rig.push_bill("A", batch="b")
    await rig.events(1)
    keys = rig.services.keys
    assert await redis.smembers(keys.batch_documents("acme/b")) == {b"invoice/A"}
    lives = [await redis.pttl(key) for key in (keys.batch("acme/b"), keys.batch_documents("acme/b"))]
    assert min(lives) > 0
    assert abs(lives[0] - lives[1]) < 1000


async def test_the_end_of_a_document_whose_answer_is_lost_is_not_paid_twice(rig, redis, monkeypatch):
    """The script ran and is sent again: it finds that the job is no longer its own, and counts nothing."""
    scripts = rig.services.ledger._scripts
    run = scripts.run

    async def twice(name, keys, args):
        if name == "end_attempt":
            await run(name, keys, args)
        return await run(name, keys, args)

    monkeypatch.setattr(scripts, "run", twice)
    await rig.push_bill("A", batch="b", batch_size=1)
    event = await completed(rig, 1)
    assert (event["data"]["counts"], event["data"]["total"]) == ({"invoice.validated": 1}, "83300.00")


async def test_no_name_of_a_batch_meets_what_is_kept_beside_another(rig):
    """Batches are named by producers: `b:failures` beside `b` was a hash where a list stood."""
    names = ["b", "b:failures", "b:documents", ":failures:acme/b"]
    for name in names:
        await rig.push_bill(batch=name, batch_size=2)
        await rig.push({"type": "invoice.issue", "payload": {}, "batch": name})
    events = await rig.events(3 * len(names))
    assert {event["batch"] for event in events if event["type"] == "batch.completed"} == {*names}


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
