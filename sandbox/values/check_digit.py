"""The check digit of a Colombian NIT (módulo 11)."""

from typing import Final

_WEIGHTS: Final = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)


def check_digit(nit: str) -> str:
    """The digit of a NIT of at most 15 digits without separators. Source: business-rules, section 2."""
    remainder = sum(int(digit) * weight for digit, weight in zip(reversed(nit), _WEIGHTS, strict=False)) % 11
    return str(remainder if remainder < 2 else 11 - remainder)


def digit_of(identification: str) -> str | None:
    """The check digit to show with a NIT; None of one that holds other signs than digits."""
    return check_digit(identification) if identification.isdecimal() else None
