"""
How long the ledger keeps what it has, and how long jobs are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.records import JobRecord

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """How long final records are kept, days, and how many entries a result stream has at most."""

    retention_days: int
    results_maxlen: int
    deadline_ms: int = 0
    """How long a job is tried."""
    radian_interval_ms: int = 0

    @property
    def retention_ms(self) -> int:
        return self.retention_days * _DAY_MS

    def follow_up_ms(self, job: JobRecord) -> tuple[int, int]:
        """When a job that follows a document begins, and how long it is tried; ms from its final event."""
        if job.is_tracking:
            # As long as the document is remembered: what happens to it later, nobody could tell apart from news.
            return self.radian_interval_ms, self.retention_ms
        return 0, self.deadline_ms
