"""
Reading .xlsx as a stream: values as a person sees them, errors and formulas without a value told from empty cells.

Nothing is held but what is used: a cell far out costs nothing, and of the shared texts only those that a sheet names
are kept (docs/decisions/0023-xlsx-is-read-as-a-stream.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.sheets.cells import Broken, Row, Value
from schemas.sheets.packed import PackedRows, PackedTexts
from schemas.sheets.table import Block, Table
from worker.cli.files.limits import (
    LONGEST_ROW,
    LONGEST_TEXT,
    MOST_CELLS,
    MOST_PACKED,
    MOST_ROWS,
    too_many_cells,
    too_many_rows,
    too_much_content,
)
from worker.cli.files.number_formats import GENERAL, Format, number_value, text_value
from worker.cli.files.tables import SheetName
from worker.cli.files.xlsx_archive import Archive, column_number, measure
from worker.cli.files.xlsx_parts import Enough, parse, read_parts, whole

_LETTERS: Final = re.compile(r"[A-Z]{1,3}", re.ASCII)
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DIGITS: Final = "0123456789"
_MOST_COLUMNS: Final = 16_384
_MOST_BLOCKS: Final = 100_000
_MOST_KEPT: Final = 10_000
_LONGEST_KEPT: Final = 40
_LEAST_OF_TEXT: Final = 5
"""Bytes that a text takes at least among the shared ones: ``<si/>``."""


class Xlsx:
    """A workbook of which only the lists are read at first."""

    def __init__(self, archive: Archive) -> None:
        self.path = archive.path
        self._archive = archive
        self._book = read_parts(archive)

    def sheets(self) -> Sequence[SheetName]:
        return self._book.sheets

    def heads(self, names: Sequence[str], n_rows: int) -> dict[str, list[Row]]:
        wanted = self._no_texts()
        found = {name: self._sheet(name, wanted, n_rows).rows for name in names}
        texts = self._texts(wanted)
        return {name: list(rows.with_texts(texts)) for name, rows in found.items()}

    def read(self, name: str) -> Table:
        measure(self._archive, self._book.parts[name], name)
        wanted = self._no_texts()
        reader = self._sheet(name, wanted)
        rows = reader.rows.with_texts(self._texts(wanted, reader.rows.n_bytes))
        return Table(self.path, name, rows, frozenset(reader.hidden), tuple(reader.blocks))

    def _no_texts(self) -> bytearray:
        """A byte for each shared text that there can be."""
        return bytearray(self._archive.size(self._book.texts) // _LEAST_OF_TEXT if self._book.texts else 0)

    def _sheet(self, name: str, wanted: bytearray, n_rows: int | None = None) -> _SheetReader:
        reader = _SheetReader(self.path, self._book.formats, self._book.is_1904, wanted, n_rows)
        parse(self._archive, self._book.parts[name], reader.start, reader.end, reader.text)
        return reader

    def _texts(self, wanted: bytearray, n_bytes: int = 0) -> Callable[[int], Value]:
        """The texts that are wanted; of what may be packed *n_bytes* are taken."""
        reader = _TextsReader(self.path, wanted, MOST_PACKED - n_bytes)
        if reader.n_wanted:
            parse(self._archive, self._book.texts, reader.start, reader.end, reader.text)
        texts = reader.found

        def text_of(number: int) -> Value:
            text = texts.get(number)
            return None if text is None else text_value(text)

        return text_of


# -- a sheet -----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _SheetReader:
    """Takes the elements of a sheet and keeps its filled rows. Of a million cells each line counts."""

    path: str
    formats: list[Format]
    is_1904: bool
    wanted: bytearray
    """Marks the shared texts that are named."""
    n_rows: int | None
    rows: PackedRows = field(default_factory=PackedRows)
    hidden: set[int] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)
    _row: int = 0
    _column: int = -1
    _cells: list[Any] = field(default_factory=list)
    _kind: str = ""
    _style: str = ""
    _is_in_cell: bool = False
    _is_taking: bool = False
    _is_inline: bool = False
    _n_phonetic: int = 0
    _has_formula: bool = False
    _raw: str = ""
    _formula: str = ""
    _is_in_formula: bool = False
    _n_cells: int = 0
    _n_text: int = 0
    _columns: dict[str, int] = field(default_factory=dict)
    _kept: dict[tuple[str, str], Value] = field(default_factory=dict)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            get = attributes.get
            letters = get("r", "").rstrip(_DIGITS)
            column = self._columns.get(letters)
            self._column = self._column_of(letters) if column is None else column
            self._kind, self._style = get("t", "n"), get("s", "0")
            self._is_in_cell = True
        elif name == "v":
            self._is_taking = self._is_in_cell
        elif name == "row":
            self._start_row(attributes)
        elif name == "t":
            self._is_taking = self._is_inline and not self._n_phonetic
        elif name == "is":
            self._is_inline = self._is_in_cell
        elif name == "f":
            self._has_formula = self._is_in_formula = self._is_in_cell
        elif name == "rPh":
            self._n_phonetic += 1
        elif name == "mergeCell":
            self._add_block(attributes.get("ref", ""))

    def text(self, text: str) -> None:
        if self._is_taking:
            if len(self._raw) < LONGEST_TEXT:  # a text of gigabytes is one cell as well
                self._raw += text
        elif self._is_in_formula and len(self._formula) < 60:
            self._formula += text[:60]

    def end(self, name: str) -> None:
        if name == "c":
            self._end_cell()
        elif name in ("v", "t"):
            self._is_taking = False
        elif name == "row":
            self._end_row()
        elif name == "f":
            self._is_in_formula = False
        elif name == "is":
            self._is_inline = False
        elif name == "rPh":
            self._n_phonetic -= 1

    def _start_row(self, attributes: dict[str, str]) -> None:
        number = whole(attributes.get("r", ""))
        self._row = number if number > self._row else self._row + 1
        self._column = -1
        self._cells = []
        self._n_text = 0
        if attributes.get("hidden") in ("1", "true"):
            self.hidden.add(self._row)

    def _end_row(self) -> None:
        cells = self._cells
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            rows = self.rows
            rows.append(self._row, cells, self._n_text)
            if len(rows) > MOST_ROWS:
                raise too_many_rows(self.path, len(rows))
            if rows.n_bytes > MOST_PACKED:
                raise too_much_content(self.path)
        self._cells = []
        if self.n_rows is not None and len(self.rows) >= self.n_rows:
            raise Enough

    def _column_of(self, letters: str) -> int:
        """The column of the letters of an address; without them it is the next one."""
        if not _LETTERS.fullmatch(letters):
            return self._column + 1
        self._columns[letters] = column_number(letters)
        return self._columns[letters]

    def _end_cell(self) -> None:
        raw, kind = self._raw, self._kind
        value: Any
        if kind == "s":
            value = self._shared(raw)
        elif kind != "n":
            value = self._of_kind(kind, raw)
        elif (value := self._kept.get((raw, self._style))) is None:
            value = self._number(raw)
        self._is_in_cell = self._has_formula = False
        self._raw = self._formula = ""
        self._n_cells += 1
        if self._n_cells > MOST_CELLS:
            raise too_many_cells(self.path, self._n_cells)
        cells, column = self._cells, self._column
        if value is None or column >= _MOST_COLUMNS:
            return
        if column >= len(cells):
            if column > len(cells):
                cells.extend([None] * (column - len(cells)))
            cells.append(value)
        else:
            cells[column] = value

    def _of_kind(self, kind: str, raw: str) -> Value:
        match kind:
            case "str" | "inlineStr":
                return self._own_text(raw) if raw else None
            case "e":
                return Broken("error", raw[:40] or "#N/A") if raw or not self._has_formula else self._unsaved()
            case "b":
                return ("VERDADERO" if raw == "1" else "FALSO") if raw or not self._has_formula else self._unsaved()
            case "d" if raw:
                return raw[:40]
            case _:
                return self._number(raw)

    def _unsaved(self) -> Broken:
        return Broken("formula", f"={self._formula}")

    def _shared(self, raw: str) -> int | None:
        try:
            number = int(raw) if len(raw) < 10 else -1
        except ValueError:
            return None
        if not 0 <= number < len(self.wanted):
            return None
        self.wanted[number] = 1
        return number

    def _number(self, raw: str) -> Value:
        if not raw.strip():
            return self._unsaved() if self._has_formula else None
        style = whole(self._style)
        form = self.formats[style] if style < len(self.formats) else GENERAL
        found = number_value(raw.strip(), form, is_1904=self.is_1904)
        if len(self._kept) < _MOST_KEPT and len(raw) <= _LONGEST_KEPT:
            self._kept[raw, self._style] = found
        return found

    def _own_text(self, raw: str) -> Value:
        found = unescaped(raw)[:LONGEST_TEXT]
        self._n_text += len(found)
        if self._n_text > LONGEST_ROW:
            raise too_much_content(self.path)
        return text_value(found)

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
    wanted: bytearray
    most: int
    """Bytes that may be packed."""
    found: PackedTexts = field(default_factory=PackedTexts)
    n_wanted: int = 0
    _index: int = -1
    _raw: str = ""
    _is_wanted: bool = False
    _is_taking: bool = False
    _n_phonetic: int = 0

    def __post_init__(self) -> None:
        self.n_wanted = self.wanted.count(1)

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if name == "t":
            self._is_taking = self._is_wanted and not self._n_phonetic
        elif name == "si":
            self._index += 1
            self._is_wanted = self._index < len(self.wanted) and self.wanted[self._index] == 1
            self._raw = ""
        elif name == "rPh":
            self._n_phonetic += 1

    def end(self, name: str) -> None:
        if name == "t":
            self._is_taking = False
        elif name == "si":
            self._end_text()
        elif name == "rPh":
            self._n_phonetic -= 1

    def _end_text(self) -> None:
        if not self._is_wanted:
            self.found.append(None)
            return
        self.found.append(unescaped(self._raw)[:LONGEST_TEXT])
        if self.found.n_bytes > self.most:
            raise too_much_content(self.path)
        self.n_wanted -= 1
        if not self.n_wanted:
            raise Enough

    def text(self, text: str) -> None:
        if self._is_taking and len(self._raw) < LONGEST_TEXT:
            self._raw += text
