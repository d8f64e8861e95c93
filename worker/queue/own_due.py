"""
What is due of a sorted set of ``account/job id``, as far as this process serves its account.

Workers of one namespace may serve different accounts. What is due of another account keeps its place: to put it off
would keep it from the worker that serves it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from redis.asyncio import Redis

from schemas.names import account_of

_PAGE: Final = 500
_MOST_PAGES: Final = 20


@dataclass(slots=True)
class OwnDue:
    """
    Reads it a few at a time. Whoever reads takes what he is given out of the set, or puts it off.

    Where nobody serves an account any more, what is due of it stays before all that comes later. A round passes over
    10,000 of those at most, and the next goes on behind them.
    """

    redis: Redis
    key: str
    accounts: Collection[str]
    _n_passed: int = field(default=0, init=False)
    """How many of other accounts stand before the place where the next round begins."""

    async def next(self, now_ms: int, most: int) -> list[bytes]:
        """
        The next members that are due, at most so many.

        Raises:
            RedisError: No answer, or the key holds something else.
        """
        n_due = int(await self.redis.zcount(self.key, "-inf", now_ms))
        own: list[bytes] = []
        for _ in range(_MOST_PAGES):
            begin = self._n_passed + len(own)
            page = await self.redis.zrange(self.key, begin, min(begin + _PAGE, n_due) - 1) if begin < n_due else []
            if not page:
                self._n_passed = 0  # the end: the next round begins at the first again
                break
            for raw in page:
                if len(own) == most:
                    return own
                if self._is_own(raw):
                    own.append(raw)
                else:
                    self._n_passed += 1
        return own

    def _is_own(self, raw: bytes) -> bool:
        return account_of(raw.decode(errors="replace")) in self.accounts
