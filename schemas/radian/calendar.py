"""
Which days are business days in Colombia, for the term after which an invoice counts as accepted. Pure.

Saturdays, Sundays and holidays are none. What is unsettled is an argument: whether Saturday counts, and dates that are
added to the holidays or taken out of them. Left as it is, every doubt makes the term longer, never shorter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from schemas.radian import tables
from schemas.radian.tables import Holiday

_SATURDAY: Final = 5
_SUNDAY: Final = 6
_YEARS_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Calendar:
    """
    The business days, with what the operator corrects.

    ``saturday``: whether Saturdays are business days (``FACTUS_RADIAN_SATURDAY``). ``added``, ``removed``: dates that
    are holidays, and that are none, whatever the tables say (``FACTUS_HOLIDAYS_ADD``, ``FACTUS_HOLIDAYS_REMOVE``).
    """

    saturday: bool = False
    added: frozenset[date] = frozenset()
    removed: frozenset[date] = frozenset()

    @property
    def version(self) -> str:
        """The edition of the tables, with a mark of what is corrected: other corrections have another."""
        if not (self.saturday or self.added or self.removed):
            return tables.version()
        told = [str(self.saturday), *sorted(map(str, self.added)), "-", *sorted(map(str, self.removed))]
        return f"{tables.version()}+{hashlib.sha256('/'.join(told).encode()).hexdigest()[:8]}"

    def why_left_out(self, day: date, *, counts_saturday: bool = False) -> str | None:
        """
        Why a day is no business day, in Spanish; None for one that is.

        Args:
            counts_saturday: Whether the rule that applies says so of Saturdays, whatever the operator says.
        """
        if day.weekday() == _SUNDAY:
            return "domingo"
        if day in self.added:
            return "festivo (FACTUS_HOLIDAYS_ADD)"
        name = None if day in self.removed else holidays_of(day.year).get(day)
        if name:
            return f"festivo: {name}"
        is_free_saturday = day.weekday() == _SATURDAY and not (self.saturday or counts_saturday)
        return "sábado" if is_free_saturday else None


@lru_cache(_YEARS_KEPT)
def holidays_of(year: int) -> dict[date, str]:
    """The holidays of a year by their day, moved ones on the day on which they are kept."""
    found: dict[date, str] = {}
    for holiday in tables.holidays():
        day = _kept_on(holiday, year)
        if holiday.valid_from <= day and (holiday.valid_until is None or day <= holiday.valid_until):
            found[day] = f"{found[day]}, {holiday.name}" if day in found else holiday.name
    return found


def _kept_on(holiday: Holiday, year: int) -> date:
    day = date(year, holiday.month, holiday.day) if holiday.month else easter(year) + timedelta(days=holiday.easter)
    return day + timedelta(days=-day.weekday() % 7) if holiday.is_moved else day


def easter(year: int) -> date:
    """Easter Sunday of a year of the Gregorian calendar, by the anonymous algorithm (Nature, 1876)."""
    golden, (century, in_century) = year % 19, divmod(year, 100)
    leaps, rest = divmod(century, 4)
    correction = (century - (century + 8) // 25 + 1) // 3
    moon = (19 * golden + century - leaps - correction + 15) % 30
    quarter, odd = divmod(in_century, 4)
    to_sunday = (32 + 2 * rest + 2 * quarter - moon - odd) % 7
    late = (golden + 11 * moon + 22 * to_sunday) // 451
    month, day = divmod(moon + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)
