"""
Ids of stream entries that somebody typed or asked for: read here, before Redis sees them and says of them that they are
``Invalid stream ID``.
"""

from __future__ import annotations

import re
from typing import Final

LAST_PART: Final = 2**64 - 1
"""Milliseconds and number of an entry are unsigned and have 64 bits."""

_ID: Final = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?")


def read_entry_id(text: str) -> tuple[int, int | None] | None:
    """Milliseconds, and number where there is one, of an id that a stream can have; None for what is none."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    ms, seq = int(found[1]), None if found[2] is None else int(found[2])
    return (ms, seq) if max(ms, seq or 0) <= LAST_PART else None


def is_whole_entry_id(text: str) -> bool:
    """Whether a text names one entry: milliseconds and number."""
    found = read_entry_id(text)
    return found is not None and found[1] is not None
