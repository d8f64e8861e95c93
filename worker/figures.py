"""
What one process counts of itself: calls to Factus, how long they took, and what had to be mended.

Plain numbers that only grow; whoever shows them (``worker/metrics/``) reads them. They are counted at the edge, where a
call or a repair happens, and die with the process: what must be exact stands in Redis (``Keys.counts``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

Operation = Literal["create", "look", "delete", "call", "token"]
"""What was asked of Factus: to issue, what it has of a document, to remove one, anything else, an access token."""

Outcome = Literal["ok", "refused", "lost"]
"""2xx; any other answer below 500; no answer, or one that does not say whether it was done."""

OPERATIONS: Final[tuple[Operation, ...]] = ("create", "look", "delete", "call", "token")
OUTCOMES: Final[tuple[Outcome, ...]] = ("ok", "refused", "lost")
CAUSES: Final[tuple[Operation, ...]] = ("create", "delete", "call")
"""Of a conflict (409): what Factus refused because of another document, or another change, under way."""

BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)


@dataclass(slots=True)
class Durations:
    """A histogram. ``counts`` has one place for each of BUCKETS_S, and one for what took longer."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


@dataclass(slots=True)
class Figures:
    """The counts of one process."""

    calls: Counter[tuple[Operation, Outcome]] = field(default_factory=Counter)
    durations: dict[Operation, Durations] = field(default_factory=dict)
    conflicts: Counter[str] = field(default_factory=Counter)
    n_throttled: int = 0
    n_repairs: int = 0

    def called(self, operation: Operation, status: int | None, seconds: float) -> None:
        """
        One call to Factus has come to an end.

        Args:
            status: Of its answer; None where none came.
        """
        self.calls[operation, _outcome(status)] += 1
        self.durations.setdefault(operation, Durations()).add(seconds)
        if status == 429:
            self.n_throttled += 1
        elif status == 409 and operation in CAUSES:
            self.conflicts[operation] += 1


def _outcome(status: int | None) -> Outcome:
    if status is None or status >= 500:
        return "lost"
    return "ok" if 200 <= status < 300 else "refused"
