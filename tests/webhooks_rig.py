"""
Webhooks in one process: the real parts on a real Redis, and endpoints that answer as a test says.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from arq.connections import ArqRedis

from jobs.webhooks.endpoint import Endpoint
from jobs.webhooks.schedule import SchedulePolicy
from jobs.webhooks.signing import message_id
from jobs.webhooks.verdict import Answer
from schemas.contract.event import Event, stream_fields
from tests.patience import PATIENCE_S
from worker.settings.model import Settings
from worker.store import connection
from worker.webhooks.deliverer import Attempts
from worker.webhooks.endpoints_file import EndpointsFile
from worker.webhooks.policy import WebhookPolicy
from worker.webhooks.process import WebhookService, build

SECRET: Final = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_numbers = itertools.count(1)

QUICK: Final = WebhookPolicy(
    schedule=SchedulePolicy(steps_s=(0.05,) * 9), block_ms=40, streams_s=0.1, file_s=0.05, look_s=0.1, pace_ms=1
)
"""The product's policy, with waits that a test has time for."""


def an_endpoint(name: str = "shop", **changes: Any) -> Endpoint:
    base: dict[str, Any] = {
        "name": name,
        "url": "http://127.0.0.1:9/hook",
        "secrets": (SECRET,),
        "timeout_s": 5.0,
        "allow_networks": LOOPBACK,
        "start": "all",
    }
    return Endpoint(**{**base, **changes})


def an_event(job_id: str | None = None, seq: int = 1, **changes: Any) -> Event:
    job = job_id or f"job-{next(_numbers)}"
    base: dict[str, Any] = {
        "id": f"acme/{job}/{seq}",
        "seq": seq,
        "type": "invoice.validated",
        "time": datetime(2026, 11, 30, 12, tzinfo=UTC),
        "job_id": job,
        "job_type": "invoice.issue",
        "account": "acme",
        "reference_code": job,
        "batch": None,
        "metadata": {},
        "attempts": 1,
        "success": True,
        "message": "Factura validada por la DIAN",
        "data": {"number": "SETP1", "factus": {"big": "x" * 500}},
        "errors": None,
    }
    return Event(**{**base, **changes})


Reply = Callable[[Endpoint, str, bytes], Awaitable[Answer]]


@dataclass
class Received:
    """One attempt as an endpoint saw it."""

    endpoint: str
    message: str
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class FakeEndpoints:
    """In place of the sender: remembers every attempt, answers as it is told (200 unless it is)."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    """Scripted, by endpoint; the last one stays."""
    received: list[Received] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    """An endpoint hangs until its gate is open."""
    most_at_once: dict[str, int] = field(default_factory=dict)
    n_ended: Counter[str] = field(default_factory=Counter)
    """Attempts that have their answer, by endpoint."""
    _now: dict[str, int] = field(default_factory=dict)

    async def attempt(self, endpoint: Endpoint, secrets: tuple[str, ...], message: str, body: bytes) -> Answer:
        name = endpoint.name
        self.received.append(Received(name, message, body))
        self._now[name] = self._now.get(name, 0) + 1
        self.most_at_once[name] = max(self.most_at_once.get(name, 0), self._now[name])
        try:
            if name in self.gates:
                await self.gates[name].wait()
            await asyncio.sleep(0)
        finally:
            self._now[name] -= 1
            self.n_ended[name] += 1
        script = self.answers.get(name)
        if not script:
            return Answer(200)
        return script.pop(0) if len(script) > 1 else script[0]

    def of(self, name: str) -> list[Received]:
        return [one for one in self.received if one.endpoint == name]


@dataclass
class Hooks:
    """The running service, and what a test does beside it."""

    service: WebhookService
    sender: Any
    redis: ArqRedis
    _n_looks: int = 0

    def __post_init__(self) -> None:
        look = self.service.deliverer._look

        async def counted() -> float:
            wait_s = await look()
            self._n_looks += 1
            return wait_s

        self.service.deliverer._look = counted  # type: ignore[method-assign]

    async def publish(self, event: Event, stream: str | None = None) -> str:
        entry = await self.redis.xadd(stream or self.service.book.keys.results(), dict(stream_fields(event)))
        return entry.decode()

    async def until(self, condition: Callable[[], Any], timeout_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(timeout_s):
            while True:
                found = condition()
                if asyncio.iscoroutine(found):
                    found = await found
                if found:
                    return
                await asyncio.sleep(0.01)

    async def looked(self, n: int = 3) -> None:
        """So many looks at all endpoints began and ended: what could start has started, what has ended is written."""
        wanted = self._n_looks + 1 + n
        await self.until(lambda: self._n_looks >= wanted)

    async def waiting(self, name: str = "shop") -> int:
        return int(await self.redis.zcard(self.service.book.keys.hook(name, "order")))

    async def empty(self, name: str = "shop") -> None:
        """Until nothing waits and the place is behind the last entry."""
        await self.until(lambda: self._is_empty(name))

    async def _is_empty(self, name: str) -> bool:
        last = await self.redis.xrevrange(self.service.book.keys.results(), count=1)
        kept = await self.redis.hget(self.service.book.keys.hook_places(), name)
        is_read = not last or (kept is not None and last[0][0] in kept)
        return is_read and not await self.waiting(name)

    async def operator_events(self) -> list[dict[str, Any]]:
        rows = await self.redis.xrange(self.service.book.keys.results())
        found = [json.loads(fields[b"event"]) for _, fields in rows]
        return [event for event in found if event["type"].startswith("webhook.")]


def some_service(
    redis: ArqRedis,
    blocking: ArqRedis,
    namespace: str,
    *endpoints: Endpoint,
    sender: Attempts,
    policy: WebhookPolicy = QUICK,
    own_streams: frozenset[str] = frozenset(),
) -> WebhookService:
    file = EndpointsFile(Path("/nowhere"), {one.name: one for one in endpoints or (an_endpoint(),)}, 2)
    return build(Settings(namespace=namespace), file, redis, blocking, sender, policy, own_streams=own_streams)


@asynccontextmanager
async def hooks(
    redis: ArqRedis,
    url: str,
    namespace: str,
    *endpoints: Endpoint,
    sender: Any = None,
    policy: WebhookPolicy = QUICK,
    own_streams: frozenset[str] = frozenset(),
) -> AsyncIterator[Hooks]:
    """The service, running, on a real server."""
    blocking = connection.connect(url, blocking=True)
    sender = FakeEndpoints() if sender is None else sender
    service = some_service(
        redis, blocking, namespace, *endpoints, sender=sender, policy=policy, own_streams=own_streams
    )
    stopping = asyncio.Event()
    rig = Hooks(service, sender, redis)
    task = asyncio.create_task(service.run(stopping))
    try:
        yield rig
    finally:
        stopping.set()
        await task
        await connection.close(blocking)


def quick(**changes: Any) -> WebhookPolicy:
    return replace(QUICK, **changes)


def ids_of(*events: Event) -> list[str]:
    return [message_id(event.id) for event in events]
