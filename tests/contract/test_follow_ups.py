"""What follows a validated document: its files in the archive, its RADIAN events in their stream."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from jobs import answers
from jobs.errors import ArchiveUnavailable
from schemas import names
from schemas.records import score_by
from tests.builders import a_bill, fiscal_day
from tests.fakes import MemoryArchive
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, quick, running, services_on
from worker.process import run_tasks

EVENTS = "GET /v2/bills/SETP990000001/radian/events"

pytestmark = pytest.mark.service(radian_interval=0.05)


def on_credit(reference: str) -> dict:
    bill = a_bill(reference_code=reference)
    payment = bill["payment_details"][0] | {"payment_form": "2", "due_date": "2099-12-31"}
    return {**bill, "payment_details": [payment]}


def radian(code: str, number: str = "AP1") -> dict:
    return {"number": number, "cude": f"cude-{code}", "event_code": code, "event_name": f"Evento {code}"}


def hangs(reached: asyncio.Event):
    """The process stands still here, until it is killed."""

    async def hang():
        reached.set()
        await asyncio.Event().wait()

    return hang


def hangs_at(end: str, reached: asyncio.Event):
    async def hang(request):
        if request.path.endswith(end):
            await hangs(reached)()

    return hang


async def kill(built, task):
    """Nothing of the process goes on: no drain, and no word to Redis. Its lease has to end by itself."""

    async def say_nothing(*_):
        return

    built.arq._release = say_nothing
    for one in [*built.arq.tasks.values(), task]:
        one.cancel()
    await asyncio.gather(task, return_exceptions=True)


class TestArchive:
    async def test_it_follows_the_document_with_its_metadata_and_the_next_number(self, rig):
        await rig.push_bill("A", id="j", metadata={"m": 1}, options={"archive": ["pdf", "xml", "attached"]})
        validated, archived = await rig.events(2)
        assert (validated["type"], validated["seq"], validated["data"]["documents"]) == ("invoice.validated", 1, [])
        assert (archived["type"], archived["seq"], archived["success"]) == ("invoice.archived", 2, True)
        assert (archived["job_id"], archived["job_type"], archived["metadata"]) == ("j", "invoice.issue", {"m": 1})
        assert archived["reference_code"] == "A"
        documents = archived["data"]["documents"]
        assert [row["kind"] for row in documents] == ["pdf", "xml", "attached"]
        assert {row["uri"] for row in documents} == {
            f"memory:///acme/2026/05/13/invoice/SETP990000001{end}" for end in (".pdf", ".xml", "-attached.xml")
        }
        assert all(len(row["sha256"]) == 64 and row["bytes"] > 0 for row in documents)

    async def test_missing_files_and_a_failing_storage_are_tried_again(self, redis, namespace, factus):
        path = "GET /v2/bills/SETP990000001/download-pdf"
        factus.replies[path] = [
            answers.NotFound("aún no"),
            answers.Unknown("500"),
            answers.Replied({"data": {"pdf_base_64_encoded": "YQ=="}}),
        ]
        archive = MemoryArchive(faults=[ArchiveUnavailable("disk full")])
        async with running(services_on(redis, namespace, gateway=factus, archive=archive)) as rig:
            await rig.push_bill("A", options={"archive": ["pdf"]})
            events = await rig.events(2)
        assert [event["type"] for event in events] == ["invoice.validated", "invoice.archived"]
        assert factus.calls[path] == 4

    async def test_what_cannot_be_archived_is_told_and_can_be_downloaded_later(self, redis, namespace, factus):
        factus.replies["GET /v2/bills/SETP990000001/download-pdf"] = [answers.NotFound("nunca")]
        async with running(services_on(redis, namespace, gateway=factus, job_deadline=0.4)) as rig:
            await rig.push_bill("A", options={"archive": ["pdf"]}, batch="b", batch_size=1)
            events = await rig.events(3)
            by_type = {event["type"]: event for event in events}
            assert by_type["invoice.validated"]["success"] is True
            failed = by_type["invoice.archived"]
            assert (failed["success"], failed["data"], failed["errors"][0]["code"]) == (False, None, "factus.not_found")
            assert by_type["batch.completed"]["success"] is True
            ((_, letter),) = await redis.xrange(rig.services.keys.dead())
            envelope = json.loads(letter[b"raw"])
            assert envelope["type"] == "invoice.download"
            assert envelope["payload"] == {"number": "SETP990000001", "kinds": ["pdf"]}

    async def test_a_file_that_fails_keeps_no_other_out_and_is_all_that_is_asked_for_again(
        self, redis, namespace, factus
    ):
        """The event tells what is missing and where the others are; the letter and a later push go by that."""
        path = "GET /v2/bills/SETP990000001"
        factus.replies[f"{path}/download-pdf"] = [answers.Unknown("500")]
        factus.replies[f"{path}/download-xml"] = [answers.BadRequest(410, "no hay xml")]
        job = {"options": {"archive": ["pdf", "xml", "attached"]}}
        async with running(services_on(redis, namespace, gateway=factus, job_deadline=1.0)) as rig:
            await rig.push_bill("A", **job)
            validated, failed = await rig.events(2)
            assert [(error["code"], error["message"][:12]) for error in failed["errors"]] == [
                ("factus.unavailable", "Archivo pdf:"),
                ("factus.validation", "Archivo xml:"),
            ]
            uri = "memory:///acme/2026/05/13/invoice/SETP990000001-attached.xml"
            assert failed["data"] is None
            assert f"sin guardar: pdf, xml. Guardados: attached en {uri}." in failed["message"]
            assert factus.calls[f"{path}/download-xml"] == factus.calls[f"{path}/download-attached-document-xml"] == 1
            ((_, letter),) = await redis.xrange(rig.services.keys.dead())
            assert json.loads(letter[b"raw"])["payload"] == {"number": "SETP990000001", "kinds": ["pdf", "xml"]}
            await rig.push_bill("A", id="again")
            (replayed,) = await rig.events(1)
            assert [row["uri"] for row in replayed["data"]["documents"]] == [uri]
            assert validated["data"]["documents"] == []

    async def test_the_pauses_grow_while_a_file_fails(self, redis, namespace, factus):
        """Each failure is noted in the record, and none of the notes begins the backoff anew."""
        path = "GET /v2/bills/SETP990000001/download-pdf"
        factus.replies[path] = [answers.NotFound("aún no")]
        built = services_on(redis, namespace, gateway=factus, backoff_base=0.01, backoff_max=60)
        async with running(built) as rig:
            await rig.push_bill("A", options={"archive": ["pdf", "xml"]})
            await factus.called(path, 7)  # the XML between the first two tries begins the count anew
            record = rig.services.keys.job("acme", f"{(await rig.events(1))[0]['job_id']}~archive")
            assert int(await redis.hget(record, "failures")) >= 5
            progress = json.loads(await redis.hget(record, "progress"))
            assert [row["kind"] for row in progress["documents"]] == ["xml"]
            assert progress["delayed"]["pdf"]["code"] == "factus.not_found"

    async def test_everybody_who_asked_hears_of_it(self, rig, factus):
        """Two jobs for one document, and a third after its end: each gets the files that it asked for."""
        factus.gate = asyncio.Event()
        await rig.push_bill("A", id="one", options={"archive": ["pdf"]})
        await rig.push_bill("A", id="two", options={"archive": ["xml"]})
        await rig.taken_in()
        factus.gate.set()
        first = await rig.events(4)
        await rig.push_bill("A", id="three", options={"archive": ["pdf"]})
        events = [*first, *await rig.events(2)]
        archived = {event["job_id"]: event for event in events if event["type"] == "invoice.archived"}
        assert archived.keys() == {"one", "two", "three"}
        assert all(event["seq"] == 2 for event in archived.values())
        assert archived["one"]["data"] == archived["three"]["data"]
        replayed = next(
            event for event in events if event["job_id"] == "three" and event["type"] == "invoice.validated"
        )
        assert replayed["data"]["documents"] == archived["one"]["data"]["documents"], "archived so far"
        assert factus.calls["create"] == 1

    async def test_options_of_documents_are_refused_for_other_jobs(self, rig, factus):
        await rig.push({"type": "invoice.get", "payload": {"number": "X"}, "options": {"archive": ["pdf"]}})
        (event,) = await rig.events(1)
        assert (event["type"], event["errors"][0]["field"]) == ("job.refused", "envelope.options.archive")

    @pytest.mark.parametrize("moment", ["between two files", "between a file and its record"])
    async def test_a_kill_costs_nothing_but_a_call(self, redis, namespace, factus, moment):
        """Another worker archives what was left, and tells of all once; a file that is there already is the same."""
        archive, soon = MemoryArchive(), quick(lease={"lease_ms": 1000})
        given = {"gateway": factus, "archive": archive, "policies": soon}
        dying = services_on(redis, namespace, **given)
        if moment == "between two files":
            factus.before_call = hangs_at("download-xml", died := asyncio.Event())
        else:
            archive.after_put = hangs(died := asyncio.Event())
        stopping = asyncio.Event()
        task = asyncio.create_task(run_tasks(dying, stopping))
        job = {"type": "invoice.issue", "payload": a_bill(reference_code="A"), "options": {"archive": ["pdf", "xml"]}}
        await redis.xadd(dying.keys.jobs(), {"job": json.dumps(job)})
        await died.wait()
        await kill(dying, task)
        factus.before_call = archive.after_put = None
        async with running(services_on(redis, namespace, **given)) as rig:
            events = await rig.events(2)
            await rig.rest()
            assert await redis.xlen(rig.services.keys.results()) == 2
        assert [event["type"] for event in events] == ["invoice.validated", "invoice.archived"]
        assert [row["kind"] for row in events[1]["data"]["documents"]] == ["pdf", "xml"]
        assert len(archive.files) == 2


class TestRadian:
    async def n_open(self, rig) -> int:
        """Jobs that are not final."""
        return await rig.services.redis.zcard(rig.services.keys.deadlines())

    async def test_each_new_event_is_published_once_until_the_end(self, rig, factus):
        acknowledged, received, accepted = radian("030"), radian("032"), radian("033")
        factus.replies[EVENTS] = [
            answers.Replied({"data": []}),
            answers.Replied({"data": [acknowledged]}),
            answers.Unknown("500"),
            answers.Replied({"data": [acknowledged, received]}),
            answers.Replied({"data": [acknowledged, received, accepted]}),
        ]
        stream = rig.services.keys.radian()
        await rig.push(
            {
                "id": "j",
                "type": "invoice.issue",
                "payload": on_credit("A"),
                "metadata": {"m": 1},
                "options": {"track_radian": True, "archive": ["pdf"]},
            }
        )
        await rig.events(2)
        rig._last = "0-0"
        events = await rig.events(5, stream=stream)
        assert [event["type"] for event in events] == [
            *("radian.event", "radian.event", "radian.clock", "radian.event", "radian.accepted")
        ]
        assert [event["data"].get("event_code") for event in events] == ["030", "032", None, "033", None]
        assert [event["seq"] for event in events] == [3, 4, 5, 6, 7], "1 is the final event, 2 the archive's"
        assert {(event["job_id"], event["reference_code"], event["metadata"]["m"]) for event in events} == {
            ("j", "A", 1)
        }
        assert events[0]["data"].keys() >= {"number", "event_code", "event_name", "cude", "occurred_at"}
        await rig.rest()
        assert await self.n_open(rig) == 0, "after an acceptance nobody asks any more"

    async def test_one_watch_serves_all_who_asked_and_a_late_push_begins_none_anew(self, rig, factus):
        """Each event is published once, whoever asked: for the job that asked first."""
        factus.replies[EVENTS] = [answers.Replied({"data": [radian("030"), radian("032"), radian("033")]})]
        factus.gate = asyncio.Event()
        job = {"type": "invoice.issue", "payload": on_credit("A"), "options": {"track_radian": True}}
        await rig.push({"id": "one", **job})
        await rig.push({"id": "two", **job})
        await rig.taken_in()
        factus.gate.set()
        await rig.events(2)
        await rig.push({"id": "three", **job})
        await rig.events(1)
        rig._last = "0-0"
        events = await rig.events(5, stream=rig.services.keys.radian())
        assert {event["job_id"] for event in events} == {"one"}
        await rig.push({"id": "four", **job})
        await rig.rest()
        assert await self.n_open(rig) == 0
        assert await rig.services.redis.xlen(rig.services.keys.radian()) == 5

    async def test_its_place_among_the_calls_is_the_date_that_it_must_not_miss(self, redis, namespace, factus):
        """Where the allowance does not suffice the nearest dates go first: calls of one priority go by their places."""
        received = radian("032") | {
            "effective_date": str(fiscal_day(-1)),
            "effective_time": "10:00:00",
        }
        factus.replies[EVENTS] = [answers.Replied({"data": [received]})]
        async with running(services_on(redis, namespace, gateway=factus, radian_interval=0.05)) as rig:
            job = {"id": "j", "type": "invoice.issue", "payload": on_credit("A"), "options": {"track_radian": True}}
            await rig.push(job)
            await rig.events(1)
            event, clock = await rig.events(2, stream=rig.services.keys.radian())
            assert [event["type"], clock["type"]] == ["radian.event", "radian.clock"]
            due = datetime.fromisoformat(clock["data"]["accepts_from"]) + timedelta(hours=9)
            record = rig.services.keys.job("acme", names.follow_up_id("j", "track"))
            assert int(await redis.hget(record, "score")) == score_by(round(due.timestamp() * 1000), "low")

    async def test_a_burst_does_not_wait_for_what_may_happen_in_months(self, redis, namespace, factus):
        factus.replies[EVENTS] = [answers.Replied({"data": []})]
        built = services_on(redis, namespace, gateway=factus, radian_interval=0.2)
        job = {
            "type": "invoice.issue",
            "payload": on_credit("A"),
            "options": {"track_radian": True, "archive": ["pdf"]},
        }
        await redis.xadd(built.keys.jobs(), {"job": json.dumps(job)})
        async with asyncio.timeout(PATIENCE_S):
            await run_tasks(built, asyncio.Event(), burst=True)
        events = [json.loads(fields[b"event"])["type"] for _, fields in await redis.xrange(built.keys.results())]
        assert events == ["invoice.validated", "invoice.archived"]

    async def test_it_ends_quietly_after_the_period(self, redis, namespace, factus):
        factus.replies[EVENTS] = [answers.Replied({"data": []})]
        built = services_on(redis, namespace, gateway=factus, radian_interval=0.05, ledger_days=80)
        async with running(built) as rig:
            await rig.push({"type": "invoice.issue", "payload": on_credit("A"), "options": {"track_radian": True}})
            await rig.events(1)
            await factus.called(EVENTS)
            (member,) = await redis.zrange(rig.services.keys.deadlines(), 0, -1)
            account, _, job_id = member.decode().partition("/")
            record = rig.services.keys.job(account, job_id)
            lasts_ms = int(await redis.hget(record, "deadline_at")) - int(await redis.hget(record, "accepted_at"))
            assert lasts_ms >= 80 * 86_400_000
            await redis.hset(record, "deadline_at", 1)  # the period is over
            await redis.zadd(rig.services.keys.deadlines(), {member: 1})
            while await self.n_open(rig):
                await rig.services.sweep.end_expired_and_close_batches()
                await asyncio.gather(*rig.services.arq.tasks.values())
            assert await redis.hget(record, "state") == b"final"
            assert await redis.xlen(rig.services.keys.radian()) == 0
            assert await redis.xlen(rig.services.keys.dead()) == 0

    async def test_an_account_with_own_streams_has_its_own(self, redis, namespace, factus):
        factus.replies[EVENTS] = [answers.Replied({"data": [radian("033")]})]
        built = services_on(redis, namespace, an_account(own_streams=True), gateway=factus, radian_interval=0.05)
        async with running(built) as rig:
            job = {"type": "invoice.issue", "payload": on_credit("A"), "options": {"track_radian": True}}
            await rig.push(job, stream=rig.services.keys.jobs("acme"))
            await rig.events(1, stream=rig.services.keys.radian("acme"))
