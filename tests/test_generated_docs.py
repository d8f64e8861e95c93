"""What is generated, in docs/ and for --help, is what the code would write today."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.cli.contract.types_help import types_help
from worker.cli.contract.write_docs import HELP, SCHEMAS, generated, write

DOCS = Path(__file__).resolve().parent.parent / "docs"
FILES = generated()
MEND = "make docs"


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_up_to_date(name: str) -> None:
    path = DOCS / name
    found = path.read_text(encoding="utf-8") if path.exists() else None
    # Compared as a truth value: the difference of two such files would fill the screen.
    assert found == FILES[name] or pytest.fail(f"docs/{name} is stale: {MEND}")


def test_the_list_of_job_types_for_help_is_up_to_date() -> None:
    assert HELP.read_text(encoding="utf-8") == types_help(), MEND
    assert max(map(len, types_help().splitlines())) <= 76


def test_no_schema_is_left_of_a_model_that_is_no_more() -> None:
    there = {f"{SCHEMAS}/{path.name}" for path in (DOCS / SCHEMAS).iterdir()}
    assert there - FILES.keys() == set(), MEND


def test_writing_removes_what_is_no_more(tmp_path: Path) -> None:
    (tmp_path / SCHEMAS).mkdir()
    (tmp_path / SCHEMAS / "Old.json").write_text("{}")
    write(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == FILES.keys()
