"""
The course of a lane: how many of its jobs will have started by when.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Course:
    """
    Instants (ms) with the number of jobs that have started by then; both never fall. Straight lines lie between.

    ``done_ms`` is when the last of them is done; None where nothing waits. ``pace_per_minute`` is how fast the lane
    goes, or would, with what now shares its allowance.
    """

    points: tuple[tuple[float, float], ...]
    pace_per_minute: float
    done_ms: float | None = None
    service_ms: float = 0.0

    @property
    def n_all(self) -> float:
        """How many start at all: what waits, and what is delayed."""
        return self.points[-1][1] if self.points else 0.0

    def started_by(self, at_ms: float) -> float:
        """How many have started by an instant; before the first point none."""
        place = bisect_left(self.points, at_ms, key=lambda point: point[0])
        if place == len(self.points):
            return self.n_all
        if place == 0:
            return self.points[0][1] if self.points[0][0] == at_ms else 0.0
        (before_ms, n_before), (after_ms, n_after) = self.points[place - 1], self.points[place]
        return n_before + (n_after - n_before) * (at_ms - before_ms) / (after_ms - before_ms)

    def done_with(self, n: float) -> float | None:
        """When the first *n* will be done (ms); None where fewer start at all."""
        if not self.points or n > self.n_all + 0.5:
            return None
        place = bisect_left(self.points, n, key=lambda point: point[1])
        if place == len(self.points):
            return self.points[-1][0] + self.service_ms
        if place == 0:
            return self.points[0][0] + self.service_ms
        (before_ms, n_before), (after_ms, n_after) = self.points[place - 1], self.points[place]
        share = (n - n_before) / (n_after - n_before)
        return before_ms + (after_ms - before_ms) * share + self.service_ms
