"""One allowance for all: never more than the limit in any window, whoever asks."""

from __future__ import annotations

import asyncio

import pytest

from jobs.errors import LeaseLost
from tests.records import a_job
from tests.service_in_process import an_account
from worker.factus.rate_limit import DeadlinePassed, Granted, NoPermitYet, RateLimit, SendMark
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
    """Twelve tasks of three processes' worth of objects, against five in a window of a second."""
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
    assert all(later - earlier >= 1000 for earlier, later in zip(at, at[5:], strict=False)), at


async def test_accounts_do_not_share(limit_of):
    first, second = limit_of(), limit_of(name="other")
    for _ in range(5):
        await first.acquire(patience_s=0)
    assert isinstance(await second.acquire(patience_s=0), Granted)


async def test_a_hold_stops_everybody_and_widens_the_window(limit_of, redis, namespace):
    limit = limit_of()
    held_s = await limit.throttled(2.0)
    found = await limit_of().acquire(patience_s=0)
    assert isinstance(found, NoPermitYet)
    assert found.wait_s == pytest.approx(held_s, abs=0.2)
    assert await redis.hget(Keys(namespace).account("acme"), "margin_ms") == b"250"


async def test_a_hold_is_never_longer_than_two_minutes(limit_of):
    assert await limit_of().throttled(100_000.0) < 121


async def test_no_hold_is_longer_than_the_longest_pause_of_the_settings(redis, namespace):
    """Whatever its cause: a job ends by its deadline whatever Factus asks for."""
    limit = RateLimit(Scripts(redis), Keys(namespace), an_account(), longest_hold_s=1.0)
    assert await limit.throttled(100_000.0) < 2


async def test_calls_of_others_are_entered_and_ours_wait(limit_of):
    limit = limit_of()
    await limit.acquire(patience_s=0)
    assert await limit.adopt_remote_usage(4) == 3
    assert isinstance(await limit.acquire(patience_s=0), Granted)
    assert isinstance(await limit.acquire(patience_s=0), NoPermitYet)


async def test_our_own_calls_are_not_taken_for_others(limit_of):
    limit = limit_of()
    for _ in range(4):
        await limit.acquire(patience_s=0)
    assert await limit.adopt_remote_usage(4) == 0


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
