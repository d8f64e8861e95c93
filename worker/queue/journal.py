"""
What an attempt asks of the ledger while it runs: the port ``Journal`` on Redis.
"""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.errors import LedgerUnavailable
from jobs.issue_policy import verdict_to_json
from jobs.ports import Known
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord, JobState
from worker.queue.ledger_errors import lease_lost, ledger_error
from worker.queue.ledger_reader import LedgerReader
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts


class JournalOnRedis:
    """The port ``Journal``: what is known of a document, and of what others do to it."""

    def __init__(self, redis: Redis, scripts: Scripts, keys: Keys, reader: LedgerReader) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._reader = reader

    async def known(self, job: JobRecord, reference_code: str) -> Known | None:
        """See :class:`jobs.ports.Journal`."""
        document = await self._reader.document(job.account, job.family, reference_code)
        owner = await self._reader.job(job.account, document.job) if document else None
        if document is None or owner is None:
            return None
        return Known(document.is_open, owner.deletes_rejected)

    async def has_company(self, job: JobRecord, n_lane_starts: int) -> bool:
        """See :class:`jobs.ports.Journal`."""
        try:
            n_under_way = await command(self._redis, "ZCARD", self._keys.in_flight(job.lane))
            n_starts = await command(self._redis, "HGET", self._keys.lane(job.lane), "starts")
        except RedisError as exc:
            raise ledger_error(exc, "the lane could not be looked at") from exc
        return int(n_under_way) > 1 or int(n_starts or 0) != n_lane_starts

    async def is_being_removed(self, job: JobRecord) -> bool:
        """See :class:`jobs.ports.Journal`."""
        waiters = self._keys.removals(self._keys.document(job.account, job.family, job.reference_code))
        try:
            ids = await command(self._redis, "LRANGE", waiters, 0, -1)
            states = [
                await command(self._redis, "HGET", self._keys.job(job.account, id_.decode()), "state") for id_ in ids
            ]
        except RedisError as exc:
            raise ledger_error(exc, "a removal could not be looked for") from exc
        return any(state not in (None, JobState.FINAL.encode()) for state in states)

    async def begin_removal(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> bool:
        """See :class:`jobs.ports.Journal`."""
        document = self._keys.document(job.account, job.family, reference_code)
        keys = {
            "job": self._keys.job(job.account, job.id),
            "document": document,
            "waiters": self._keys.removals(document),
        }
        args: ScriptArgs = {
            "fence": job.fence,
            "settle_ms": settle_ms,
            "job_prefix": self._keys.job(job.account, ""),
        }
        try:
            word = await self._scripts.run("begin_removal", keys, args)
        except RedisError as exc:
            raise LedgerUnavailable("a removal could not be claimed") from exc
        if word == b"lost":
            raise lease_lost(job)
        return bool(word == b"held")

    async def record_rejection(self, job: JobRecord, verdict: tuple[ErrorDetail, ...], number: str) -> None:
        """See :class:`jobs.ports.Journal`."""
        keys = {"job": self._keys.job(job.account, job.id)}
        args: ScriptArgs = {"fence": job.fence, "verdict": verdict_to_json(verdict), "number": number}
        try:
            noted = await self._scripts.run("mark_deleting", keys, args)
        except RedisError as exc:
            raise ledger_error(exc, "a rejection could not be noted") from exc
        if not noted:
            raise lease_lost(job)
