"""
The generated files: in docs/ the page of job types, that of spreadsheets, the AsyncAPI document and the JSON Schemas;
in the package the list of job types for ``--help``.

``python -m worker.cli.contract.write_docs FOLDER`` writes them (``make docs``); a test holds them up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from worker.cli.contract.formats import asyncapi_json, schema_texts
from worker.cli.contract.jobs_page import page
from worker.cli.contract.spreadsheets_page import spreadsheets_page
from worker.cli.contract.types_help import types_help

SCHEMAS: Final = "schemas"
HELP: Final = Path(__file__).parents[1] / "job_types.txt"
"""Beside the module that shows it."""


def generated() -> dict[str, str]:
    """What stands in each file, by its path below docs/."""
    schemas = {f"{SCHEMAS}/{name}": text for name, text in schema_texts().items()}
    return {"jobs.md": page(), "spreadsheets.md": spreadsheets_page(), "asyncapi.json": asyncapi_json(), **schemas}


def write(folder: Path) -> None:
    """Write the files, and remove schemas of models that are no more."""
    files = generated()
    (folder / SCHEMAS).mkdir(parents=True, exist_ok=True)
    for path in (folder / SCHEMAS).glob("*.json"):
        if f"{SCHEMAS}/{path.name}" not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
    HELP.write_text(types_help(), encoding="utf-8")
