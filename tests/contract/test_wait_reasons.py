"""
Why a lane waits is noted by the script that decides it, and told as it is noted: one rule, in one place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.records import JobRecord
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, services_on
from worker.bootstrap import Services
from worker.queue.dispatcher import LaneScriptArguments
from worker.speech import SPANISH
from worker.status.explain import explain
from worker.status.lookup import JobLookup
from worker.status.reader import StatusReader
from worker.store.scripts import Scripts

BILLS, CALLS, CONTROL = "acme/invoice", "acme/calls", "acme/control"
LIMIT = 80


@pytest.fixture
def built(redis: Any, namespace: str) -> Services:
    account = an_account(rate_limit=LIMIT, concurrency=2)
    return services_on(redis, namespace, account, gateway=FakeFactus())


async def now_ms(built: Services) -> int:
    seconds, micros = await built.redis.time()
    return int(seconds) * 1000 + int(micros) // 1000


async def waiting(built: Services, lane: str, n: int, *, priority: str = "normal", prefix: str = "j") -> None:
    kind = "invoice.issue" if lane == BILLS else "invoice.get"
    for k in range(n):
        rank = {"high": 0, "normal": 1, "low": 2}[priority]
        score = rank * 10**15 + k
        job = JobRecord(account="acme", id=f"{prefix}-{k}", type=kind, family="invoice", lane=lane, entry="1-0",
                        score=score, priority=priority, deadline_at=9 * 10**12)  # fmt: skip
        await built.redis.hset(built.keys.job("acme", job.id), mapping=job.to_hash())
        await built.redis.zadd(built.keys.waiting(lane), {job.id: score})
    await built.redis.sadd(built.keys.lanes(), lane)


async def grants(built: Services, n: int) -> None:
    """So many calls went out a second ago."""
    at = await now_ms(built) - 1000
    if n:
        await built.redis.rpush(built.keys.grants("acme"), *[at] * n)


async def look(built: Services, lane: str) -> str:
    """The dispatcher's script looks at a lane; the reason that it notes. What it starts stays in arq's queue."""
    keys, values = LaneScriptArguments(built.keys, built.accounts).arguments(lane)
    args = {"lane": values, "claimer": built.claimer.arguments(room=0)}
    await Scripts(built.redis).run("dispatch", {"lane": keys}, args)
    return ((await built.redis.hget(built.keys.lane(lane), "wait_reason")) or b"").decode()


def a_reader(built: Services) -> StatusReader:
    return StatusReader(built.redis, built.keys, built.accounts, limit=LIMIT, window_s=60.0, results_maxlen=100)


async def test_a_lane_of_documents_waits_for_the_one_under_way(built: Services) -> None:
    await waiting(built, BILLS, 3)
    assert await look(built, BILLS) == "width"
    (lane,) = (await a_reader(built).overview()).lanes
    assert (lane.why, lane.n_waiting, lane.n_in_flight) == ("width", 2, 1)


@pytest.mark.parametrize("place", ["lane", "account"])
async def test_a_hold_of_lane_or_account(built: Services, place: str) -> None:
    key = built.keys.lane(BILLS) if place == "lane" else built.keys.account("acme")
    await built.redis.hset(key, mapping={"hold_until": 9 * 10**12, "hold_reason": "factus.denied"})
    await waiting(built, BILLS, 3)
    assert await look(built, BILLS) == "hold"


async def test_the_allowance_is_used_up(built: Services) -> None:
    await grants(built, LIMIT)
    await waiting(built, BILLS, 3)
    assert await look(built, BILLS) == "allowance"
    (lane,) = (await a_reader(built).overview()).lanes
    assert lane.why == "allowance"
    assert lane.next_look_ms > await now_ms(built)


async def test_a_call_waits_for_documents_although_the_allowance_is_not_scarce(built: Services) -> None:
    """The copy of the rule in Python said: nothing stands in its way. 70 documents and the call find no room."""
    await grants(built, 30)
    await waiting(built, BILLS, 70)
    await waiting(built, CALLS, 1, prefix="c")
    assert await look(built, CALLS) == "precedence"
    (found,) = await JobLookup(built.redis, built.keys, a_reader(built), []).find("c-0")
    told = explain(found_with_worker(found), ZoneInfo("UTC"), SPANISH)
    assert told.why == "los documentos van antes: 70 documentos"


async def test_low_calls_leave_a_quarter_free(built: Services) -> None:
    await grants(built, LIMIT - LIMIT // 4)
    await waiting(built, CALLS, 1, priority="low")
    assert await look(built, CALLS) == "precedence"
    (found,) = await JobLookup(built.redis, built.keys, a_reader(built), []).find("j-0")
    assert "una cuarta parte del cupo" in explain(found_with_worker(found), ZoneInfo("UTC"), SPANISH).why


async def test_an_outage_is_probed_by_one(built: Services) -> None:
    await built.redis.hset(built.keys.account("acme"), mapping={"outage": "1", "outage_since": "1"})
    await waiting(built, BILLS, 2)
    await waiting(built, CALLS, 2, prefix="c")
    assert await look(built, BILLS) == "probe"
    assert await look(built, CALLS) == "probe"
    lanes = {lane.name: lane.why for lane in (await a_reader(built).overview()).lanes}
    assert lanes[CALLS] == "outage"


async def test_nothing_that_waits_has_no_reason(built: Services) -> None:
    await grants(built, LIMIT)
    await waiting(built, BILLS, 1)
    assert await look(built, BILLS) == "allowance"
    await built.redis.delete(built.keys.grants("acme"), built.keys.waiting(BILLS))
    assert await look(built, BILLS) == ""


async def test_nothing_stops_the_lane_of_control(built: Services) -> None:
    await grants(built, LIMIT)
    await built.redis.hset(
        built.keys.account("acme"), mapping={"hold_until": 9 * 10**12, "hold_reason": "x", "outage": "1"}
    )
    await waiting(built, CONTROL, 2)
    assert await look(built, CONTROL) == "width"
    assert await built.redis.zcard(built.keys.in_flight(CONTROL)) == 1


def found_with_worker(found: Any) -> Any:
    return replace(found, job=replace(found.job, n_workers=1))
