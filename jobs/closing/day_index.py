"""
What the ledger notes of a job's end, for whoever closes its day: which jobs, and under which name.

A job of the ledger is noted by its id. A refusal that used up no id has no record: what a certificate tells of it is
noted itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jobs.families import FAMILIES
from schemas import names, strict_json
from schemas.contract.event import ErrorDetail

REFUSAL: Final = "!"
"""Begins what is noted of a refusal without a record; no job id can."""

_DELETE: Final = "delete"
_LONGEST_REASON: Final = 300


def member_of(job_type: str, job_id: str) -> str:
    """Under which name the end of a job is noted; empty for one that neither issues nor removes a document."""
    is_noted = names.issues(job_type) or (names.verb_of(job_type) == _DELETE and _family(job_type) in FAMILIES)
    return job_id if is_noted and _family(job_type) in FAMILIES else ""


def refusal_of(job_type: str, job_id: str, reference_code: str | None, error: ErrorDetail) -> str:
    """What is noted of a refusal that has no record; empty for what would have issued nothing."""
    if not names.issues(job_type) or _family(job_type) not in FAMILIES:
        return ""
    told = {
        "job_id": job_id,
        "family": _family(job_type),
        "reference_code": reference_code,
        "code": error.code,
        "rule": error.rule,
        "reason": error.message[:_LONGEST_REASON],
    }
    return REFUSAL + strict_json.dump(told)


def read_refusal(member: str) -> Mapping[str, Any] | None:
    """What was noted of a refusal; None for the id of a job, and for what cannot be read."""
    if not member.startswith(REFUSAL):
        return None
    try:
        found = strict_json.parse(member.removeprefix(REFUSAL))
    except strict_json.JsonRefused:
        return None
    return found if isinstance(found, Mapping) else None


def _family(job_type: str) -> str:
    return names.family_of(job_type)
