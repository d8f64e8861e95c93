"""
Jobs that may not change the same thing at once, one behind the other: the port ``ChangeLock`` on Redis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from redis.exceptions import RedisError

from jobs.ports import LockState
from schemas.records import JobRecord
from worker.queue.ledger_errors import lease_lost, ledger_error
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

_DAY_MS: Final = 86_400_000


class ChangeLocks:
    """The port ``ChangeLock``. A queue lives a day longer than its jobs are tried (*deadline_ms*)."""

    def __init__(self, scripts: Scripts, keys: Keys, deadline_ms: int) -> None:
        self._scripts = scripts
        self._keys = keys
        self._deadline_ms = deadline_ms

    async def acquire_change_lock(self, job: JobRecord, thing: str) -> LockState:
        """
        Whether a job may change something of its account at Factus now: once those that came before it are final.

        Raises:
            LeaseLost: The job is another worker's by now.
        """
        return await self._acquire(job, {"waiters": self._keys.changes(job.account, thing)})

    async def acquire_removal_lock(self, job: JobRecord, reference_code: str) -> LockState:
        """
        The same for what bears a reference code; ``issuing`` while an attempt to issue that document is under way.

        A job that waits to issue it looks at Factus before it sends, and waits until the removal is over.

        Raises:
            LeaseLost: As :meth:`acquire_change_lock`.
        """
        document = self._keys.document(job.account, job.family, reference_code)
        return await self._acquire(job, {"waiters": self._keys.removals(document), "document": document})

    async def _acquire(self, job: JobRecord, lock: Mapping[str, str]) -> LockState:
        args: ScriptArgs = {
            "fence": job.fence,
            "id": job.id,
            "job_prefix": self._keys.job(job.account, ""),
            "keep_ms": self._deadline_ms + _DAY_MS,
        }
        try:
            word = await self._scripts.run(
                "acquire_change_lock", {"job": self._keys.job(job.account, job.id), **lock}, args
            )
        except RedisError as exc:
            raise ledger_error(exc, "a job could not acquire a change lock") from exc
        match word:
            case b"held":
                return "held"
            case b"issuing":
                return "issuing"
            case b"queued":
                return "queued"
            case _:
                raise lease_lost(job)
