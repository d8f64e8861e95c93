"""
The ERP's control totals as a file: a spreadsheet, or JSON as the job takes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from schemas import strict_json
from schemas.sheets.control import fit, read_control
from schemas.sheets.faults import Fault
from schemas.sheets.sheet import Options
from worker.bounded_files import FileUnusable, opened
from worker.cli.bilingual import say
from worker.cli.files.limits import FileRefused
from worker.cli.files.workbooks import SheetOptions, read_sheet

_MOST_BYTES: Final = 1024 * 1024
_KEYS: Final = ("family", "prefix", "count", "total", "tax_amount")


def read_control_file(path: str, decimal: str = "", sheet: str = "") -> tuple[list[dict[str, Any]], list[Fault]]:
    """
    The rows of ``control`` of a file, and what is wrong with its cells.

    Raises:
        FileRefused: It cannot be read as a table, or as JSON.
    """
    if Path(path).suffix.lower() == ".json":
        return _of_json(path), []
    table = read_sheet(path, fit, SheetOptions(Options(decimal=decimal), sheet))
    found = read_control(table, decimal)
    return found.rows, found.faults


def _of_json(path: str) -> list[dict[str, Any]]:
    try:
        with opened(path, most=_MOST_BYTES) as file:
            value = strict_json.parse(file.read())
    except FileUnusable as exc:
        raise FileRefused(f"{path}: {say(exc.es, str(exc))}") from exc
    except strict_json.JsonRefused as exc:
        raise FileRefused(f"{path}: {say(f'no es JSON: {exc}', f'not JSON: {exc.en}')}") from exc
    rows = value.get("control") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        example = json.dumps([dict.fromkeys(_KEYS, "...")])
        raise FileRefused(
            f"{path}: " + say(f"debe ser una lista como {example}", f"has to be a list such as {example}")
        )
    # null and nothing are no data in a job, so without a total the day would be closed and compared with nothing.
    if not any(value not in (None, {}, []) for row in rows for value in row.values()):
        raise FileRefused(f"{path}: " + say("no tiene ningún total de control", "it holds no control total"))
    return rows
