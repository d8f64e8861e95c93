"""
The day that is closed: where it begins and ends in the account's zone, and which days of Factus's calendar it touches.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from jobs.day_facts import Day
from jobs.fiscal_day import day_bounds_ms
from schemas.factus import BOGOTA

DAY_MS: Final = 86_400_000


def day_of(name: str, zone: ZoneInfo) -> Day:
    """A day (YYYY-MM-DD) in a zone. Factus's lists are asked for by days of Bogotá: one or two of them."""
    starts_ms, ends_ms = day_bounds_ms(name, zone)
    return Day(name, starts_ms, ends_ms, day_at(starts_ms, BOGOTA), day_at(ends_ms - 1, BOGOTA))


def day_at(at_ms: int, zone: ZoneInfo) -> str:
    """The day of an instant."""
    return datetime.fromtimestamp(at_ms / 1000, zone).date().isoformat()


def instant_text(at_ms: int, zone: ZoneInfo) -> str | None:
    """RFC 3339 in the account's zone, in whole seconds; None for what is not known."""
    return datetime.fromtimestamp(at_ms // 1000, zone).isoformat(timespec="seconds") if at_ms else None


def utc_days(first_ms: int, last_ms: int) -> range:
    """The days of UTC, counted from 1970, that an interval touches: the index of ends has one key for each."""
    return range(first_ms // DAY_MS, last_ms // DAY_MS + 1)
