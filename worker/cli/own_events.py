"""
Entries of the streams of results: which are events of ours. Whoever may write there may have written something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from schemas import strict_json

_ALWAYS_THERE: Final = frozenset({"id", "type", "account", "success", "message", "data", "errors"})


def job_of(fields: Mapping[bytes, bytes]) -> str:
    """The id of the job that an entry is about; empty for none."""
    return fields.get(b"job_id", b"").decode(errors="replace")


def event_of(raw: bytes | None) -> dict[str, Any] | None:
    """The event of an entry's field ``event``; None for an entry that is none, which is passed over."""
    if raw is None:
        return None
    try:
        found = strict_json.parse_written(raw)
    except strict_json.JsonRefused:
        return None
    return found if isinstance(found, dict) and found.keys() >= _ALWAYS_THERE else None
