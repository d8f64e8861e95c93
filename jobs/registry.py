"""
Which job types exist, by name, and what follows from their names: the lane, its width and its precedence.

Lanes are named ``{account}/{family}`` (issuing, one at a time, because Factus answers 409 while one document of a
family is not validated), ``{account}/calls`` (all else, behind issuing) or ``{account}/control``
(what acts on the ledger alone).
"""

from __future__ import annotations

from typing import Final

from jobs import follow_ups
from jobs.account_types import ACCOUNT_TYPES
from jobs.calls import unchanged
from jobs.document_types import DOCUMENT_TYPES
from jobs.families import FAMILIES
from jobs.job_type import JobType, LedgerType
from jobs.radian.watch import track
from schemas.names import ARCHIVE, TRACK, is_calls_lane, is_issuing_lane, job_type_of

ISSUING_WIDTH: Final = 1

JOB_TYPES: Final[dict[str, JobType]] = {row.name: row for row in (*DOCUMENT_TYPES, *ACCOUNT_TYPES)}
"""What can be pushed."""

FOLLOW_UPS: Final = {
    job_type_of(family, verb): LedgerType(name=job_type_of(family, verb), work=work, late=late)
    for family in FAMILIES
    for verb, work, late in (
        (ARCHIVE, follow_ups.archive, follow_ups.archive_late),
        (TRACK, track, unchanged),
    )
}
"""What the service starts itself after a document is validated."""


def type_of(name: str) -> LedgerType:
    """
    The row of a job in the ledger.

    Raises:
        KeyError: Written by a version that knew more types.
    """
    return JOB_TYPES.get(name) or FOLLOW_UPS[name]


def lanes_with_precedence(lane: str) -> str:
    """The families, with commas between, whose issuing goes before the jobs of a lane; empty for one that issues."""
    return ",".join(FAMILIES) if is_calls_lane(lane) else ""


def max_in_flight(lane: str, concurrency: int, lane_width: int = ISSUING_WIDTH) -> int:
    """
    How many jobs of a lane may be under way at once.

    Args:
        concurrency: Of the account's calls.
        lane_width: Of each family that issues; fewer while Factus takes only one (``lib/width.lua``).
    """
    if is_calls_lane(lane):
        return concurrency
    return lane_width if is_issuing_lane(lane) else ISSUING_WIDTH
