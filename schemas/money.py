"""
Amounts, quantities and rates as exact decimals, and the one rounding rule.

Reads what the strict JSON reader hands over (text, int, Decimal; never a float) and renders two decimals. Anything
that could explode in arithmetic, such as ``1E+999999``, is refused by its form before it is ever computed with.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from enum import Enum
from typing import Final

MAX_INTEGER_DIGITS: Final = 15
"""An amount is below 10^15 pesos, which is most of what Colombia makes in a year; it keeps every product of quantity,
price and rate exact within EXACT."""

DECIMAL_PATTERN: Final = rf"^-?[0-9]{{1,{MAX_INTEGER_DIGITS}}}(\.[0-9]{{1,2}})?$"
EXACT: Final = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""For use with ``localcontext`` around a computation: no product or sum of valid values is ever rounded in it."""

ZERO: Final = Decimal(0)
HUNDRED: Final = Decimal(100)
BEYOND: Final = Decimal(10) ** MAX_INTEGER_DIGITS
"""The first amount that is not taken."""

_CENT: Final = Decimal("0.01")
_NUMBER: Final = re.compile(r"-?[0-9]{1,4000}(\.[0-9]{1,4000})?", re.ASCII)


class Wrong(Enum):
    """Why a value is not a decimal that Factus takes."""

    FORM = "form"
    PLACES = "places"
    SIZE = "size"


def parse(value: object, *, places: int = 2) -> Decimal | Wrong:
    """
    Read one decimal.

    Args:
        value: Text ``digits[.d[d]]`` with an optional minus sign, an int, or a Decimal read from a JSON number.
        places: How many decimals are allowed.

    Returns:
        The exact value, or what is wrong with it. Never raises.
    """
    match value:
        case bool():
            return Wrong.FORM
        case str():
            return _parse_text(value, places)
        case int():
            return Decimal(value) if abs(value) < 10**MAX_INTEGER_DIGITS else Wrong.SIZE
        case Decimal():
            return _check_number(value, places)
        case _:
            return Wrong.FORM


def _parse_text(text: str, places: int) -> Decimal | Wrong:
    # The pattern's $ would let a final line end pass; fullmatch does not.
    if not _NUMBER.fullmatch(text):
        return Wrong.FORM
    whole, _, fraction = text.removeprefix("-").partition(".")
    if len(whole) > MAX_INTEGER_DIGITS:
        return Wrong.SIZE
    return Decimal(text) if len(fraction) <= places else Wrong.PLACES


def _check_number(number: Decimal, places: int) -> Decimal | Wrong:
    """A JSON number says what it is worth, not how it is spelt: 1e4 is 10000, and 19.000 is 19."""
    # Only the three parts are looked at: comparing or adding 1E+999999 would already build its digits.
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return Wrong.FORM
    if not number:
        return Decimal((sign, (0,), 0))
    if number.adjusted() >= MAX_INTEGER_DIGITS:
        return Wrong.SIZE
    n_zeros = next(n for n, digit in enumerate(reversed(digits)) if digit)
    return number if -exponent - n_zeros <= places else Wrong.PLACES


def spell(number: Decimal, *, places: int = 2) -> str:
    """The plain digits of a number that :func:`parse` takes, with its own decimals but no more than *places*."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        number = number.quantize(Decimal((0, (1,), -places)), context=EXACT)
    return format(number, "f")


def round2(amount: Decimal) -> Decimal:
    """Two decimals, half to even (business rules, section 3: reported by integrators, not confirmed by Factus)."""
    return amount.quantize(_CENT, ROUND_HALF_EVEN, EXACT)


def render(amount: Decimal) -> str:
    """Plain digits with exactly two decimals: ``83300.00``. Zero has no sign."""
    rounded = round2(amount)
    return format(rounded if rounded else abs(rounded), "f")


def normal(number: Decimal) -> Decimal:
    """The one form of all decimals that are equal: ``19.00``, ``19.0`` and ``19`` are alike to the last digit."""
    return number.normalize(EXACT) if number else ZERO
