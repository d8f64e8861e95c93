"""
The other living workers, as far as the intake has to know of them: which accounts each serves.

Workers of one namespace normally have one configuration. Where they have not (an upgrade, a company moved to another
host), a job is left to whoever can serve it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis

from worker.store.keys import Keys

ALIVE_MS: Final = 10_000
"""How old the last heartbeat of a living worker may be."""

_REMEMBERED_MS: Final = 86_400_000


@dataclass(slots=True)
class Peers:
    """What the last look has found; empty before it."""

    redis: Redis
    keys: Keys
    worker_id: str
    accounts: Collection[str]
    _served: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    _elsewhere: frozenset[str] = field(default_factory=frozenset, init=False)
    _served_at: dict[str, int] = field(default_factory=dict, init=False)

    async def look(self) -> None:
        """
        Read the heartbeats of the others.

        Raises:
            RedisError: No answer.
        """
        seconds, micros = await self.redis.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        ids = await self.redis.zrangebyscore(self.keys.workers(), now_ms - ALIVE_MS, "+inf")
        others = [found.decode(errors="replace") for found in ids]
        others = [other for other in others if other != self.worker_id]
        async with self.redis.pipeline(transaction=False) as pipe:
            for other in others:
                pipe.hget(self.keys.worker(other), "accounts")
            served = await pipe.execute() if others else []
        self._served = {
            other: frozenset(names.decode(errors="replace").split(","))
            for other, names in zip(others, served, strict=True)
            if names
        }
        self._elsewhere = frozenset().union(*self._served.values()) - frozenset(self.accounts)
        await self._remember(now_ms)

    async def _remember(self, now_ms: int) -> None:
        names = {*self.accounts, *self.elsewhere()}
        key = self.keys.served_accounts()
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.zadd(key, dict.fromkeys(names, now_ms))
            pipe.zremrangebyscore(key, "-inf", now_ms - _REMEMBERED_MS)
            pipe.zrange(key, 0, -1, withscores=True)
            *_, rows = await pipe.execute()
        self._served_at = {name.decode(errors="replace"): int(at_ms) for name, at_ms in rows}

    def elsewhere(self) -> frozenset[str]:
        """Accounts that other living workers serve and this one does not."""
        return self._elsewhere

    def has_served(self, account: str) -> bool:
        """Whether some worker has served an account during the last day."""
        return account in self._served_at

    def forsaken(self) -> frozenset[str]:
        """Accounts that were served during the last day, and that no living worker serves."""
        return frozenset(self._served_at) - self._elsewhere - frozenset(self.accounts)

    def next_leader(self) -> str | None:
        """The worker that leads after this one; None where nobody serves an account that this one lacks."""
        able = sorted(other for other, names in self._served.items() if names - frozenset(self.accounts))
        if not able:
            return None
        return next((other for other in able if other > self.worker_id), able[0])
