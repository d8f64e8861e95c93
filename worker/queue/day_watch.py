"""
The watch over the days: tells operators, while something can be done, which documents will miss the day that they must
carry. One worker of those that serve the same accounts at a time; that several tell is prevented by the script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from redis.asyncio import Redis

from jobs.day_notices import Notice, Told, day_event, notice_due
from schemas.names import account_of, within_account
from worker.guard import Guard, pause
from worker.queue.day_reader import AccountDay, DayReader
from worker.queue.lead import Lead
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.load_reader import issuing_lanes
from worker.queue.script_values import event_values
from worker.settings.account import Account
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

log = structlog.get_logger()

_KEPT_MS: Final = 8 * 86_400_000
"""For how long after its end it is known what was told of a day: a clock may jump and come back."""

_SLOWEST_MS: Final = 10_000
_SURE: Final = 2
_RESERVE_MS: Final = 900_000
"""Where the jobs of an account need less than half of the time left, at ten seconds each, and a quarter of an hour
remains, nothing is reckoned: a thousand quiet accounts cost one round trip."""

_SLACK: Final = 0.02
"""A risk is over only when all would be sent with so much less capacity: a forecast on the edge does not flicker."""


@dataclass(frozen=True, slots=True)
class DayWatchPolicy:
    """How often the days are looked at, how many of them in a row, and the lead's lease."""

    every_s: float = 5.0
    most_in_a_row: int = 50
    lease_ms: int = 15_000


DAY_WATCH: Final = DayWatchPolicy()


class DayWatch:
    """The watch of one process; idle while another leads."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        accounts: Mapping[str, Account],
        policy: LedgerPolicy,
        worker_id: str,
        guard: Guard,
        pace: DayWatchPolicy = DAY_WATCH,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._accounts = accounts
        self._policy = policy
        self._guard = guard
        self._pace = pace
        self._days = DayReader(redis, keys)
        self._lead = Lead(scripts, keys.leader("days", accounts), worker_id, pace.lease_ms)

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until *stopping*; then another worker may at once."""
        try:
            while not stopping.is_set():
                with self._guard.iteration() as iteration:
                    if await self._lead.keep():
                        await self.look()
                await pause(stopping, max(iteration.pause_s or 0.0, self._pace.every_s))
        finally:
            await self._lead.give_back("days")

    async def look(self) -> int:
        """
        Look at every day that lasts or comes.

        Returns:
            How many events were published.
        """
        now_ms = await self._now_ms()
        await command(self._redis, "ZREMRANGEBYSCORE", self._keys.days(), "-inf", now_ms - _KEPT_MS)
        found = await command(self._redis, "ZRANGEBYSCORE", self._keys.days(), f"({now_ms}", "+inf", "WITHSCORES")
        members = [(one.decode(), int(float(ends))) for one, ends in zip(found[::2], found[1::2], strict=True)]
        ours = [(one, ends_ms) for one, ends_ms in members if account_of(one) in self._accounts]
        n_told = 0
        for n, (member, ends_ms) in enumerate(await self._doubtful(ours, now_ms), 1):
            if self._guard.rest_s(member):
                continue
            with self._guard.member(member):
                n_told += await self._look_at(member, ends_ms)
            if n % self._pace.most_in_a_row == 0:
                await asyncio.sleep(0)
        return n_told

    async def _doubtful(self, members: list[tuple[str, int]], now_ms: int) -> list[tuple[str, int]]:
        """Those of which it is not plain that all will go out in time."""
        pipe = self._redis.pipeline(transaction=False)
        for member, _ in members:
            pipe.hget(self._keys.day_told(account_of(member), within_account(member)), "is_at_risk")
            for lane in issuing_lanes(account_of(member)):
                pipe.zcard(self._keys.day_jobs(lane, within_account(member)))
                pipe.zcard(self._keys.waiting(lane))
        rows = await pipe.execute(raise_on_error=False) if members else []
        width = len(rows) // len(members) if members else 0
        found = []
        for n, (member, ends_ms) in enumerate(members):
            is_at_risk, *counts = rows[width * n : width * (n + 1)]
            n_jobs = [one if isinstance(one, int) else 1 for one in counts]
            if is_at_risk == b"1" or (sum(n_jobs[::2]) and not self._is_plain(member, sum(n_jobs), ends_ms - now_ms)):
                found.append((member, ends_ms))
        return found

    def _is_plain(self, member: str, n_jobs: int, left_ms: int) -> bool:
        account = self._accounts[account_of(member)]
        each_ms = max(_SLOWEST_MS, account.rate_window * 1000 / account.rate_limit)
        return n_jobs * each_ms * _SURE + _RESERVE_MS < left_ms

    async def _look_at(self, member: str, ends_ms: int) -> int:
        account, day = self._accounts[account_of(member)], within_account(member)
        told = await self._told(account.name, day)
        now_ms = await self._now_ms()
        reading, courses = await self._days.load(account, now_ms)
        seen = await self._days.day(account, day, reading, courses)
        if told.is_at_risk and not seen.will_miss:
            careful = await self._days.day(account, day, reading, courses, slack=_SLACK)
            if careful.will_miss:
                return 0
        notice = notice_due(told, seen.will_miss, now_ms, ends_ms)
        return await self._tell(account, day, seen, told, notice) if notice else 0

    async def _tell(self, account: Account, day: str, seen: AccountDay, told: Told, notice: Notice) -> int:
        outlook = await self._days.outlook(account, day, seen)
        now = datetime.now(account.zone)
        event = day_event("safe" if notice == "safe" else "at_risk", outlook, told, account.zone, now)
        keys = {
            "state": self._keys.day_told(account.name, day),
            "results": self._keys.results(account.name if account.own_streams else None),
        }
        args: ScriptArgs = {
            "n_told": told.n_told,
            "is_at_risk": int(notice != "safe"),
            "will_miss": outlook.will_miss,
            "maxlen": self._policy.results_maxlen,
            "keep_ms": max(outlook.ends_ms - round(now.timestamp() * 1000), 0) + _KEPT_MS,
            "event": event_values(event),
        }
        is_told = int(await self._scripts.run("tell_day", keys, args))
        if is_told:
            n_waiting, n_jobs = outlook.waiting, outlook.will_miss
            if notice == "safe":
                log.warning("day.safe", account=account.name, day=day, n_waiting=n_waiting, n_jobs=n_jobs)
            else:
                log.error("day.at_risk", account=account.name, day=day, n_waiting=n_waiting, n_jobs=n_jobs)
        return is_told

    async def _told(self, account: str, day: str) -> Told:
        fields = ("n_told", "is_at_risk", "will_miss", "told_at")
        held = await command(self._redis, "HMGET", self._keys.day_told(account, day), *fields)
        n_told, is_at_risk, will_miss, told_at = (int(one) if one and one.isdigit() else 0 for one in held)
        return Told(n_told, bool(is_at_risk), will_miss, told_at)

    async def _now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000
