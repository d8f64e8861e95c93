"""
What a whole column says about its cells: the decimal mark, fractions or percentages, the order of day and month.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.sheets import dates, numbers
from schemas.sheets.cells import Table, Value, at, shown
from schemas.sheets.faults import Problem
from schemas.sheets.fields import Field, fold, words
from schemas.sheets.numbers import Reason

_PERCENT: Final = re.compile(r"(?:iva|inc|impoconsumo)?\s*([0-9.,]+)\s*%", re.IGNORECASE)
_NAMED_RATE: Final = re.compile(r"(?:iva|inc|impoconsumo)\s*([0-9.,]+)", re.IGNORECASE)
_NUMERIC: Final = frozenset({"number", "percent", "tax"})


@dataclass(frozen=True, slots=True)
class Style:
    """What is known of a column."""

    decimal: str = ""
    is_fraction: bool = False
    """Its rates are 0.19, not 19."""
    unusable: Problem | None = None
    """Why nothing in it can be trusted, told once."""
    row: int = 0
    """Where that is told."""


def style_of(field: Field, table: Table, first: int, column: int, decimal: str) -> Style:
    """
    Look at a column below the headings.

    Args:
        first: Position of the first row of data.
        decimal: The mark that the user named; empty to find it.
    """
    if field.kind == "date":
        return _of_dates(table, first, column)
    if field.kind not in _NUMERIC:
        return Style()
    mark = decimal or numbers.evidence(value for _, value in _values(table, first, column))
    if field.kind != "tax":
        return Style(mark)
    return _of_rates(field, table, first, column, mark)


def _values(table: Table, first: int, column: int) -> Iterator[tuple[int, Value]]:
    for number, cells in table.rows[first:]:
        if (value := at(cells, column)) is not None:
            yield number, value


def _of_dates(table: Table, first: int, column: int) -> Style:
    for number, value in _values(table, first, column):
        if dates.is_month_first(value):
            text = f"{shown(value)} tiene el mes antes del día: escriba las fechas de la columna como 31/12/2026."
            return Style(unusable=Problem("SHT-016", text), row=number)
    return Style()


def _of_rates(field: Field, table: Table, first: int, column: int, mark: str) -> Style:
    fraction = whole = 0
    shown_fraction = shown_whole = ""
    for number, value in _values(table, first, column):
        if tax_word(value) or percentage(value, mark) is not None:
            continue
        rate = numbers.parse(value, mark)
        if isinstance(rate, Reason):
            continue
        if 0 < rate < 1 and not fraction:
            fraction, shown_fraction = number, shown(value)
        elif rate >= 1 and not whole:
            whole, shown_whole = number, shown(value)
    if fraction and whole:
        text = (
            f"La columna {field.label} mezcla fracciones ({shown_fraction} en la fila {fraction}) y porcentajes "
            f"({shown_whole} en la fila {whole}): escriba todas las tarifas igual, por ejemplo 19%."
        )
        return Style(mark, unusable=Problem("SHT-013", text), row=max(fraction, whole))
    return Style(mark, is_fraction=bool(fraction))


def tax_word(value: Value) -> str:
    """What a word in a column of taxes means: ``excluded`` or a rate; empty where it is none."""
    return words("tax").get(fold(value), "") if isinstance(value, str) else ""


def percentage(value: Value, mark: str) -> Decimal | None:
    """The rate of a text that says itself that it is one: ``19%``, ``IVA 19``; None for another."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    found = _PERCENT.fullmatch(text) or _NAMED_RATE.fullmatch(text)
    rate = numbers.parse(found[1], mark or _mark_of(found[1])) if found else None
    return rate if isinstance(rate, Decimal) else None


def _mark_of(text: str) -> str:
    """No rate has thousands: its only separator is the decimal mark."""
    return "," if "," in text else "."
