"""
When a delivery is tried again, and when an endpoint is given up: the times of Standard Webhooks 1.0.0.

Pure: clock and random source are arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0

STEPS_S: Final = (
    5.0, 5 * _MINUTE_S, 30 * _MINUTE_S, 2 * _HOUR_S, 5 * _HOUR_S, 10 * _HOUR_S, 14 * _HOUR_S, 20 * _HOUR_S,
    24 * _HOUR_S,
)  # fmt: skip
"""The pauses between the ten attempts of a delivery, seconds."""

_SPREAD: Final = 0.2
_MOST_OF_A_STEP: Final = 2.0


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """The times of every delivery, seconds."""

    steps_s: tuple[float, ...] = STEPS_S
    disable_after_s: float = 120 * _HOUR_S
    """After so long without one success an endpoint is disabled."""

    told_at: int = 4
    """The failure of a delivery with which ``webhook.failing`` is published."""

    def delay_s(self, n_failures: int, retry_after_s: float | None, draw: Callable[[], float]) -> float | None:
        """
        The pause after so many failures of a delivery (1 and more); None when it has had its last attempt.

        A step is spread by a fifth to either side. What the endpoint asks for is heeded between one and two times the
        step, and spread upwards only: nobody who asks for a pause is asked before it is over.

        Args:
            draw: Uniform in [0, 1).
        """
        if n_failures > len(self.steps_s):
            return None
        step_s = self.steps_s[n_failures - 1]
        if retry_after_s is None:
            return step_s * (1 + _SPREAD * (2 * draw() - 1))
        asked_s = min(max(retry_after_s, step_s), _MOST_OF_A_STEP * step_s)
        return min(asked_s * (1 + _SPREAD * draw()), _MOST_OF_A_STEP * step_s)

    def gives_up_endpoint(self, failing_since_ms: int, now_ms: int) -> bool:
        """Whether an endpoint that has only failed since then (0: since this failure) is disabled."""
        return failing_since_ms > 0 and now_ms - failing_since_ms >= self.disable_after_s * 1000
