"""
What closing a day asks of the ledger: the port ``DayBook`` on Redis.

Everything is read in slices, so that a day of 10,000 documents holds neither the server nor this process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.closing.certificate import SHA256, chained
from jobs.closing.day_index import read_refusal
from jobs.closing.days import DAY_MS, utc_days
from jobs.closing.ledger_facts import ENDED_FIELDS, OPEN_FIELDS, ended_job, known_document, open_job, refused_job
from jobs.day_facts import Day, EndedJob, KnownDocument, LedgerDay, OpenJob
from jobs.errors import LeaseLost, LedgerUnavailable
from jobs.families import FAMILIES
from schemas import strict_json
from schemas.names import in_account
from schemas.records import JobRecord
from worker.queue.ledger_policy import LedgerPolicy
from worker.settings.account import Account
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Scripts

_SLICE: Final = 500
_MOST_ENDS: Final = 250_000  # as lib/day_index.lua
_LATE_MS: Final = DAY_MS
"""How long after its deadline a job of the day may end all the same."""

_KNOWN_FIELDS: Final = ("type", "number", "total", "tax_amount", "prefix")
_PAGES_LIFE_MS: Final = 3 * DAY_MS
_MOST_APPENDS: Final = 50


async def begin_day_index(redis: Redis, keys: Keys) -> None:
    """
    Write down once since when ends are noted, ms; 0 where there were no jobs before.

    Called before a worker gives its first sign of life. Workers that come at the same time may all write: the first
    one counts.
    """
    is_old = await command(redis, "EXISTS", keys.workers(), keys.results(), keys.intake_facts())
    seconds, _ = await command(redis, "TIME")
    await command(redis, "SET", keys.ends_since(), int(seconds) * 1000 if is_old else 0, "NX")


class DayBookOnRedis:
    """The port ``DayBook``."""

    def __init__(
        self, redis: Redis, scripts: Scripts, keys: Keys, accounts: Mapping[str, Account], policy: LedgerPolicy
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._accounts = accounts
        self._policy = policy

    # -- what is put aside -----------------------------------------------------------------------------------------
    async def keep_page(self, job: JobRecord, name: str, rows: str) -> None:
        key = self._keys.day_pages(job.account, job.id)
        life_ms = self._policy.deadline_ms + _PAGES_LIFE_MS
        await self._ask("HSET", key, name, rows)
        await self._ask("PEXPIRE", key, life_ms)

    async def pages(self, job: JobRecord) -> Mapping[str, str]:
        return await self._texts(self._keys.day_pages(job.account, job.id))

    async def foreign_amounts(self, account: str) -> Mapping[str, str]:
        return await self._texts(self._keys.foreign_amounts(account))

    async def keep_foreign_amounts(self, account: str, name: str, amounts: str) -> None:
        key = self._keys.foreign_amounts(account)
        await self._ask("HSET", key, name, amounts)
        await self._ask("PEXPIRE", key, self._policy.retention_ms)

    # -- what the ledger knows -------------------------------------------------------------------------------------
    async def known(self, account: str, family: str, references: Sequence[str]) -> Mapping[str, KnownDocument]:
        found: dict[str, KnownDocument] = {}
        for some in _slices(references):
            keys = [self._keys.document(account, family, reference) for reference in some]
            documents = await self._hmget(keys, ("state", "job"))
            owners = [
                (reference, key, row) for reference, key, row in zip(some, keys, documents, strict=True) if row[1]
            ]
            jobs = await self._hmget([self._keys.job(account, row[1]) for _, _, row in owners], _KNOWN_FIELDS)
            for (reference, key, (state, job_id)), job in zip(owners, jobs, strict=True):
                told = dict(zip(_KNOWN_FIELDS, job, strict=True))
                if state == "validated" and not told["tax_amount"]:
                    # Of a document that was issued before its record had these: its event tells them.
                    told |= await self._of_event(key)
                found[reference] = known_document(state, job_id, told)
        return found

    async def _of_event(self, document: str) -> dict[str, str]:
        stored = await self._ask("HGET", document, "event")
        try:
            event = strict_json.parse_written(stored or b"{}")
        except strict_json.JsonRefused:
            return {}
        data = event.get("data") if isinstance(event, dict) else None
        if not isinstance(data, dict):
            return {}
        return {name: data[name] for name in ("number", "tax_amount") if isinstance(data.get(name), str)}

    async def ledger_day(self, account: str, day: Day, now_ms: int) -> LedgerDay:
        policy = self._policy
        last_ms = min(now_ms, day.ends_ms + policy.deadline_ms + _LATE_MS)
        ended: list[EndedJob] = []
        is_full = False
        for number in utc_days(day.starts_ms, max(last_ms, day.starts_ms)):
            key = self._keys.ends(account, number)
            is_full = is_full or int(await self._ask("ZCARD", key)) >= _MOST_ENDS
            async for member, at_ms in self._members(key, day.starts_ms, last_ms):
                ended += await self._ended(account, member, at_ms)
        since = await self._ask("GET", self._keys.ends_since())
        return LedgerDay(
            ended=tuple(ended),
            open=tuple(await self._open(account)),
            since_ms=int(since or 0),
            forgets_ms=now_ms - policy.retention_ms,
            is_full=is_full,
        )

    async def _members(self, key: str, first_ms: int, last_ms: int) -> AsyncIterator[tuple[list[str], list[int]]]:
        """Ids (or refusals) and ms of what ended in an interval, in slices."""
        at = 0
        while True:
            found = await self._ask("ZRANGEBYSCORE", key, first_ms, last_ms, "WITHSCORES", "LIMIT", at, _SLICE)
            if not found:
                return
            rows = found if isinstance(found[0], (tuple, list)) else list(zip(found[::2], found[1::2], strict=True))
            yield [_text(member) for member, _ in rows], [int(float(score)) for _, score in rows]
            at += len(rows)

    async def _ended(self, account: str, members: list[str], at_ms: list[int]) -> list[EndedJob]:
        refusals = [read_refusal(member) for member in members]
        jobs = [(member, at) for member, at, told in zip(members, at_ms, refusals, strict=True) if told is None]
        rows = await self._hmget([self._keys.job(account, member) for member, _ in jobs], ENDED_FIELDS)
        found = [refused_job(told, at) for told, at in zip(refusals, at_ms, strict=True) if told is not None]
        found += [
            ended_job(id_, dict(zip(ENDED_FIELDS, row, strict=True)), at)
            for (id_, at), row in zip(jobs, rows, strict=True)
            if row[0]
        ]
        return found

    async def _open(self, account: str) -> list[OpenJob]:
        found: list[OpenJob] = []
        zone = self._accounts[account].zone
        for family in FAMILIES:
            lane = in_account(account, family)
            for key in (self._keys.in_flight(lane), self._keys.waiting(lane), self._keys.later(lane)):
                ids = [_text(one) for one in await self._ask("ZRANGE", key, 0, -1)]
                for some in _slices(ids):
                    rows = await self._hmget([self._keys.job(account, id_) for id_ in some], OPEN_FIELDS)
                    facts = [dict(zip(OPEN_FIELDS, row, strict=True)) for row in rows]
                    found += [
                        open_job(id_, one, zone)
                        for id_, one in zip(some, facts, strict=True)
                        if one["type"] and one["state"] != "final"
                    ]
        return [*{job.job_id: job for job in found}.values()]  # one that moved meanwhile stands in two places

    # -- the chain -------------------------------------------------------------------------------------------------
    async def append(self, job: JobRecord, body: Mapping[str, Any], progress: Mapping[str, Any]) -> dict[str, Any]:
        keys = {
            "job": self._keys.job(job.account, job.id),
            "chain": self._keys.day_chain(job.account),
            "pages": self._keys.day_pages(job.account, job.id),
        }
        for _ in range(_MOST_APPENDS):
            previous = _text(await self._ask("HGET", keys["chain"], "sha256") or b"")
            certificate = chained(body, previous or None)
            args = {
                "id": job.id,
                "fence": job.fence,
                "previous": previous,
                "sha256": certificate[SHA256],
                "progress": strict_json.dump({**progress, "certificate": certificate}),
            }
            try:
                word = await self._scripts.run("append_certificate", keys, args, confirmed=True)
            except RedisError as exc:
                raise LedgerUnavailable("a certificate could not be written") from exc
            if word == b"ok":
                return certificate
            if word == b"lost":
                raise LeaseLost(f"job {job.id} is another worker's by now")
        raise LedgerUnavailable("the chain of certificates moves all the time")

    # -- reading ---------------------------------------------------------------------------------------------------
    async def _ask(self, *words: Any) -> Any:
        try:
            return await command(self._redis, *words)
        except RedisError as exc:
            raise LedgerUnavailable("a day could not be read") from exc

    async def _texts(self, key: str) -> dict[str, str]:
        return {_text(name): _text(value) for name, value in dict(await self._ask("HGETALL", key)).items()}

    async def _hmget(self, keys: Sequence[str], names: Sequence[str]) -> list[list[str]]:
        """Fields of several hashes as texts, empty for what is not there."""
        if not keys:
            return []
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for key in keys:
                    pipe.hmget(key, list(names))
                rows = await pipe.execute()
        except RedisError as exc:
            raise LedgerUnavailable("a day could not be read") from exc
        return [[_text(value or b"") for value in row] for row in rows]


def _slices(all_: Sequence[str]) -> Iterable[Sequence[str]]:
    return (all_[at : at + _SLICE] for at in range(0, len(all_), _SLICE))


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
