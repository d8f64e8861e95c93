"""
More than one create of a family at once: tried, and given up at the first 409 that our own company explains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from jobs import answers
from jobs.answers import Answer
from schemas.records import JobRecord
from tests.fakes import FakeFactus
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, not_swept, running, services_on
from worker.bootstrap import Services
from worker.status.reader import StatusReader
from worker.store.keys import Keys

BILLS = "acme/invoice"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@dataclass
class Counting(FakeFactus):
    """
    Takes creates that lie beside each other, as many as it is given, and answers 409 to more.

    How long one takes is no matter of the machine's pace: it lasts until what it waits for is there.
    """

    takes: int = 100
    may_end: Callable[[str], Awaitable[bool]] | None = None
    """By reference; asked again and again."""
    lasts_s: float = 0.03
    """After that, for others that should not come."""
    n_begun: int = 0
    under_way: set[str] = field(default_factory=set)
    most: int = 0

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        if len(self.under_way) >= self.takes:
            self._note("create")
            self._note("conflict")
            return answers.Conflicted("Se encontró una factura pendiente por enviar a la DIAN")
        self.n_begun += 1
        self.under_way.add(job.reference_code)
        self.most = max(self.most, len(self.under_way))
        try:
            while self.may_end and not await self.may_end(job.reference_code):
                await asyncio.sleep(0.001)
            await asyncio.sleep(self.lasts_s)
            return await super().create(job, latest_ms=latest_ms)
        finally:
            self.under_way.discard(job.reference_code)


def built_on(redis: Any, namespace: str, factus: FakeFactus, width: int) -> Services:
    return services_on(redis, namespace, an_account(lane_width=width), gateway=factus)


async def lane_of(built: Services) -> dict[str, int]:
    names = ("narrow_until", "narrow_steps", "wide", "width_in_use", "conflict_since")
    values = await built.redis.hmget(built.keys.lane(BILLS), *names)
    return {name: int(value or 0) for name, value in zip(names, values, strict=True)}


def has_conflicted(factus: Counting, n: int) -> Callable[[str], Awaitable[bool]]:
    """Another has come beside it, *n* times in all."""

    async def found(_: str) -> bool:
        return factus.calls["conflict"] >= n

    return found


@pytest.mark.parametrize(("width", "seen"), [(1, 1), (2, 2), (4, 2)])
async def test_two_at_first_and_one_by_default(redis, namespace, width, seen):
    factus = Counting()

    async def is_beside_another(_: str) -> bool:
        return len(factus.under_way) >= seen or factus.n_begun == 8

    factus.may_end = is_beside_another
    async with running(built_on(redis, namespace, factus, width)) as rig:
        for n in range(8):
            await rig.push_bill(f"R-{n}")
        events = await rig.events(8)
    assert {event["type"] for event in events} == {"invoice.validated"}
    assert factus.most == seen
    assert factus.calls["create"] == 8


async def test_one_more_after_twenty_that_went_well_beside_another(redis, namespace):
    factus = Counting(lasts_s=0.01)
    built = built_on(redis, namespace, factus, 3)

    async def is_beside_as_many_as_may_be(_: str) -> bool:
        width = (await lane_of(built))["wide"] or 2
        return len(factus.under_way) >= width or factus.n_begun == 40

    factus.may_end = is_beside_as_many_as_may_be
    async with running(built) as rig:
        for n in range(40):
            await rig.push_bill(f"R-{n}")
        await rig.events(40)
        assert factus.most == 3
        assert (await lane_of(built))["wide"] == 3


async def test_a_409_beside_another_narrows_and_is_no_failure_and_no_attempt(redis, namespace):
    factus = Counting(takes=1)
    factus.may_end = has_conflicted(factus, 1)
    built = built_on(redis, namespace, factus, 4)
    async with running(built) as rig:
        for n in range(10):
            await rig.push_bill(f"R-{n}")
        events = await rig.events(10)
        lane = await lane_of(built)
        now_ms = int((await redis.time())[0]) * 1000
    assert {event["type"] for event in events} == {"invoice.validated"}
    assert {event["attempts"] for event in events} == {1}
    assert factus.calls["conflict"] == 1
    assert sorted(factus.documents) == sorted(f"R-{n}" for n in range(10))
    assert lane["narrow_until"] - now_ms == pytest.approx(HOUR_MS, abs=60_000)
    assert (lane["narrow_steps"], lane["width_in_use"], lane["conflict_since"]) == (1, 1, 0)


async def test_it_is_tried_again_after_an_hour_and_then_after_a_day(redis, namespace):
    factus = Counting(takes=1)
    built = built_on(redis, namespace, factus, 2)
    async with running(built) as rig:
        for turn in range(2):
            factus.may_end = has_conflicted(factus, turn + 1)
            await redis.hset(built.keys.lane(BILLS), "narrow_until", 1)
            for n in range(3):
                await rig.push_bill(f"R-{turn}-{n}")
            await rig.events(3)
        lane = await lane_of(built)
        now_ms = int((await redis.time())[0]) * 1000
    assert factus.calls["conflict"] == 2
    assert lane["narrow_until"] - now_ms == pytest.approx(DAY_MS, abs=60_000)


async def test_a_409_without_company_is_a_document_that_bars_the_family(redis, namespace):
    factus = FakeFactus(script=[answers.Conflicted("409")])
    built = built_on(redis, namespace, factus, 2)
    async with running(built) as rig:
        await rig.push_bill("R-1")
        (event,) = await rig.events(1)
        lane = await lane_of(built)
    assert event["type"] == "invoice.validated"
    assert lane["narrow_until"] == 0


async def test_what_factus_may_hold_has_the_lane_for_itself(redis, namespace):
    """The first answer is lost: it is looked up alone, though the width is two."""
    factus = Counting()
    seen_beside: list[int] = []
    find = factus.find

    async def looking(family: str, reference_code: str) -> Answer:
        seen_beside.append(len(factus.under_way))
        await asyncio.sleep(0.05)
        seen_beside.append(len(factus.under_way))
        return await find(family, reference_code)

    factus.find = looking
    factus.script = [answers.Unknown("sin respuesta")]
    factus.finds = [answers.Unknown("sin respuesta")]
    async with running(built_on(redis, namespace, factus, 2)) as rig:
        for n in range(6):
            await rig.push_bill(f"R-{n}")
        events = await rig.events(6)
    assert {event["type"] for event in events} == {"invoice.validated"}
    assert seen_beside[2:]
    assert not any(seen_beside[2:])


async def test_status_tells_the_width_in_use(redis, namespace):
    factus, first = Counting(), asyncio.Event()

    async def one_ends_and_the_other_stays(reference: str) -> bool:
        return factus.calls["conflict"] > 0 or (first.is_set() and reference == "R-0")

    factus.may_end = one_ends_and_the_other_stays
    built = built_on(redis, namespace, factus, 4)
    reader = StatusReader(redis, Keys(namespace), built.accounts, limit=80, window_s=60.0, results_maxlen=1000)

    async def width() -> int:
        (lane,) = [lane for lane in (await reader.overview()).lanes if lane.name == BILLS]
        return lane.width

    async with running(built) as rig:
        for n in range(6):
            await rig.push_bill(f"R-{n}")
        while len(factus.under_way) < 2:
            await asyncio.sleep(0.001)
        assert await width() == 2
        factus.takes = 1
        first.set()
        for n in range(6, 16):
            await rig.push_bill(f"R-{n}")
        await rig.events(12)
        assert await width() == 1
        await rig.events(4)


async def has_begun(factus: Counting, n: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while factus.n_begun < n:
            await asyncio.sleep(0.001)


def held_back() -> tuple[Counting, asyncio.Event]:
    """A Factus whose creates end once the event is set."""
    factus, may_end = Counting(), asyncio.Event()

    async def ended(_: str) -> bool:
        return may_end.is_set()

    factus.may_end = ended
    return factus, may_end


class TestTheSweep:
    """It wakes no lane that is closed by what is under way: the end of that opens it."""

    @pytest.mark.parametrize("in_use", [2, 1])
    async def test_it_goes_by_the_width_in_use(self, redis, namespace, in_use):
        factus, may_end = held_back()
        built = built_on(redis, namespace, factus, 4)
        async with running(built) as rig:
            if in_use == 1:
                now_ms = int((await redis.time())[0]) * 1000
                await redis.hset(built.keys.lane(BILLS), "narrow_until", now_ms + HOUR_MS)
            for n in range(5):
                await rig.push_bill(f"R-{n}")
            await has_begun(factus, in_use)
            await rig.taken_in()
            assert await redis.zscore(built.keys.lanes_due(), BILLS) is None
            repairs = [await built.sweep.sweep() for _ in range(2)]
            # The hour after the 409 is over while the lane is full: what ends next finds the wider lane.
            await redis.hset(built.keys.lane(BILLS), "narrow_until", 1)
            repairs += [await built.sweep.sweep() for _ in range(2)]
            assert not any(repairs)
            may_end.set()
            await rig.events(5)

    async def test_it_wakes_nobody_beside_a_job_that_has_the_lane_for_itself(self, redis, namespace):
        factus, may_find = Counting(), asyncio.Event()
        find = factus.find

        async def looking(family: str, reference_code: str) -> Answer:
            if not factus.finds:
                await may_find.wait()
            return await find(family, reference_code)

        factus.script = [answers.Unknown("sin respuesta")]
        factus.finds = [answers.Unknown("sin respuesta")]
        factus.find = looking
        built = built_on(redis, namespace, factus, 2)
        async with not_swept(built), running(built) as rig:
            await rig.push_bill("R-0")
            async with asyncio.timeout(PATIENCE_S):
                while not await redis.hget(built.keys.lane(BILLS), "solo"):
                    await asyncio.sleep(0.001)
            await rig.push_bill("R-1")
            await rig.taken_in()
            assert not await built.sweep.sweep()
            may_find.set()
            await rig.events(2)

    async def test_it_wakes_nobody_for_a_head_that_waits_to_be_alone(self, redis, namespace):
        factus, may_end = held_back()
        built = built_on(redis, namespace, factus, 4)
        async with not_swept(built), running(built) as rig:
            for n in range(3):
                await rig.push_bill(f"R-{n}", id=f"job-{n}")
            await has_begun(factus, 2)
            await rig.taken_in()
            # Factus may hold the one that waits; one of the two under way ends.
            await redis.zadd(built.keys.waiting(BILLS), {"job-2": -1})
            await redis.zrem(built.keys.in_flight(BILLS), "job-1")
            assert not await built.sweep.sweep()
            await redis.zrem(built.keys.in_flight(BILLS), "job-0")
            assert (await built.sweep.sweep()).n_woken == 1
            may_end.set()
            await rig.events(3)
