"""Where an endpoint stands in the streams, on a real server: what it takes, what was trimmed, what comes back."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from jobs.webhooks.places import Place, written
from jobs.webhooks.schedule import SchedulePolicy
from jobs.webhooks.verdict import Answer
from schemas.contract.event import stream_fields
from tests.webhooks_rig import FakeEndpoints, an_endpoint, an_event, hooks, ids_of, quick
from worker.store.keys import Keys
from worker.webhooks.streams import event_streams

BAD = Answer(500)
SLOW = quick(schedule=SchedulePolicy(steps_s=(3600.0,) * 9))
"""A policy under which what has failed is not tried again in a test."""


async def a_new_second(redis):
    """The first place of an endpoint is of whole seconds: what is to come behind it waits for the server's next one."""
    first, _ = await redis.time()
    while (await redis.time())[0] == first:
        await asyncio.sleep(0.01)


class TestPlaces:
    async def test_new_begins_behind_what_is_there_and_all_before_it(self, real_redis, valkey_url, namespace):
        keys = f"{namespace}:results"
        old = an_event()
        await real_redis.xadd(keys, dict(stream_fields(old)))
        endpoints = an_endpoint("new", start="new"), an_endpoint("all", start="all")
        async with hooks(real_redis, valkey_url, namespace, *endpoints) as rig:
            await rig.empty("all")
            await rig.until(lambda: self.has_begun(rig, "new"))
            event = an_event()
            await rig.publish(event)
            for name in ("new", "all"):
                await rig.empty(name)
            got = {name: [one.message for one in rig.sender.of(name)] for name in ("new", "all")}
        assert got == {"new": ids_of(event), "all": ids_of(old, event)}

    @pytest.mark.parametrize("start", ["new", "all"])
    @pytest.mark.parametrize("ahead", [(0,), (1,), (0, 1)], ids=["results", "radian", "both"])
    async def test_a_stream_ahead_of_the_clock_hides_nothing(self, real_redis, valkey_url, namespace, ahead, start):
        """A clock that was set back leaves it; each stream has a place of its own."""
        streams = Keys(namespace).results(), Keys(namespace).radian()
        old = [an_event() for _ in ahead]
        for n, event in zip(ahead, old, strict=True):
            ms = int((await real_redis.time())[0]) * 1000 + (n + 1) * 3_600_000
            await real_redis.xadd(streams[n], dict(stream_fields(event)), id=f"{ms}-0")
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(start=start)) as rig:
            await rig.until(lambda: self.has_begun(rig, "shop"))
            events = [an_event() for _ in range(12)]
            for n, event in enumerate(events):
                await rig.publish(event, streams[n % 2])
            wanted = Counter(ids_of(*(old if start == "all" else []), *events))
            await rig.until(lambda: len(rig.sender.received) >= wanted.total())
            await rig.empty()
            assert Counter(one.message for one in rig.sender.received) == wanted

    async def has_begun(self, rig, name):
        return await rig.redis.hexists(rig.service.book.keys.hook_places(), name)

    async def test_a_place_is_kept_over_restarts(self, real_redis, valkey_url, namespace):
        endpoint = an_endpoint(start="new")
        async with hooks(real_redis, valkey_url, namespace, endpoint) as rig:
            await rig.until(lambda: self.has_begun(rig, "shop"))
        event = an_event()
        await rig.publish(event)
        async with hooks(real_redis, valkey_url, namespace, endpoint) as rig:
            await rig.empty()
            assert [one.message for one in rig.sender.received] == ids_of(event)

    async def test_deliveries_survive_a_stream_that_is_trimmed(self, real_redis, valkey_url, namespace):
        gate = asyncio.Event()
        sender = FakeEndpoints(gates={"shop": gate})
        async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
            events = [an_event() for _ in range(20)]
            for event in events:
                await rig.publish(event)

            async def all_wait() -> bool:
                return await rig.waiting() == 20

            await rig.until(all_wait)
            await real_redis.xtrim(rig.service.book.keys.results(), maxlen=0, approximate=False)
            gate.set()
            await rig.until(lambda: len(sender.received) == 20)
        assert Counter(one.message for one in sender.received) == Counter(ids_of(*events))
        assert not (await rig.service.book.states(["shop"]))["shop"].n_gone

    async def test_what_was_trimmed_unread_is_counted_and_told(self, real_redis, valkey_url, namespace):
        async with hooks(real_redis, valkey_url, namespace) as rig:
            await rig.publish(an_event())
            await rig.empty()
        for _ in range(7):
            await rig.publish(an_event())
        await real_redis.xtrim(f"{namespace}:results", maxlen=2, approximate=False)
        async with hooks(real_redis, valkey_url, namespace) as rig:
            await rig.empty()
            state = (await rig.service.book.states(["shop"]))["shop"]
            assert state.n_gone == 5
            assert state.gone_at_ms
            assert len(rig.sender.received) == 2
            await rig.publish(an_event())
            await rig.empty()
            assert (await rig.service.book.states(["shop"]))["shop"].n_gone == 5, "told once"

    async def test_own_streams_are_read_also_when_they_come_later(self, real_redis, valkey_url, namespace):
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(start="new")) as rig:
            await rig.until(lambda: self.has_begun(rig, "shop"))
            keys = rig.service.book.keys
            await a_new_second(real_redis)
            event = an_event(account="own", id="own/x/1")
            await rig.publish(event, keys.results("own"))
            await real_redis.zadd(keys.served_accounts(), {"own": 1})
            await rig.until(lambda: len(rig.sender.received) == 1)
        assert [one.message for one in rig.sender.received] == ids_of(event)

    async def own_stream_read(self, real_redis, valkey_url, namespace, start="new"):
        """An endpoint that has had the event of an own stream, whose account nobody has served for a day since."""
        keys = Keys(namespace)
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(start=start)) as rig:
            await rig.until(lambda: self.has_begun(rig, "shop"))
            await a_new_second(real_redis)
            event = an_event(account="own", id="own/x/1")
            await rig.publish(event, keys.results("own"))
            await real_redis.zadd(keys.served_accounts(), {"own": 1})
            await rig.until(lambda: len(rig.sender.received) == 1)
            await rig.looked()
        await real_redis.zrem(keys.served_accounts(), "own")
        return keys, event

    async def got(self, real_redis, valkey_url, namespace, keys, *, own=(), common=1):
        """What a process delivers that is started now: *own* in the account's stream, and so many common events."""
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(start="new")) as rig:
            for event in own:
                await rig.publish(event, keys.results("own"))
            others = [an_event() for _ in range(common)]
            for event in others:
                await rig.publish(event)
                await rig.empty()
            await rig.until(lambda: len(rig.sender.received) >= len(own) + common)
            await rig.looked()
            assert Counter(one.message for one in rig.sender.received) == Counter(ids_of(*own, *others))
            return (await rig.service.book.states(["shop"]))["shop"]

    async def test_an_own_stream_is_read_on_where_it_was_left(self, real_redis, valkey_url, namespace):
        """The worker of an account is down for a weekend, while others work: nothing of it goes out again."""
        keys, _ = await self.own_stream_read(real_redis, valkey_url, namespace)
        await self.got(real_redis, valkey_url, namespace, keys)
        await real_redis.zadd(keys.served_accounts(), {"own": 1})
        await self.got(real_redis, valkey_url, namespace, keys, own=[an_event(account="own", id="own/y/1")])

    async def test_an_own_stream_is_read_also_while_nobody_serves_its_account(self, real_redis, valkey_url, namespace):
        """Another worker may end a job of it. A stream that comes then is read from when the endpoint began."""
        keys, _ = await self.own_stream_read(real_redis, valkey_url, namespace)
        await self.got(real_redis, valkey_url, namespace, keys, own=[an_event(account="own", id="own/y/1")])
        seen = an_event(account="own", id="own/z/1")
        await real_redis.xadd(keys.radian("own"), dict(stream_fields(seen)))
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(start="new")) as rig:
            await rig.until(lambda: rig.sender.received)
            assert [one.message for one in rig.sender.received] == ids_of(seen)

    async def test_what_is_trimmed_of_an_own_stream_meanwhile_is_told(self, real_redis, valkey_url, namespace):
        keys, _ = await self.own_stream_read(real_redis, valkey_url, namespace)
        await self.got(real_redis, valkey_url, namespace, keys)
        for n in range(7):
            event = an_event(account="own", id=f"own/y{n}/1")
            await real_redis.xadd(keys.results("own"), dict(stream_fields(event)))
        await real_redis.xtrim(keys.results("own"), maxlen=0, approximate=False)
        await real_redis.zadd(keys.served_accounts(), {"own": 1})
        state = await self.got(real_redis, valkey_url, namespace, keys)
        assert state.n_gone == 7

    async def test_the_place_of_a_stream_that_is_gone_is_kept(self, real_redis, valkey_url, namespace):
        """It may come back as it was, from a backup."""
        keys, _ = await self.own_stream_read(real_redis, valkey_url, namespace)
        kept = await real_redis.dump(keys.results("own"))
        await real_redis.delete(keys.results("own"))
        await self.got(real_redis, valkey_url, namespace, keys, common=2)
        await real_redis.restore(keys.results("own"), 0, kept)
        await self.got(real_redis, valkey_url, namespace, keys, own=[an_event(account="own", id="own/y/1")])

    async def test_places_that_are_kept_name_no_keys_but_streams_of_accounts(self, real_redis, namespace):
        """What somebody writes there makes nobody read another key."""
        keys = Keys(namespace)
        for stream in (keys.results("own"), f"{namespace}:other", keys.results("")):
            await real_redis.xadd(stream, {"x": "y"})
        rows = {keys.results("own"): Place("0-0"), f"{namespace}:other": Place("0-0"), keys.results(""): Place("0-0")}
        await real_redis.hset(keys.hook_places(), mapping={"a": written(rows), "b": "{", "c": b"\xff"})
        assert await event_streams(real_redis, keys) == [keys.results(), keys.radian(), keys.results("own")]

    async def test_one_that_is_full_leaves_its_events_in_the_stream(self, real_redis, valkey_url, namespace):
        gate = asyncio.Event()
        sender = FakeEndpoints(gates={"shop": gate})
        policy = quick(most_waiting=10, page=5)
        async with hooks(
            real_redis, valkey_url, namespace, an_endpoint("shop"), an_endpoint("other"), sender=sender, policy=policy
        ) as rig:
            events = [an_event() for _ in range(40)]
            for event in events:
                await rig.publish(event)
            await rig.empty("other")
            assert 10 <= await rig.waiting("shop") <= 14
            gate.set()
            await rig.empty("shop")
        assert Counter(one.message for one in sender.of("shop")) == Counter(ids_of(*events))
        assert not (await rig.service.book.states(["shop"]))["shop"].n_gone

    async def test_entries_that_are_no_events_are_passed(self, real_redis, valkey_url, namespace):
        async with hooks(real_redis, valkey_url, namespace) as rig:
            for fields in ({"x": "y"}, {"event": "{"}, {"event": "[]"}, {"event": '{"id":1}'}, {"event": b"\xff\x00"}):
                await real_redis.xadd(rig.service.book.keys.results(), fields)
            event = an_event()
            await rig.publish(event)
            await rig.empty()
            assert [one.message for one in rig.sender.received] == ids_of(event)

    async def test_what_has_left_the_file_long_ago_is_forgotten(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints({"shop": [BAD]})
        policy = quick(schedule=SLOW.schedule, forget_s=1.0)
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(), sender=sender, policy=policy) as rig:
            for _ in range(20):
                await rig.publish(an_event("j"))
            await rig.until(lambda: len(sender.received) == 1)
        async with hooks(real_redis, valkey_url, namespace, an_endpoint("other"), policy=policy) as rig:

            async def is_gone() -> bool:
                found = [key async for key in real_redis.scan_iter(f"{namespace}:hooks:*shop*")]
                return not found and not await real_redis.hexists(rig.service.book.keys.hook_places(), "shop")

            await rig.until(is_gone)
            await rig.empty("other")
        assert not [key async for key in real_redis.scan_iter(f"{namespace}:hooks:body:*")]

    async def test_what_stands_in_the_file_is_kept_however_long_nobody_ran(self, real_redis, valkey_url, namespace):
        """The machine slept for a month: what waits is still to be sent, and the one that is gone goes all the same."""
        sender = FakeEndpoints({"shop": [BAD]})
        async with hooks(real_redis, valkey_url, namespace, an_endpoint(), sender=sender, policy=SLOW) as rig:
            await rig.publish(an_event())
            await rig.until(lambda: len(sender.received) == 1)
        keys = rig.service.book.keys
        await real_redis.hset(keys.hook_places(), "gone", "{}")
        await real_redis.zadd(keys.hooks_seen(), {"shop": 0, "gone": 1})
        await rig.service._forget()
        assert await real_redis.hkeys(keys.hook_places()) == [b"shop"]
        assert await rig.waiting() == 1
