"""What follows a document: its files and the watch for its RADIAN events."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from arq.connections import ArqRedis

from schemas.records import JobRecord
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, running, services_on
from tests.unit.worker.status.snapshots import ARCHIVE, CALL, CALLS, DONE, EVENT, JOB, NOW, TRACK, UTC, a_reader, found
from worker.speech import ENGLISH
from worker.status.explain import explain
from worker.status.lookup import Follower, JobLookup, JobWithFollowUps
from worker.store.keys import Keys

FILE = '{"kind":"pdf","uri":"file:///a.pdf","sha256":"0","bytes":1}'
NOT_FOUND = '{"code":"factus.not_found","message":"aún no"}'


def archive_of(job: JobRecord | None, again: JobRecord | None = None, document: JobRecord = DONE) -> Any:
    follower = Follower(["pdf", "xml"], found(job, lane=CALLS, rank=None) if job else None, again)
    (part,) = explain(JobWithFollowUps(found(document), (follower,)), UTC, ENGLISH).follows
    return part


def test_an_archive_says_how_far_it_is_and_why() -> None:
    open_ = replace(ARCHIVE, next_at=NOW + 1, last_error=NOT_FOUND, progress=f'{{"documents":[{FILE}]}}')
    pending = archive_of(open_)
    assert (pending.state, pending.documents[0]["kind"]) == ("pending", "pdf")
    assert "1 of 2 files are archived; pauses, the last attempt ended with factus.not_found: aún no" in pending.why
    assert "tried again at" in pending.next
    done = archive_of(replace(ARCHIVE, state="final", progress=f'{{"documents":[{FILE}]}}'))
    assert (done.state, done.documents[0]["uri"]) == ("done", "file:///a.pdf")
    assert archive_of(None, document=JOB).state == "later"
    assert archive_of(None).state == "unknown"


def test_a_failed_archive_says_what_to_do_and_what_its_retry_came_to() -> None:
    failed = replace(ARCHIVE, state="final", last_error=NOT_FOUND)
    told = archive_of(failed)
    assert (told.state, "aún no" in told.why, "dead list" in told.next) == ("failed", True, True)
    again = replace(CALL, id="j-1.archive.r1", type="invoice.download")
    assert (archive_of(failed, again).state, "status j-1.archive.r1" in archive_of(failed, again).next) == (
        "pending",
        True,
    )
    good = replace(again, state="final", final_type="invoice.download.completed")
    assert archive_of(failed, good).state == "done"
    bad = replace(
        again, state="final", final_type="invoice.download.failed", last_error='{"code":"c","message":"otra"}'
    )
    assert (archive_of(failed, bad).state, "otra" in archive_of(failed, bad).why) == ("failed", True)


def track_of(job: JobRecord, *events: dict[str, Any]) -> Any:
    follower = Follower(True, found(job, lane=CALLS, rank=None), events=events)
    (part,) = explain(JobWithFollowUps(found(DONE), track=follower), UTC, ENGLISH).follows
    return part


def test_a_watch_says_until_when_and_what_was_seen() -> None:
    told = track_of(replace(TRACK, last_error='{"code":"dian.pending","message":"m"}'), EVENT)
    assert (told.state, told.events) == ("pending", (EVENT,))
    assert "watched until 20" in told.why
    assert "events seen: 030" in told.why
    assert "looked at again at" in told.next
    assert None not in (told.next_at, told.until)
    ended = replace(TRACK, state="final")
    assert "accepted or claimed" in track_of(ended, EVENT).why
    assert "none yet" in track_of(replace(ended, last_error='{"code":"dian.pending","message":"m"}')).why


def test_a_document_that_failed_is_followed_by_nothing() -> None:
    rejected = replace(JOB, state="final", final_type="invoice.rejected", last_error=NOT_FOUND)
    assert explain(JobWithFollowUps(found(rejected), (Follower(["pdf"], None),)), UTC, ENGLISH).follows == ()


async def test_followers_are_parts_of_their_document(fake_redis: ArqRedis) -> None:
    """Asked for by reference, by id, or by the id that only a log shows: one job, with its parts."""
    keys = Keys("t")
    options = '{"archive":["pdf"],"track_radian":true,"delete_rejected":true}'
    again = replace(CALL, id="j-1.archive.r1", type="invoice.download")
    for job in (replace(DONE, options=options), ARCHIVE, TRACK, again):
        await fake_redis.hset(keys.job("acme", job.id), mapping=job.to_hash())
    await fake_redis.hset(keys.document("acme", "invoice", "R-1"), mapping={"state": "validated", "job": "j-1"})
    for job_id in ("j-1", "j-2"):
        event = json.dumps({"data": EVENT | {"number": job_id}})
        named = {"account": "acme", "job_id": job_id}
        await fake_redis.xadd(keys.radian(), {"event": event, "type": "radian.event", **named})
        await fake_redis.xadd(keys.radian(), {"event": event, "type": "radian.clock", **named})
    finder = JobLookup(fake_redis, keys, a_reader(fake_redis, keys, an_account()), [])
    for wanted in ("R-1", "j-1", "j-1~archive", "j-1~track"):
        (told,) = await finder.find(wanted)
        assert told.job.job.id == "j-1"
        (archive,) = told.archives
        assert archive.found is not None
        assert (archive.asked, archive.found.job.id, archive.asked_by) == (("pdf",), "j-1~archive", "")
        assert archive.again == again
        assert told.track is not None
        assert [event["number"] for event in told.track.events] == ["j-1"]
    (call,) = await finder.find("j-1.archive.r1")
    assert (call.job.job.type, call.archives, call.track) == ("invoice.download", (), None)


async def test_what_another_job_of_the_document_asked_for_follows_it_too(redis: ArqRedis, namespace: str) -> None:
    """Joined while it was issued, or answered from the ledger: whoever looks at the document sees all of it."""
    factus = FakeFactus(gate=asyncio.Event())
    assert factus.gate
    on_credit = {"payment_form": "2", "due_date": "2099-12-31"}
    bill = a_bill(reference_code="R-1")
    bill["payment_details"][0] |= on_credit
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        push = {"type": "invoice.issue", "payload": bill}
        await rig.push({"id": "j-1", **push})
        await factus.called("create")
        await rig.push({"id": "j-2", **push, "options": {"track_radian": True, "archive": ["xml"]}})
        await rig.taken_in()
        keys = rig.services.keys
        finder = JobLookup(redis, keys, a_reader(redis, keys, an_account()), [])
        for wanted, by in (("R-1", "; asked for by job j-2"), ("j-2", "")):
            (early,) = [explain(one, UTC, ENGLISH) for one in await finder.find(wanted)]
            assert [(part.name, part.state) for part in early.follows] == [("archive", "later"), ("radian", "later")]
            assert all(part.why.endswith(f"validated the document{by}") for part in early.follows)
        factus.gate.set()
        await rig.events(3)
        await rig.push({"id": "j-3", **push, "options": {"archive": ["pdf"]}})
        await rig.events(2)
        (told,) = [explain(one, UTC, ENGLISH) for one in await finder.find("R-1")]
    assert [(part.name, part.state) for part in told.follows] == [
        ("archive", "done"), ("archive", "done"), ("radian", "pending"),
    ]  # fmt: skip
    *archives, watch = [part.why for part in told.follows]
    assert sorted(archives) == ["pdf; asked for by job j-3", "xml; asked for by job j-2"]
    assert watch.endswith("; asked for by job j-2")
