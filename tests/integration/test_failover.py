"""Behind sentinels: the primary is killed, stands still, comes back; each document is issued once, and none is lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from sandbox.values.durations import Latency
from tests.builders import a_bill
from tests.patience import PATIENCE_S
from tests.sentinels import Group, Node, failing_over
from tests.service_in_process import quick
from worker.bootstrap import Services, services
from worker.http.pusher import Pusher
from worker.process import run_tasks
from worker.settings.model import Settings
from worker.store import connection
from worker.store.confirmation import Unconfirmed
from worker.store.failover import following
from worker.store.keys import Keys
from worker.store.scripts import Scripts

_references = itertools.count(1)


@dataclass
class Rig:
    """Two workers on the group, and a Factus."""

    group: Group
    redis: ArqRedis
    sandbox: httpx.AsyncClient
    keys: Keys
    pusher: Pusher
    workers: list[Services] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)

    async def push(self, n: int) -> None:
        """As the door does it, and whoever calls it: again, under the same id, until it is confirmed."""
        for _ in range(n):
            code = f"F-{next(_references)}"
            job = {"type": "invoice.issue", "id": code, "payload": a_bill(reference_code=code)}
            while True:
                try:
                    await self.pusher.push(self.keys.jobs(), {"job": json.dumps(job)})
                    break
                except RedisError:
                    await asyncio.sleep(0.1)
            self.pushed.append(code)

    async def finals(self) -> Counter[str]:
        """Final events by reference, as the stream of the present primary has them."""
        found: Counter[str] = Counter()
        for _, fields in await self.redis.xrange(self.keys.results()):
            event = json.loads(fields[b"event"])
            if event["type"] == "invoice.validated":
                found[event["reference_code"]] += 1
        return found

    async def until(self, n: int, *, timeout_s: float = PATIENCE_S) -> None:
        """So many documents have their final event."""
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    if len(await self.finals()) >= n:
                        return
                except RedisError:
                    pass
                await asyncio.sleep(0.05)

    async def n_created(self) -> int:
        return int((await self.sandbox.get("/_sandbox/report")).json()["totals"]["creates_posted"])

    async def judge(self) -> None:
        """The promises: each document once at Factus, each told once, none lost."""
        await self.until(len(self.pushed))
        documents = (await self.sandbox.get("/_sandbox/documents")).json()
        assert Counter(one["reference_code"] for one in documents) == Counter(self.pushed)
        assert await self.finals() == Counter(self.pushed)


@asynccontextmanager
async def two_workers(group: Group, namespace: str, *, slow: float = 0.02) -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(
            serve(SandboxConfig(rate_limit=0, notice_share=0.0, latency=Latency(slow, slow)))
        )
        client = connection.connect(group.url, impatient=True)
        stack.push_async_callback(connection.close, client)
        await stack.enter_async_context(following(client))
        sandbox = await stack.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        rig = Rig(group, client, sandbox, Keys(namespace), Pusher(client))
        settings = Settings(
            redis_url=group.url,
            namespace=namespace,
            base_url=url,
            rate_limit=100_000,
            backoff_base=0.1,
            backoff_max=0.5,
            timeout=2.0,
            client_id="x",
            client_secret="x",
            username="x",
            password="x",
        )
        stopping = asyncio.Event()
        for _ in range(2):
            built = await stack.enter_async_context(services(settings, quick()))
            rig.workers.append(built)
        tasks = [asyncio.create_task(run_tasks(built, stopping)) for built in rig.workers]
        try:
            yield rig
        finally:
            stopping.set()
            await asyncio.gather(*tasks)


def killed(node: Node) -> None:
    node.kill()


def stands_still(node: Node) -> None:
    """To its clients and sentinels it is as if its network were cut; it knows nothing of that when it goes on."""
    node.signal(signal.SIGSTOP)


def back(node: Node) -> None:
    if node.process and node.process.poll() is None:
        node.signal(signal.SIGCONT)
    else:
        node.start()  # with the settings of a primary: nothing tells it what has happened


async def issues_over(rig: Rig, group: Group, harm: Callable[[Node], None], *, n: int = 24) -> None:
    """Harm the primary in mid batch; until the first document that is issued after the new one is there."""
    former = group.primary
    pushing = asyncio.create_task(rig.push(n))
    await rig.until(8)
    await asyncio.to_thread(harm, former)
    await asyncio.to_thread(group.wait_for_failover, former)
    n_before = await rig.n_created()
    async with asyncio.timeout(PATIENCE_S):
        while await rig.n_created() == n_before:
            await asyncio.sleep(0.02)
    await pushing


async def test_a_primary_is_killed_in_mid_batch_and_issuing_goes_on(tmp_path: Path, namespace: str) -> None:
    """Its only replica is alone then; what depends on nobody's confirmation any more goes on, once, and in order."""
    with failing_over(tmp_path) as group:
        async with two_workers(group, namespace) as rig:
            await issues_over(rig, group, killed)
            await rig.judge()
            assert await rig.n_created() == len(rig.pushed)


@pytest.mark.deep
async def test_a_primary_that_stands_still_and_comes_back_issues_nothing_twice(tmp_path: Path, namespace: str) -> None:
    """
    Two replicas and ``min-replicas-to-write 1``: nothing that was confirmed is lost, whoever goes.

    What stands still holds itself for the primary when it goes on: it takes no write, also from who asks it directly.
    """
    with failing_over(tmp_path, n_replicas=2, least_replicas=1) as group:
        async with two_workers(group, namespace) as rig:
            for harm in (stands_still, killed, stands_still):
                former = group.primary
                await issues_over(rig, group, harm)
                with former.client() as direct:
                    back(former)
                    with pytest.raises(RedisError):
                        # A replica again by now, or a primary that nobody follows.
                        direct.set(f"{namespace}:astray", "1")
                await asyncio.to_thread(group.wait_for_replicas, 2)
                assert former.role == "slave"
                await rig.judge()
                assert await rig.redis.get(f"{namespace}:astray") is None
            assert await rig.n_created() == len(rig.pushed)


@pytest.mark.deep
async def test_a_replica_that_is_silent_holds_what_cannot_be_undone(tmp_path: Path, namespace: str) -> None:
    """Written, not confirmed, and refused: nothing is sent. When the replica goes on, so does the work."""
    with failing_over(tmp_path) as group:
        client = connection.connect(group.url)
        keys, scripts = Keys(namespace), Scripts(client)
        account, job = keys.account("acme"), keys.job("acme", "j")
        places = {"grants": keys.grants("acme"), "account": account, "job": job}
        values: dict[str, Any] = {
            "limit": 10,
            "window_ms": 60_000,
            "fence": 7,
            "latest_ms": 0,
            "what": "sending",
        }
        await connection.command(client, "HSET", job, "v", "1", "state", "inflight", "fence", "7")
        (replica,) = (node for node in group.nodes if node is not group.primary)
        try:
            stands_still(replica)
            with pytest.raises(Unconfirmed):
                await scripts.run("permit", places, values, confirmed=True)
            assert await connection.command(client, "HGET", job, "sent") == b"sending"
            with pytest.raises(RedisError):
                await Pusher(client).push(keys.jobs(), {"job": "{}"})
            back(replica)
            assert (await scripts.run("permit", places, values, confirmed=True))[0] == b"granted"
            assert await Pusher(client).push(keys.jobs(), {"job": "{}"})
        finally:
            await connection.close(client)
