"""
Tables of documents as jobs: a row for each document.

What is wrong with cells comes along with the rows, as errors that name sheet, cell, heading and value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.names import family_of
from schemas.sheets.documents import documents
from schemas.sheets.faults import Fault, Problem
from schemas.sheets.reading import SheetDocument
from schemas.sheets.sheet import Options, Sheet, open_sheet
from schemas.sheets.table import Table
from worker.cli.files.cell_errors import CellError
from worker.cli.files.job_files import AboutFile, FileRow, Row
from worker.cli.files.workbooks import SheetOptions

_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_SLUG: Final = 40
_NAMED_KEYS: Final = re.compile(r' \("[a-z_.0-9]+"\)')


def error_of(
    fault: Fault, code: str = "payload.invalid", field: str | None = None, rule: str | None = None
) -> CellError:
    """A fault as it is told."""
    return CellError(
        code=code,
        message=fault.message,
        field=field,
        rule=rule or fault.rule,
        file=fault.file,
        sheet=fault.sheet,
        cell=fault.cell,
        heading=fault.heading,
        value=fault.value or None,
        reference=fault.reference,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow(Row):
    """A document of a spreadsheet. Its value is the payload of what could be read."""

    document: SheetDocument

    @property
    def place(self) -> str:
        """Its first row: ``Facturas!A2``."""
        return f"{self.document.sheet.table.sheet}!A{self.line}"

    @property
    def is_of_sheet(self) -> bool:
        return True

    @property
    def is_sound(self) -> bool:
        """Whether every cell of it could be read, and no row that may belong to it is without its reference."""
        sheet = self.document.sheet
        return not (self.document.faults or sheet.is_broken or self.document.reference in sheet.suspects)

    @property
    def n_untold(self) -> int:
        return self.document.n_faults - len(self.document.faults)

    def told(self, errors: tuple[ErrorDetail, ...]) -> tuple[ErrorDetail, ...]:
        """Its cells that cannot be read, and what else is wrong at other cells."""
        own = [error_of(fault) for fault in self.document.faults]
        others = [located(self.document, one) for one in errors if not self.document.is_told(one.field or "")]
        return (*own, *others)

    def told_warnings(self, warnings: tuple[ErrorDetail, ...]) -> tuple[ErrorDetail, ...]:
        return tuple(located(self.document, one) for one in warnings if not self.document.is_told(one.field or ""))

    def forget(self) -> None:
        self.document.payload.clear()
        self.document.faults.clear()

    def steady_id(self, envelope: dict[str, Any]) -> str:
        """
        An id that follows from the name of the file, the reference and all that the job says.

        A file that is pushed again sends what is new or has changed: the rest is known by its id.
        """
        stem, reference = Path(self.source).stem, self.document.reference
        told = {key: value for key, value in envelope.items() if key not in ("id", "batch_size")}
        digest = hashlib.sha256("\n".join((stem, reference, strict_json.dump(told))).encode()).hexdigest()
        return f"{_slug(stem)}.{_slug(reference)}.{digest[:24]}"


def _slug(text: str) -> str:
    return _NOT_IN_ID.sub("-", text)[:_LONGEST_SLUG] or "-"


def rows_of(path: str, table: Table, job_type: str, how: SheetOptions) -> Iterator[FileRow]:
    """The documents of a table, and what is said of it as a whole: errors first, warnings at the end."""
    found = _opened(path, table, family_of(job_type), how.options)
    if found.faults:
        n_untold = found.sheet.n_faults - len(found.faults) if found.sheet else 0
        yield AboutFile(path, found.faults[0].row, errors=tuple(found.faults), n_untold=n_untold)
    for document in found.documents():
        yield SheetRow(path, document.row, value=document.payload, document=document)
    if warnings := found.warnings():
        yield AboutFile(path, warnings[0].row, warnings=tuple(warnings))


def located(document: SheetDocument, detail: ErrorDetail) -> CellError:
    """An error of the validation at its cell; the keys of the payload are no words for who fills in a sheet."""
    message = _NAMED_KEYS.sub("", detail.message)
    fault = document.locate(detail.field or "", Problem(detail.rule or "", message))
    return error_of(fault, detail.code, detail.field, detail.rule)


@dataclass(slots=True)
class SpreadsheetFile:
    """One file: its documents, made one at a time, and what is said of the file as a whole."""

    path: str
    sheet: Sheet | None = None
    faults: list[CellError] = field(default_factory=list)

    def documents(self) -> Iterator[SheetDocument]:
        return documents(self.sheet) if self.sheet else iter(())

    def warnings(self) -> list[CellError]:
        """Complete once all documents have been made."""
        return [error_of(one, "payload.warning") for one in self.sheet.warnings()] if self.sheet else []


def _opened(path: str, table: Table, family: str, options: Options) -> SpreadsheetFile:
    found = open_sheet(table, family, options)
    if isinstance(found, Fault):
        return SpreadsheetFile(path, None, [error_of(found)])
    return SpreadsheetFile(path, found, [error_of(fault) for fault in found.faults])
