"""
Where in a payload something stands, as a chain that costs nothing until it is written out.
"""

from __future__ import annotations

from typing import TypeAlias

Place: TypeAlias = "tuple[Place, str | int] | None"
"""The place above and the last step; None is the root."""


def dotted(place: Place) -> str:
    """The path as errors state it: ``items.0.price``; empty for the root."""
    steps = []
    while place is not None:
        place, step = place
        steps.append(str(step))
    return ".".join(reversed(steps))
