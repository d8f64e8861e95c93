"""
Reading the cells of one document: its head, which all its rows share, and the cells of each row.

What cannot be read is entered as a fault of the document, and left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, TypeVar

from schemas.sheets import values
from schemas.sheets.cells import Value, shown
from schemas.sheets.faults import Fault, Problem, empty
from schemas.sheets.fields import Field, fold
from schemas.sheets.places import keys_of
from schemas.sheets.sheet import Sheet
from schemas.sheets.values import Identified, Read

MOST_LINES: Final = 8_000
"""Lines of a document: the shortest that there can be take a megabyte together, and no job has more."""

MOST_TEXT: Final = 2 * 1024 * 1024
"""Characters of all texts of a document."""

_MOST_FAULTS: Final = 500
_MOST_SEARCHED: Final = 300
_MOST_KNOWN: Final = 2_000
_LONGEST_KNOWN: Final = 80

_T = TypeVar("_T")


@dataclass(slots=True)
class SheetDocument:
    """A document, and where everything in it stands."""

    sheet: Sheet
    reference: str
    positions: list[int]
    payload: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    """What cannot be read; the first of it, where there is very much."""
    n_faults: int = 0
    is_unread: bool = False
    """Whether its rows are too many to be read at all."""
    row: int = 0
    """The number of its first row."""

    def locate(self, path: str, problem: Problem) -> Fault:
        """The cell that an error of the validation is about."""
        line, keys = keys_of(path)
        among = self.positions if line is None or line >= len(self.positions) else [self.positions[line]]
        for key in keys:
            filled = next((one for one in among if self.sheet.value(one, key) is not None), None)
            if filled is not None:
                return self.sheet.fault(filled, key, problem, self.reference)
        key = next((one for one in keys if self.sheet.has(one)), "reference_code")
        return self.sheet.fault(among[0], key, problem, self.reference)

    def is_told(self, path: str) -> bool:
        """Whether something is known to be wrong with the cell that an error is about, or with what it rests on."""
        if self.is_unread:
            return True
        _, keys = keys_of(path)
        if self.sheet.is_broken and not any(map(self.sheet.has, keys)):
            return True
        if path.endswith("identification_document_code") and any(one.rule == "SHT-020" for one in self.faults):
            return True
        found = self.locate(path, Problem("", ""))
        return any((one.row, one.column) == (found.row, found.column) for one in self.faults)


class DocumentReader:
    """The cells of one document."""

    def __init__(self, document: SheetDocument) -> None:
        self.document = document
        self.sheet = document.sheet
        self.family = document.sheet.family
        self._columns = self.sheet.headings.columns
        self._rows: dict[int, tuple[Value, ...]] = {}

    def load(self) -> bool:
        """Read the rows; False where they are more than any document can hold."""
        used = sorted({*self._columns.values()})
        self._columns = {key: used.index(column) for key, column in self._columns.items()}
        n_text = 0
        self.document.row = self.sheet.row(self.document.positions[0])
        if len(self.document.positions) > MOST_LINES:
            return False
        for position in self.document.positions:
            _, row = self.sheet.table.rows.at(position, used)
            n_text += sum([len(cell) for cell in row if type(cell) is str])
            if n_text > MOST_TEXT:
                self._rows.clear()
                return False
            self._rows[position] = row
        return True

    def value(self, position: int, key: str) -> Value:
        """What stands in a column of a row; None also where there is no such column."""
        column = self._columns.get(key)
        return None if column is None else self._rows[position][column]

    # -- the head ------------------------------------------------------------------------------------------------------
    def cell(self, key: str) -> tuple[Value, int]:
        """The value of a column of the head and its row. Empty cells inherit; rows that differ are a fault."""
        found: Value = None
        place = self.document.positions[0]
        column = self._columns.get(key)
        if column is None:
            return found, place
        for position, cells in self._rows.items():
            value = cells[column]
            if value is None:
                continue
            if found is None:
                found, place = value, position
            elif value != found and fold(shown(value)) != fold(shown(found)):
                text = (
                    f"La fila {self.sheet.row(position)} dice «{_short(value)}» y la fila {self.sheet.row(place)} dice "
                    f"«{_short(found)}», y son del mismo documento ({self.document.reference}): deje el mismo valor."
                )
                self.tell(position, key, Problem("SHT-005", text))
                break
        return found, place

    def header(self, key: str) -> str:
        """A text, date or code of the head, as the payload has it; empty where there is none."""
        value, position = self.cell(key)
        if value is None:
            return ""
        return self._taken(self._once(key, value, self._read_header), position, key)

    def _read_header(self, one: Field, value: Value) -> Read | Problem:
        if one.kind == "date":
            style = self.sheet.styles.get(one.key)
            return Read("") if style and style.unusable else values.day(value)
        if one.kind == "code":
            return self._read_code(one, value)
        if one.kind == "digits":
            found = values.digits(one, value)
            return found if isinstance(found, Problem) else Read(found.number)
        return values.text(one, value)

    def _read_code(self, one: Field, value: Value) -> Read | Problem:
        found = values.code(one, value, self.family, is_searched=self.sheet.n_searched < _MOST_SEARCHED)
        # A whole column of wrong names needs no advice for each: two hundred thousand searches take half an hour.
        self.sheet.n_searched += isinstance(found, Problem)
        return found

    def _once(self, key: str, value: Value, read: Callable[[Field, Value], _T]) -> _T:
        """What a value of a column says. Most stand in many rows, and say the same in each."""
        known: dict[Value, _T] = self.sheet.known_values.setdefault(key, {})
        found = known.get(value)
        if found is None:
            found = read(self.sheet.field(key), value)
            if len(known) < _MOST_KNOWN and not (type(value) is str and len(value) > _LONGEST_KNOWN):
                known[value] = found
        return found

    def _taken(self, read: Read | Problem, position: int, key: str) -> str:
        if isinstance(read, Problem):
            self.tell(position, key, read)
            return ""
        if read.restored:
            seen = shown(self.value(position, key))
            self.remark(
                position, key, Problem("SHT-103", f"Se repusieron ceros a la izquierda: {seen} → {read.value}.")
            )
        return read.value

    def identity(self) -> tuple[Identified | Problem | None, int]:
        """The identification and its row; None where there is none."""
        value, position = self.cell("identification")
        return (None if value is None else self._once("identification", value, values.digits)), position

    def whole(self, key: str) -> int | None:
        value, position = self.cell(key)
        if value is None:
            return None
        found = values.whole(value)
        if isinstance(found, Problem):
            self.tell(position, key, found)
            return None
        return found

    def optional(self, key: str) -> str:
        return self.header(key) if key in self._columns else ""

    # -- the lines -----------------------------------------------------------------------------------------------------
    def line_text(self, position: int, key: str) -> str:
        value = self.value(position, key)
        if value is None:
            one = self.sheet.field(key)
            if one.is_required and self.sheet.has(key):
                self.tell(position, key, empty(f"{'la' if one.label.startswith('D') else 'el'} {one.label.lower()}"))
            return ""
        return self._taken(self._once(key, value, self._read_line), position, key)

    def _read_line(self, one: Field, value: Value) -> Read | Problem:
        return self._read_code(one, value) if one.kind == "code" else values.text(one, value)

    def number(self, position: int, key: str, *, is_needed: bool = True) -> Decimal | None:
        value = self.value(position, key)
        if value is None:
            if is_needed and self.sheet.has(key):
                self.tell(
                    position, key, empty(f"{'la' if key == 'quantity' else 'el'} {self.sheet.field(key).label.lower()}")
                )
            return None
        read = self._once(key, value, self._read_number)
        if isinstance(read, Problem):
            self.tell(position, key, read)
            return None
        return read

    def _read_number(self, one: Field, value: Value) -> Decimal | Problem:
        style = self.sheet.styles[one.key]
        return values.percent(value, style) if one.kind == "percent" else values.amount(value, style)

    def tax(self, position: int, key: str) -> str:
        value = self.value(position, key)
        if value is None or self.sheet.styles[key].unusable:
            return ""
        read = self._once(key, value, self._read_tax)
        if isinstance(read, Problem):
            self.tell(position, key, read)
            return ""
        return read

    def _read_tax(self, one: Field, value: Value) -> str | Problem:
        return values.tax(value, self.sheet.styles[one.key], self.sheet.profile)

    # -- telling -------------------------------------------------------------------------------------------------------
    def is_filled(self, key: str) -> bool:
        """Whether any row of the document has something in a column, be it wrong."""
        column = self._columns.get(key)
        return column is not None and any(cells[column] is not None for cells in self._rows.values())

    def tell(self, position: int, key: str, problem: Problem) -> None:
        document = self.document
        document.n_faults += 1
        if len(document.faults) < _MOST_FAULTS:
            document.faults.append(self.sheet.fault(position, key, problem, document.reference))

    def remark(self, position: int, key: str, problem: Problem) -> None:
        self.sheet.remark(self.sheet.fault(position, key, problem, self.document.reference))

    def infer(self, key: str, text: str) -> None:
        position = self.document.positions[0] if self.sheet.has(key) else None
        self.sheet.remark(self.sheet.fault(position, key, Problem("SHT-104", text)))


def _short(value: Value) -> str:
    text = " ".join(shown(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
