"""What a scrape reads of a service, and what the endpoint answers; on the imitation of Redis and on the real one."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from redis import exceptions

from jobs import answers
from tests.fakes import FakeFactus
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, running, services_on, some_settings
from worker.figures import Figures
from worker.metrics import catalog, estimates, samples
from worker.metrics.endpoint import Endpoint, serving
from worker.metrics.listener import listening
from worker.metrics.reader import ScrapeReader
from worker.queue.arq_worker import SLOTS
from worker.speech import ENGLISH
from worker.status.facts import Overview
from worker.status.problems import PATIENCE_MS, problems
from worker.status.reader import StatusReader
from worker.store import connection, inquiry
from worker.store.exchange import exchange
from worker.store.keys import Keys

LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()
LATER_MS = 4 * 10**12
SECRET = "planted-secret-reference"


def reader_of(built) -> ScrapeReader:
    return ScrapeReader(built.redis, built.keys, built.accounts, "test", longest_s=PATIENCE_S)


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
    monkeypatch.setattr(estimates, "_MOST_S", 0.0)  # one account is reckoned, as ever; no time decides
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
    reader = reader_of(built)
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
    reader = ScrapeReader(redis, keys, accounts, "test", results_maxlen=9)
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


async def test_every_account_is_reckoned_in_its_turn(redis, namespace, monkeypatch):
    accounts = [an_account(f"a{n}") for n in range(4)]
    built = services_on(redis, namespace, *accounts)
    for account in accounts:
        await redis.sadd(built.keys.lanes(), f"{account.name}/invoice")
        await redis.zadd(built.keys.waiting(f"{account.name}/invoice"), {"j": 10**15})
    monkeypatch.setattr(estimates, "_MOST_S", 0.0)
    reader = reader_of(built)
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


# -- problems ----------------------------------------------------------------------------------------------------------
async def everything_wrong(redis, keys) -> None:
    """As much as can be wrong at once, as the service keeps it."""
    now_ms = int((await redis.time())[0]) * 1000
    long_ago = now_ms - PATIENCE_MS - 60_000
    for lane, reason in {"acme/invoice": "dian.pending", "acme/payroll": "factus.conflict", "b/invoice": "x"}.items():
        await redis.sadd(keys.lanes(), lane)
        await redis.zadd(keys.waiting(lane), {"j": 10**15})
        await redis.hset(keys.lane(lane), mapping={"held_since": long_ago, "held_for": reason})
    await redis.hset(keys.lane("b/invoice"), "held_since", now_ms)  # not for long
    await redis.sadd(keys.lanes(), "stranger/invoice", "slow/invoice")
    await redis.zadd(keys.waiting("stranger/invoice"), {"j": 10**15})
    held = {"hold_until": now_ms + 60_000, "hold_reason": "factus.credentials", "held_since": now_ms}
    await redis.hset(keys.account("c"), mapping={**held, "held_for": "factus.credentials", "blocked:*": now_ms})
    await redis.hset(keys.account("acme"), mapping={"blocked:invoice": long_ago, "blocked:bill.email": long_ago})
    slowed = {"hold_until": now_ms + 60_000, "hold_reason": "factus.throttled"}
    await redis.hset(keys.account("slow"), mapping=slowed)
    await redis.zadd(keys.waiting("slow/invoice"), {"j": 10**15})
    await redis.hset(keys.lane("slow/invoice"), mapping={"held_since": long_ago, "held_for": "factus.unavailable"})
    for name, facts in {
        "w1": {"accounts": "acme,b,c,slow", "failed": "sweep=2", "signed": "1", "keys_fault": "no JSON"},
        "w2": {"accounts": "acme,b,c", "failed": "", "signed": "0", "keys_fault": ""},
    }.items():
        await redis.zadd(keys.workers(), {name: now_ms})
        await redis.hset(keys.worker(name), mapping={"pid": 1, "version": "0", **facts})
    await redis.zadd(keys.workers(), {"w3": now_ms - 15_000})
    for name, kept in {
        "dead": {"failing_since": long_ago, "last_status": 503},
        "gone": {"state": "disabled", "disabled_why": "gone", "disabled_at": now_ms},
        "cut": {"n_gone": 4, "gone_at": now_ms},
        "late": {"last_success_at": now_ms},
    }.items():
        await redis.zadd(keys.hooks_seen(), {name: now_ms})
        await redis.hset(keys.hook(name), mapping=kept)
    await redis.zadd(keys.hook_processes(), {"h": now_ms})
    await redis.zadd(keys.hook("late", "due"), {"m": long_ago})
    await redis.zadd(keys.hook("late", "order"), {"m": 1})
    facts = {f"gone:{keys.jobs()}": 3, f"gone_at:{keys.jobs()}": now_ms, f"ahead:{keys.retry()}": "9-9"}
    await redis.hset(keys.intake_facts(), mapping={**facts, f"renewed_at:{keys.jobs()}": now_ms})
    await redis.hset(keys.intake_facts(), mapping={"letters_gone": 2, "letters_gone_at": now_ms})
    for n in range(9):
        await redis.xadd(keys.results(), {"event": "{}"}, id=f"1-{n + 1}")
        await redis.xadd(keys.radian(), {"event": "{}"}, id=f"1-{n + 1}")
    await redis.xgroup_create(keys.results(), "lost", id="0")
    await redis.xgroup_create(keys.radian(), "behind", id="0")
    await redis.xgroup_create(keys.radian(), "well", id="$")
    await redis.xtrim(keys.results(), maxlen=8, approximate=False)


def told(seen: Overview) -> dict[tuple[str, str], int]:
    return Counter((one.id, one.severity) for one in problems(seen, ENGLISH))


async def test_a_scrape_finds_the_problems_that_status_tells(redis, namespace):
    accounts = {name: an_account(name) for name in ("acme", "b", "c", "slow")}
    keys = Keys(namespace)
    await everything_wrong(redis, keys)
    status = StatusReader(redis, keys, accounts, limit=80, window_s=60.0, results_maxlen=9)
    wanted = told(await status.overview())
    assert len(wanted) >= 16, wanted
    seen = await ScrapeReader(redis, keys, accounts, "test", results_maxlen=9).read()
    assert told(seen.overview) == wanted
    assert (seen.n_workers, seen.n_lost) == (2, 1)
    shown = [one for one in samples.of_service(seen, "0") if one.metric is catalog.PROBLEMS]
    assert sum(one.value for one in shown) == wanted.total()
    assert [one.labels[0] for one in shown][-1] == "other"


@pytest.mark.parametrize("given", [False, True])
async def test_entries_in_hand_for_long_are_told_by_both(real_redis, namespace, given):
    keys = Keys(namespace)
    await real_redis.xadd(keys.results(), {"event": "{}"})
    await real_redis.xgroup_create(keys.results(), "erp", id="0")
    if given:
        await real_redis.xreadgroup("erp", "c", {keys.results(): ">"})
        await real_redis.xclaim(
            keys.results(), "erp", "c", 0, [(await real_redis.xrange(keys.results()))[0][0]], idle=10**7
        )
    status = StatusReader(real_redis, keys, {}, limit=80, window_s=60.0, results_maxlen=9)
    seen = await ScrapeReader(real_redis, keys, {}, "test", results_maxlen=9).read()
    assert told(seen.overview) == told(await status.overview())
    assert (("group.stale", "warning") in told(seen.overview)) is given


async def test_who_may_not_see_workers_says_nothing_of_them(real_redis, valkey_url, namespace):
    await real_redis.execute_command(
        "ACL", "SETUSER", "blind", "on", ">x", f"~{namespace}:*", "+@all", "-zrange", "-zcount"
    )
    client = connection.connect(valkey_url.replace("://", "://blind:x@", 1))
    try:
        seen = await ScrapeReader(client, Keys(namespace), {}, "test").read()
    finally:
        await connection.close(client)
        await real_redis.execute_command("ACL", "DELUSER", "blind")
    shown = {one.metric.name for one in samples.of_service(seen, "0")}
    assert seen.is_read
    assert not shown & {"factus_problems", "factus_workers"}


# -- ready -------------------------------------------------------------------------------------------------------------
async def test_ready_asks_for_writes_and_for_a_leader_and_not_for_factus(redis, namespace):
    built = services_on(redis, namespace)
    endpoint = Endpoint(reader_of(built))
    assert (await endpoint.healthy({})).status == 200
    reply = await endpoint.ready({})
    assert (reply.status, reply.body) == (503, b"intake: no worker reads the jobs\n")
    await redis.set(built.keys.leader("intake"), "w1")
    await redis.hset(built.keys.account("acme"), mapping={"outage": 1, "hold_until": 4 * 10**12, "hold_reason": "x"})
    assert (await endpoint.ready({})).status == 200


@pytest.fixture
def refusing(monkeypatch):
    """Have writes refused from now on; or everything, as where the server is gone."""

    def refuse(exc, *, only_writes=True):
        async def asked(client, commands):
            if not only_writes:
                raise exc
            found = await exchange(client, commands)
            return [exc if command[0] == "SET" else one for command, one in zip(commands, found, strict=True)]

        monkeypatch.setattr(inquiry, "exchange", asked)

    return refuse


@pytest.mark.parametrize(
    ("exc", "reason"),
    [
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "redis.read_only"),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB snapshots"), "redis.disk"),
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "redis.memory"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), "redis.replicas"),
    ],
)
async def test_a_redis_that_takes_no_writes_is_told_in_both_places(fake_redis, namespace, exc, reason, refusing):
    keys = Keys(namespace)
    await fake_redis.set(keys.leader("intake"), "w1")
    await fake_redis.hset(keys.counts(), "invoice.issue/validated", 4)
    refusing(exc)
    endpoint = Endpoint(ScrapeReader(fake_redis, keys, {}, "test"))
    ready = await endpoint.ready({})
    assert (ready.status, ready.body.decode().partition(":")[0]) == (503, reason)
    told = (await endpoint.metrics({})).body.decode()
    assert f'factus_lane_blocked{{account="",family="",reason="{reason}"}} 1.0' in told
    assert 'factus_jobs_total{outcome="validated",type="invoice.issue"} 4.0' in told


async def test_who_may_only_look_is_no_reason_to_worry(fake_redis, namespace, refusing):
    keys = Keys(namespace)
    await fake_redis.set(keys.leader("intake"), "w1")
    refusing(exceptions.NoPermissionError("this user has no permissions to run the 'set' command"))
    assert (await Endpoint(ScrapeReader(fake_redis, keys, {}, "test")).ready({})).status == 200


async def test_without_redis_the_process_answers_and_says_why(fake_redis, namespace, refusing):
    refusing(exceptions.ConnectionError("Error 111 connecting"), only_writes=False)
    endpoint = Endpoint(ScrapeReader(fake_redis, Keys(namespace), {}, "test"), lambda: (Figures(), 0, 64))
    assert (await endpoint.healthy({})).status == 200
    ready = await endpoint.ready({})
    assert (ready.status, ready.body[:18]) == (503, b"redis.unavailable:")
    told = (await endpoint.metrics({})).body.decode()
    assert 'reason="redis.unavailable"} 1.0' in told
    assert "factus_worker_slots 64.0" in told


async def test_those_who_ask_at_once_are_one_for_redis(fake_redis, namespace):
    class Counting(ScrapeReader):
        n_reads = 0

        async def read(self):
            self.n_reads += 1
            return await super().read()

    reader = Counting(fake_redis, Keys(namespace), {}, "test")
    endpoint = Endpoint(reader)
    await asyncio.gather(*(endpoint.metrics({}) for _ in range(20)))
    assert reader.n_reads == 1


# -- ranges ------------------------------------------------------------------------------------------------------------
async def test_ranges_are_noted_from_the_answers_of_jobs(redis, namespace):
    row = {"document": "Nota Crédito", "prefix": "NC", "from": 1, "to": 1000, "current": 1001, "end_date": "31-12-2026"}
    sales = {"prefix": "SETP", "from": "990000000", "to": "990000020", "end_date": "2030-01-19"}
    factus = FakeFactus(replies={"GET /v2/numbering-ranges": [answers.Replied({"data": {"data": [row]}})]})

    def with_range(answer):
        answer.document.raw["numbering_range"] = {**sales, "resolution_number": "18760000001"}
        return answer

    factus.script = [with_range]
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push_bill("A")
        await rig.push({"type": "numbering_range.list", "account": "acme", "payload": {}})
        events = await rig.events(2)
        await rig.rest()
        assert all(event["success"] for event in events), events
        seen = await reader_of(built).read()
        told = await StatusReader(redis, built.keys, {}, limit=80, window_s=60.0, results_maxlen=100).overview()
    found = {(one.family, one.prefix): (one.n_left, one.expires_ms, one.is_ending) for one in seen.accounts[0].ranges}
    assert found == {
        ("invoice", "SETP"): (19, 1_895_115_600_000, False),
        ("credit_note", "NC"): (0, None, True),
    }
    (ended,) = [one for one in problems(told, ENGLISH) if one.id == "range.ended"]
    assert (ended.subject, ended.what) == ("acme/NC", "account acme, range NC (credit note): no numbers are left")
    assert factus.calls["GET /v2/numbering-ranges"] == 1, "no call of its own"


# -- the listener ------------------------------------------------------------------------------------------------------
async def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    def blocking() -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as exc:
            return exc.code, dict(exc.headers), exc.read()

    return await asyncio.to_thread(blocking)


async def raw(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_three_paths_are_answered_and_nothing_else(fake_redis, namespace):
    endpoint = Endpoint(ScrapeReader(fake_redis, Keys(namespace), {}, "test"))
    routes = {"/metrics": endpoint.metrics, "/healthz": endpoint.healthy, "/readyz": endpoint.ready}
    async with listening("127.0.0.1", 0, routes) as port:
        status, headers, body = await ask(port, "/metrics?x=1")
        assert (status, headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
        assert b"factus_build_info" in body
        assert (await ask(port, "/healthz", "HEAD"))[::2] == (200, b"")
        assert (await ask(port, "/readyz"))[0] == 503
        assert (await ask(port, "/"))[0] == 404
        status, headers, _ = await ask(port, "/metrics", "DELETE")
        assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x16\x03\x01\x00", b"GET /metrics", b"\r\n\r\n", b"GET /" + b"x" * 10**5, b"\xff" * 50 + b"\r\n\r\n"],
)
async def test_what_is_no_http_costs_a_connection_and_no_more(sent):
    async def never(_fields):
        raise AssertionError

    async with listening("127.0.0.1", 0, {"/metrics": never}) as port:
        found = await raw(port, sent)
        assert found == b"" or found.startswith(b"HTTP/1.1 404 ")
        assert (await ask(port, "/nothing"))[0] == 404


async def test_a_defect_of_ours_ends_an_answer_and_not_the_listener():
    async def trips(_fields):
        raise ZeroDivisionError

    async with listening("127.0.0.1", 0, {"/metrics": trips}) as port:
        assert await raw(port, b"GET /metrics HTTP/1.1\r\n\r\n") == b""
        assert (await ask(port, "/nothing"))[0] == 404


async def test_a_port_that_is_taken_is_told_and_the_worker_goes_on(valkey_url, namespace):
    async with listening("127.0.0.1", 0, {}) as port:
        settings = some_settings(namespace, metrics_port=port)
        with structlog.testing.capture_logs() as logs:
            async with serving(settings, valkey_url, "w1") as found:
                assert found is None
    (line,) = [one for one in logs if one["event"] == "metrics.port_taken"]
    assert (line["log_level"], line["url"]) == ("warning", f"http://127.0.0.1:{port}/metrics")


async def test_a_worker_process_is_scraped_over_http(valkey_url, namespace, real_redis):
    async with listening("127.0.0.1", 0, {}) as free:
        pass
    settings = some_settings(namespace, metrics_port=free)
    built = services_on(real_redis, namespace)
    async with running(built) as rig, serving(settings, valkey_url, built.worker_id, built.shown) as port:
        await rig.push_bill("A")
        await rig.events(1)
        assert (await ask(port, "/readyz"))[::2] == (200, b"ok\n")
        body = (await ask(port, "/metrics"))[2].decode()
    assert 'factus_jobs_total{outcome="validated",type="invoice.issue"} 1.0' in body
    assert f"factus_worker_slots {float(SLOTS.most)}" in body
    assert json.dumps(body)


async def test_where_no_port_is_set_nothing_listens(namespace):
    async with serving(some_settings(namespace), "redis://127.0.0.1:1", "w1") as port:
        assert port is None
