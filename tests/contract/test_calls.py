"""Jobs that issue nothing, from the stream to the event: their results, their place behind issuing, their blocks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jobs import answers
from schemas.factus import DocumentView
from tests.contract.test_follow_ups import hangs_at, kill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, quick, running, services_on
from worker.factus.rate_limit import Granted, RateLimit
from worker.process import run_tasks
from worker.store.keys import Keys
from worker.store.scripts import Scripts

BILL = "GET /v2/bills/SETP1"


@pytest.fixture
def factus():
    found = FakeFactus()
    found.replies[BILL] = [answers.Replied({"data": {"number": "SETP1", "is_validated": True}})]
    return found


async def test_a_read_is_completed_with_what_factus_has(rig):
    await rig.push({"id": "g", "type": "invoice.get", "payload": {"number": "SETP1"}, "metadata": {"a": 1}})
    (event,) = await rig.events(1)
    assert (event["type"], event["job_type"], event["job_id"]) == ("invoice.get.completed", "invoice.get", "g")
    assert (event["success"], event["attempts"], event["seq"]) == (True, 1, 1)
    assert event["data"]["factus"]["number"] == "SETP1"
    assert event["metadata"] == {"a": 1}


async def test_what_is_not_there_fails_by_its_own_name_and_leaves_a_letter(rig):
    await rig.push({"type": "invoice.get", "payload": {"reference_code": "NADA"}})
    (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.get.failed", "factus.not_found")
    assert (event["reference_code"], event["data"]) == ("NADA", None)
    assert await rig.services.redis.xlen(rig.services.keys.dead()) == 1


async def test_a_payload_that_says_nothing_is_refused_before_any_call(rig, factus):
    await rig.push({"type": "invoice.get", "payload": {}})
    await rig.push({"type": "invoice.email", "payload": {"number": "SETP1", "email": "nadie", "cc": "x"}})
    events = await rig.events(2)
    assert [event["type"] for event in events] == ["job.refused", "job.refused"]
    assert {error["field"] for error in events[1]["errors"]} == {"email", "cc"}
    assert factus.requests == []


async def test_reading_a_reference_neither_joins_nor_conflicts_with_its_document(rig):
    """A get names the same reference as the invoice: it is no second document."""
    await rig.push_bill("A")
    await rig.events(1)
    await rig.push({"type": "invoice.get", "payload": {"reference_code": "A"}})
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.get.completed"
    await rig.push_bill("A")
    (replayed,) = await rig.events(1)
    assert replayed["data"]["replayed"] is True


async def test_what_is_being_issued_is_not_deleted(rig, factus):
    """Rejected a moment ago, it may wait for DIAN a moment later: its own job sees to it."""
    stored = {"number": "SETP9", "reference_code": "A", "is_validated": False, "errors": ["Regla: X, Rechazo: x"]}
    factus.gate = asyncio.Event()
    await rig.push_bill("A")
    await factus.called("create")
    factus.finds = [answers.DocumentSeen(DocumentView(stored))]
    await rig.push({"type": "invoice.delete", "payload": {"reference_code": "A"}})
    (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.delete.failed", "factus.conflict")
    assert not [request for request in factus.requests if request.method == "DELETE"]
    factus.gate.set()
    await rig.events(1)


async def test_a_kill_while_an_email_goes_out_sends_no_second_one(redis, namespace, factus):
    """Nobody knows whether it left: a person is told, and Factus is not asked again."""
    soon = quick(lease={"lease_ms": 1000})
    post, died = "POST /v2/bills/SETP1/send-email", asyncio.Event()
    factus.before_call = hangs_at("send-email", died)
    dying = services_on(redis, namespace, gateway=factus, policies=soon)
    task = asyncio.create_task(run_tasks(dying, asyncio.Event()))
    job = {"id": "m", "type": "invoice.email", "payload": {"number": "SETP1", "email": "a@b.co"}}
    await redis.xadd(dying.keys.jobs(), {"job": json.dumps(job)})
    await died.wait()
    await redis.hset(dying.keys.job("acme", "m"), "sent", "sending")  # the real client's permit writes it
    await kill(dying, task)
    factus.before_call = None
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.email.failed", "factus.unavailable")
    assert "No se sabe" in event["message"]
    assert factus.calls[post] == 1


async def test_the_same_id_is_one_job(rig, factus):
    for _ in range(3):
        await rig.push({"id": "x", "type": "invoice.get", "payload": {"number": "SETP1"}})
    await rig.events(1)
    await rig.taken_in()
    assert factus.calls[BILL] == 1


async def test_batches_count_calls_without_money(rig):
    for n in range(2):
        await rig.push(
            {"type": "invoice.get", "payload": {"number": "SETP1"}, "batch": "b", "batch_size": 2, "id": f"{n}"}
        )
    closing = next(event for event in await rig.events(3) if event["type"] == "batch.completed")
    assert closing["data"]["counts"] == {"invoice.get.completed": 2}
    assert (closing["data"]["total"], closing["data"]["first_number"]) == ("0.00", None)


async def test_a_table_is_searched_without_a_call_and_in_any_weather(rig, factus):
    await rig.services.redis.hset(rig.services.keys.account("acme"), mapping={"hold_until": 10**14})
    await rig.push({"id": "c", "type": "catalog.search", "payload": {"catalog": "municipalities", "query": "bogota"}})
    await rig.push({"id": "c", "type": "catalog.search", "payload": {"catalog": "municipalities", "query": "bogota"}})
    await rig.push({"type": "catalog.search", "payload": {"catalog": "municipios"}})
    found, refused = await rig.events(2)
    assert (found["type"], found["data"]["items"][0]["code"]) == ("catalog.search.completed", "11001")
    assert (refused["type"], refused["errors"][0]["field"]) == ("job.refused", "catalog")
    assert factus.calls == {}


@pytest.mark.service(policies=quick(patience={"account_pause_s": 0.2}))
async def test_a_denied_call_is_told_once_and_stops_no_invoice(rig, factus):
    denied = answers.Denied("permission", "sin permiso")
    factus.replies["GET /v2/companies"] = [denied, denied, denied, answers.Replied({"data": {"nit": "1"}})]
    await rig.push({"type": "company.get", "payload": {}})
    (blocked,) = await rig.events(1)
    assert (blocked["type"], blocked["data"]["family"]) == ("account.blocked", "company")
    await rig.push_bill("A")
    (invoice,) = await rig.events(1)
    assert invoice["type"] == "invoice.validated"
    ending = await rig.events(2)
    assert {event["type"] for event in ending} == {"account.resumed", "company.get.completed"}


MAIL = "POST /v2/bills/SETP1/send-email"


@pytest.mark.service(policies=quick(patience={"account_pause_s": 0.05}))
async def test_only_the_type_of_job_that_is_denied_is_told_of_and_only_once(rig, factus):
    """E-mails are denied, and nothing else: other jobs that work say nothing of it, nor do further e-mails."""
    factus.replies[MAIL] = [answers.Denied("permission", "sin permiso")]
    mail = {"type": "invoice.email", "payload": {"number": "SETP1", "email": "a@b.co"}}
    await rig.push({"id": "m0", **mail})
    (blocked,) = await rig.events(1)
    assert (blocked["type"], blocked["data"]["family"]) == ("account.blocked", "invoice")
    assert "trabajos de tipo invoice.email" in blocked["message"]
    assert "La emisión de documentos y los demás trabajos siguen" in blocked["message"]
    for n in range(3):
        await rig.push({"id": f"m{n + 1}", **mail})
        await rig.push({"id": f"g{n}", "type": "invoice.get", "payload": {"number": "SETP1"}})
        (event,) = await rig.events(1)
        assert event["type"] == "invoice.get.completed"
    await factus.called(MAIL, 12)
    await rig.taken_in()
    factus.replies[MAIL] = [answers.Replied({})]
    ending = await rig.events(5)
    assert sorted(event["type"] for event in ending) == ["account.resumed", *["invoice.email.completed"] * 4]
    resumed = next(event for event in ending if event["type"] == "account.resumed")
    assert (resumed["data"]["family"], resumed["data"]["since"]) == ("invoice", blocked["data"]["since"])
    assert "trabajos de tipo invoice.email" in resumed["message"]


@pytest.mark.service(policies=quick(patience={"account_pause_s": 0.05}))
async def test_an_answer_that_is_no_success_does_not_say_that_a_denial_is_over(rig, factus):
    factus.replies[MAIL] = [answers.Denied("permission", "sin permiso")]
    await rig.push({"type": "invoice.email", "payload": {"number": "SETP1", "email": "a@b.co"}})
    await rig.events(1)
    await rig.push({"type": "invoice.email", "payload": {"reference_code": "NADA", "email": "a@b.co"}})
    (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.email.failed", "factus.not_found")
    await rig.taken_in()


@pytest.mark.service(policies=quick(patience={"account_pause_s": 0.05}))
async def test_a_download_of_several_files_has_worked_when_all_are_there(rig, factus):
    """The PDF is allowed and the XML is not: each new job would tell of an end and of a new beginning."""
    xml = "GET /v2/bills/SETP1/download-xml"
    factus.replies[xml] = [answers.Denied("permission", "sin permiso")]
    for _ in range(2):
        await rig.push({"type": "invoice.download", "payload": {"number": "SETP1", "kinds": ["pdf", "xml"]}})
    (blocked,) = await rig.events(1)
    assert "invoice.download" in blocked["message"]
    await factus.called(xml, 6)
    await rig.taken_in()


@pytest.mark.service(policies=quick(patience={"account_pause_s": 60.0}))
async def test_it_is_told_how_many_jobs_of_the_type_wait(rig, factus):
    """All calls share one lane: those of another type do not wait for this."""
    gate = asyncio.Event()
    factus.replies[MAIL] = [answers.Denied("permission", "sin permiso")]

    async def hold(request: Any) -> None:
        await gate.wait()

    factus.before_call = hold
    for n in range(5):  # four of them under way, one waits
        await rig.push({"id": f"m{n}", "type": "invoice.email", "payload": {"number": "SETP1", "email": "a@b.co"}})
    for n in range(3):
        await rig.push({"id": f"g{n}", "type": "invoice.get", "payload": {"number": "SETP1"}})
    await factus.called(MAIL, 4)
    await rig.taken_in()
    gate.set()
    blocked = next(event for event in await rig.events(4) if event["type"] == "account.blocked")
    assert blocked["data"]["jobs_waiting"] == 2


@pytest.mark.service(policies=quick(patience={"account_pause_s": 0.05}))
async def test_reading_does_not_lift_a_block_of_payment(rig, factus):
    factus.script = [answers.PaymentRequired("pago")] * 40
    await rig.push_bill("A")
    await rig.events(1)
    await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}})
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.get.completed"


class TestBehindIssuing:
    async def test_low_calls_leave_a_quarter_of_the_allowance(self, redis, namespace, factus):
        async with metered(redis, namespace, factus, rate_limit=8, concurrency=3) as rig:
            for _ in range(12):
                await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}, "priority": "low"})
            await rig.events(6)
            await rig.taken_in()
            await rig.look("acme/calls")
            assert factus.calls[BILL] == 6, "two of eight are left"
            await rig.push_bill("A")
            (event,) = await rig.events(1)
            assert event["type"] == "invoice.validated"

    async def test_calls_go_while_a_document_waits_for_another_and_not_for_a_permit(self, redis, namespace, factus):
        factus.gate = asyncio.Event()
        async with running(services_on(redis, namespace, gateway=factus)) as rig:
            for _ in range(3):
                await rig.push_bill()
            await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}})
            (event,) = await rig.events(1)
            assert event["type"] == "invoice.get.completed"
            factus.gate.set()
            await rig.events(3)

    async def test_calls_wait_for_more_documents_than_the_allowance_has_room_for(self, redis, namespace, factus):
        """Most of the allowance is free, and all of it is spoken for."""
        factus.gate = asyncio.Event()
        async with metered(redis, namespace, factus, rate_limit=40) as rig:
            for _ in range(50):
                await rig.push_bill()
            await factus.called("create")
            await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}})
            await rig.taken_in()
            await rig.look("acme/calls")
            assert rig.services.arq.n_running == 1, "the document that is being issued, and no call"
            await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}, "priority": "high"})
            (event,) = await rig.events(1)
            assert event["type"] == "invoice.get.completed"
            factus.gate.set()

    async def test_when_permits_are_scarce_nine_documents_go_first(self, redis, namespace, factus):
        async with metered(redis, namespace, factus, rate_limit=4, rate_window=0.2) as rig:
            for _ in range(14):
                await rig.push_bill()
            await rig.events(4)
            await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}})
            events = await rig.events(11)
            place = [event["type"] for event in events].index("invoice.get.completed")
            assert 4 <= place <= 10

    async def test_a_high_call_goes_at_once(self, redis, namespace, factus):
        async with metered(redis, namespace, factus, rate_limit=4, rate_window=0.2) as rig:
            for _ in range(14):
                await rig.push_bill()
            await rig.events(4)
            await rig.push({"type": "invoice.get", "payload": {"number": "SETP1"}, "priority": "high"})
            events = await rig.events(6)
            assert "invoice.get.completed" in [event["type"] for event in events]


class Metered:
    """A Factus behind the account's allowance: a call without a permit is not made, as with the real client."""

    def __init__(self, factus: FakeFactus, limit: RateLimit) -> None:
        self.factus = factus
        self.limit = limit

    async def create(self, job: Any, *, latest_ms: int) -> answers.Answer:
        found = await self.limit.acquire(patience_s=2.0)
        return (
            await self.factus.create(job, latest_ms=latest_ms) if isinstance(found, Granted) else answers.NoPermit(0.1)
        )

    async def call(self, request: Any, *, marks: Any = None) -> answers.Answer:
        found = await self.limit.acquire(patience_s=2.0)
        return await self.factus.call(request, marks=marks) if isinstance(found, Granted) else answers.NoPermit(0.1)


@asynccontextmanager
async def metered(redis: Any, namespace: str, factus: FakeFactus, **account: Any) -> AsyncIterator[ServiceInProcess]:
    acme = an_account(**account)
    limit = RateLimit(Scripts(redis), Keys(namespace), acme)
    async with running(services_on(redis, namespace, acme, gateway=Metered(factus, limit))) as rig:
        yield rig
