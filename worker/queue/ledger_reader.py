"""
What the ledger knows: the records of jobs, documents and bills, and how many jobs wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.errors import LedgerRefused
from schemas.records import DocumentRecord, JobRecord
from worker.queue.ledger_errors import ledger_error
from worker.store.connection import command
from worker.store.keys import Keys

_MOST_LIKE: Final = 5_000


class LedgerReader:
    """
    Reads records and lanes; the port ``Bills`` on Redis.

    Every method raises LedgerUnavailable without an answer from Redis, and LedgerRefused where a key is broken.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def job(self, account: str, job_id: str) -> JobRecord | None:
        """The record of a job, or None when it is not (or no longer) known."""
        stored = await self._hash(self._keys.job(account, job_id))
        return JobRecord.from_hash(stored) if stored else None

    async def document(self, account: str, family: str, reference_code: str) -> DocumentRecord | None:
        """The record of a document, or None."""
        stored = await self._hash(self._keys.document(account, family, reference_code))
        return DocumentRecord.from_hash(stored) if stored else None

    async def bill(self, account: str, number: str) -> Mapping[str, str]:
        """See :class:`jobs.ports.Bills`."""
        try:
            stored = await self._hash(self._keys.bill(account, number))
        except LedgerRefused:
            return {}  # the key is of another kind: then nothing is known, and Factus is asked
        return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in stored.items()}

    async def n_waiting(self, account: str, lane: str | None) -> int:
        """How many jobs wait in the account, or in one lane of it."""
        lanes = [lane] if lane else await self._lanes_of(account)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for lane in lanes:
                    pipe.zcard(self._keys.waiting(lane))
                    pipe.zcard(self._keys.later(lane))
                return sum(await pipe.execute()) if lanes else 0
        except RedisError as exc:
            raise ledger_error(exc, "the jobs of a lane could not be counted") from exc

    async def n_waiting_like(self, job: JobRecord) -> int:
        """
        How many other jobs of the same type wait in a job's lane.

        The lane holds jobs of all types that issue nothing, and only a record tells the type: the first few thousand
        are looked at.
        """
        keys = (self._keys.waiting(job.lane), self._keys.later(job.lane))
        try:
            ids = [id_.decode() for key in keys for id_ in await command(self._redis, "ZRANGE", key, 0, _MOST_LIKE - 1)]
            async with self._redis.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    pipe.hget(self._keys.job(job.account, id_), "type")
                types = await pipe.execute() if ids else []
        except RedisError as exc:
            raise ledger_error(exc, "the jobs of a lane could not be counted") from exc
        return sum(type_ == job.type.encode() for type_ in types)

    async def _lanes_of(self, account: str) -> list[str]:
        names = self._redis.sscan_iter(self._keys.lanes(), match=f"{account}/*")
        try:
            return [name.decode(errors="replace") async for name in names]
        except RedisError as exc:
            raise ledger_error(exc, "the lanes of an account could not be read") from exc

    async def _hash(self, key: str) -> dict[bytes, bytes]:
        try:
            reply = await command(self._redis, "HGETALL", key)
        except RedisError as exc:
            raise ledger_error(exc, "a record could not be read") from exc
        return dict(reply)
