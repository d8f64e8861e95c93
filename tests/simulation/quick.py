"""
The quick form: the whole service and the real sandbox in one process, one seed after the other.

Most seeds run in virtual time on the imitation of the server, which makes a seed one repeatable course of events; a
share of them runs in real time, several at once, on a real Valkey, with shorter leases. Workers are killed between
any two steps of theirs, hang beyond their lease, and lose connections before and after a script ran.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import structlog
from arq.connections import ArqRedis
from fakeredis import FakeServer
from pydantic import SecretStr

import jobs.decisions
import worker.arq_worker
import worker.attempts
import worker.intake
import worker.sweep
from sandbox import bogota
from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.families import BILLS
from sandbox.faults import read_rules
from sandbox.report import documents, report
from sandbox.state import SandboxState
from schemas.factus import BOGOTA
from tests.rig import an_account, some_settings
from tests.simulation.cargo import Cargo, Push
from tests.simulation.verdict import Evidence, Verdict, expected_jobs, is_final, judge, leftover_keys
from tests.simulation.virtual_time import run_virtual
from tests.simulation.weather import quick_plan
from tests.simulation.wires import FactusWire, Network, Plug, current_owner, imitation, real, track_tasks
from worker import bootstrap, embedded_redis, redis_connection
from worker.bootstrap import Services
from worker.keys import Keys
from worker.process import run_tasks

TIMEOUT_S = 1.0
STORM_S = 6.0
_QUIET_S = 240.0
"""Longest virtual time in which everything must have come to its end when the storm is over."""

_SIDE_BY_SIDE = 16
_DEFECT_LOGS = {"attempt.defect", "intake.defect", "arq.run_failed"}


@dataclass(frozen=True)
class Pace:
    """How long the service's own pauses are: shorter than in earnest, so that a seed meets many of them."""

    patches: tuple[tuple[Any, str, Any], ...]
    quiet_s: float
    after_s: float
    """How long marks and leases may live on after the last worker has gone."""


_SHORT_PAUSES = (
    (jobs.deciding, "ACCOUNT_PAUSE_S", 2.0),
    (jobs.decisions, "FOREIGN_PATIENCE_MS", 2000),
    (worker.attempts, "_DEFECT_PAUSE_S", 2.0),
)
VIRTUAL = Pace(_SHORT_PAUSES, quiet_s=_QUIET_S, after_s=61.0)
REAL = Pace(
    (
        *_SHORT_PAUSES,
        (worker.arq_worker, "LEASE_MS", 1200),
        (worker.arq_worker, "_RENEW_EVERY_S", 0.3),
        (worker.intake, "LEASE_MS", 1200),
        (worker.sweep, "EVERY_S", 2.0),
        (worker.sweep, "_LEASE_MS", 2000),
        (worker.sweep, "DEADLINES_EVERY_S", 0.5),
    ),
    quiet_s=60.0,
    after_s=2.0,
)


@dataclass
class Story:
    """One seed, played: what came of it and everything needed to understand a failure."""

    seed: int
    verdict: Verdict
    events: Sequence[dict[str, Any]]
    pushes: Sequence[Push]
    documents: dict[str, list[dict[str, Any]]]
    records: dict[str, dict[str, str]]
    rules: Sequence[dict[str, Any]]
    course: Sequence[str]
    is_real: bool
    """Played in real time on a real server: repeated, it may take another course."""
    virtual_s: float = 0.0
    facts: Counter[str] = field(default_factory=Counter)

    def tell(self) -> str:
        """A failure in words: what was violated, and the history of the jobs concerned."""
        lines = [f"seed {self.seed}: {len(self.verdict.violations)} violations"]
        lines += [f"  {violation.column}: {violation.text}" for violation in self.verdict.violations]
        subjects = {violation.subject for violation in self.verdict.violations if violation.subject}
        for subject in sorted(subjects)[:6]:
            lines += self._history(subject)
        lines += ["  plan:", *(f"    {rule}" for rule in self.rules), f"  repeat with: {how_to_repeat(self)}"]
        return "\n".join(lines)

    def _history(self, subject: str) -> list[str]:
        pushes = [push for push in self.pushes if subject in (push.job_id, push.reference, push.entry)]
        names = {subject} | {push.reference for push in pushes if push.reference}
        ids = {push.job_id for push in self.pushes if push.reference in names} | {subject}
        lines = [f"  -- {subject}"]
        lines += [
            f"    pushed at {p.at_s:.2f} s: {p.what} {p.account} {p.job_id} {p.reference}"
            for p in self.pushes
            if p.job_id in ids
        ]
        for event in self.events:
            if event["job_id"] in ids:
                codes = [error["code"] for error in event["errors"] or ()]
                lines.append(f"    event {event['id']} {event['type']} attempts={event['attempts']} {codes}")
        for account, found in self.documents.items():
            lines += [f"    Factus {account}: {row}" for row in found if row["reference_code"] in names]
        lines += [f"    ledger {key}: {record}" for key, record in self.records.items() if key.split(":")[-1] in ids]
        lines += [f"    {line}" for line in self.course if any(name in line for name in ids | names)]
        return lines


class Sim:
    """One seed while it runs."""

    def __init__(self, seed: int, namespace: str, pace: Pace, connect: Callable[[Plug], tuple[ArqRedis, ArqRedis]]):
        self.seed = seed
        self.pace = pace
        self.chance = random.Random(seed)
        self.network = Network(random.Random(seed + 1))
        self.keys = Keys(namespace)
        self.course: list[str] = []
        self.facts: Counter[str] = Counter()
        self.n_defects = 0
        self._connect = connect
        self._workers: list[tuple[Services, Plug, asyncio.Task[None], asyncio.Event]] = []
        self._began_at = 0.0
        chance = self.chance
        self.names = [f"acct-{n}" for n in range(chance.randint(1, 3))]
        self.limit, self.window_s = chance.choice([(1000, 60.0), (1000, 60.0), (25, 5.0)])
        self.deadline_s = chance.choice([3600.0] * 9 + [8.0])
        self.rules = quick_plan(chance, TIMEOUT_S)
        # The sandbox's own chance is the seed's too; its clock is ours.
        config = SandboxConfig(
            seed=seed,
            rate_limit=self.limit,
            rate_window_s=self.window_s,
            faults=read_rules(self.rules),
            token_lifetime_s=chance.choice([3600, 3600, 15]),
            now=lambda: time.time(),
        )
        self.app = create_app(config)
        self.sandbox: SandboxState = self.app.state.sandbox
        self.driver = connect(Plug(Network(random.Random(seed))))[0]

    # -- workers ---------------------------------------------------------------------------------------------------
    def start_worker(self) -> None:
        plug = Plug(self.network, note=self.note)
        redis, blocking = self._connect(plug)
        accounts = {
            name: an_account(
                name,
                username=SecretStr(name),
                base_url="http://factus.test",
                rate_limit=self.limit,
                rate_window=self.window_s,
            )
            for name in self.names
        }
        settings = some_settings(
            self.keys.namespace, backoff_base=0.1, backoff_max=1.0, timeout=TIMEOUT_S, job_deadline=self.deadline_s
        )
        wired = partial(bootstrap.FactusClient, transport=FactusWire(self.app, plug))
        with mock.patch.object(bootstrap, "FactusClient", wired):
            built = bootstrap.build(settings, accounts, redis, blocking)
        stopping = asyncio.Event()
        task = plug.start(run_tasks(built, stopping))
        self._workers.append((built, plug, task, stopping))
        self.note("worker.start", worker=built.worker_id)

    async def stop_worker(self, *, kill: bool) -> None:
        built, plug, task, stopping = self._workers.pop(self.chance.randrange(len(self._workers)))
        self.note("worker.kill" if kill else "worker.terminate", worker=built.worker_id)
        if kill:
            await plug.kill()
        else:
            stopping.set()
        await asyncio.gather(task, return_exceptions=True)
        if not kill and not task.cancelled() and (error := task.exception()):
            self.note("worker.died", error=repr(error))
            self.n_defects += 1
        await self._hang_up(built)

    async def _hang_up(self, built: Services) -> None:
        for client in built.clients.values():
            await client.close()
        for redis in (built.redis, built.intake._blocking):
            await redis_connection.close(redis)

    # -- course ----------------------------------------------------------------------------------------------------
    def note(self, what: str, **facts: Any) -> None:
        # A run that ended because the server was away is no defect: its lease ends, and the job is taken over.
        if what in _DEFECT_LOGS and facts.get("error") not in ("ConnectionError", "TimeoutError"):
            self.n_defects += 1
        told = " ".join(f"{name}={value}" for name, value in facts.items() if name not in ("level", "timestamp"))
        self.course.append(f"{asyncio.get_running_loop().time() - self._began_at:8.3f} {what} {told}")

    async def play(self) -> Story:
        """Everything, from the first worker to the verdict."""
        loop = asyncio.get_running_loop()
        self._began_at = loop.time()
        chance = self.chance
        cargo = Cargo(chance, self.names, datetime.now(BOGOTA), STORM_S * 0.7)
        pushes = cargo.make(chance.randint(8, 12))
        self.network.cut_share = chance.choice([0.0, 0.003, 0.02])
        self.network.refuse_share = chance.choice([0.0, 0.0, 0.05])
        for _ in range(chance.randint(1, 2)):
            self.start_worker()
        operator = asyncio.create_task(self._operate())
        troubles = asyncio.create_task(self._trouble())
        await self._push(pushes)
        await troubles
        operator.cancel()
        self._calm()
        is_quiet = await self._until_quiet(pushes)
        if is_quiet:
            await self._push_again(pushes)
            is_quiet = await self._until_quiet(pushes)
        story = await self._close(pushes, is_quiet)
        story.virtual_s = loop.time() - self._began_at
        return story

    async def _push_again(self, pushes: list[Push]) -> None:
        """Documents that have ended are pushed once more: answered from the ledger, or tried anew."""
        bills = [push for push in pushes if push.what == "bill"]
        cargo = Cargo(self.chance, self.names, datetime.now(BOGOTA), 0.0, prefix="again")
        again = [cargo.again(push, 0.0) for push in self.chance.sample(bills, min(2, len(bills)))]
        await self._push(again)
        pushes += again

    async def _push(self, pushes: Sequence[Push]) -> None:
        loop = asyncio.get_running_loop()
        for push in pushes:
            await asyncio.sleep(max(self._began_at + push.at_s - loop.time(), 0))
            push.entry = (await self.driver.xadd(self.keys.jobs(), {"job": push.raw})).decode()

    async def _trouble(self) -> None:
        """Kills, stops, hangs and outages, at instants of the seed's choosing."""
        loop, chance = asyncio.get_running_loop(), self.chance
        kinds = chance.choices(["kill", "kill", "term", "hang", "server away", "revoke"], k=chance.randint(1, 4))
        for at_s in sorted(chance.uniform(0.05, STORM_S) for _ in kinds):
            await asyncio.sleep(max(self._began_at + at_s - loop.time(), 0))
            self.facts[kinds[-1]] += 1
            match kinds.pop():
                case "kill":
                    await self.stop_worker(kill=True)
                case "term":
                    await self.stop_worker(kill=False)
                case "hang":
                    _, plug, _, _ = chance.choice(self._workers)
                    plug.hung_until = loop.time() + chance.uniform(1, 8)
                    self.note("worker.hangs", until=plug.hung_until - self._began_at)
                case "server away":
                    self.network.down_until = loop.time() + chance.uniform(0.2, 7)
                    self.note("server.away", until=self.network.down_until - self._began_at)
                case _:
                    self.sandbox.tokens.revoke(chance.choice(self.names))
            if len(self._workers) < 2 and (not self._workers or chance.random() < 0.7):
                self.start_worker()
        await asyncio.sleep(max(self._began_at + STORM_S - loop.time(), 0))

    async def _operate(self) -> None:
        """The person who clears up with Factus what rule 90 left behind."""
        while True:
            await asyncio.sleep(1.5)
            self._clear_processed_before()

    def _clear_processed_before(self) -> None:
        for account in self.sandbox.accounts.all():
            shelf = account.shelf(BILLS)
            for document in shelf.unvalidated():
                if "90" in document.errors and time.time() - document.created_at > 2 * TIMEOUT_S:
                    shelf.remove(document)

    def _calm(self) -> None:
        self.note("calm")
        self.network.calm()
        self.sandbox.plan.clear()
        self.sandbox.dian.come_up()
        if not self._workers:
            self.start_worker()

    async def _until_quiet(self, pushes: Sequence[Push]) -> bool:
        """Until each job has its final event and nothing is under way; False when that did not come in time."""
        wanted = set(expected_jobs(pushes))
        gives_up_at = asyncio.get_running_loop().time() + self.pace.quiet_s
        while asyncio.get_running_loop().time() < gives_up_at:
            self._clear_processed_before()
            done = {event["job_id"] for event in await self._events() if is_final(event)}
            busy = await self.driver.zcard(self.keys.arq_queue()) or await self.driver.scard(self.keys.lanes())
            if wanted <= done and not busy and not await self.driver.xlen(self.keys.jobs()):
                return True
            await asyncio.sleep(0.25)
        return False

    async def _events(self) -> list[dict[str, Any]]:
        entries = await self.driver.xrange(self.keys.results())
        return [json.loads(fields[b"event"]) for _, fields in entries]

    # -- the end ---------------------------------------------------------------------------------------------------
    async def _close(self, pushes: Sequence[Push], is_quiet: bool) -> Story:
        found = await self._workers[0][0].sweep.sweep() if is_quiet else None
        while self._workers:
            await self.stop_worker(kill=False)
        if is_quiet:
            await asyncio.sleep(self.pace.after_s)
        events = await self._events()
        rows = {account.user: self._rows(account) for account in self.sandbox.accounts.all()}
        may_fail = (
            {"dian.processed"} if any(rule["effect"].get("found") == "rejected" for rule in self.rules) else set()
        )
        has_deadline = self.deadline_s < STORM_S * 2
        if has_deadline:
            may_fail |= {"factus.unavailable", "dian.pending", "factus.conflict", "factus.credentials"}
            may_fail |= {"factus.denied", "factus.payment_required"}
        evidence = Evidence(pushes, events, rows, report(self.sandbox), frozenset(may_fail), has_deadline)
        verdict = judge(evidence)
        if not is_quiet:
            verdict.blame("lost", f"not quiet {self.pace.quiet_s:g} s after the storm")
        if found:
            verdict.blame("left in Redis", f"the sweep still found something: {found}")
        if self.n_defects:
            verdict.blame("defects", f"{self.n_defects} defects were logged", "defect")
        records = await self._records()
        if is_quiet:
            for text in await self._leftovers(records):
                verdict.blame("left in Redis", text)
        await redis_connection.close(self.driver)
        return Story(
            seed=self.seed,
            verdict=verdict,
            events=events,
            pushes=pushes,
            documents=rows,
            records=records,
            rules=self.rules,
            course=self.course,
            is_real=self.pace is REAL,
            facts=self.facts + Counter(cuts=self.network.n_cuts),
        )

    def _rows(self, account: Any) -> list[dict[str, Any]]:
        rows = documents(account, BILLS, None)
        for row in rows:
            document = account.shelf(BILLS).find(row["reference_code"])
            # What Factus took its time to store was sent a little before.
            delays = {0.0, 2 * TIMEOUT_S} if any("before_store" in str(rule) for rule in self.rules) else {0.0}
            row["days"] = sorted({f"{bogota.at(document.created_at - delay_s):%Y-%m-%d}" for delay_s in delays})
        return rows

    async def _records(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        async for key in self.driver.scan_iter(f"{self.keys.namespace}:job:*", count=1000):
            stored = await self.driver.hgetall(key)
            found[key.decode()] = {name.decode(): value.decode()[:120] for name, value in stored.items()}
        return found

    async def _leftovers(self, records: dict[str, dict[str, str]]) -> list[str]:
        """What must not be in Redis when all is done."""
        found = [f"{key} is {record.get('state')}" for key, record in records.items() if record.get("state") != "final"]
        names = [raw.decode() async for raw in self.driver.scan_iter("*", count=1000)]
        found += leftover_keys(names, self.keys.namespace)
        if await self.driver.xlen(self.keys.jobs()):
            found.append("the intake stream is not empty")
        if (await self.driver.xpending(self.keys.jobs(), "intake"))["pending"]:
            found.append("the intake's pending list is not empty")
        return found


# -- many seeds --------------------------------------------------------------------------------------------------------
@contextmanager
def service_at(pace: Pace) -> Iterator[None]:
    """The service with the pauses of *pace*, its log going to the course of each seed."""

    def collect(_logger: Any, _method: str, event: dict[str, Any]) -> Any:
        owner = current_owner()
        if owner is not None and not owner.is_dead and owner.note is not None:
            what = event.pop("event")
            if event.pop("exc_info", None):
                event["exception"] = traceback.format_exc().strip().replace("\n", " | ")
            owner.note(what, **event)
        raise structlog.DropEvent

    before = structlog.get_config()
    with ExitStack() as stack:
        for module, name, value in pace.patches:
            stack.enter_context(mock.patch.object(module, name, value))
        structlog.configure(processors=[collect], cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.configure(**before)


def play_virtual(seed: int) -> Story:
    """One seed in virtual time on the imitation of the server."""
    chance = random.Random(-seed - 1)
    start = datetime(2026, 11, 25, 10, 0, tzinfo=BOGOTA) + timedelta(days=chance.randrange(30))
    if chance.random() < 0.2:  # the edge of a day, and of a month for some
        start = start.replace(hour=23, minute=59, second=57)
    random.seed(seed)  # the service's own jitter

    async def main() -> Story:
        track_tasks(asyncio.get_running_loop())
        server = FakeServer()
        sim = Sim(seed, "sim", VIRTUAL, lambda plug: (imitation(server, plug), imitation(server, plug, blocking=True)))
        return await sim.play()

    return run_virtual(main(), start)


def play_real(seeds: Sequence[int], folder: Path) -> list[Story]:
    """Seeds in real time, side by side on a real server."""
    server = embedded_redis.start(folder)

    async def main() -> list[Story]:
        track_tasks(asyncio.get_running_loop())
        url = server.url()

        def sim(seed: int) -> Sim:
            return Sim(seed, f"sim{seed}", REAL, lambda plug: (real(url, plug), real(url, plug, blocking=True)))

        return list(await asyncio.gather(*(sim(seed).play() for seed in seeds)))

    try:
        return asyncio.run(main())
    finally:
        embedded_redis.stop(server)


@dataclass
class Tally:
    """What many seeds came to."""

    n_seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    forbidden: Counter[str] = field(default_factory=Counter)
    failed: list[Story] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0

    def add(self, story: Story) -> None:
        self.n_seeds += 1
        self.counts += story.verdict.counts
        self.facts += story.facts
        self.forbidden.update(violation.column for violation in story.verdict.violations)
        self.virtual_s += 0.0 if story.is_real else story.virtual_s
        if story.verdict.violations:
            self.failed.append(story)


def run_quick(
    seeds: Iterable[int],
    *,
    real_share: float = 0.0,
    on_story: Callable[[Story], None] = lambda _story: None,
) -> Tally:
    """
    Play *seeds*.

    Args:
        real_share: How many of them (from 0 to 1, evenly spread) run in real time on a real server.
    """
    tally = Tally()

    def count(story: Story) -> None:
        tally.add(story)
        on_story(story)

    virtual, on_valkey = [], []
    for n, seed in enumerate(seeds):
        (on_valkey if int((n + 1) * real_share) > int(n * real_share) else virtual).append(seed)
    with service_at(VIRTUAL):
        for seed in virtual:
            count(play_virtual(seed))
    with service_at(REAL):
        for first in range(0, len(on_valkey), _SIDE_BY_SIDE):
            batch = on_valkey[first : first + _SIDE_BY_SIDE]
            folder = Path(tempfile.mkdtemp(prefix="factus-sim-"))
            try:
                for story in play_real(batch, folder):
                    count(story)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return tally


def how_to_repeat(story: Story) -> str:
    """The command that plays this seed again."""
    real_time = ' ARGS="--real 1"' if story.is_real else ""
    return f"make simulate SEED={story.seed} SEEDS=1{real_time}"
