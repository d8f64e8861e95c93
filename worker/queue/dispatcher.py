"""
Lanes on Redis: the keys and numbers that the scripts need for one, and the loop that starts what is due.

A lane is looked at when ``lanes:due`` says so: a new job, a permit of the allowance, the end of a pause. The end of a
job starts the next one in its own script, so between two documents of a lane there is no poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from arq.constants import job_key_prefix
from redis.asyncio import Redis

from jobs.registry import lanes_with_precedence, max_in_flight
from schemas.names import account_of
from worker.factus.rate_limit import limit_window_ms
from worker.guard import Guard, pause, shown
from worker.queue.claims import Claimer
from worker.queue.foreign_accounts import ForeignAccounts
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import Scripts

log = structlog.get_logger()

IDLE_S: Final = 1.0
"""Longest sleep between two looks: what a lost wake-up can cost."""

_MOST_LANES_A_LOOK: Final = 100


class LaneKeys(NamedTuple):
    """The keys of a lane in the order of ``LANE_KEYS`` (``lib/lanes.lua``)."""

    due: str
    lanes: str
    hash: str
    waiting: str
    later: str
    flight: str
    account: str
    grants: str
    queue: str


class LaneValues(NamedTuple):
    """What else the scripts take of a lane, in the order of ``LANE``."""

    name: str
    account_name: str
    job_prefix: str
    arq_prefix: str
    arq_job_prefix: str
    width: int
    limit: int
    window_ms: int
    behind: str


@dataclass(frozen=True, slots=True)
class LaneScriptArguments:
    """Builds what ``lib/lanes.lua`` is given of a lane."""

    keys: Keys
    accounts: Mapping[str, Account]

    def knows(self, lane: str) -> bool:
        return account_of(lane) in self.accounts

    def arguments(self, lane: str) -> tuple[LaneKeys, LaneValues]:
        """
        What stands for one lane in KEYS and in ARGV.

        Raises:
            KeyError: The lane's account is not configured here.
        """
        name = account_of(lane)
        account = self.accounts[name]
        keys = LaneKeys(
            due=self.keys.lanes_due(),
            lanes=self.keys.lanes(),
            hash=self.keys.lane(lane),
            waiting=self.keys.waiting(lane),
            later=self.keys.later(lane),
            flight=self.keys.in_flight(lane),
            account=self.keys.account(name),
            grants=self.keys.grants(name),
            queue=self.keys.arq_queue(),
        )
        values = LaneValues(
            name=lane,
            account_name=name,
            job_prefix=self.keys.job(name, ""),
            arq_prefix=f"{self.keys.namespace}:{name}:",
            arq_job_prefix=job_key_prefix,
            width=max_in_flight(lane, account.concurrency, account.lane_width),
            limit=account.rate_limit,
            window_ms=limit_window_ms(account),
            behind=lanes_with_precedence(lane),
        )
        return keys, values


class Dispatcher:
    """The loop that starts what is due. Every worker runs one; a look is one script, so they cannot collide."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        book: LaneScriptArguments,
        claimer: Claimer,
        foreign: ForeignAccounts,
        guard: Guard,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._book = book
        self._claimer = claimer
        self._foreign = foreign
        self._guard = guard
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: work has come in."""
        self._woken.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look at due lanes until *stopping* is set."""
        while not stopping.is_set():
            self._woken.clear()  # before the poll: a wake during it is kept
            wait_s = 0.0
            with self._guard.iteration() as iteration:
                wait_s = await self.poll_due_lanes()
            if iteration.pause_s is not None:
                await pause(stopping, iteration.pause_s)
            elif wait_s > 0:
                # Not for *stopping* too, which costs two tasks each time: whoever ends the process wakes us.
                await pause(self._woken, wait_s)

    async def poll_due_lanes(self) -> float:
        """Start what is due now; seconds until the next look."""
        now_ms, following_ms, due = await self._due(_MOST_LANES_A_LOOK)
        own = [name for name in due if self._is_own(name)]
        for name in own:
            with self._guard.member(name):
                await self._dispatch(name.decode())
            if rest_s := self._guard.rest_s(name):
                # It failed: look later, so that it does not crowd out the others.
                later = now_ms + round(rest_s * 1000)
                await self._redis.zadd(self._book.keys.lanes_due(), {name: later}, xx=True)
        if len(own) < len(due) and self._foreign.is_full:
            return IDLE_S  # what cannot be remembered may be due for ever
        if len(due) == _MOST_LANES_A_LOOK:
            return 0.0
        if due:  # each of them has a new time, or is passed over from now on
            now_ms, following_ms, _ = await self._due(0)
        return min(max((following_ms - now_ms) / 1000, 0.001), IDLE_S)

    async def _due(self, most: int) -> tuple[int, float, list[bytes]]:
        """Server ms, ms at which the lane is due that follows, and at most so many lanes that are due."""
        now_ms, following_ms, *due = await self._scripts.run(
            "due_lanes", {"due": self._book.keys.lanes_due()}, {"most": most, "foreign": self._foreign.names}
        )
        return int(now_ms), float(following_ms or "inf"), due

    def _is_own(self, lane: bytes) -> bool:
        """Whether its account is configured here. Another worker's lane keeps its time: it looks at it by that."""
        account = lane.partition(b"/")[0]
        if self._foreign.are_own(account):
            return True
        if self._foreign.meet(account):
            log.warning("lane.account_unknown", lane=shown(lane))
        return False

    async def _dispatch(self, lane: str) -> None:
        keys, values = self._book.arguments(lane)
        args = {"lane": values, "claimer": self._claimer.arguments()}
        n_started, *claimed = await self._scripts.run("dispatch", {"lane": keys}, args)
        self._claimer.receive(n_started, claimed)
