"""Two jobs that change the same thing at Factus: one after the other, whatever becomes of the first."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import datetime

import pytest

from jobs import answers
from schemas.factus import DocumentView, Remark
from tests.builders import a_bill
from tests.contract.test_follow_ups import hangs, kill
from tests.fakes import FakeFactus
from tests.service_in_process import quick, running, services_on
from worker.process import run_tasks

RANGE = "/v2/numbering-ranges/8"
DELETE = "DELETE /v2/bills/destroy/reference/A"
SOON = {"change_pause_s": 0.05}
REJECTED = {"number": "SETP9", "reference_code": "A", "is_validated": False, "errors": ["Regla: X, Rechazo: x"]}

pytestmark = pytest.mark.service(policies=quick(patience=SOON))


def held_at(factus: FakeFactus, call: str) -> asyncio.Event:
    """Factus does not answer a call before the event is set."""
    gate = asyncio.Event()

    async def hold(request):
        if f"{request.method} {request.path}" == call:
            await gate.wait()

    factus.before_call = hold
    return gate


def a_switch(factus: FakeFactus) -> dict[str, int]:
    """A range that stands as it was toggled. Whoever reads it waits a moment for another who reads it as well."""
    state, readers, both = {"is_active": 1}, [], asyncio.Event()

    async def answer(request):
        if request.method == "PATCH":
            state["is_active"] = 1 - state["is_active"]
        seen = dict(state)
        if request.method == "GET":
            readers.append(request)
            if len(readers) == 2:
                both.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.05):
                    await both.wait()
        factus.replies[f"{request.method} {request.path}"] = [answers.Replied({"data": seen})]

    factus.before_call = answer
    return state


async def test_two_jobs_that_want_the_same_toggle_once(rig, factus):
    """Both saw it on, both toggled, both said that it was off: it was on."""
    state = a_switch(factus)
    for id_ in ("one", "two"):
        payload = {"numbering_range_id": 8, "is_active": False}
        await rig.push({"id": id_, "type": "numbering_range.set_status", "payload": payload})
    events = await rig.events(2)
    assert [event["data"]["is_active"] for event in events] == [False, False]
    assert (state["is_active"], factus.calls[f"PATCH {RANGE}/toggle-status"]) == (0, 1)


async def test_the_last_one_pushed_has_the_last_word(rig, factus):
    state, gate = a_switch(factus), asyncio.Event()
    switch = factus.before_call

    async def hold(request):
        await gate.wait()
        await switch(request)

    factus.before_call = hold
    for n in range(4):
        payload = {"numbering_range_id": 8, "is_active": n % 2 == 0}
        await rig.push({"id": f"n-{n}", "type": "numbering_range.set_status", "payload": payload})
        await rig.taken_in()
    gate.set()
    events = await rig.events(4)
    assert [event["job_id"] for event in events] == [f"n-{n}" for n in range(4)]
    assert state["is_active"] == 0


async def test_other_ranges_do_not_wait(rig, factus):
    gate = held_at(factus, f"GET {RANGE}")
    factus.replies["GET /v2/numbering-ranges/9"] = [answers.Replied({"data": {"is_active": 1}})]
    factus.replies[f"GET {RANGE}"] = factus.replies["GET /v2/numbering-ranges/9"]
    for range_ in (8, 9):
        payload = {"numbering_range_id": range_, "is_active": True}
        await rig.push({"id": f"r-{range_}", "type": "numbering_range.set_status", "payload": payload})
    (first,) = await rig.events(1)
    gate.set()
    (second,) = await rig.events(1)
    assert (first["job_id"], second["job_id"]) == ("r-9", "r-8")


async def test_a_document_is_not_issued_while_what_bears_its_reference_is_deleted(rig, factus):
    """The DELETE would take it from DIAN's hands."""
    factus.finds = [answers.DocumentSeen(DocumentView(REJECTED))]
    factus.replies[DELETE] = [answers.Replied({})]
    gate = held_at(factus, DELETE)
    await rig.push({"id": "delete", "type": "invoice.delete", "payload": {"reference_code": "A"}})
    await factus.called(DELETE)
    await rig.push_bill("A", id="issue")
    await rig.taken_in()
    await rig.push_bill("B")
    (other,) = await rig.events(1)
    assert (other["reference_code"], factus.order) == ("B", ["B"])
    gate.set()
    deleted, issued = await rig.events(2)
    assert (deleted["type"], issued["type"]) == ("invoice.delete.completed", "invoice.validated")
    assert factus.order == ["B", "A"]


async def test_what_waits_to_be_issued_does_not_keep_a_rejected_document_at_factus(rig, factus):
    """It stands behind a document that the rejected one bars: each would wait for the other until its time is up."""
    factus.gate = asyncio.Event()
    await rig.push_bill("FIRST")
    await factus.called("create")
    await rig.push_bill("A", id="issue")
    await rig.taken_in()
    factus.finds = [answers.DocumentSeen(DocumentView(REJECTED))]
    factus.replies[DELETE] = [answers.Replied({})]
    await rig.push({"type": "invoice.delete", "payload": {"reference_code": "A"}})
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.delete.completed"
    factus.gate.set()
    assert [event["reference_code"] for event in await rig.events(2)] == ["FIRST", "A"]
    assert factus.calls["find"] == 2, "the job that waited has looked before it sent"


@pytest.mark.service(policies=quick(patience={**SOON, "least_settle_ms": 400}), timeout=0.2)
async def test_a_delete_without_an_answer_keeps_its_turn(rig, factus):
    factus.finds = [answers.DocumentSeen(DocumentView(REJECTED)), answers.Absent(), answers.Absent()]
    factus.replies[DELETE] = [answers.Unknown("sin respuesta")]

    async def mark(request):
        # What the permit of the real client writes with the call.
        if request.method == "DELETE":
            key = rig.services.keys.job("acme", "delete")
            await rig.services.redis.hset(key, "sending_at", int(time.time() * 1000))

    factus.before_call = mark
    began = time.monotonic()
    await rig.push({"id": "delete", "type": "invoice.delete", "payload": {"reference_code": "A"}})
    await factus.called(DELETE)
    await rig.push_bill("A", id="issue")
    deleted, issued = await rig.events(2)
    assert (deleted["type"], issued["type"]) == ("invoice.delete.completed", "invoice.validated")
    assert time.monotonic() - began >= 0.4
    assert factus.calls[DELETE] == 1


@pytest.mark.service(policies=quick(patience={**SOON, "least_settle_ms": 1500}), timeout=0.1)
@pytest.mark.parametrize("ending", ["a look-up that is refused", "its time is up"])
async def test_a_removal_does_not_end_before_its_lost_delete_is_settled(rig, factus, ending):
    """With its end the reference is free."""
    factus.finds = [answers.DocumentSeen(DocumentView(REJECTED))]
    if ending == "a look-up that is refused":
        factus.finds.append(answers.BadRequest(400, "no"))
    factus.replies[DELETE] = [answers.Unknown("sin respuesta")]
    key = rig.services.keys.job("acme", "delete")

    async def mark(request):
        # What the permit of the real client writes with the call.
        if request.method == "DELETE":
            await rig.services.redis.hset(key, "sending_at", int(time.time() * 1000))
            if ending == "its time is up":
                await rig.services.redis.hset(key, "deadline_at", int(time.time() * 1000))

    factus.before_call = mark
    began = time.monotonic()
    await rig.push({"id": "delete", "type": "invoice.delete", "payload": {"reference_code": "A"}})
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.delete.failed"
    assert time.monotonic() - began >= 1.5
    assert factus.calls[DELETE] == 1


@pytest.mark.service(policies=quick(patience={**SOON, "least_settle_ms": 4000}), timeout=0.1)
async def test_a_corrected_document_waits_until_a_lost_delete_can_take_it_no_more(rig, factus):
    """The verdict is told at once, and the correction is taken; it begins when the first DELETE is settled."""
    factus.script = [answers.RulesRefused((Remark("Regla: FAK24, Rechazo: x", "FAK24"),))]
    factus.deletes = [answers.Unknown("sin respuesta")]
    began = time.monotonic()
    await rig.push_bill("A")
    (rejected,) = await rig.events(1)
    assert rejected["type"] == "invoice.rejected"
    document = rig.services.keys.document("acme", "invoice", "A")
    free_at = int(await rig.services.redis.hget(document, "free_at"))
    assert datetime.fromisoformat(rejected["time"]).timestamp() * 1000 < free_at, "told before it is settled"
    await rig.push_bill(payload=a_bill(reference_code="A", observation="corregida"))
    await rig.push_bill("B")
    first, second = await rig.events(2)
    assert (first["reference_code"], second["reference_code"], second["success"]) == ("B", "A", True)
    assert time.monotonic() - began >= 4.0


async def test_who_makes_room_does_not_wait_behind_those_that_have_none(rig, factus):
    """A kept document bars its family: its correction, the last in the lane, would wait for the first for ever."""
    factus.script = [answers.RulesRefused((Remark("Regla: X, Rechazo: x", "X"),)), answers.Conflicted("409")]
    factus.finds = [answers.Absent(), answers.DocumentSeen(DocumentView(REJECTED))]
    await rig.push_bill("A", options={"delete_rejected": False})
    kept = await rig.events(2)
    assert {event["type"] for event in kept} == {"invoice.rejected", "account.blocked"}
    factus.gate = asyncio.Event()
    await rig.push_bill("B")
    await factus.called("create", 2)
    await rig.push_bill(payload=a_bill(reference_code="A", observation="corregida"))
    await rig.taken_in()
    factus.gate.set()
    validated = [event for event in await rig.events(3) if event["type"] == "invoice.validated"]
    assert [event["reference_code"] for event in validated] == ["A", "B"]
    assert factus.order == ["A", "B", "A", "B"]


async def test_a_look_that_comes_through_does_not_end_a_block(redis, namespace, factus):
    """A re-push looks at Factus first; that it may read says nothing of what it may issue."""
    factus.script = [answers.Denied("product", "sin producto")] * 20
    async with running(services_on(redis, namespace, gateway=factus, job_deadline=0.3)) as rig:
        types = []
        for _ in range(2):
            await rig.push_bill("A")
            types += [event["type"] for event in await rig.events(1 if types else 2)]
        await rig.rest()
        assert (types, rig.n_seen) == (["account.blocked", "invoice.failed", "invoice.failed"], 3)
        assert await rig.services.redis.xlen(rig.services.keys.results()) == 3


async def test_a_kill_while_a_rejected_document_is_deleted_lets_its_correction_wait(redis, namespace, factus):
    """Nobody knows whether the DELETE of the dead worker is still on its way."""
    policies = quick(lease={"lease_ms": 1000}, patience={"least_settle_ms": 4000})
    factus.script = [answers.RulesRefused((Remark("Regla: X, Rechazo: x", "X"),))]
    deleting, delete = asyncio.Event(), factus.delete
    factus.delete = lambda *_, **__: hangs(deleting)()
    dying = services_on(redis, namespace, gateway=factus, policies=policies)
    task = asyncio.create_task(run_tasks(dying, asyncio.Event()))
    job = {"id": "first", "type": "invoice.issue", "payload": a_bill(reference_code="A")}
    began = time.monotonic()
    await redis.xadd(dying.keys.jobs(), {"job": json.dumps(job)})
    await deleting.wait()
    await redis.hset(dying.keys.job("acme", "first"), "attempts", 1)  # the permit of the real client's create writes it
    await kill(dying, task)
    factus.delete = delete
    async with running(services_on(redis, namespace, gateway=factus, policies=policies, timeout=0.1)) as rig:
        (rejected,) = await rig.events(1)
        assert (rejected["type"], rejected["job_id"], rejected["attempts"]) == ("invoice.rejected", "first", 1)
        await rig.push_bill(payload=a_bill(reference_code="A", observation="corregida"))
        (validated,) = await rig.events(1)
    assert validated["type"] == "invoice.validated"
    assert time.monotonic() - began >= 4.0
    assert factus.order == ["A", "A"]
