"""What a scrape reads of a service; on the imitation of Redis and on the real one."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs import answers
from tests.contract.metrics.readers import ONE_ACCOUNT_S, everything_wrong, reader_of, told
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, running, services_on
from worker.metrics.endpoint import Endpoint
from worker.metrics.reader import ScrapeReader
from worker.status.reader import StatusReader
from worker.store import inquiry
from worker.store.exchange import exchange
from worker.store.keys import Keys

LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()
LATER_MS = 4 * 10**12
SECRET = "planted-secret-reference"


async def test_a_scrape_tells_how_the_service_stands(redis, namespace):
    factus = FakeFactus(gate=asyncio.Event())
    built = services_on(redis, namespace, an_account("acme", rate_limit=80), gateway=factus)
    async with running(built) as rig:
        await rig.push_bill(f"{SECRET}-1", batch=f"{SECRET}-batch", batch_size=9, metadata={"a": SECRET})
        await factus.called("create")
        await rig.push_bill("waits")
        await rig.push_bill("later", not_before=LATER)
        await rig.push("{")
        await rig.events(1)
        keys = built.keys
        while await redis.zcard(keys.later("acme/invoice")) < 1:
            await asyncio.sleep(0)
        await redis.xgroup_create(keys.results(), "erp", id="0")
        await redis.lpush(keys.grants("acme"), *[(await redis.time())[0] * 1000] * 3)
        await redis.hset(keys.token("acme"), mapping={"expires_at": 1_900_000_000_000, "access": SECRET})
        await redis.zadd(keys.hooks_seen(), {"erp": 1})
        await redis.zadd(keys.hook("erp", "order"), {"a": 0, "b": 0})
        await redis.zadd(keys.days(), {"acme/2099-01-01": 4_000_000_000_000})
        await redis.hset(keys.day_told("acme", "2099-01-01"), mapping={"is_at_risk": 1, "will_miss": 5})
        seen = await reader_of(built).read()
        factus.gate.set()
        await rig.rest()
        told = (await Endpoint(reader_of(built), built.shown).metrics({})).body.decode()
    (account,) = seen.accounts
    (lane,) = account.lanes
    now_ms = datetime.now(UTC).timestamp() * 1000
    assert (lane.queue, lane.n_waiting, lane.n_delayed, lane.n_in_flight) == ("invoice", 1, 1, 1)
    assert now_ms - 600_000 < lane.oldest_ms <= now_ms
    assert lane.done_ms > lane.oldest_ms
    assert (account.n_used, account.limit, account.token_expires_ms) == (3, 80, 1_900_000_000_000)
    assert (seen.n_dead, seen.n_at_risk, seen.hooks, seen.redis_fault) == (1, 5, {"erp": 2}, "")
    assert [(one.stream, one.group, one.n_unread) for one in seen.groups] == [("results", "erp", 1)]
    assert seen.counts == {("unknown", "refused"): 1}
    assert seen.has_leader
    assert SECRET not in told
    names = {family.name for family in text_string_to_metric_families(told)}
    assert "factus_jobs" in names


@pytest.fixture
def trips(monkeypatch):
    """How many commands went in each round trip."""
    found = []

    async def counted(client, commands):
        found.append(len(commands))
        return await exchange(client, commands)

    monkeypatch.setattr(inquiry, "exchange", counted)
    return found


@pytest.mark.parametrize("n_waiting", [1, 300])
async def test_a_scrape_is_one_round_trip_whatever_waits(redis, namespace, n_waiting, trips):
    accounts = [an_account(f"a{n}") for n in range(12)]
    built = services_on(redis, namespace, *accounts)
    for account in accounts:
        lane = f"{account.name}/invoice"
        await redis.sadd(built.keys.lanes(), lane)
        for score in (-1, 0, 10**15, 2 * 10**15):
            await redis.zadd(built.keys.waiting(lane), {f"j{score}.{n}": score + n for n in range(n_waiting)})
        await redis.zadd(built.keys.later(lane), {f"l{n}": LATER_MS + n for n in range(n_waiting)})
    reader = reader_of(built, reckoned_s=ONE_ACCOUNT_S)
    first = await reader.read()
    assert sum(lane.n_waiting for one in first.accounts for lane in one.lanes) == 4 * 12 * n_waiting
    assert len(trips) <= 6
    trips.clear()
    for n in range(2, 5):
        seen = await reader.read()
        assert sum(lane.done_ms is not None for one in seen.accounts for lane in one.lanes) == n
    assert len(trips) == 3


async def test_all_that_can_be_told_is_told_in_one_round_trip(redis, namespace, trips):
    accounts = {name: an_account(name) for name in ("acme", "b", "c", "slow")}
    keys = Keys(namespace)
    await everything_wrong(redis, keys)
    await redis.xreadgroup("behind", "c", {keys.radian(): ">"}, count=3)
    reader = ScrapeReader(redis, keys, accounts, "test", results_maxlen=9, reckoned_s=ONE_ACCOUNT_S)
    first = await reader.read()
    trips.clear()
    second = await reader.read()
    assert len(trips) == 1
    assert told(second.overview) == told(first.overview)
    assert (second.groups, second.hooks, second.n_workers) == (first.groups, first.hooks, first.n_workers)


async def test_what_is_new_is_told_at_once_and_what_is_gone_no_more(redis, namespace):
    built = services_on(redis, namespace)
    keys, reader = built.keys, reader_of(built)
    await redis.sadd(keys.lanes(), "acme/invoice")
    await redis.zadd(keys.waiting("acme/invoice"), {"j": 10**15})
    for _ in range(2):
        assert [lane.queue for lane in (await reader.read()).accounts[0].lanes] == ["invoice"]
    await redis.sadd(keys.lanes(), "acme/payroll", "b/invoice")
    await redis.zadd(keys.waiting("acme/payroll"), {"j": 10**15})
    await redis.zadd(keys.workers(), {"w1": (await redis.time())[0] * 1000})
    await redis.hset(keys.worker("w1"), mapping={"pid": 1, "accounts": "acme"})
    seen = await reader.read()
    lanes = {one.name: [lane.queue for lane in one.lanes] for one in seen.accounts}
    assert lanes == {"acme": ["invoice", "payroll"], "b": ["invoice"]}
    assert seen.n_workers == 1
    await redis.srem(keys.lanes(), "acme/invoice", "b/invoice")
    await redis.delete(keys.waiting("acme/payroll"), keys.worker("w1"))
    await redis.set(keys.waiting("acme/payroll"), "wrong")
    seen = await reader.read()
    assert [(lane.queue, lane.n_waiting) for lane in seen.accounts[0].lanes] == [("payroll", 0)]
    assert seen.n_workers == 0
    assert keys.waiting("acme/payroll") in seen.overview.damaged


async def test_a_lane_that_came_since_the_last_scrape_is_reckoned_with_the_others(redis, namespace):
    built = services_on(redis, namespace)
    keys, reader, lanes = built.keys, reader_of(built), ("acme/invoice", "acme/payroll", "acme/credit_note")
    for n, lane in enumerate(lanes, 1):
        await redis.sadd(keys.lanes(), lane)
        await redis.zadd(keys.waiting(lane), {"j": 10**15})
        seen = await reader.read()
        assert sum(one.done_ms is not None for one in seen.accounts[0].lanes) == n


BAND = 10**15


@pytest.mark.parametrize(
    "places",
    [
        [BAND + 7],
        [7, 9],
        [7, BAND + 5],
        [BAND + 5, 2 * BAND + 3, 2 * BAND + 9],
        [9, BAND + 3, 2 * BAND + 5],
        [-BAND],
        [-3, -2],
        [-3, 2 * BAND + 5],
        [-3, BAND + 5, BAND + 9],
        [-2.0 * BAND, BAND + 5],
        [BAND + 5, float("inf")],
        [float("-inf"), 5, float("inf")],
        [3 * BAND, 4 * BAND],
    ],
)
async def test_who_waits_longest_is_the_one_that_status_tells(redis, namespace, places):
    """Of every priority, of what is on again, and of places that nobody gives."""
    built = services_on(redis, namespace)
    keys, lane = built.keys, "acme/invoice"
    await redis.sadd(keys.lanes(), lane)
    # What has the lower place in its band was pushed before: some by seconds.
    await redis.zadd(keys.waiting(lane), {f"j{n}": place + 10**7 * n for n, place in enumerate(places)})
    for n in range(len(places)):
        await redis.hset(keys.job("acme", f"j{n}"), "accepted_at", 1_700_000_000_000 - n)
    reader = reader_of(built)
    status = StatusReader(redis, keys, built.accounts, limit=80, window_s=60.0, results_maxlen=9)
    (told_there,) = (await status.overview()).lanes
    for _ in range(2):
        (told_here,) = (await reader.read()).accounts[0].lanes
        assert (told_here.oldest_ms or 0) == told_there.oldest_ms


async def test_every_account_is_reckoned_in_its_turn(redis, namespace):
    accounts = [an_account(f"a{n}") for n in range(4)]
    built = services_on(redis, namespace, *accounts)
    for account in accounts:
        await redis.sadd(built.keys.lanes(), f"{account.name}/invoice")
        await redis.zadd(built.keys.waiting(f"{account.name}/invoice"), {"j": 10**15})
    reader = reader_of(built, reckoned_s=ONE_ACCOUNT_S)
    for n in range(1, 5):
        seen = await reader.read()
        assert sum(lane.done_ms is not None for one in seen.accounts for lane in one.lanes) == n


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        (answers.PaymentRequired("no", 402), ("acme", "", "factus.payment_required")),
        (answers.CredentialsRefused("no", 401), ("acme", "", "factus.credentials")),
    ],
)
async def test_what_holds_an_account_is_a_block(redis, namespace, answer, place):
    factus = FakeFactus(script=[answer])
    built = services_on(redis, namespace, gateway=factus, backoff_base=60.0, backoff_max=60.0)
    async with running(built) as rig:
        await rig.push_bill("A")
        await rig.events(1)
        told = (await Endpoint(reader_of(built)).metrics({})).body.decode()
    account, family, reason = place
    assert f'factus_lane_blocked{{account="{account}",family="{family}",reason="{reason}"}} 1.0' in told


async def test_keys_of_another_kind_leave_out_what_they_would_say(redis, namespace):
    built = services_on(redis, namespace)
    keys = built.keys
    await redis.sadd(keys.lanes(), "acme/invoice", b"\xff\xfe", "", "x/y/z")
    spoilt = [
        keys.waiting("acme/invoice"), keys.lane("acme/invoice"), keys.account("acme"), keys.grants("acme"), keys.days(),
        keys.ranges("acme"), keys.counts(), keys.results(), keys.dead(), keys.hooks_seen(), keys.token("acme"),
    ]  # fmt: skip
    for key in spoilt:
        await redis.set(key, "wrong")
    seen = await reader_of(built).read()
    assert (seen.n_dead, seen.n_at_risk, seen.counts, seen.groups) == (None, None, {}, ())
    assert (await Endpoint(reader_of(built), built.shown).metrics({})).status == 200
