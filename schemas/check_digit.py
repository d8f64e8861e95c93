"""
The check digit of a NIT (dígito de verificación), módulo 11 as DIAN publishes it.
"""

from __future__ import annotations

from operator import mul
from typing import Final

MAX_DIGITS: Final = 15
_WEIGHTS: Final = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)


def check_digit(nit: str) -> str | None:
    """
    Compute the digit of a number written without separators.

    Args:
        nit: 1 to 15 ASCII digits, without the check digit itself.

    Returns:
        One digit, or None when *nit* is not such a number.

    Source:
        Business rules, section 2, checked there against published NITs.
    """
    if not (0 < len(nit) <= MAX_DIGITS and nit.isascii() and nit.isdigit()):
        return None
    total = sum(map(mul, map(int, reversed(nit)), _WEIGHTS))
    remainder = total % 11
    return str(remainder if remainder < 2 else 11 - remainder)
