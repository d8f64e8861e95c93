"""
What ``status`` sees: workers, intake, lanes and accounts, read from Redis as they are just now.

Reading only, but for one key of its own that dies by itself: whether Redis takes writes is seen by writing. The text
of a token is never asked for. One document or job is found by ``lookup.py``; what the facts mean is said by
``explain.py`` and ``problems.py``.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from jobs.estimate.course import Course
from jobs.estimate.forecast import forecast
from jobs.follow_ups import TRACK
from schemas import strict_json
from schemas.contract.error_codes import ERROR_CODES
from schemas.factus import BOGOTA
from schemas.names import account_of, follow_up_id, is_calls_lane
from schemas.records import pushed_ms_of, score_bands
from worker.factus.rate_limit import limit_window_ms
from worker.guard import redis_word
from worker.intake.reader import GROUP
from worker.queue.consumer_lag import GroupLag, groups_of
from worker.queue.load_reader import LoadReader, Reading
from worker.settings.account import Account
from worker.status.endpoint_reader import read_endpoints
from worker.status.facts import (
    WAIT_REASONS,
    AccountSeen,
    Block,
    Hold,
    IntakeSeen,
    LaneSeen,
    LettersSeen,
    Overview,
    RadianSeen,
    WorkerSeen,
    with_backlog,
)
from worker.store.connection import command, words_of
from worker.store.keys import Keys

_MOST_TRACKED: Final = 2_000
"""Of what comes later in a lane of calls so many are looked at: the share that watches RADIAN is taken from them."""

_PROBE_LIFE_MS: Final = 5_000
_LETTERS_A_PAGE: Final = 100
_MOST_LETTER_BYTES: Final = 32 * 1024 * 1024
"""Letters hold the bytes of their jobs: after so many the newest have been looked at, and that is enough."""

_ACTS: Final = {row.code: row.acts for row in ERROR_CODES}


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

    async def overview(self, *, tries_a_write: bool = True) -> Overview:
        """
        All of it. Not one instant: the parts are read one after the other.

        Args:
            tries_a_write: Without it nothing at all is written, and it is not known whether Redis takes writes.
        """
        now_ms = await self.now_ms()
        workers = await self.workers(now_ms)
        lane_names = await self._lane_names()
        names = self._account_names(workers, lane_names)
        environments = {name: which for worker in workers for name, which in worker.environments.items()}
        accounts = {name: await self.account(name, now_ms, environments) for name in names}
        lanes = await self._lanes(lane_names, accounts, now_ms)
        if not workers:
            lanes = tuple(replace(lane, done_ms=None) for lane in lanes)  # nobody does them
        leader = await self._ask("GET", self._keys.leader("intake"))
        facts = await self._text_hash(self._keys.intake_facts())
        refused = await self._try_a_write() if tries_a_write else None
        endpoints, n_delivering = await read_endpoints(self._redis, self._keys, now_ms)
        radian = await self._radian(now_ms)
        return Overview(
            now_ms=now_ms,
            workers=workers,
            intake_leader=leader.decode() if leader else "",
            intakes=tuple([await self._intake(stream, facts) for stream in self._job_streams()]),
            lanes=lanes,
            accounts=tuple(accounts.values()),
            n_dead=await self._ask("XLEN", self._keys.dead()) or 0,
            groups=await self._groups(),
            writes_refused=refused[1] if refused else None,
            writes_word=refused[0] if refused else "",
            damaged=tuple(dict.fromkeys(self._damaged)),
            n_letters_gone=_whole(facts.get("letters_gone")),
            letters_gone_at_ms=_whole(facts.get("letters_gone_at")),
            letters=await self._letters(),
            radian=radian,
            endpoints=endpoints,
            n_delivering=n_delivering,
        )

    async def _radian(self, now_ms: int) -> RadianSeen:
        """How many watched bills are due, by the day in Bogotá. The dates stand in one set: no record is read."""
        midnight = datetime.fromtimestamp(now_ms / 1000, BOGOTA).replace(hour=0, minute=0, second=0, microsecond=0)
        days = [round((midnight + timedelta(days=n)).timestamp() * 1000) for n in range(3)]
        bounds = (("-inf", f"({days[0]}"), (days[0], f"({days[1]}"), (days[1], f"({days[2]}"))
        before, today, tomorrow = [
            await self._ask("ZCOUNT", self._keys.terms(), low, high) or 0 for low, high in bounds
        ]
        return RadianSeen(today, tomorrow, before)

    async def _letters(self) -> LettersSeen:
        """The dead letters by who acts on them."""
        n = await self._ask("XLEN", self._keys.dead()) or 0
        reasons: Counter[str] = Counter()
        end, n_bytes = "+", 0
        while n and n_bytes < _MOST_LETTER_BYTES:
            page = await self._redis.xrevrange(self._keys.dead(), max=end, count=_LETTERS_A_PAGE)
            reasons.update(fields.get(b"reason", b"").decode(errors="replace") for _, fields in page)
            n_bytes += sum(len(value) for _, fields in page for value in fields.values())
            if len(page) < _LETTERS_A_PAGE:
                break
            end = f"({page[-1][0].decode()}"
        by_actor: Counter[str] = Counter()
        for code, n_code in reasons.items():
            by_actor[_ACTS.get(code, "operator")] += n_code
        ours = [(code, n_code) for code, n_code in reasons.most_common() if _ACTS.get(code, "operator") != "producer"]
        return LettersSeen(n, by_actor["producer"], by_actor["operator"], by_actor["developers"], tuple(ours))

    async def _try_a_write(self) -> tuple[str, str] | None:
        """Redis's first word, and all of them, when it refuses to write. Who may only look is no reason to worry."""
        try:
            await command(self._redis, "SET", self._keys.write_probe(secrets.token_hex(6)), "1", "PX", _PROBE_LIFE_MS)
        except NoPermissionError:
            return None
        except ResponseError as exc:
            return redis_word(exc), words_of(exc)
        return None

    async def _groups(self) -> tuple[GroupLag, ...]:
        streams = self._keys.outcomes(self._own())
        found: list[GroupLag] = []
        for stream in streams:
            if await self._ask("XLEN", stream) is not None:
                found += await groups_of(self._redis, [stream], self._results_maxlen, with_pending=True)
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
        names = [name for name in await self._lane_names() if account_of(name) == account.name]
        return {lane.name: lane for lane in await self._lanes(names, {account.name: account}, now_ms)}

    async def now_ms(self) -> int:
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    # -- parts -----------------------------------------------------------------------------------------------------
    def _own(self) -> list[str]:
        return sorted(name for name, account in self._accounts.items() if account.own_streams)

    def _job_streams(self) -> list[str]:
        return [self._keys.jobs(), self._keys.retry(), *(self._keys.jobs(name) for name in self._own())]

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
                        environments=_environments(facts.get("environments", "")),
                        is_signed=facts.get("signed") == "1",
                        keys_fault=facts.get("keys_fault", ""),
                    )
                )
        return tuple(sorted(found, key=lambda worker: worker.id))

    def _account_names(self, workers: Sequence[WorkerSeen], lanes: Sequence[str]) -> list[str]:
        names = set(self._accounts) | {account_of(lane) for lane in lanes}
        return sorted(names.union(*(worker.accounts for worker in workers)))

    async def account(self, name: str, now_ms: int, environments: Mapping[str, str] | None = None) -> AccountSeen:
        """
        One account.

        Args:
            environments: Which Factus the running workers ask, for accounts that are not configured here.
        """
        known = self._accounts.get(name)
        limit = known.rate_limit if known else self._default_limit
        window_s = known.rate_window if known else self._default_window_s
        state = await self._text_hash(self._keys.account(name))
        counted_ms = (limit_window_ms(known) if known else round(window_s * 1000)) + _whole(state.get("margin_ms"))
        grants = [_whole(at) for at in await self._ask("LRANGE", self._keys.grants(name), 0, limit - 1) or ()]
        generation, expires_at = await self._token(name)
        return AccountSeen(
            name=name,
            is_configured=known is not None,
            limit=limit,
            window_s=window_s,
            n_used=sum(at > now_ms - counted_ms for at in grants),
            hold=await self._hold(name, state, now_ms),
            n_throttled=_whole(state.get("n_throttled")),
            token_generation=_whole(generation),
            token_life_s=max(_whole(expires_at) - now_ms, 0) / 1000,
            environment=known.environment if known else (environments or {}).get(name),
            blocks=tuple(
                Block(field.removeprefix("blocked:"), _whole(since))
                for field, since in sorted(state.items())
                if field.startswith("blocked:")
            ),
            base_url=known.base_url if known else None,
        )

    async def _hold(self, account: str, stored: Mapping[str, str], now_ms: int) -> Hold | None:
        """
        What holds an account or a lane: until an instant that is to come, or since one and nothing has come through.
        """
        until_ms, since_ms = _whole(stored.get("hold_until")), _whole(stored.get("held_since"))
        if until_ms <= now_ms and not since_ms:
            return None
        reason = stored.get("hold_reason", "") if until_ms > now_ms else stored.get("held_for", "")
        if reason != stored.get("held_for"):
            return Hold(reason, until_ms)  # Factus has asked to slow down, which no job has met
        job_id = stored.get("held_by", "")
        met = await self._ask("HMGET", self._keys.job(account, job_id), "reference_code", "number", "last_error")
        reference_code, number, error = ((value or b"").decode(errors="replace") for value in met or (b"", b"", b""))
        mend = stored.get("held_mend", "")
        return Hold(reason, until_ms, since_ms, job_id, reference_code, number, _message(error), mend)

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
        queues = [_of_its_account(await self._queue(name, now_ms), accounts) for name in names]
        lanes = [with_backlog(queue, queues, accounts[queue.account], now_ms) for queue in queues]
        # What is at rest needs no estimate.
        busy = {lane.account for lane in lanes if lane.n_waiting or (lane.issues and lane.n_later)}
        courses = {name: await self.courses(name, now_ms) for name in busy}
        return tuple(
            _with_estimate(lane, *courses[lane.account], now_ms) if lane.account in busy else lane for lane in lanes
        )

    async def courses(self, account: str, now_ms: int) -> tuple[Reading, dict[str, Course]]:
        """What is known of an account's load, and what will become of it."""
        reading = await LoadReader(self._redis, self._keys).read(self.account_settings(account), now_ms)
        return reading, forecast(reading.load)

    def account_settings(self, name: str) -> Account:
        """An account; one that is not configured here is taken to have the allowance of those that are."""
        if name in self._accounts:
            return self._accounts[name]
        nothing = SecretStr("")
        return Account.model_construct(
            name=name,
            client_id=nothing,
            client_secret=nothing,
            username=nothing,
            password=nothing,
            base_url="",
            rate_limit=self._default_limit,
            rate_window=self._default_window_s,
            concurrency=1,
        )

    async def _queue(self, name: str, now_ms: int) -> LaneSeen:
        """A lane by itself, without what its neighbours do to it."""
        account = account_of(name)
        state = await self._text_hash(self._keys.lane(name))
        lane = LaneSeen(
            name=name,
            account=account,
            n_waiting=await self._ask("ZCARD", self._keys.waiting(name)) or 0,
            n_later=await self._ask("ZCARD", self._keys.later(name)) or 0,
            n_in_flight=await self._ask("ZCARD", self._keys.in_flight(name)) or 0,
            hold=await self._hold(account, state, now_ms),
            next_look_ms=_whole(await self._ask("ZSCORE", self._keys.lanes_due(), name)),
            wait_reason=state.get("wait_reason", ""),
            width=self._width(name, state),
        )
        if lane.hold and not lane.n_open:
            lane = replace(lane, hold=None)  # nobody is left whom it holds
        lane = replace(lane, why=_why(lane))
        if lane.n_waiting:
            lane = replace(lane, oldest_ms=await self._oldest_ms(name))
        if lane.is_calls and lane.n_later:
            lane = replace(lane, n_tracking=await self._n_tracking(name, lane.n_later))
        return lane

    def _width(self, lane: str, state: Mapping[str, str]) -> int:
        """As the dispatcher's last look had it; of calls what is configured here."""
        known = self._accounts.get(account_of(lane))
        if is_calls_lane(lane):
            return known.concurrency if known else 1
        return max(_whole(state.get("width_in_use")), 1)

    async def _oldest_ms(self, lane: str) -> int:
        """When the job was pushed that waits longest: the first of each priority, and of what comes back."""
        found: list[int] = []
        for first, last in score_bands():
            parts = ("ZRANGEBYSCORE", self._keys.waiting(lane), str(first), f"({last}", "WITHSCORES", "LIMIT", 0, 1)
            rows = _pairs(await self._ask(*parts))
            found += [pushed_ms_of(int(score)) for _, score in rows if score >= 0]
            for job_id in [job_id for job_id, score in rows if score < 0]:
                record = self._keys.job(account_of(lane), job_id.decode(errors="surrogateescape"))
                found.append(_whole(await self._ask("HGET", record, "accepted_at")))
        return min(filter(None, found), default=0)

    async def _n_tracking(self, lane: str, n_later: int) -> int:
        ids = await self._ask("ZRANGE", self._keys.later(lane), 0, _MOST_TRACKED - 1) or ()
        n_tracking = sum(job_id.endswith(follow_up_id("", TRACK).encode()) for job_id in ids)
        return int(n_tracking if len(ids) < _MOST_TRACKED else n_tracking * n_later // len(ids))

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


def _of_its_account(lane: LaneSeen, accounts: Mapping[str, AccountSeen]) -> LaneSeen:
    """
    A lane without the pause that came with a 429: it is the account that Factus asked to slow down, and the words of
    the job that met it would say that Factus does not answer.
    """
    by_account = accounts[lane.account].hold
    is_slowed = by_account is not None and by_account.reason == "factus.throttled"
    if is_slowed and lane.hold and lane.hold.reason == "factus.unavailable":
        return replace(lane, hold=None)
    return lane


def _with_estimate(lane: LaneSeen, reading: Reading, courses: Mapping[str, Course], now_ms: int) -> LaneSeen:
    """A lane with its pace, and when it will be done: nobody knows where it is held."""
    course = courses.get(lane.name)
    if course is None:
        return lane
    is_held = lane.name in reading.held
    done_ms = None if is_held else course.done_ms
    backlog_s = lane.backlog_s if done_ms is None or not lane.n_waiting else max(done_ms - now_ms, 0) / 1000
    pace = 0.0 if is_held else course.pace_per_minute
    return replace(lane, pace_per_minute=pace, done_ms=done_ms, backlog_s=backlog_s)


def _why(lane: LaneSeen) -> str | None:
    if not lane.n_waiting:
        return None
    return "held" if lane.hold else WAIT_REASONS.get(lane.wait_reason)


def _environments(text: str) -> dict[str, str]:
    """``acme=sandbox,own=local``, as the heartbeat has it."""
    return {name: which for name, _, which in (part.partition("=") for part in text.split(",")) if which}


def _message(error: str) -> str:
    """The words of a stored error; empty where there is none that can be read."""
    try:
        found = strict_json.parse(error) if error else {}
    except strict_json.JsonRefused:
        return ""
    return str(found.get("message", "")) if isinstance(found, dict) else ""
