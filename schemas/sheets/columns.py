"""
What a whole column says about its cells: the decimal mark, fractions or percentages, the order of day and month.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from schemas.sheets import dates, numbers
from schemas.sheets.cells import Value, shown
from schemas.sheets.faults import Problem
from schemas.sheets.fields import Field, fold, words
from schemas.sheets.numbers import Reason
from schemas.sheets.table import Table

_PERCENT: Final = re.compile(r"(?:iva|inc|impoconsumo)?\s*([0-9.,]+)\s*%", re.IGNORECASE)
_NAMED_RATE: Final = re.compile(r"(?:iva|inc|impoconsumo)\s*([0-9.,]+)", re.IGNORECASE)
_NUMERIC: Final = frozenset({"number", "percent", "tax"})
_MOST_SEEN: Final = 2_000


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


def styles_of(
    fields: Mapping[str, Field], columns: Mapping[str, int], table: Table, first: int, decimal: str
) -> dict[str, Style]:
    """
    Look at the columns below the headings.

    Args:
        columns: Where each field stands.
        first: Position of the first row of data.
        decimal: The mark that the user named; empty to find it.
    """
    found = {key: Style(decimal if fields[key].kind in _NUMERIC else "") for key in columns}
    days = {key: _Days() for key in columns if fields[key].kind == "date"}
    marks = {key: _Marks() for key in columns if fields[key].kind in _NUMERIC and not decimal}
    _show(table, first, columns, {**days, **marks})
    found |= {key: one.style for key, one in days.items()}
    found |= {key: Style(one.mark) for key, one in marks.items()}
    rates = {key: _Rates(fields[key], found[key].decimal) for key in columns if fields[key].kind == "tax"}
    _show(table, first, columns, rates)
    return found | {key: one.style() for key, one in rates.items()}


class _Looker(ABC):
    """Looks at the values of one column, each different one once as far as that is worth remembering."""

    def __init__(self) -> None:
        self._seen: set[Value] = set()

    def show(self, row: int, value: Value) -> None:
        if value in self._seen:
            return
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(value)
        self.look(row, value)

    @abstractmethod
    def look(self, row: int, value: Value) -> None:
        """See a value and the row where it stands."""


def _show(table: Table, first: int, columns: Mapping[str, int], lookers: Mapping[str, _Looker]) -> None:
    """Go through the rows once for all lookers."""
    if not lookers:
        return
    shows = [looker.show for looker in lookers.values()]
    for number, cells in table.rows.picked([columns[key] for key in lookers], first):
        for show, value in zip(shows, cells, strict=True):
            if value is not None:
                show(number, value)


class _Marks(_Looker):
    """The decimal mark that the texts of a column show without doubt."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: set[str] = set()

    def look(self, row: int, value: Value) -> None:
        if isinstance(value, str) and (mark := numbers.mark_shown(value)):
            self._shown.add(mark)

    @property
    def mark(self) -> str:
        """Empty where none is shown, or where they differ."""
        return next(iter(self._shown)) if len(self._shown) == 1 else ""


class _Days(_Looker):
    """Whether the month stands before the day."""

    def __init__(self) -> None:
        super().__init__()
        self.style = Style()

    def look(self, row: int, value: Value) -> None:
        if not self.style.row and dates.is_month_first(value):
            text = f"{shown(value)} tiene el mes antes del día: escriba las fechas de la columna como 31/12/2026."
            self.style = Style(unusable=Problem("SHT-016", text), row=row)


class _Rates(_Looker):
    """Whether rates are fractions or percentages, or both."""

    def __init__(self, field: Field, mark: str) -> None:
        super().__init__()
        self._field, self._mark = field, mark
        self._fraction: tuple[int, Value] | None = None
        self._whole: tuple[int, Value] | None = None

    def look(self, row: int, value: Value) -> None:
        if tax_word(value) or percentage(value, self._mark) is not None:
            return
        rate = numbers.parse(value, self._mark)
        if isinstance(rate, Reason):
            return
        if 0 < rate < 1:
            self._fraction = self._fraction or (row, value)
        elif rate >= 1:
            self._whole = self._whole or (row, value)

    def style(self) -> Style:
        if not (self._fraction and self._whole):
            return Style(self._mark, is_fraction=self._fraction is not None)
        (fraction, shown_fraction), (whole, shown_whole) = self._fraction, self._whole
        text = (
            f"La columna {self._field.label} mezcla fracciones ({shown(shown_fraction)} en la fila {fraction}) y "
            f"porcentajes ({shown(shown_whole)} en la fila {whole}): escriba todas las tarifas igual, por ejemplo 19%."
        )
        return Style(self._mark, unusable=Problem("SHT-013", text), row=max(fraction, whole))


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
