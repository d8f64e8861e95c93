"""
How long to wait before a document is tried or asked for again. Pure: the random source is an argument.

Full jitter (uniform between zero and the planned delay) spreads a thundering herd best; a floor of half the delay
keeps a single document from hammering, so the draw is uniform in [delay/2, delay].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MAX_DOUBLINGS: Final = 64


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """First and longest pause, seconds, 0 < base_s <= max_s."""

    base_s: float
    max_s: float

    def delay_s(self, n_failures: int) -> float:
        """Planned pause after *n_failures* (1-based) in a row: base, 2 base, 4 base ... at most max."""
        doublings = min(max(n_failures, 1) - 1, _MAX_DOUBLINGS)
        return min(self.base_s * 2.0**doublings, self.max_s)

    def jittered_s(self, n_failures: int, draw: Callable[[], float]) -> float:
        """The pause to take: the planned one, spread by *draw* (uniform in [0, 1)) over its upper half."""
        delay_s = self.delay_s(n_failures)
        return delay_s * (0.5 + 0.5 * draw())
