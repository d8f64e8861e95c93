"""
What a template holds: its columns, its two example documents, what can be chosen in a column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final

from schemas.catalogs import tables
from schemas.sheets.cells import Value
from schemas.sheets.codes import name_in
from schemas.sheets.documents import documents
from schemas.sheets.fields import Field, fields_of, sheet_name, words
from schemas.sheets.packed import PackedRows
from schemas.sheets.sheet import Options, Sheet, open_sheet
from schemas.sheets.table import Table

_COMPUTED: Final = "="
_NUMBERS: Final = frozenset({"number"})
_TAXES: Final = ("19%", "5%", "exento", "excluido")
_CONSUMPTION_TAXES: Final = ("8%", "4%", "16%")


def columns_of(family: str) -> list[Field]:
    """The columns of a family's template, in order."""
    return [one for one in fields_of(family) if one.in_template]


@cache
def _examples() -> Mapping[str, list[dict[str, str]]]:
    source = resources.files("schemas") / "sheets" / "examples.json"
    found: Mapping[str, list[dict[str, str]]] = json.loads(source.read_text(encoding="utf-8"))
    return found


def example_rows(family: str, today: date) -> list[list[Value]]:
    """
    The rows of two documents that are valid on the day and the month after it, under :func:`columns_of`.

    Totals are worked out by the reader itself.
    """
    columns = columns_of(family)
    rows = [[_value(one, row.get(one.key, ""), today) for one in columns] for row in _examples()[family]]
    head: tuple[Value, ...] = tuple(one.label for one in columns)
    packed = PackedRows.of([(1, head), *((n, tuple(row)) for n, row in enumerate(rows, 2))])
    table = Table("", sheet_name(family), packed)
    sheet = open_sheet(table, family, Options())
    assert isinstance(sheet, Sheet)  # the headings are those of the reader
    totals = {found.reference: Decimal(found.payload["payment_details"][0]["amount"]) for found in documents(sheet)}
    at = next(n for n, one in enumerate(columns) if one.key == "total")
    reference_at = next(n for n, one in enumerate(columns) if one.key == "reference_code")
    for row, source in zip(rows, _examples()[family], strict=True):
        row[at] = totals[str(row[reference_at])] if source.get("total") == _COMPUTED else None
    return rows


def _value(field: Field, text: str, today: date) -> Value:
    if not text or text == _COMPUTED:
        return None
    if field.kind == "date":
        return today + timedelta(days=int(text))
    return Decimal(text) if field.kind in _NUMBERS else text


def choices(field: Field, family: str) -> list[str]:
    """What can be chosen in a column, as a person would write it; empty where anything can stand there."""
    if field.key == "iva":
        return [*_TAXES]
    if field.key == "inc":
        return [*_CONSUMPTION_TAXES]
    if field.key == "payment_form":
        return ["contado", "crédito"]
    if field.key == "unit_measure_code":
        # Of a thousand units the usual ones; the others by their codes.
        return [name_in("unit-measures", code) for code in dict.fromkeys(words("unit-measures").values())]
    if not field.table:
        return []
    table = field.catalog(family)
    names = [name_in(table, row["code"]) for row in tables.rows(table)]
    return sorted(names, key=str.casefold) if field.table == "municipalities" else names


def catalog_rows(field: Field, family: str) -> list[tuple[str, str]]:
    """The names and codes of a column's table."""
    table = field.catalog(family)
    found = [(name_in(table, row["code"]), str(row["code"])) for row in tables.rows(table)]
    return sorted(dict.fromkeys(found), key=_by_name) if field.table == "municipalities" else [*dict.fromkeys(found)]


def _by_name(row: tuple[str, str]) -> Any:
    return row[0].casefold()
