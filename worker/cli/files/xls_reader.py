"""
Reading the old .xls through xlrd, behind a guard of its own that counts cells record by record.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any, Final

from schemas.sheets.cells import Broken, Row, Value
from schemas.sheets.packed import PackedRows
from schemas.sheets.table import Block, Table
from worker.cli.files.limits import (
    MOST_CELLS,
    MOST_PACKED,
    MOST_XLS_CELLS,
    MOST_XLS_TEXTS,
    FileRefused,
    far_cell,
    too_large_xls,
    too_much_content,
)
from worker.cli.files.number_formats import GENERAL, Format, format_of, number_value, text_value
from worker.cli.files.tables import SheetName

_ONE_CELL: Final = frozenset({0x0006, 0x00D6, 0x00FD, 0x0201, 0x0203, 0x0204, 0x0205, 0x027E})
_MULTI_NUMBER: Final = 0x00BD
_MULTI_BLANK: Final = 0x00BE
_ENCRYPTED_PACKAGE: Final = "EncryptedPackage".encode("utf-16-le")
_PASSWORD_RECORD: Final = 0x002F
_SHARED_TEXTS: Final = 0x00FC
_TEXT: Final = 1
_NUMBER: Final = 2
_DATE: Final = 3
_FLAG: Final = 4
_ERROR: Final = 5


class Xls:
    """A workbook of the old format."""

    def __init__(self, path: str, data: bytes) -> None:
        import xlrd

        self.path = path
        if _ENCRYPTED_PACKAGE in data:
            raise FileRefused(f"{path}: tiene contraseña; guárdelo sin ella")
        _measure(path, data)
        try:
            self._book: Any = xlrd.open_workbook(
                file_contents=data, logfile=io.StringIO(), formatting_info=True, on_demand=True, ragged_rows=True
            )
        except _faults() as exc:
            raise _damaged(path) from exc

    def sheets(self) -> Sequence[SheetName]:
        visible = getattr(self._book, "_sheet_visibility", [])
        return [
            SheetName(name, n >= len(visible) or visible[n] == 0) for n, name in enumerate(self._book.sheet_names())
        ]

    def heads(self, names: Sequence[str], n_rows: int) -> dict[str, list[Row]]:
        found = {}
        for name in names:
            _, rows = self._rows(name)
            found[name] = [row for row, _ in zip(rows, range(n_rows), strict=False)]
            self._book.unload_sheet(name)
        return found

    def read(self, name: str) -> Table:
        sheet, rows = self._rows(name)
        hidden = frozenset(number + 1 for number, info in sheet.rowinfo_map.items() if info.hidden)
        blocks = tuple(Block(first + 1, left, last, right - 1) for first, last, left, right in sheet.merged_cells)
        self._book.release_resources()
        return Table(self.path, name, rows, hidden, blocks)

    def _rows(self, name: str) -> tuple[Any, PackedRows]:
        try:
            sheet = self._book.sheet_by_name(name)
            return sheet, self._filled(sheet)
        except _faults() as exc:
            raise _damaged(self.path) from exc

    def _filled(self, sheet: Any) -> PackedRows:
        rows = PackedRows()
        for number in range(sheet.nrows):
            cells = [self._value(cell) for cell in sheet.row(number)]
            while cells and cells[-1] is None:
                cells.pop()
            if cells:
                rows.append(number + 1, cells)
            if rows.n_bytes > MOST_PACKED:
                raise too_much_content(self.path)
        return rows

    def _value(self, cell: Any) -> Value:
        import xlrd

        match cell.ctype:
            case c if c == _TEXT:
                return text_value(cell.value)
            case c if c in (_NUMBER, _DATE):
                return number_value(repr(cell.value), self._format(cell, c), is_1904=bool(self._book.datemode))
            case c if c == _FLAG:
                return "VERDADERO" if cell.value else "FALSO"
            case c if c == _ERROR:
                return Broken("error", xlrd.error_text_from_code.get(cell.value, "#N/A"))
            case _:
                return None

    def _format(self, cell: Any, kind: int) -> Format:
        if kind == _DATE:
            return Format(is_date=True)
        style = self._book.xf_list[cell.xf_index] if cell.xf_index is not None else None
        form = self._book.format_map.get(style.format_key) if style else None
        return format_of(style.format_key, form.format_str) if style and form else GENERAL


def _faults() -> tuple[type[Exception], ...]:
    """What xlrd raises for a damaged file."""
    import xlrd
    from xlrd.compdoc import CompDocError

    usual = (AssertionError, AttributeError, LookupError, NotImplementedError, OverflowError, TypeError, ValueError)
    return (xlrd.XLRDError, CompDocError, struct.error, MemoryError, RecursionError, *usual)


def _damaged(path: str) -> FileRefused:
    return FileRefused(f"{path}: está dañado o no es un libro de Excel; ábralo en Excel y guárdelo como .xlsx")


def _measure(path: str, data: bytes) -> None:
    """
    Count the cells of all sheets, and find the last ones, without building anything.

    Raises:
        FileRefused: Too many cells, one far out, a password, or no workbook.
    """
    from xlrd.compdoc import CompDoc

    try:
        compound = CompDoc(data, logfile=io.StringIO())
        stream = next((found for name in ("Workbook", "Book") if (found := compound.get_named_stream(name))), None)
    except _faults() as exc:
        raise _damaged(path) from exc
    if stream is None:
        raise _damaged(path)
    n_cells = last_row = last_column = at = 0
    end = len(stream)
    while at + 4 <= end:
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind == _PASSWORD_RECORD:
            raise FileRefused(f"{path}: tiene contraseña; guárdelo sin ella")
        width = _cells_of(kind, length)
        if kind == _SHARED_TEXTS and at + 12 <= end:
            (n_texts,) = struct.unpack_from("<I", stream, at + 8)
            if n_texts > MOST_XLS_TEXTS:
                raise too_large_xls(path, n_texts, "textos distintos", MOST_XLS_TEXTS)
        if width and at + 8 <= end:
            row, column = struct.unpack_from("<HH", stream, at + 4)
            n_cells += width
            last_row, last_column = max(last_row, row + 1), max(last_column, column + width - 1)
        at += 4 + length
    if n_cells > MOST_XLS_CELLS:
        raise too_large_xls(path, n_cells, "celdas", MOST_XLS_CELLS)
    if last_row * (last_column + 1) > MOST_CELLS:
        raise far_cell(path, "", last_row, last_column)


def _cells_of(kind: int, length: int) -> int:
    if kind in _ONE_CELL:
        return 1
    if kind == _MULTI_NUMBER:
        return max(length - 6, 0) // 6
    return max(length - 6, 0) // 2 if kind == _MULTI_BLANK else 0
