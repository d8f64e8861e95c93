"""
The files that ``check`` and ``submit`` take: JSON, and spreadsheets, whose readers are loaded for them only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from worker.cli.bilingual import say
from worker.cli.console import spoken
from worker.cli.files.job_files import STANDARD_INPUT, FileRow, read_json
from worker.cli.files.limits import MOST_ROWS, FileRefused, counted
from worker.cli.progress import announced

if TYPE_CHECKING:
    from worker.cli.files.workbooks import SheetOptions

SPREADSHEETS: Final = (".csv", ".ods", ".tsv", ".txt", ".xls", ".xlsb", ".xlsm", ".xlsx")
"""Names of what is read as one, or refused with what to do about it."""


def is_spreadsheet(path: str) -> bool:
    """Whether a file is to be read as a spreadsheet; what it holds decides what kind of one."""
    return path != STANDARD_INPUT and Path(path).suffix.lower() in SPREADSHEETS


def read_rows(
    path: str, stdin: BinaryIO, job_type: str = "invoice.issue", how: SheetOptions | None = None
) -> Iterator[FileRow]:
    """
    The objects of one file, in order.

    Args:
        path: A ``.json`` file (one object, or an array of them), a ``.jsonl`` file, ``-`` for either on *stdin*, or a
            spreadsheet (``.csv``, ``.xlsx``, ``.xls``).
        job_type: What the rows of a spreadsheet are.
        how: What the user says about spreadsheets.

    Raises:
        FileRefused: Another kind of file, one that cannot be opened, or one that is too large.
    """
    if not is_spreadsheet(path):
        return read_json(path, stdin)
    from worker.cli.files.workbooks import SheetOptions, read_table

    how = how or SheetOptions()
    with announced(lambda: spoken().say(f"Leyendo {path} …", f"Reading {path} ...")):
        table = read_table(path, job_type, how)
    # Afterwards: it loads the models, which take longer than to refuse a file.
    from worker.cli.files.spreadsheets import rows_of

    return rows_of(path, table, job_type, how)


def read_all(
    paths: Sequence[str],
    stdin: BinaryIO,
    job_type: str = "invoice.issue",
    how: SheetOptions | None = None,
    *,
    most: int = MOST_ROWS,
) -> Iterator[FileRow]:
    """
    The objects of several files, in order.

    Raises:
        FileRefused: As :func:`read_rows`, and where they hold more than *most* together.
    """
    n_rows = 0
    for path in paths:
        for row in read_rows(path, stdin, job_type, how):
            n_rows += 1
            if n_rows > most:
                n = counted(most)
                raise FileRefused(
                    f"{path}: "
                    + say(
                        f"más de {n} trabajos a la vez; envíelos por partes",
                        f"more than {most:,} jobs at once; push them in parts",
                    )
                )
            yield row


def begun(rows: Iterator[FileRow]) -> Iterator[FileRow]:
    """
    The same rows, of which the first has been read.

    Raises:
        FileRefused: At once, where the first file cannot be read.
    """
    first = next(rows, None)
    return chain([] if first is None else [first], rows)
