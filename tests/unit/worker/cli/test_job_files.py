"""Files of jobs: every object with its line, amounts exact, and nothing guessed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from time import process_time
from typing import Any

import pytest

from worker.cli.files.all_files import read_all, read_rows
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


MANY = 40_000
DEEP = '{"a":' * 32 + "1" + "}" * 32


def test_a_file_is_held_to_no_bound_of_one_job(tmp_path: Path) -> None:
    """Thousands of bills are no job of a hundred thousand values: each is held to the bounds by itself."""
    found = rows_of(tmp_path / "a.json", "[" + ",\n".join(['{"a": [1, 2], "b": "}]"}'] * MANY) + "]")
    assert [row.place for row in found[-2:]] == [f"{tmp_path}/a.json:{n}[{n - 1}]" for n in (MANY - 1, MANY)]
    assert {type(row) for row in found} == {Row}


def test_an_element_may_be_as_deep_as_a_job(tmp_path: Path) -> None:
    """On a line of its own or in an array: the array is no level of it."""
    for name, content in (("a.json", f"[{DEEP}, {DEEP}]"), ("a.jsonl", DEEP), ("b.json", DEEP)):
        assert {type(row) for row in rows_of(tmp_path / name, content)} == {Row}


BEYOND = {
    "a key twice": ('{"a": 1, "a": 2}', "clave repetida", "key twice"),
    "too deep": ('{"a": ' + DEEP + "}", "32 niveles", "32 levels"),
    "too many values": ('{"a": [' + "1," * 100_000 + "1]}", "demasiados valores", "too many values"),
    "too many digits": ('{"a": ' + "1" * 101 + "}", "100 dígitos", "100 digits"),
    "NaN": ('{"a": NaN}', "NaN no es un número", "NaN is no JSON number"),
    "a lone surrogate": ('{"a": "\\ud800"}', "sustituto Unicode", "Unicode surrogate"),
    "a list": ("[[1], {}]", "Hay una lista", "There is a list"),
    "a text": ('"],[{"', "Hay un texto", "There is a text"),
    "a number": ("-1.5e3 ", "Hay un número", "There is a number"),
    "null": ("null", "Hay null", "There is null"),
}


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(("element", "es", "en"), BEYOND.values(), ids=BEYOND)
def test_an_element_that_is_not_taken_is_named_and_those_behind_it_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, element: str, es: str, en: str, language: str
) -> None:
    monkeypatch.setenv("FACTUS_LANG", language)
    found = rows_of(tmp_path / "a.json", f'[{{"a": 1}},\n\n  {element},\n{{"b": [2]}}\n]\n')
    assert [row.place.removeprefix(f"{tmp_path}/") for row in found] == ["a.json:1[0]", "a.json:3[1]", "a.json:4[2]"]
    assert [type(row) for row in found] == [Row, BadRow, Row]
    (bad,) = [row for row in found if isinstance(row, BadRow)]
    assert (es if language == "es" else en) in bad.told
    assert es in bad.reason, "programs are told the same in both languages"


NO_ARRAY = {
    "no value": ('[{"ñ": 1}, {"b": }, {"c": 1}]', ":1[1]", "falta un valor (columna 18). Lo que sigue"),
    "further down": ('[{"a": 1},\n {\n  "b": }]', ":3[1]", "falta un valor (columna 8)"),
    "no comma": ('[{"a": 1}\n {"b": 1}]', ":2", "falta una coma o el cierre (columna 2). Lo que sigue"),
    "a comma too many": ('[{"a": 1},\n]', ":1", "sobra una coma al final de la lista (columna 10)"),
    "two commas": ('[{"a": 1},, {"b": 1}]', ":1", "falta un valor (columna 11)"),
    "a comma alone": ("[,]", ":1", "falta un valor (columna 2)"),
    "no end": ('[{"a": 1},\n{"b": 1}', ":2", "falta una coma o el cierre (columna 9)."),
    "no end of an element": ('[{"a": 1},\n {"b": [1, {"c": 2}', ":2[1]", "falta una coma o el cierre (columna 20)."),
    "no end of a text": ('[{"a": 1},\n {"b": "x}]', ":2[1]", "no tiene comillas de cierre (columna 8)."),
    "nothing but a bracket": ("[", ":1", "falta un valor (columna 2)."),
    "a comma and no end": ('[{"a": 1},\n', ":2", "falta un valor (columna 1)."),
    "the wrong end": ('[{"a": [1}, {"b": 2}]', ":1[0]", "falta una coma o el cierre (columna 10)"),
    "an end too many": ('[{"a": 1}]]', ":1", "sobra texto después del valor (columna 11)"),
    "an object behind it": ('[{"a": 1}]\n{"b": 1}', ":2", "sobra texto después del valor (columna 1)"),
    "behind an empty one": ("[ ] x", ":1", "sobra texto después del valor (columna 5)"),
    "no JSON at all": ("[tru, {}]", ":1[0]", "falta un valor (columna 2)"),
    "blanks that are none of JSON": ('[\xa0{"a": 1}]', ":1[0]", "falta un valor (columna 2)"),
    "single quotes": ("[{'a': 1}]", ":1[0]", "comillas dobles (columna 3)"),
    "no UTF-8": (b'[{"a": 1},\n{"b": "\xf1"}]', ":2[1]", "No está en UTF-8 (byte 18)"),
}


@pytest.mark.parametrize(("content", "place", "why"), NO_ARRAY.values(), ids=NO_ARRAY)
def test_what_is_no_array_is_told_by_its_line_and_column_and_ends_the_file(
    tmp_path: Path, content: str | bytes, place: str, why: str
) -> None:
    *before, last = rows_of(tmp_path / "a.json", content)
    assert isinstance(last, BadRow)
    assert last.place == f"{tmp_path}/a.json{place}"
    assert why in last.reason
    assert all(isinstance(row, Row) for row in before)


HUGE = {
    "openings": b"[" * 100_000_000,
    "objects that open": b'[{"a":' * 10_000_000,
    "one element of brackets": b"[[" + b"[]," * 30_000_000 + b"[]]]",
    "a text": b'["' + b"x" * 100_000_000 + b'"]',
    "a text without end": b'[{"a":"' + b"\\x" * 20_000_000,
    "quotes": b"[" + b'"' * 20_000_001,
    "a number": b"[" + b"1" * 100_000_000 + b"]",
    "blanks": b"[" + b" \n" * 50_000_000 + b"1]",
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE)
def test_a_hostile_file_of_any_size_is_refused_in_a_moment(tmp_path: Path, content: bytes) -> None:
    """Each of these built millions of values, or looked at the same bytes again and again."""
    began = process_time()
    found = rows_of(tmp_path / "a.json", content)
    assert len(found) == 1
    assert isinstance(found[0], BadRow)
    assert process_time() - began < 10


def test_no_more_elements_are_read_than_are_pushed_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"[" + b"{}," * 3_000_000 + b"{}]")
    with pytest.raises(FileRefused, match=r"200\.000"):
        list(read_all([str(tmp_path / "a.json")], NO_INPUT))


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
