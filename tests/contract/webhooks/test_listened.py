"""Which streams ``webhooks listen`` reads, on a real server: those that are there, and those that come."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from schemas.contract.event import stream_fields
from tests.webhooks_rig import an_event
from worker.cli.results.reader import followed
from worker.cli.webhooks.listened import Listened
from worker.store.keys import Keys


async def publish(redis, stream, id_):
    await redis.xadd(stream, dict(stream_fields(an_event(account="own", id=id_))))


@pytest.mark.parametrize("is_there", [True, False], ids=["with events", "that has published nothing"])
@pytest.mark.parametrize("known", ["by its settings", "served", "served later"])
async def test_an_own_stream_is_listened_to_from_the_beginning_on(real_redis, namespace, known, is_there):
    """Only streams that were there at the start were read, so the first events of a new account went nowhere."""
    keys, now = Keys(namespace), 0.0
    listened = Listened(real_redis, keys, {"own"} if known == "by its settings" else (), clock=lambda: now)
    if is_there:
        await publish(real_redis, keys.results("own"), "own/before/1")
    if known == "served":
        await real_redis.zadd(keys.served_accounts(), {"own": 1})
    first, _ = await real_redis.time()
    while is_there and (await real_redis.time())[0] == first:
        pass  # what is there is older than the beginning
    await listened.begin()
    if known == "served later":
        await real_redis.zadd(keys.served_accounts(), {"own": 1})
    for n in (1, 2):
        await publish(real_redis, keys.results("own"), f"own/y/{n}")
    now += 2
    async with aclosing(followed(real_redis, listened.places, listened.look)) as events:
        raws = [(await anext(events)).raw, (await anext(events)).raw]
    assert [b"own/y/1" in raws[0], b"own/y/2" in raws[1]] == [True, True]


async def test_streams_are_asked_for_now_and_then(real_redis, namespace):
    keys, now = Keys(namespace), 0.0
    listened = Listened(real_redis, keys, (), clock=lambda: now)
    await listened.begin()
    await real_redis.zadd(keys.served_accounts(), {"own": 1})
    await publish(real_redis, keys.results("own"), "own/y/1")
    now = 1.9
    await listened.look()
    assert keys.results("own") not in listened.places
    now = 2.0
    await listened.look()
    assert keys.results("own") in listened.places
