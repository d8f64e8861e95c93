"""
Numbers as people and programs write them (``1.234.567,89``, ``$ 1,234.50``, ``1'234.567``), and what can be two things.

``1.234`` is a thousand and more, or one and a bit: only the rest of its column, or who sent it, can tell. Nothing here
guesses.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import Enum
from typing import Final, NamedTuple

from schemas.money import EXACT, MAX_INTEGER_DIGITS
from schemas.sheets.cells import Value

_BLANKS: Final = re.compile(r"[\s   ]+")
_MONEY: Final = re.compile(r"^(?:COP|\$)+|(?:COP|\$)+$", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[+-]?[0-9][0-9.,']*|[+-]?[.,][0-9]+", re.ASCII)
SCIENTIFIC: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+", re.ASCII)
_CENT: Final = Decimal("0.01")
_SHOWN: Final = Context(prec=15, rounding=ROUND_HALF_EVEN)
"""As many digits as Excel shows of a number, whatever it has stored."""

_BELOW_A_THOUSANDTH: Final = Decimal("0.0005")
_CLOSE: Final = Decimal("1e-9")
_LEFT_BY_SUMS: Final = Decimal("1e-7")


class Reason(Enum):
    """Why a text is no number that can be used."""

    AMBIGUOUS = "ambiguous"
    NOT_A_NUMBER = "not a number"
    DIGITS_LOST = "digits lost"
    NEGATIVE_FORM = "negative"
    GROUPS = "groups"
    PLACES = "places"
    SIZE = "size"


class Written(NamedTuple):
    """The digits of a text taken apart: its separators, and where they stand."""

    sign: str
    whole: str
    """Digits before the last separator, with the separators between them."""
    mark: str
    """The last separator, or empty."""
    fraction: str


def parse(value: Value, decimal: str = "") -> Decimal | Reason:
    """
    The number of a cell.

    Args:
        decimal: The decimal mark that is known of the column, ``,`` or ``.``; empty where nothing is known.

    Returns:
        The exact number, whatever its decimals; or why there is none. A date or a broken cell is no number.
    """
    match value:
        case Decimal():
            return value
        case str():
            return _parse_text(value, decimal)
        case _:
            return Reason.NOT_A_NUMBER


def to_cents(number: Decimal, *, is_double: bool = False) -> Decimal | Reason:
    """
    A number with at most two decimals.

    Args:
        is_double: Whether it comes from a cell that holds a number. What such a cell works out in binary
            (``0.30000000000000004``) is what it means; a text means every digit of it.
    """
    if abs(number) >= 10**MAX_INTEGER_DIGITS:
        return Reason.SIZE
    rounded = number.quantize(_CENT, context=EXACT)
    if rounded == number:
        return rounded
    return rounded if is_double and _is_noise(number, rounded) else Reason.PLACES


def _is_noise(number: Decimal, rounded: Decimal) -> bool:
    """Whether a double is *rounded* but for what binary adds; a decimal that somebody sees in Excel is none of it."""
    off = abs(rounded - number)
    if _SHOWN.plus(number) == rounded:
        return off < _BELOW_A_THOUSANDTH  # from 10^11 on the fifteen digits end before the decimals do
    # Sums and differences leave more than the last digit: 1234567.89 - 1234567 is 0.889999999897555.
    return off <= min(abs(number) * _CLOSE, _LEFT_BY_SUMS)


def _parse_text(text: str, decimal: str) -> Decimal | Reason:
    if text.isascii() and text.isdigit():
        return _number("", text, "")
    found = _written(text)
    if isinstance(found, Reason):
        return found
    sign, whole, mark, fraction = found
    if not mark:
        return _grouped(sign, whole, "'", "") if "'" in whole else _number(sign, whole, "")
    if mark in whole:
        # Repeated: it can only stand between thousands.
        return _thousands(sign, f"{whole}{mark}{fraction}", mark, decimal)
    other = {",": ".", ".": ","}.get(mark, "")
    if other and other in whole:
        # Both are there: the last one is the decimal mark, whatever the column says.
        return _grouped(sign, whole, other, fraction)
    if decimal and mark != decimal:
        return _thousands(sign, f"{whole}{mark}{fraction}", mark, decimal)
    if not decimal and _may_be_thousands(whole, fraction):
        return Reason.AMBIGUOUS
    return _grouped(sign, whole, "'", fraction) if "'" in whole else _number(sign, whole, fraction)


def _written(text: str) -> Written | Reason:
    compact = _MONEY.sub("", _BLANKS.sub("", text))
    if compact.startswith("-") and compact[1:2] == "$":
        compact = f"-{compact[2:]}"
    if SCIENTIFIC.fullmatch(compact):
        return Reason.DIGITS_LOST
    if (compact.startswith("(") and compact.endswith(")")) or (compact.endswith("-") and len(compact) > 1):
        return Reason.NEGATIVE_FORM
    if not _PLAIN.fullmatch(compact):
        return Reason.NOT_A_NUMBER
    sign = "-" if compact[0] == "-" else ""
    digits = compact.lstrip("+-")
    last = max(digits.rfind(","), digits.rfind("."))
    if last < 0:
        return Written(sign, digits, "", "")
    return Written(sign, digits[:last], digits[last], digits[last + 1 :])


def _may_be_thousands(whole: str, fraction: str) -> bool:
    """Whether the one separator of a text may stand between thousands as well as before decimals."""
    first = whole.partition("'")[0]
    return len(fraction) == 3 and 0 < len(first) <= 3 and first[0] != "0"


def _thousands(sign: str, digits: str, mark: str, decimal: str) -> Decimal | Reason:
    if mark == decimal:
        return Reason.GROUPS
    return _grouped(sign, digits, mark, "")


def _grouped(sign: str, whole: str, mark: str, fraction: str) -> Decimal | Reason:
    """Digits in groups of three; an apostrophe may stand for the millions (``1'234.567``)."""
    groups = whole.replace("'", mark).split(mark)
    is_sound = 0 < len(groups[0]) <= 3 and groups[0][0] != "0" and all(len(group) == 3 for group in groups[1:])
    if not is_sound or not all(group.isdigit() for group in groups):
        return Reason.GROUPS
    return _number(sign, "".join(groups), fraction)


def _number(sign: str, whole: str, fraction: str) -> Decimal | Reason:
    whole = whole.replace("'", "")
    if not (whole or fraction) or not f"{whole}{fraction}".isdigit():
        return Reason.NOT_A_NUMBER
    if len(whole.lstrip("0")) > MAX_INTEGER_DIGITS or len(fraction) > 30:
        return Reason.SIZE
    return Decimal(f"{sign}{whole or '0'}.{fraction or '0'}")


def mark_shown(text: str) -> str:
    """The decimal mark that a text shows by itself; empty where it shows none."""
    if text.isascii() and text.isdigit():
        return ""
    found = _written(text)
    if isinstance(found, Reason) or found.mark not in (",", "."):
        return ""
    _, whole, mark, fraction = found
    other = "." if mark == "," else ","
    if mark in whole:
        return other
    if other in whole:
        return mark
    return "" if _may_be_thousands(whole, fraction) else mark
