"""
Reads what a scrape shows: four round trips, however much waits, of however many accounts (one more for each 2,000
questions: some 110 busy accounts).

Reading only, but for one key that dies by itself: whether Redis takes writes is seen by writing. What the user of this
process may not read is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from jobs.estimate.forecast import forecast
from schemas.factus import BOGOTA
from schemas.names import account_of
from worker.guard import redis_word
from worker.metrics.account_reader import AccountRead, account_read
from worker.metrics.problem_facts import besides_read, overview_of
from worker.metrics.service_reader import (
    First,
    at_risk_read,
    counts_of,
    first_read,
    groups_read,
    hooks_read,
    names_of,
)
from worker.metrics.snapshot import Snapshot
from worker.queue.load_reader import load_of
from worker.settings.account import Account
from worker.status.stored import Asker
from worker.store.connection import words_of
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry, answered, each, together
from worker.store.keys import Keys

_LONGEST_S: Final = 3.0
_PROBE_LIFE_MS: Final = 5_000
_MOST_LANES: Final = 20_000
_ESTIMATES_S: Final = 0.005
"""For so long accounts are reckoned anew in one scrape, at least one; the others keep the instant of an earlier one."""

_FAULTS: Final = {
    "READONLY": "redis.read_only",
    "MISCONF": "redis.disk",
    "OOM": "redis.memory",
    "NOREPLICAS": "redis.replicas",
    "LOADING": "redis.loading",
}


class ScrapeReader:
    """Reads one namespace. Keeps when backlogs will be done, from one scrape to the next."""

    def __init__(
        self, redis: Redis, keys: Keys, accounts: Mapping[str, Account], probe: str, *, results_maxlen: int = 1_000_000
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._results_maxlen = results_maxlen
        self._accounts = accounts
        self._probe: Command = ("SET", keys.write_probe(probe), "1", "PX", _PROBE_LIFE_MS)
        self._done: dict[str, float | None] = {}
        self._reckoned_at: dict[str, float] = {}
        self._each_s = 0.001
        """How long it took of late to read and reckon one account."""

    async def ready(self) -> Snapshot:
        """Whether Redis takes writes and the intake has a leader: all that readiness asks."""

        def asked() -> Inquiry[tuple[Any, Any]]:
            leader, written = yield [("GET", self._keys.leader("intake")), self._probe]
            return leader, written

        try:
            async with asyncio.timeout(_LONGEST_S):
                leader, written = await answered(self._redis, asked())
        except (RedisError, OSError) as exc:
            return _away(exc)
        fault, words = _fault(written)
        return Snapshot(fault, words, has_leader=bool(leader) and not isinstance(leader, Exception))

    async def read(self) -> Snapshot:
        """All of it; nothing but the fault where Redis does not answer."""
        try:
            async with asyncio.timeout(_LONGEST_S):
                return await answered(self._redis, self._whole())
        except (RedisError, OSError) as exc:
            return _away(exc)

    def _whole(self) -> Inquiry[Snapshot]:
        keys = self._keys
        asker = Asker()
        first = yield from first_read(asker, keys, round(time.time() * 1000), self._probe)
        if isinstance(first.time, Exception):
            raise first.time
        now_ms = int(first.time[0]) * 1000 + int(first.time[1]) // 1000
        own = [name for name, account in self._accounts.items() if account.own_streams]
        (accounts, groups, hooks, n_at_risk), besides = yield from together(
            together(
                each(
                    account_read(asker, keys, name, self._accounts.get(name), lanes)
                    for name, lanes in self._lanes(first).items()
                ),
                groups_read(keys, own),
                hooks_read(keys, first.hooks),
                at_risk_read(keys, first.days),
            ),
            besides_read(asker, keys, own, self._results_maxlen, now_ms),
        )
        yield from self._reckon(accounts, now_ms)
        today = datetime.fromtimestamp(now_ms / 1000, BOGOTA).date()
        fault, words = _fault(first.written)
        refused = (redis_word(first.written), words) if fault else ("", "")
        return Snapshot(
            fault,
            words,
            has_leader=isinstance(first.leader, bytes),
            counts=counts_of(first.counts),
            accounts=tuple(one.state(self._accounts.get(one.name), now_ms, today, self._done) for one in accounts),
            n_dead=first.n_dead if isinstance(first.n_dead, int) else None,
            n_at_risk=n_at_risk,
            groups=groups,
            hooks=hooks,
            n_workers=len(besides.workers.alive) if besides.workers else None,
            n_lost=besides.workers.n_lost if besides.workers else None,
            overview=overview_of(besides, accounts, refused, asker.damaged, now_ms),
        )

    def _lanes(self, first: First) -> dict[str, list[str]]:
        """Every account that is configured here, was served lately, or has work, with its lanes."""
        lanes = sorted(names_of(first.lanes))[:_MOST_LANES]
        names = {*names_of(first.served), *self._accounts, *map(account_of, lanes)}
        found: dict[str, list[str]] = {name: [] for name in sorted(names)}
        for lane in lanes:
            found[account_of(lane)].append(lane)
        return found

    def _reckon(self, accounts: Sequence[AccountRead], now_ms: int) -> Inquiry[None]:
        """Reckon when backlogs will be done, those first that were reckoned longest ago, for a few milliseconds."""
        busy = [one for one in accounts if one.name in self._accounts and one.is_busy]
        lanes = {lane.name for one in busy for lane in one.lanes}
        self._done = {name: at for name, at in self._done.items() if name in lanes}
        self._reckoned_at = {one.name: self._reckoned_at.get(one.name, 0.0) for one in busy}
        first = sorted(busy, key=lambda one: self._reckoned_at[one.name])
        chosen = first[: max(int(_ESTIMATES_S / self._each_s), 1)]
        began = time.process_time()
        readings = yield from each(load_of(self._keys, self._accounts[one.name], now_ms, lanes) for one in chosen)
        for account, reading in zip(chosen, readings, strict=True):
            courses = forecast(reading.load)
            for lane in account.lanes:
                course = courses.get(lane.name)
                self._done[lane.name] = None if course is None or lane.name in reading.held else course.done_ms
            self._reckoned_at[account.name] = time.monotonic()
        if chosen:
            self._each_s = (self._each_s + max((time.process_time() - began) / len(chosen), 1e-5)) / 2


def _away(exc: Exception) -> Snapshot:
    fault = _FAULTS.get(redis_word(exc), "redis.unavailable")
    return Snapshot(fault, words_of(exc), is_read=False)


def _fault(written: Any) -> tuple[str, str]:
    """What keeps Redis from being written. Who may only look is no reason to worry."""
    if not isinstance(written, Exception) or isinstance(written, NoPermissionError):
        return "", ""
    return _FAULTS.get(redis_word(written), "redis.refuses"), words_of(written)
