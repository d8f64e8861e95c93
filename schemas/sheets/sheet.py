"""
A sheet of documents: its headings, its rows by document, and what is wrong with it as a whole.

``open_sheet`` looks at everything that concerns whole columns; ``schemas.sheets.documents`` makes the documents, one at
a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from schemas.sheets import headings as heading_rows
from schemas.sheets.cells import Broken, Value, at
from schemas.sheets.columns import Style, styles_of
from schemas.sheets.faults import Fault, Problem, cut, of_broken
from schemas.sheets.fields import FAMILIES, Field, Profile, by_heading, by_key, fold
from schemas.sheets.headings import Headings, Known, find_headings
from schemas.sheets.table import Block, Table
from schemas.sheets.values import Read
from schemas.sheets.values import text as read_text

MOST_FAULTS: Final = 5_000
"""Faults that are kept of a file; the others are counted."""

_MOST_LISTED: Final = 20
_LONGEST_REFERENCE: Final = 1_000
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
    """About columns and rows that belong to no document; the first of them, where there are very many."""
    n_faults: int = 0
    is_broken: bool = False
    """Whether a fault of a whole column leaves no document sound."""
    remarks: dict[tuple[str, int | None, str], Remark] = field(default_factory=dict)
    suspects: set[str] = field(default_factory=set)
    """References beside a row without one, which may be a line of theirs."""
    groups: dict[str, list[int]] = field(default_factory=dict)
    """Positions of the rows of each reference, in the order of the file."""
    known_values: dict[str, dict[Value, Any]] = field(default_factory=dict)
    """What values of a column were read as."""
    n_searched: int = 0
    """Names that no table has, and for which others were looked for."""

    @property
    def profile(self) -> Profile | None:
        return self.known.profile

    def warnings(self) -> list[Fault]:
        """What is doubtful, each once for a column. Complete when all documents have been made."""
        return [remark.told() for remark in self.remarks.values()]

    def field(self, key: str) -> Field:
        return by_key(self.family)[key]

    def has(self, key: str) -> bool:
        return key in self.headings.columns

    def value(self, position: int, key: str) -> Value:
        column = self.headings.columns.get(key)
        return None if column is None else self.table.rows.at(position, (column,))[1][0]

    def row(self, position: int) -> int:
        """The number of a row in the file."""
        return self.table.rows.number(position)

    def fault(self, position: int | None, key: str, problem: Problem, reference: str = "") -> Fault:
        """A problem of a cell; *position* None for the row of headings. Without such a column it is about the row."""
        column = self.headings.columns.get(key)
        return self.fault_at(position, column, problem, reference)

    def fault_at(self, position: int | None, column: int | None, problem: Problem, reference: str = "") -> Fault:
        row = self.headings.row if position is None else self.row(position)
        value = None if position is None else at(self.table.rows[position][1], column)
        heading = self.headings.texts.get(column, "") if column is not None else ""
        return Fault(self.table.file, self.table.sheet, row, column, heading, cut(value), *problem, reference)

    def tell(self, fault: Fault) -> None:
        """Enter what is wrong; of two hundred thousand rows without a reference the first thousands say enough."""
        self.n_faults += 1
        self.is_broken |= fault.row <= self.headings.row or fault.rule in _OF_COLUMNS
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)

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
    styles = styles_of(by_key(family), found.columns, table, first, options.decimal)
    sheet = Sheet(table, family, known, found, styles)
    _judge_headings(sheet)
    for key, style in styles.items():
        if style.unusable:
            position = next(n for n, (row, _) in enumerate(table.rows) if row == style.row)
            sheet.tell(sheet.fault(position, key, style.unusable))
    _group(sheet, first)
    _remark_on_the_whole(sheet)
    return sheet


def _no_headings(table: Table, known: Known) -> Fault:
    seen = [cut(cell) for _, cells in islice(table.rows, 20) for cell in cells if isinstance(cell, str)]
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
        sheet.tell(sheet.fault_at(None, other, Problem("SHT-003", text)))
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
        sheet.tell(sheet.fault_at(None, None, problem))
    for name in sheet.known.mapped:
        if name not in present:
            problem = Problem("SHT-002", f"El encabezado {name!r} que nombra --map no está en la hoja.")
            sheet.tell(sheet.fault_at(None, None, problem))
    for column, text in found.texts.items():
        elsewhere = by_heading(FAMILIES[0]).get(fold(text))
        if elsewhere is None or elsewhere.key not in _MONEY_ELSEWHERE or sheet.known.field_of(text):
            continue
        # What an invoice would take off or add must not be left out without a word.
        if (position := _filled(sheet, column)) is not None:
            problem = Problem("SHT-021", f"Este tipo de documento no admite la columna {text}: {_MEND[elsewhere.key]}")
            sheet.tell(sheet.fault_at(position, column, problem))
    refused = [(column, position) for column in found.refused if (position := _filled(sheet, column)) is not None]
    for column, position in refused:
        text = (
            f"No se sabe qué significa {found.texts[column]} (porcentaje o valor): dígalo con "
            f"--map 'Descuento %={found.texts[column]}' o --map 'Descuento={found.texts[column]}'."
        )
        sheet.tell(sheet.fault_at(position, column, Problem("SHT-021", text)))


def _filled(sheet: Sheet, column: int) -> int | None:
    """The first row that has something other than zero in a column."""
    first = sheet.headings.index + 1
    for position, (_, (value,)) in enumerate(sheet.table.rows.picked((column,), first), first):
        if value is not None and str(value).strip(" 0.,$-") != "":
            return position
    return None


def _group(sheet: Sheet, first: int) -> None:
    column = sheet.headings.columns.get("reference_code")
    if column is None:
        return
    blocks = {block.first_row: block for block in sheet.table.blocks if _spans(block, column)}
    merged, ends_at = "", 0
    last, is_after_a_gap = "", False
    prefix = sheet.headings.prefix
    picked = (column,) if prefix is None else (column, prefix)
    for position, (row, cells) in enumerate(sheet.table.rows.picked(picked, first), first):
        if cells[0] is None and _is_blank(sheet, position):
            continue
        reference = _reference(sheet, position, *cells)
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
        else:
            sheet.suspects.add(last)
            is_after_a_gap = True
            text = (
                "La fila no tiene referencia: escríbala (las filas de un documento llevan la misma), o borre la fila."
            )
            sheet.tell(sheet.fault(position, "reference_code", Problem("SHT-004", text)))
    if not sheet.groups and not sheet.faults:
        sheet.tell(sheet.fault_at(None, None, Problem("SHT-022", "No hay filas con datos bajo los encabezados.")))


def _is_blank(sheet: Sheet, position: int) -> bool:
    """Whether a row has nothing in any column that is known."""
    _, cells = sheet.table.rows.at(position, [*sheet.headings.columns.values()])
    return all(cell is None for cell in cells)


def _spans(block: Block, column: int) -> bool:
    return block.first_column <= column <= block.last_column and block.last_row > block.first_row


def _reference(sheet: Sheet, position: int, value: Value, prefix: Value = None) -> str | None:
    """The reference of a row, empty where it has none; None, with a fault, where its cell cannot be read."""
    read = of_broken(value) if isinstance(value, Broken) else read_text(sheet.field("reference_code"), value)
    if isinstance(read, Read) and len(read.value) > _LONGEST_REFERENCE:
        read = Problem("SHT-012", "La referencia es demasiado larga: revise si la columna es la correcta.")
    if isinstance(read, Problem):
        sheet.tell(sheet.fault(position, "reference_code", read))
        return None
    if not read.value or prefix is None or isinstance(prefix, Broken):
        return read.value
    before = read_text(sheet.field("observation"), prefix)
    return f"{before.value}-{read.value}" if not isinstance(before, Problem) else read.value


def _remark_on_the_whole(sheet: Sheet) -> None:
    table = sheet.table
    hidden = [number for number in _used_rows(sheet) if number in table.hidden_rows] if table.hidden_rows else []
    if hidden:
        text = f"{len(hidden)} filas ocultas se enviarán." if len(hidden) > 1 else "1 fila oculta se enviará."
        problem = Problem("SHT-101", f"{text} Muéstrelas y revíselas, o bórrelas.")
        sheet.remark(Fault(table.file, table.sheet, min(hidden), None, "", "", *problem))
    if unknown := sheet.headings.unknown:
        listed = _listed(unknown)
        sheet.remark(sheet.fault_at(None, None, Problem("SHT-102", f"Columnas que no se usan: {listed}.")))
    for hint in table.hints:
        sheet.remark(sheet.fault_at(None, None, Problem("SHT-105", hint)))


def _used_rows(sheet: Sheet) -> Iterator[int]:
    """The numbers of the rows that belong to a document."""
    used = {position for positions in sheet.groups.values() for position in positions}
    return (number for position, (number, _) in enumerate(sheet.table.rows.picked(())) if position in used)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" y {more} más" if more > 0 else "")
