"""
The ids of jobs that are pushed again.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from schemas.names import pushable_id

_RETRIED: Final = re.compile(r"(.+)\.r([1-9][0-9]{0,4})")


_LONGEST_BASE: Final = 120
"""Leaves room in the 128 characters of an id for ``.r100000``."""


def parted(job_id: str) -> tuple[str, int]:
    """The id that a job had first, and how often it was pushed again: ``x.r2`` is the second time of ``x``."""
    found = _RETRIED.fullmatch(job_id)
    return (found[1], int(found[2])) if found else (job_id, 0)


def retry_id(base: str, n: int) -> str:
    """
    The id of the *n*-th repetition: one that can be pushed.

    A base that leaves no room is cut, and told from its likes by a digest.
    """
    base = pushable_id(base)
    if len(base) > _LONGEST_BASE:
        base = f"{base[: _LONGEST_BASE - 9]}-{hashlib.sha256(base.encode()).hexdigest()[:8]}"
    return f"{base}.r{n}"
