"""
Dates as people write them: ``31/12/2026``, ``31-12-26``, ``2026-12-31``, ``20261231``; the day stands before the month.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final

from schemas.sheets.cells import Value

_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]\d{1,2}:\d\d(?::\d\d)?.*)?", re.ASCII)
_SPANISH: Final = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d\d)(?: \d{1,2}:\d\d(?::\d\d)?.*)?", re.ASCII)
_COMPACT: Final = re.compile(r"(20\d\d)(\d\d)(\d\d)", re.ASCII)
_NAMED: Final = re.compile(r"(\d{1,2})[-/ .]+(?:de )?([a-záéíóú]{3,10})\.?[-/ .]+(?:de )?(\d{4}|\d\d)", re.IGNORECASE)
_MONTHS: Final = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")


def parse(value: Value) -> date | None:
    """The day of a cell, or None where there is none. A number is none but for ``20261231``."""
    if isinstance(value, date):
        return value
    text = _digits(value) if isinstance(value, Decimal) else value.strip() if isinstance(value, str) else ""
    if found := _ISO.fullmatch(text):
        return _day(found[1], found[2], found[3])
    if found := _SPANISH.fullmatch(text):
        return _day(found[3], found[2], found[1])
    if found := _COMPACT.fullmatch(text):
        return _day(found[1], found[2], found[3])
    if found := _NAMED.fullmatch(text):
        month = found[2][:3].lower().replace("set", "sep")
        return _day(found[3], str(_MONTHS.index(month) + 1), found[1]) if month in _MONTHS else None
    return None


def is_month_first(value: Value) -> bool:
    """Whether a text can only be read with the month before the day: ``03/31/2026``."""
    found = _SPANISH.fullmatch(value.strip()) if isinstance(value, str) else None
    return found is not None and parse(value) is None and _day(found[3], found[1], found[2]) is not None


def _digits(number: Decimal) -> str:
    return str(int(number)) if number == number.to_integral_value() and 0 < number < 10**8 else ""


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))
    except ValueError:
        return None
