"""
What a check finds in a payload: which rule, where, and how bad.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Level(StrEnum):
    """What follows from a broken rule."""

    ERROR = "error"
    WARNING = "warning"


class Violation(NamedTuple):
    """One broken rule at one place."""

    rule: str
    field: str
    message: str
    level: Level = Level.ERROR
    is_bound: bool = False
    """It goes beyond what the service takes at all (docs/contract.md, section 1), whatever Factus would say."""


Place: TypeAlias = "tuple[Place, str | int] | None"
"""The place above and the last step; None is the root."""


def dotted(place: Place) -> str:
    """The path as errors state it: ``items.0.price``; empty for the root."""
    steps = []
    while place is not None:
        place, step = place
        steps.append(str(step))
    return ".".join(reversed(steps))
