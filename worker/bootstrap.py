"""
The composition root: opens every adapter in order, yields them, closes them in reverse.

Tests use it as the process does, with other settings. Nothing is connected at import time.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from arq.connections import ArqRedis

from jobs.attempt_policy import LEAST_SETTLE_MS
from jobs.errors import ConfigurationError
from jobs.intake import EntryValidator
from worker.archive.archive import open_archive
from worker.factus.client import FactusClient, tls_context
from worker.factus.rate_limit import RateLimit
from worker.factus.token_cache import TokenCache
from worker.guard import Guards
from worker.intake.consumer import Intake
from worker.intake.peers import Peers
from worker.intake.policy import IntakePolicy
from worker.queue.arq_worker import LeaseWorker
from worker.queue.attempt_runner import AttemptRunner
from worker.queue.batches import Batches
from worker.queue.cancellations import Cancellations
from worker.queue.claims import Claimer
from worker.queue.dispatcher import Dispatcher, LaneScriptArguments
from worker.queue.joined_jobs import Joined
from worker.queue.ledger import Ledger, LedgerPolicy
from worker.queue.sweep import Sweep
from worker.settings import Account, Settings
from worker.store import connection
from worker.store.embedded_keeper import Keeper
from worker.store.keys import Keys
from worker.store.scripts import Scripts

MAX_JOBS: Final = 64
"""Attempts under way in one process: one slow account cannot fill it, and httpx stays quick."""


_INTAKE: Final = IntakePolicy()


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a worker process runs on."""

    worker_id: str
    settings: Settings
    keys: Keys
    redis: ArqRedis
    accounts: dict[str, Account]
    clients: dict[str, FactusClient]
    ledger: Ledger
    intake: Intake
    dispatcher: Dispatcher
    arq: LeaseWorker
    claimer: Claimer
    runner: AttemptRunner
    sweep: Sweep
    joined: Joined
    guards: Guards
    draining: asyncio.Event
    keeper: Keeper | None = None


def new_worker_id() -> str:
    """Unique over hosts, processes and restarts."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Services]:
    """
    Open everything for one worker process.

    Raises:
        ConfigurationError: A setting cannot be used, or the embedded server does not start.
    """
    accounts = settings.accounts()
    if not accounts:
        raise ConfigurationError(
            "No Factus credentials: set FACTUS_CLIENT_ID, FACTUS_CLIENT_SECRET, FACTUS_USERNAME and FACTUS_PASSWORD, "
            "or FACTUS_ACCOUNTS_FILE"
        )
    if settings.jobs_signed:
        # Fail closed: a service that was told to check signatures must not run without checking them.
        raise ConfigurationError("FACTUS_JOBS_SIGNED is not available in this version")
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(tls_context)  # a quarter of a second on a busy machine; signals are heard meanwhile
        server = await stack.enter_async_context(connection.server(settings.redis_url))
        redis = connection.connect(server.url)
        stack.push_async_callback(connection.close, redis)
        blocking = connection.connect(server.url, blocking=True)
        stack.push_async_callback(connection.close, blocking)
        built = build(settings, accounts, redis, blocking)
        for client in built.clients.values():
            stack.push_async_callback(client.close)
        yield replace(built, keeper=server.keeper)


def build(
    settings: Settings,
    accounts: dict[str, Account],
    redis: ArqRedis,
    blocking: ArqRedis,
    intake_policy: IntakePolicy = _INTAKE,
) -> Services:
    """Wire the parts of a worker process on open connections."""
    worker_id = new_worker_id()
    keys = Keys(settings.namespace)
    scripts = Scripts(redis)
    book = LaneScriptArguments(keys, accounts)
    policy = LedgerPolicy(
        settings.ledger_days,
        settings.results_maxlen,
        deadline_ms=round(settings.job_deadline * 1000),
        radian_interval_ms=round(settings.radian_interval * 1000),
    )
    guards = Guards()
    claimer = Claimer(worker_id, guard=guards.of("take"))
    ledger = Ledger(redis, scripts, keys, book, policy, claimer)
    clients = {name: _client(account, settings, scripts, keys, worker_id) for name, account in accounts.items()}
    draining = asyncio.Event()
    settle_ms = round(2000 * settings.api_limits.create_timeout_s)
    runner = AttemptRunner(
        ledger,
        accounts,
        clients,
        open_archive(settings.archive_url),
        settings.backoff,
        draining,
        settle_ms,
        settings.radian_interval,
        canceller=Cancellations(redis, scripts, keys, ledger, max(settle_ms, LEAST_SETTLE_MS)),
    )
    peers = Peers(redis, keys, worker_id, frozenset(accounts))
    batches = Batches(redis, scripts, keys, accounts, policy, guards.of("batches"))
    joined = Joined(redis, scripts, keys, ledger, guards.of("joined"))
    ledger.on_joined = joined.wake
    validator = EntryValidator(
        {name: account.zone for name, account in accounts.items()},
        _now_ms,
        own_streams=frozenset(name for name, account in accounts.items() if account.own_streams),
        elsewhere=peers.elsewhere,
    )
    intake = Intake(
        redis,
        blocking,
        scripts,
        keys,
        validator,
        accounts,
        policy,
        book,
        claimer,
        peers,
        intake_policy,
        guards.of("intake"),
    )
    return Services(
        worker_id=worker_id,
        settings=settings,
        keys=keys,
        redis=redis,
        accounts=accounts,
        clients=clients,
        ledger=ledger,
        intake=intake,
        dispatcher=Dispatcher(redis, scripts, book, claimer, guards.of("dispatch")),
        arq=LeaseWorker(runner.run_job, redis, scripts, keys, claimer, guards, max_jobs=MAX_JOBS),
        claimer=claimer,
        runner=runner,
        sweep=Sweep(redis, scripts, keys, book, policy, claimer, batches, guards.of("sweep")),
        joined=joined,
        guards=guards,
        draining=draining,
    )


def _now_ms() -> int:
    return int(time.time() * 1000)


def _client(account: Account, settings: Settings, scripts: Scripts, keys: Keys, worker_id: str) -> FactusClient:
    return FactusClient(
        account,
        settings.api_limits,
        RateLimit(scripts, keys, account, longest_hold_s=settings.backoff_max),
        TokenCache(scripts, keys, account.name, worker_id),
        keys,
    )
