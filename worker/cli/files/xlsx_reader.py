"""
Reading .xlsx as a stream: values as a person sees them, errors and formulas without a value told from empty cells.

Nothing is held but what is used: a cell far out costs nothing, and of the shared texts only those that a sheet names
are kept (docs/decisions/0023-xlsx-is-read-as-a-stream.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from schemas.sheets.cells import Block, Broken, Table, Value
from worker.cli.files.limits import (
    LONGEST_TEXT,
    MOST_CELLS,
    MOST_ROWS,
    MOST_TEXT,
    too_many_cells,
    too_many_rows,
    too_much_text,
)
from worker.cli.files.number_formats import GENERAL, Format, number_value, text_value
from worker.cli.files.tables import SheetName
from worker.cli.files.xlsx_archive import Archive, column_number, measure
from worker.cli.files.xlsx_parts import Enough, parse, read_parts, whole

_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_MOST_COLUMNS: Final = 16_384
_MOST_BLOCKS: Final = 100_000
_MOST_KEPT: Final = 200_000
_LONGEST_KEPT: Final = 40


class Shared(NamedTuple):
    """A text that stands in the table of shared ones."""

    at: int


Raw = tuple[int, list[Any]]


class Xlsx:
    """A workbook of which only the lists are read at first."""

    def __init__(self, archive: Archive) -> None:
        self.path = archive.path
        self._archive = archive
        self._book = read_parts(archive)

    def sheets(self) -> Sequence[SheetName]:
        return self._book.sheets

    def heads(self, names: Sequence[str], n_rows: int) -> dict[str, list[tuple[int, tuple[Value, ...]]]]:
        found = {name: self._rows(name, n_rows)[0] for name in names}
        texts = self._texts({cell.at for rows in found.values() for cell in _shared_in(rows)})
        return {name: _resolved(rows, texts) for name, rows in found.items()}

    def read(self, name: str) -> Table:
        measure(self._archive, self._book.parts[name], name)
        rows, reader = self._rows(name, None)
        texts = self._texts({cell.at for cell in _shared_in(rows)})
        return Table(self.path, name, _resolved(rows, texts), frozenset(reader.hidden), tuple(reader.blocks))

    def _rows(self, name: str, n_rows: int | None) -> tuple[list[Raw], _SheetReader]:
        reader = _SheetReader(self.path, self._book.formats, self._book.is_1904, n_rows)
        parse(self._archive, self._book.parts[name], reader.start, reader.end, reader.text)
        return reader.rows, reader

    def _texts(self, wanted: set[int]) -> dict[int, str]:
        if not wanted or not self._book.texts:
            return {}
        reader = _TextsReader(self.path, wanted)
        parse(self._archive, self._book.texts, reader.start, reader.end, reader.text)
        return reader.found


# -- a sheet -----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _SheetReader:
    """Takes the elements of a sheet and keeps its filled rows."""

    path: str
    formats: list[Format]
    is_1904: bool
    n_rows: int | None
    rows: list[Raw] = field(default_factory=list)
    hidden: set[int] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)
    _row: int = 0
    _column: int = -1
    _cells: list[Any] = field(default_factory=list)
    _kind: str = ""
    _style: int = 0
    _is_in_cell: bool = False
    _is_taking: bool = False
    _is_inline: bool = False
    _n_phonetic: int = 0
    _has_formula: bool = False
    _pieces: list[str] = field(default_factory=list)
    _formula: list[str] = field(default_factory=list)
    _is_in_formula: bool = False
    _n_taken: int = 0
    _n_cells: int = 0
    _n_text: int = 0
    _kept: dict[tuple[str, int], Value] = field(default_factory=dict)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "c":
                self._start_cell(attributes)
            case "v":
                self._is_taking = self._is_in_cell
            case "row":
                self._start_row(attributes)
            case "f":
                self._has_formula = self._is_in_formula = self._is_in_cell
            case "is":
                self._is_inline = self._is_in_cell
            case "t":
                self._is_taking = self._is_inline and not self._n_phonetic
            case "rPh":
                self._n_phonetic += 1
            case "mergeCell":
                self._add_block(attributes.get("ref", ""))

    def end(self, name: str) -> None:
        match name:
            case "v" | "t":
                self._is_taking = False
            case "c":
                self._end_cell()
            case "row":
                self._end_row()
            case "f":
                self._is_in_formula = False
            case "is":
                self._is_inline = False
            case "rPh":
                self._n_phonetic -= 1

    def text(self, text: str) -> None:
        if self._is_taking:
            if self._n_taken < LONGEST_TEXT:  # a text of gigabytes is one cell as well
                self._pieces.append(text)
            self._n_taken += len(text)
        elif self._is_in_formula and len(self._formula) < 2:
            self._formula.append(text[:60])

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = whole(attributes.get("r", ""))
        self._row = number if number > self._row else self._row + 1
        self._column = -1
        self._cells = []
        if attributes.get("hidden") in ("1", "true"):
            self.hidden.add(self._row)

    def _end_row(self) -> None:
        while self._cells and self._cells[-1] is None:
            self._cells.pop()
        if self._cells:
            self.rows.append((self._row, self._cells))
            if len(self.rows) > MOST_ROWS:
                raise too_many_rows(self.path, len(self.rows))
        self._cells = []
        if self.n_rows is not None and len(self.rows) >= self.n_rows:
            raise Enough

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._n_cells += 1
        if self._n_cells > MOST_CELLS:
            raise too_many_cells(self.path, self._n_cells)
        found = _REFERENCE.fullmatch(attributes.get("r", ""))
        self._column = column_number(found[1]) if found else self._column + 1
        self._kind = attributes.get("t", "n")
        self._style = whole(attributes.get("s", "0"))
        self._is_in_cell, self._has_formula = True, False
        self._pieces, self._n_taken = [], 0
        self._formula = []

    def _end_cell(self) -> None:
        self._is_in_cell = False
        value = self._value("".join(self._pieces))
        if value is None or self._column >= _MOST_COLUMNS:
            return
        cells = self._cells
        if self._column >= len(cells):
            cells.extend([None] * (self._column + 1 - len(cells)))
        cells[self._column] = value

    def _value(self, raw: str) -> Value | Shared:
        if raw == "" and self._has_formula and self._kind not in ("str", "inlineStr"):
            return Broken("formula", f"={''.join(self._formula)}")
        match self._kind:
            case "s":
                return Shared(int(raw)) if raw.isascii() and raw.isdigit() and len(raw) < 10 else None
            case "str" | "inlineStr":
                return text_value(self._own_text(raw)) if raw else None
            case "e":
                return Broken("error", raw[:40] or "#N/A")
            case "b":
                return "VERDADERO" if raw == "1" else "FALSO"
            case "d":
                return raw[:40]
            case _:
                return self._number(raw.strip()) if raw.strip() else None

    def _number(self, raw: str) -> Value:
        key = (raw, self._style)
        if key in self._kept:
            return self._kept[key]
        form = self.formats[self._style] if self._style < len(self.formats) else GENERAL
        found = number_value(raw, form, is_1904=self.is_1904)
        if len(self._kept) < _MOST_KEPT:
            self._kept[key] = found
        return found

    def _own_text(self, raw: str) -> str:
        found = unescaped(raw[:LONGEST_TEXT])
        key = (found, -1)
        if len(found) <= _LONGEST_KEPT:
            if key in self._kept:
                return str(self._kept[key])
            if len(self._kept) < _MOST_KEPT:
                self._kept[key] = found
        self._n_text += len(found)
        if self._n_text > MOST_TEXT:
            raise too_much_text(self.path)
        return found

    def _add_block(self, ref: str) -> None:
        first, _, last = ref.partition(":")
        ends = _REFERENCE.fullmatch(first), _REFERENCE.fullmatch(last or first)
        if ends[0] and ends[1] and len(self.blocks) < _MOST_BLOCKS:
            rows = int(ends[0][2]), int(ends[1][2])
            self.blocks.append(Block(rows[0], column_number(ends[0][1]), rows[1], column_number(ends[1][1])))


def unescaped(text: str) -> str:
    """``_x000D_`` stands for a character that XML cannot hold."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


# -- shared texts ------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _TextsReader:
    """Takes the elements of the shared texts and keeps those that are wanted."""

    path: str
    wanted: set[int]
    found: dict[int, str] = field(default_factory=dict)
    _index: int = -1
    _n_taken: int = 0
    _is_taking: bool = False
    _n_phonetic: int = 0
    _pieces: list[str] = field(default_factory=list)
    _n_text: int = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if name == "t":
            self._is_taking = self._index in self.wanted and not self._n_phonetic
        elif name == "si":
            self._index += 1
            self._pieces, self._n_taken = [], 0
        elif name == "rPh":
            self._n_phonetic += 1

    def end(self, name: str) -> None:
        if name == "t":
            self._is_taking = False
        elif name == "rPh":
            self._n_phonetic -= 1
        elif name == "si" and self._index in self.wanted:
            text = unescaped("".join(self._pieces)[:LONGEST_TEXT])
            self.found[self._index] = text
            self._n_text += len(text)
            if self._n_text > MOST_TEXT:
                raise too_much_text(self.path)
            if len(self.found) == len(self.wanted):
                raise Enough

    def text(self, text: str) -> None:
        if self._is_taking:
            if self._n_taken < LONGEST_TEXT:
                self._pieces.append(text)
            self._n_taken += len(text)


def _shared_in(rows: Sequence[Raw]) -> Iterator[Shared]:
    return (cell for _, cells in rows for cell in cells if type(cell) is Shared)


def _resolved(rows: list[Raw], texts: dict[int, str]) -> list[tuple[int, tuple[Value, ...]]]:
    values = {index: text_value(text) or None for index, text in texts.items()}
    return [
        (number, tuple(values.get(cell.at) if type(cell) is Shared else cell for cell in cells))
        for number, cells in rows
    ]
