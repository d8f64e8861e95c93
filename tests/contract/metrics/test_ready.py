"""What ``/readyz`` asks for, and what is told where Redis refuses."""

from __future__ import annotations

import asyncio

import pytest
from redis import exceptions

from tests.contract.metrics.readers import reader_of
from tests.service_in_process import services_on
from worker.figures import Figures
from worker.metrics.endpoint import Endpoint
from worker.metrics.reader import ScrapeReader
from worker.store import inquiry
from worker.store.exchange import exchange
from worker.store.keys import Keys


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
