"""
From a file to the one table of it that holds documents: its kind by its content, the sheet by its headings.

Loads nothing of the models: a file that cannot be taken is refused before they are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from schemas.names import ISSUE, family_of, job_type_of, verb_of
from schemas.sheets.cells import Value
from schemas.sheets.fields import FAMILIES
from schemas.sheets.headings import OF_DOCUMENTS, MapRefused, fit, known_headings
from schemas.sheets.sheet import Options
from schemas.sheets.table import Table
from worker.bounded_files import FileUnusable, opened
from worker.cli.bilingual import say
from worker.cli.files.limits import MOST_BYTES, MOST_SHEETS, MOST_XLS_BYTES, FileRefused, too_many_bytes
from worker.cli.files.tables import Score, Workbook

_HEAD_ROWS: Final = 20
_LEAST_KNOWN: Final = 3
_ZIPS: Final = (b"PK\x03\x04", b"PK\x05\x06")
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MARKUP: Final = re.compile(rb"<(!doctype html|html|table|body|meta|style|head)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SheetOptions:
    """What the user says about spreadsheets."""

    options: Options = field(default_factory=Options)
    sheet: str = ""
    encoding: str = ""


def read_table(path: str, job_type: str, how: SheetOptions) -> Table:
    """
    Read the sheet of a file that holds documents.

    Raises:
        FileRefused: No spreadsheet, one that is too large, or none of its sheets can be chosen.
    """
    family = family_of(job_type)
    if family not in FAMILIES or verb_of(job_type) != ISSUE:
        names = ", ".join(job_type_of(one, ISSUE) for one in FAMILIES)
        raise FileRefused(f"{path}: una hoja de cálculo sirve para --type {names}, no para {job_type}")
    try:
        known = known_headings(family, how.options.mapped, how.options.profile)
    except MapRefused as exc:
        raise FileRefused(f"--map {exc}") from exc

    def score(cells: Sequence[Value]) -> int:
        return fit(cells, known)

    return read_sheet(path, score, how)


def read_sheet(path: str, score: Score, how: SheetOptions) -> Table:
    """
    Read the sheet of a file whose headings fit best.

    Raises:
        FileRefused: No spreadsheet, one that is too large, or none of its sheets can be chosen.
    """
    with _workbook(path, how.encoding, score) as book:
        return book.read(_chosen(path, book, how.sheet, score))


@contextmanager
def _workbook(path: str, encoding: str, score: Score) -> Iterator[Workbook]:
    try:
        with opened(path, most=1 << 62) as file:
            yield _book(path, file, encoding, score)
    except FileUnusable as exc:
        raise FileRefused(f"{path}: {say(exc.es, str(exc))}") from exc


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
    if head.startswith(b"MIME-Version:"):
        raise FileRefused(f"{path}: es una página web archivada con nombre de Excel; ábrala y guárdela como .xlsx")
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
