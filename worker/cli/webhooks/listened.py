"""
The streams that ``webhooks listen`` reads, and from where in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from redis.asyncio import Redis

from worker.cli.results.reader import before
from worker.store.keys import Keys
from worker.webhooks.streams import event_streams, facts_of

_LOOK_EVERY_S: Final = 2.0


class Listened:
    """Streams come up while somebody listens: an account with its own has none until it publishes something."""

    def __init__(
        self, redis: Redis, keys: Keys, own_streams: Iterable[str], *, clock: Callable[[], float] = monotonic
    ) -> None:
        """
        Args:
            own_streams: Accounts that are known to have their own, beside those that Redis tells of.
        """
        self.places: dict[str, str] = {}
        """The last entry seen of each stream; whoever reads moves it."""
        self._redis = redis
        self._keys = keys
        self._own = frozenset(own_streams)
        self._clock = clock
        self._looked_at = 0.0
        self._later = ""

    async def begin(self) -> None:
        """Stand behind what is there now."""
        seconds, micros = await self._redis.time()
        self._later = before(f"{int(seconds) * 1000 + int(micros) // 1000}-0")
        for stream in await self._streams():
            facts = await facts_of(self._redis, stream)
            self.places[stream] = facts.last_id if facts else self._later

    async def look(self) -> None:
        """Take up streams that have come, from when this began. Now and then: it is asked before each reading."""
        if self._clock() - self._looked_at >= _LOOK_EVERY_S:
            for stream in await self._streams():
                self.places.setdefault(stream, self._later)

    async def _streams(self) -> list[str]:
        found = await event_streams(self._redis, self._keys, self._own)
        self._looked_at = self._clock()
        return found
