"""
Control totals of a day in a table: a row for each prefix, with the ERP's own count, total and taxes.

Headings and families are known in Spanish and English; numbers are read as in sheets of documents, and nothing is
guessed that changes an amount a thousandfold. Rows of one prefix are added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from schemas.money import ZERO, render
from schemas.sheets import values
from schemas.sheets.cells import Broken, Value, at, shown
from schemas.sheets.columns import Style
from schemas.sheets.faults import Fault, Problem, cut
from schemas.sheets.fields import fold
from schemas.sheets.numbers import mark_shown
from schemas.sheets.table import Table

_HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "family": ("familia", "family", "clase", "tipo", "tipo de documento", "documento", "type", "document type"),
    "prefix": ("prefijo", "prefix", "serie", "resolucion prefijo"),
    "count": ("cantidad", "count", "documentos", "numero de documentos", "n", "facturas", "documents", "quantity"),
    "total": ("total", "valor total", "total con iva", "total documentos", "total amount", "valor"),
    "tax_amount": ("impuestos", "impuesto", "iva", "total iva", "total impuestos", "tax", "taxes", "tax amount", "vat"),
}
_LABELS: Final = {
    "family": "Familia",
    "prefix": "Prefijo",
    "count": "Cantidad",
    "total": "Total",
    "tax_amount": "Impuestos",
}
_FAMILIES: Final[Mapping[str, tuple[str, ...]]] = {
    "invoice": (
        "factura",
        "facturas",
        "factura de venta",
        "facturas de venta",
        "fv",
        "fe",
        "bill",
        "bills",
        "invoices",
    ),
    "credit_note": ("nota credito", "notas credito", "nc", "credit note", "credit notes"),
    "debit_note": ("nota debito", "notas debito", "nd", "debit note", "debit notes"),
    "support_document": ("documento soporte", "documentos soporte", "ds", "support document", "support documents"),
    "adjustment_note": ("nota de ajuste", "notas de ajuste", "na", "adjustment note", "adjustment notes"),
    "payroll": ("nomina", "nominas", "payrolls"),
    "payroll_adjustment": ("ajuste de nomina", "nota de ajuste de nomina", "notas de ajuste de nomina"),
}
_BY_HEADING: Final = {name: key for key, names in _HEADINGS.items() for name in names}
_BY_FAMILY: Final = {name: family for family, names in _FAMILIES.items() for name in (*names, fold(family), family)}
_ROWS_LOOKED_AT: Final = 20
_LEAST_KNOWN: Final = 2
MOST_ROWS: Final = 1_000
_SUMS: Final = ("count", "total", "tax_amount")


@dataclass(slots=True)
class ControlRead:
    """What a table says: the rows of ``control``, and what is wrong with its cells."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def fit(cells: Sequence[Value]) -> int:
    """How many columns of control totals a row names."""
    return len({key for cell in cells if isinstance(cell, str) and (key := _BY_HEADING.get(fold(cell)))})


def read_control(table: Table, decimal: str = "") -> ControlRead:
    """
    The control totals of a table.

    Args:
        decimal: The decimal mark that the user named; empty to find it in each column.
    """
    found = ControlRead()
    head = next(
        ((n, row) for n, row in enumerate(islice(table.rows, _ROWS_LOOKED_AT)) if fit(row[1]) >= _LEAST_KNOWN), None
    )
    if head is None:
        text = f"Ninguna fila tiene encabezados de totales: escriba {', '.join(_LABELS.values())}."
        found.faults.append(_fault(table, 0, None, "", None, Problem("SHT-001", text)))
        return found
    index, (number, cells) = head
    columns = _columns(table, number, cells, found)
    if not columns.keys() & set(_SUMS):
        text = "Falta una columna de totales: Cantidad, Total o Impuestos."
        found.faults.append(_fault(table, number, None, "", None, Problem("SHT-002", text)))
        return found
    _Reader(table, index, columns, decimal, found).read()
    return found


def _columns(table: Table, number: int, cells: Sequence[Value], found: ControlRead) -> dict[str, int]:
    columns: dict[str, int] = {}
    for column, cell in enumerate(cells):
        key = _BY_HEADING.get(fold(cell)) if isinstance(cell, str) else None
        if key is None:
            continue
        if key in columns:
            text = f"Dos columnas para {_LABELS[key]}: deje una."
            found.faults.append(_fault(table, number, column, shown(cell), cell, Problem("SHT-003", text)))
        columns.setdefault(key, column)
    return columns


class _Reader:
    def __init__(self, table: Table, head: int, columns: Mapping[str, int], decimal: str, found: ControlRead) -> None:
        self._table = table
        self._head = head
        self._columns = columns
        self._found = found
        self._styles = {key: Style(decimal or self._mark(columns[key])) for key in _SUMS if key in columns}

    def read(self) -> None:
        sums: dict[tuple[str, str], dict[str, Decimal]] = {}
        n_rows = 0
        for number, cells in self._rows():
            if self._is_grand_total(cells):
                continue
            n_rows += 1
            read = self._row(number, cells)
            if read is not None:
                family, prefix, numbers = read
                own = sums.setdefault((family, prefix), {})
                for key, value in numbers.items():
                    own[key] = own.get(key, ZERO) + value
        if not n_rows:
            text = "Ninguna fila con datos debajo de los encabezados."
            self._add(self._head_row(), None, None, Problem("SHT-022", text))
        if len(sums) > MOST_ROWS:
            text = f"Son {len(sums)} prefijos; {MOST_ROWS} como máximo. Revise la columna del prefijo."
            self._add(self._head_row(), "prefix", None, Problem("SHT-023", text))
        self._found.rows = [
            {"family": family, "prefix": prefix, **{key: _told(key, value) for key, value in own.items()}}
            for (family, prefix), own in sums.items()
        ]

    def _rows(self) -> Iterator[tuple[int, tuple[Value, ...]]]:
        for number, cells in islice(self._table.rows, self._head + 1, None):
            if any(at(cells, column) is not None for column in self._columns.values()):
                yield number, cells

    def _is_grand_total(self, cells: tuple[Value, ...]) -> bool:
        """The last row of many reports: a sum of all the others."""
        first = at(cells, self._columns.get("family", self._columns.get("prefix")))
        return isinstance(first, str) and fold(first) in ("total", "totales", "total general", "grand total")

    def _row(self, number: int, cells: tuple[Value, ...]) -> tuple[str, str, dict[str, Decimal]] | None:
        n_faults = len(self._found.faults)
        family = self._family(number, at(cells, self._columns.get("family")))
        prefix = self._prefix(number, at(cells, self._columns.get("prefix")))
        numbers: dict[str, Decimal] = {}
        for key, style in self._styles.items():
            value = at(cells, self._columns[key])
            read = values.amount(value, style) if value is not None else _EMPTY
            if isinstance(read, Decimal) and key == "count" and read != read.to_integral_value():
                read = Problem("SHT-010", "La cantidad de documentos es un número entero.")
            if isinstance(read, Problem):
                self._add(number, key, value, read)
            else:
                numbers[key] = read
        return None if len(self._found.faults) > n_faults else (family, prefix, numbers)

    def _family(self, number: int, value: Value) -> str:
        if "family" not in self._columns:
            return "invoice"
        found = _BY_FAMILY.get(fold(shown(value))) if value is not None and not isinstance(value, Broken) else None
        if found is None:
            text = f"No es una clase de documento: escriba {', '.join(names[0] for names in _FAMILIES.values())}."
            self._add(number, "family", value, Problem("SHT-014", text))
        return found or ""

    def _prefix(self, number: int, value: Value) -> str:
        if isinstance(value, Broken):
            self._add(number, "prefix", value, Problem("SHT-006", f"La celda tiene un error: {value.text}."))
            return ""
        return shown(value)

    def _mark(self, column: int) -> str:
        marks = {
            mark
            for _, cells in islice(self._table.rows, self._head + 1, None)
            if isinstance(value := at(cells, column), str) and (mark := mark_shown(value))
        }
        return next(iter(marks)) if len(marks) == 1 else ""

    def _head_row(self) -> int:
        return self._table.rows[self._head][0]

    def _add(self, number: int, key: str | None, value: Value, problem: Problem) -> None:
        column = None if key is None else self._columns.get(key)
        self._found.faults.append(_fault(self._table, number, column, _LABELS.get(key or "", ""), value, problem))


_EMPTY: Final = Problem("SHT-008", "Falta el valor: complete la celda (vacía no cuenta como 0).")


def _told(key: str, value: Decimal) -> int | str:
    return int(value) if key == "count" else render(value)


def _fault(table: Table, row: int, column: int | None, heading: str, value: Value, problem: Problem) -> Fault:
    return Fault(table.file, table.sheet, row, column, heading, cut(value), problem.rule, problem.message)
