"""
How final events are counted: one number for each job type and outcome, exactly as many as there are final events.

Pure. The counting itself is part of the scripts that publish (``worker/store/lua/lib/events.lua``), so a count is
never behind its event, and never ahead of it.
"""

from __future__ import annotations

from typing import Final

from jobs.registry import JOB_TYPES
from schemas.contract.event import Event
from schemas.names import ending_of

OUTCOMES: Final = ("validated", "completed", "rejected", "failed", "refused")
"""How a job ends: the last word of its final event's type."""

UNKNOWN: Final = "unknown"
"""In place of the type of a refused job that names none that there is: what producers write is no name of a count."""


def count_field(event: Event) -> str:
    """
    The name under which an event is counted, ``invoice.issue/validated``; empty for one that is not final.

    A job has one final event. What comes before it or after it (``pending``, ``archived``, RADIAN) and what is told to
    operators counts nowhere.
    """
    outcome = ending_of(event.type)
    if event.job_id is None or outcome not in OUTCOMES:
        return ""
    return f"{event.job_type if event.job_type in JOB_TYPES else UNKNOWN}/{outcome}"


def read_field(field: str) -> tuple[str, str] | None:
    """Job type and outcome of a name; None for what no version of ours has written."""
    job_type, _, outcome = field.partition("/")
    if outcome not in OUTCOMES or (job_type not in JOB_TYPES and job_type != UNKNOWN):
        return None
    return job_type, outcome
