"""The HTTP door on a real socket: what is pushed, what comes back, and who sees it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from structlog.testing import capture_logs

from jobs.answers import Answer, BadRequest, DocumentSeen
from jobs.errors import ConfigurationError
from schemas.factus import DocumentView
from tests.builders import a_bill
from tests.door_in_process import CALM, DoorInProcess, a_door
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from worker.archive.archive import open_archive
from worker.http.marks import is_mark
from worker.http.server import Certificate, check_address
from worker.settings.model import Settings

MOST = 2**64 - 1
SEARCH = {"type": "catalog.search", "payload": {"catalog": "taxes", "query": "01"}}


@pytest.fixture
async def door(valkey_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[DoorInProcess]:
    async with a_door(valkey_url, namespace, tmp_path) as found:
        yield found


@pytest.fixture
def factus() -> FakeFactus:
    return FakeFactus()


@pytest.fixture
async def worker(
    real_redis: ArqRedis, namespace: str, factus: FakeFactus, tmp_path: Path
) -> AsyncIterator[ServiceInProcess]:
    accounts = (an_account("acme"), an_account("other"), an_account("own", own_streams=True))
    archive = open_archive((tmp_path / "archive").as_uri())
    built = services_on(real_redis, namespace, *accounts, gateway=factus, archive=archive)
    async with running(built) as found:
        yield found


def bill(reference: str, **envelope: Any) -> dict[str, Any]:
    return {
        "type": "invoice.issue",
        "account": "acme",
        **envelope,
        "payload": a_bill(reference_code=reference),
    }


class TestPush:
    async def test_a_job_goes_into_the_stream_to_the_letter(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        """The bytes are the producer's own: nothing of them is written again."""
        raw = json.dumps({**SEARCH, "id": "mine-1", "account": "acme"}, indent=3).encode()
        answer = await door.post(raw)
        assert answer.status_code == 202
        assert answer.json() == {
            "success": True,
            "message": "Recibido. Su resultado llega como evento.",
            "data": {"job_id": "mine-1", "account": "acme", "href": "/api/v1/jobs/mine-1?account=acme"},
            "errors": None,
        }
        ((_, fields),) = await real_redis.xrange(f"{door.namespace}:jobs")
        assert fields == {b"job": raw}

    async def test_the_entrys_id_is_that_of_a_job_without_one(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        answer = await door.post({**SEARCH, "account": "acme"})
        ((entry, _),) = await real_redis.xrange(f"{door.namespace}:jobs")
        assert answer.json()["data"]["job_id"] == entry.decode()

    async def test_a_payload_alone_has_the_rest_in_the_query(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        answer = await door.http.post(
            "/api/v1/jobs/catalog.search",
            params={"account": "acme", "priority": "high", "batch": "b", "batch_size": "3", "metadata": '{"n":1.50}'},
            content='{"catalog":"taxes"}',
            headers={"Idempotency-Key": '"k-1"'},
        )
        assert answer.status_code == 202, answer.text
        ((_, fields),) = await real_redis.xrange(f"{door.namespace}:jobs")
        assert json.loads(fields[b"job"]) == {
            "type": "catalog.search",
            "account": "acme",
            "priority": "high",
            "batch": "b",
            "batch_size": 3,
            "metadata": {"n": 1.5},
            "id": "k-1",
            "payload": {"catalog": "taxes"},
        }
        assert b"1.50" in fields[b"job"]

    async def test_an_own_stream_gets_its_accounts_jobs(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        answer = await door.post({**SEARCH, "account": "own"}, **door.bearer(accounts=["own"]))
        assert answer.status_code == 202
        assert await real_redis.xlen(f"{door.namespace}:jobs:own") == 1
        assert await real_redis.xlen(f"{door.namespace}:jobs") == 0

    async def test_a_token_in_the_body_does_not_travel(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        answer = await door.post({**SEARCH, "account": "acme", "token": "secret"})
        assert answer.status_code == 202
        ((_, fields),) = await real_redis.xrange(f"{door.namespace}:jobs")
        assert b"secret" not in fields[b"job"]


class TestWait:
    async def test_a_success_is_the_event_itself(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        answer = await door.post(bill("W-1", metadata={"till": 7}), Prefer="wait=60")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["success"]
        assert told["errors"] is None
        assert told["data"]["type"] == "invoice.validated"
        assert told["data"]["metadata"] == {"till": 7}
        assert answer.headers["Preference-Applied"] == "wait"

    async def test_what_is_refused_is_422_with_its_event(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        job = bill("W-2")
        job["payload"]["items"] = []
        answer = await door.post(job, Prefer="respond-async, wait=60")
        assert answer.status_code == 422
        told = answer.json()
        assert told["data"]["type"] == "job.refused"
        assert told["errors"] == told["data"]["errors"]
        assert {one["code"] for one in told["errors"]} == {"payload.invalid"}

    async def test_what_fails_is_502_with_its_event(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        """Cancelled while somebody waits for it: it failed, and no fault of Factus's is told of."""
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        waiting = asyncio.create_task(door.post(bill("W-6", id="w-6", not_before=later), Prefer="wait=60"))
        while (await door.get("/jobs/w-6")).json()["data"] in (None, {}):
            await asyncio.sleep(0.01)
        cancel = {"type": "job.cancel", "account": "acme", "payload": {"job_id": "w-6"}}
        cancelled = await door.post(cancel, Prefer="wait=60")
        assert cancelled.json()["data"]["data"]["cancelled"] == ["w-6"], cancelled.text
        answer = await waiting
        assert answer.status_code == 502
        told = answer.json()
        assert (told["success"], told["data"]["type"]) == (False, "invoice.failed")
        assert [one["code"] for one in told["errors"]] == ["job.cancelled"]

    async def test_time_that_is_up_is_202(self, door: DoorInProcess) -> None:
        """No worker: the job is in the stream, and that is what is said."""
        answer = await door.post(bill("W-3"), Prefer="wait=1")
        assert answer.status_code == 202
        assert answer.json()["data"]["href"]

    async def test_a_key_pushed_twice_is_one_document_and_one_answer(
        self, door: DoorInProcess, worker: ServiceInProcess, factus: FakeFactus
    ) -> None:
        """G1 to G3 through the door: whoever never saw the answer asks again, and hears the same."""
        first = await door.post(bill("W-4"), Prefer="wait=60", **{"Idempotency-Key": "w-4"})
        again = await door.post(bill("W-4"), Prefer="wait=60", **{"Idempotency-Key": "w-4"})
        assert (first.status_code, again.status_code) == (200, 200)
        assert again.json() == first.json()
        assert first.json()["data"]["job_id"] == "w-4"
        assert factus.calls["create"] == 1

    async def test_a_key_with_other_content_is_a_conflict(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        key = {"Idempotency-Key": "w-5"}
        assert (await door.post(bill("W-5"), Prefer="wait=60", **key)).status_code == 200
        other = await door.post(bill("W-5b"), Prefer="wait=60", **key)
        assert other.status_code == 422
        assert other.json()["errors"][0]["code"] == "id.conflict"

    async def test_a_hundred_wait_at_once(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        """One reader serves all: each gets its own event."""
        jobs = [door.post({**SEARCH, "account": "acme", "id": f"m-{n}"}, Prefer="wait=60") for n in range(100)]
        answers = await asyncio.gather(*jobs)
        assert {one.status_code for one in answers} == {200}
        assert [one.json()["data"]["job_id"] for one in answers] == [f"m-{n}" for n in range(100)]


class TestLook:
    async def test_a_job_tells_where_it_is_and_its_end(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        await door.post(bill("L-1", id="l-1"), Prefer="wait=60")
        told = (await door.get("/jobs/l-1")).json()["data"]
        assert told["state"] == "final"
        assert told["final"]["type"] == "invoice.validated"
        assert told.keys() == {"job_id", "account", "state", "where", "why", "next", "next_at", "final"}

    async def test_a_job_that_nobody_has_taken_in_is_pushed(self, door: DoorInProcess) -> None:
        pushed = (await door.post({**SEARCH, "account": "acme"})).json()["data"]
        answer = await door.http.get(pushed["href"])
        assert answer.json()["data"]["state"] == "pushed"

    async def test_a_refused_job_without_an_id_is_found_by_its_entry(
        self, door: DoorInProcess, worker: ServiceInProcess
    ) -> None:
        job = bill("L-2")
        job["payload"]["items"] = []
        refused = await door.post(job, Prefer="wait=60")
        told = (await door.get(f"/jobs/{refused.json()['data']['job_id']}")).json()["data"]
        assert told["final"]["type"] == "job.refused"

    async def test_a_reference_with_slashes_has_a_story_and_a_file(
        self, door: DoorInProcess, worker: ServiceInProcess
    ) -> None:
        job = bill("FV/2026/1", options={"archive": ["pdf"]})
        assert (await door.post(job, Prefer="wait=60")).status_code == 200
        await worker.events(2)
        for spelled in ("FV%2F2026%2F1", "FV/2026/1"):
            story = await door.get(f"/documents/invoice/{spelled}")
            assert story.status_code == 200, story.text
            assert story.json()["data"]["found"][0]["outcome"] == "invoice.validated"
            file = await door.get(f"/documents/invoice/{spelled}/files/pdf")
            assert file.status_code == 200, file.text
            assert file.headers["content-type"] == "application/pdf"
            assert file.content
        assert (await door.get("/documents/invoice/FV%2F2026%2F1/files/xml")).status_code == 404
        assert (await door.get("/documents/invoice/FV%2F2026%2F1/files/..%2F..%2Fetc")).status_code == 404

    @pytest.mark.parametrize("kinds", [["pdf"], ["pdf", "xml"]])
    async def test_a_file_is_there_whose_number_was_learnt_after_the_validation(
        self, door: DoorInProcess, worker: ServiceInProcess, factus: FakeFactus, kinds: list[str]
    ) -> None:
        """The archiving may have failed in part: what is stored is found all the same."""

        def nameless(answer: Answer) -> Answer:
            assert isinstance(answer, DocumentSeen)
            return DocumentSeen(DocumentView({**answer.document.raw, "number": None}))

        factus.script = [nameless]
        factus.replies["GET /v2/bills/SETP990000001/download-xml"] = [BadRequest(410, "no hay xml")]
        assert (await door.post(bill("N-1", options={"archive": kinds}), Prefer="wait=60")).status_code == 200
        validated, archived = await worker.events(2)
        assert (validated["data"]["number"], archived["success"]) == (None, kinds == ["pdf"])
        file = await door.get("/documents/invoice/N-1/files/pdf")
        assert file.status_code == 200, file.text
        assert (await door.get("/documents/invoice/N-1/files/xml")).status_code == 404

    async def test_a_reference_that_looks_like_a_file_is_found_as_it_is(
        self, door: DoorInProcess, worker: ServiceInProcess
    ) -> None:
        assert (await door.post(bill("FV/files/01", options={"archive": ["pdf"]}), Prefer="wait=60")).status_code == 200
        await worker.events(2)
        for spelled in ("FV/files/01", "FV%2Ffiles%2F01"):
            story = await door.get(f"/documents/invoice/{spelled}")
            assert story.status_code == 200, story.text
            assert story.json()["data"]["found"][0]["outcome"] == "invoice.validated"
            assert (await door.get(f"/documents/invoice/{spelled}/files/pdf")).status_code == 200
        wrong = await door.get("/documents/invoice/FV%2Ffiles%2F01/files/zip")
        assert wrong.status_code == 404
        assert "pdf, xml, attached" in wrong.json()["message"]

    async def test_rows_of_a_table(self, door: DoorInProcess) -> None:
        answer = await door.get("/catalogs/municipalities", query="bogota", limit=2)
        assert answer.json()["data"]["items"][0]["code"] == "11001"
        assert (await door.get("/catalogs/municipios")).status_code == 404


class TestEvents:
    async def test_pages_go_on_where_the_last_one_ended(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        for n in range(5):
            await door.post({**SEARCH, "account": "acme", "id": f"e-{n}"}, Prefer="wait=60")
        seen, after = [], "0"
        while True:
            page = (await door.get("/events", after=after, limit=2)).json()["data"]
            seen += [one["event"]["job_id"] for one in page["events"]]
            if not page["events"]:
                break
            after = page["next"]
        assert seen == [f"e-{n}" for n in range(5)]
        assert (await door.get("/events", types="invoice.*")).json()["data"]["events"] == []

    async def test_a_stream_goes_on_behind_the_last_id(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        for n in range(3):
            await door.post({**SEARCH, "account": "acme", "id": f"s-{n}"}, Prefer="wait=60")
        first = await listened(door, 2)
        assert [one["job_id"] for _, one in first] == ["s-0", "s-1"]
        rest = await listened(door, 1, **{"Last-Event-ID": first[-1][0]})
        assert [one["job_id"] for _, one in rest] == ["s-2"]

    async def test_news_come_as_they_are_published(self, door: DoorInProcess, worker: ServiceInProcess) -> None:
        listening = asyncio.create_task(listened(door, 2, after="$"))
        while not door.door.listening.n_taken:
            await asyncio.sleep(0.01)
        await door.post({**SEARCH, "account": "acme", "id": "n-0"}, Prefer="wait=60")
        await door.post({**SEARCH, "account": "acme", "id": "n-1"}, Prefer="wait=60")
        assert [one["job_id"] for _, one in await listening] == ["n-0", "n-1"]

    @pytest.mark.parametrize("after", ["0", "$", "7", "7-0", f"7-{MOST}", f"{MOST}-{MOST}"])
    async def test_every_place_that_is_given_out_is_taken_back(
        self, door: DoorInProcess, real_redis: ArqRedis, after: str
    ) -> None:
        """Whoever asks again and again, from wherever he began, with news and without."""
        for n in range(6):
            place = (await door.get("/events", after=after, limit=1)).json()["data"]["next"]
            again = await door.get("/events", after=place, limit=1)
            assert again.status_code == 200, (after, place, again.text)
            page = again.json()["data"]
            assert is_mark(page["next"])
            assert all(is_mark(one["id"]) for one in page["events"])
            after = page["next"]
            await publish(real_redis, door.door.streams[n % len(door.door.streams)], f"p-{n}")

    async def test_a_poller_from_now_on_gets_each_event_once(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        await publish(real_redis, door.door.streams[0], "old")
        after, seen = "$", []
        while len(seen) < 8:
            page = (await door.get("/events", after=after)).json()["data"]
            seen += [one["event"]["job_id"] for one in page["events"]]
            if not page["events"] and len(seen) < 8:
                await publish(real_redis, door.door.streams[len(seen) % 4], f"n-{len(seen)}")
            after = page["next"]
        assert seen == [f"n-{n}" for n in range(8)]

    async def test_the_id_of_a_stream_is_taken_back_by_both(self, door: DoorInProcess, real_redis: ArqRedis) -> None:
        """An id may have 20 digits: one that a listener names is where he goes on, and not the beginning."""
        places = ["7-1", f"7-{MOST}", f"8-{MOST}", f"{10**12}-{10**19}"]
        for n, place in enumerate(places):
            await publish(real_redis, door.door.streams[n % 2], f"i-{n}", id=place)
        told = await listened(door, len(places))
        assert [place for place, _ in told] == places
        for n, (place, _) in enumerate(told[:-1]):
            rest = await listened(door, len(places) - n - 1, **{"Last-Event-ID": place})
            assert rest == told[n + 1 :]
            page = (await door.get("/events", after=place)).json()["data"]["events"]
            assert [(one["id"], one["event"]) for one in page] == rest

    @pytest.mark.parametrize(
        "after", ["", "-", "x", "$$", "-1", "1-", "1-x", "1-2-3", str(MOST + 1), f"1-{MOST + 1}", "9" * 21]
    )
    async def test_what_is_no_place_is_refused(self, door: DoorInProcess, after: str) -> None:
        answer = await door.get("/events", after=after)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "after")

    async def test_a_silent_stream_is_kept_open_by_comments(
        self, valkey_url: str, namespace: str, tmp_path: Path
    ) -> None:
        """So that no proxy between takes it for dead; 15 s in earnest."""
        assert CALM.comment_s == 15
        async with a_door(valkey_url, namespace, tmp_path, policy=replace(CALM, comment_s=0.05)) as door:
            listen = {"Accept": "text/event-stream"}
            async with door.http.stream("GET", "/api/v1/events", headers=listen) as answer:
                n_comments = 0
                async for line in answer.aiter_lines():
                    assert not line.startswith(("data:", "id:"))
                    n_comments += line == ": sigue"
                    if n_comments == 3:
                        break
            assert n_comments == 3


class TestAheadOfTheClock:
    """
    A clock that was set back leaves streams whose ids lie ahead of it, and new entries go on from there.

    The streams of the door: results and RADIAN, the common ones and those of ``own``.
    """

    AHEAD = pytest.mark.parametrize(
        "hours", [(1, 0, 0, 0), (0, 1, 0, 0), (1, 2, 0, 0), (2, 1, 0, 0), (0, 0, 1, 0), (3, 1, 2, 1)]
    )

    async def set_back(self, redis: ArqRedis, streams: list[str], hours: tuple[int, ...]) -> int:
        n_ahead = 0
        for n, hour in enumerate(hours):
            if hour:
                entry = f"{int((await redis.time())[0]) * 1000 + hour * 3_600_000}-0"
                await publish(redis, streams[n], f"old-{n}", id=entry)
                n_ahead += 1
        return n_ahead

    @AHEAD
    @pytest.mark.parametrize("after", ["0", "$"])
    async def test_pages_tell_each_event_once(
        self, door: DoorInProcess, real_redis: ArqRedis, hours: tuple[int, ...], after: str
    ) -> None:
        streams = door.door.streams
        n_before = await self.set_back(real_redis, streams, hours)
        seen: list[str] = []
        if after == "$":
            after, n_before = (await door.get("/events", after=after)).json()["data"]["next"], 0
        for n in range(12):
            await publish(real_redis, streams[n % 4], f"n-{n}")
            for _ in range(500):
                if f"n-{n}" in seen:
                    break
                answer = await door.get("/events", after=after, limit=2)
                assert answer.status_code == 200, (after, answer.text)
                page = answer.json()["data"]
                seen += [one["event"]["job_id"] for one in page["events"]]
                after = page["next"]
        assert [one for one in seen if one.startswith("n-")] == [f"n-{n}" for n in range(12)]
        assert len(seen) == n_before + 12, seen

    @AHEAD
    async def test_a_listener_is_told_at_once_and_goes_on_behind_any_id(
        self, door: DoorInProcess, real_redis: ArqRedis, hours: tuple[int, ...]
    ) -> None:
        streams = door.door.streams
        listening = asyncio.create_task(listened(door, 9, after="$"))
        while not door.door.listening.n_taken:
            await asyncio.sleep(0.01)
        await publish(real_redis, streams[0], "j-0")
        await self.set_back(real_redis, streams, hours)
        for n in range(1, 9 - sum(map(bool, hours))):
            await publish(real_redis, streams[n % 4], f"j-{n}")
        told = await listening
        assert len({one["job_id"] for _, one in told}) == 9
        places = [place for place, _ in told]
        for place in {*places[:-1]} - {""}:
            # Two streams may give one id: of these the last alone names it, and both come again behind the one before.
            n_told = places.index(place) + 1
            rest = await listened(door, 9 - n_told, **{"Last-Event-ID": place})
            assert sorted(one["job_id"] for _, one in rest) == sorted(one["job_id"] for _, one in told[n_told:])

    async def test_a_wait_is_answered_by_the_event_and_a_look_has_it(
        self, door: DoorInProcess, worker: ServiceInProcess, real_redis: ArqRedis
    ) -> None:
        await self.set_back(real_redis, door.door.streams, (1, 0, 0, 0))
        first = await door.post({**SEARCH, "account": "acme", "id": "a-1"}, Prefer="wait=60")
        assert first.status_code == 200, first.text
        assert (await door.get("/jobs/a-1")).json()["data"]["final"] == first.json()["data"]
        again = await door.post({**SEARCH, "account": "acme", "id": "a-1"}, Prefer="wait=60")
        assert (again.status_code, again.json()["data"]) == (200, first.json()["data"])

    @pytest.mark.parametrize("ahead", ["results", "jobs"])
    async def test_a_refusal_without_a_record_is_found_by_its_entry(
        self, door: DoorInProcess, worker: ServiceInProcess, real_redis: ArqRedis, ahead: str
    ) -> None:
        stream = door.door.keys.jobs() if ahead == "jobs" else door.door.streams[0]
        entry = f"{int((await real_redis.time())[0]) * 1000 + 3_600_000}-0"
        await publish(real_redis, stream, "old", id=entry)
        job = {"type": "invoice.issue", "account": "acme", "payload": {}}
        refused = await door.post(job, Prefer="wait=60")
        assert refused.status_code == 422, refused.text
        told = await door.get(f"/jobs/{refused.json()['data']['job_id']}")
        assert told.json()["data"]["final"] == refused.json()["data"]


async def publish(redis: ArqRedis, stream: str, job_id: str, *, id: str = "*", **fields: str) -> str:  # noqa: A002
    """An event in a stream, as a worker publishes it; its entry's id."""
    event = {"type": "invoice.validated", "account": "acme", "job_id": job_id}
    entry: bytes = await redis.xadd(stream, {"event": json.dumps(event), **event, **fields}, id=id)
    return entry.decode()


async def listened(door: DoorInProcess, n: int, *, after: str = "0", **headers: str) -> list[tuple[str, Any]]:
    """The first *n* events of a stream, with their ids."""
    found: list[tuple[str, Any]] = []
    headers = {"Accept": "text/event-stream", **headers}
    async with door.http.stream("GET", "/api/v1/events", params={"after": after}, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        place = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                place = value
            elif name == "data":
                found.append((place, json.loads(value)))
                if len(found) == n:
                    break
    return found


class TestOverTls:
    TLS = Path(__file__).parents[1] / "vendor" / "tls"

    async def test_a_certificate_is_spoken_and_a_new_one_taken(
        self, valkey_url: str, namespace: str, tmp_path: Path
    ) -> None:
        cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
        cert.write_bytes((self.TLS / "server.crt").read_bytes())
        key.write_bytes((self.TLS / "server.key").read_bytes())
        trusting = ssl.create_default_context(cafile=str(self.TLS / "ca.crt"))
        async with a_door(valkey_url, namespace, tmp_path, http_cert=cert, http_cert_key=key) as door:
            port = door.url.rpartition(":")[2]
            async with httpx.AsyncClient(verify=trusting, headers=door.bearer()) as client:
                answer = await client.get(f"https://localhost:{port}/api/v1/catalogs/taxes")
                assert answer.status_code == 200
                assert answer.headers["strict-transport-security"]
            plain = httpx.AsyncClient()
            with pytest.raises(httpx.HTTPError):
                await plain.get(f"http://localhost:{port}/api/v1/docs")
            await plain.aclose()
        certificate = Certificate.of(Settings(http_cert=cert, http_cert_key=key))
        assert certificate is not None
        cert.write_text("no certificate")
        os.utime(cert, (1, 1))
        with capture_logs() as logs:
            certificate.look()
        assert [one["event"] for one in logs] == ["door.certificate_not_taken"]

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "door.example.com"])
    def test_others_reach_it_over_tls_or_a_proxy_alone(self, host: str) -> None:
        with pytest.raises(ConfigurationError, match="FACTUS_HTTP_CERT"):
            check_address(Settings(http_host=host), None)
        check_address(Settings(http_host=host, http_behind_proxy=True), None)

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
    def test_this_machine_alone_needs_none(self, host: str) -> None:
        check_address(Settings(http_host=host), None)


class TestShown:
    async def test_the_documents_are_packed_and_known_again(self, door: DoorInProcess) -> None:
        for path in ("/docs", "/docs/swagger-ui-bundle.js", "/docs/start.js", "/openapi.json", "/asyncapi.json"):
            answer = await door.http.get(f"/api/v1{path}", headers={"Authorization": ""})
            assert answer.status_code == 200, path
            assert "http-equiv" not in answer.text[:2000]
        tag = (await door.get("/docs/swagger-ui.css")).headers["etag"]
        assert (await door.get("/docs/swagger-ui.css", {"If-None-Match": tag})).status_code == 304
        policy = (await door.get("/docs")).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
