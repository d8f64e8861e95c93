"""
The service in one process, on any Redis, with Factus replaced behind its port: the rig for tests of the whole way.

Everything is the real code from the stream to the event; only time-outs and the network are left out.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from arq.connections import ArqRedis
from pydantic import SecretStr

from jobs.ports import Gateway
from tests.builders import a_bill
from tests.fakes import FakeFactus, MemoryArchive
from worker.bootstrap import Services, build
from worker.process import run_tasks
from worker.settings import Account, Settings

_references = itertools.count(1)


def an_account(name: str = "acme", **changes: Any) -> Account:
    secret = SecretStr("x")
    base: dict[str, Any] = {
        "name": name,
        "client_id": secret,
        "client_secret": secret,
        "username": secret,
        "password": secret,
        "base_url": "http://127.0.0.1:9",
        "rate_limit": 1000,
        "rate_window": 60.0,
        "concurrency": 4,
    }
    return Account(**{**base, **changes})


def some_settings(namespace: str, **changes: Any) -> Settings:
    values = {"namespace": namespace, "backoff_base": 0.02, "backoff_max": 0.2, **changes}
    return Settings(_env_file=None, **values)  # type: ignore[call-arg]


def services_on(
    redis: ArqRedis, namespace: str, *accounts: Account, gateway: Gateway | None = None, **settings: Any
) -> Services:
    """The parts of one worker process; nothing runs yet."""
    by_name = {account.name: account for account in accounts or (an_account(),)}
    built = build(some_settings(namespace, **settings), by_name, redis, redis)
    gateways: Mapping[str, Gateway] = dict.fromkeys(by_name, gateway or FakeFactus())
    built.runner.gateways = gateways
    built.runner.archive = MemoryArchive()
    return built


@dataclass
class Rig:
    """A running service and the two ends of it: push, and read."""

    services: Services
    stopping: asyncio.Event
    task: asyncio.Task[None]
    n_seen: int = 0
    _last: str = "0-0"

    async def push(self, job: dict[str, Any] | str | bytes, *, stream: str = "") -> str:
        raw = json.dumps(job, default=str) if isinstance(job, dict) else job
        entry = await self.services.redis.xadd(stream or self.services.keys.jobs(), {"job": raw})
        return str(entry.decode())

    async def push_bill(self, reference: str | None = None, *, account: str = "acme", **envelope: Any) -> str:
        code = reference or f"R-{next(_references)}"
        payload = envelope.pop("payload", None) or a_bill(reference_code=code)
        await self.push({"type": "invoice.issue", "account": account, "payload": payload, **envelope})
        return code

    async def events(self, n: int, *, timeout_s: float = 5.0, stream: str = "") -> list[dict[str, Any]]:
        """The next *n* events; fails with what came when they do not come in time."""
        found: list[dict[str, Any]] = []
        key = stream or self.services.keys.results()
        try:
            async with asyncio.timeout(timeout_s):
                while len(found) < n:
                    entries = await self.services.redis.xrange(
                        key, f"({self._last}" if self._last != "0-0" else "-", "+"
                    )
                    for entry_id, fields in entries:
                        self._last = entry_id.decode()
                        self.n_seen += 1
                        found.append(json.loads(fields[b"event"]))
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{len(found)} of {n} events: {[(e['type'], e['errors']) for e in found]}") from None
        return found

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


@asynccontextmanager
async def running(built: Services) -> AsyncIterator[Rig]:
    """Run the tasks of a worker process while the block lasts."""
    stopping = asyncio.Event()
    rig = Rig(built, stopping, asyncio.create_task(run_tasks(built, stopping)))
    try:
        yield rig
    finally:
        await rig.stop()


def with_gateway(built: Services, gateway: Gateway) -> Services:
    """The same parts with another Factus."""
    built.runner.gateways = dict.fromkeys(built.accounts, gateway)
    return replace(built)
