"""
How long the event loop is held: by work without a pause, or by a call that blocks.

While it is held no lease is renewed, no answer read and no lead kept. A beat in the loop says how late it comes; a
thread beside it looks, while the beat is missing, at what the loop is doing just then.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Final, Self

import structlog

from worker.uncaught import place_of

log = structlog.get_logger()

LIMIT_MS: Final = 250.0
_BEAT_S: Final = 0.05
_LOOK_S: Final = 0.05
_MOST_PLACES: Final = 12


@dataclass(slots=True)
class Holds:
    """
    How often the loop was held for longer than the limit, and the longest time, ms.

    ``longest_busy_ms`` is the most processor time between two beats, ms, not always that of the longest hold: less than
    the other where the loop waited for a call that blocks, or the process for a processor.
    """

    n: int = 0
    longest_ms: float = 0.0
    longest_busy_ms: float = 0.0


@dataclass(slots=True)
class Watchdog:
    """Watches the loop in which it is entered, until it is left."""

    limit_ms: float = LIMIT_MS
    holds: Holds = field(default_factory=Holds)
    _loop: asyncio.AbstractEventLoop = field(init=False)
    _handle: asyncio.TimerHandle | None = field(default=None, init=False)
    _beat: tuple[float, float] = field(default=(0.0, 0.0), init=False)
    _places: list[str] = field(default_factory=list, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._beat = time.monotonic(), time.thread_time()
        self._handle = self._loop.call_later(_BEAT_S, self._beats)
        self._thread = threading.Thread(target=self._look, args=(threading.get_ident(),), name="watchdog", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._handle:
            self._handle.cancel()
        if self._thread:
            await asyncio.to_thread(self._thread.join)

    def _beats(self) -> None:
        """In the loop: how late is this beat?"""
        now, busy = time.monotonic(), time.thread_time()
        held_ms = (now - self._beat[0] - _BEAT_S) * 1000
        busy_ms = (busy - self._beat[1]) * 1000
        if held_ms > self.limit_ms:
            self.holds.n += 1
            log.warning("loop.held", duration_ms=round(held_ms, 1), busy_ms=round(busy_ms, 1), places=self._places)
        self.holds.longest_ms = max(self.holds.longest_ms, held_ms)
        self.holds.longest_busy_ms = max(self.holds.longest_busy_ms, min(busy_ms, held_ms))
        self._places = []
        self._beat = now, busy
        self._handle = self._loop.call_later(_BEAT_S, self._beats)

    def _look(self, watched: int) -> None:
        """In the thread: while the beat is missing, where does the loop stand?"""
        while not self._stopped.wait(_LOOK_S):
            if (time.monotonic() - self._beat[0] - _BEAT_S) * 1000 > self.limit_ms and not self._places:
                self._places = _places(sys._current_frames().get(watched))


def _places(frame: FrameType | None) -> list[str]:
    """Files, lines and functions of a stack, the innermost last; no values."""
    stack = traceback.extract_stack(frame) if frame else []
    return [place_of(one) for one in stack[-_MOST_PLACES:]]
