"""
A sheet of documents: its headings, its rows by document, and what is wrong with it as a whole.

``open_sheet`` looks at everything that concerns whole columns; ``schemas.sheets.documents`` makes the documents, one at
a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.sheets import headings as heading_rows
from schemas.sheets.cells import Block, Broken, Table, Value, at
from schemas.sheets.columns import Style, style_of
from schemas.sheets.faults import Fault, Problem, cut, of_broken
from schemas.sheets.fields import FAMILIES, Field, Profile, by_heading, by_key, fold
from schemas.sheets.headings import Headings, Known, find_headings
from schemas.sheets.values import text as read_text

_MOST_LISTED: Final = 20
_OF_COLUMNS: Final = frozenset({"SHT-013", "SHT-016", "SHT-021"})
"""Rules of which one broken cell spoils the whole column."""

_MEND: Final = {"discount_amount": "use Descuento %.", "inc": "déjela vacía."}
_MONEY_ELSEWHERE: Final = frozenset(_MEND)
"""Columns of an invoice that change its amount, and that other documents do not have."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about a file that cannot be known from it."""

    decimal: str = ""
    mapped: tuple[str, ...] = ()
    profile: str = ""


@dataclass(slots=True)
class Remark:
    """A warning about cells of one column, and how many there are."""

    first: Fault
    n: int = 1

    def told(self) -> Fault:
        if self.n == 1:
            return self.first
        one = self.first
        message = f"{one.message} (y {self.n - 1} celdas más de la columna)"
        return Fault(one.file, one.sheet, one.row, one.column, one.heading, one.value, one.rule, message, one.reference)


@dataclass(slots=True)
class Sheet:
    """A table that has headings, ready to be read by document."""

    table: Table
    family: str
    known: Known
    headings: Headings
    styles: dict[str, Style]
    faults: list[Fault] = field(default_factory=list)
    """About columns and rows that belong to no document."""
    remarks: dict[tuple[str, int | None, str], Remark] = field(default_factory=dict)
    suspects: set[str] = field(default_factory=set)
    """References beside a row without one, which may be a line of theirs."""
    groups: dict[str, list[int]] = field(default_factory=dict)
    """Positions of the rows of each reference, in the order of the file."""

    @property
    def profile(self) -> Profile | None:
        return self.known.profile

    @property
    def is_broken(self) -> bool:
        """Whether a fault of a whole column leaves no document sound."""
        return any(fault.row <= self.headings.row or fault.rule in _OF_COLUMNS for fault in self.faults)

    def warnings(self) -> list[Fault]:
        """What is doubtful, each once for a column. Complete when all documents have been made."""
        return [remark.told() for remark in self.remarks.values()]

    def field(self, key: str) -> Field:
        return by_key(self.family)[key]

    def has(self, key: str) -> bool:
        return key in self.headings.columns

    def value(self, position: int, key: str) -> Value:
        return at(self.table.rows[position][1], self.headings.columns.get(key))

    def row(self, position: int) -> int:
        """The number of a row in the file."""
        return self.table.rows[position][0]

    def fault(self, position: int | None, key: str, problem: Problem, reference: str = "") -> Fault:
        """A problem of a cell; *position* None for the row of headings. Without such a column it is about the row."""
        column = self.headings.columns.get(key)
        return self.fault_at(position, column, problem, reference)

    def fault_at(self, position: int | None, column: int | None, problem: Problem, reference: str = "") -> Fault:
        row = self.headings.row if position is None else self.row(position)
        value = None if position is None else at(self.table.rows[position][1], column)
        heading = self.headings.texts.get(column, "") if column is not None else ""
        return Fault(self.table.file, self.table.sheet, row, column, heading, cut(value), *problem, reference)

    def remark(self, fault: Fault) -> None:
        """Enter a warning; equal ones of a column are counted."""
        key = (fault.rule, fault.column, "" if fault.rule == "SHT-103" else fault.message)
        if key in self.remarks:
            self.remarks[key].n += 1
        else:
            self.remarks[key] = Remark(fault)


def open_sheet(table: Table, family: str, options: Options) -> Sheet | Fault:
    """
    Find headings and documents of a table.

    Returns:
        The sheet, with the faults that concern all of it; or the one fault that there are no headings.

    Raises:
        MapRefused: A ``--map`` names no field.
    """
    known = heading_rows.known_headings(family, options.mapped, options.profile)
    found = find_headings(table, known)
    if found is None:
        return _no_headings(table, known)
    first = found.index + 1
    styles = {
        key: style_of(known_field, table, first, found.columns[key], options.decimal)
        for key, known_field in by_key(family).items()
        if key in found.columns
    }
    sheet = Sheet(table, family, known, found, styles)
    _judge_headings(sheet)
    for key, style in styles.items():
        if style.unusable:
            position = next(n for n, (row, _) in enumerate(table.rows) if row == style.row)
            sheet.faults.append(sheet.fault(position, key, style.unusable))
    _group(sheet, first)
    _remark_on_the_whole(sheet)
    return sheet


def _no_headings(table: Table, known: Known) -> Fault:
    seen = [cut(cell) for _, cells in table.rows[:20] for cell in cells if isinstance(cell, str) and cell.strip()]
    hint = f" {table.hints[0]}" if table.hints else ""
    listed = f" Se leyó: {', '.join(seen[:8])}." if seen else ""
    text = (
        "No hay una fila de encabezados: entre las primeras 20 filas, una debe tener al menos tres conocidos, como "
        f"Referencia, Identificación, Descripción, Cantidad y Precio.{listed}{hint} La plantilla "
        "(factus-worker submit --template) los tiene todos; --map CAMPO=ENCABEZADO nombra otros."
    )
    return Fault(table.file, table.sheet, 0, None, "", "", "SHT-001", text)


def _judge_headings(sheet: Sheet) -> None:
    found = sheet.headings
    for one, first, other in found.repeated:
        text = (
            f"Dos columnas son {one.label}: {found.texts[first]} y {found.texts[other]}. Deje una, o diga cuál con "
            f"--map {one.label}={found.texts[first]!r}."
        )
        sheet.faults.append(sheet.fault_at(None, other, Problem("SHT-003", text)))
    missing = [one.label for one in by_key(sheet.family).values() if one.is_required and not sheet.has(one.key)]
    if "IVA" in missing and sheet.has("inc"):
        missing.remove("IVA")
    if not (sheet.has("price") or sheet.has("price_with_tax")):
        missing.append("Precio")
    present = {fold(text) for text in found.texts.values()}
    for label in missing:
        near = next((text for text in found.unknown if heading_rows.nearest(text, sheet.known) == label), "")
        hint = f" ¿Es la columna {near}? Dígalo con --map {label!r}={near!r}." if near else ""
        problem = Problem("SHT-002", f"Falta la columna {label}: agréguela.{hint}")
        sheet.faults.append(sheet.fault_at(None, None, problem))
    for name in sheet.known.mapped:
        if name not in present:
            problem = Problem("SHT-002", f"El encabezado {name!r} que nombra --map no está en la hoja.")
            sheet.faults.append(sheet.fault_at(None, None, problem))
    for column, text in found.texts.items():
        elsewhere = by_heading(FAMILIES[0]).get(fold(text))
        if elsewhere is None or elsewhere.key not in _MONEY_ELSEWHERE or sheet.known.field_of(text):
            continue
        # What an invoice would take off or add must not be left out without a word.
        if (position := _filled(sheet, column)) is not None:
            problem = Problem("SHT-021", f"Este tipo de documento no admite la columna {text}: {_MEND[elsewhere.key]}")
            sheet.faults.append(sheet.fault_at(position, column, problem))
    refused = [(column, position) for column in found.refused if (position := _filled(sheet, column)) is not None]
    for column, position in refused:
        text = (
            f"No se sabe qué significa {found.texts[column]} (porcentaje o valor): dígalo con "
            f"--map 'Descuento %={found.texts[column]}' o --map 'Descuento={found.texts[column]}'."
        )
        sheet.faults.append(sheet.fault_at(position, column, Problem("SHT-021", text)))


def _filled(sheet: Sheet, column: int) -> int | None:
    """The first row that has something other than zero in a column."""
    for position in range(sheet.headings.index + 1, len(sheet.table.rows)):
        value = at(sheet.table.rows[position][1], column)
        if value is not None and str(value).strip(" 0.,$-") != "":
            return position
    return None


def _group(sheet: Sheet, first: int) -> None:
    columns = set(sheet.headings.columns.values())
    column = sheet.headings.columns.get("reference_code")
    blocks = {block.first_row: block for block in sheet.table.blocks if column is not None and _spans(block, column)}
    merged, ends_at = "", 0
    last, is_after_a_gap = "", False
    for position in range(first, len(sheet.table.rows)):
        row, cells = sheet.table.rows[position]
        if all(at(cells, one) is None for one in columns):
            continue
        reference = _reference(sheet, position)
        if reference is None:
            continue
        if block := blocks.get(row):
            merged, ends_at = reference, block.last_row
        if not reference and row <= ends_at:
            reference = merged
        if reference:
            sheet.groups.setdefault(reference, []).append(position)
            if is_after_a_gap:
                sheet.suspects.add(reference)
            last, is_after_a_gap = reference, False
        elif column is not None:
            sheet.suspects.add(last)
            is_after_a_gap = True
            text = (
                "La fila no tiene referencia: escríbala (las filas de un documento llevan la misma), o borre la fila."
            )
            sheet.faults.append(sheet.fault(position, "reference_code", Problem("SHT-004", text)))
    if not sheet.groups and not sheet.faults:
        sheet.faults.append(
            sheet.fault_at(None, None, Problem("SHT-022", "No hay filas con datos bajo los encabezados."))
        )


def _spans(block: Block, column: int) -> bool:
    return block.first_column <= column <= block.last_column and block.last_row > block.first_row


def _reference(sheet: Sheet, position: int) -> str | None:
    """The reference of a row, empty where it has none; None, with a fault, where its cell cannot be read."""
    value = sheet.value(position, "reference_code")
    read = of_broken(value) if isinstance(value, Broken) else read_text(sheet.field("reference_code"), value)
    if isinstance(read, Problem):
        sheet.faults.append(sheet.fault(position, "reference_code", read))
        return None
    prefix = at(sheet.table.rows[position][1], sheet.headings.prefix)
    if not read.value or prefix is None or isinstance(prefix, Broken):
        return read.value
    before = read_text(sheet.field("observation"), prefix)
    return f"{before.value}-{read.value}" if not isinstance(before, Problem) else read.value


def _remark_on_the_whole(sheet: Sheet) -> None:
    table = sheet.table
    used = {sheet.row(position) for positions in sheet.groups.values() for position in positions}
    if hidden := len(used & table.hidden_rows):
        text = f"{hidden} filas ocultas se enviarán." if hidden > 1 else "1 fila oculta se enviará."
        problem = Problem("SHT-101", f"{text} Muéstrelas y revíselas, o bórrelas.")
        sheet.remark(Fault(table.file, table.sheet, min(used & table.hidden_rows), None, "", "", *problem))
    if unknown := sheet.headings.unknown:
        listed = _listed(unknown)
        sheet.remark(sheet.fault_at(None, None, Problem("SHT-102", f"Columnas que no se usan: {listed}.")))
    for hint in table.hints:
        sheet.remark(sheet.fault_at(None, None, Problem("SHT-105", hint)))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" y {more} más" if more > 0 else "")
