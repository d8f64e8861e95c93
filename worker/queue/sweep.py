"""
The repair run: finds what fell between two scripts and puts it back. One worker at a time of those that serve the same
accounts, every 15 seconds. Those of other accounts have theirs: two at once do no harm, because each find is mended by
one script that looks first.

Where nothing went wrong it finds nothing; what it does find is logged as a warning, because every find is a race or a
crash that somebody should know of. It also looks whether consumers keep up with the results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from redis.asyncio import Redis

from schemas.names import account_of, within_account
from worker.figures import Figures
from worker.guard import Guard, pause
from worker.queue.batches import Batches
from worker.queue.claims import Claimer
from worker.queue.consumer_lag import GroupLag, groups_of
from worker.queue.dispatcher import LaneScriptArguments
from worker.queue.lead import Lead
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.own_due import OwnDue
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

log = structlog.get_logger()

_MOST_OVERDUE: Final = 100


@dataclass(frozen=True, slots=True)
class SweepPolicy:
    """How often lanes are repaired and deadlines looked at, when a place counts as lost, and the lead's lease."""

    every_s: float = 15.0
    deadlines_every_s: float = 1.0
    lost_after_ms: int = 2000
    lease_ms: int = 30_000


SWEEP: Final = SweepPolicy()


@dataclass(frozen=True, slots=True)
class Repairs:
    """What one sweep found and mended."""

    n_requeued: int = 0
    n_freed: int = 0
    n_woken: int = 0

    def __bool__(self) -> bool:
        return bool(self.n_requeued or self.n_freed or self.n_woken)


class Sweep:
    """The sweep of one process; idle while another leads."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        book: LaneScriptArguments,
        policy: LedgerPolicy,
        claimer: Claimer,
        batches: Batches,
        guard: Guard,
        pace: SweepPolicy = SWEEP,
        figures: Figures | None = None,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._book = book
        self._policy = policy
        self._claimer = claimer
        self._batches = batches
        self._guard = guard
        self._pace = pace
        self._figures = figures or Figures()
        self._lead = Lead(scripts, keys.leader("sweep", book.accounts), claimer.worker_id, pace.lease_ms)
        self._overdue = OwnDue(redis, keys.deadlines(), book.accounts)

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until *stopping*; then another worker may at once."""
        try:
            await self._run(stopping)
        finally:
            await self._lead.give_back("sweep")

    async def _run(self, stopping: asyncio.Event) -> None:
        n_turns = 0
        while not stopping.is_set():
            with self._guard.iteration() as iteration:
                if await self._lead.keep():
                    await self.end_expired_and_close_batches()
                    if n_turns % round(self._pace.every_s / self._pace.deadlines_every_s) == 0:
                        await self._part(self.sweep)
                        await self._part(self.report_consumer_lag)
            n_turns += 1
            await pause(stopping, max(iteration.pause_s or 0.0, self._pace.deadlines_every_s))

    async def end_expired_and_close_batches(self) -> None:
        """One round: jobs whose time is up end, batches that are complete are closed."""
        await self._part(self.end_overdue)
        await self._part(self._batches.close_complete)

    async def _part(self, part: Callable[[], Awaitable[object]]) -> None:
        """One part of a round: a key that keeps it from its work keeps no other from its own."""
        if not self._guard.rest_s(part.__name__):
            with self._guard.member(part.__name__):
                await part()

    async def end_overdue(self) -> int:
        """
        Start the jobs whose time is up, so that they end, whatever holds their lane.

        Returns:
            How many were started.
        """
        seconds, micros = await self._redis.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        n_started = 0
        for raw in await self._overdue.next(now_ms, _MOST_OVERDUE):
            n_ended = None
            with self._guard.member(raw):
                n_ended = await self._end(raw.decode())
            if n_ended is None:
                # It failed: those behind it are reached all the same.
                pause_ms = round(self._guard.rest_s(raw) * 1000)
                await self._redis.zadd(self._keys.deadlines(), {raw: now_ms + pause_ms}, xx=True)
            n_started += n_ended or 0
        return n_started

    async def _end(self, member: str) -> int:
        """How many jobs were started."""
        account, job_id = account_of(member), within_account(member)
        lane = await command(self._redis, "HGET", self._keys.job(account, job_id), "lane")
        if lane is None:
            await self._redis.zrem(self._keys.deadlines(), member)
            return 0
        lane_keys, lane_values = self._book.arguments(lane.decode())
        keys = {"lane": lane_keys, "job": self._keys.job(account, job_id), "deadlines": self._keys.deadlines()}
        args = {"lane": lane_values, "claimer": self._claimer.arguments(), "id": job_id, "member": member}
        n_started, *claimed = await self._scripts.run("expire_job", keys, args)
        self._claimer.receive(n_started, claimed)
        return int(n_started)

    async def sweep(self) -> Repairs:
        """Look at every lane that has work, and repair it."""
        lanes = [name async for name in self._redis.sscan_iter(self._keys.lanes(), count=200)]
        total = Repairs()
        for raw in lanes:
            if self._guard.rest_s(raw):
                continue
            with self._guard.member(raw):
                lane = raw.decode()
                if not self._book.knows(lane):
                    continue
                keys, values = self._book.arguments(lane)
                args: ScriptArgs = {"lane": values, "lost_after_ms": self._pace.lost_after_ms}
                again, freed, woken = await self._scripts.run("repair_lane", {"lane": keys}, args)
                total = Repairs(total.n_requeued + again, total.n_freed + freed, total.n_woken + woken)
        self._figures.n_repairs += total.n_requeued + total.n_freed + total.n_woken
        if total:
            log.warning("sweep.repaired", n_requeued=total.n_requeued, n_freed=total.n_freed, n_woken=total.n_woken)
        else:
            log.debug("sweep.finished", n_lanes=len(lanes))
        return total

    async def report_consumer_lag(self) -> tuple[GroupLag, ...]:
        """Tell which consumer groups may soon lose results to the trimming of their stream, and which have."""
        own = [name for name, account in self._book.accounts.items() if account.own_streams]
        groups = await groups_of(self._redis, self._keys.outcomes(own), self._policy.results_maxlen)
        for seen in groups:
            if seen.has_lost:
                log.error(
                    "results.entries_trimmed",
                    stream=seen.stream,
                    group=seen.name,
                    n_unread=seen.n_unread,
                    n_trimmed=seen.n_trimmed,
                )
            elif seen.is_lagging:
                log.warning("results.group_lagging", stream=seen.stream, group=seen.name, n_unread=seen.n_unread)
        return groups
