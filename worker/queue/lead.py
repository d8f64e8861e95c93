"""
The lead of a task that one worker at a time does, by a lease in Redis.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis.exceptions import RedisError

from worker.guard import log_unavailable
from worker.store.scripts import ScriptArgs, Scripts


@dataclass(frozen=True, slots=True)
class Lead:
    """One process's part in it."""

    scripts: Scripts
    key: str
    worker_id: str
    lease_ms: int

    async def keep(self) -> bool:
        """
        Take the lead, or keep it; whether it is ours.

        Raises:
            RedisError: No answer.
        """
        args: ScriptArgs = {"worker": self.worker_id, "lease_ms": self.lease_ms}
        return bool(await self.scripts.run("acquire_leadership", {"leader": self.key}, args))

    async def give_back(self, task: str) -> None:
        """At the end: another worker, or this one started again, need not wait for the lease to end by itself."""
        try:
            await self.scripts.run("release_leadership", {"leader": self.key}, {"worker": self.worker_id})
        except RedisError as exc:
            log_unavailable(task, exc, level="debug")
