"""
Closing a day on a real ledger: what ends is found by its day, and a certificate comes into the chain once.
"""

from __future__ import annotations

from typing import Any

from arq.connections import ArqRedis

from jobs import answers
from jobs.closing.certificate import sha256_of
from jobs.closing.days import day_of
from jobs.errors import LedgerUnavailable
from jobs.families import FAMILIES
from schemas.factus import BOGOTA, Remark
from schemas.records import JobRecord
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, quick, running, services_on
from worker.queue.day_book import begin_day_index
from worker.store.keys import Keys
from worker.store.scripts import Scripts


def listing(*rows: dict[str, Any]) -> answers.Answer:
    return answers.Replied({"data": {"data": [*rows], "pagination": {"last_page": 1, "total": len(rows)}}})


def a_factus(**changes: Any) -> FakeFactus:
    """With no document in any list."""
    return FakeFactus(replies={f"GET {family.collection}": [listing()] for family in FAMILIES.values()}, **changes)


async def close(rig: ServiceInProcess, day: str, **job: Any) -> dict[str, Any]:
    await rig.push({"type": "day.close", "account": "acme", "payload": {"day": day}, **job})
    (event,) = await rig.events(1)
    assert event["type"] == "day.close.completed", event
    data: dict[str, Any] = event["data"]
    assert data["sha256"] == sha256_of(data)
    return data


async def today(redis: Any) -> str:
    from jobs.closing.days import day_at

    seconds, _ = await redis.time()
    return day_at(seconds * 1000, BOGOTA)


async def test_what_ended_is_found_by_its_day_and_its_index_expires(redis: ArqRedis, namespace: str):
    factus = a_factus()
    factus.script.append(answers.RulesRefused((Remark("Regla: FAK24, Rechazo: x", "FAK24"),), number="SETP7"))
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("R-1")
        await rig.events(1)
        await rig.push({"type": "invoice.issue", "account": "acme", "payload": {}})
        await rig.push({"type": "invoice.issue", "id": "mine", "account": "acme", "payload": {"x": 1}})
        await rig.events(2)
        day = await today(redis)
        found = await close(rig, day)
        keys = [key async for key in redis.scan_iter(f"{namespace}:day_ends:acme:*")]
        lives = [await redis.pttl(key) for key in keys]
    # This Factus notes no sending: without a day of its own the number stretches no span, and is told here.
    told = [(one["code"], one["rule"]) for one in found["refused"]]
    assert told == [("dian.rejected", "FAK24"), ("payload.invalid", "GEN-004"), ("payload.invalid", "GEN-004")]
    assert len(keys) == 1
    assert 90 * 86_400_000 < lives[0] <= 91 * 86_400_000


async def test_a_certificate_whose_end_could_not_be_written_is_told_once(real_redis: ArqRedis, namespace: str):
    """The worker dies between the chain and the event: the job ends with the certificate that stands in the chain."""
    built = services_on(real_redis, namespace, gateway=a_factus(), policies=quick(lease={"lease_ms": 400}))
    end, n_broken = built.ledger.close, 0

    async def broken(claimed: Any, *args: Any, **kwargs: Any) -> int:
        nonlocal n_broken
        if claimed.job.type == "day.close" and not n_broken:
            n_broken += 1
            raise LedgerUnavailable("as if it had died")
        return await end(claimed, *args, **kwargs)

    built.ledger.close = broken
    async with running(built) as rig:
        first = await close(rig, "2026-01-15")
        second = await close(rig, "2026-01-15")
        head = await real_redis.hget(rig.services.keys.day_chain("acme"), "sha256")
        left = [key async for key in real_redis.scan_iter(f"{namespace}:closing:acme:pages:*")]
    assert n_broken == 1
    assert first["previous_sha256"] is None
    assert second["previous_sha256"] == first["sha256"]
    assert head is not None
    assert head.decode() == second["sha256"]
    assert left == []


async def test_a_page_that_fails_is_read_again_and_no_other(real_redis: ArqRedis, namespace: str):
    factus = a_factus()
    factus.replies["GET /v2/credit-notes"] = [answers.Unknown("503"), listing()]
    async with running(services_on(real_redis, namespace, gateway=factus)) as rig:
        await close(rig, "2026-01-15")
    asked = [request.path for request in factus.requests]
    assert (asked.count("/v2/bills"), asked.count("/v2/credit-notes")) == (1, 2)


async def test_the_day_is_that_of_the_accounts_zone(real_redis: ArqRedis, namespace: str):
    """What Factus made at 20:00 in Bogotá is of the next day in Madrid, and is asked for by both days of Bogotá."""
    row = {"reference_code": "X", "is_validated": True, "total": "1.00"}
    rows = [
        {**row, "number": "A1", "created_at": "14-01-2026 05:59:59 PM"},
        {**row, "number": "A2", "created_at": "14-01-2026 08:00:00 PM"},
        {**row, "number": "A3", "created_at": "15-01-2026 05:59:59 PM"},
        {**row, "number": "A4", "created_at": "15-01-2026 06:00:00 PM"},
    ]
    factus = a_factus()
    factus.replies["GET /v2/bills"] = [listing(*rows)]
    madrid = an_account(timezone="Europe/Madrid")
    async with running(services_on(real_redis, namespace, madrid, gateway=factus)) as rig:
        found = await close(rig, "2026-01-15")
    asked = next(request.params for request in factus.requests if request.path == "/v2/bills")
    assert asked["filter[created_at][start_date]"] == "2026-01-14"
    assert asked["filter[created_at][end_date]"] == "2026-01-15"
    assert found["made_at"][-6:] in ("+01:00", "+02:00")
    (prefix,) = found["prefixes"]
    assert (prefix["first"], prefix["last"], prefix["foreign"]) == ("A2", "A3", 2)


async def test_who_lost_the_job_or_comes_second_writes_nothing_into_the_chain(redis: ArqRedis, namespace: str):
    keys, scripts = Keys(namespace), Scripts(redis)
    job = JobRecord(account="acme", id="j", type="day.close", family="day", lane="acme/calls", entry="1-0", fence=3)
    record = {**job.to_hash(), "state": "inflight"}
    await redis.hset(keys.job("acme", "j"), mapping=record)
    places = {"job": keys.job("acme", "j"), "chain": keys.day_chain("acme"), "pages": keys.day_pages("acme", "j")}
    args: dict[str, Any] = {"id": "j", "fence": 3, "previous": "", "sha256": "a" * 64, "progress": '{"n":1}'}
    assert await scripts.run("append_certificate", places, {**args, "fence": 2}) == b"lost"
    assert await scripts.run("append_certificate", places, {**args, "previous": "b" * 64}) == b"moved"
    assert not await redis.exists(places["chain"])
    assert await scripts.run("append_certificate", places, args) == b"ok"
    assert await scripts.run("append_certificate", places, args) == b"ok", "the same again: its answer was lost"
    other = {**args, "sha256": "c" * 64, "progress": '{"n":2}'}
    assert await scripts.run("append_certificate", places, other) == b"moved"
    await redis.hset(places["chain"], mapping={"sha256": "d" * 64, "job": "other"})
    assert await scripts.run("append_certificate", places, args) == b"ok", "another one has come behind it"
    await redis.hset(places["chain"], mapping={"sha256": "a" * 64, "job": "j"})
    assert await redis.hget(places["chain"], "sha256") == b"a" * 64
    assert await redis.hget(places["job"], "sent") == b"sending", "it cannot be cancelled any more"


async def test_since_when_ends_are_noted_is_written_once(redis: ArqRedis, namespace: str):
    keys = Keys(namespace)
    await begin_day_index(redis, keys)
    assert await redis.get(keys.ends_since()) == b"0", "there were no jobs before"
    await redis.delete(keys.ends_since())
    await redis.xadd(keys.results(), {"event": "{}"})
    await begin_day_index(redis, keys)
    since = int(await redis.get(keys.ends_since()))
    await begin_day_index(redis, keys)
    assert since == int(await redis.get(keys.ends_since())) > day_of("2026-01-01", BOGOTA).starts_ms
