"""
After a failover: connections to the server that was the primary are dropped, so that what waits on them goes on.

redis-py asks the sentinels at each new connection, and keeps one that it has. Where the old primary is silent instead
of dead (its host stands still, its network is cut) a command would wait there for its time-out, a blocking read for
half a minute, and a subscription for ever. Where it wakes up it may hold itself for the primary still.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger()

_ONCE: Final = Retry(NoBackoff(), 0)

LOOK_S: Final = 1.0
"""How often the sentinels are asked."""

_CANCEL_AGAIN_S: Final = 0.05

Address = tuple[str, int]


def asking_each_time(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """
    The same connection through sentinels, which are asked before each try to connect.

    redis-py asks once, and then tries the same address for as long as it has patience, while all others wait for the
    pool: five seconds, however soon there is a new primary.
    """

    class AskingConnection(kind):  # type: ignore[misc, valid-type]  # the class depends on the URL's options
        async def connect_to(self, address: Address) -> None:
            patient: Retry = self.retry
            self.retry: Retry = _ONCE
            try:
                await super().connect_to(address)
            finally:
                self.retry = patient

    return AskingConnection


@asynccontextmanager
async def following(*clients: Redis, every_s: float = LOOK_S) -> AsyncIterator[None]:
    """Follow the primary with these clients while the block lasts; those of a single server need nothing."""
    pools = [client.connection_pool for client in clients]
    managed = [pool for pool in pools if isinstance(pool, SentinelConnectionPool)]
    if not managed:
        yield
        return
    task = asyncio.create_task(_follow(managed, every_s), name="failover")
    try:
        yield
    finally:
        # Until it has ended: redis-py sends through asyncio.wait_for, which can swallow one on Python 3.11.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)


async def _follow(pools: list[SentinelConnectionPool], every_s: float) -> None:
    sentinel, service = pools[0].sentinel_manager, pools[0].service_name
    known: Address | None = None
    former: Address | None = None
    while True:
        try:
            primary = await sentinel.discover_master(service)
        except (RedisError, OSError):
            primary = known  # none is known now: what is connected stays so
        if known and primary != known:
            former = known
            log.warning("redis.failed_over")
        known = primary
        # Again and again: a sentinel that does not know yet may have sent somebody there since.
        for pool in pools if former else ():
            _drop(pool, former)
        await asyncio.sleep(every_s)


def _drop(pool: SentinelConnectionPool, former: Address | None) -> None:
    """End what is connected to the former primary: whoever waits there has an error, and connects anew."""
    connections: list[AbstractConnection] = [*pool._available_connections, *pool._in_use_connections]  # no public way
    for one in connections:
        # Not closed: that waits until a silent server has taken what was to be sent.
        if one._writer and (one.host, one.port) == former:  # type: ignore[attr-defined]  # set when it connects
            one._writer.transport.abort()
