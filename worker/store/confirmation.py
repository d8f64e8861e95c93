"""
What a replica has confirmed: behind sentinels an answer of the primary alone may be lost with it.

Redis copies to its replicas after it has answered. Where sentinels promote a replica, the last writes of the old
primary are gone, all from one point on. That is harmless for what is done again by itself. It is not where something
follows that cannot be undone: a document that leaves, a promise to a producer. Those wait for ``WAIT``
(docs/decisions/0037).

A primary that has lost all its replicas has nobody to confirm. Where it takes writes all the same
(``min-replicas-to-write 0``), work goes on as long as most of the sentinels hold that very process for the primary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.exceptions import RedisError, ResponseError

_WITHIN_MS: Final = 1000
_IN_DOUBT_MS: Final = 50
_LONGEST_LAG_S: Final = 10
"""A replica that was silent for longer confirms nothing (``min-replicas-max-lag``)."""


class Unconfirmed(ResponseError):
    """
    A write that no replica has confirmed in time. It stands in the primary, and is lost with it.

    Its word is that of a primary whose replicas are gone (``min-replicas-to-write``): the same has happened, and the
    same mends it.
    """


class Confirmation:
    """
    Has writes of one client confirmed by a replica, where sentinels say who the primary is: it may be another tomorrow.

    False for a client of a single server, which asks for nothing.
    """

    def __init__(self, client: Redis) -> None:
        pool = client.connection_pool
        self._pool = pool if isinstance(pool, SentinelConnectionPool) else None
        self.is_in_doubt = False
        """The last write was not confirmed: it is looked whether there is anybody to do so."""

    def __bool__(self) -> bool:
        return self._pool is not None

    def ask(self, pipe: Pipeline) -> int:
        """
        Ask behind the writes that stand in a pipeline, on one connection with them.

        Returns:
            How many answers come of it, behind the others; 0 where nothing is asked.
        """
        if not self:
            return 0
        pipe.execute_command("WAIT", 1, _IN_DOUBT_MS if self.is_in_doubt else _WITHIN_MS)
        if not self.is_in_doubt:
            return 1
        pipe.info("server")
        pipe.info("replication")
        return 3

    async def check(self, answers: Sequence[Any]) -> None:
        """
        Look at what came of :meth:`ask`.

        Raises:
            Unconfirmed: No replica has it, and it is not so that there is none.
            RedisError: As Redis answered: the user may not ask (``deploy/users.acl``).
        """
        if not answers:
            return
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        n_confirming, *facts = answers
        if n_confirming:
            self.is_in_doubt = False
        elif not facts:
            self.is_in_doubt = True  # the next one looks closer
            raise Unconfirmed(f"NOREPLICAS no replica has confirmed the write within {_WITHIN_MS} ms")
        elif _n_following(facts[1]):
            self.is_in_doubt = False
            raise Unconfirmed(f"NOREPLICAS no replica has confirmed the write within {_IN_DOUBT_MS} ms")
        elif not await self._is_primary(facts[0]["run_id"]):
            raise Unconfirmed("NOREPLICAS the server has no replica, and the sentinels do not hold it for the primary")

    async def _is_primary(self, run_id: str) -> bool:
        """Whether most of the sentinels hold a process for the primary, and for one that lives."""
        assert self._pool
        manager, service = self._pool.sentinel_manager, self._pool.service_name
        n_agreeing = sum([await _holds(manager, one, service, run_id) for one in manager.sentinels])
        return n_agreeing > len(manager.sentinels) // 2


async def _holds(manager: Sentinel, sentinel: Redis, service: str, run_id: str) -> bool:
    try:
        masters: dict[str, Any] = await sentinel.sentinel_masters()  # type: ignore[no-untyped-call]  # redis-py 5
        state = masters.get(service)
    except (RedisError, OSError):
        return False
    return state is not None and manager.check_master_state(state, service) and bool(state["runid"] == run_id)


def _n_following(facts: dict[str, Any]) -> int:
    """How many replicas a server has that follow it now, by its own word."""
    replicas = [value for name, value in facts.items() if name.startswith("slave") and isinstance(value, dict)]
    return sum(one["state"] == "online" and one["lag"] <= _LONGEST_LAG_S for one in replicas)
