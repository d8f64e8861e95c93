"""Holds end in time: by themselves, by other credentials, and by an operator's word."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from jobs import answers
from tests.service_in_process import an_account, services_on
from worker.queue.holds import AccountHolds, mark_of

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
