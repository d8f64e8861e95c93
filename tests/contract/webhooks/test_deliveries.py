"""Deliveries from the streams to their end, on a real server: order, repeats, ends, switches."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from datetime import UTC, datetime

from jobs.webhooks.notices import About, disabled_event, enabled_event
from jobs.webhooks.schedule import SchedulePolicy
from jobs.webhooks.signing import message_id
from jobs.webhooks.verdict import Answer
from tests.webhooks_rig import FakeEndpoints, an_endpoint, an_event, hooks, ids_of, quick
from worker.cli.results.reader import before
from worker.webhooks.replay import Wanted, replay_events, replay_failed

BAD = Answer(500)
SLOW = quick(schedule=SchedulePolicy(steps_s=(3600.0,) * 9))
"""A policy under which what has failed is not tried again in a test."""


async def test_each_event_goes_once_to_each_endpoint_that_takes_it(real_redis, valkey_url, namespace):
    endpoints = an_endpoint("all"), an_endpoint("bills", types=("invoice.*",)), an_endpoint("foo", accounts=("foo",))
    async with hooks(real_redis, valkey_url, namespace, *endpoints) as rig:
        bills = [an_event() for _ in range(3)]
        note = an_event(type="credit_note.validated")
        foo = an_event(account="foo", id="foo/x/1")
        for event in (*bills, note, foo):
            await rig.publish(event)
        for name in ("all", "bills", "foo"):
            await rig.empty(name)
        got = {name: [one.message for one in rig.sender.of(name)] for name in ("all", "bills", "foo")}
    assert got == {"all": ids_of(*bills, note, foo), "bills": ids_of(*bills, foo), "foo": ids_of(foo)}
    left = {key.decode() async for key in real_redis.scan_iter(f"{namespace}:hooks:*")}
    assert not [key for key in left if ":delivery:" in key or ":body:" in key], "nothing is left behind"


async def test_many_endpoints_are_served_beside_each_other(real_redis, valkey_url, namespace):
    """More of them than there are connections for at once."""
    endpoints = [an_endpoint(f"shop-{n}") for n in range(20)]
    async with hooks(real_redis, valkey_url, namespace, *endpoints) as rig:
        events = [an_event(f"j{n % 3}", 1 + n // 3) for n in range(9)]
        for event in events:
            await rig.publish(event)
        for endpoint in endpoints:
            await rig.empty(endpoint.name)
    for endpoint in endpoints:
        assert Counter(one.message for one in rig.sender.of(endpoint.name)) == Counter(ids_of(*events))


async def test_bodies_are_the_same_bytes_in_every_attempt(real_redis, valkey_url, namespace):
    sender = FakeEndpoints({"shop": [BAD, BAD, Answer(fault="timeout"), Answer(200)]})
    async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
        await rig.publish(an_event(data={"factus": {"x": 1}, "number": "SETP1"}))
        await rig.empty()
    assert len(sender.received) == 4
    assert len({(one.message, one.body) for one in sender.received}) == 1
    assert json.loads(sender.received[0].body)["data"] == {"number": "SETP1"}


async def test_endpoints_that_omit_the_same_share_a_body(real_redis, valkey_url, namespace):
    gates = {name: asyncio.Event() for name in "abc"}
    sender = FakeEndpoints(gates=gates)
    endpoints = an_endpoint("a"), an_endpoint("b"), an_endpoint("c", omit=())
    async with hooks(real_redis, valkey_url, namespace, *endpoints, sender=sender) as rig:
        await rig.publish(an_event())
        await rig.until(lambda: len(sender.received) == 3)
        bodies = [key async for key in real_redis.scan_iter(f"{namespace}:hooks:body:*")]
        assert sorted([int(await real_redis.hget(key, "n")) for key in bodies]) == [1, 2]
        for gate in gates.values():
            gate.set()
        for name in gates:
            await rig.empty(name)
        assert not [key async for key in real_redis.scan_iter(f"{namespace}:hooks:body:*")]


class TestOrder:
    async def test_a_later_event_of_a_job_waits_while_an_earlier_one_is_tried(self, real_redis, valkey_url, namespace):
        """And those of other jobs do not."""
        sender = FakeEndpoints({"shop": [BAD] * 3 + [Answer(200)]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
            one, two, three = (an_event("j", seq) for seq in (1, 2, 3))
            for event in (one, two, three):
                await rig.publish(event)
            await rig.empty()
        assert [one.event["seq"] for one in sender.received] == [1, 1, 1, 1, 2, 3]

    async def test_a_job_that_waits_holds_no_other(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints({"shop": [BAD, Answer(200)]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=SLOW) as rig:
            held = an_event("held", 1)
            await rig.publish(held)
            await rig.until(lambda: len(sender.received) == 1)
            await rig.publish(an_event("held", 2))
            others = [an_event() for _ in range(5)]
            for event in others:
                await rig.publish(event)
            await rig.until(lambda: len(sender.received) == 6)

            async def two_wait() -> bool:
                return await rig.waiting() == 2

            await rig.until(two_wait)
        assert [one.message for one in sender.received] == ids_of(held, *others)

    async def test_events_of_one_job_in_two_streams_keep_their_order(self, real_redis, valkey_url, namespace):
        """Read a page at a time, with one stream much longer than the other."""
        sender = FakeEndpoints()
        policy = quick(page=3)
        async with hooks(
            real_redis, valkey_url, namespace, an_endpoint(start="all"), sender=sender, policy=policy
        ) as rig:
            radian = rig.service.book.keys.radian()
            for n in range(1, 31):
                stream = radian if n % 10 == 0 else None
                await rig.publish(an_event("j", n, type="radian.event" if stream else "invoice.archived"), stream)
            await rig.until(lambda: len(sender.received) == 30)
        assert [one.event["seq"] for one in sender.received] == list(range(1, 31))

    async def test_the_last_attempt_of_one_lets_the_next_go(self, real_redis, valkey_url, namespace):
        policy = quick(schedule=SchedulePolicy(steps_s=(0.01,)))
        sender = FakeEndpoints({"shop": [BAD, BAD, Answer(200)]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=policy) as rig:
            await rig.publish(an_event("j", 1))
            await rig.publish(an_event("j", 2))
            await rig.empty()
            state = (await rig.service.book.states(["shop"]))["shop"]
        assert [one.event["seq"] for one in sender.received] == [1, 1, 2]
        assert (state.n_exhausted, state.n_delivered) == (1, 1)


class TestEnds:
    async def test_failing_and_exhausted_are_told_once(self, real_redis, valkey_url, namespace):
        """The fourth failure and the last one of the first of many; the others within the hour are not told again."""
        sender = FakeEndpoints({"shop": [BAD]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
            for _ in range(3):
                await rig.publish(an_event())
            await rig.empty()
            events = await rig.operator_events()
            failed = await rig.service.book.failed("shop")
        assert len(failed) == 3
        assert Counter(one.message for one in sender.received).most_common()[0][1] == 10
        assert [event["type"] for event in events] == ["webhook.failing", "webhook.exhausted"]
        failing, exhausted = events
        assert failing["data"]["endpoint"] == exhausted["data"]["endpoint"] == "shop"
        assert failing["data"]["last_status"] == 500
        assert failing["data"]["waiting"] >= 1
        assert datetime.fromisoformat(failing["data"]["since"])
        for event in events:
            assert event["success"] is False
            assert event["errors"][0]["code"] == event["type"]
            assert [event[name] for name in ("job_id", "job_type", "account", "reference_code")] == [None] * 4

    async def test_what_fails_of_news_about_webhooks_is_not_told(self, real_redis, valkey_url, namespace):
        """Two dead endpoints would else tell each other of each other for ever."""
        sender = FakeEndpoints({"a": [BAD], "b": [BAD]})
        policy = quick(quiet_s=0.0)
        async with hooks(
            real_redis, valkey_url, namespace, an_endpoint("a"), an_endpoint("b"), sender=sender, policy=policy
        ) as rig:
            await rig.publish(an_event())
            for name in "ababab":  # what each has to tell of the other, and of that
                await rig.empty(name)
            events = await rig.operator_events()
        assert Counter(event["type"] for event in events) == {"webhook.failing": 2, "webhook.exhausted": 2}

    async def test_gone_disables_at_once_and_what_comes_waits(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints({"shop": [Answer(410), Answer(200)]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
            first = an_event()
            await rig.publish(first)
            await rig.until(lambda: len(sender.received) == 1)
            rest = [an_event() for _ in range(3)]
            for event in rest:
                await rig.publish(event)

            async def has_all() -> bool:
                return await rig.waiting() == 4

            await rig.until(has_all)
            await rig.looked()
            assert len(sender.received) == 1, "disabled"
            (event,) = await rig.operator_events()
            assert (event["type"], event["data"]["last_status"]) == ("webhook.disabled", 410)
            state = (await rig.service.book.states(["shop"]))["shop"]
            assert (state.is_disabled, state.disabled_why) == (True, "gone")

            now = datetime.now(UTC)
            about = About("shop", state.disabled_at_ms, state.n_waiting, 410)
            assert await rig.service.book.switch("shop", is_on=True, event=enabled_event(about, now=now))
            assert not await rig.service.book.switch("shop", is_on=True, event=enabled_event(about, now=now))
            await rig.empty()
            events = await rig.operator_events()
        assert [event["type"] for event in events] == ["webhook.disabled", "webhook.enabled"]
        assert Counter(one.message for one in sender.received) == Counter(ids_of(first, first, *rest))

    async def test_an_operator_s_switch_holds_and_is_told(self, real_redis, valkey_url, namespace):
        async with hooks(real_redis, valkey_url, namespace) as rig:
            event = disabled_event(About("shop", 0, 0, 0), "operator", now=datetime.now(UTC))
            assert await rig.service.book.switch("shop", is_on=False, event=event)
            await rig.publish(an_event())

            async def waits() -> bool:
                return await rig.waiting() == 1

            await rig.until(waits)
            await rig.looked()
            assert not rig.sender.received

    async def test_one_that_has_only_failed_for_120_hours_is_disabled(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints({"shop": [BAD]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=SLOW) as rig:
            await rig.publish(an_event())
            await rig.until(lambda: len(sender.received) == 1)
            key = rig.service.book.keys.hook("shop")

            async def is_noted() -> bool:
                return bool(await real_redis.hget(key, "failing_since"))

            await rig.until(is_noted)
            assert not await rig.operator_events()
            await real_redis.hincrby(key, "failing_since", -120 * 3_600_000)
            await rig.publish(an_event())
            await rig.publish(an_event())
            await rig.until(rig.operator_events)
            (event,) = await rig.operator_events()
        assert event["type"] == "webhook.disabled"
        assert "120 horas" in event["message"]

    async def test_a_success_forgets_the_failures(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints({"shop": [BAD, Answer(204)]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
            await rig.publish(an_event())
            await rig.empty()
            state = (await rig.service.book.states(["shop"]))["shop"]
        assert (state.failing_since_ms, state.last_status) == (0, 204)
        assert state.last_failure_ms
        assert state.last_success_ms


class TestNobodyWaitsForAnother:
    async def test_one_that_hangs_delays_no_other(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints(gates={"hangs": asyncio.Event()})
        async with hooks(
            real_redis, valkey_url, namespace, an_endpoint("hangs"), an_endpoint("quick"), sender=sender
        ) as rig:
            for _ in range(50):
                await rig.publish(an_event())
            await rig.empty("quick")
            assert len(sender.of("hangs")) == 8
            assert sender.most_at_once["hangs"] == 8, "its concurrency"
            sender.gates["hangs"].set()
            await rig.empty("hangs")

    async def test_concurrency_is_that_of_the_endpoint_over_all_processes(self, real_redis, valkey_url, namespace):
        gate = asyncio.Event()
        sender = FakeEndpoints(gates={"shop": gate})
        endpoint = an_endpoint(concurrency=3)
        async with (
            hooks(real_redis, valkey_url, namespace, endpoint, sender=sender) as rig,
            hooks(real_redis, valkey_url, namespace, endpoint, sender=sender) as other,
        ):
            events = [an_event() for _ in range(20)]
            for event in events:
                await rig.publish(event)
            await rig.until(lambda: len(sender.received) == 3)
            for one in (rig, other):
                await one.looked()
            assert len(sender.received) == 3
            gate.set()
            await rig.empty()
        assert sender.most_at_once["shop"] == 3
        assert Counter(one.message for one in sender.received) == Counter(ids_of(*events)), "each once, by either"

    async def test_one_that_refuses_all_is_asked_now_and_then(self, real_redis, valkey_url, namespace):
        """A dead endpoint with a great deal waiting costs next to nothing; with its first success all of it goes."""
        policy = quick(pace_ms=200, schedule=SchedulePolicy(steps_s=(0.01,) * 9))
        sender = FakeEndpoints({"shop": [BAD]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=policy) as rig:
            for _ in range(40):
                await rig.publish(an_event())
            await rig.until(lambda: len(sender.received) >= 10)
            await rig.looked()
            began, n_before = time.monotonic(), len(sender.received)
            await asyncio.sleep(1.0)
            n_made = len(sender.received) - n_before
            assert n_made <= 2 + (time.monotonic() - began) / 0.2
            sender.answers["shop"] = [Answer(200)]
            await rig.empty()


class TestReplay:
    async def replayed(self, rig, wanted, endpoint=None):
        book, endpoint = rig.service.book, endpoint or an_endpoint()
        streams = [book.keys.results(), book.keys.radian()]
        found = [one async for one in replay_events(book, endpoint, streams, before(wanted.since), wanted)]
        return found[-1]

    async def test_a_range_is_delivered_again_with_the_same_ids(self, real_redis, valkey_url, namespace):
        async with hooks(real_redis, valkey_url, namespace) as rig:
            events = [an_event() for _ in range(4)]
            entries = [await rig.publish(event) for event in events]
            await rig.empty()
            done = await self.replayed(rig, Wanted(entries[1], entries[3]))
            assert (done.n_asked, done.n_made) == (2, 2)
            rig.service.deliverer.wake()
            await rig.empty()
            got = [(one.message, one.body) for one in rig.sender.received]
        assert Counter(message for message, _ in got) == Counter(ids_of(*events, *events[1:3]))
        assert len(set(got)) == 4, "and the same bytes"

    async def test_by_type_and_reference(self, real_redis, valkey_url, namespace):
        async with hooks(real_redis, valkey_url, namespace) as rig:
            events = [an_event("a"), an_event("b"), an_event("b", 2, type="invoice.archived")]
            for event in events:
                await rig.publish(event)
            await rig.empty()
            assert (await self.replayed(rig, Wanted("0-0", reference="b"))).n_made == 2
            rig.service.deliverer.wake()
            await rig.empty()
            assert (await self.replayed(rig, Wanted("0-0", type_glob="*.archived"))).n_made == 1
            assert (await self.replayed(rig, Wanted("0-0"), an_endpoint(types=("x.*",)))).n_asked == 0

    async def test_what_waits_is_not_doubled(self, real_redis, valkey_url, namespace):
        sender = FakeEndpoints({"shop": [BAD]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=SLOW) as rig:
            await rig.publish(an_event())
            await rig.until(lambda: len(sender.received) == 1)
            done = await self.replayed(rig, Wanted("0-0"))
            assert (done.n_asked, done.n_made) == (1, 0)

    async def test_those_that_failed_come_back_without_the_stream(self, real_redis, valkey_url, namespace):
        policy = quick(schedule=SchedulePolicy(steps_s=(0.01,)))
        sender = FakeEndpoints({"shop": [BAD]})
        async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=policy) as rig:
            events = [an_event("j", seq) for seq in (1, 2, 3)]
            for event in events:
                await rig.publish(event)
            await rig.empty()
            before_ = [(one.message, one.body) for one in sender.received]
            await real_redis.delete(rig.service.book.keys.results())
            sender.answers["shop"] = [Answer(200)]
            book = rig.service.book
            assert [one async for one in replay_failed(book, an_endpoint(), Wanted("0-0", type_glob="x"))][
                -1
            ].n_made == 0
            done = [one async for one in replay_failed(book, an_endpoint(), Wanted("0-0"))][-1]
            assert (done.n_asked, done.n_made) == (3, 3)
            rig.service.deliverer.wake()
            await rig.until(lambda: len(sender.received) == 9)
            assert not await book.failed("shop")
        again = [(one.message, one.body) for one in sender.received][6:]
        assert [message for message, _ in again] == ids_of(*events), "in the order of seq"
        assert set(again) == set(before_)
        assert not [key async for key in real_redis.scan_iter(f"{namespace}:hooks:body:*")]

    async def test_those_that_failed_are_kept_within_bounds(self, real_redis, valkey_url, namespace):
        policy = quick(schedule=SchedulePolicy(steps_s=()), most_failed=3)
        async with hooks(
            real_redis, valkey_url, namespace, sender=FakeEndpoints({"shop": [BAD]}), policy=policy
        ) as rig:
            events = [an_event() for _ in range(12)]
            for event in events:
                await rig.publish(event)
            await rig.empty()
            kept = await rig.service.book.failed("shop")
            assert len(kept) == 3
            assert len([key async for key in real_redis.scan_iter(f"{namespace}:hooks:delivery:*")]) == 3
            assert message_id(events[0].id) not in kept
