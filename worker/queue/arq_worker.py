"""
arq's Worker, taught to be handed its jobs, to lease them, and to outlive an outage of Redis.

arq's queue says what is dispatched and not yet ended, its in-progress marks say who has it; what is true of a job
stands in the ledger. arq's own start of a job costs five round trips (watch, check, mark, read, count), marks it for
the longest timeout without renewal, and fails it for good on a timeout or the fifth restart. Here a job comes with its
record from the script that started it (``claims.py``), under a lease that is renewed while it runs.
Source: arq 0.28.0, ``arq/worker.py``; docs/decisions/0012.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix
from arq.worker import RetryJob, Worker, func
from redis.exceptions import RedisError

from worker.guard import Guards, log_unavailable, pause
from worker.queue.claims import LEASE, ClaimedJob, Claimer, LeasePolicy, SetAside
from worker.queue.foreign_accounts import ForeignAccounts
from worker.queue.slots import SLOTS, SlotsPolicy
from worker.store.keys import Keys
from worker.store.scripts import Key, ScriptArgs, Scripts

log = structlog.get_logger()

IDLE_S: Final = 1.0
"""Longest sleep between two looks into the queue: what a lost wake-up can cost."""

CALL_PAUSE_S: Final = 0.005
"""Other processes are called no more often: one look of theirs finds all that was left to them by then."""

DEFECT_PAUSE_S: Final = 30.0
"""After how long a job whose run ended in a defect, without any end, is run again."""

_NEVER: Final = 10**9


RunJob = Callable[[ClaimedJob], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class DrainPolicy:
    """What a worker that stops waits for: the calls under way, what joined an ended document; and without Redis."""

    calls_s: float = 30.0
    joined_s: float = 5.0
    without_redis_s: float = 1.0


class LeaseWorker(Worker):
    """Runs claimed jobs, and claims dispatched jobs that have no living lease."""

    def __init__(
        self,
        worker_id: str,
        pool: ArqRedis,
        scripts: Scripts,
        keys: Keys,
        guards: Guards,
        foreign: ForeignAccounts,
        *,
        slots: SlotsPolicy = SLOTS,
        lease: LeasePolicy = LEASE,
        defect_pause_s: float = DEFECT_PAUSE_S,
    ) -> None:
        super().__init__(
            [func(self._run, name="run_job")],  # type: ignore[arg-type]  # arq types coroutines by a Protocol of *args
            queue_name=keys.arq_queue(),
            redis_pool=pool,
            handle_signals=False,
            max_jobs=slots.most,
            job_timeout=_NEVER,  # every call has a timeout of its own
            max_tries=_NEVER,  # attempts are counted in the ledger
            keep_result=0,
            log_results=False,
            poll_delay=0,
            health_check_interval=_NEVER,
            job_serializer=_dumps,
            job_deserializer=json.loads,
        )
        self._scripts = scripts
        self._keys = keys
        self._foreign = foreign
        self._defect_pause_s = defect_pause_s
        self._woken = asyncio.Event()
        self._handed: asyncio.Queue[ClaimedJob] = asyncio.Queue()
        self._starting: asyncio.Task[None] | None = None
        self._slots = slots
        self._n_running = 0
        self._look: asyncio.TimerHandle | None = None
        self._looks_again = False
        self._calling: asyncio.Task[None] | None = None
        self._calls_again = False
        self._renewing: asyncio.Task[None] | None = None
        self._aside: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._guard = guards.of("take")
        self._renewals = guards.of("renew")
        self.allow_pick_jobs = False  # until we serve: what is dispatched before stays in arq's queue
        self.claimer = Claimer(worker_id, self, guards.of("take"), lease)

    # -- waking ----------------------------------------------------------------------------------------------------
    def wake(self) -> None:
        """
        Look into the queue: somebody has left a job there. At once where we have room; when others have had their time
        where we have so many that they go first.
        """
        if self.room:
            self._woken.set()
        else:
            self._look_later()

    def _look_later(self) -> None:
        """Look when what is in the queue now has been left to others for long enough."""
        if self._look:
            self._looks_again = True  # the look to come is too early for what came after it was arranged
        else:
            self._look = self.loop.call_later(self._slots.patience_ms / 1000, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        self._woken.set()
        if self._looks_again:
            self._looks_again = False
            self._look_later()

    @property
    def n_running(self) -> int:
        """Jobs that run in this process."""
        return self._n_running

    @property
    def slots_busy(self) -> int:
        """Slots that they take, of ``max_jobs``."""
        return self.job_counter

    @property
    def room(self) -> int:
        """How many slots there are for jobs that a script claims for us; none once we are stopping."""
        return min(self._room_at_most, max(self._slots.shared_from - self.job_counter, 0))

    @property
    def _room_at_most(self) -> int:
        """How many there are for what nobody else takes; none once we are stopping."""
        return max(self.max_jobs - self.job_counter, 0) if self.allow_pick_jobs else 0

    async def serve(self, run_job: RunJob, stopping: asyncio.Event) -> None:
        """
        Claim and run until *stopping*; then nothing more is claimed, what runs goes on (see :meth:`drain`).

        Args:
            run_job: Runs one claimed job to its end in the ledger.
        """
        self.allow_pick_jobs = True
        self._starting = asyncio.create_task(self._start_handed(run_job))
        self._renewing = asyncio.create_task(self._renew_leases())
        while not stopping.is_set():
            self._woken.clear()  # before the look: a wake-up during it is kept
            with self._guard.iteration() as iteration:
                await self._claim()
            if iteration.pause_s is not None:
                await pause(stopping, iteration.pause_s)
            else:
                await self._sleep(stopping)
        self.allow_pick_jobs = False

    async def _sleep(self, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._woken, stopping)]
        try:
            await asyncio.wait(waits, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _claim(self) -> None:
        """Claim dispatched jobs without a lease: up to ``room``, and beyond it those older than ``patience_ms``."""
        self._reap()
        at_once, most = self.room, self._room_at_most
        if not most:
            self._look_later()  # when a place may be free again
            return
        keys = self._keys
        args: ScriptArgs = {
            "claimer": self.claimer.arguments(room=most),
            "at_once": at_once,
            "patience_ms": self._slots.patience_ms,
            "arq_prefix": f"{keys.namespace}:",
            "arq_job_prefix": job_key_prefix,
            "job_prefix": keys.job_prefix(),
            "account_prefix": keys.account(""),
            "lane_prefix": keys.lane(""),
            "foreign": self._foreign.names,
        }
        rows = await self._scripts.run("claim_jobs", {"queue": self.queue_name}, args)
        self.run_claimed(self.claimer.read(rows))
        if rows:
            self._look_later()  # there may be more, from before or by now

    # -- running ---------------------------------------------------------------------------------------------------
    def run_claimed(self, claimed: Sequence[ClaimedJob]) -> None:
        """Start claimed jobs; while draining, put them back. Their slots are busy from here on."""
        for one in claimed:
            if self._is_draining:
                self._beside(self._release(one))
                continue
            self._n_running += 1
            self.job_counter += one.slots
            self._handed.put_nowait(one)

    async def _start_handed(self, run_job: RunJob) -> None:
        """Start each claimed job as a task of its own, in the next turn of the event loop."""
        while True:
            one = await self._handed.get()
            task = self.loop.create_task(self._run(run_job, one))
            self.tasks[_run_name(one)] = task
            task.add_done_callback(partial(self._ended, one))

    async def _run(self, run_job: RunJob, claimed: ClaimedJob) -> None:
        """One run, and its end in arq's books; the ledger's end of an attempt has written both already."""
        try:
            await run_job(claimed)
        except (RetryJob, asyncio.CancelledError) as exc:
            self.jobs_retried += 1
            await asyncio.shield(self._release(claimed, exc if isinstance(exc, SetAside) else None))
            if isinstance(exc, asyncio.CancelledError):
                raise
        except Exception as exc:  # a defect of ours, in whatever line: the job is counted, set aside and tried again
            log.exception("arq.run_failed", error=type(exc).__name__, arq_id=claimed.arq_id)
            self._guard.failed.note("run")
            aside = SetAside(claimed, self._defect_pause_s, claimed.job.defects + 1)
            await asyncio.shield(self._release(claimed, aside))
        else:
            self.jobs_complete += 1

    def _ended(self, claimed: ClaimedJob, _run: asyncio.Task[None] | None = None) -> None:
        self._n_running -= 1
        self.job_counter -= claimed.slots

    def _reap(self) -> None:
        """Forget finished runs. An error in one is logged: arq would end the process."""
        for run, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[run]
                if not task.cancelled() and (error := task.exception()):
                    log.error("arq.run_failed", error=type(error).__name__, exc_info=error)

    # -- leases ----------------------------------------------------------------------------------------------------
    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self.claimer.lease.renew_every_s)
            with self._renewals.iteration():
                await self._renew()

    async def _renew(self) -> None:
        running = self._under_way()
        if not running:
            return
        args: ScriptArgs = {
            "worker": self.claimer.worker_id,
            "lease_ms": self.claimer.lease.lease_ms,
            "mark_prefix": in_progress_key_prefix,
            "ids": [*running],
        }
        for raw in await self._scripts.run("renew_leases", {"queue": self.queue_name}, args):
            arq_id = raw.decode(errors="replace")
            if arq_id in self._under_way():
                # The run goes on: its answer is worth having in the log, and the fence keeps it from writing.
                log.warning("lease.expired", arq_id=arq_id)

    def _under_way(self) -> set[str]:
        """The arq ids of what runs."""
        return {run.rpartition(" ")[0] for run, task in self.tasks.items() if not task.done()}

    def set_aside(self, arq_id: bytes, pause_s: float) -> None:
        """See :class:`worker.queue.claims.ClaimedJobRunner`."""
        self._beside(self._put_back(arq_id, pause_s))

    def wake_other_workers(self) -> None:
        """More was dispatched than this process claims at once: wake the other workers, and look again later."""
        self.wake()
        self._calls_again = True
        if not self._calling or self._calling.done():
            self._calling = self._beside(self._call_others())

    async def _call_others(self) -> None:
        while self._calls_again:
            self._calls_again = False
            try:
                await self.pool.publish(self._keys.wake(), b"")
            except RedisError as exc:
                log_unavailable("wake", exc, level="debug")  # the others look by themselves
            await asyncio.sleep(CALL_PAUSE_S)

    def _beside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.loop.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)
        return task

    async def _put_back(self, arq_id: bytes, pause_s: float) -> None:
        keys: dict[str, Key] = {"queue": self.queue_name, "mark": in_progress_key_prefix.encode() + arq_id}
        args: ScriptArgs = {
            "worker": self.claimer.worker_id,
            "arq_id": arq_id,
            "pause_ms": round(pause_s * 1000),
        }
        with self._renewals.iteration():
            await self._scripts.run("requeue_job", keys, args)

    async def _release(self, claimed: ClaimedJob, aside: SetAside | None = None) -> None:
        job = claimed.job
        keys: dict[str, Key] = {
            "queue": self.queue_name,
            "mark": in_progress_key_prefix + claimed.arq_id,
            "job": self._keys.job(job.account, job.id),
        }
        args: ScriptArgs = {
            "worker": self.claimer.worker_id,
            "arq_id": claimed.arq_id,
            "pause_ms": round(aside.pause_s * 1000) if aside else 0,
            "fence": job.fence,
            "defects": aside.n_defects if aside else "",
        }
        # Where it fails the lease ends by itself, and the next run finds in the ledger what is left to do.
        with self._renewals.iteration():
            await self._scripts.run("requeue_job", keys, args)

    # -- stopping --------------------------------------------------------------------------------------------------
    async def drain(self, grace_s: float) -> int:
        """
        Let what runs end, at most *grace_s*; cancel the rest, which another worker takes up at once.

        Nothing starts any more: the answer to an end that was sent before may still bring the lane's next job.

        Returns:
            Number of runs that were cancelled.
        """
        self.allow_pick_jobs = False
        self._is_draining = True  # before what runs is read: whatever comes after goes back
        while not self._handed.empty():
            unstarted = self._handed.get_nowait()
            self._ended(unstarted)
            self._beside(self._release(unstarted))
        running = [task for task in self.tasks.values() if not task.done()]
        _, late = await asyncio.wait(running, timeout=grace_s) if running else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if self._aside:
            # Longer would be in vain: what cannot be put back is free when its lease ends.
            await asyncio.wait(self._aside, timeout=self.claimer.lease.lease_ms / 1000)
        self._reap()
        for arranged in (self._renewing, self._starting, self._look):
            if arranged:
                arranged.cancel()
        return len(late)


def _run_name(claimed: ClaimedJob) -> str:
    """One run among those of its dispatch: it may be claimed again here while an older run of it goes on."""
    return f"{claimed.arq_id} {claimed.job.fence}"


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
