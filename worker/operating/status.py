"""
What ``status`` sees: workers, intake, lanes, accounts, and one document or job, read from Redis as they are just now.

Reading only. The text of a token is never asked for. What the facts mean is said by ``explaining.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.families import FAMILIES
from schemas import strict_json
from schemas.records import JobRecord
from worker.intake import GROUP
from worker.keys import Keys
from worker.lagging import GroupSeen, groups_of
from worker.rate_limit import window_ms
from worker.settings import Account

_SCANNED_RESULTS: Final = 20_000
_SCANNED_JOBS: Final = 2_000
_PAGE: Final = 1_000
_NO_ACCOUNT: Final = "?"
"""Where the ledger keeps refusals of jobs whose account could not be read."""


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
    """One queue of jobs. ``next_look_ms`` is 0 when no look is planned: the end of a job makes the next one."""

    name: str
    account: str
    n_waiting: int
    n_later: int
    n_in_flight: int
    hold: Hold | None
    next_look_ms: int
    backlog_s: float


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


@dataclass(frozen=True, slots=True)
class Found:
    """A job, and what stands around it."""

    job: JobRecord
    now_ms: int
    lane: LaneSeen | None
    account: AccountSeen
    rank: int | None
    """Jobs before it in its lane."""
    issued_by: str
    """Id of the job that issues, or has issued, its document."""
    n_workers: int


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
        workers = await self._workers(now_ms)
        lane_names = sorted(name.decode() for name in await self._call("SMEMBERS", self._keys.lanes()))
        names = await self._account_names(workers, lane_names)
        accounts = {name: await self._account(name, now_ms) for name in names}
        lanes = [await self._lane(name, accounts[name.partition("/")[0]], now_ms) for name in lane_names]
        leader = await self._call("GET", self._keys.leader("intake"))
        return Overview(
            now_ms=now_ms,
            workers=workers,
            intake_leader=leader.decode() if leader else "",
            intakes=tuple([await self._intake(stream) for stream in self._job_streams()]),
            lanes=tuple(lanes),
            accounts=tuple(accounts.values()),
            n_dead=await self._call("XLEN", self._keys.dead()),
            groups=await groups_of(self._redis, self._keys.outcomes(self._own()), self._results_maxlen),
        )

    async def find(self, wanted: str, *, account: str | None = None, family: str | None = None) -> list[Found]:
        """Every job that has *wanted* as its document's reference or as its own id."""
        now_ms = await self.now_ms()
        workers = await self._workers(now_ms)
        lane_names = [name.decode() for name in await self._call("SMEMBERS", self._keys.lanes())]
        names = [account] if account else [*(await self._account_names(workers, lane_names)), _NO_ACCOUNT]
        jobs = [job for name in names for job in await self._jobs_of(wanted, name, family)]
        return [await self._around(job, now_ms, len(workers)) for job in jobs]

    async def last_event(self, wanted: str, account: str | None = None) -> dict[str, Any] | None:
        """The newest event of a reference or job id among the latest results: what is refused at once has no record."""
        for stream in self._result_streams():
            async for fields in self._backwards(stream, _SCANNED_RESULTS):
                named = (fields.get(b"reference_code", b"").decode(), fields.get(b"job_id", b"").decode())
                if wanted in named and account in (None, fields.get(b"account", b"").decode()):
                    event: dict[str, Any] = strict_json.parse(fields[b"event"])
                    return event
        return None

    async def is_pushed(self, wanted: str) -> bool:
        """Whether a job of that reference or id stands among the oldest that no worker has taken in."""
        for stream in self._job_streams():
            for entry, fields in await self._redis.xrange(stream, count=_SCANNED_JOBS):
                raw = fields.get(b"job", b"")
                if wanted == entry.decode() or (wanted.encode() in raw and wanted in _names_of(raw)):
                    return True
        return False

    async def now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    # -- parts -----------------------------------------------------------------------------------------------------
    async def _call(self, *command: Any) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    def _own(self) -> list[str]:
        return sorted(name for name, account in self._accounts.items() if account.own_streams)

    def _job_streams(self) -> list[str]:
        return [self._keys.jobs(), *(self._keys.jobs(name) for name in self._own())]

    def _result_streams(self) -> list[str]:
        return [self._keys.results(), *(self._keys.results(name) for name in self._own())]

    async def _workers(self, now_ms: int) -> tuple[WorkerSeen, ...]:
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

    async def _account_names(self, workers: Sequence[WorkerSeen], lanes: Sequence[str]) -> list[str]:
        names = set(self._accounts) | {lane.partition("/")[0] for lane in lanes}
        return sorted(names.union(*(worker.accounts for worker in workers)))

    async def _account(self, name: str, now_ms: int) -> AccountSeen:
        known = self._accounts.get(name)
        limit = known.rate_limit if known else self._default_limit
        window_s = known.rate_window if known else self._default_window_s
        state = await self._text_hash(self._keys.account(name))
        counted_ms = (window_ms(known) if known else round(window_s * 1000)) + int(state.get("margin_ms", 0))
        grants = [int(at) for at in await self._call("LRANGE", self._keys.grants(name), 0, limit - 1)]
        used = [at for at in grants if at > now_ms - counted_ms]
        generation, expires_at = await self._call("HMGET", self._keys.token(name), "generation", "expires_at")
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

    async def _lane(self, name: str, account: AccountSeen, now_ms: int) -> LaneSeen:
        n_waiting = await self._call("ZCARD", self._keys.waiting(name))
        hold = _hold(await self._text_hash(self._keys.lane(name)), now_ms)
        look = await self._redis.zscore(self._keys.lanes_due(), name)
        return LaneSeen(
            name=name,
            account=account.name,
            n_waiting=n_waiting,
            n_later=await self._call("ZCARD", self._keys.later(name)),
            n_in_flight=await self._call("ZCARD", self._keys.flight(name)),
            hold=hold,
            next_look_ms=int(look or 0),
            backlog_s=backlog_s(n_waiting, account, hold, now_ms),
        )

    async def _intake(self, stream: str) -> IntakeSeen:
        n_pending = 0
        try:
            for group in await self._redis.xinfo_groups(stream):
                if group["name"] == GROUP.encode():
                    n_pending = group["pending"]
        except ResponseError:
            pass  # nothing was ever pushed there and no worker has started: no stream
        return IntakeSeen(stream, await self._call("XLEN", stream), n_pending)

    async def _jobs_of(self, wanted: str, account: str, family: str | None) -> list[JobRecord]:
        ids = [wanted]
        for name in [family] if family else FAMILIES:
            issuer = await self._call("HGET", self._keys.document(account, name, wanted), "job")
            if issuer:
                ids.append(issuer.decode())
        jobs = [await self._job(account, job_id) for job_id in dict.fromkeys(ids)]
        return [job for job in jobs if job and family in (None, job.family)]

    async def _job(self, account: str, job_id: str) -> JobRecord | None:
        stored = dict(await self._call("HGETALL", self._keys.job(account, job_id)))
        return JobRecord.from_hash(stored) if stored else None

    async def _around(self, job: JobRecord, now_ms: int, n_workers: int) -> Found:
        account = await self._account(job.account, now_ms)
        issued_by = ""
        if job.family and job.reference_code:
            document = self._keys.document(job.account, job.family, job.reference_code)
            issued_by = (await self._call("HGET", document, "job") or b"").decode()
        rank = await self._call("ZRANK", self._keys.waiting(job.lane), job.id) if job.lane else None
        lane = await self._lane(job.lane, account, now_ms) if job.lane else None
        return Found(job, now_ms, lane, account, rank, issued_by, n_workers)

    async def _backwards(self, stream: str, most: int) -> AsyncIterator[dict[bytes, bytes]]:
        end = "+"
        for _ in range(most // _PAGE):
            page = await self._redis.xrevrange(stream, max=end, count=_PAGE)
            for _, fields in page:
                yield fields
            if len(page) < _PAGE:
                return
            end = f"({page[-1][0].decode()}"

    async def _text_hash(self, key: str) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in dict(await self._call("HGETALL", key)).items()}


def backlog_s(n_waiting: int, account: AccountSeen, hold: Hold | None, now_ms: int) -> float:
    """
    How long the jobs that wait will need, seconds: the end of a hold, then one call for each within the allowance.

    What the allowance has left goes at once, so it counts for nothing; Factus's own slowness is not foreseen.
    """
    if not n_waiting:
        return 0.0
    holds = [one.until_ms for one in (hold, account.hold) if one]
    held_s = max([until - now_ms for until in holds], default=0) / 1000
    n_later = max(n_waiting - max(account.limit - account.n_used, 0), 0)
    return held_s + n_later * account.window_s / account.limit


def _hold(stored: Mapping[str, str], now_ms: int) -> Hold | None:
    until_ms = int(stored.get("hold_until") or 0)
    return Hold(stored.get("hold_reason", ""), until_ms) if until_ms > now_ms else None


def _names_of(raw: bytes) -> tuple[object, object]:
    try:
        job = strict_json.parse(raw)
    except strict_json.JsonRefused:
        return (None, None)
    payload = job.get("payload") if isinstance(job, dict) else None
    if not isinstance(payload, dict):
        return (job.get("id") if isinstance(job, dict) else None, None)
    return (job.get("id"), payload.get("reference_code"))
