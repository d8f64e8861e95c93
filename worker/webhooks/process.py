"""
One process that delivers webhooks: ``factus-worker webhooks``. Any number of them share the work.

SIGTERM and SIGINT: nothing more is taken; attempts under way end (30 s at most) and are written down.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from jobs.errors import ConfigurationError, ServiceError
from jobs.webhooks.endpoint import Endpoint
from worker.addresses import shown
from worker.bootstrap import new_worker_id
from worker.factus.transport import tls_context
from worker.guard import Guards, pause
from worker.metrics import endpoint as metrics
from worker.process import named, stopping_on_signals
from worker.settings.model import Settings
from worker.store import connection
from worker.store.connection import words_of
from worker.store.failover import following
from worker.store.installation import read_installation
from worker.store.keys import Keys
from worker.store.refusals import RefusalWatch
from worker.store.scripts import Scripts
from worker.version import VERSION
from worker.webhooks.book import WebhookBook
from worker.webhooks.deliverer import Attempts, Deliverer
from worker.webhooks.endpoints_file import EndpointsFile, path_of
from worker.webhooks.policy import WebhookPolicy
from worker.webhooks.rotation import FileNotWritten, Rotation, Rotations, signing_secrets, take_out
from worker.webhooks.sender import Sender
from worker.webhooks.taker import Taker

log = structlog.get_logger()

_BEAT_S: Final = 2.0
_BEATS_KEPT_MS: Final = 60_000
_FAILURES_KEPT_MS: Final = 10_000
_NOT_WRITTEN_AGAIN_S: Final = 3600.0


@dataclass(slots=True)
class WebhookService:
    """The parts of one process, on open connections."""

    process_id: str
    file: EndpointsFile
    book: WebhookBook
    taker: Taker
    deliverer: Deliverer
    guards: Guards
    policy: WebhookPolicy
    rotations: Rotations
    _rotating: dict[str, Rotation] = field(default_factory=dict)
    _not_written_at: dict[str, float] = field(default_factory=dict)

    def endpoints(self) -> Mapping[str, Endpoint]:
        return self.file.endpoints

    def secrets_of(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Those that sign for an endpoint now."""
        return signing_secrets(endpoint, self._rotating.get(endpoint.name), _now_ms())

    async def run(self, stopping: asyncio.Event) -> None:
        """Until *stopping*, then the drain. Each task guards itself: none dies of a defect."""
        await self.look_at_rotations()
        tasks = [
            named("take", self.taker.run(self.deliverer.wake, stopping)),
            named("deliver", self.deliverer.run(stopping)),
            named("file", self._watch(stopping)),
            named("heartbeat", self._beat(stopping)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            stopping.set()
            self.deliverer.wake()
            await asyncio.wait(tasks, timeout=self.policy.drain_s + 5)
            for task in tasks:
                task.cancel()

    # -- the file --------------------------------------------------------------------------------------------------
    def read_again(self) -> None:
        """Read the file again where it has changed; while it is bad the last good one stays in use."""
        try:
            if self.file.has_changed():
                log.info("webhooks.file_read", n_entries=len(self.file.endpoints))
                self.deliverer.wake()
        except ConfigurationError as exc:
            log.error("webhooks.file_refused", detail=str(exc))

    async def look_at_rotations(self) -> None:
        """Learn which secrets leave; those whose time is up go out of the file."""
        self._rotating = await self.rotations.all()
        for name, rotation in self._rotating.items():
            endpoint = self.file.endpoints.get(name)
            leaving = rotation.leaving(endpoint.secrets, _now_ms()) if endpoint else frozenset()
            if leaving and time.monotonic() >= self._not_written_at.get(name, 0.0):
                await self._let_leave(name, leaving)

    async def _let_leave(self, name: str, leaving: frozenset[str]) -> None:
        try:
            await asyncio.to_thread(take_out, self.file.path, name, leaving)
        except FileNotWritten as exc:
            # They sign no more all the same.
            self._not_written_at[name] = time.monotonic() + _NOT_WRITTEN_AGAIN_S
            log.warning("webhooks.secrets_stay", member=name, n_entries=len(leaving), detail=str(exc))
            return
        log.info("webhooks.secrets_left", member=name, n_entries=len(leaving))
        self.read_again()
        if self._rotating[name].is_done(self.file.endpoints[name].secrets):
            await self.rotations.end(name)

    async def _watch(self, stopping: asyncio.Event) -> None:
        guard = self.guards.of("file")
        while not stopping.is_set():
            await pause(stopping, self.policy.file_s)
            with guard.iteration():
                self.read_again()
                await self.look_at_rotations()
                if self.taker.is_leader:
                    await self._forget()

    async def _forget(self) -> None:
        """
        Endpoints that no file has had for a week go, a slice at each turn.

        Never one of our own file: after a week in which nobody ran or the machine slept, what waits is still to go out.
        """
        seen = self.book.keys.hooks_seen()
        seconds, _ = await self.book.redis.time()
        latest = (int(seconds) - self.policy.forget_s) * 1000
        most = len(self.file.endpoints) + 1
        unseen = await self.book.redis.zrangebyscore(seen, "-inf", latest, start=0, num=most)
        gone = [name for name in (raw.decode(errors="replace") for raw in unseen) if name not in self.file.endpoints]
        for name in gone[:1]:
            if await self.book.forget(name):
                await self.rotations.end(name)
                log.info("webhooks.endpoint_forgotten", member=name)

    # -- signs of life ---------------------------------------------------------------------------------------------
    async def _beat(self, stopping: asyncio.Event) -> None:
        guard, writes = self.guards.of("heartbeat"), RefusalWatch()
        processes, own = self.book.keys.hook_processes(), self.book.keys.hook_process(self.process_id)
        while not stopping.is_set():
            with guard.iteration(), writes.told():
                seconds, _ = await self.book.redis.time()
                now_ms = int(seconds) * 1000
                async with self.book.redis.pipeline(transaction=False) as pipe:
                    pipe.zadd(processes, {self.process_id: now_ms})
                    pipe.zremrangebyscore(processes, "-inf", now_ms - _BEATS_KEPT_MS)
                    # One that lives and takes nothing delivers to nobody, and nothing else would tell of it.
                    pipe.hset(own, mapping=dict(self.guards.failed.told(now_ms)))
                    pipe.pexpire(own, _FAILURES_KEPT_MS)
                    await pipe.execute()
            await pause(stopping, _BEAT_S)
        with guard.iteration():
            await self.book.redis.zrem(processes, self.process_id)
            await self.book.redis.delete(own)


def build(
    settings: Settings,
    file: EndpointsFile,
    redis: ArqRedis,
    blocking: ArqRedis,
    sender: Attempts,
    policy: WebhookPolicy,
    *,
    own_streams: frozenset[str] = frozenset(),
) -> WebhookService:
    """Wire the parts of a process on open connections."""
    keys, guards, process_id = Keys(settings.namespace), Guards(), new_worker_id()
    book = WebhookBook(redis, Scripts(redis), keys, policy, settings.results_maxlen)
    found: list[WebhookService] = []

    def endpoints() -> Mapping[str, Endpoint]:
        return file.endpoints

    def secrets_of(endpoint: Endpoint) -> tuple[str, ...]:
        return found[0].secrets_of(endpoint)

    taker = Taker(redis, blocking, book, process_id, endpoints, own_streams, guards.of("take"), policy)
    deliverer = Deliverer(book, sender, endpoints, secrets_of, guards.of("deliver"), policy)
    found.append(WebhookService(process_id, file, book, taker, deliverer, guards, policy, Rotations(redis, keys)))
    return found[0]


async def run_webhooks(settings: Settings, policy: WebhookPolicy | None = None) -> None:
    """
    Deliver until a signal.

    Raises:
        ConfigurationError: A setting or the file of endpoints cannot be used.
        ServiceError: Redis does not answer at the start.
    """
    read_installation()
    policy = policy or WebhookPolicy()
    file = EndpointsFile.opened(path_of(settings))
    with stopping_on_signals() as stopping:
        async with AsyncExitStack() as stack:
            await asyncio.to_thread(tls_context)
            server = await stack.enter_async_context(connection.server(settings.redis_url))
            redis = connection.connect(server.url)
            stack.push_async_callback(connection.close, redis)
            blocking = connection.connect(server.url, blocking=True)
            stack.push_async_callback(connection.close, blocking)
            await stack.enter_async_context(following(redis, blocking))
            sender = Sender()
            stack.push_async_callback(sender.close)
            service = build(settings, file, redis, blocking, sender, policy, own_streams=own_streams_of(settings))
            await _greet(service, settings)
            await stack.enter_async_context(metrics.serving(settings, server.url, service.process_id))
            keeping = named("server", server.keeper.run(stopping)) if server.keeper else None
            working = named("webhooks", service.run(stopping))
            try:
                await _until_done(working, keeping)
            finally:
                stopping.set()
                await asyncio.wait([working])
                log.info("webhooks.stopped", worker_id=service.process_id, n_run=service.deliverer.n_attempts)


async def _until_done(working: asyncio.Task[None], keeping: asyncio.Task[None] | None) -> None:
    """Until the work has ended, or the embedded server cannot be kept."""
    tasks = [working, keeping] if keeping else [working]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _greet(service: WebhookService, settings: Settings) -> None:
    try:
        await service.book.redis.ping()
    except RedisError as exc:
        raise ServiceError(f"Redis does not answer at {shown(settings.redis_url)}: {words_of(exc)}") from exc
    log.info(
        "webhooks.started",
        worker_id=service.process_id,
        version=VERSION,
        namespace=settings.namespace,
        n_entries=len(service.file.endpoints),
    )


def own_streams_of(settings: Settings) -> frozenset[str]:
    """Accounts with own streams, where this process has the accounts' file at all: it needs no credentials."""
    try:
        return frozenset(name for name, account in settings.accounts().items() if account.own_streams)
    except ConfigurationError:
        return frozenset()


def _now_ms() -> int:
    return round(time.time() * 1000)
