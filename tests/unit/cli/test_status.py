"""Status: facts read from the store, and what they mean to a person."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from arq.connections import ArqRedis

from schemas.records import JobRecord
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, running, services_on
from worker.queue.consumer_lag import GroupLag
from worker.speech import ENGLISH, SPANISH, span
from worker.status.causes import cause
from worker.status.explain import explain, explain_event
from worker.status.facts import (
    AccountSeen,
    Block,
    Hold,
    IntakeSeen,
    LaneSeen,
    LettersSeen,
    Overview,
    WorkerSeen,
    backlog_s,
    with_backlog,
)
from worker.status.lookup import Follower, JobLookup, JobSnapshot, JobWithFollowUps
from worker.status.problems import Problem, problems
from worker.status.reader import StatusReader
from worker.status.state_words import lane_words
from worker.store import inquiry
from worker.store.exchange import exchange
from worker.store.keys import Keys

UTC = ZoneInfo("UTC")
NOW = 1_795_600_000_000

ACCOUNT = AccountSeen("acme", True, 80, 60.0, 0, None, 0, 1, 3600.0)
LANE = LaneSeen("acme/invoice", "acme", 5, 0, 1, None, 0, 0.0, wait_reason="width")
JOB = JobRecord(
    account="acme", id="j-1", type="invoice.issue", family="invoice", lane="acme/invoice", entry="1-0",
    reference_code="R-1", accepted_at=NOW - 1000, deadline_at=NOW + 9_000_000,
)  # fmt: skip
CALL = replace(JOB, id="c-1", type="invoice.email", lane="acme/calls", reference_code="", priority="low")
CALLS = LaneSeen("acme/calls", "acme", 5, 0, 1, None, 0, wait_reason="precedence")


def found(job: JobRecord = JOB, **changes: Any) -> JobSnapshot:
    base = JobSnapshot(job, NOW, LANE, ACCOUNT, 2, "j-1", 1)
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("seen", "where", "why", "following"),
    [
        (found(), "number 3 of 5", "one at a time", "after the 2 before it"),
        (found(n_workers=0), "number 3 of 5", "no worker is running", "factus-worker run"),
        (
            found(account=replace(ACCOUNT, hold=Hold("factus.credentials", NOW + 60_000))),
            "number 3",
            "refuses the credentials",
            "mend user",
        ),
        (
            found(lane=replace(LANE, hold=Hold("factus.conflict", NOW + 60_000))),
            "number 3",
            "blocks the family",
            "tried again at",
        ),
        (
            found(
                lane=replace(LANE, wait_reason="allowance", next_look_ms=NOW + 5_000),
                account=replace(ACCOUNT, n_used=80),
            ),
            "number 3",
            "80 of 80 calls",
            "after the 2 before it",
        ),
        (
            found(replace(JOB, start_at=NOW + 1, issue_on="2026-12-01"), rank=None),
            "held until its time",
            "carry the date 2026-12-01",
            "joins its lane",
        ),
        (
            found(replace(JOB, next_at=NOW + 1, last_error='{"code":"c","message":"m"}'), rank=None),
            "pauses",
            "c: m",
            "tried again at",
        ),
        (found(replace(JOB, state="inflight", sent="sending")), "being sent", "under way", "another takes it up"),
        (found(replace(JOB, state="inflight", sent="unknown")), "looked up", "unknown outcome", "only if"),
        (found(replace(JOB, state="inflight", sent="deleting")), "removed", "DIAN rejected", "gone"),
        (found(CALL, lane=replace(CALLS, n_ahead=4)), "number 3 of 5", "behind issuing: 4 documents", "after the 2"),
        (
            found(replace(CALL, priority="normal"), lane=replace(CALLS, wait_reason="")),
            "number 3 of 5",
            "nothing stands in its way",
            "after the 2",
        ),
        (
            found(CALL, lane=CALLS),
            "number 3 of 5",
            "a quarter of the allowance",
            "after the 2",
        ),
        (
            found(replace(CALL, state="inflight", sent="unknown")),
            "looked up",
            "unknown outcome",
            "done again only if it was not",
        ),
        (
            found(
                replace(CALL, state="final", final_type="invoice.email.failed", last_error='{"code":"c","message":"m"}')
            ),
            "finished: invoice.email.failed",
            "m",
            "dead list",
        ),
        (found(replace(JOB, state="joined"), issued_by="j-0"), "another job", "job j-0", "same result"),
        (
            found(replace(JOB, state="final", final_type="invoice.validated", number="SETP1", final_at=NOW)),
            "finished: invoice.validated",
            "number SETP1",
            "nothing",
        ),
        (
            found(replace(JOB, state="final", final_type="invoice.rejected", last_error='{"code":"c","message":"m"}')),
            "finished: invoice.rejected",
            "m",
            "push it again",
        ),
    ],
)
def test_every_state_says_where_why_and_what_next(seen: JobSnapshot, where: str, why: str, following: str) -> None:
    told = explain(JobWithFollowUps(seen), UTC, ENGLISH)
    assert where in told.where
    assert why in told.why
    assert following in told.next


def test_refusal_without_record_is_told_from_its_event() -> None:
    event = {
        "type": "job.refused", "job_id": "1-0", "account": None, "reference_code": "R", "job_type": None,
        "message": "m", "time": "t", "attempts": 0, "data": None, "errors": [{"code": "envelope.invalid"}],
    }  # fmt: skip
    told = explain_event(event, ENGLISH)
    assert (told.where, told.last_error) == ("finished: job.refused", {"code": "envelope.invalid"})


def test_backlog_counts_the_hold_and_what_the_allowance_has_not_left() -> None:
    used = replace(ACCOUNT, n_used=80)
    assert backlog_s(0, used, None, NOW) == 0
    assert backlog_s(160, used, None, NOW) == 120
    assert backlog_s(160, ACCOUNT, None, NOW) == 60
    assert backlog_s(80, ACCOUNT, Hold("x", NOW + 30_000), NOW) == 30


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")]
)
def test_spans_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert span(seconds) == text


def overview(**changes: Any) -> Overview:
    worker = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10)
    return replace(Overview(NOW, (worker,), "w", (), (LANE,), (ACCOUNT,), 0, ()), **changes)


def told(seen: Overview) -> list[Problem]:
    return problems(seen, ENGLISH)


HELD = Hold("dian.pending", NOW + 60_000, NOW - 360_000, "j-0", "R-0", "SETP7", "Factus tiene el documento.")


def test_calm_weather_is_no_problem() -> None:
    assert told(overview()) == []
    assert told(overview(groups=(GroupLag("factus:results", "erp", 800_000, 0, 1_000_000, n_pending=5),))) == []
    assert told(overview(n_dead=2, letters=LettersSeen(2, n_producer=2))) == [], "for their producers to correct"
    fresh = replace(HELD, since_ms=NOW - 299_000)
    assert told(overview(lanes=(replace(LANE, hold=fresh),))) == [], "not yet five minutes"
    assert told(overview(accounts=(replace(ACCOUNT, hold=replace(fresh, reason="factus.unavailable")),))) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workers": (), "lanes": ()}, "no worker is running"),
        ({"workers": ()}, "6 open jobs"),
        ({"workers": (), "lanes": (replace(LANE, n_waiting=0, n_in_flight=0, n_later=3),)}, "3 open jobs"),
        ({"letters": LettersSeen(3, 1, 1, 1, (("internal", 1), ("account.unknown", 1)))}, "2 dead letters"),
        ({"accounts": (replace(ACCOUNT, hold=Hold("factus.payment_required", NOW + 1, NOW)),)}, "402"),
        ({"accounts": (replace(ACCOUNT, hold=replace(HELD, reason="factus.unavailable")),)}, "does not answer"),
        ({"accounts": (replace(ACCOUNT, blocks=(Block("invoice.email", NOW),)),)}, "denies the jobs invoice.email"),
        ({"lanes": (replace(LANE, hold=HELD),)}, "DIAN has not answered"),
        ({"lanes": (replace(LANE, account="other"),)}, "credentials of account other"),
        ({"groups": (GroupLag("factus:results", "erp", 900_000, 0, 1_000_000),)}, "900,000 entries wait"),
        ({"groups": (GroupLag("factus:results", "erp", 9, 1234, 10),)}, "1,234 entries were trimmed"),
        ({"groups": (GroupLag("factus:results", "erp", 9, None, 10),)}, "entries were trimmed"),
        ({"groups": (GroupLag("factus:results", "erp", 0, 0, 10, 500, 100),)}, "100+ entries given out more"),
        ({"writes_refused": "OOM command not allowed; raise maxmemory"}, "OOM"),
        ({"damaged": ("t:lanes",)}, "t:lanes"),
    ],
)
def test_what_an_operator_has_to_know_is_a_problem(changes: dict[str, Any], words: str) -> None:
    (one,) = told(overview(**changes))
    assert words in one.what
    assert words in problems(overview(**changes), SPANISH)[0].what or one.what != one.mend != ""


def test_a_hold_says_since_when_by_what_the_mend_and_what_goes_on() -> None:
    (one,) = problems(overview(lanes=(replace(LANE, hold=HELD),)), SPANISH)
    assert (one.subject, one.since_ms, one.holder) == ("acme/invoice", NOW - 360_000, "R-0 (SETP7)")
    assert "no lo elimine" in one.mend
    assert (one.next, one.next_ms) == ("se vuelve a preguntar solo", NOW + 60_000)
    conflict = replace(HELD, reason="factus.conflict", said="Un documento ajeno bloquea la familia (POS-77, SETP1).")
    (one,) = problems(overview(lanes=(replace(LANE, hold=conflict),)), SPANISH)
    assert "POS-77" in one.what
    assert "factus-worker resume acme" in one.mend


def test_a_block_that_was_told_is_a_problem_at_once() -> None:
    fresh = replace(HELD, reason="factus.conflict", since_ms=NOW - 1000)
    blocked = replace(ACCOUNT, blocks=(Block("invoice", NOW - 500),))
    assert told(overview(lanes=(replace(LANE, hold=fresh),))) == []
    assert [one.id for one in told(overview(lanes=(replace(LANE, hold=fresh),), accounts=(blocked,)))] == ["lane.held"]


def test_what_needs_a_person_comes_first() -> None:
    credentials = replace(ACCOUNT, hold=Hold("factus.credentials", NOW + 1, NOW))
    lane = replace(LANE, hold=HELD)
    found = told(overview(accounts=(credentials,), lanes=(lane,), letters=LettersSeen(1, n_operator=1)))
    assert [one.id for one in found] == ["account.held", "lane.held", "letters.operator"]


def test_a_neighbour_names_the_document_that_holds_the_lane() -> None:
    one = explain(JobWithFollowUps(found(lane=replace(LANE, hold=HELD))), UTC, SPANISH)
    assert "R-0 (SETP7)" in one.why
    assert "desde 20" in one.why
    own = explain(JobWithFollowUps(found(lane=replace(LANE, hold=replace(HELD, job_id="j-1")))), UTC, SPANISH)
    assert "R-0" not in own.why, "it is the holder itself"


@pytest.mark.parametrize(
    ("job", "until"),
    [
        (replace(JOB, issue_on="2026-11-25", deadline_at=NOW + 10**9), "2026-11-26T00:00:00"),
        (replace(JOB, issue_on="2026-11-25", pending_since=NOW), None),
        (replace(JOB, expires_at=NOW + 1000), "2026-11-25T"),
        (replace(JOB, expires_at=NOW + 1000, attempts=1), None),
        (JOB, None),
    ],
)
def test_tried_until_is_when_it_is_true(job: JobRecord, until: str | None) -> None:
    """A document that must carry a day is not tried beyond it."""
    shown = explain(JobWithFollowUps(found(job)), UTC, SPANISH).tried_until
    assert shown is not None
    deadline = explain(JobWithFollowUps(found(JOB)), UTC, SPANISH).tried_until
    assert shown.startswith(until) if until else shown == deadline


# -- lanes -------------------------------------------------------------------------------------------------------------
def test_backlogs_share_one_allowance() -> None:
    """Families take turns; calls stand behind all documents."""
    bills, notes = replace(LANE, n_waiting=100), replace(LANE, name="acme/credit_note", n_waiting=20)
    calls, other = replace(CALLS, n_waiting=10), replace(LANE, name="own/invoice", account="own", n_waiting=500)
    used = replace(ACCOUNT, n_used=80, limit=60)
    lanes = (bills, notes, calls, other)
    told = [with_backlog(lane, lanes, used, NOW) for lane in (bills, notes, calls)]
    assert [(lane.backlog_s, lane.n_ahead) for lane in told] == [(120, 0), (40, 0), (130, 120)]
    held = replace(bills, hold=Hold("factus.conflict", NOW + 60_000))
    assert with_backlog(calls, (held, notes, calls), used, NOW).n_ahead == 20
    assert with_backlog(replace(calls, n_waiting=0), lanes, used, NOW).backlog_s == 0


@pytest.mark.parametrize(
    ("lane", "account", "words"),
    [
        (replace(LANE, wait_reason=""), ACCOUNT, ""),
        (LANE, ACCOUNT, "one at a time"),
        (replace(LANE, hold=Hold("factus.conflict", NOW + 1)), ACCOUNT, "blocks the family"),
        (LANE, replace(ACCOUNT, hold=Hold("factus.denied", NOW + 1)), "its account is on hold"),
        (replace(LANE, n_waiting=0), replace(ACCOUNT, hold=Hold("factus.denied", NOW + 1)), ""),
        (replace(LANE, wait_reason="allowance", next_look_ms=NOW + 5), replace(ACCOUNT, n_used=80), "80 of 80 calls"),
        (replace(CALLS, n_ahead=1), ACCOUNT, "behind issuing: 1 document ahead"),
        (CALLS, ACCOUNT, "a quarter of the allowance"),
        (replace(CALLS, wait_reason="probe"), ACCOUNT, "a single attempt asks"),
        (replace(CALLS, wait_reason="width"), ACCOUNT, "as many are under way"),
    ],
)
def test_a_lane_that_stands_says_why(lane: LaneSeen, account: AccountSeen, words: str) -> None:
    told = lane_words(lane, account, NOW, UTC, ENGLISH)
    assert (words in told) if words else told == ""


# -- what follows a document -------------------------------------------------------------------------------------------
DONE = replace(JOB, state="final", final_type="invoice.validated", number="SETP1", final_at=NOW)
ARCHIVE = replace(JOB, id="j-1~archive", type="invoice.archive", lane="acme/calls", priority="low", parent="j-1")
TRACK = replace(ARCHIVE, id="j-1~track", type="invoice.track", next_at=NOW + 1, deadline_at=NOW + 90_000_000)
FILE = '{"kind":"pdf","uri":"file:///a.pdf","sha256":"0","bytes":1}'
NOT_FOUND = '{"code":"factus.not_found","message":"aún no"}'
EVENT = {"event_code": "030", "event_name": "Acuse", "occurred_at": "t", "number": "SETP1"}


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


def test_a_call_s_answer_is_in_its_event() -> None:
    assert explain(
        JobWithFollowUps(found(replace(CALL, state="final", final_type="invoice.get.completed"))), UTC, ENGLISH
    ).needs_event
    assert not explain(JobWithFollowUps(found(DONE)), UTC, ENGLISH).needs_event
    assert not explain(JobWithFollowUps(found()), UTC, ENGLISH).needs_event


# -- reading -----------------------------------------------------------------------------------------------------------
def a_reader(redis: ArqRedis, keys: Keys, *accounts: Any) -> StatusReader:
    known = {account.name: account for account in accounts}
    return StatusReader(redis, keys, known, limit=80, window_s=60.0, results_maxlen=100)


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


async def test_tracking_is_told_from_other_pauses(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    await fake_redis.sadd(keys.lanes(), "acme/calls", "acme/invoice")
    await fake_redis.zadd(keys.later("acme/calls"), {"a~track": 1, "b~track": 2, "c~archive": 3, "d": 4})
    await fake_redis.zadd(keys.waiting("acme/calls"), {"e": 1})
    await fake_redis.zadd(keys.waiting("acme/invoice"), {"f": 1, "g": 2})
    calls, bills = (await a_reader(fake_redis, keys, an_account()).overview()).lanes
    assert (calls.n_later, calls.n_tracking, calls.n_waiting, calls.n_ahead) == (4, 2, 1, 2)
    assert (bills.n_tracking, bills.n_ahead) == (0, 0)


async def test_reader_sees_lanes_holds_and_never_the_token(fake_redis: ArqRedis) -> None:
    keys, account = Keys("t"), an_account(rate_limit=3)
    reader = a_reader(fake_redis, keys, account)
    now = await reader.now_ms()
    await fake_redis.sadd(keys.lanes(), "acme/invoice")
    await fake_redis.zadd(keys.waiting("acme/invoice"), {"j-0": 1, "j-1": 2})
    await fake_redis.hset(keys.account("acme"), mapping={"hold_until": now + 60_000, "hold_reason": "factus.denied"})
    await fake_redis.rpush(keys.grants("acme"), now, now - 1, now - 100_000)
    token = {"access": "SECRET", "generation": 4, "expires_at": now + 50_000}
    await fake_redis.hset(keys.token("acme"), mapping=token)
    await fake_redis.hset(keys.job("acme", "j-1"), mapping=JOB.to_hash())
    await fake_redis.hset(keys.document("acme", "invoice", "R-1"), mapping={"state": "open", "job": "j-1"})
    seen = await reader.overview()
    assert "SECRET" not in str(asdict(seen))
    assert (seen.accounts[0].n_used, seen.accounts[0].token_generation) == (2, 4)
    assert seen.accounts[0].hold == Hold("factus.denied", now + 60_000)
    assert (seen.lanes[0].n_waiting, round(seen.lanes[0].backlog_s)) == (2, 60 + 20)
    finder = JobLookup(fake_redis, keys, reader, [])
    for wanted in ("R-1", "j-1"):
        jobs = [one.job for one in await finder.find(wanted)]
        assert [(one.job.id, one.rank, one.issued_by) for one in jobs] == [("j-1", 1, "j-1")]
    assert await finder.find("R-1", account="other") == []
    assert await finder.find("nobody") == []


async def test_job_that_nobody_has_taken_in_is_seen(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    finder = JobLookup(fake_redis, keys, a_reader(fake_redis, keys), [])
    for raw in ("broken", '{"id": "j-9", "payload": {"reference_code": "R-9"}}'):
        await fake_redis.xadd(keys.jobs(), {"job": raw})
    assert await finder.is_pushed("R-9")
    assert await finder.is_pushed("j-9")
    assert not await finder.is_pushed("R-8")


STREAM = IntakeSeen("factus:jobs", 0, 0)
LOST = {
    "entries gone": ({"n_gone": 3, "gone_at_ms": NOW - 60_000}, "3 entries removed before they were read"),
    "an id ahead": ({"last_id_ahead": "18446744073709551615-0"}, "lies in the future"),
    "made anew": ({"renewed_at_ms": NOW - 60_000}, "made anew"),
    "long ago": ({"n_gone": 3, "gone_at_ms": NOW - 8 * 86_400_000, "renewed_at_ms": 1}, ""),
    "nothing": ({}, ""),
}


@pytest.mark.parametrize(("facts", "words"), LOST.values(), ids=LOST)
def test_what_became_of_a_stream_is_told(facts, words):
    found = problems(overview(intakes=(replace(STREAM, **facts),)), ENGLISH)
    assert [words in problem.what for problem in found] == ([True] if words else [])


def test_keys_that_turned_bad_and_workers_that_sign_and_do_not_are_told():
    one = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10, is_signed=True, keys_fault="FACTUS_JOBS_KEYS: it is not JSON")
    found = problems(overview(workers=(one, replace(one, id="x", is_signed=False, keys_fault=""))), ENGLISH)
    assert [problem.id for problem in found] == ["workers.signing", "jobs.keys"]
    assert "(x)" in found[0].what
    assert "it is not JSON" in found[1].what


def test_letters_that_went_and_workers_that_differ_are_told():
    one = WorkerSeen("w", 1, "0", ("acme",), 0, 0, 10, failed="sweep=2", failed_lately="sweep=2")
    found = problems(
        overview(
            n_letters_gone=12,
            letters_gone_at_ms=NOW - 1000,
            workers=(one, replace(one, id="x", accounts=("b",), failed="sweep=9", failed_lately="")),
        ),
        ENGLISH,
    )
    assert [
        words in " ".join(problem.what for problem in found)
        for words in ("12 dead letters", "different accounts", "sweep=2")
    ] == [True] * 3
    assert [one.subject for one in found if one.id == "worker.failures"] == ["w"], "what failed long ago is over"


@pytest.mark.parametrize(
    ("reason", "said", "told"),
    [
        (
            "factus.payment_required",
            "Factus exige un pago o un paquete (402): sin saldo.",
            "Factus exige un pago o un paquete de documentos (402): sin saldo",
        ),
        (
            "factus.unavailable",
            "Factus no está disponible: respondió 503.",
            "Factus no responde, o falla: respondió 503",
        ),
        (
            "factus.conflict",
            "Un documento ajeno sin validar bloquea la familia en Factus (POS-77, SETP1).",
            "otro documento sin validar bloquea la familia en Factus (409): POS-77, SETP1",
        ),
        (
            "factus.conflict",
            "Otro documento sin validar bloquea la familia en Factus (409).",
            "otro documento sin validar bloquea la familia en Factus (409)",
        ),
        (
            "dian.pending",
            "Factus tiene el documento; la DIAN no ha respondido.",
            "Factus tiene un documento y la DIAN no",
        ),
        ("internal", "Defecto interno: KeyError.", "un defecto del servicio: KeyError"),
    ],
)
def test_a_cause_says_nothing_twice(reason: str, said: str, told: str) -> None:
    found = cause(Hold(reason, NOW + 1, NOW, said=said), SPANISH)
    assert found.startswith(told)
    assert found == told or reason == "dian.pending"


_LONG_AGO = 1_700_000_000_000


@pytest.mark.parametrize("n", [1, 40])
async def test_a_look_costs_as_many_round_trips_with_many_accounts_as_with_one(
    fake_redis: ArqRedis, monkeypatch: pytest.MonkeyPatch, n: int
) -> None:
    """Each has two lanes, one of them held by a job, one with what is on again and with what comes later."""
    keys, accounts = Keys("t"), [an_account(f"a{k}") for k in range(n)]
    now = round(time.time() * 1000)
    for account in accounts:
        bills, notes = f"{account.name}/invoice", f"{account.name}/credit_note"
        await fake_redis.sadd(keys.lanes(), bills, notes)
        await fake_redis.zadd(keys.waiting(bills), {"back": -5, "new": 10**15})
        await fake_redis.zadd(keys.later(bills), {"later": now + 60_000})
        await fake_redis.zadd(keys.waiting(notes), {"note": 10**15})
        held = {"hold_until": now + 60_000, "hold_reason": "dian.pending", "held_for": "dian.pending"}
        await fake_redis.hset(keys.lane(notes), mapping={**held, "held_since": now, "held_by": "note"})
        await fake_redis.hset(keys.job(account.name, "back"), mapping={"accepted_at": _LONG_AGO})
        await fake_redis.hset(keys.job(account.name, "note"), mapping={"reference_code": account.name})
    asked: list[int] = []

    async def counted(redis: Any, commands: Any) -> list[Any]:
        asked.append(len(commands))
        return await exchange(redis, commands)

    monkeypatch.setattr(inquiry, "exchange", counted)
    seen = await a_reader(fake_redis, keys, *accounts).overview()
    lanes = {lane.name: lane for lane in seen.lanes}
    assert len(lanes) == 2 * n
    for account in accounts:
        hold = lanes[f"{account.name}/credit_note"].hold
        assert hold is not None
        assert hold.reference_code == account.name, "each is told its own"
        assert lanes[f"{account.name}/invoice"].oldest_ms == _LONG_AGO
    assert len(asked) == 7


async def test_ranges_are_told_as_answers_have_shown_them(fake_redis: ArqRedis) -> None:
    """Of accounts that are not configured here too; what somebody else wrote there is none, and is named."""
    keys = Keys("t")
    now = round(time.time() * 1000)
    notes = {
        "invoice/SETP": f"40:{now + 90 * 86_400_000}:1000",
        "invoice/POS": f"500:{now + 10 * 86_400_000}:1000",
        "credit_note/NC": "0::1000",
        "support_document/DS": "9:9:9:!",
        "payroll/": "500::1000",
        "x/Y": "1:2",
    }
    await fake_redis.hset(keys.ranges("acme"), mapping=notes)
    await fake_redis.set(keys.ranges("other"), "x")
    await fake_redis.sadd(keys.lanes(), "acme/invoice")
    seen = await a_reader(fake_redis, keys, an_account("other")).overview()
    assert [(one.document, one.prefix, one.n_left, one.n_numbers) for one in seen.ranges] == [
        ("credit_note", "NC", 0, 1000), ("invoice", "POS", 500, 1000), ("invoice", "SETP", 40, 1000),
        ("payroll", "-", 500, 1000), ("support_document", "DS", 9, 9),
    ]  # fmt: skip
    assert seen.damaged == (keys.ranges("other"),)
    told = [(one.id, one.subject) for one in problems(seen, ENGLISH) if one.id.startswith("range.")]
    assert told == [
        ("range.ended", "acme/NC"), ("range.ended", "acme/DS"),
        ("range.ending", "acme/POS"), ("range.ending", "acme/SETP"),
    ]  # fmt: skip
