"""
Texts in a ``.csv`` that a spreadsheet would run as a formula: an apostrophe stands before them, and is taken off again.
"""

from __future__ import annotations

import re
from typing import Final

# The apostrophes before it count too: a text that has one of its own gets another, so that one is always to be taken.
_RUNS: Final = re.compile("'*[=+\\-@\t\r]")


def inert(text: str) -> str:
    """A text that no spreadsheet runs; :func:`without_guard` gives back exactly what it was."""
    return f"'{text}" if _RUNS.match(text) else text


def is_guarded(text: str) -> bool:
    """Whether a field begins with the apostrophe of :func:`inert`; any other apostrophe belongs to its text."""
    return text[:1] == "'" and _RUNS.match(text) is not None


def without_guard(text: str) -> str:
    """What a field says, without the apostrophe that kept it from running."""
    return text[1:] if is_guarded(text) else text
