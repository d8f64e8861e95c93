"""
The sending side of one process: what is due is taken under a lease, attempted, and its end written down.

Each endpoint has its own width, over all processes, so that one that is slow or dead keeps only its own. Nothing here
waits for an attempt: ends are gathered and written with the next look at their endpoint, one script for all of them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import structlog

from jobs.webhooks import notices
from jobs.webhooks.endpoint import OWN_SUBJECT, Endpoint
from jobs.webhooks.notices import About
from jobs.webhooks.verdict import Answer, Verdict, verdict
from schemas.contract.event import Event
from schemas.factus import BOGOTA
from schemas.names import subject_of
from worker.guard import Guard, pause
from worker.webhooks.book import Delivery, Ended, Served, WebhookBook
from worker.webhooks.policy import WebhookPolicy

log = structlog.get_logger()

_AT_ONCE: Final = 64
"""Deliveries of one endpoint that are taken in one look."""


_SERVED_AT_ONCE: Final = 8
"""Endpoints, each on a connection of its own."""


class Attempts(Protocol):
    """Who makes an attempt: the sender over HTTP; a test's own."""

    async def attempt(self, endpoint: Endpoint, secrets: tuple[str, ...], message: str, body: bytes) -> Answer: ...


class Deliverer:
    """The deliveries that this process has in hand."""

    def __init__(
        self,
        book: WebhookBook,
        sender: Attempts,
        endpoints: Callable[[], Mapping[str, Endpoint]],
        secrets_of: Callable[[Endpoint], tuple[str, ...]],
        guard: Guard,
        policy: WebhookPolicy,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """
        Args:
            endpoints: Those of the file, as they are now.
            secrets_of: Those that sign for one, newest first.
            draw: Uniform in [0, 1), for the spread of the pauses.
        """
        self._book = book
        self._sender = sender
        self._endpoints = endpoints
        self._secrets_of = secrets_of
        self._guard = guard
        self._policy = policy
        self._draw = draw
        self._woken = asyncio.Event()
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._n_under_way: Counter[str] = Counter()
        self._ended: dict[str, list[Ended]] = {}
        self._served: dict[str, Served] = {}
        self._is_draining = False
        self.n_attempts = 0

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until *stopping*; then what is under way ends, and its end is written down."""
        while not stopping.is_set():
            wait_s = self._policy.look_s
            self._woken.clear()
            with self._guard.iteration() as iteration:
                wait_s = await self._look()
            if iteration.pause_s is not None:
                await pause(stopping, iteration.pause_s)
            else:
                await self._rest(wait_s, stopping)
        await self._drain()

    async def _look(self) -> float:
        """
        Serve every endpoint that has something to do; seconds until the next look.

        What has ended is written down while it is asked what else is due, and endpoints are served beside each other:
        nobody waits for the round trip, or the synced write, of another.
        """
        endpoints, ended = self._endpoints(), [*self._ended]
        places = asyncio.Semaphore(_SERVED_AT_ONCE)

        async def serve(name: str) -> float:
            async with places:
                return await self._serve_member(name, endpoints.get(name))

        (due, next_s), *waits = await _all_of(self._book.due(), *map(serve, ended))
        waits += await _all_of(*(serve(name) for name in due if name not in ended and name in endpoints))
        wait_s: float = min([self._policy.look_s, *waits])
        return wait_s if next_s is None else min(wait_s, next_s)

    async def _serve_member(self, name: str, endpoint: Endpoint | None) -> float:
        """Seconds until it has something to do again. One that has left the file keeps what waits."""
        if not self._guard.rest_s(name):
            with self._guard.member(name):
                served = await self._serve(name, endpoint)
                if served.next_at_ms is not None:
                    return max(served.next_at_ms - served.now_ms, 0) / 1000
        return self._policy.look_s

    async def _serve(self, name: str, endpoint: Endpoint | None) -> Served:
        ended = self._ended.setdefault(name, [])  # what ends while this is under way goes into it too
        written = len(ended)
        width = endpoint.concurrency if endpoint else 1
        room = max(width - self._n_under_way[name], 0) if endpoint and not self._is_draining else 0
        timeout_s = endpoint.timeout_s if endpoint else 60.0
        served = await self._book.serve(
            name,
            ended,
            room=min(room, _AT_ONCE),
            width=width,
            lease_ms=round((timeout_s + self._policy.spare_s) * 1000),
        )
        del ended[:written]  # those that have ended meanwhile stay
        if not ended:
            self._ended.pop(name, None)
        if served.n_void:
            log.warning("webhooks.lease_lost", member=name, n_entries=served.n_void)
        self._served[name] = served
        for delivery in served.deliveries:
            assert endpoint is not None
            self._begin(endpoint, delivery)
        return served

    def _begin(self, endpoint: Endpoint, delivery: Delivery) -> None:
        task = asyncio.create_task(self._attempt(endpoint, delivery), name=f"deliver-{delivery.id}")
        self._tasks[task] = endpoint.name
        self._n_under_way[endpoint.name] += 1
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        name = self._tasks.pop(task)
        self._n_under_way[name] -= 1
        if not task.cancelled() and (exc := task.exception()) is not None:
            # Its lease ends by itself, and the delivery is made again.
            self._guard.failed_member(name, exc if isinstance(exc, Exception) else RuntimeError(type(exc).__name__))
        self._woken.set()

    async def _attempt(self, endpoint: Endpoint, delivery: Delivery) -> None:
        self.n_attempts += 1
        answer = await self._sender.attempt(endpoint, self._secrets_of(endpoint), delivery.id, delivery.body)
        served = self._served[endpoint.name]
        now_ms = round(time.time() * 1000)
        found = verdict(
            answer,
            n_failures=delivery.n_failures,
            failing_since_ms=served.failing_since_ms,
            now_ms=now_ms,
            policy=self._policy.schedule,
            draw=self._draw,
        )
        self._log(endpoint, delivery, answer, found)
        events = self._events(delivery, answer, found, served, now_ms)
        self._ended.setdefault(endpoint.name, []).append(Ended(delivery, answer, found, events))

    def _events(
        self, delivery: Delivery, answer: Answer, found: Verdict, served: Served, now_ms: int
    ) -> tuple[Event, ...]:
        """What operators are told; of news about webhooks that cannot be delivered nothing, or two would never end."""
        now = datetime.fromtimestamp(now_ms / 1000, BOGOTA)
        about = About(delivery.endpoint, served.failing_since_ms or now_ms, served.n_waiting, answer.status)
        attempts = delivery.n_failures + 1
        events = []
        if subject_of(delivery.type) != OWN_SUBJECT:
            if found.is_told:
                made = notices.failing_event(about, answer, message=delivery.id, attempts=attempts, now=now)
                events.append(made)
            if found.outcome == "exhausted":
                made = notices.exhausted_event(about, answer, message=delivery.id, attempts=attempts, now=now)
                events.append(made)
        if found.disables:
            events.append(notices.disabled_event(about, found.disables, now=now))
        return tuple(events)

    def _log(self, endpoint: Endpoint, delivery: Delivery, answer: Answer, found: Verdict) -> None:
        facts = {
            "member": endpoint.name,
            "entry": delivery.id,
            "outcome": found.outcome,
            "status": answer.status or None,
            "error": answer.fault or None,
            "detail": answer.detail or None,
            "attempts": delivery.n_failures + 1,
            "duration_ms": answer.duration_ms,
            "next_attempt_in_s": round(found.delay_s) if found.outcome == "again" else None,
        }
        facts = {name: value for name, value in facts.items() if value is not None}
        if found.outcome == "delivered":
            log.debug("webhooks.delivered", **facts)
        elif found.outcome == "exhausted":
            log.error("webhooks.exhausted", **facts)
        else:
            log.info("webhooks.failed", **facts)
        if found.disables:
            log.error("webhooks.disabled", member=endpoint.name, reason=found.disables)

    async def _rest(self, wait_s: float, stopping: asyncio.Event) -> None:
        """Until something has ended or was made, or so many seconds. A stop is heard within them."""
        if self._woken.is_set():
            await asyncio.sleep(0)
            return
        waits = [asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=max(wait_s, 0.001), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _drain(self) -> None:
        self._is_draining = True
        until = time.monotonic() + self._policy.drain_s
        while self._tasks and time.monotonic() < until:
            await asyncio.wait(self._tasks, timeout=until - time.monotonic(), return_when=asyncio.FIRST_COMPLETED)
            await self._write_ended()
        for task in self._tasks:
            task.cancel()
        await self._write_ended()

    async def _write_ended(self) -> None:
        for name in [*self._ended]:
            with self._guard.iteration():
                await self._serve(name, self._endpoints().get(name))


async def _all_of(*these: Awaitable[Any]) -> list[Any]:
    """All results, once none is under way any more; the first failure, if there is one."""
    found = await asyncio.gather(*these, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return found
