"""
Metrics and health of one process: ``/metrics``, ``/healthz`` and ``/readyz`` on ``FACTUS_METRICS_PORT``.

On a connection of its own, on which an answer takes three seconds at most: neither does a scrape stand behind the
work, nor the work behind a scrape.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from jobs.errors import ConfigurationError
from worker.figures import Figures
from worker.metrics.listener import Reply, listening
from worker.metrics.reader import ScrapeReader
from worker.metrics.snapshot import Snapshot
from worker.settings.account import Account
from worker.settings.model import Settings
from worker.store import connection
from worker.store.keys import Keys
from worker.version import VERSION

_FRESH_S: Final = 1.0
"""For so long a scrape is answered with what the one before has read: several who ask are one for Redis."""

Worker = Callable[[], tuple[Figures, int, int]]
"""The figures of a worker process, how many jobs run in it, and how many may."""


class Endpoint:
    """What is answered; where, is the matter of :func:`serving`."""

    def __init__(self, reader: ScrapeReader, worker: Worker | None = None, *, accounts: bool = True) -> None:
        self._reader = reader
        self._worker = worker
        self._accounts = accounts
        self._reading = asyncio.Lock()
        self._seen: tuple[float, Snapshot] | None = None

    async def metrics(self, fields: Mapping[str, str]) -> Reply:
        # Here, because a process without a port for metrics does not need the library.
        from worker.metrics.exposition import Scrape, text_of

        seen = await self._snapshot()
        scrape = Scrape(seen, VERSION, self._worker() if self._worker else None, accounts=self._accounts)
        # Elsewhere: of a thousand accounts it takes 30 ms, in which the loop would stand still.
        body, content_type = await asyncio.to_thread(text_of, scrape, fields.get("accept", ""))
        return Reply(200, body, content_type)

    async def healthy(self, _fields: Mapping[str, str]) -> Reply:
        """The process answers: its loop goes round."""
        return Reply(200, b"ok\n")

    async def ready(self, _fields: Mapping[str, str]) -> Reply:
        """
        Redis can be written and somebody reads the intake. That Factus is down is no reason: to restart the fleet would
        not help it.
        """
        seen = await self._reader.ready()
        if seen.redis_fault:
            return Reply(503, f"{seen.redis_fault}: {seen.redis_words}\n".encode())
        if not seen.has_leader:
            return Reply(503, b"intake: no worker reads the jobs\n")
        return Reply(200, b"ok\n")

    async def _snapshot(self) -> Snapshot:
        async with self._reading:
            now = time.monotonic()
            if self._seen is None or now - self._seen[0] > _FRESH_S:
                self._seen = time.monotonic(), await self._reader.read()
            return self._seen[1]


@asynccontextmanager
async def serving(
    settings: Settings, redis_url: str, process_id: str, worker: Worker | None = None
) -> AsyncIterator[int | None]:
    """
    Answer while the block lasts, where a port is set.

    Args:
        worker: Of a worker process; others have none of its figures.

    Yields:
        The port; None where none is set, or it is taken.
    """
    if settings.metrics_port is None:
        yield None
        return
    redis = connection.connect(redis_url, impatient=True, timed=False)
    reader = ScrapeReader(
        redis,
        Keys(settings.namespace),
        _accounts(settings),
        f"metrics:{process_id}",
        results_maxlen=settings.results_maxlen,
    )
    endpoint = Endpoint(reader, worker, accounts=settings.metrics_accounts)
    routes = {"/metrics": endpoint.metrics, "/healthz": endpoint.healthy, "/readyz": endpoint.ready}
    try:
        async with listening(settings.metrics_host, settings.metrics_port, routes) as port:
            yield port
    finally:
        await connection.close(redis)


def _accounts(settings: Settings) -> dict[str, Account]:
    """Those that are configured here: a process that only delivers need not have any."""
    try:
        return settings.accounts()
    except ConfigurationError:
        return {}
