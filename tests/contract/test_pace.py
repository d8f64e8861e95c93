"""
A backlog that needs more than the window has left is spread over it: what is urgent finds a place, and no lane takes
all.

What the scripts decide is looked at, with the instants that they note; how it feels is measured by
``benchmarks/bench_till.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.test_wait_reasons import BILLS, LIMIT, look, now_ms, waiting
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, services_on
from worker.bootstrap import Services
from worker.factus.rate_limit import limit_window_ms
from worker.queue.dispatcher import LaneScriptArguments

NOTES, SUPPORT = "acme/credit_note", "acme/support_document"
WINDOW_S = 600.0  # ten times Factus's: a busy machine takes a second for what is decided between two instants
WINDOW_MS = limit_window_ms(an_account(rate_window=WINDOW_S))
EVEN_MS = WINDOW_MS / LIMIT
SLACK_MS = 500  # of rounding, and of places that were used meanwhile; decisions lie 7,500 ms apart


@pytest.fixture
def built(redis: Any, namespace: str) -> Services:
    return services_on(redis, namespace, an_account(rate_limit=LIMIT, rate_window=WINDOW_S), gateway=FakeFactus())


async def granted(built: Services, *ago_ms: float) -> int:
    """Calls went out so many ms ago, the newest first. Returns the server's ms."""
    now = await now_ms(built)
    await built.redis.rpush(built.keys.grants("acme"), *[round(now - ago) for ago in ago_ms])
    return now


async def goes(built: Services, lane: str) -> list[str]:
    """What a look starts; it has been sent and has ended."""
    await look(built, lane)
    flight = built.keys.in_flight(lane)
    started = [name.decode() for name in await built.redis.zrange(flight, 0, -1)]
    for name in started:
        await built.redis.zrem(flight, name)
        await built.redis.lpush(built.keys.grants("acme"), await now_ms(built))
    return started


async def due_at(built: Services, lane: str) -> float:
    return float(await built.redis.zscore(built.keys.lanes_due(), lane))


async def due_in_ms(built: Services, lane: str) -> float:
    return await due_at(built, lane) - await now_ms(built)


async def assert_due(built: Services, lane: str, *, in_ms: float, since_ms: int, slack_ms: float = SLACK_MS) -> None:
    """So long after an instant between then and now, in which it was decided: however long this machine took."""
    decided_ms = await due_at(built, lane) - in_ms
    now = await now_ms(built)
    assert since_ms - slack_ms <= decided_ms <= now + slack_ms, (since_ms, decided_ms, now)


async def turn_comes(built: Services, lane: str) -> None:
    """The instant that the lane was given is there."""
    assert await built.redis.hset(built.keys.lane(lane), "slot_at", await now_ms(built)) == 0


class TestLongBacklog:
    async def test_one_goes_and_the_next_an_eightieth_of_the_window_later(self, built: Services) -> None:
        await waiting(built, BILLS, 3 * LIMIT)
        began_ms = await now_ms(built)
        assert await goes(built, BILLS) == ["j-0"]
        assert await goes(built, BILLS) == []
        await assert_due(built, BILLS, in_ms=EVEN_MS, since_ms=began_ms)

    async def test_a_later_look_gives_no_other_instant(self, built: Services) -> None:
        """A push to the lane looks at it too."""
        await waiting(built, BILLS, 3 * LIMIT)
        await goes(built, BILLS)
        await goes(built, BILLS)
        before = await built.redis.hget(built.keys.lane(BILLS), "slot_at")
        for _ in range(3):
            assert await goes(built, BILLS) == []
        assert await built.redis.hget(built.keys.lane(BILLS), "slot_at") == before

    async def test_what_is_urgent_goes_at_once(self, built: Services) -> None:
        await waiting(built, BILLS, 3 * LIMIT)
        await goes(built, BILLS)
        assert await goes(built, BILLS) == []
        await waiting(built, BILLS, 3, priority="high", prefix="till")
        assert [await goes(built, BILLS) for _ in range(4)] == [["till-0"], ["till-1"], ["till-2"], []]

    async def test_what_is_urgent_does_not_wait_where_it_is_the_turn_of_the_others(self, built: Services) -> None:
        await waiting(built, BILLS, 3 * LIMIT)
        await goes(built, BILLS)
        await waiting(built, BILLS, 30, priority="high", prefix="till")
        for n in range(25):
            assert await goes(built, BILLS) == [f"till-{n}"]

    async def test_what_factus_may_hold_goes_at_once(self, built: Services) -> None:
        await waiting(built, BILLS, 3 * LIMIT)
        await goes(built, BILLS)
        await waiting(built, BILLS, 1, prefix="held")
        await built.redis.zadd(built.keys.waiting(BILLS), {"held-0": -1})
        assert await goes(built, BILLS) == ["held-0"]

    async def test_lanes_take_turns_however_quick_one_is(self, built: Services) -> None:
        lanes = (BILLS, NOTES, SUPPORT)
        for lane in lanes:
            await waiting(built, lane, 3 * LIMIT, prefix=lane)
        began_ms = await now_ms(built)
        await goes(built, BILLS)
        for lane in lanes:
            assert await goes(built, lane) == []
        for n, lane in enumerate(lanes, start=1):
            await assert_due(built, lane, in_ms=n * EVEN_MS, since_ms=began_ms)
        await turn_comes(built, BILLS)
        assert len(await goes(built, BILLS)) == 1
        assert await goes(built, BILLS) == []
        await assert_due(built, BILLS, in_ms=(len(lanes) + 1) * EVEN_MS, since_ms=began_ms)

    async def test_an_instant_that_has_come_is_kept(self, built: Services) -> None:
        await waiting(built, BILLS, 3 * LIMIT)
        await goes(built, BILLS)
        assert await goes(built, BILLS) == []
        await turn_comes(built, BILLS)
        assert await goes(built, BILLS) == ["j-1"]

    async def test_the_few_places_that_are_left_last_until_more_are_free(self, built: Services) -> None:
        """Four are left, and the next gets free in forty seconds."""
        await waiting(built, BILLS, 3 * LIMIT)
        began_ms = await granted(built, *[WINDOW_MS - 40_000] * (LIMIT - 4))
        assert await goes(built, BILLS) == ["j-0"]
        assert await goes(built, BILLS) == []
        await assert_due(built, BILLS, in_ms=40_000 / 3, since_ms=began_ms, slack_ms=1300)

    async def test_but_no_longer(self, built: Services) -> None:
        """Each of many lanes waits for a place of its own, none beyond the release of them all."""
        for lane in (BILLS, NOTES, SUPPORT):
            await waiting(built, lane, 3 * LIMIT, prefix=lane)
        await granted(built, *[WINDOW_MS - 20_000] * (LIMIT - 1))
        for lane in (BILLS, NOTES, SUPPORT):
            await goes(built, lane)
        assert await goes(built, BILLS) == []
        for lane in (BILLS, NOTES, SUPPORT):
            assert await due_in_ms(built, lane) < 20_000 + 4 * EVEN_MS

    async def test_a_used_up_allowance_is_waited_for_in_turn(self, built: Services) -> None:
        for lane in (BILLS, NOTES):
            await waiting(built, lane, 3 * LIMIT, prefix=lane)
        now = await granted(built, *[WINDOW_MS - 20_000] * LIMIT)
        for lane in (BILLS, NOTES):
            assert await goes(built, lane) == []
        assert await due_at(built, BILLS) - now == pytest.approx(20_000, abs=5)
        assert await due_at(built, NOTES) - now == pytest.approx(20_000 + EVEN_MS, abs=5)

    async def test_what_is_urgent_comes_before_them(self, built: Services) -> None:
        await waiting(built, BILLS, 3 * LIMIT)
        await granted(built, *[WINDOW_MS - 20_000] * LIMIT)
        assert await goes(built, BILLS) == []
        await waiting(built, NOTES, 1, priority="high", prefix="till")
        assert await goes(built, NOTES) == []
        due = built.keys.lanes_due()
        assert await built.redis.zscore(due, NOTES) < await built.redis.zscore(due, BILLS)

    async def test_a_clock_that_was_set_back_keeps_nobody(self, built: Services) -> None:
        far = await now_ms(built) + 10 * WINDOW_MS
        await built.redis.hset(built.keys.account("acme"), "slot_at", far)
        await built.redis.hset(built.keys.lane(BILLS), "slot_at", far)
        await waiting(built, BILLS, 3 * LIMIT)
        assert await goes(built, BILLS) == ["j-0"]
        assert await goes(built, BILLS) == []
        assert await due_in_ms(built, BILLS) < 2 * EVEN_MS


class TestShortBacklog:
    async def test_what_fits_goes_at_once(self, built: Services) -> None:
        await waiting(built, BILLS, LIMIT)
        assert [len(await goes(built, BILLS)) for _ in range(LIMIT)] == [1] * LIMIT

    async def test_what_needs_two_windows_leaves_a_tenth_for_what_is_urgent(self, built: Services) -> None:
        await waiting(built, BILLS, LIMIT + LIMIT // 2)
        n = 0
        while await goes(built, BILLS):
            n += 1
        assert n == pytest.approx(LIMIT - LIMIT // 10, abs=1)
        assert 1000 < await due_in_ms(built, BILLS) < WINDOW_MS / 7
        await waiting(built, BILLS, 3, priority="high", prefix="till")
        assert [await goes(built, BILLS) for _ in range(3)] == [["till-0"], ["till-1"], ["till-2"]]


async def test_places_that_others_use_are_not_ours(built: Services) -> None:
    """Somebody else takes a quarter: what is left is spread until the window of Factus is over."""
    await waiting(built, BILLS, 3 * LIMIT)
    now = await now_ms(built)
    seen = {"opened_at": now - 20_000, "seen_at": now - 1500, "seen_used": 50, "n_others": 20, "n_others_before": 20}
    await built.redis.hset(built.keys.account("acme"), mapping={"others_until": now + 10**6, **seen})
    await granted(built, *[1500 + 600 * n for n in range(30)])
    assert await goes(built, BILLS) == ["j-0"]
    assert await goes(built, BILLS) == []
    left = LIMIT - 50 - 1 - 2
    await assert_due(built, BILLS, in_ms=(WINDOW_MS - 20_000) / left, since_ms=now, slack_ms=3000)


async def test_a_lane_of_one_account_has_no_word_in_another(redis: Any, namespace: str) -> None:
    built = services_on(redis, namespace, an_account(rate_limit=LIMIT), an_account("zoo", rate_limit=LIMIT),
                        gateway=FakeFactus())  # fmt: skip
    await waiting(built, BILLS, 3 * LIMIT)
    await goes(built, BILLS)
    assert await goes(built, BILLS) == []
    keys, _ = LaneScriptArguments(built.keys, built.accounts).arguments("zoo/invoice")
    assert await redis.hget(keys.account, "slot_at") is None
