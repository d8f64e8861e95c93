"""``status`` says when a backlog will be done, from what the ledger keeps: bounded reads, whatever waits."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.fakes import FakeFactus
from tests.service_in_process import an_account, quick
from worker.status import reader
from worker.status.batch import BatchReader
from worker.status.reader import StatusReader
from worker.store.inquiry import Inquiry

ZONE = ZoneInfo("America/Bogota")
LANE = "acme/invoice"
pytestmark = pytest.mark.service(an_account(rate_limit=60, rate_window=60.0), policies=quick(drain={"calls_s": 0.1}))


@pytest.fixture
def factus() -> FakeFactus:
    return FakeFactus(gate=asyncio.Event())


def reader_of(rig) -> StatusReader:
    built = rig.services
    return StatusReader(built.redis, built.keys, built.accounts, limit=60, window_s=60.0, results_maxlen=100)


async def lane_of(rig, name=LANE):
    """The lane as ``status --json`` has it."""
    while not await rig.services.redis.exists(rig.services.keys.workers()):
        await asyncio.sleep(0.01)
    seen = await reader_of(rig).overview()
    return next(one for one in seen.lanes if one.name == name).to_json(ZONE)


async def batch_of(rig, name):
    (found,) = await BatchReader(rig.services.redis, rig.services.keys, reader_of(rig)).named(
        name, ["acme"], round(time.time() * 1000)
    )
    return found.to_json()


async def took(rig, service_ms, n=50):
    """Documents of late have taken so long; the last of them went out long ago."""
    now_ms = round(time.time() * 1000)
    await rig.services.redis.rpush(
        rig.services.keys.seen(LANE), *[f"{now_ms - 3_600_000 - k}:{service_ms}:5" for k in range(n)]
    )


def left_s(told) -> float:
    return (datetime.fromisoformat(told["done_at"]) - datetime.now(ZONE)).total_seconds()


async def push(rig, n, prefix="R", **envelope):
    for k in range(n):
        await rig.push_bill(f"{prefix}{k}", **envelope)
    await rig.taken_in()


async def test_a_lane_says_what_waits_since_when_how_fast_and_until_when(rig):
    began = datetime.now(ZONE)
    await took(rig, 2995)
    await push(rig, 11)
    told = await lane_of(rig)
    assert (told["waiting"], told["delayed"], told["in_flight"], told["why"]) == (10, 0, 1, "width")
    assert told["pace_per_minute"] == pytest.approx(20, abs=0.1)
    assert left_s(told) == pytest.approx(31.5, abs=3)
    oldest = datetime.fromisoformat(told["oldest_at"])
    assert began - timedelta(seconds=1) <= oldest <= datetime.now(ZONE)


async def test_nothing_waits(rig):
    await push(rig, 1)
    told = await lane_of(rig)
    assert (told["waiting"], told["in_flight"], told["done_at"], told["oldest_at"], told["why"]) == (
        0,
        1,
        None,
        None,
        None,
    )


async def test_what_is_held_is_never_done_as_far_as_is_known(rig):
    await push(rig, 5)
    hold = {"hold_until": round(time.time() * 1000) + 60_000, "hold_reason": "factus.conflict", "held_since": 1}
    await rig.services.redis.hset(rig.services.keys.lane(LANE), mapping=hold | {"held_for": "factus.conflict"})
    told = await lane_of(rig)
    assert (told["done_at"], told["why"], told["pace_per_minute"]) == (None, "held", 0.0)


async def test_a_pause_that_factus_has_asked_for_has_an_end(rig):
    await took(rig, 995)
    await push(rig, 11)
    hold = {"hold_until": round(time.time() * 1000) + 100_000, "hold_reason": "factus.throttled"}
    await rig.services.redis.hset(rig.services.keys.account("acme"), mapping=hold)
    assert left_s(await lane_of(rig)) == pytest.approx(110, abs=4)


async def test_what_must_wait_for_its_day_is_done_on_that_day(rig):
    day = datetime.now(ZONE).date() + timedelta(days=2)
    await push(rig, 3, issue_on=day.isoformat())
    told = await lane_of(rig)
    assert (told["waiting"], told["delayed"]) == (0, 3)
    assert datetime.fromisoformat(told["done_at"]).date() == day


async def test_without_a_worker_nobody_knows(rig):
    await push(rig, 5)
    seen = await reader_of(rig).overview()
    assert seen.workers

    def nobody(*_: object) -> Inquiry[tuple[()]]:
        yield ()
        return ()

    with pytest.MonkeyPatch.context() as patch:  # the worker of the rig would write itself down again at once
        patch.setattr(reader, "workers_seen", nobody)
        without = await reader_of(rig).overview()
    assert without.lanes
    assert [lane.done_ms for lane in without.lanes] == [None] * len(without.lanes)


async def test_a_batch_is_done_when_its_last_job_is_and_not_what_stands_behind(rig):
    await took(rig, 1995)
    await push(rig, 5, "first")
    await push(rig, 6, "batch", batch="b", batch_size=6)
    await push(rig, 20, "behind")
    told = await batch_of(rig, "b")
    assert (told["size"], told["left"], told["counts"], told["at_risk"]) == (6, 6, {}, 0)
    assert left_s(told) == pytest.approx(2 * 11, abs=4)
    assert told["pace_per_minute"] == pytest.approx(30, abs=0.1)


async def test_a_batch_counts_what_will_miss_its_day(rig):
    today = datetime.now(ZONE).date().isoformat()
    await took(rig, 4 * 3_600_000)
    await push(rig, 20, "R", batch="b", issue_on=today)
    await push(rig, 5, "free", batch="b")
    told = await batch_of(rig, "b")
    n_hours = (datetime.combine(datetime.now(ZONE).date() + timedelta(days=1), datetime.min.time(), ZONE)
               - datetime.now(ZONE)).total_seconds() / 3600  # fmt: skip
    assert told["at_risk"] == pytest.approx(19 - n_hours / 4, abs=1.6)


async def test_a_batch_that_is_done_waits_for_nothing(rig, factus):
    factus.gate.set()
    await rig.push_bill("A", batch="b", batch_size=1)
    await rig.events(2)
    told = await batch_of(rig, "b")
    assert (told["left"], told["done_at"], told["at_risk"], told["pace_per_minute"]) == (0, None, 0, 0.0)


async def test_what_documents_took_is_learned_and_bounded(rig, factus):
    """Only of those that were sent; the fake asks for no permit, so the mark is set by hand."""
    redis, keys = rig.services.redis, rig.services.keys

    async def mark(job):
        await redis.hset(keys.job("acme", job.id), mapping={"sending_at": round(time.time() * 1000)})

    factus.before_create = mark
    await redis.rpush(keys.seen(LANE), *["1:1:1"] * 400)
    factus.gate.set()
    await rig.push_bill()
    await rig.events(1)
    stored = await redis.lrange(keys.seen(LANE), 0, -1)
    assert len(stored) == 300
    sent_at, service, gap = map(int, stored[0].split(b":"))
    assert abs(sent_at - time.time() * 1000) < 30_000
    assert 0 <= service < 30_000
    assert 0 <= gap < 30_000
