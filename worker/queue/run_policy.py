"""
What follows a run that ends without an end of its own, and a defect of ours.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jobs.backoff import BackoffPolicy
from worker.queue.claims import ClaimedJob


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """
    The pauses of runs that end without an end of their own, and of what follows a defect of ours.

    ``most_defects``: attempts in a row that may end in a defect; the last of them ends the job.
    """

    ledger_pause_s: float = 0.5
    unknown_account_pause_s: float = 1.0
    most_defects: int = 5


RUN: Final = RunPolicy()


@dataclass(frozen=True, slots=True)
class DefectRule:
    """When a job that ends in defects ends for good, and how long it pauses until then."""

    policy: RunPolicy
    backoff: BackoffPolicy
    draw: Callable[[], float] = random.random

    def is_spent(self, claimed: ClaimedJob, n_defects: int) -> bool:
        """Whether a job that ends in defects ends for good: by the deadline, or sooner when it goes on like that."""
        # A watch over RADIAN events has no final event: to end it would be silent.
        is_often = n_defects >= self.policy.most_defects and not claimed.job.is_tracking
        return is_often or claimed.standing.now_ms >= claimed.job.deadline_at

    def pause_s(self, n_defects: int) -> float:
        """Until the job is tried again, seconds."""
        return self.backoff.jittered_s(n_defects + 1, self.draw)
