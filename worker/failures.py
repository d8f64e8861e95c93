"""
What has failed in the loops of a process: since it started, and of late. Only the latter is a reason to look.

A failure long ago says nothing of how things are: Redis was away and is back, and a process runs for months.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

LATELY_S: Final = 600.0
"""What failed within so long is told."""

_STEP_S: Final = 10.0
"""Failures are kept together by so much: sixty counts for each task, however many fail."""


class Failures:
    """Counts by task (``sweep``, ``intake`` ...)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: deque[tuple[int, Counter[str]]] = deque()
        self._since = 0.0
        self.total: Counter[str] = Counter()

    def note(self, task: str) -> None:
        """Something has failed in a task."""
        self._forget()
        step = int(self._clock() // _STEP_S)
        if not self._steps:
            self._since = self._clock()
        if not self._steps or self._steps[-1][0] != step:
            self._steps.append((step, Counter()))
        self._steps[-1][1][task] += 1
        self.total[task] += 1

    def lately(self) -> Counter[str]:
        """What has failed within the last ten minutes; each is told for ten minutes at least."""
        self._forget()
        return sum((counts for _, counts in self._steps), Counter())

    def for_s(self) -> float:
        """Since when something has failed, without ten minutes in which nothing did; seconds, 0 where nothing does."""
        self._forget()
        return self._clock() - self._since if self._steps else 0.0

    def told(self, now_ms: int) -> dict[str, str | int]:
        """As a heartbeat has it: ``failed`` and ``failed_lately`` (``sweep=2,take=1``), and ``failing_since``."""
        lately = self.lately()
        return {
            "failed": _by_task(self.total),
            "failed_lately": _by_task(lately),
            "failing_since": now_ms - round(self.for_s() * 1000) if lately else 0,
        }

    def _forget(self) -> None:
        oldest = self._clock() - LATELY_S
        while self._steps and (self._steps[0][0] + 1) * _STEP_S < oldest:
            self._steps.popleft()


def _by_task(counts: Counter[str]) -> str:
    return ",".join(f"{task}={n}" for task, n in sorted(counts.items()))
