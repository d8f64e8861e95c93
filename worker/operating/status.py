"""
What ``status`` sees: workers, intake, lanes and accounts, read from Redis as they are just now.

Reading only. The text of a token is never asked for. One document or job is found by ``finding.py``; what the facts
mean is said by ``explaining.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.following import TRACK
from jobs.registry import CALLS_LANE
from worker.intake.reader import GROUP
from worker.keys import Keys
from worker.lagging import GroupSeen, groups_of
from worker.rate_limit import window_ms
from worker.redis_connection import command
from worker.settings import Account

_SCAN_COUNT: Final = 1_000


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """One living worker process."""

    id: str
    pid: int
    version: str
    accounts: tuple[str, ...]
    n_running: int
    n_run: int
    seen_ms_ago: int


@dataclass(frozen=True, slots=True)
class IntakeSeen:
    """One stream of pushed jobs. ``n_pushed`` are not taken in yet, ``n_pending`` of them are in a worker's hands."""

    stream: str
    n_pushed: int
    n_pending: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why and until when nothing starts. Milliseconds since 1970 on the server's clock."""

    reason: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class LaneSeen:
    """
    One queue of jobs. ``next_look_ms`` is 0 when no look is planned: the end of a job makes the next one.

    ``n_tracking`` of those that come later watch RADIAN events; ``n_ahead`` documents of the account go before calls.
    """

    name: str
    account: str
    n_waiting: int
    n_later: int
    n_in_flight: int
    hold: Hold | None
    next_look_ms: int
    backlog_s: float = 0.0
    n_tracking: int = 0
    n_ahead: int = 0

    @property
    def is_calls(self) -> bool:
        """Whether these are the jobs that issue nothing; else documents of one family, issued one at a time."""
        return self.name.endswith(f"/{CALLS_LANE}")


@dataclass(frozen=True, slots=True)
class AccountSeen:
    """One account's allowance, hold and token. ``free_at_ms`` is when the allowance has its next place."""

    name: str
    is_configured: bool
    limit: int
    window_s: float
    n_used: int
    free_at_ms: int
    hold: Hold | None
    n_throttled: int
    token_generation: int
    token_life_s: float


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at a glance."""

    now_ms: int
    workers: tuple[WorkerSeen, ...]
    intake_leader: str
    intakes: tuple[IntakeSeen, ...]
    lanes: tuple[LaneSeen, ...]
    accounts: tuple[AccountSeen, ...]
    n_dead: int
    groups: tuple[GroupSeen, ...]


class StatusReader:
    """Reads the state of one namespace."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        accounts: Mapping[str, Account],
        *,
        limit: int,
        window_s: float,
        results_maxlen: int,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._accounts = accounts
        self._default_limit = limit
        self._default_window_s = window_s
        self._results_maxlen = results_maxlen

    async def overview(self) -> Overview:
        """All of it. Not one instant: the parts are read one after the other."""
        now_ms = await self.now_ms()
        workers = await self.workers(now_ms)
        lane_names = await self._lane_names()
        names = self._account_names(workers, lane_names)
        accounts = {name: await self.account(name, now_ms) for name in names}
        lanes = await self._lanes(lane_names, accounts, now_ms)
        leader = await command(self._redis, "GET", self._keys.leader("intake"))
        return Overview(
            now_ms=now_ms,
            workers=workers,
            intake_leader=leader.decode() if leader else "",
            intakes=tuple([await self._intake(stream) for stream in self._job_streams()]),
            lanes=lanes,
            accounts=tuple(accounts.values()),
            n_dead=await command(self._redis, "XLEN", self._keys.dead()),
            groups=await groups_of(self._redis, self._keys.outcomes(self._own()), self._results_maxlen),
        )

    async def account_names(self, workers: Sequence[WorkerSeen]) -> list[str]:
        """Every account that is configured here, served by a worker, or has work."""
        return self._account_names(workers, await self._lane_names())

    async def lanes_of(self, account: AccountSeen, now_ms: int) -> dict[str, LaneSeen]:
        """The lanes of one account that have work, by name."""
        names = [name for name in await self._lane_names() if name.partition("/")[0] == account.name]
        return {lane.name: lane for lane in await self._lanes(names, {account.name: account}, now_ms)}

    async def now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    # -- parts -----------------------------------------------------------------------------------------------------
    def _own(self) -> list[str]:
        return sorted(name for name, account in self._accounts.items() if account.own_streams)

    def _job_streams(self) -> list[str]:
        return [self._keys.jobs(), *(self._keys.jobs(name) for name in self._own())]

    async def workers(self, now_ms: int) -> tuple[WorkerSeen, ...]:
        found: list[WorkerSeen] = []
        for raw, at_ms in await self._redis.zrange(self._keys.workers(), 0, -1, withscores=True):
            facts = await self._text_hash(self._keys.worker(raw.decode()))
            if facts:  # the hash dies with the heartbeat; the name stays a little longer
                found.append(
                    WorkerSeen(
                        id=raw.decode(),
                        pid=int(facts.get("pid", 0)),
                        version=facts.get("version", ""),
                        accounts=tuple(filter(None, facts.get("accounts", "").split(","))),
                        n_running=int(facts.get("running", 0)),
                        n_run=int(facts.get("run", 0)),
                        seen_ms_ago=max(now_ms - int(at_ms), 0),
                    )
                )
        return tuple(sorted(found, key=lambda worker: worker.id))

    def _account_names(self, workers: Sequence[WorkerSeen], lanes: Sequence[str]) -> list[str]:
        names = set(self._accounts) | {lane.partition("/")[0] for lane in lanes}
        return sorted(names.union(*(worker.accounts for worker in workers)))

    async def account(self, name: str, now_ms: int) -> AccountSeen:
        known = self._accounts.get(name)
        limit = known.rate_limit if known else self._default_limit
        window_s = known.rate_window if known else self._default_window_s
        state = await self._text_hash(self._keys.account(name))
        counted_ms = (window_ms(known) if known else round(window_s * 1000)) + int(state.get("margin_ms", 0))
        grants = [int(at) for at in await command(self._redis, "LRANGE", self._keys.grants(name), 0, limit - 1)]
        used = [at for at in grants if at > now_ms - counted_ms]
        generation, expires_at = await command(self._redis, "HMGET", self._keys.token(name), "generation", "expires_at")
        return AccountSeen(
            name=name,
            is_configured=known is not None,
            limit=limit,
            window_s=window_s,
            n_used=len(used),
            free_at_ms=used[limit - 1] + counted_ms if len(used) >= limit else 0,
            hold=_hold(state, now_ms),
            n_throttled=int(state.get("n_throttled", 0)),
            token_generation=int(generation or 0),
            token_life_s=max(int(expires_at or 0) - now_ms, 0) / 1000,
        )

    async def _lane_names(self) -> list[str]:
        return sorted(name.decode() for name in await command(self._redis, "SMEMBERS", self._keys.lanes()))

    async def _lanes(
        self, names: Iterable[str], accounts: Mapping[str, AccountSeen], now_ms: int
    ) -> tuple[LaneSeen, ...]:
        queues = [await self._queue(name, now_ms) for name in names]
        return tuple(with_backlog(queue, queues, accounts[queue.account], now_ms) for queue in queues)

    async def _queue(self, name: str, now_ms: int) -> LaneSeen:
        """A lane by itself, without what its neighbours do to it."""
        lane = LaneSeen(
            name=name,
            account=name.partition("/")[0],
            n_waiting=await command(self._redis, "ZCARD", self._keys.waiting(name)),
            n_later=await command(self._redis, "ZCARD", self._keys.later(name)),
            n_in_flight=await command(self._redis, "ZCARD", self._keys.flight(name)),
            hold=_hold(await self._text_hash(self._keys.lane(name)), now_ms),
            next_look_ms=int(await self._redis.zscore(self._keys.lanes_due(), name) or 0),
        )
        return replace(lane, n_tracking=await self._n_tracking(name)) if lane.is_calls and lane.n_later else lane

    async def _n_tracking(self, lane: str) -> int:
        found = self._redis.zscan_iter(self._keys.later(lane), match=f"*~{TRACK}", count=_SCAN_COUNT)
        return len({job_id async for job_id, _ in found})  # a scan may give one twice

    async def _intake(self, stream: str) -> IntakeSeen:
        n_pending = 0
        try:
            for group in await self._redis.xinfo_groups(stream):
                if group["name"] == GROUP.encode():
                    n_pending = group["pending"]
        except ResponseError:
            pass  # nothing was ever pushed there and no worker has started: no stream
        return IntakeSeen(stream, await command(self._redis, "XLEN", stream), n_pending)

    async def _text_hash(self, key: str) -> dict[str, str]:
        return {
            name.decode(): value.decode() for name, value in dict(await command(self._redis, "HGETALL", key)).items()
        }


def with_backlog(lane: LaneSeen, lanes: Iterable[LaneSeen], account: AccountSeen, now_ms: int) -> LaneSeen:
    """A lane with what its account's other lanes take of the allowance that they share."""
    if not lane.n_waiting:
        return lane
    issuing = [
        other.n_waiting
        for other in lanes
        if other.account == lane.account and other.name != lane.name and not other.is_calls and not other.hold
    ]
    # Calls stand behind documents; families take turns, so that a shorter queue is through before a longer one.
    n_ahead = sum(issuing) if lane.is_calls else 0
    n_beside = n_ahead if lane.is_calls else sum(min(n, lane.n_waiting) for n in issuing)
    needs_s = backlog_s(lane.n_waiting + n_beside, account, lane.hold, now_ms)
    return replace(lane, n_ahead=n_ahead, backlog_s=needs_s)


def backlog_s(n_calls: int, account: AccountSeen, hold: Hold | None, now_ms: int) -> float:
    """
    How long so many calls will need, seconds: the end of a hold, then what the allowance lets go.

    What the allowance has left goes at once, so it counts for nothing; Factus's own slowness is not foreseen, nor that
    a job may need several calls.
    """
    if not n_calls:
        return 0.0
    holds = [one.until_ms for one in (hold, account.hold) if one]
    held_s = max([until - now_ms for until in holds], default=0) / 1000
    n_later = max(n_calls - max(account.limit - account.n_used, 0), 0)
    return held_s + n_later * account.window_s / account.limit


def _hold(stored: Mapping[str, str], now_ms: int) -> Hold | None:
    until_ms = int(stored.get("hold_until") or 0)
    return Hold(stored.get("hold_reason", ""), until_ms) if until_ms > now_ms else None
