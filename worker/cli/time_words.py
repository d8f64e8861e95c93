"""
Instants and spans as the commands show them.
"""

from __future__ import annotations

from datetime import datetime, tzinfo


def clock(at_ms: int, zone: tzinfo) -> str:
    """An instant for a person."""
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%Y-%m-%d %H:%M:%S %z}" if at_ms else "-"


def span(seconds: float) -> str:
    """A duration for a person, in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = round(seconds)
    for unit_s, unit, small_s, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit_s:
            rest = whole % unit_s // small_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def iso(at_ms: int, zone: tzinfo) -> str | None:
    """An instant for a program; None for 0."""
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="milliseconds") if at_ms else None
