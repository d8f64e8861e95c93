"""One token for all workers, and one request for a new one."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from jobs import answers
from worker.factus.token_cache import _TOLD, Issued, Token, TokenCache
from worker.store.keys import Keys
from worker.store.scripts import Scripts


class Issuer:
    """Factus's token endpoint, counted. It answers when *gate* is open, and says when it was first asked."""

    def __init__(self, *, life_s: int = 3600, gate: asyncio.Event | None = None):
        self.n = 0
        self.life_s = life_s
        self.gate = gate
        self.asked = asyncio.Event()

    async def __call__(self):
        self.n += 1
        number = self.n
        self.asked.set()
        if self.gate:
            await self.gate.wait()
        return Issued(f"token-{number}", self.life_s)


class Opening(Scripts):
    """Scripts that open a gate when the one named has run *n* times."""

    def __init__(self, redis, name: str, n: int, gate: asyncio.Event):
        super().__init__(redis)
        self.name = name
        self.left = n
        self.gate = gate

    async def run(self, name, keys, args, **how):
        reply = await super().run(name, keys, args, **how)
        self.left -= name == self.name
        if self.left <= 0:
            self.gate.set()
        return reply


@pytest.fixture
def caches(redis, namespace):
    """As many processes as asked for."""
    return lambda n: [TokenCache(Scripts(redis), Keys(namespace), "acme", f"w{i}") for i in range(n)]


async def test_a_hundred_callers_in_four_processes_cause_one_request(redis, namespace):
    gate = asyncio.Event()
    # Factus answers when all four have asked for the token, and none has one.
    issuer, scripts = Issuer(gate=gate), Opening(redis, "token_get", 4, gate)
    caches = [TokenCache(scripts, Keys(namespace), "acme", f"w{n}") for n in range(4)]
    found = await asyncio.gather(*(cache.get(issuer) for cache in caches for _ in range(25)))
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
        return answers.CredentialsRefused("invalid_grant")

    (cache,) = caches(1)
    found = await asyncio.gather(*(cache.get(refuse) for _ in range(25)))
    assert {type(seen) for seen in found} == {answers.CredentialsRefused}
    assert issuer.n == 1
    await cache.get(refuse)
    assert issuer.n == 2, "who comes later asks again: somebody may have mended it"


INSTEAD_OF_A_TOKEN = [
    answers.CredentialsRefused("invalid_grant"),
    answers.NoToken("ilegible", 200),
    answers.Misrouted(404, at_token=True),
    answers.NotSent("sin conexión"),
    answers.PaymentRequired("plan"),
    *(answers.Denied(kind, "no") for kind in get_args(answers.DeniedKind)),
]


def test_every_kind_that_is_told_is_tried():
    assert {type(seen).__name__ for seen in INSTEAD_OF_A_TOKEN} == set(_TOLD)


@pytest.mark.parametrize("seen", INSTEAD_OF_A_TOKEN, ids=repr)
async def test_whatever_the_leader_has_seen_reaches_who_waits_as_it_is(redis, namespace, seen):
    """Also in another process, so by way of Redis."""
    gate, n_asked = asyncio.Event(), 0
    scripts = Opening(redis, "token_get", 2, gate)
    one, two = (TokenCache(scripts, Keys(namespace), "acme", name) for name in ("w1", "w2"))

    async def refuse():
        nonlocal n_asked
        n_asked += 1
        await gate.wait()
        return seen

    assert await asyncio.gather(one.get(refuse), two.get(refuse)) == [seen, seen]
    assert n_asked == 1


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff", b"null", b"1", b"[]", b'"ab"', b'["NoToken"]', b'["Nothing",{}]', b'["NoToken",{"status":1}]',
     b'["NoToken",1]', b'[["NoToken"],{}]', b'[{},{}]', b'{"kind":"version","message":"no","status":403}'],
)  # fmt: skip
async def test_what_nobody_of_us_has_written_is_not_taken_for_an_answer(caches, redis, namespace, text):
    """Another version's, or a hand's in Redis, and it may have no end: the token endpoint is asked."""
    issuer, (cache,) = Issuer(), caches(1)
    keys = Keys(namespace)
    await redis.set(keys.token_refused("acme"), text)
    await redis.set(keys.token_lock("acme"), "another", px=100)
    assert isinstance(await cache.get(issuer), Token)
    assert issuer.n == 1


async def test_refused_credentials_reach_the_caller_and_free_the_lead(caches, redis, namespace):
    async def refuse():
        return answers.CredentialsRefused("invalid_grant")

    (cache,) = caches(1)
    assert await cache.get(refuse) == answers.CredentialsRefused("invalid_grant")
    assert isinstance(await cache.get(Issuer()), Token)


async def test_a_leader_that_dies_in_the_middle_frees_the_lead(caches):
    never = Issuer(gate=asyncio.Event())
    one, two = caches(2)
    task = asyncio.create_task(one.get(never))
    await never.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert isinstance(await two.get(Issuer()), Token)


async def test_a_token_near_its_end_is_renewed_by_one_while_the_others_use_it(caches, redis, namespace):
    token, (one, two, three) = Keys(namespace).token("acme"), caches(3)
    await one.get(Issuer(life_s=1000))
    left_ms = int(await redis.hget(token, "expires_at")) - 970_000  # in the last fifth of its life, and not dead yet
    await redis.hset(token, "expires_at", left_ms)
    issuer = Issuer(gate=asyncio.Event())
    renewing = asyncio.create_task(two.get(issuer))
    await issuer.asked.wait()
    meanwhile = await three.get(issuer)
    issuer.gate.set()
    renewed = await renewing
    assert (meanwhile.access, meanwhile.generation, renewed.generation, issuer.n) == ("token-1", 1, 2, 1)


async def test_a_token_that_lives_shortly_is_not_fetched_at_every_call(caches):
    issuer, (cache,) = Issuer(life_s=60), caches(1)
    for _ in range(5):
        await cache.get(issuer)
    assert issuer.n == 1


async def test_a_slow_request_keeps_its_lead(redis, namespace):
    """The lock is short for the sake of killed leaders; a living one renews it."""
    gate = asyncio.Event()
    issuer, scripts = (
        Issuer(gate=gate),
        Opening(redis, "acquire_leadership", 5, gate),
    )  # renewed five times: longer than the lock
    one, two = (TokenCache(scripts, Keys(namespace), "acme", name, lock_ms=900) for name in ("w1", "w2"))
    found = await asyncio.gather(one.get(issuer), two.get(issuer))
    assert ([token.access for token in found], issuer.n) == (["token-1", "token-1"], 1)


async def test_a_leader_that_lost_the_lead_does_not_overwrite(caches, redis, namespace):
    """Its request was slower than the lock; somebody else's token stands."""
    keys, (one, two) = Keys(namespace), caches(2)
    slow = Issuer(gate=asyncio.Event())
    task = asyncio.create_task(one.get(slow))
    await slow.asked.wait()
    await redis.delete(keys.token_lock("acme"))
    await two.get(Issuer())
    slow.gate.set()
    assert (await task).access == "token-1"
    assert await redis.hget(keys.token("acme"), "access") == b"token-1"


def test_a_token_does_not_show_itself():
    assert "secret" not in repr(Token("secret", 1, 0.0)) + repr(Issued("secret", 1))
