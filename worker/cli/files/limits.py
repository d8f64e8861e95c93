"""
How large a spreadsheet may be, and the refusal of one that is larger: told with its number, before it is read.
"""

from __future__ import annotations

from typing import Final

from jobs.errors import ServiceError
from schemas.sheets.cells import address

MOST_BYTES: Final = 300 * 1024 * 1024
"""Of the file, and of what is in it once it is unpacked."""

MOST_ROWS: Final = 200_000
MOST_CELLS: Final = 5_000_000
MOST_PACKED: Final = 40 * 1024 * 1024
"""Bytes of what is kept of a sheet, packed: 200,000 rows of 20 columns have some 12 MB."""

MOST_XLS_BYTES: Final = 24 * 1024 * 1024
"""The old format is not packed: 65,536 rows of 22 columns have about 20 MB."""

MOST_XLS_CELLS: Final = 1_500_000
MOST_XLS_TEXTS: Final = 600_000
"""Different ones. Its reader holds every cell and text as an object."""

MOST_PARTS: Final = 5_000
MOST_SHEETS: Final = 60
LONGEST_TEXT: Final = 32_767
"""What a cell of Excel can hold."""

LONGEST_ROW: Final = 1024 * 1024
"""Characters in the texts of one row; no job has more."""


class FileRefused(ServiceError):
    """A file that cannot be read as jobs. The message names the file, and the line where there is one."""


def counted(n: int) -> str:
    """A number as it is written in Colombia: ``1.048.576``."""
    return f"{n:,}".replace(",", ".")


def too_many_bytes(path: str, n: int) -> FileRefused:
    found = counted(-(-n // (1024 * 1024)))
    return FileRefused(
        f"{path}: ocupa {found} MB sin comprimir y el máximo es {MOST_BYTES // (1024 * 1024)} MB; divida el archivo"
    )


def too_many_rows(path: str, n: int) -> FileRefused:
    return FileRefused(f"{path}: tiene {counted(n)} filas o más y el máximo es {counted(MOST_ROWS)}; divida el archivo")


def too_many_cells(path: str, n: int) -> FileRefused:
    return FileRefused(
        f"{path}: tiene {counted(n)} celdas o más y el máximo es {counted(MOST_CELLS)}; deje solo las columnas que se "
        "usan, o divida el archivo"
    )


def too_large_xls(path: str, n: int, what: str, most: int) -> FileRefused:
    return FileRefused(f"{path}: tiene {counted(n)} {what}, y {counted(most)} un .xls como máximo; guárdelo como .xlsx")


def too_much_content(path: str) -> FileRefused:
    most = MOST_PACKED // (1024 * 1024)
    return FileRefused(f"{path}: su contenido ocupa más de {most} MB aun comprimido; divida el archivo")


def far_cell(path: str, sheet: str, row: int, column: int) -> FileRefused:
    """For a used area that is too large because of one cell far out."""
    n = row * (column + 1)
    return FileRefused(
        f"{path}: la celda {sheet}!{address(row, column)} está muy lejos de las demás y hace que la hoja tenga "
        f"{counted(row)} filas y {counted(n)} celdas (máximo {counted(MOST_ROWS)} y {counted(MOST_CELLS)}); borre las "
        "filas y columnas vacías, guarde el archivo y envíelo otra vez"
    )
