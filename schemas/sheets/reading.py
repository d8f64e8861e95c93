"""
Reading the cells of one document: its head, which all its rows share, and the cells of each row.

What cannot be read is entered as a fault of the document, and left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from schemas.sheets import values
from schemas.sheets.cells import Value, shown
from schemas.sheets.faults import Fault, Problem, empty
from schemas.sheets.fields import fold
from schemas.sheets.places import keys_of
from schemas.sheets.sheet import Sheet
from schemas.sheets.values import Read


@dataclass(slots=True)
class SheetDocument:
    """A document, and where everything in it stands."""

    sheet: Sheet
    reference: str
    positions: list[int]
    payload: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def row(self) -> int:
        """The number of its first row."""
        return self.sheet.row(self.positions[0])

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

    # -- the head ------------------------------------------------------------------------------------------------------
    def cell(self, key: str) -> tuple[Value, int]:
        """The value of a column of the head and its row. Empty cells inherit; rows that differ are a fault."""
        found: Value = None
        place = self.document.positions[0]
        for position in self.document.positions:
            value = self.sheet.value(position, key)
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
        one = self.sheet.field(key)
        read: Read | Problem
        if one.kind == "date":
            style = self.sheet.styles.get(key)
            read = Read("") if style and style.unusable else values.day(value)
        elif one.kind == "code":
            read = values.code(one, value, self.family)
        elif one.kind == "digits":
            found = values.digits(one, value)
            read = found if isinstance(found, Problem) else Read(found.number)
        else:
            read = values.text(one, value)
        return self._taken(read, position, key)

    def _taken(self, read: Read | Problem, position: int, key: str) -> str:
        if isinstance(read, Problem):
            self.tell(position, key, read)
            return ""
        if read.restored:
            seen = shown(self.sheet.value(position, key))
            self.remark(
                position, key, Problem("SHT-103", f"Se repusieron ceros a la izquierda: {seen} → {read.value}.")
            )
        return read.value

    def whole(self, key: str) -> int | None:
        if not self.sheet.has(key):
            return None
        value, position = self.cell(key)
        if value is None:
            return None
        found = values.whole(value)
        if isinstance(found, Problem):
            self.tell(position, key, found)
            return None
        return found

    def optional(self, key: str) -> str:
        return self.header(key) if self.sheet.has(key) else ""

    def line_text(self, position: int, key: str) -> str:
        value = self.sheet.value(position, key)
        one = self.sheet.field(key)
        if value is None:
            if one.is_required and self.sheet.has(key):
                self.tell(position, key, empty(f"{'la' if one.label.startswith('D') else 'el'} {one.label.lower()}"))
            return ""
        read = values.code(one, value, self.family) if one.kind == "code" else values.text(one, value)
        return self._taken(read, position, key)

    def number(self, position: int, key: str, *, is_needed: bool = True) -> Decimal | None:
        value = self.sheet.value(position, key)
        if value is None:
            if is_needed and self.sheet.has(key):
                self.tell(
                    position, key, empty(f"{'la' if key == 'quantity' else 'el'} {self.sheet.field(key).label.lower()}")
                )
            return None
        style = self.sheet.styles[key]
        read = values.percent(value, style) if key == "discount_rate" else values.amount(value, style)
        if isinstance(read, Problem):
            self.tell(position, key, read)
            return None
        return read

    def tax(self, position: int, key: str) -> str:
        value = self.sheet.value(position, key) if self.sheet.has(key) else None
        if value is None or self.sheet.styles[key].unusable:
            return ""
        read = values.tax(value, self.sheet.styles[key], self.sheet.profile)
        if isinstance(read, Problem):
            self.tell(position, key, read)
            return ""
        return read

    # -- telling -------------------------------------------------------------------------------------------------------
    def is_filled(self, key: str) -> bool:
        """Whether any row of the document has something in a column, be it wrong."""
        return any(self.sheet.value(position, key) is not None for position in self.document.positions)

    def tell(self, position: int, key: str, problem: Problem) -> None:
        self.document.faults.append(self.sheet.fault(position, key, problem, self.document.reference))

    def remark(self, position: int, key: str, problem: Problem) -> None:
        self.sheet.remark(self.sheet.fault(position, key, problem, self.document.reference))

    def infer(self, key: str, text: str) -> None:
        position = self.document.positions[0] if self.sheet.has(key) else None
        self.sheet.remark(self.sheet.fault(position, key, Problem("SHT-104", text)))


def _short(value: Value) -> str:
    text = " ".join(shown(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
