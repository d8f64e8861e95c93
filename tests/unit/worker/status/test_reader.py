"""What is read of the store for ``status``, and in how many round trips."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import pytest
from arq.connections import ArqRedis

from tests.service_in_process import an_account
from tests.unit.worker.status.snapshots import JOB, a_reader
from worker.speech import ENGLISH
from worker.status.facts import (
    Hold,
)
from worker.status.lookup import JobLookup
from worker.status.problems import problems
from worker.store import inquiry
from worker.store.exchange import exchange
from worker.store.keys import Keys


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


async def test_batches_that_wait_for_a_worker_of_their_account_are_seen(fake_redis: ArqRedis) -> None:
    """What is of an account that nobody has served for a day is closed by any worker: nobody has to act."""
    keys = Keys("t")
    await fake_redis.sadd(keys.batches_due(), "acme/lunes", "gone/x", "?/y")
    await fake_redis.zadd(keys.served_accounts(), {"acme": 1})
    assert (await a_reader(fake_redis, keys, an_account()).overview()).complete_batches == ("acme/lunes",)
    await fake_redis.delete(keys.batches_due())
    await fake_redis.set(keys.batches_due(), "x")
    seen = await a_reader(fake_redis, keys, an_account()).overview()
    assert (seen.complete_batches, seen.damaged) == ((), (keys.batches_due(),))


async def test_job_that_nobody_has_taken_in_is_seen(fake_redis: ArqRedis) -> None:
    keys = Keys("t")
    finder = JobLookup(fake_redis, keys, a_reader(fake_redis, keys), [])
    for raw in ("broken", '{"id": "j-9", "payload": {"reference_code": "R-9"}}'):
        await fake_redis.xadd(keys.jobs(), {"job": raw})
    assert await finder.pushed_for("R-9") == ""
    assert await finder.pushed_for("j-9", account="acme") == "", "whose it is nobody can say"
    assert await finder.pushed_for("j-9", default_account="acme") == "acme"
    assert await finder.pushed_for("j-9", account="other", default_account="acme") is None
    assert await finder.pushed_for("R-8") is None


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
