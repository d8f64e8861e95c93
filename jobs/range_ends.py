"""
When a numbering range is near its end: the one rule, for ``status``, the page, ``doctor``, metrics and their alert.

A range ends with its last number, or with the last day of DIAN's resolution. Pure.
"""

from __future__ import annotations

from typing import Final, NamedTuple

NEAR_DAYS: Final = 30
NEAR_SHARE: Final = 0.05
"""Somebody is told when so many days, or less than so much of its numbers, are left."""


class RangeEnd(NamedTuple):
    """What is to be told of a range; nothing where all are false."""

    is_over: bool = False
    has_no_numbers: bool = False
    is_near_by_date: bool = False
    is_near_by_numbers: bool = False

    @property
    def is_told(self) -> bool:
        return any(self)

    @property
    def has_ended(self) -> bool:
        return self.is_over or self.has_no_numbers


def range_end(n_left: int | None, n_numbers: int | None, days_left: int | None) -> RangeEnd:
    """
    What is to be told of a range.

    Args:
        n_left: Numbers that are left, of *n_numbers*; None where Factus does not say.
        days_left: Days until its last one, 0 on that day, below 0 when it is over; None where nothing bounds it.
    """
    return RangeEnd(
        is_over=days_left is not None and days_left < 0,
        has_no_numbers=n_left is not None and n_left <= 0,
        is_near_by_date=days_left is not None and 0 <= days_left <= NEAR_DAYS,
        is_near_by_numbers=n_left is not None and n_numbers is not None and 0 < n_left < NEAR_SHARE * n_numbers,
    )
