"""
arq's Worker, taught three things: wake up instead of polling, lease jobs instead of marking them for the longest
timeout, and outlive an outage of Redis.

arq runs functions and remembers nothing; what is true of a job stands in the ledger. So a run is at-least-once here,
and the ledger's epoch and fence make a second one harmless. Source: arq 0.28.0, ``arq/worker.py``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.worker import Worker, func
from redis.exceptions import RedisError

from worker.lua import Scripts

log = structlog.get_logger()

LEASE_MS: Final = 5000
_RENEW_EVERY_S: Final = LEASE_MS / 1000 / 3
IDLE_S: Final = 0.5
"""Longest sleep between two claims: what a lost wake-up can cost."""

_OUTAGE_PAUSE_S: Final = 0.5
_NEVER: Final = 10**9

RunJob = Callable[[dict[Any, Any], str, str, int, str], Awaitable[None]]


class LeaseWorker(Worker):
    """Claims dispatched jobs under a renewable lease, as many as it has places, whenever it is woken."""

    def __init__(
        self, run_job: RunJob, pool: ArqRedis, scripts: Scripts, *, queue: str, worker_id: str, max_jobs: int
    ) -> None:
        super().__init__(
            [func(run_job, name="run_job")],  # type: ignore[arg-type]  # arq types coroutines by a Protocol of *args
            queue_name=queue,
            redis_pool=pool,
            handle_signals=False,
            max_jobs=max_jobs,
            job_timeout=_NEVER,  # every call has a timeout of its own; arq's would fail the job for good
            max_tries=_NEVER,  # attempts are counted in the ledger
            keep_result=0,
            log_results=False,
            poll_delay=0,
            health_check_interval=_NEVER,
            job_serializer=_dumps,
            job_deserializer=json.loads,
        )
        self._scripts = scripts
        self._worker_id = worker_id
        self._woken = asyncio.Event()
        self._is_backlogged = False
        self._renewing: asyncio.Task[None] | None = None

    # -- waking ----------------------------------------------------------------------------------------------------
    def wake(self) -> None:
        """Claim now: something was enqueued, or a place became free."""
        self._woken.set()

    @property
    def n_running(self) -> int:
        return self.job_counter

    @property
    def has_room(self) -> bool:
        return self.job_counter < self.max_jobs

    async def serve(self, stopping: asyncio.Event) -> None:
        """Claim and run until *stopping*; then nothing more is claimed, what runs goes on (see :meth:`drain`)."""
        self.ctx["redis"] = self.pool
        self._renewing = asyncio.create_task(self._renew_leases())
        while not stopping.is_set():
            self._woken.clear()  # before the claim: a wake-up during it is kept
            await self._claim()
            await self._sleep(stopping)

    async def _sleep(self, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._woken, stopping)]
        try:
            await asyncio.wait(waits, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _claim(self) -> None:
        """Claim what fits; what does not is claimed when a place becomes free."""
        self._reap()
        room = self.max_jobs - self.job_counter
        if room <= 0:
            self._is_backlogged = True
            return
        try:
            claimed = await self._scripts.run(
                "claim", [self.queue_name], [self._worker_id, LEASE_MS, room, in_progress_key_prefix]
            )
        except RedisError as exc:
            log.warning("redis.unavailable", task="claim", error=type(exc).__name__)
            await asyncio.sleep(_OUTAGE_PAUSE_S)
            return
        self._is_backlogged = len(claimed) == room
        for arq_id in claimed:
            self._start(arq_id.decode())

    def _start(self, arq_id: str) -> None:
        self.job_counter += 1
        task = self.loop.create_task(self.run_job(arq_id, int(time.time() * 1000)))
        self.tasks[arq_id] = task
        task.add_done_callback(lambda _: self._ended())

    def _ended(self) -> None:
        self.job_counter -= 1
        if self._is_backlogged:
            self._woken.set()

    def _reap(self) -> None:
        """Forget finished runs. An error in one is logged: arq would end the process."""
        for arq_id, task in list(self.tasks.items()):
            if task.done():
                del self.tasks[arq_id]
                if not task.cancelled() and (error := task.exception()):
                    log.error("arq.run_failed", error=type(error).__name__, detail=str(error)[:200])

    # -- leases ----------------------------------------------------------------------------------------------------
    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            running = [arq_id for arq_id, task in self.tasks.items() if not task.done()]
            if not running:
                continue
            try:
                lost = await self._scripts.run(
                    "renew", [self.queue_name], [self._worker_id, LEASE_MS, in_progress_key_prefix, *running]
                )
            except RedisError as exc:
                log.warning("redis.unavailable", task="renew", error=type(exc).__name__)
                continue
            for arq_id in lost:
                if (task := self.tasks.get(arq_id.decode())) and not task.done():
                    # The run goes on: its answer is worth having in the log, and the fence keeps it from writing.
                    log.warning("lease.expired", arq_id=arq_id.decode())

    # -- arq's books -----------------------------------------------------------------------------------------------
    async def finish_job(
        self,
        job_id: str,
        finish: bool,
        result_data: bytes | None,
        result_timeout_s: float | None,
        keep_result_forever: bool,
        incr_score: int | None,
        keep_in_progress: float | None,
    ) -> None:
        await self._release(job_id, "finished" if finish else "again")

    async def finish_failed_job(self, job_id: str, result_data: bytes | None) -> None:
        await self._release(job_id, "finished")

    async def _release(self, arq_id: str, how: str) -> None:
        keys = [
            self.queue_name,
            in_progress_key_prefix + arq_id,
            job_key_prefix + arq_id,
            retry_key_prefix + arq_id,
        ]
        try:
            await self._scripts.run("release", keys, [self._worker_id, arq_id, how])
        except RedisError as exc:
            # The lease ends by itself, and a second run finds in the ledger that there is nothing left to do.
            log.warning("redis.unavailable", task="release", error=type(exc).__name__)

    # -- stopping --------------------------------------------------------------------------------------------------
    async def drain(self, grace_s: float) -> int:
        """
        Let what runs end, at most *grace_s*; cancel the rest, which another worker takes up at once.

        Returns:
            Number of runs that were cancelled.
        """
        running = [task for task in self.tasks.values() if not task.done()]
        _, late = await asyncio.wait(running, timeout=grace_s) if running else (set(), set())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        self._reap()
        if self._renewing:
            self._renewing.cancel()
        return len(late)


def _dumps(value: Any) -> bytes:
    return json.dumps(value).encode()
