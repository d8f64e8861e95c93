"""Status: facts read from the store, and what they mean to a person."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC
from typing import Any

import pytest
from arq.connections import ArqRedis

from schemas.records import JobRecord
from tests.rig import an_account
from worker.keys import Keys
from worker.lagging import GroupSeen
from worker.operating.explaining import explain, explain_event, problems, span
from worker.operating.status import AccountSeen, Found, Hold, LaneSeen, Overview, StatusReader, WorkerSeen, backlog_s

NOW = 1_795_600_000_000

ACCOUNT = AccountSeen("acme", True, 80, 60.0, 0, 0, None, 0, 1, 3600.0)
LANE = LaneSeen("acme/invoice", "acme", 5, 0, 1, None, 0, 0.0)
JOB = JobRecord(
    account="acme", id="j-1", type="invoice.issue", family="invoice", lane="acme/invoice", entry="1-0",
    reference_code="R-1", accepted_at=NOW - 1000, deadline_at=NOW + 9_000_000,
)  # fmt: skip


def found(job: JobRecord = JOB, **changes: Any) -> Found:
    base = Found(job, NOW, LANE, ACCOUNT, 2, "j-1", 1)
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
            "somebody must mend",
        ),
        (
            found(lane=replace(LANE, hold=Hold("factus.conflict", NOW + 60_000))),
            "number 3",
            "blocks the family",
            "tried again at",
        ),
        (
            found(account=replace(ACCOUNT, n_used=80, free_at_ms=NOW + 5_000)),
            "number 3",
            "80 of 80 calls",
            "the next call may go at",
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
def test_every_state_says_where_why_and_what_next(seen: Found, where: str, why: str, following: str) -> None:
    told = explain(seen, UTC)
    assert where in told.where
    assert why in told.why
    assert following in told.next


def test_refusal_without_record_is_told_from_its_event() -> None:
    event = {
        "type": "job.refused", "job_id": "1-0", "account": None, "reference_code": "R", "job_type": None,
        "message": "m", "time": "t", "attempts": 0, "data": None, "errors": [{"code": "envelope.invalid"}],
    }  # fmt: skip
    told = explain_event(event)
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


def test_calm_weather_is_no_problem() -> None:
    assert problems(overview()) == []
    assert problems(overview(workers=(), lanes=())) == []
    assert problems(overview(groups=(GroupSeen("factus:results", "erp", 800_000, 0, 1_000_000),))) == []


def test_what_needs_a_person_is_a_problem() -> None:
    assert "no worker" in problems(overview(workers=()))[0]
    assert "dead letters" in problems(overview(n_dead=1))[0]
    held = replace(ACCOUNT, hold=Hold("factus.payment_required", NOW + 1))
    assert "402" in problems(overview(accounts=(held,)))[0]
    lagging = GroupSeen("factus:results", "erp", 900_000, 0, 1_000_000)
    assert "900,000 entries wait" in problems(overview(groups=(lagging,)))[0]
    assert "1,234 entries were trimmed" in problems(overview(groups=(replace(lagging, n_trimmed=1234),)))[0]
    assert "entries were trimmed" in problems(overview(groups=(replace(lagging, n_trimmed=None),)))[0]
    assert "credentials of account" in problems(overview(lanes=(replace(LANE, account="other"),)))[0]


async def test_reader_sees_lanes_holds_and_never_the_token(fake_redis: ArqRedis) -> None:
    keys, account = Keys("t"), an_account(rate_limit=3)
    reader = StatusReader(fake_redis, keys, {"acme": account}, limit=80, window_s=60.0, results_maxlen=100)
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
    for wanted in ("R-1", "j-1"):
        jobs = await reader.find(wanted)
        assert [(one.job.id, one.rank, one.issued_by) for one in jobs] == [("j-1", 1, "j-1")]
    assert await reader.find("R-1", account="other") == []
    assert await reader.find("nobody") == []


async def test_job_that_nobody_has_taken_in_is_seen(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    reader = StatusReader(fake_redis, keys, {}, limit=80, window_s=60.0, results_maxlen=100)
    for raw in ("broken", '{"id": "j-9", "payload": {"reference_code": "R-9"}}'):
        await fake_redis.xadd(keys.jobs(), {"job": raw})
    assert await reader.is_pushed("R-9")
    assert await reader.is_pushed("j-9")
    assert not await reader.is_pushed("R-8")
