"""What breaks in between: connections that are cut around each script, Redis away, processes that die, two of them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs.webhooks.verdict import Answer
from tests.webhooks_rig import FakeEndpoints, an_endpoint, an_event, hooks, ids_of, quick
from worker.doctor.service_checks import WebhookFile, of_problems, webhook_checks
from worker.speech import ENGLISH
from worker.status.problems import problems
from worker.status.reader import StatusReader
from worker.store.keys import Keys
from worker.store.scripts import Scripts
from worker.webhooks.book import WebhookBook

SOON = quick(spare_s=-4.0, lead_ms=250)
"""Leases of a second, and a lead of less: what a process had that is gone is taken up soon."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", ["acquire_leadership", "take_events", "serve_endpoint"])
async def test_a_cut_connection_loses_nothing_and_repeats_nothing(real_redis, valkey_url, namespace, cut, name, moment):
    """An end that was written and not heard of is written once; leases that nobody has end, and are given out again."""
    n_cut = cut(name, moment, nth=2, most=5)
    sender = FakeEndpoints()
    async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=SOON) as rig:
        events = [an_event(f"j{n % 4}", 1 + n // 4) for n in range(16)]
        for event in events:
            await rig.publish(event)
            await asyncio.sleep(0.02)
        await rig.empty()
    assert n_cut[name]
    assert Counter(one.message for one in sender.received) == Counter(ids_of(*events))
    for job in {one.event["job_id"] for one in sender.received}:
        seqs = [one.event["seq"] for one in sender.received if one.event["job_id"] == job]
        assert seqs == sorted(seqs)


async def test_what_a_process_had_under_way_is_sent_again_by_another(real_redis, valkey_url, namespace):
    """It dies with one attempt under way: that one is repeated, and no other."""
    never = FakeEndpoints(gates={"shop": asyncio.Event()})
    endpoint = an_endpoint(concurrency=1)
    async with hooks(real_redis, valkey_url, namespace, endpoint, sender=never, policy=quick(spare_s=-4.0)) as rig:
        events = [an_event() for _ in range(5)]
        for event in events:
            await rig.publish(event)
        await rig.until(lambda: len(never.received) == 1)
        sender = FakeEndpoints()
        async with hooks(real_redis, valkey_url, namespace, endpoint, sender=sender, policy=SOON) as other:
            await other.empty()
        # The dead one wakes: its end is void, and nothing is written or counted twice.
        never.gates["shop"].set()
        await rig.until(lambda: never.n_ended["shop"])
        await rig.looked()
        state = (await rig.service.book.states(["shop"]))["shop"]
    repeated = ids_of(events[0])
    assert Counter(one.message for one in (*never.received, *sender.received)) == Counter(ids_of(*events)) + Counter(
        repeated
    )
    assert state.n_delivered == 5


async def test_an_attempt_that_ends_while_its_endpoint_is_served_is_written_down(
    real_redis, valkey_url, namespace, monkeypatch
):
    """What ends between the question and its answer is for the next look: forgotten it would be sent again."""
    gate = asyncio.Event()
    sender = FakeEndpoints(gates={"shop": gate})
    serve, n_caught = WebhookBook.serve, 0

    async def slowly(book, name, ended, **given):
        nonlocal n_caught
        served = await serve(book, name, ended, **given)
        if sender.received and not ended and not gate.is_set():
            n_caught += 1
            gate.set()
            while not sender.n_ended["shop"]:
                await asyncio.sleep(0)
            await asyncio.sleep(0)  # what it ended with is noted
        return served

    monkeypatch.setattr(WebhookBook, "serve", slowly)
    events = [an_event(), an_event()]
    async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=quick(spare_s=-4.0)) as rig:
        await rig.publish(events[0])
        await rig.until(lambda: len(sender.received) == 1)
        await rig.publish(events[1])
        await rig.empty()
    assert n_caught == 1
    assert Counter(one.message for one in sender.received) == Counter(ids_of(*events))


async def test_redis_away_is_waited_for(real_redis, valkey_url, namespace, monkeypatch):
    """No script gets through for a while: what was under way is written down when it is back, and nothing twice."""
    run, is_away, n_refused = Scripts.run, asyncio.Event(), Counter()

    async def away(self, called, keys, args, **how):
        if is_away.is_set():
            n_refused[called] += 1
            raise RedisConnectionError("away")
        return await run(self, called, keys, args, **how)

    monkeypatch.setattr(Scripts, "run", away)
    sender = FakeEndpoints(gates={"shop": asyncio.Event()})
    async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
        events = [an_event() for _ in range(5)]
        for event in events:
            await rig.publish(event)
        await rig.until(lambda: len(sender.received) == 5)
        is_away.set()
        sender.gates["shop"].set()
        await rig.until(lambda: n_refused["serve_endpoint"] and n_refused.total() >= 6)
        is_away.clear()
        await rig.empty()
    assert Counter(one.message for one in sender.received) == Counter(ids_of(*events))


async def test_two_processes_share_and_repeat_nothing(real_redis, valkey_url, namespace):
    first, second = FakeEndpoints(), FakeEndpoints()
    endpoint = an_endpoint(concurrency=4)
    gate = asyncio.Event()
    first.gates["shop"] = gate
    async with (
        hooks(real_redis, valkey_url, namespace, endpoint, sender=first) as rig,
        hooks(real_redis, valkey_url, namespace, endpoint, sender=second),
    ):
        events = [an_event(f"j{n % 10}", 1 + n // 10) for n in range(100)]
        for event in events:
            await rig.publish(event)
        asyncio.get_running_loop().call_later(0.5, gate.set)
        await rig.empty()
    everything = [*first.received, *second.received]
    assert Counter(one.message for one in everything) == Counter(ids_of(*events))


async def test_one_that_ends_writes_down_what_was_under_way(real_redis, valkey_url, namespace):
    sender = FakeEndpoints(gates={"shop": asyncio.Event()})
    async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
        await rig.publish(an_event())
        await rig.until(lambda: len(sender.received) == 1)
        drain = rig.service.deliverer._drain

        async def drains():
            asyncio.get_running_loop().call_later(0.1, sender.gates["shop"].set)
            await drain()

        rig.service.deliverer._drain = drains
    assert await rig.waiting() == 0


async def test_a_defect_of_an_attempt_ends_it_alone(real_redis, valkey_url, namespace):
    class Breaks(FakeEndpoints):
        broken = ""

        async def attempt(self, endpoint, secrets, message, body):
            answer = await super().attempt(endpoint, secrets, message, body)
            if not self.broken:
                self.broken = message
                raise RuntimeError("a defect")
            return answer

    sender = Breaks()
    async with hooks(real_redis, valkey_url, namespace, sender=sender, policy=SOON) as rig:
        events = [an_event() for _ in range(3)]
        for event in events:
            await rig.publish(event)
        await rig.empty()
    assert Counter(one.message for one in sender.received) == Counter([*ids_of(*events), sender.broken])


async def test_no_secret_stands_in_redis_or_in_the_logs(real_redis, valkey_url, namespace, caplog):
    from structlog.testing import capture_logs

    from tests.webhooks_rig import SECRET

    sender = FakeEndpoints({"shop": [Answer(500), Answer(410)]})
    with capture_logs() as logs:
        async with hooks(real_redis, valkey_url, namespace, sender=sender) as rig:
            await rig.publish(an_event())
            await rig.until(rig.operator_events)
    secret = SECRET.removeprefix("whsec_")
    assert secret not in repr(logs)
    async for key in real_redis.scan_iter(f"{namespace}:*"):
        assert secret.encode() not in (await real_redis.dump(key) or b"")


async def test_a_process_that_cannot_read_is_told(real_redis, valkey_url, namespace):
    """It gives signs of life, and delivers to nobody: neither `status` nor `doctor` may call that sound."""
    keys = Keys(namespace)
    await real_redis.set(keys.hook_places(), "wrong")
    reader = StatusReader(real_redis, keys, {}, limit=10, window_s=60.0, results_maxlen=1000)
    async with hooks(real_redis, valkey_url, namespace) as rig:
        await rig.until(lambda: rig.service.guards.failed.total["take"])

        async def told():
            return [one for one in problems(await reader.overview(), ENGLISH) if one.id == "webhooks.failures"]

        await rig.until(told)
        (one,) = await told()
        checks = of_problems([one], None)["webhooks"]
        assert (one.subject, one.since_ms > 0, "take=" in one.what) == (rig.service.process_id, True, True)
        assert [check.status for check in webhook_checks(WebhookFile(), None, checks, ENGLISH)] == ["warning"]
    assert not await told()
    assert not await real_redis.exists(keys.hook_process(rig.service.process_id))
