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
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from arq.connections import ArqRedis

from jobs.errors import ConfigurationError
from jobs.intake import EntryValidator
from jobs.patience import PatiencePolicy
from jobs.ports import Archive, Gateway
from jobs.radian_policy import RadianPolicy, RadianTimes
from jobs.rights.admission import Rights
from worker.archive.archive import open_archive
from worker.factus.client import FactusClient, client_of
from worker.factus.token_cache import LOCK_MS
from worker.factus.transport import tls_context
from worker.figures import Figures
from worker.guard import Guards
from worker.intake.consumer import Intake
from worker.intake.peers import Peers
from worker.intake.policy import IntakePolicy
from worker.queue.arq_worker import DEFECT_PAUSE_S, DrainPolicy, LeaseWorker
from worker.queue.attempt_notices import AttemptNotices
from worker.queue.attempt_runner import AttemptRunner
from worker.queue.attempt_work import AttemptWork
from worker.queue.batches import Batches
from worker.queue.cancellations import MOST_A_TURN, Cancellations
from worker.queue.change_locks import ChangeLocks
from worker.queue.claims import Claimer, LeasePolicy
from worker.queue.day_book import DayBookOnRedis
from worker.queue.day_watch import DayWatch, DayWatchPolicy
from worker.queue.dispatcher import Dispatcher, LaneScriptArguments
from worker.queue.end_writer import EndWriter
from worker.queue.ended_owners import EndedOwners
from worker.queue.foreign_accounts import MOST_FOREIGN, ForeignAccounts
from worker.queue.job_script_arguments import JobScriptArguments
from worker.queue.joined_jobs import Joined, JoinedPolicy
from worker.queue.journal import JournalOnRedis
from worker.queue.ledger import Ledger
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.ledger_reader import LedgerReader
from worker.queue.range_notes import RangeNotes
from worker.queue.run_policy import DefectRule, RunPolicy
from worker.queue.slots import SlotsPolicy
from worker.queue.sweep import Sweep, SweepPolicy
from worker.rights.trust_files import LOOK_S, TrustFiles
from worker.settings.account import Account
from worker.settings.model import Settings
from worker.store import connection
from worker.store.embedded_keeper import Keeper
from worker.store.failover import following
from worker.store.keys import Keys
from worker.store.scripts import Scripts
from worker.traces import OFF, Traces, open_traces


@dataclass(frozen=True, slots=True)
class Policies:
    """
    The times and limits of a worker that have no setting, as frozen values: a test passes its own, and nobody patches a
    constant. What nobody wants other stays a constant of its module.
    """

    intake: IntakePolicy = field(default_factory=IntakePolicy)
    lease: LeasePolicy = field(default_factory=LeasePolicy)
    slots: SlotsPolicy = field(default_factory=SlotsPolicy)
    run: RunPolicy = field(default_factory=RunPolicy)
    patience: PatiencePolicy = field(default_factory=PatiencePolicy)
    sweep: SweepPolicy = field(default_factory=SweepPolicy)
    days: DayWatchPolicy = field(default_factory=DayWatchPolicy)
    joined: JoinedPolicy = field(default_factory=JoinedPolicy)
    drain: DrainPolicy = field(default_factory=DrainPolicy)
    radian: RadianTimes = field(default_factory=RadianTimes)
    settle_ms: int | None = None
    """How long after it was sent a document may still appear at Factus; None for :attr:`ApiLimits.settle_ms`."""
    defect_pause_s: float = DEFECT_PAUSE_S
    token_lock_ms: int = LOCK_MS
    trust_look_s: float = LOOK_S
    cancelled_a_turn: int = MOST_A_TURN
    most_foreign: int = MOST_FOREIGN


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
    reader: LedgerReader
    intake: Intake
    dispatcher: Dispatcher
    arq: LeaseWorker
    claimer: Claimer
    runner: AttemptRunner
    batches: Batches
    sweep: Sweep
    days: DayWatch
    joined: Joined
    guards: Guards
    draining: asyncio.Event
    policies: Policies
    figures: Figures = field(default_factory=Figures)
    redis_url: str = ""
    """Where Redis is; the embedded one's socket, too. Empty on connections that a test has opened."""

    trust: TrustFiles | None = None
    keeper: Keeper | None = None

    def shown(self) -> tuple[Figures, int, int]:
        """The figures of this process, how many of its slots are busy, and how many it has."""
        return self.figures, self.arq.slots_busy, self.arq.max_jobs

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
        yield replace(built, keeper=server.keeper, redis_url=server.url)


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
    core = _core(settings, accounts, redis, policies)
    keys, scripts, guards = core.keys, core.scripts, core.guards
    arq = _arq(core)
    claimer = arq.claimer
    dispatcher = Dispatcher(redis, scripts, core.of_lanes, claimer, core.foreign, guards.of("dispatch"))
    ended_owners = EndedOwners()
    batches = Batches(redis, scripts, keys, accounts, core.ledger_policy, guards.of("batches"))
    ledger = Ledger(scripts, keys, core.of_lanes, core.of_jobs, claimer, ended_owners)
    reader = LedgerReader(redis, keys)
    gateways = _gateways(core, gateway_of)
    draining = asyncio.Event()
    defects = DefectRule(policies.run, settings.backoff)
    runner = AttemptRunner(
        gateways,
        _work(core, reader, archive or open_archive(settings.archive_url)),
        EndWriter(ledger, AttemptNotices(reader), accounts, defects, draining, RangeNotes(redis, keys)),
        defects,
        core.foreign,
        dispatcher.wake,
        policies.run,
        traces,
    )
    return Services(
        worker_id=core.worker_id,
        settings=settings,
        keys=keys,
        redis=redis,
        accounts=accounts,
        gateways=gateways,
        ledger=ledger,
        reader=reader,
        intake=_intake(core, blocking, claimer, trust),
        dispatcher=dispatcher,
        arq=arq,
        claimer=claimer,
        runner=runner,
        batches=batches,
        sweep=_sweep(core, claimer, batches),
        days=DayWatch(
            redis, scripts, keys, accounts, core.ledger_policy, core.worker_id, guards.of("days"), policies.days
        ),
        joined=Joined(redis, scripts, keys, core.of_jobs, ended_owners, guards.of("joined"), policies.joined),
        guards=guards,
        draining=draining,
        policies=policies,
        figures=core.figures,
        trust=trust,
    )


@dataclass(frozen=True, slots=True)
class _Core:
    """What nearly every part is built on."""

    worker_id: str
    settings: Settings
    policies: Policies
    accounts: Mapping[str, Account]
    redis: ArqRedis
    scripts: Scripts
    keys: Keys
    guards: Guards
    figures: Figures
    radian: RadianPolicy
    ledger_policy: LedgerPolicy
    of_lanes: LaneScriptArguments
    of_jobs: JobScriptArguments
    foreign: ForeignAccounts


def _core(settings: Settings, accounts: Mapping[str, Account], redis: ArqRedis, policies: Policies) -> _Core:
    keys = Keys(settings.namespace)
    radian = RadianPolicy(settings.radian_interval, settings.radian_silent_after, settings.calendar, policies.radian)
    ledger_policy = LedgerPolicy(
        settings.ledger_days,
        settings.results_maxlen,
        deadline_ms=round(settings.job_deadline * 1000),
        radian_interval_ms=radian.pause_ms(0),
    )
    return _Core(
        worker_id=new_worker_id(),
        settings=settings,
        policies=policies,
        accounts=accounts,
        redis=redis,
        scripts=Scripts(redis),
        keys=keys,
        guards=Guards(),
        figures=Figures(),
        radian=radian,
        ledger_policy=ledger_policy,
        of_lanes=LaneScriptArguments(keys, accounts),
        of_jobs=JobScriptArguments(keys, accounts, ledger_policy),
        foreign=ForeignAccounts(accounts, policies.most_foreign),
    )


def _arq(core: _Core) -> LeaseWorker:
    return LeaseWorker(
        core.worker_id,
        core.redis,
        core.scripts,
        core.keys,
        core.guards,
        core.foreign,
        slots=core.policies.slots,
        lease=core.policies.lease,
        defect_pause_s=core.policies.defect_pause_s,
    )


def _gateways(core: _Core, gateway_of: GatewayOf | None) -> dict[str, Gateway]:
    make = gateway_of or partial(client_of, token_lock_ms=core.policies.token_lock_ms, figures=core.figures)
    return {
        name: make(account, core.settings, core.scripts, core.keys, core.worker_id)
        for name, account in core.accounts.items()
    }


def _work(core: _Core, reader: LedgerReader, archive: Archive) -> AttemptWork:
    settings, redis, scripts, keys = core.settings, core.redis, core.scripts, core.keys
    settle_ms = core.policies.settle_ms
    return AttemptWork(
        core.accounts,
        archive,
        settings.backoff,
        settings.api_limits.settle_ms if settle_ms is None else settle_ms,
        core.radian,
        journal=JournalOnRedis(redis, scripts, keys, reader),
        bills=reader,
        change_lock=ChangeLocks(scripts, keys, core.ledger_policy.deadline_ms),
        canceller=Cancellations(redis, scripts, keys, reader, core.of_jobs, core.policies.cancelled_a_turn),
        day_book=DayBookOnRedis(redis, scripts, keys, core.accounts, core.ledger_policy),
        patience=core.policies.patience,
    )


def _intake(core: _Core, blocking: ArqRedis, claimer: Claimer, trust: TrustFiles | None) -> Intake:
    peers = Peers(core.redis, core.keys, core.worker_id, frozenset(core.accounts))
    accounts = core.accounts.items()
    validator = EntryValidator(
        {name: account.zone for name, account in accounts},
        _now_ms,
        own_streams=frozenset(name for name, account in accounts if account.own_streams),
        with_person=frozenset(name for name, account in accounts if account.radian_person),
        elsewhere=peers.elsewhere,
        day_of_push=frozenset(name for name, account in accounts if account.day_policy == "push"),
        rights=_rights(trust, core.settings.namespace) if trust else None,
    )
    return Intake(
        core.redis,
        blocking,
        core.scripts,
        core.keys,
        validator,
        core.accounts,
        core.ledger_policy,
        core.of_lanes,
        claimer,
        peers,
        core.policies.intake,
        core.guards.of("intake"),
    )


def _sweep(core: _Core, claimer: Claimer, batches: Batches) -> Sweep:
    redis, scripts, keys, policy = core.redis, core.scripts, core.keys, core.ledger_policy
    guard = core.guards.of("sweep")
    policies = core.policies.sweep
    return Sweep(redis, scripts, keys, core.of_lanes, policy, claimer, batches, guard, policies, core.figures)


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
