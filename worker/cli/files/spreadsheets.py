"""
Spreadsheets as jobs: the kind of a file by its content, the sheet by its headings, a row for each document.

What is wrong with cells comes along with the rows, as errors that name sheet, cell, heading and value.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.sheets.cells import Value
from schemas.sheets.documents import documents
from schemas.sheets.faults import Fault, Problem
from schemas.sheets.fields import FAMILIES
from schemas.sheets.headings import OF_DOCUMENTS, MapRefused, fit, known_headings
from schemas.sheets.reading import SheetDocument
from schemas.sheets.sheet import Options, Sheet, open_sheet
from schemas.sheets.table import Table
from worker.bounded_files import FileUnusable, opened
from worker.cli.files.cell_errors import CellError
from worker.cli.files.job_files import AboutFile, FileRow, Row
from worker.cli.files.limits import MOST_BYTES, MOST_SHEETS, MOST_XLS_BYTES, FileRefused, too_many_bytes
from worker.cli.files.tables import Score, Workbook

_HEAD_ROWS: Final = 20
_LEAST_KNOWN: Final = 3
_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_SLUG: Final = 40
_ZIPS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = re.compile(rb"<(!doctype html|html|table|body|meta|style|head)\b", re.IGNORECASE)
_NAMED_KEYS: Final = re.compile(r' \("[a-z_.0-9]+"\)')


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """What the user says about spreadsheets."""

    options: Options = field(default_factory=Options)
    sheet: str = ""
    encoding: str = ""


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


def rows_of(path: str, job_type: str, how: SheetOptions) -> Iterator[FileRow]:
    """
    The documents of a spreadsheet, and what is said of it as a whole: errors first, warnings at the end.

    Raises:
        FileRefused: No spreadsheet, one that is too large, or none of its sheets can be chosen.
    """
    found = read_spreadsheet(path, job_type, how)

    def rows() -> Iterator[FileRow]:
        if found.faults:
            n_untold = found.sheet.n_faults - len(found.faults) if found.sheet else 0
            yield AboutFile(path, found.faults[0].row, errors=tuple(found.faults), n_untold=n_untold)
        for document in found.documents():
            yield SheetRow(path, document.row, value=document.payload, document=document)
        if warnings := found.warnings():
            yield AboutFile(path, warnings[0].row, warnings=tuple(warnings))

    return rows()


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


def read_spreadsheet(path: str, job_type: str, how: SheetOptions) -> SpreadsheetFile:
    """
    Read the sheet of a file that holds documents.

    Raises:
        FileRefused: No spreadsheet, one that is too large, or none of its sheets can be chosen.
    """
    family, _, verb = job_type.partition(".")
    if family not in FAMILIES or verb != "issue":
        names = ", ".join(f"{one}.issue" for one in FAMILIES)
        raise FileRefused(f"{path}: una hoja de cálculo sirve para --type {names}, no para {job_type}")
    try:
        known = known_headings(family, how.options.mapped, how.options.profile)
    except MapRefused as exc:
        raise FileRefused(f"--map {exc}") from exc

    def score(cells: Sequence[Value]) -> int:
        return fit(cells, known)

    with _workbook(path, how.encoding, score) as book:
        table = book.read(_chosen(path, book, how.sheet, score))
    return _opened(path, table, family, how.options)


def _opened(path: str, table: Table, family: str, options: Options) -> SpreadsheetFile:
    found = open_sheet(table, family, options)
    if isinstance(found, Fault):
        return SpreadsheetFile(path, None, [error_of(found)])
    return SpreadsheetFile(path, found, [error_of(fault) for fault in found.faults])


@contextmanager
def _workbook(path: str, encoding: str, score: Score) -> Iterator[Workbook]:
    try:
        with opened(path, most=1 << 62) as file:
            yield _book(path, file, encoding, score)
    except FileUnusable as exc:
        raise FileRefused(f"{path}: {exc}") from exc


def _book(path: str, file: BinaryIO, encoding: str, score: Score) -> Workbook:
    """The reader for what a file is, whatever it is called."""
    n_bytes = file.seek(0, 2)
    if n_bytes > MOST_BYTES:
        raise too_many_bytes(path, n_bytes)
    if not n_bytes:
        raise FileRefused(f"{path}: está vacío")
    file.seek(0)
    head = file.read(4096)
    if head.startswith(_ZIPS):
        from worker.cli.files.xlsx_archive import open_archive
        from worker.cli.files.xlsx_reader import Xlsx

        return Xlsx(open_archive(path, file))
    if head.startswith(_OLE):
        from worker.cli.files.xls_reader import Xls

        if n_bytes > MOST_XLS_BYTES:
            most = MOST_XLS_BYTES // 1024**2
            raise FileRefused(
                f"{path}: ocupa {n_bytes // 1024**2} MB, y {most} un .xls como máximo; guárdelo como .xlsx"
            )
        file.seek(0)
        return Xls(path, file.read())
    _refuse_others(path, head)
    from worker.cli.files.delimited import Delimited

    return Delimited(path, file, encoding, score)


def _refuse_others(path: str, head: bytes) -> None:
    if head.startswith(b"%PDF"):
        raise FileRefused(f"{path}: es un PDF; hace falta la hoja de cálculo")
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head:
        raise FileRefused(f"{path}: es XML de Excel 2003; ábralo en Excel y guárdelo como .xlsx")
    if _MARKUP.search(head) and head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        raise FileRefused(f"{path}: es una página HTML con nombre de Excel; ábralo en Excel y guárdelo como .xlsx")


def _chosen(path: str, book: Workbook, wanted: str, score: Score) -> str:
    """
    The one sheet that has documents.

    Raises:
        FileRefused: There is none of that name; or several that could be meant.
    """
    sheets = book.sheets()
    names = [one.name for one in sheets]
    if not names:
        raise FileRefused(f"{path}: no tiene hojas")
    if wanted:
        close = [name for name in names if name.casefold().strip() == wanted.casefold().strip()]
        if not close:
            raise FileRefused(f"{path}: no tiene la hoja {wanted!r}; tiene: {_listed(names)}")
        return close[0]
    visible = [one.name for one in sheets if one.is_visible]
    if not visible:
        raise FileRefused(f"{path}: no tiene hojas visibles; tiene: {_listed(names)}. Indique una con --sheet")
    if len(visible) == 1:
        return visible[0]
    heads = book.heads(visible[:MOST_SHEETS], _HEAD_ROWS)
    scores = {name: max((score(cells) for _, cells in rows), default=0) for name, rows in heads.items()}
    # A sheet of codes has headings that are known as well, but no reference and no lines.
    least = OF_DOCUMENTS if any(one >= OF_DOCUMENTS for one in scores.values()) else _LEAST_KNOWN
    fitting = [name for name in visible if scores.get(name, 0) >= least]
    if len(fitting) > 1:
        raise FileRefused(f"{path}: varias hojas tienen documentos: {_listed(fitting)}. Indique una con --sheet")
    return fitting[0] if fitting else visible[0]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return f"{shown} y {len(names) - 10} más" if len(names) > 10 else shown
