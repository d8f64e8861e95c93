"""
When RADIAN's clock looks and acts: hours, pauses and bounds, as one frozen value given at construction. Pure.

Looks are few: the pauses double while nothing happens, there are none at night, and the longest is shorter than the
shortest term, so that no due date passes between two looks. Whoever asks for looks more often than once an hour gets
them as asked for, day and night: that is somebody who watches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from schemas.factus import BOGOTA
from schemas.radian.calendar import Calendar

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class RadianTimes:
    """
    Hours are Bogotá's; ``rest_*`` is the night without looks, ``emit_*`` when a 034 may go out.

    ``longest_pause_s`` must stay below the 72 hours of the shortest term, less a night. ``confirm_s`` is the first
    pause after a 034, each next one is four times as long. ``unconfirmed_after_s`` counts from the first 034.
    """

    rest_from_hour: int = 20
    rest_until_hour: int = 6
    emit_from_hour: int = 8
    emit_until_hour: int = 18
    due_by_hour: int = 9
    steady_below_s: float = 3600.0
    longest_pause_s: float = 48 * 3600.0
    running_pause_s: float = 24 * 3600.0
    confirm_s: float = 60.0
    resend_after_s: float = 3600.0
    unconfirmed_after_s: float = 24 * 3600.0
    most_sends: int = 3
    late_looks: int = 2
    """Looks for a receipt (032) that Factus shows later than what follows it."""


@dataclass(frozen=True, slots=True)
class RadianPolicy:
    """``interval_s``: the first pause. ``silent_after_s``: from validation on, after which a bill is silent."""

    interval_s: float = 4 * 3600.0
    silent_after_s: float = 10 * 24 * 3600.0
    calendar: Calendar = field(default_factory=Calendar)
    times: RadianTimes = field(default_factory=RadianTimes)

    @property
    def is_steady(self) -> bool:
        """Whether looks come at the interval as it is."""
        return self.interval_s < self.times.steady_below_s

    def pause_ms(self, n_looks: int) -> int:
        """The pause after so many looks that brought nothing."""
        grown = self.interval_s if self.is_steady else self.interval_s * float(2 ** min(n_looks, 16))
        return round(1000 * min(grown, self.times.longest_pause_s))

    @property
    def running_pause_ms(self) -> int:
        """The pause while a term runs."""
        if self.is_steady:
            return round(1000 * self.interval_s)
        return round(1000 * min(max(self.interval_s, self.times.running_pause_s), self.times.longest_pause_s))

    def confirm_pause_ms(self, n_looks: int) -> int:
        """The pause after a 034 has been sent, and so many looks since have not shown it."""
        first_s = min(self.times.confirm_s, self.interval_s)
        return round(1000 * min(first_s * float(4 ** min(n_looks, 8)), self.times.resend_after_s))

    @property
    def silent_after_ms(self) -> int:
        return round(1000 * self.silent_after_s)

    def awake_ms(self, at_ms: int) -> int:
        """The first instant from *at_ms* on at which there are looks."""
        at, times = instant(at_ms), self.times
        if self.is_steady or times.rest_until_hour <= at.hour < times.rest_from_hour:
            return at_ms
        return ms(_next_hour(at, times.rest_until_hour))

    def is_emitting(self, at_ms: int) -> bool:
        """Whether a 034 may go out at that hour."""
        return self.times.emit_from_hour <= instant(at_ms).hour < self.times.emit_until_hour

    def emits_ms(self, at_ms: int) -> int:
        """The first instant from *at_ms* on at which a 034 may go out."""
        return at_ms if self.is_emitting(at_ms) else ms(_next_hour(instant(at_ms), self.times.emit_from_hour))

    def emitting_ends_ms(self, at_ms: int) -> int:
        """The end of the hours in which a 034 may go out that day."""
        midnight = instant(at_ms).replace(hour=0, minute=0, second=0, microsecond=0)
        return ms(midnight + timedelta(hours=self.times.emit_until_hour))


RADIAN: Final = RadianPolicy()


def instant(at_ms: int) -> datetime:
    """Bogotá's time."""
    return datetime.fromtimestamp(at_ms / 1000, BOGOTA)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def rfc3339(at: datetime) -> str:
    return at.astimezone(BOGOTA).isoformat(timespec="seconds")


def _next_hour(at: datetime, hour: int) -> datetime:
    that = at.replace(hour=hour % 24, minute=0, second=0, microsecond=0)
    return that if that >= at else that + timedelta(days=1)
