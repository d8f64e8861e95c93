"""
Keeps the embedded server alive while a worker works on it.

A server that ended (killed, out of memory, its disk full) is started again with its data, by whichever worker of the
folder comes first. One that cannot be started, or ends again at once, ends the worker with the reason: to go on without
it would be to go on in silence.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog

from jobs.errors import ConfigurationError, ServiceError
from worker.store import embedded_folder, embedded_server
from worker.store.embedded_server import EmbeddedServer

log = structlog.get_logger()

LOOK_S: Final = 0.5
_SOON_S: Final = 30.0
_MOST_SOON: Final = 3
"""So many ends within half a minute are no accident: a full disk ends a server at its first write, each time."""


class ServerGone(ServiceError):
    """The embedded server has ended and cannot be had again. The message says why, in one line."""


class Keeper:
    """Watches one embedded server; ``server`` is the one that lives."""

    def __init__(self, server: EmbeddedServer, *, look_s: float = LOOK_S) -> None:
        self.server = server
        self._look_s = look_s
        self._ended_at: list[float] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """
        Watch until *stopping*.

        Raises:
            ServerGone: See there.
        """
        while not stopping.is_set():
            try:
                if await asyncio.to_thread(embedded_server.has_ended, self.server):
                    await self._revive()
            except ConfigurationError as exc:
                raise ServerGone(str(exc)) from exc
            try:
                await asyncio.wait_for(stopping.wait(), self._look_s)
            except TimeoutError:
                continue

    async def _revive(self) -> None:
        reason = embedded_server.last_words(self.server)
        now = time.monotonic()
        self._ended_at = [at for at in self._ended_at if at > now - _SOON_S] + [now]
        log.error("redis.ended", reason=reason)
        if trouble := embedded_folder.disk_trouble(self.server.folder):
            # It would end again at its first write, after it has loaded all of its data.
            raise ServerGone(f"The embedded server in {self.server.folder} has ended, {trouble}: {reason}")
        if len(self._ended_at) > _MOST_SOON:
            raise ServerGone(f"The embedded server in {self.server.folder} ends again and again: {reason}")
        starting = asyncio.ensure_future(asyncio.to_thread(embedded_server.start_again, self.server))
        try:
            self.server = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A thread cannot be stopped halfway: left alone it would launch a server that nobody leaves in order.
            self.server = await starting
            raise
        log.warning("redis.started_again", pid=self.server.pid)
