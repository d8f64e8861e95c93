"""
One document or job, found by what a person knows of it, with what stands around it and what follows it.

Reading only. What the facts mean is said by ``explain.py``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from redis.asyncio import Redis

from jobs.families import FAMILIES
from schemas import strict_json
from schemas.names import ARCHIVE, follow_up_id, followed_id
from schemas.records import JobRecord
from worker.retry_ids import retry_id
from worker.status.facts import AccountSeen, LaneSeen
from worker.status.reader import StatusReader
from worker.store.connection import command
from worker.store.inquiry import Inquiry, answered, asked, each
from worker.store.keys import Keys

_SCANNED_EVENTS: Final = 20_000
_SCANNED_JOBS: Final = 2_000
_SCANNED_BYTES: Final = 64 * 1024 * 1024
"""Events may have a megabyte and more, jobs one: what is looked through has a bound in bytes as well."""
_PAGE: Final = 64
_MOST_RETRIES: Final = 20
_MOST_ASKERS: Final = 100
_ARCHIVED_BY: Final = "archived_by:"
_NO_ACCOUNT: Final = "?"
"""Where the ledger keeps refusals of jobs whose account could not be read."""


def _everybody(_account: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class JobSnapshot:
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


@dataclass(frozen=True, slots=True)
class Follower:
    """What was asked to follow a document: the service's own job for it, if there is one."""

    asked: Any
    """The option, as it was taken."""
    found: JobSnapshot | None
    again: JobRecord | None = None
    """The newest job that its dead letter was pushed again as."""
    events: tuple[dict[str, Any], ...] = ()
    """The RADIAN events that were published, oldest first."""
    asked_by: str = ""
    """Id of the job that asked for it, where that is another one of the same document."""


@dataclass(frozen=True, slots=True)
class JobWithFollowUps:
    """A job with what follows its document, whichever job of that document has asked for it; its own archive first."""

    job: JobSnapshot
    archives: tuple[Follower, ...] = ()
    track: Follower | None = None


class JobLookup:
    """Finds jobs of one namespace."""

    def __init__(self, redis: Redis, keys: Keys, reader: StatusReader, own_streams: Sequence[str]) -> None:
        self._redis = redis
        self._keys = keys
        self._reader = reader
        self._owners = (None, *own_streams)

    async def find(
        self,
        wanted: str,
        *,
        account: str | None = None,
        family: str | None = None,
        may_see: Callable[[str], bool] = _everybody,
    ) -> list[JobWithFollowUps]:
        """
        Every job that has *wanted* as its document's reference or as its own id.

        The service's own jobs are parts of the document that they follow: asked for by id, it is found.

        Args:
            may_see: Whether jobs of an account may be told of.
        """
        wanted = followed_id(wanted)
        now_ms = await self._reader.now_ms()
        workers = await self._reader.workers(now_ms)
        names = [account] if account else [*(await self._reader.account_names(workers)), _NO_ACCOUNT]
        looked = each(self._jobs_of(wanted, name, family) for name in names if may_see(name))
        jobs = [job for some in await answered(self._redis, looked) for job in some]
        return [await self._followed(job, now_ms, len(workers)) for job in jobs]

    async def by_id(
        self, job_id: str, *, account: str | None = None, may_see: Callable[[str], bool] = _everybody
    ) -> list[JobWithFollowUps]:
        """Every job of that very id, in the accounts that may be told of."""
        now_ms = await self._reader.now_ms()
        workers = await self._reader.workers(now_ms)
        names = [account] if account else [*(await self._reader.account_names(workers)), _NO_ACCOUNT]
        looked = self._records([(name, job_id) for name in names if may_see(name)])
        return [await self._followed(job, now_ms, len(workers)) for job in await answered(self._redis, looked)]

    async def last_event(
        self, wanted: str, account: str | None = None, may_see: Callable[[str], bool] = _everybody
    ) -> dict[str, Any] | None:
        """The newest event of a reference or job id among the latest results: what is refused at once has no record."""
        for owner in self._owners:
            async for fields in self._backwards(self._keys.results(owner)):
                told = (fields.get(name, b"") for name in (b"reference_code", b"job_id", b"account"))
                *named, whose = (text.decode(errors="replace") for text in told)
                if wanted in named and account in (None, whose) and may_see(whose):
                    event: dict[str, Any] = strict_json.parse_written(fields[b"event"])
                    return event
        return None

    async def pushed_for(
        self,
        wanted: str,
        *,
        account: str | None = None,
        may_see: Callable[[str], bool] = _everybody,
        default_account: str | None = None,
    ) -> str | None:
        """
        The account of a job of that reference or id among the oldest entries that no worker has taken in; empty where
        the entry does not tell it, None where there is no such entry.

        Args:
            account: Only of this account, or of one that is not told.
            may_see: Whether jobs of an account may be told of.
            default_account: Whose job one is that names no account.
        """
        for owner in self._owners:
            async for entry, fields in self._pushed(self._keys.jobs(owner)):
                raw = fields.get(b"job", b"")
                if wanted != entry and wanted.encode() not in raw:
                    continue
                job_id, reference, named = _names_of(raw)
                whose = str(named or owner or default_account or "")
                is_asked = account is None or whose in (account, "")
                if wanted in (entry, job_id, reference) and is_asked and may_see(whose):
                    return whose
        return None

    async def _pushed(self, stream: str) -> AsyncIterator[tuple[str, dict[bytes, bytes]]]:
        """The oldest entries of an intake stream, oldest first."""
        start, n_bytes = "-", 0
        for _ in range(0, _SCANNED_JOBS, _PAGE):
            page = await self._redis.xrange(stream, min=start, count=_PAGE)
            for entry, fields in page:
                n_bytes += len(fields.get(b"job", b""))
                yield entry.decode(), fields
            if len(page) < _PAGE or n_bytes > _SCANNED_BYTES:
                return
            start = f"({page[-1][0].decode()}"

    # -- the job ---------------------------------------------------------------------------------------------------
    def _jobs_of(self, wanted: str, account: str, family: str | None) -> Inquiry[list[JobRecord]]:
        families = [family] if family else [*FAMILIES]
        issuers = yield from asked(*(("HGET", self._keys.document(account, name, wanted), "job") for name in families))
        ids = dict.fromkeys([wanted, *(issuer.decode() for issuer in issuers if issuer)])
        jobs = yield from self._records([(account, job_id) for job_id in ids])
        return [job for job in jobs if family in (None, job.family)]

    def _records(self, names: Sequence[tuple[str, str]]) -> Inquiry[list[JobRecord]]:
        """Those of the jobs, by account and id, that there are."""
        rows = yield from asked(*(("HGETALL", self._keys.job(*one)) for one in names))
        return [JobRecord.from_hash(dict(zip(row[::2], row[1::2], strict=True))) for row in rows if row]

    async def _job(self, account: str, job_id: str) -> JobRecord | None:
        found = await answered(self._redis, self._records([(account, job_id)]))
        return found[0] if found else None

    async def _around(self, job: JobRecord, now_ms: int, n_workers: int) -> JobSnapshot:
        account = await self._reader.account(job.account, now_ms)
        issued_by = ""
        if job.issues and job.reference_code:
            document = self._keys.document(job.account, job.family, job.reference_code)
            issued_by = (await command(self._redis, "HGET", document, "job") or b"").decode()
        rank = await command(self._redis, "ZRANK", self._keys.waiting(job.lane), job.id) if job.lane else None
        lane = (await self._reader.lanes_of(account, now_ms)).get(job.lane) if job.lane else None
        return JobSnapshot(job, now_ms, lane, account, rank, issued_by, n_workers)

    # -- what follows ----------------------------------------------------------------------------------------------
    async def _followed(self, job: JobRecord, now_ms: int, n_workers: int) -> JobWithFollowUps:
        found = await self._around(job, now_ms, n_workers)
        if not job.issues:
            return JobWithFollowUps(found)
        document = self._keys.document(job.account, job.family, job.reference_code)
        askers = await self._askers(job, document)
        archives = [await self._archive(asker, job, now_ms, n_workers) for asker in askers if asker.archives]
        wants_watch = next((asker for asker in askers if asker.tracks_radian), None)
        return JobWithFollowUps(
            found, tuple(archives), await self._watch(job, wants_watch, document, now_ms, n_workers)
        )

    async def _askers(self, job: JobRecord, document: str) -> list[JobRecord]:
        """A job, and the others of its document that have asked for something: they wait for it, or had its result."""
        waiting = await command(self._redis, "LRANGE", self._keys.joined(document), 0, _MOST_ASKERS - 1)
        names = [name.decode() for name in await command(self._redis, "HKEYS", document)]
        archiving = [name.removeprefix(_ARCHIVED_BY) for name in names if name.startswith(_ARCHIVED_BY)]
        issuer = (await command(self._redis, "HGET", document, "job") or b"").decode()
        ids = [issuer, *(id_.decode() for id_ in waiting), *(followed_id(id_) for id_ in archiving)]
        others = [await self._job(job.account, id_) for id_ in dict.fromkeys(ids) if id_ not in ("", job.id)]
        return [job, *(other for other in others if other)]

    async def _archive(self, asker: JobRecord, job: JobRecord, now_ms: int, n_workers: int) -> Follower:
        own = await self._job(asker.account, follow_up_id(asker.id, ARCHIVE))
        found = await self._around(own, now_ms, n_workers) if own else None
        again = await self._pushed_again(own) if own else None
        return Follower(asker.archives, found, again, asked_by=asker.id if asker.id != job.id else "")

    async def _watch(
        self, job: JobRecord, asker: JobRecord | None, document: str, now_ms: int, n_workers: int
    ) -> Follower | None:
        """The one watch over the document's RADIAN events, or that some job of it waits to have one."""
        held = (await command(self._redis, "HGET", document, "watched_by") or b"").decode()
        by = followed_id(held) or (asker.id if asker else "")
        if not by:
            return None
        watch = await self._job(job.account, held) if held else None
        found = await self._around(watch, now_ms, n_workers) if watch else None
        events = await self._radian_events(replace(job, id=by))
        return Follower(True, found, events=events, asked_by=by if by != job.id else "")

    async def _pushed_again(self, follower: JobRecord) -> JobRecord | None:
        newest = None
        for n in range(1, _MOST_RETRIES + 1):
            found = await self._job(follower.account, retry_id(follower.id, n))
            if not found:
                break
            newest = found
        return newest

    async def _radian_events(self, job: JobRecord) -> tuple[dict[str, Any], ...]:
        """``data`` of the RADIAN events that were told; what the clock says is told from its own state."""
        whose = (job.account.encode(), job.id.encode(), b"radian.event")
        found = [
            strict_json.parse_written(fields[b"event"])["data"]
            for owner in self._owners
            async for fields in self._backwards(self._keys.radian(owner))
            if (fields.get(b"account"), fields.get(b"job_id"), fields.get(b"type")) == whose
        ]
        return tuple(reversed(found))

    # -- parts -----------------------------------------------------------------------------------------------------
    async def _backwards(self, stream: str) -> AsyncIterator[dict[bytes, bytes]]:
        """The newest events of a stream, newest first."""
        end, n_bytes = "+", 0
        for _ in range(_SCANNED_EVENTS // _PAGE):
            page = await self._redis.xrevrange(stream, max=end, count=_PAGE)
            for _, fields in page:
                n_bytes += len(fields.get(b"event", b""))
                if b"event" in fields:  # else somebody else wrote there
                    yield fields
            if len(page) < _PAGE or n_bytes > _SCANNED_BYTES:
                return
            end = f"({page[-1][0].decode()}"


def _names_of(raw: bytes) -> tuple[object, object, object]:
    """Id, reference and account of a pushed job, as far as they can be read."""
    try:
        job = strict_json.parse(raw)
    except strict_json.JsonRefused:
        return (None, None, None)
    fields = job if isinstance(job, dict) else {}
    payload = fields.get("payload")
    reference = payload.get("reference_code") if isinstance(payload, dict) else None
    return (fields.get("id"), reference, fields.get("account"))
