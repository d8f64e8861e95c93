"""``day.at_risk`` and ``day.safe``: what will miss its day is told once, with its names, whoever looks."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from redis.exceptions import ResponseError

from tests.contract.test_published_events import assert_described
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, quick, running, services_on

SLOW = an_account(rate_limit=1, rate_window=3600.0)
"""One request an hour: of many documents for one day most will miss it."""

NEVER = quick(days={"every_s": 3600.0}, drain={"calls_s": 0.1})
"""Nobody looks but the test; and what nobody answers is not waited for at the end."""

pytestmark = pytest.mark.service(SLOW, policies=NEVER)
ZONE = ZoneInfo("America/Bogota")


def today(zone=ZONE) -> str:
    return datetime.now(zone).date().isoformat()


def tomorrow(zone=ZONE) -> str:
    return (datetime.now(zone).date() + timedelta(days=1)).isoformat()


@pytest.fixture
def factus() -> FakeFactus:
    """It answers nobody: what is under way stays so."""
    return FakeFactus(gate=asyncio.Event())


async def push(rig, n, first=0, **envelope):
    day = envelope.pop("issue_on", today())
    for k in range(first, first + n):
        await rig.push_bill(f"R{k}", id=f"j{k}", issue_on=day, **envelope)
    await rig.taken_in()


async def told(rig):
    """What is told in one look."""
    n = await rig.services.days.look()
    return await rig.events(n) if n else []


async def forget_when(rig, day, ago_ms=61_000, account="acme"):
    """As if it had been told a minute ago."""
    key = rig.services.keys.day_told(account, day)
    await rig.services.redis.hset(key, "told_at", round(time.time() * 1000) - ago_ms)


async def test_what_will_miss_its_day_is_told_with_its_names_in_the_order_of_sending(rig):
    for k in range(40):
        await rig.push_bill(f"R{k}", id=f"j{k}", issue_on=today(), batch="noche" if k % 2 else "tarde")
    await rig.taken_in()
    (event,) = await told(rig)
    assert_described(event)
    data = event["data"]
    assert (event["type"], event["success"], event["account"]) == ("day.at_risk", False, "acme")
    assert [event[name] for name in ("job_id", "job_type", "reference_code", "batch")] == [None] * 4
    assert data["day"] == today()
    assert data["waiting"] == 40
    hours_left = (datetime.fromisoformat(data["ends_at"]) - datetime.now(ZONE)).total_seconds() / 3600
    # One goes each hour, and places that others took of late are counted at the same pace.
    assert data["will_miss"] == pytest.approx(40 - hours_left, abs=4)
    assert data["references"] == [f"R{k}" for k in range(40 - data["will_miss"], 40)]
    assert sorted(data["batches"]) == ["noche", "tarde"]
    assert datetime.fromisoformat(data["expected_at"]) > datetime.fromisoformat(data["ends_at"])


async def test_it_is_told_once_and_again_when_it_has_doubled(rig):
    await push(rig, 40)
    (first,) = await told(rig)
    await forget_when(rig, today())
    assert await told(rig) == []
    await push(rig, first["data"]["will_miss"] + 3, first=40)
    (again,) = await told(rig)
    assert again["data"]["will_miss"] >= 2 * first["data"]["will_miss"]
    assert again["id"] != first["id"]


async def test_not_twice_within_a_minute(rig):
    await push(rig, 40)
    assert len(await told(rig)) == 1
    await push(rig, 100, first=40)
    assert await told(rig) == []
    await forget_when(rig, today())
    assert len(await told(rig)) == 1


async def test_when_none_will_miss_it_any_more_it_is_safe(rig):
    """A person has cancelled what can wait."""
    await push(rig, 40, batch="b")
    (risk,) = await told(rig)
    await rig.push({"type": "job.cancel", "account": "acme", "payload": {"batch": "b"}})
    await rig.events(41)
    (safe,) = await told(rig)
    assert_described(safe)
    assert (safe["type"], safe["success"], safe["errors"]) == ("day.safe", True, None)
    assert (safe["data"]["day"], safe["data"]["will_miss"], safe["data"]["references"]) == (risk["data"]["day"], 0, [])
    assert await told(rig) == []


async def test_without_a_day_nothing_is_at_risk(rig):
    for k in range(40):
        await rig.push_bill(f"R{k}")
    await rig.taken_in()
    assert await told(rig) == []


async def test_a_day_that_comes_is_told_too(rig):
    """Twenty-four an hour apart fit into it; what stands before them today has the hours of today."""
    await push(rig, 40, issue_on=tomorrow())
    (event,) = await told(rig)
    assert event["data"]["day"] == tomorrow()
    assert event["data"]["will_miss"] == pytest.approx(40 - 24, abs=1)
    assert event["data"]["references"][-1] == "R39"


@pytest.mark.service(an_account(rate_limit=1, rate_window=3600.0, day_policy="push"), policies=NEVER)
async def test_with_push_every_document_has_a_day(rig):
    for k in range(40):
        await rig.push_bill(f"R{k}")
    await rig.taken_in()
    (event,) = await told(rig)
    assert event["data"]["day"] == today()


@pytest.mark.service(an_account(rate_limit=1, rate_window=3600.0, timezone="Pacific/Kiritimati"), policies=NEVER)
async def test_the_day_is_that_of_the_accounts_zone(rig):
    zone = ZoneInfo("Pacific/Kiritimati")
    for k in range(40):
        await rig.push_bill(f"R{k}", issue_on=today(zone))
    await rig.taken_in()
    (event,) = await told(rig)
    assert event["data"]["day"] == today(zone)
    assert event["data"]["ends_at"].endswith("T00:00:00+14:00")


async def test_what_goes_before_it_counts_and_what_stands_behind_does_not(rig):
    """Others without a day, pushed before, take its hours; of priority low, they do not."""
    for k in range(30):
        await rig.push_bill(f"low{k}", priority="low")
    await push(rig, 1)
    assert await told(rig) == []
    for k in range(30):
        await rig.push_bill(f"high{k}", priority="high")
    await rig.taken_in()
    (event,) = await told(rig)
    assert (event["data"]["will_miss"], event["data"]["references"]) == (1, ["R0"])


async def test_of_two_processes_one_tells(redis, namespace):
    first = services_on(redis, namespace, SLOW, gateway=FakeFactus(gate=asyncio.Event()), policies=NEVER)
    second = services_on(redis, namespace, SLOW, gateway=FakeFactus(gate=asyncio.Event()), policies=NEVER)
    async with running(first) as rig:
        await push(rig, 40)
        assert sum(await asyncio.gather(first.days.look(), second.days.look(), first.days.look())) == 1
        assert [event["type"] for event in await rig.events(1)] == ["day.at_risk"]


async def test_one_that_dies_after_it_has_told_leaves_the_next_nothing_to_tell(redis, namespace, monkeypatch):
    """The script has run and its answer was lost: whoever looks next sees that it was told."""
    built = services_on(redis, namespace, SLOW, gateway=FakeFactus(gate=asyncio.Event()), policies=NEVER)
    async with running(built) as rig:
        await push(rig, 40)
        run = type(built.days._scripts).run

        async def dies(self, name, keys, args):
            found = await run(self, name, keys, args)
            if name == "tell_day":
                raise ConnectionError("lost")
            return found

        with monkeypatch.context() as patch:
            patch.setattr(type(built.days._scripts), "run", dies)
            with pytest.raises(ConnectionError):
                await built.days.look()
        assert [event["type"] for event in await rig.events(1)] == ["day.at_risk"]
        heir = services_on(redis, namespace, SLOW, gateway=FakeFactus(), policies=NEVER)
        assert await heir.days.look() == 0


@pytest.mark.service(an_account(day_policy="push"), policies=NEVER)
async def test_what_is_done_or_sent_stands_on_no_day_any_more(rig, factus):
    factus.gate.set()
    for k in range(5):
        await rig.push_bill(f"R{k}", batch="b")
    await rig.events(5)
    lane, redis, keys = "acme/invoice", rig.services.redis, rig.services.keys
    assert await redis.exists(keys.day_jobs(lane, today()), keys.batch_jobs(lane, today(), "b")) == 0


async def test_a_record_that_is_gone_is_at_no_risk(rig):
    """Somebody removed it by hand: it has no name, and nobody would take it out."""
    await push(rig, 40)
    await rig.services.redis.delete(rig.services.keys.job("acme", "j39"))
    (event,) = await told(rig)
    assert "R39" not in event["data"]["references"]
    assert await rig.services.redis.zscore(rig.services.keys.day_jobs("acme/invoice", today()), "j39") is None


async def test_keys_that_hold_something_else_keep_no_job_from_its_way(rig, factus):
    factus.gate.set()
    redis, keys = rig.services.redis, rig.services.keys
    await redis.set(keys.day_jobs("acme/invoice", today()), "x")
    await redis.set(keys.batch_jobs("acme/invoice", today(), "b"), "x")
    await redis.set(keys.days(), "x")
    await redis.set(keys.seen("acme/invoice"), "x")
    await rig.push_bill("A", issue_on=today(), batch="b", batch_size=1)
    assert {event["type"] for event in await rig.events(2)} == {"invoice.validated", "batch.completed"}


async def test_the_cost_of_a_look_does_not_grow_with_what_waits(rig):
    """As many commands for four hundred as for forty."""
    redis = rig.services.redis

    async def n_commands() -> int:
        before = await redis.info("stats")
        n = await rig.services.days.look()
        after = await redis.info("stats")
        await rig.events(n)
        return int(after["total_commands_processed"]) - int(before["total_commands_processed"])

    try:
        await redis.info("stats")
    except ResponseError:
        pytest.skip("the imitation counts no commands")
    await push(rig, 40)
    await told(rig)
    few = await n_commands()
    await push(rig, 360, first=40)
    assert await n_commands() <= few + 20, "360 more wait"
