"""
One seed while it runs: the whole service and the real sandbox in one process, on any clock.

Workers are killed between any two steps of theirs, hang beyond their lease, and lose connections before and after a
script ran; what else goes wrong is in ``nemesis.py``, and what happens when in ``phases.py``.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from arq.connections import ArqRedis
from pydantic import SecretStr

from sandbox.app import create_app
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import read_rules
from sandbox.state.sandbox_state import SandboxState
from schemas.factus import BOGOTA
from tests.service_in_process import an_account, some_settings
from tests.simulation.checker import judge
from tests.simulation.checks.left_in_redis import leftover_keys
from tests.simulation.factus_side import InProcess
from tests.simulation.history import Evidence, expected_jobs, tracked_bills
from tests.simulation.network import FactusWire, Network, Plug
from tests.simulation.options import TIMEOUT_S, SimOptions
from tests.simulation.radian_times import PERSON
from tests.simulation.report import Story
from tests.simulation.storage import MemoryShelf, StormyShelf, Weather
from tests.simulation.workload import Push, Workload
from worker.archive.archive import Archive
from worker.bootstrap import Policies, Services, build
from worker.factus.client import client_of
from worker.process import run_tasks
from worker.store import connection
from worker.store.keys import Keys

STORM_S: Final = 6.0
RADIAN_S: Final = 1.5
SILENT_S: Final = 5.0
_DEFECT_LOGS: Final = {"attempt.defect", "intake.defect", "arq.run_failed"}
_OUT_OF_TIME: Final = {
    *("factus.unavailable", "dian.pending", "factus.conflict", "factus.credentials", "factus.denied"),
    *("factus.payment_required", "archive.unavailable"),
}


@dataclass(frozen=True)
class Pace:
    """How long the service's own pauses are: shorter than in earnest, so that a seed meets many of them."""

    policies: Policies
    quiet_s: float
    after_s: float
    """How long marks and leases may live on after the last worker has gone."""
    is_real: bool = False


@dataclass
class Working:
    """One worker of a simulation."""

    built: Services
    plug: Plug
    task: asyncio.Task[None]
    stopping: asyncio.Event


Connect = Callable[[Plug], tuple[ArqRedis, ArqRedis]]


class Sim:
    """One seed while it runs."""

    def __init__(self, seed: int, namespace: str, pace: Pace, connect: Connect) -> None:
        self.seed = seed
        self.pace = pace
        self.chance = random.Random(seed)
        self.network = Network(random.Random(seed + 1))
        self.keys = Keys(namespace)
        self.course: list[str] = []
        self.facts: Counter[str] = Counter()
        self.n_defects = 0
        self.workers: list[Working] = []
        self.pushes: list[Push] = []
        self.began_at = 0.0
        self._connect = connect
        self.options = options = SimOptions.draw(seed)
        self.names = [*options.accounts]
        self.own_streams = options.own_streams
        # The sandbox's own chance is the seed's too; its clock is ours.
        config = SandboxConfig(
            seed=seed,
            rate_limit=options.rate_limit,
            rate_window_s=options.rate_window_s,
            faults=read_rules([*options.rules]),
            token_lifetime_s=options.token_life_s,
            lane_width=options.takes_at_once,
            now=lambda: time.time(),
        )
        self.app = create_app(config)
        self.sandbox: SandboxState = self.app.state.sandbox
        # What Factus took its time to store was sent a little before.
        late = any("before_store" in str(rule) for rule in options.rules)
        self.side = InProcess(self.sandbox, (0.0, 2 * TIMEOUT_S) if late else (0.0,))
        self.shelf = MemoryShelf()
        self.storage = Weather(random.Random(seed + 2), options.storage_fail_share, options.storage_slow_s)
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
                rate_limit=self.options.rate_limit,
                rate_window=self.options.rate_window_s,
                lane_width=self.options.lane_width,
                own_streams=name in self.own_streams,
                radian_person=PERSON,
            )
            for name in self.names
        }
        settings = some_settings(
            self.keys.namespace,
            backoff_base=0.1,
            backoff_max=1.0,
            timeout=TIMEOUT_S,
            job_deadline=self.options.deadline_s,
            radian_interval=RADIAN_S,
            radian_silent_after=SILENT_S,
        )
        built = build(
            settings,
            accounts,
            redis,
            blocking,
            self._policies(),
            gateway_of=partial(client_of, transport=FactusWire(self.app, plug)),
            archive=Archive(StormyShelf(self.shelf, self.storage)),
        )
        stopping = asyncio.Event()
        task = plug.start(run_tasks(built, stopping))
        self.workers.append(Working(built, plug, task, stopping))
        self.note("worker.start", worker=built.worker_id)

    def _policies(self) -> Policies:
        n = self.options.reads_at_once
        policies = self.pace.policies
        return replace(
            policies,
            intake=replace(policies.intake, read_entries=n, slice_entries=min(n - 1, 25)),
            slots=replace(policies.slots, shared_from=self.options.shared_from),
        )

    async def stop_worker(self, *, kill: bool) -> None:
        one = self.workers.pop(self.chance.randrange(len(self.workers)))
        self.note("worker.kill" if kill else "worker.terminate", worker=one.built.worker_id)
        if kill:
            await one.plug.kill()
        else:
            one.stopping.set()
        await asyncio.gather(one.task, return_exceptions=True)
        if not kill and not one.task.cancelled() and (error := one.task.exception()):
            self.note("worker.died", error=repr(error))
            self.n_defects += 1
        await one.built.close()
        for redis in (one.built.redis, one.built.intake._reader._blocking):
            await connection.close(redis)

    # -- course ----------------------------------------------------------------------------------------------------
    @property
    def elapsed_s(self) -> float:
        return asyncio.get_running_loop().time() - self.began_at

    def note(self, what: str, **facts: Any) -> None:
        # A run that ended because the server was away is no defect: its lease ends, and the job is taken over.
        if what in _DEFECT_LOGS and facts.get("error") not in ("ConnectionError", "TimeoutError"):
            self.n_defects += 1
        told = " ".join(f"{name}={value}" for name, value in facts.items() if name not in ("level", "timestamp"))
        self.course.append(f"{self.elapsed_s:8.3f} {what} {told}")

    def cargo(self, spread_s: float, *, prefix: str = "", n: int = 0) -> Workload:
        return Workload(
            self.chance,
            self.names,
            datetime.now(BOGOTA),
            spread_s,
            self.side,
            keep_share=self.options.keep_share,
            own_streams=self.own_streams,
            prefix=prefix,
            n=n,
        )

    async def push(self, pushes: Sequence[Push]) -> None:
        """Also for somebody who is sent home meanwhile: what counts as pushed must be in the stream."""
        await asyncio.shield(self._push(pushes))

    async def _push(self, pushes: Sequence[Push]) -> None:
        for push in pushes:
            self.pushes.append(push)
            # Never two in one millisecond: entries of two streams would have one id.
            await asyncio.sleep(max(push.at_s - self.elapsed_s, 0.002))
            push.entry = (await self.driver.xadd(self.keys.jobs(push.owner), {"job": push.raw})).decode()

    def tracked(self, events: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
        """Account and reference of the bills that are valid and watched by one job at least."""
        return tracked_bills(expected_jobs(self.pushes), events)

    async def events(self) -> list[dict[str, Any]]:
        return await self._streams(self.keys.results)

    async def _streams(self, key: Callable[[str | None], str]) -> list[dict[str, Any]]:
        found = []
        for owner in (None, *sorted(self.own_streams)):
            found += [json.loads(fields[b"event"]) for _, fields in await self.driver.xrange(key(owner))]
        return found

    # -- the end ---------------------------------------------------------------------------------------------------
    async def close(self, is_quiet: bool) -> Story:
        """Stop everything, and judge what came of it."""
        found = await self.workers[0].built.sweep.sweep() if is_quiet else None
        while self.workers:
            await self.stop_worker(kill=False)
        if is_quiet:
            await asyncio.sleep(self.pace.after_s)
        evidence = await self._evidence()
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
        await connection.close(self.driver)
        return Story(
            seed=self.seed,
            verdict=verdict,
            events=[*evidence.events, *evidence.radian],
            pushes=self.pushes,
            documents=evidence.documents,
            records=records,
            options=self.options,
            course=self.course,
            is_real=self.pace.is_real,
            facts=self.facts
            + Counter(
                {"cuts": self.network.n_cuts, "storage": self.storage.n_failures, "spoilt": self.network.n_spoilt}
            ),
        )

    async def _evidence(self) -> Evidence:
        events, rows, side = await self.events(), self.side.rows(), self.side
        may_fail = (
            {"dian.processed"}
            if any(rule["effect"].get("found") == "rejected" for rule in self.options.rules)
            else set()
        )
        has_deadline = self.options.deadline_s < STORM_S * 2
        return Evidence(
            self.pushes,
            events,
            rows,
            side.report(),
            frozenset(may_fail | (_OUT_OF_TIME if has_deadline else set())),
            has_deadline,
            frozenset(side.stocked),
            radian=await self._streams(self.keys.radian),
            one_at_a_time=self.options.lane_width == 1,
            radian_at_factus={
                (account, row["number"]): side.radian(account, row["number"])
                for (account, family), found in rows.items()
                for row in found
                if family == "invoice"
            },
            files={self.shelf.uri(name): content for name, content in self.shelf.files.items()},
            served=side.file,
            active_ranges={
                (account, key): is_active
                for account in self.names
                for key, is_active in side.active_ranges(account).items()
            },
        )

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
        for owner in ("", *self.own_streams):
            if await self.driver.xlen(self.keys.jobs(owner)):
                found.append("an intake stream is not empty")
            if (await self.driver.xpending(self.keys.jobs(owner), "intake"))["pending"]:
                found.append("an intake's pending list is not empty")
        return found
