"""
What ``status`` sees: workers, intake, lanes and accounts, read from Redis as they are just now.

Reading only, but for one key of its own that dies by itself: whether Redis takes writes is seen by writing. The text
of a token is never asked for. One document or job is found by ``finding.py``; what the facts mean is said by
``explaining.py``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from jobs.follow_ups import TRACK
from jobs.registry import CALLS_LANE
from worker.factus.rate_limit import limit_window_ms
from worker.guard import redis_word
from worker.intake.reader import GROUP
from worker.queue.consumer_lag import GroupLag, groups_of
from worker.settings import Account
from worker.store.connection import command, words_of
from worker.store.keys import Keys
from worker.store.refusals import mend_of

_SCAN_COUNT: Final = 1_000
_PROBE_LIFE_MS: Final = 5_000


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
    failed: str = ""
    """What has failed in its loops since it started, by loop: ``sweep=2,take=1``."""

    held_ms: int = 0
    """The longest time for which its event loop was held."""


@dataclass(frozen=True, slots=True)
class IntakeSeen:
    """One stream of pushed jobs. ``n_pushed`` are not taken in yet, ``n_pending`` of them are in a worker's hands."""

    stream: str
    n_pushed: int
    n_pending: int
    n_gone: int = 0
    """Entries that somebody removed before they were read; ``gone_at_ms`` is when it was last noticed."""

    gone_at_ms: int = 0
    last_id_ahead: str = ""
    """The stream's last id where it lies in the future: the stream takes no ids of today."""

    renewed_at_ms: int = 0
    """When such a stream was last made anew."""


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
    environment: str | None = None
    """Which Factus: ``production``, ``sandbox`` or ``local``; None where the account is not configured here."""


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
    groups: tuple[GroupLag, ...]
    writes_refused: str | None = None
    """Redis's words, and what mends it, where it takes no writes."""
    damaged: tuple[str, ...] = ()
    """Keys of the service that hold something else than they should; what they would say is missing here."""
    n_letters_gone: int = 0
    """Dead letters that went because there were too many; ``letters_gone_at_ms`` is when it last happened."""
    letters_gone_at_ms: int = 0


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
        self._damaged: list[str] = []

    async def overview(self) -> Overview:
        """All of it. Not one instant: the parts are read one after the other."""
        now_ms = await self.now_ms()
        workers = await self.workers(now_ms)
        lane_names = await self._lane_names()
        names = self._account_names(workers, lane_names)
        accounts = {name: await self.account(name, now_ms) for name in names}
        lanes = await self._lanes(lane_names, accounts, now_ms)
        leader = await self._ask("GET", self._keys.leader("intake"))
        facts = await self._text_hash(self._keys.intake_facts())
        return Overview(
            now_ms=now_ms,
            workers=workers,
            intake_leader=leader.decode() if leader else "",
            intakes=tuple([await self._intake(stream, facts) for stream in self._job_streams()]),
            lanes=lanes,
            accounts=tuple(accounts.values()),
            n_dead=await self._ask("XLEN", self._keys.dead()) or 0,
            groups=await self._groups(),
            writes_refused=await self._try_a_write(),
            damaged=tuple(dict.fromkeys(self._damaged)),
            n_letters_gone=_whole(facts.get("letters_gone")),
            letters_gone_at_ms=_whole(facts.get("letters_gone_at")),
        )

    async def _try_a_write(self) -> str | None:
        """Redis's words when it refuses to write. A user who may only look is no reason to worry."""
        try:
            await command(self._redis, "SET", self._keys.write_probe(secrets.token_hex(6)), "1", "PX", _PROBE_LIFE_MS)
        except NoPermissionError:
            return None
        except ResponseError as exc:
            return f"{words_of(exc)}; {mend_of(redis_word(exc))}"
        return None

    async def _groups(self) -> tuple[GroupLag, ...]:
        streams = self._keys.outcomes(self._own())
        found: list[GroupLag] = []
        for stream in streams:
            if await self._ask("XLEN", stream) is not None:
                found += await groups_of(self._redis, [stream], self._results_maxlen)
        return tuple(found)

    async def _ask(self, *parts: str | int) -> Any:
        """The answer to a command on the key that comes second; None, and noted, where that key is of another kind."""
        try:
            return await command(self._redis, *parts)
        except ResponseError as exc:
            if redis_word(exc) != "WRONGTYPE":
                raise
            self._damaged.append(str(parts[1]))
            return None

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
        for raw, at_ms in _pairs(await self._ask("ZRANGE", self._keys.workers(), 0, -1, "WITHSCORES")):
            facts = await self._text_hash(self._keys.worker(raw.decode()))
            if facts:  # the hash dies with the heartbeat; the name stays a little longer
                found.append(
                    WorkerSeen(
                        id=raw.decode(),
                        pid=_whole(facts.get("pid")),
                        version=facts.get("version", ""),
                        accounts=tuple(filter(None, facts.get("accounts", "").split(","))),
                        n_running=_whole(facts.get("running")),
                        n_run=_whole(facts.get("run")),
                        seen_ms_ago=max(now_ms - int(at_ms), 0),
                        failed=facts.get("failed", ""),
                        held_ms=_whole(facts.get("held_ms")),
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
        counted_ms = (limit_window_ms(known) if known else round(window_s * 1000)) + _whole(state.get("margin_ms"))
        grants = [_whole(at) for at in await self._ask("LRANGE", self._keys.grants(name), 0, limit - 1) or ()]
        used = [at for at in grants if at > now_ms - counted_ms]
        generation, expires_at = await self._token(name)
        return AccountSeen(
            name=name,
            is_configured=known is not None,
            limit=limit,
            window_s=window_s,
            n_used=len(used),
            free_at_ms=used[limit - 1] + counted_ms if len(used) >= limit else 0,
            hold=_hold(state, now_ms),
            n_throttled=_whole(state.get("n_throttled")),
            token_generation=_whole(generation),
            token_life_s=max(_whole(expires_at) - now_ms, 0) / 1000,
            environment=known.environment if known else None,
        )

    async def _token(self, name: str) -> tuple[bytes | None, bytes | None]:
        """Generation and end of an account's token. The users of a viewer and an operator may not come near it."""
        try:
            found = await self._ask("HMGET", self._keys.token(name), "generation", "expires_at")
        except NoPermissionError:
            found = None
        generation, expires_at = found or (None, None)
        return generation, expires_at

    async def _lane_names(self) -> list[str]:
        return sorted(name.decode(errors="replace") for name in await self._ask("SMEMBERS", self._keys.lanes()) or ())

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
            n_waiting=await self._ask("ZCARD", self._keys.waiting(name)) or 0,
            n_later=await self._ask("ZCARD", self._keys.later(name)) or 0,
            n_in_flight=await self._ask("ZCARD", self._keys.in_flight(name)) or 0,
            hold=_hold(await self._text_hash(self._keys.lane(name)), now_ms),
            next_look_ms=_whole(await self._ask("ZSCORE", self._keys.lanes_due(), name)),
        )
        return replace(lane, n_tracking=await self._n_tracking(name)) if lane.is_calls and lane.n_later else lane

    async def _n_tracking(self, lane: str) -> int:
        found = self._redis.zscan_iter(self._keys.later(lane), match=f"*~{TRACK}", count=_SCAN_COUNT)
        return len({job_id async for job_id, _ in found})  # a scan may give one twice

    async def _intake(self, stream: str, facts: Mapping[str, str]) -> IntakeSeen:
        n_pending = 0
        n_pushed = await self._ask("XLEN", stream)
        if n_pushed is None:
            return IntakeSeen(stream, 0, 0)
        try:
            for group in await self._redis.xinfo_groups(stream):
                if group["name"] == GROUP.encode():
                    n_pending = group["pending"]
        except ResponseError:
            pass  # nothing was ever pushed there and no worker has started: no stream
        return IntakeSeen(
            stream,
            n_pushed,
            n_pending,
            n_gone=_whole(facts.get(f"gone:{stream}")),
            gone_at_ms=_whole(facts.get(f"gone_at:{stream}")),
            last_id_ahead=facts.get(f"ahead:{stream}", ""),
            renewed_at_ms=_whole(facts.get(f"renewed_at:{stream}")),
        )

    async def _text_hash(self, key: str) -> dict[str, str]:
        found = await self._ask("HGETALL", key) or {}
        return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in dict(found).items()}


def _pairs(flat: Sequence[Any] | None) -> list[tuple[bytes, float]]:
    """Members with their scores, from one after the other."""
    found = flat or ()
    return [(member, float(score)) for member, score in zip(found[::2], found[1::2], strict=True)]


def _whole(value: Any) -> int:
    """A stored number; 0 for what is none: somebody wrote there by hand, and the rest is still worth a look."""
    try:
        return int(float(value or 0))
    except (ValueError, OverflowError):
        return 0


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
    until_ms = _whole(stored.get("hold_until"))
    return Hold(stored.get("hold_reason", ""), until_ms) if until_ms > now_ms else None
