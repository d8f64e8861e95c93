"""
The service in one process, on any Redis, with Factus replaced behind its port: the rig for tests of the whole way.

Everything is the real code from the stream to the event; only time-outs and the network are left out.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from arq.connections import ArqRedis
from pydantic import SecretStr

from jobs.patience import PatiencePolicy
from jobs.ports import Archive, Gateway
from tests.builders import a_bill
from tests.fakes import FakeFactus, MemoryArchive
from tests.patience import PATIENCE_S
from worker.bootstrap import Policies, Services, build
from worker.intake.policy import IntakePolicy
from worker.process import run_tasks, until_idle
from worker.settings.account import Account
from worker.settings.model import Settings
from worker.traces import OFF, Traces

_references = itertools.count(1)
_FENCE = {"catalog": "taxes", "query": "01"}


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
    return Settings(**values)


QUICK: Final = Policies(intake=IntakePolicy(grace_ms=0, block_ms=40), patience=PatiencePolicy(least_settle_ms=300))
"""The product's policies, but for three waits that would make every test slow: for workers that may serve an account as
well, for the next entry when the worker is asked to end, and for a change that had no answer."""


def quick(**changes: Any) -> Policies:
    """
    :data:`QUICK` with other values.

    Args:
        changes: By the policy's name; a policy, or the fields of it that change: ``patience={"foreign_ms": 100}``.
    """
    given = {
        name: replace(getattr(QUICK, name), **value) if isinstance(value, Mapping) else value
        for name, value in changes.items()
    }
    return replace(QUICK, **given)


def services_on(
    redis: ArqRedis,
    namespace: str,
    *accounts: Account,
    gateway: Gateway | None = None,
    over_http: bool = False,
    archive: Archive | None = None,
    policies: Policies = QUICK,
    blocking: ArqRedis | None = None,
    traces: Traces = OFF,
    **settings: Any,
) -> Services:
    """
    The parts of one worker process; nothing runs yet.

    Args:
        gateway: Factus for all accounts; a new fake unless given.
        over_http: The real client instead, at each account's ``base_url``.
        archive: In memory unless given.
        traces: Where attempts are noted; nowhere unless given.
        settings: Settings that are other than :func:`some_settings` has them.
    """
    by_name = {account.name: account for account in accounts or (an_account(),)}
    shared = gateway or FakeFactus()
    return build(
        some_settings(namespace, **settings),
        by_name,
        redis,
        blocking or redis,
        policies,
        gateway_of=None if over_http else lambda *_: shared,
        archive=archive or MemoryArchive(),
        traces=traces,
    )


@dataclass
class ServiceInProcess:
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

    async def events(self, n: int, *, timeout_s: float = PATIENCE_S, stream: str = "") -> list[dict[str, Any]]:
        """The next *n* events; fails with what came when they do not come in time."""
        found: list[dict[str, Any]] = []
        key = stream or self.services.keys.results()
        gives_up_at = time.monotonic() + timeout_s
        while len(found) < n:
            # The client's own patience with a silent server is a few seconds: the wait is cut into shorter ones.
            reply = await self.services.redis.xread({key: self._last}, count=n - len(found), block=1000)
            for entry_id, fields in reply[0][1] if reply else ():
                self._last = entry_id.decode()
                self.n_seen += 1
                found.append(json.loads(fields[b"event"]))
            if len(found) < n and time.monotonic() > gives_up_at:
                raise AssertionError(f"{len(found)} of {n} events: {[(e['type'], e['errors']) for e in found]}")
        return found

    async def taken_in(self) -> None:
        """
        Wait until all that was pushed so far has been taken in and its lanes have been looked at; no event may be due.

        The intake keeps the stream's order: when a search of the tables is answered, whatever came before it is done.
        """
        await self.push({"type": "catalog.search", "account": next(iter(self.services.accounts)), "payload": _FENCE})
        (event,) = await self.events(1)
        assert event["job_type"] == "catalog.search", f"something else was published: {event['type']}"
        self.n_seen -= 1

    async def rest(self) -> None:
        """The service has nothing left to do: nothing pushed, under way or due."""
        await until_idle(self.services, asyncio.Event())

    async def look(self, lane: str) -> None:
        """A lane is looked at now: what may start has started."""
        await self.services.redis.zadd(self.services.keys.lanes_due(), {lane: 0})
        await self.services.dispatcher.poll_due_lanes()

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


@asynccontextmanager
async def not_swept(built: Services) -> AsyncIterator[None]:
    """Somebody else leads the sweep, and does nothing: no repair comes by itself while the block lasts."""
    leader = built.keys.leader("sweep", built.accounts)
    await built.redis.set(leader, "another worker")
    yield
    await built.redis.delete(leader)


@asynccontextmanager
async def running(built: Services) -> AsyncIterator[ServiceInProcess]:
    """Run the tasks of a worker process while the block lasts."""
    stopping = asyncio.Event()
    rig = ServiceInProcess(built, stopping, asyncio.create_task(run_tasks(built, stopping)))
    try:
        yield rig
    finally:
        try:
            await rig.stop()
        finally:
            await built.close()
