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
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from arq.connections import ArqRedis

from jobs.errors import ConfigurationError
from jobs.intake import EntryValidator
from jobs.patience import PatiencePolicy
from jobs.ports import Archive, Gateway
from jobs.radian.policy import RadianPolicy, RadianTimes
from jobs.rights.admission import Rights
from worker.archive.archive import open_archive
from worker.factus.client import FactusClient, client_of
from worker.factus.token_cache import LOCK_MS
from worker.factus.transport import tls_context
from worker.guard import Guards
from worker.intake.consumer import Intake
from worker.intake.peers import Peers
from worker.intake.policy import IntakePolicy
from worker.queue.arq_worker import DEFECT_PAUSE_S, DrainPolicy, LeaseWorker
from worker.queue.attempt_runner import AttemptRunner, RunPolicy
from worker.queue.batches import Batches
from worker.queue.cancellations import Cancellations
from worker.queue.claims import Claimer, LeasePolicy
from worker.queue.day_book import DayBookOnRedis
from worker.queue.day_watch import DayWatch, DayWatchPolicy
from worker.queue.dispatcher import Dispatcher, LaneScriptArguments
from worker.queue.ended_owners import EndedOwners
from worker.queue.joined_jobs import Joined, JoinedPolicy
from worker.queue.ledger import Ledger, LedgerPolicy
from worker.queue.sweep import Sweep, SweepPolicy
from worker.rights.trust_files import LOOK_S, TrustFiles
from worker.settings import Account, Settings
from worker.store import connection
from worker.store.embedded_keeper import Keeper
from worker.store.failover import following
from worker.store.keys import Keys
from worker.store.scripts import Scripts
from worker.traces import OFF, Traces, open_traces

MAX_JOBS: Final = 64
"""Attempts under way in one process: one slow account cannot fill it, and httpx stays quick."""


@dataclass(frozen=True, slots=True)
class Policies:
    """Every time and number of a worker that is no setting: frozen values, which tests replace and nobody patches."""

    intake: IntakePolicy = field(default_factory=IntakePolicy)
    lease: LeasePolicy = field(default_factory=LeasePolicy)
    run: RunPolicy = field(default_factory=RunPolicy)
    patience: PatiencePolicy = field(default_factory=PatiencePolicy)
    sweep: SweepPolicy = field(default_factory=SweepPolicy)
    days: DayWatchPolicy = field(default_factory=DayWatchPolicy)
    joined: JoinedPolicy = field(default_factory=JoinedPolicy)
    drain: DrainPolicy = field(default_factory=DrainPolicy)
    radian: RadianTimes = field(default_factory=RadianTimes)
    defect_pause_s: float = DEFECT_PAUSE_S
    token_lock_ms: int = LOCK_MS
    trust_look_s: float = LOOK_S


POLICIES: Final = Policies()

GatewayOf = Callable[[Account, Settings, Scripts, Keys, str], Gateway]
"""Makes what speaks to Factus for one account; the last argument is the worker's id."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a worker process runs on."""

    worker_id: str
    settings: Settings
    keys: Keys
    redis: ArqRedis
    accounts: dict[str, Account]
    gateways: dict[str, Gateway]
    ledger: Ledger
    intake: Intake
    dispatcher: Dispatcher
    arq: LeaseWorker
    claimer: Claimer
    runner: AttemptRunner
    sweep: Sweep
    days: DayWatch
    joined: Joined
    guards: Guards
    draining: asyncio.Event
    policies: Policies
    trust: TrustFiles | None = None
    keeper: Keeper | None = None

    async def close(self) -> None:
        """Close what this process holds open to Factus."""
        for gateway in self.gateways.values():
            if isinstance(gateway, FactusClient):
                await gateway.close()


def new_worker_id() -> str:
    """Unique over hosts, processes and restarts."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


@asynccontextmanager
async def services(
    settings: Settings, policies: Policies = POLICIES, *, archive: Archive | None = None
) -> AsyncIterator[Services]:
    """
    Open everything for one worker process.

    Args:
        policies: As for :func:`build`.
        archive: As for :func:`build`.

    Raises:
        ConfigurationError: A setting or a file that it names cannot be used, or the embedded server does not start.
    """
    accounts = settings.accounts()
    if not accounts:
        raise ConfigurationError(
            "No Factus credentials: set FACTUS_CLIENT_ID, FACTUS_CLIENT_SECRET, FACTUS_USERNAME and FACTUS_PASSWORD, "
            "or FACTUS_ACCOUNTS_FILE"
        )
    trust = trust_of(settings)
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(tls_context)  # a quarter of a second on a busy machine; signals are heard meanwhile
        server = await stack.enter_async_context(connection.server(settings.redis_url))
        redis = connection.connect(server.url)
        stack.push_async_callback(connection.close, redis)
        blocking = connection.connect(server.url, blocking=True)
        stack.push_async_callback(connection.close, blocking)
        await stack.enter_async_context(following(redis, blocking))
        traces = open_traces(namespace=settings.namespace) if settings.traces else OFF
        stack.push_async_callback(traces.close)
        built = build(settings, accounts, redis, blocking, policies, archive=archive, trust=trust, traces=traces)
        stack.push_async_callback(built.close)
        yield replace(built, keeper=server.keeper)


def build(
    settings: Settings,
    accounts: dict[str, Account],
    redis: ArqRedis,
    blocking: ArqRedis,
    policies: Policies = POLICIES,
    *,
    gateway_of: GatewayOf | None = None,
    archive: Archive | None = None,
    trust: TrustFiles | None = None,
    traces: Traces = OFF,
) -> Services:
    """
    Wire the parts of a worker process on open connections.

    Args:
        policies: Times and numbers that are no settings.
        gateway_of: Makes the gateway of each account; the client over HTTP unless given.
        archive: Where files are kept; what ``FACTUS_ARCHIVE_URL`` names unless given.
        trust: Whose signatures count, where jobs are signed; read from the files unless given.
        traces: Where attempts are noted.
    """
    trust = trust or trust_of(settings)
    worker_id = new_worker_id()
    keys = Keys(settings.namespace)
    scripts = Scripts(redis)
    book = LaneScriptArguments(keys, accounts)
    radian = RadianPolicy(settings.radian_interval, settings.radian_silent_after, settings.calendar, policies.radian)
    policy = LedgerPolicy(
        settings.ledger_days,
        settings.results_maxlen,
        deadline_ms=round(settings.job_deadline * 1000),
        radian_interval_ms=radian.pause_ms(0),
    )
    guards = Guards()
    arq = LeaseWorker(
        worker_id,
        redis,
        scripts,
        keys,
        guards,
        max_jobs=MAX_JOBS,
        lease=policies.lease,
        defect_pause_s=policies.defect_pause_s,
    )
    claimer = arq.claimer
    dispatcher = Dispatcher(redis, scripts, book, claimer, guards.of("dispatch"))
    ended_owners = EndedOwners()
    ledger = Ledger(redis, scripts, keys, book, policy, claimer, ended_owners)
    make = gateway_of or partial(client_of, token_lock_ms=policies.token_lock_ms)
    gateways = {name: make(account, settings, scripts, keys, worker_id) for name, account in accounts.items()}
    draining = asyncio.Event()
    settle_ms = max(settings.api_limits.settle_ms, policies.patience.least_settle_ms)
    runner = AttemptRunner(
        ledger,
        accounts,
        gateways,
        archive or open_archive(settings.archive_url),
        settings.backoff,
        draining,
        settings.api_limits.settle_ms,
        radian,
        dispatcher.wake,
        policies.patience,
        policies.run,
        canceller=Cancellations(redis, scripts, keys, ledger, settle_ms),
        day_book=DayBookOnRedis(redis, scripts, keys, ledger),
        traces=traces,
    )
    peers = Peers(redis, keys, worker_id, frozenset(accounts))
    batches = Batches(redis, scripts, keys, accounts, policy, guards.of("batches"))
    validator = EntryValidator(
        {name: account.zone for name, account in accounts.items()},
        _now_ms,
        own_streams=frozenset(name for name, account in accounts.items() if account.own_streams),
        with_person=frozenset(name for name, account in accounts.items() if account.radian_person),
        elsewhere=peers.elsewhere,
        day_of_push=frozenset(name for name, account in accounts.items() if account.day_policy == "push"),
        rights=_rights(trust, settings.namespace) if trust else None,
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
        policies.intake,
        guards.of("intake"),
    )
    return Services(
        worker_id=worker_id,
        settings=settings,
        keys=keys,
        redis=redis,
        accounts=accounts,
        gateways=gateways,
        ledger=ledger,
        intake=intake,
        dispatcher=dispatcher,
        arq=arq,
        claimer=claimer,
        runner=runner,
        sweep=Sweep(redis, scripts, keys, book, policy, claimer, batches, guards.of("sweep"), policies.sweep),
        days=DayWatch(redis, scripts, keys, accounts, policy, worker_id, guards.of("days"), policies.days),
        joined=Joined(redis, scripts, keys, ledger, ended_owners, guards.of("joined"), policies.joined),
        guards=guards,
        draining=draining,
        policies=policies,
        trust=trust,
    )


def trust_of(settings: Settings) -> TrustFiles | None:
    """
    Whose signatures count; None where jobs are not signed.

    Raises:
        ConfigurationError: A file of keys or revocations cannot be used.
    """
    if not settings.jobs_signed:
        return None
    # Fail closed: a service that was told to check signatures must not run without checking them.
    if settings.jobs_keys is None:
        raise ConfigurationError(
            "FACTUS_JOBS_SIGNED needs FACTUS_JOBS_KEYS: a file with the keys of the producers (JWK Set)"
        )
    return TrustFiles(settings.jobs_keys, settings.jobs_revoked)


def _rights(trust: TrustFiles, namespace: str) -> Rights:
    # Here, because the library of the signatures is nothing that an unsigned service has to load.
    from worker.rights.verifier import TokenVerifier

    return TokenVerifier(trust, namespace)


def _now_ms() -> int:
    return int(time.time() * 1000)
