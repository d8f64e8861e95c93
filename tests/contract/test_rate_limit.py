"""One allowance for all: never more than the limit in any window, whoever asks."""

from __future__ import annotations

import asyncio

import pytest

from jobs.errors import LeaseLost
from tests.records import a_job
from tests.service_in_process import an_account
from worker.factus.rate_limit import DeadlinePassed, Granted, NoPermitYet, RateLimit, SendMark, limit_window_ms
from worker.store.keys import Keys
from worker.store.scripts import Scripts


@pytest.fixture
def limit_of(redis, namespace):
    def make(**account) -> RateLimit:
        return RateLimit(
            Scripts(redis), Keys(namespace), an_account(**{"rate_limit": 5, "rate_window": 0.5, **account})
        )

    return make


async def test_the_limit_is_granted_and_not_one_more(limit_of):
    limit = limit_of()
    found = [await limit.acquire(patience_s=0) for _ in range(6)]
    assert [type(one) for one in found] == [Granted] * 5 + [NoPermitYet]
    assert 0 < found[-1].wait_s <= 1.0


async def test_in_any_window_over_many_askers(limit_of):
    """Twelve tasks of three processes' worth of objects, against five in a window of 0.55 s."""
    limits = [limit_of(rate_window=0.5) for _ in range(3)]
    at: list[int] = []

    async def ask(limit):
        for _ in range(2):
            found = await limit.acquire(patience_s=10)
            assert isinstance(found, Granted)
            at.append(found.at_ms)

    await asyncio.gather(*(ask(limits[n % 3]) for n in range(6)))
    at.sort()
    assert len(at) == 12
    assert all(later - earlier >= 550 for earlier, later in zip(at, at[5:], strict=False)), at


@pytest.mark.parametrize(("ahead_ms", "is_free"), [(3_600_000, True), (400, False)])
async def test_a_clock_that_was_set_back_stops_no_account_for_as_long(limit_of, redis, namespace, ahead_ms, is_free):
    """What was granted before lies ahead of the clock then: it is waited for as if it had been granted now, at most."""
    limit = limit_of()
    for _ in range(5):
        await limit.acquire(patience_s=0)
    grants = Keys(namespace).grants("acme")
    noted = [int(at) + ahead_ms for at in await redis.lrange(grants, 0, -1)]
    await redis.delete(grants)
    await redis.rpush(grants, *noted)
    found = await limit.acquire(patience_s=0)
    assert isinstance(found, Granted) is is_free


async def test_accounts_do_not_share(limit_of):
    first, second = limit_of(), limit_of(name="other")
    for _ in range(5):
        await first.acquire(patience_s=0)
    assert isinstance(await second.acquire(patience_s=0), Granted)


async def test_a_hold_stops_everybody(limit_of):
    limit = limit_of()
    held_s = await limit.throttled(2.0)
    found = await limit_of().acquire(patience_s=0)
    assert isinstance(found, NoPermitYet)
    assert 0 < found.wait_s <= held_s + 0.01


async def test_a_429_that_our_requests_explain_widens_the_window(limit_of, redis, namespace):
    limit = limit_of(rate_window=10.0)
    for _ in range(5):
        await limit.acquire(patience_s=0)
    await limit.throttled(2.0)
    margin, others = await redis.hmget(Keys(namespace).account("acme"), "margin_ms", "others_until")
    assert (margin, others) == (b"250", None)


async def test_a_429_that_they_do_not_explain_is_somebody_else(limit_of, redis, namespace):
    limit = limit_of(rate_window=10.0)
    for _ in range(4):
        await limit.acquire(patience_s=0)
    await limit.throttled(2.0)
    margin, others = await redis.hmget(Keys(namespace).account("acme"), "margin_ms", "others_until")
    assert margin is None
    assert int(others) > 0


async def test_a_margin_that_nothing_has_asked_for_in_six_hours_is_halved(limit_of, redis, namespace):
    account = Keys(namespace).account("acme")
    six_hours_ago = int((await redis.time())[0] * 1000) - 6 * 3600 * 1000 - 1000
    await redis.hset(account, mapping={"margin_ms": 1000, "throttled_at": six_hours_ago})
    for _ in range(3):
        await limit_of().acquire(patience_s=0)
    assert await redis.hget(account, "margin_ms") == b"500"


@pytest.mark.parametrize(
    ("window_s", "margin_ms"), [(60, 250), (120, 250), (20, 83), (6, 50), (1, 50)], ids=lambda value: f"{value}"
)
def test_the_margin_is_a_quarter_of_a_second_in_a_minute(window_s, margin_ms):
    assert limit_window_ms(an_account(rate_window=window_s)) == window_s * 1000 + margin_ms


async def test_a_hold_is_never_longer_than_two_minutes(limit_of):
    assert await limit_of().throttled(100_000.0) < 121


async def test_no_hold_is_longer_than_the_longest_pause_of_the_settings(redis, namespace):
    """Whatever its cause: a job ends by its deadline whatever Factus asks for."""
    limit = RateLimit(Scripts(redis), Keys(namespace), an_account(), longest_hold_s=1.0)
    assert await limit.throttled(100_000.0) < 2


class TestOthers:
    """Somebody else uses the account's user: Factus counts both, and says how many are left with each answer."""

    async def granted(self, limit) -> Granted:
        found = await limit.acquire(patience_s=0)
        assert isinstance(found, Granted), found
        return found

    async def test_an_allowance_that_is_used_up_is_waited_for(self, limit_of):
        limit = limit_of(rate_window=10.0)
        first = await self.granted(limit)
        assert await limit.note_usage(5, first) == 4
        found = await limit.acquire(patience_s=0)
        assert isinstance(found, NoPermitYet)
        assert 9 < found.wait_s <= 10.1

    async def test_our_own_requests_are_not_taken_for_others(self, limit_of, redis, namespace):
        limit = limit_of(rate_window=10.0)
        for _ in range(5):
            last = await self.granted(limit)
        assert await limit.note_usage(5, last) == 0
        assert await redis.hget(Keys(namespace).account("acme"), "others_until") is None

    async def test_after_the_first_429_what_factus_counts_bounds_what_is_sent(self, limit_of, redis, namespace):
        """Twenty of the eighty are somebody else's: we send sixty, less what may have come since, and wait."""
        limit = limit_of(rate_limit=80, rate_window=10.0)
        await limit.throttled(0.0)
        await redis.hdel(Keys(namespace).account("acme"), "hold_until")
        opener = await self.granted(limit)
        assert opener.is_shared
        await limit.note_usage(21, opener)
        n = 0
        while isinstance(found := await limit.acquire(patience_s=0), Granted):
            n += 1
        assert 50 <= n <= 58
        assert found.wait_s > 8

    async def test_answers_in_another_order_are_not_another_window(self, limit_of, redis, namespace):
        limit = limit_of(rate_limit=80, rate_window=10.0)
        await limit.throttled(0.0)
        await redis.hdel(Keys(namespace).account("acme"), "hold_until")
        grants = [await self.granted(limit) for _ in range(4)]
        for n in (2, 0, 3, 1):
            await limit.note_usage(n + 1, grants[n])
        seen = await redis.hmget(Keys(namespace).account("acme"), "opened_at", "n_others")
        assert seen == [str(grants[0].at_ms).encode(), b"0"]

    async def test_another_window_is_seen_by_what_is_left(self, limit_of, redis, namespace):
        limit = limit_of(rate_limit=80, rate_window=10.0)
        account = Keys(namespace).account("acme")
        await limit.throttled(0.0)
        await redis.hdel(account, "hold_until")
        await limit.note_usage(60, await self.granted(limit))
        await asyncio.sleep(0.01)
        later = await self.granted(limit)
        await limit.note_usage(3, later)
        assert await redis.hmget(account, "opened_at", "seen_used") == [str(later.at_ms).encode(), b"3"]

    async def test_it_is_forgotten_after_a_day_without_them(self, limit_of, redis, namespace):
        limit = limit_of(rate_window=10.0)
        await limit.note_usage(5, await self.granted(limit))
        await redis.hset(Keys(namespace).account("acme"), "others_until", 1)
        assert not (await self.granted(limit)).is_shared


class TestWithAJob:
    @pytest.fixture
    async def mark(self, redis, namespace):
        key = Keys(namespace).job("acme", "job-1")
        await redis.hset(key, mapping=a_job(fence=3).to_hash())
        return SendMark(key, 3, 0)

    async def test_the_permit_and_the_record_are_one_step(self, limit_of, mark, redis):
        granted = await limit_of().acquire(patience_s=0, mark=mark)
        sent, at, attempts = await redis.hmget(mark.job_key, "sent", "sending_at", "attempts")
        assert (sent, int(at), attempts) == (b"sending", granted.at_ms, b"1")

    async def test_without_a_permit_nothing_is_marked(self, limit_of, mark, redis):
        limit = limit_of(rate_limit=1)
        await limit.acquire(patience_s=0)
        assert isinstance(await limit.acquire(patience_s=0, mark=mark), NoPermitYet)
        assert await redis.hget(mark.job_key, "sent") is None

    async def test_a_stale_owner_gets_none_and_uses_none(self, limit_of, mark, redis, namespace):
        with pytest.raises(LeaseLost):
            await limit_of().acquire(patience_s=0, mark=SendMark(mark.job_key, 2, 0))
        assert await redis.llen(Keys(namespace).grants("acme")) == 0

    async def test_past_the_latest_instant_there_is_none(self, limit_of, mark):
        assert await limit_of().acquire(patience_s=0, mark=SendMark(mark.job_key, 3, 1)) == DeadlinePassed()
