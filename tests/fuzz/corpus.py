"""Cases that were found once, each in a file of its own; the short form plays them first, for ever."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from tests.fuzz.actions import Case

FOLDER: Final = Path(__file__).parent / "corpus"


def cases() -> dict[str, Case]:
    return {path.stem: Case.from_json(json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json"))}


def keep(case: Case, name: str, folder: Path = FOLDER) -> Path:
    """Write a case down; a name that is taken is a case that is known better."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.json"
    path.write_text(json.dumps(case.to_json(), indent=1, ensure_ascii=True) + "\n")
    return path
