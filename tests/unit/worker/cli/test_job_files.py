"""Files of jobs: every object with its line, amounts exact, and nothing guessed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from worker.cli.files.all_files import read_rows
from worker.cli.files.job_files import BadRow, Defaults, Row, fill, jobs_of, sound_rows
from worker.cli.files.limits import FileRefused

NO_INPUT = io.BytesIO()


def rows_of(path: Path, content: str | bytes) -> list[Row | BadRow]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(str(path), NO_INPUT))


def test_array_elements_know_their_lines(tmp_path: Path) -> None:
    """An editor opens at the line that a message names."""
    found = rows_of(tmp_path / "a.json", '[\n  {"a": "[1,\\n"},\n\n  {"b": 2}, {"c": [3]}\n]')
    assert [row.line for row in found] == [2, 4, 4]


def test_jsonl_skips_blank_lines_and_keeps_numbers(tmp_path: Path) -> None:
    found = rows_of(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\r\n\r\n{"a": 2}')
    assert [(row.line, row.value) for row in found if isinstance(row, Row)] == [(1, {"a": 1}), (3, {"a": 2})]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (b'{"a": 1}\n{"a": 2}\n', ["<stdin>:1", "<stdin>:2"]),
        (b'\xef\xbb\xbf\n{"a": 1}\n{"a": }\n', ["<stdin>:2", "<stdin>:3"]),
        (b'{"a": }\n{"a": 1}\n{"a": 2}\n', ["<stdin>:1", "<stdin>:2", "<stdin>:3"]),
        (b'[\n{"a": 1}\n]', ["<stdin>:2[0]"]),
        (b'{\n  "a": 1\n}\n', ["<stdin>:1"]),
        (b'[{"a": 1},\n {"a": 2}]', ["<stdin>:1[0]", "<stdin>:2[1]"]),
        (b'{\n  "a": 1,\n  "b": }\n', ["<stdin>:3"]),
        (b" \n", []),
    ],
)
def test_standard_input_is_one_document_or_lines(text: bytes, places: list[str]) -> None:
    """What a program pretty-prints into the pipe is one job, and one fault where it is broken."""
    assert [row.place for row in read_rows("-", io.BytesIO(text))] == places


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_an_empty_file_holds_no_job(tmp_path: Path, name: str) -> None:
    assert rows_of(tmp_path / name, "\ufeff\n ") == []


@pytest.mark.parametrize(
    ("name", "content", "place", "word"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": }\n', "a.jsonl:2", "No es JSON: falta un valor"),
        ("a.json", '{\n "a": 1,\n "b": }', "a.json:3", "No es JSON: falta un valor"),
        ("a.json", '{"a": NaN}', "a.json:1", "NaN"),
        ("a.jsonl", '{"a": 1, "a": 2}', "a.jsonl:1", "clave repetida"),
        ("a.json", "[1]", "a.json:1[0]", "un número donde"),
        ("a.jsonl", '"text"', "a.jsonl:1", "un texto donde"),
        ("a.jsonl", b'{"a": "\xff"}', "a.jsonl:1", "No está en UTF-8"),
    ],
)
def test_bad_content_names_file_and_line(
    tmp_path: Path, name: str, content: str | bytes, place: str, word: str
) -> None:
    with pytest.raises(FileRefused) as caught:
        sound_rows(iter(rows_of(tmp_path / name, content)))
    assert place in str(caught.value)
    assert word in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.txt", "missing.json"])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileRefused, match=name):
        read_rows(str(tmp_path / name), NO_INPUT)


def test_what_an_envelope_says_stands() -> None:
    defaults = Defaults(account="acme", priority="low", batch="b", issue_on="2026-11-30")
    envelope = {"type": "invoice.issue", "account": "other", "payload": {}, "batch": "own"}
    filled = fill(envelope, defaults)
    assert (filled["account"], filled["batch"], filled["priority"]) == ("other", "own", "low")
    assert fill({"reference_code": "R"}, defaults)["payload"] == {"reference_code": "R"}


def test_batch_size_counts_the_members() -> None:
    rows = [Row("f", n, value={"reference_code": f"R{n}"}) for n in (1, 2)]
    rows.append(Row("f", 3, value={"type": "invoice.issue", "batch": "own", "payload": {}}))
    pushed = [json.loads(job.text) for job in jobs_of(rows, Defaults(batch="b"), "p")]
    assert [(job["batch"], job.get("batch_size")) for job in pushed] == [("b", 2), ("b", 2), ("own", None)]


def test_ids_are_given_where_none_is_and_amounts_stay_exact(tmp_path: Path) -> None:
    content = '{"amount": 0.10000000000000000001, "reference_code": "R"}\n{"id": "mine", "type": "t", "payload": {}}'
    jobs = jobs_of(sound_rows(iter(rows_of(tmp_path / "a.jsonl", content))), Defaults(), "run")
    assert [(job.id, job.has_own_id, job.reference) for job in jobs] == [("run-1", False, "R"), ("mine", True, "")]
    assert "0.10000000000000000001" in jobs[0].text


def test_values_of_wrong_kinds_do_not_stop_reading() -> None:
    """What is wrong with an envelope is the intake's word, not the reader's."""
    strange: dict[str, Any] = {"id": 7, "account": [], "payload": "x"}
    job = jobs_of([Row("f", 1, value=strange)], Defaults(), "run")[0]
    assert (job.id, job.account, job.reference) == (None, None, "")


def test_calls_are_known_by_the_number_that_they_are_about() -> None:
    rows = [Row("f", 1, value={"number": "SETP1"}), Row("f", 2, value={"type": "company.get", "payload": {}})]
    jobs = jobs_of(rows, Defaults(type="invoice.get"), "p")
    assert [(job.type, job.reference) for job in jobs] == [("invoice.get", "SETP1"), ("company.get", "")]
