"""
How quickly jobs end while they are waited for, and how many still wait: the words beside the bar.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from worker.speech import Speech, span

_WINDOW_S: Final = 60.0
_LEAST_S: Final = 2.0


@dataclass(slots=True)
class Pace:
    """How quickly jobs end, by what the last minute has seen."""

    clock: Callable[[], float] = monotonic
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, n_final: int) -> None:
        """Enter how many have ended by now."""
        now = self.clock()
        self._seen.append((now, n_final))
        while len(self._seen) > 2 and now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()

    @property
    def per_minute(self) -> float:
        """Zero until it can be told."""
        if not self._seen or self.clock() - self._seen[0][0] < _LEAST_S:
            return 0.0
        (began, first), (_, last) = self._seen[0], self._seen[-1]
        return 60.0 * (last - first) / (self.clock() - began)

    def left_s(self, n_waiting: int) -> float | None:
        """Seconds until all have ended, at this pace; None while nobody knows."""
        pace = self.per_minute
        return 60.0 * n_waiting / pace if pace > 0 else None


def pace_words(n_waiting: int, pace: Pace, speech: Speech, *, is_left_told: bool = False) -> str:
    """``180 en espera · 62 por minuto · faltan unos 3 min``; empty where nothing waits."""
    if not n_waiting:
        return ""
    parts = [f"{speech.count(n_waiting)} {speech.say('en espera', 'waiting')}"]
    if pace.per_minute:
        parts.append(f"{speech.count(round(pace.per_minute))} {speech.say('por minuto', 'a minute')}")
        left = pace.left_s(n_waiting)
        if left is not None and not is_left_told:
            parts.append(speech.say(f"faltan unos {span(left)}", f"about {span(left)} left"))
    return " · ".join(parts)
