"""
Cells as a reader hands them over, and where they stand: ``F12``, ``Facturas!F12``.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from schemas.money import EXACT


class Broken(NamedTuple):
    """A cell without a value that can be used: an error such as ``#DIV/0!``, or a formula nobody has worked out."""

    kind: Literal["error", "formula"]
    text: str


Value: TypeAlias = "str | Decimal | date | Broken | None"
"""What stands in a cell; None where it is empty or blank. A number is exact, a percentage a text such as ``19%``."""

Row: TypeAlias = "tuple[int, tuple[Value, ...]]"
"""The number of a row in its file, from 1, and what stands in it; as long as its last value."""


def at(cells: tuple[Value, ...], column: int | None) -> Value:
    """The value of a row in a column; None beyond its end, and where there is no such column."""
    return None if column is None or column >= len(cells) else cells[column]


def shown(value: Value) -> str:
    """A value as a person sees it."""
    match value:
        case None:
            return ""
        case Broken():
            return value.text
        case Decimal():
            return plain(value)
        case date():
            return value.strftime("%d/%m/%Y")
        case str():
            return value.strip()


def plain(number: Decimal) -> str:
    """All digits of a number and nothing else."""
    whole = number.to_integral_value(context=EXACT)
    return format(whole if whole == number else number.normalize(EXACT), "f")


def letters(column: int) -> str:
    """The letters of a column, from 0: A … Z, AA …"""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found


def address(row: int, column: int) -> str:
    """Row from 1, column from 0: ``F12``."""
    return f"{letters(column)}{row}"
