"""
What the format of a number says about it: a date, a percentage, a code with its zeros. For both formats of Excel.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.money import EXACT, HUNDRED
from schemas.sheets.cells import Broken, Value, plain
from schemas.sheets.numbers import to_cents

_BUILT_IN_DATES: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_BUILT_IN_PERCENT: Final = frozenset({9, 10})
_NOT_FORMAT: Final = re.compile(r'"[^"]*"|\\.|_.|\*.|\[[^\]]*\]')
_ZEROS: Final = re.compile(r"0{2,15}")
_LONGEST_NUMBER: Final = 40
_FIRST_DAY: Final = date(1899, 12, 30)
_FIRST_DAY_1904: Final = date(1904, 1, 1)
_LAST_SERIAL: Final = 2_958_465
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ERROR_TEXTS: Final = re.compile(r"#(DIV/0!|N/[AD]|NAME\?|NULL!|NUM!|REF!|VALUE!|[¡¿][A-ZÁÉÍÓÚ/0]+[!?])", re.IGNORECASE)


class Format(NamedTuple):
    """What is known of a number by its format."""

    is_date: bool = False
    is_percent: bool = False
    n_digits: int = 0
    """Shown with zeros at its head, so many digits in all."""


GENERAL: Final = Format()


@lru_cache(maxsize=1024)
def format_of(number: int, code: str) -> Format:
    """
    What a format says.

    Args:
        number: Its built-in number; any other for one of the file's own.
        code: Its text, such as ``dd/mm/yyyy``; empty for a built-in one.
    """
    if not code:
        return Format(is_date=number in _BUILT_IN_DATES, is_percent=number in _BUILT_IN_PERCENT)
    bare = _NOT_FORMAT.sub("", code[:256]).partition(";")[0].strip()
    if "%" in bare:
        return Format(is_percent=True)
    if _ZEROS.fullmatch(bare):
        return Format(n_digits=len(bare))
    letters = bare.lower().replace("general", "").replace("e+", "").replace("e-", "")
    return Format(is_date=any(letter in letters for letter in "dmyhs"))


def number_value(raw: str, form: Format, *, is_1904: bool = False) -> Value:
    """The value of a number as a person sees it: a date, ``19%``, ``05001``, or the exact number."""
    try:
        number = Decimal(raw) if len(raw) <= _LONGEST_NUMBER else Decimal("NaN")
    except InvalidOperation:
        return Broken("error", raw[:_LONGEST_NUMBER])
    if not number.is_finite() or abs(number.adjusted()) > 300:
        return Broken("error", raw[:_LONGEST_NUMBER])
    if form.is_date:
        return day_of(number, is_1904=is_1904)
    if form.is_percent:
        percent = EXACT.multiply(number, HUNDRED)
        cents = to_cents(percent, is_double=True)
        return f"{plain(cents if isinstance(cents, Decimal) else percent)}%"
    if form.n_digits and number >= 0 and number == number.to_integral_value():
        return plain(number).zfill(form.n_digits)
    return number or Decimal(0)  # the sign of a zero says nothing


def day_of(serial: Decimal, *, is_1904: bool) -> Value:
    """The day of a serial number; a time of day alone is a text."""
    whole = int(serial)
    if not 1 <= whole <= _LAST_SERIAL:
        return plain(serial)
    try:
        return (_FIRST_DAY_1904 if is_1904 else _FIRST_DAY) + timedelta(days=whole)
    except OverflowError:
        return plain(serial)


def text_value(text: str) -> Value:
    """A text, the error that it spells, or None where it is blank."""
    if not text or text.isspace():
        return None
    if not text.isascii() and _SURROGATE.search(text):
        # Halves of a character, as _xD83D_ makes them: joined where they are a pair; alone they have no UTF-8 form.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if text[:1] == "#" and _ERROR_TEXTS.fullmatch(text.strip()):
        return Broken("error", text.strip())
    return text
