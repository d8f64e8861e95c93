"""
Reads what a scrape shows: one round trip, however much waits, of however many accounts (one more for each 2,000
questions: some 130 busy accounts); a few more where there is something that was not there the last time.

Reading only, but for one key that dies by itself: whether Redis takes writes is seen by writing. What the user of this
process may not read is left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from schemas.factus import BOGOTA
from schemas.names import account_of
from worker.guard import redis_word
from worker.metrics.account_reader import AccountRead, account_read
from worker.metrics.estimates import MOST_S, Estimates
from worker.metrics.problem_facts import Besides, besides_read, overview_of
from worker.metrics.service_reader import (
    First,
    at_risk_read,
    counts_of,
    first_read,
    groups_read,
    hooks_read,
    names_of,
)
from worker.metrics.snapshot import GroupState, Snapshot
from worker.settings.account import Account
from worker.status.stored import Asker
from worker.store.connection import words_of
from worker.store.exchange import Command
from worker.store.foresight import Foresight
from worker.store.inquiry import Inquiry, answered, each, together
from worker.store.keys import Keys

_LONGEST_S: Final = 3.0
_PROBE_LIFE_MS: Final = 5_000
_MOST_LANES: Final = 20_000
_FAULTS: Final = {
    "READONLY": "redis.read_only",
    "MISCONF": "redis.disk",
    "OOM": "redis.memory",
    "NOREPLICAS": "redis.replicas",
    "LOADING": "redis.loading",
}


class _Facts(NamedTuple):
    """What was read, before anything is made of it."""

    now_ms: int
    first: First
    accounts: Sequence[AccountRead]
    groups: tuple[GroupState, ...]
    hooks: dict[str, int]
    n_at_risk: int | None
    besides: Besides
    damaged: tuple[str, ...]


class ScrapeReader:
    """Reads one namespace. Keeps what was asked, and when backlogs will be done, from one scrape to the next."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        accounts: Mapping[str, Account],
        probe: str,
        *,
        results_maxlen: int = 1_000_000,
        longest_s: float = _LONGEST_S,
        reckoned_s: float = MOST_S,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._results_maxlen = results_maxlen
        self._longest_s = longest_s
        self._accounts = accounts
        self._probe: Command = ("SET", keys.write_probe(probe), "1", "PX", _PROBE_LIFE_MS)
        self._foresight = Foresight()
        self._estimates = Estimates(keys, accounts, reckoned_s)

    async def ready(self) -> Snapshot:
        """Whether Redis takes writes and the intake has a leader: all that readiness asks."""

        def asked() -> Inquiry[tuple[Any, Any]]:
            leader, written = yield [("GET", self._keys.leader("intake")), self._probe]
            return leader, written

        try:
            async with asyncio.timeout(self._longest_s):
                leader, written = await answered(self._redis, asked())
        except (RedisError, OSError) as exc:
            return _away(exc)
        fault, words = _fault(written)
        return Snapshot(fault, words, has_leader=bool(leader) and not isinstance(leader, Exception))

    async def read(self) -> Snapshot:
        """All of it; nothing but the fault where Redis does not answer."""
        try:
            async with asyncio.timeout(self._longest_s):
                return await answered(self._redis, self._whole())
        except (RedisError, OSError) as exc:
            return _away(exc)

    def _whole(self) -> Inquiry[Snapshot]:
        facts, ahead = yield from together(self._foresight.of(self._facts()), self._estimates.ahead())
        yield from self._estimates.reckon(facts.accounts, ahead, facts.now_ms)
        return self._snapshot(facts)

    def _facts(self) -> Inquiry[_Facts]:
        keys = self._keys
        asker = Asker()
        hour_ms = int(time.time() // 3600) * 3_600_000
        first = yield from first_read(asker, keys, hour_ms, self._probe)
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
                at_risk_read(keys, first.days, now_ms),
            ),
            besides_read(asker, keys, own, self._results_maxlen, now_ms),
        )
        return _Facts(now_ms, first, accounts, groups, hooks, n_at_risk, besides, asker.damaged)

    def _snapshot(self, facts: _Facts) -> Snapshot:
        now_ms, first, workers = facts.now_ms, facts.first, facts.besides.workers
        today = datetime.fromtimestamp(now_ms / 1000, BOGOTA).date()
        done = self._estimates.done
        fault, words = _fault(first.written)
        refused = (redis_word(first.written), words) if fault else ("", "")
        return Snapshot(
            fault,
            words,
            has_leader=isinstance(first.leader, bytes),
            counts=counts_of(first.counts),
            accounts=tuple(one.state(self._accounts.get(one.name), now_ms, today, done) for one in facts.accounts),
            n_dead=first.n_dead if isinstance(first.n_dead, int) else None,
            n_at_risk=facts.n_at_risk,
            groups=facts.groups,
            hooks=facts.hooks,
            n_workers=len(workers.alive) if workers else None,
            n_lost=workers.n_lost if workers else None,
            overview=overview_of(facts.besides, facts.accounts, refused, facts.damaged, now_ms),
        )

    def _lanes(self, first: First) -> dict[str, list[str]]:
        """Every account that is configured here, was served lately, or has work, with its lanes."""
        lanes = sorted(names_of(first.lanes))[:_MOST_LANES]
        names = {*names_of(first.served), *self._accounts, *map(account_of, lanes)}
        found: dict[str, list[str]] = {name: [] for name in sorted(names)}
        for lane in lanes:
            found[account_of(lane)].append(lane)
        return found


def _away(exc: Exception) -> Snapshot:
    fault = _FAULTS.get(redis_word(exc), "redis.unavailable")
    return Snapshot(fault, words_of(exc), is_read=False)


def _fault(written: Any) -> tuple[str, str]:
    """What keeps Redis from being written. Who may only look is no reason to worry."""
    if not isinstance(written, Exception) or isinstance(written, NoPermissionError):
        return "", ""
    return _FAULTS.get(redis_word(written), "redis.refuses"), words_of(written)
