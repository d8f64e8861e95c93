"""Holds end in time: by themselves, by other credentials, and by an operator's word."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import SecretStr

from jobs import answers
from tests.service_in_process import an_account, services_on
from worker.queue.holds import AccountHolds, mark_of
from worker.store.keys import Keys

LONG = {"backoff_base": 200.0, "backoff_max": 300.0}

pytestmark = pytest.mark.service(**LONG)


HELD = {
    "credentials": answers.CredentialsRefused("invalid_grant"),
    "plan": answers.PaymentRequired("pago"),
    "address": answers.Misrouted(404),
    "no token": answers.NoToken("503", 503),
    "product": answers.Denied("product", "no tiene habilitada"),
    "conflict": answers.Conflicted("409"),
}


async def held(rig, factus, kind):
    factus.script = [HELD[kind]]
    await rig.push_bill("A")
    await factus.called("create")
    keys, redis = rig.services.keys, rig.services.redis
    places = (keys.account("acme"), keys.lane("acme/invoice"))
    while not any([await redis.hget(place, "hold_until") for place in places]):
        await redis.ping()
    return AccountHolds(rig.services.redis, rig.services.keys)


async def issued(rig):
    while (event := (await rig.events(1))[0])["job_id"] is None:
        continue
    return event


@pytest.mark.parametrize("kind", HELD)
async def test_an_operator_s_word_lifts_it(rig, factus, kind):
    holds = await held(rig, factus, kind)
    assert await holds.lift("acme") >= 1
    assert (await issued(rig))["type"] == "invoice.validated"
    assert await holds.lift("acme") == 0, "nothing is held any more"


async def test_other_credentials_lift_it_once_and_the_same_ones_do_not(rig, factus):
    holds = AccountHolds(rig.services.redis, rig.services.keys)
    first = {"acme": an_account()}
    other = {"acme": an_account(password=SecretStr("otra-clave"))}
    await holds.heed_credentials(first)
    await held(rig, factus, "credentials")
    await rig.services.redis.hset(rig.services.keys.token("acme"), "access", "old")
    await holds.heed_credentials(first)
    assert await rig.services.redis.hget(rig.services.keys.account("acme"), "hold_until")
    await holds.heed_credentials(other)
    assert not await rig.services.redis.exists(rig.services.keys.token("acme"))
    assert (await issued(rig))["type"] == "invoice.validated"


async def test_what_factus_asked_to_wait_for_stays(redis, namespace):
    built = services_on(redis, namespace)
    await redis.hset(built.keys.account("acme"), mapping={"hold_until": 9e12, "hold_reason": "factus.throttled"})
    assert await AccountHolds(redis, built.keys).lift("acme") == 0
    assert await redis.hget(built.keys.account("acme"), "hold_until")


async def test_an_account_that_nobody_knows_is_not_held(redis, namespace):
    built = services_on(redis, namespace)
    assert await AccountHolds(redis, built.keys).lift("nobody") == 0


async def test_the_mark_tells_nothing_of_the_secrets(redis, namespace):
    account = an_account(password=SecretStr("clave-muy-secreta"), client_id=SecretStr("id-muy-secreto"))
    built = services_on(redis, namespace, account)
    await AccountHolds(redis, built.keys).heed_credentials(built.accounts)
    mark = (await redis.hget(built.keys.account("acme"), "credentials")).decode()
    salt = mark.partition(":")[0]
    assert mark == mark_of(account, salt) != mark_of(account, "other")
    assert "secret" not in mark
    for change in (
        {"base_url": "http://127.0.0.1:10"},
        {"username": SecretStr("y")},
        {"client_secret": SecretStr("y")},
    ):
        assert mark_of(account.model_copy(update=change), salt) != mark


class TestManyAccounts:
    """A start with a thousand accounts must not take a slow hash for each."""

    N = 80

    def accounts(self, **changed):
        names = [f"a{n}" for n in range(self.N)]
        return {
            name: an_account(name, **({"password": SecretStr(changed[name])} if name in changed else {}))
            for name in names
        }

    async def hashes_of(self, monkeypatch, holds, accounts, **how):
        n, real = [], hashlib.scrypt
        with monkeypatch.context() as patch:
            patch.setattr(hashlib, "scrypt", lambda *a, **k: n.append(1) or real(*a, **{**k, "n": 2}))
            await holds.heed_credentials(accounts, **how)
        return len(n)

    async def test_what_is_as_it_was_costs_one_for_a_bucket(self, monkeypatch, redis, namespace):
        holds = AccountHolds(redis, Keys(namespace))
        assert await self.hashes_of(monkeypatch, holds, self.accounts(), new=False) == 0, "nobody waits for new ones"
        assert await self.hashes_of(monkeypatch, holds, self.accounts()) >= self.N
        assert await self.hashes_of(monkeypatch, holds, self.accounts(), new=False) <= 32

    async def test_one_that_changed_is_seen_among_them(self, monkeypatch, redis, namespace):
        keys = Keys(namespace)
        holds = AccountHolds(redis, keys)
        await self.hashes_of(monkeypatch, holds, self.accounts())
        for name in ("a7", "a8"):
            await redis.hset(keys.token(name), "access", "old")
        assert await self.hashes_of(monkeypatch, holds, self.accounts(a7="otra"), new=False) < self.N
        assert not await redis.exists(keys.token("a7"))
        assert await redis.exists(keys.token("a8"))

    async def test_a_worker_with_others_in_between_is_seen(self, monkeypatch, redis, namespace):
        """Its token may be another company's."""
        keys = Keys(namespace)
        holds = AccountHolds(redis, keys)
        await self.hashes_of(monkeypatch, holds, self.accounts())
        await self.hashes_of(monkeypatch, holds, {"a7": an_account("a7", password=SecretStr("otra"))})
        await redis.hset(keys.token("a7"), "access", "of the others")
        await self.hashes_of(monkeypatch, holds, self.accounts(), new=False)
        assert not await redis.exists(keys.token("a7"))
