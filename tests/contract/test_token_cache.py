"""One token for all workers, and one request for a new one."""

from __future__ import annotations

import asyncio

import pytest

from jobs import seen as s
from worker.keys import Keys
from worker.lua import Scripts
from worker.token_cache import Issued, Token, TokenCache


class Issuer:
    """Factus's token endpoint, counted."""

    def __init__(self, *, delay_s: float = 0.02, life_s: int = 3600):
        self.n = 0
        self.delay_s = delay_s
        self.life_s = life_s

    async def __call__(self):
        self.n += 1
        number = self.n
        await asyncio.sleep(self.delay_s)
        return Issued(f"token-{number}", self.life_s)


@pytest.fixture
def caches(redis, namespace):
    """As many processes as asked for."""
    return lambda n: [TokenCache(Scripts(redis), Keys(namespace), "acme", f"w{i}") for i in range(n)]


async def test_a_hundred_callers_in_four_processes_cause_one_request(caches):
    issuer = Issuer()
    found = await asyncio.gather(*(cache.get(issuer) for cache in caches(4) for _ in range(25)))
    assert issuer.n == 1
    assert {token.access for token in found} == {"token-1"}


async def test_a_storm_of_401s_causes_one_refresh(caches):
    issuer, workers = Issuer(), caches(4)
    first = await workers[0].get(issuer)
    found = await asyncio.gather(
        *(cache.get(issuer, refused_generation=first.generation) for cache in workers for _ in range(25))
    )
    assert issuer.n == 2
    assert {token.access for token in found} == {"token-2"}


async def test_a_worker_that_comes_late_with_an_old_401_gets_the_new_token(caches):
    issuer, (one, two) = Issuer(), caches(2)
    old = await one.get(issuer)
    await two.get(issuer)
    await one.get(issuer, refused_generation=old.generation)
    found = await two.get(issuer, refused_generation=old.generation)
    assert (found.access, issuer.n) == ("token-2", 2)


async def test_one_refusal_is_everybody_s_who_waited_for_it(caches):
    issuer = Issuer()

    async def refuse():
        await issuer()
        return s.CredentialsRefused("invalid_grant")

    (cache,) = caches(1)
    found = await asyncio.gather(*(cache.get(refuse) for _ in range(25)))
    assert {type(seen) for seen in found} == {s.CredentialsRefused}
    assert issuer.n == 1
    await cache.get(refuse)
    assert issuer.n == 2, "who comes later asks again: somebody may have mended it"


async def test_refused_credentials_reach_the_caller_and_free_the_lead(caches, redis, namespace):
    async def refuse():
        return s.CredentialsRefused("invalid_grant")

    (cache,) = caches(1)
    assert await cache.get(refuse) == s.CredentialsRefused("invalid_grant")
    assert isinstance(await cache.get(Issuer()), Token)


async def test_a_leader_that_dies_in_the_middle_frees_the_lead(caches):
    async def hang():
        await asyncio.Event().wait()

    one, two = caches(2)
    task = asyncio.create_task(one.get(hang))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await two.get(Issuer()), Token)


async def test_a_token_near_its_end_is_renewed_by_one_while_the_others_use_it(caches):
    issuer, (one, two) = Issuer(life_s=2), caches(2)
    await one.get(issuer)
    await asyncio.sleep(1.65)  # the last fifth of its life
    renewing = asyncio.create_task(one.get(issuer))
    await asyncio.sleep(0.005)
    meanwhile = await two.get(issuer)
    renewed = await renewing
    assert (meanwhile.access, renewed.access, issuer.n) == ("token-1", "token-2", 2)


async def test_a_token_that_lives_shortly_is_not_fetched_at_every_call(caches):
    issuer, (cache,) = Issuer(life_s=60), caches(1)
    for _ in range(5):
        await cache.get(issuer)
    assert issuer.n == 1


async def test_a_slow_request_keeps_its_lead(caches, monkeypatch):
    """The lock is short for the sake of killed leaders; a living one renews it."""
    monkeypatch.setattr("worker.token_cache._LOCK_MS", 300)
    issuer, (one, two) = Issuer(delay_s=1.0), caches(2)
    found = await asyncio.gather(one.get(issuer), two.get(issuer))
    assert ([token.access for token in found], issuer.n) == (["token-1", "token-1"], 1)


async def test_a_leader_that_lost_the_lead_does_not_overwrite(caches, redis, namespace):
    """Its request was slower than the lock; somebody else's token stands."""
    keys, (one, two) = Keys(namespace), caches(2)
    gate = asyncio.Event()

    async def slow():
        await gate.wait()
        return Issued("late", 3600)

    task = asyncio.create_task(one.get(slow))
    await asyncio.sleep(0.02)
    await redis.delete(keys.token_lock("acme"))
    await two.get(Issuer())
    gate.set()
    assert (await task).access == "token-1"
    assert await redis.hget(keys.token("acme"), "access") == b"token-1"


def test_a_token_does_not_show_itself():
    assert "secret" not in repr(Token("secret", 1, 0.0)) + repr(Issued("secret", 1))
