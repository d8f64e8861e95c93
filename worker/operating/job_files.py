"""
Files of jobs: from ``.json`` and ``.jsonl`` to objects with their place, and from objects to what is pushed.

Pure but for reading the files. Amounts stay exact: everything goes through the strict JSON reader, and is written again
by its own writer. Whether a job is *valid* is not decided here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from jobs.errors import ServiceError
from schemas import strict_json

STANDARD_INPUT: Final = "-"
_LATER: Final = (".csv", ".xlsx")
_BOM: Final = b"\xef\xbb\xbf"


class FileRefused(ServiceError):
    """A file that cannot be read as jobs. The message names the file, and the line where there is one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file and the line where it begins."""

    source: str
    line: int
    value: dict[str, Any]

    @property
    def place(self) -> str:
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line, or a whole file, that is no JSON object."""

    source: str
    line: int
    reason: str

    @property
    def place(self) -> str:
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What fills an envelope where it says nothing itself. None means: leave it out."""

    type: str = "invoice.issue"
    account: str | None = None
    priority: str | None = None
    batch: str | None = None
    issue_on: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """
    One job ready to be pushed: its text, and what is needed to find its event again.

    ``reference`` is what a person knows it by: the reference code, or the number of the document that a call is about.
    """

    place: str
    text: str
    id: str | None
    account: str | None
    reference: str
    has_own_id: bool
    type: str = ""


def read_rows(path: str, stdin: BinaryIO) -> Iterator[Row | BadRow]:
    """
    The objects of one file, in order.

    Args:
        path: A ``.json`` file (one object, or an array of them), a ``.jsonl`` file, or ``-`` for JSONL on *stdin*.

    Raises:
        FileRefused: Another kind of file, or one that cannot be opened.
    """
    if path == STANDARD_INPUT:
        return _lines("<stdin>", stdin.read())
    suffix = Path(path).suffix.lower()
    if suffix in _LATER:
        raise FileRefused(f"{path}: {suffix} is not read by this version; save it as .jsonl, one JSON object per line")
    if suffix not in (".json", ".jsonl"):
        raise FileRefused(f"{path}: the name must end in .json or .jsonl (or be - for JSONL on standard input)")
    try:
        data = Path(path).read_bytes()
    except OSError as exc:
        raise FileRefused(f"{path}: {exc.strerror}") from exc
    return _document(path, data) if suffix == ".json" else _lines(path, data)


def sound_rows(found: Iterator[Row | BadRow]) -> list[Row]:
    """
    All rows, or the first that is none as an error.

    Raises:
        FileRefused: Names file and line.
    """
    rows: list[Row] = []
    for row in found:
        if isinstance(row, BadRow):
            raise FileRefused(f"{row.place}: {row.reason}")
        rows.append(row)
    return rows


def jobs_of(rows: Sequence[Row], defaults: Defaults, prefix: str) -> list[Job]:
    """
    Fill the envelopes and give every job an id.

    A job without one gets *prefix* and its number: a push whose answer was lost can then be repeated without making
    a second job, and its events can be told from all others.
    """
    envelopes = [fill(row.value, defaults) for row in rows]
    if defaults.batch is not None:
        members = [envelope for envelope in envelopes if envelope.get("batch") == defaults.batch]
        for envelope in members:
            envelope.setdefault("batch_size", len(members))
    return [
        _job(row, envelope, f"{prefix}-{n}") for n, (row, envelope) in enumerate(zip(rows, envelopes, strict=True), 1)
    ]


def is_envelope(value: dict[str, Any]) -> bool:
    """No document of Factus has a ``payload``, so an object that has one is an envelope."""
    return "payload" in value


def fill(value: dict[str, Any], defaults: Defaults) -> dict[str, Any]:
    """An envelope from an envelope or a bare payload; what it says itself stands."""
    envelope = dict(value) if is_envelope(value) else {"payload": value}
    for name in ("type", "account", "priority", "batch", "issue_on"):
        wanted = getattr(defaults, name)
        if wanted is not None:
            envelope.setdefault(name, wanted)
    return envelope


def _job(row: Row, envelope: dict[str, Any], own_id: str) -> Job:
    has_own_id = "id" in envelope
    named = {"id": envelope.pop("id", own_id), **envelope}
    payload = named["payload"] if isinstance(named["payload"], dict) else {}
    return Job(
        place=row.place,
        text=strict_json.dump(named),
        id=_text(named["id"]) or None,
        account=_text(named.get("account")) or None,
        reference=_text(payload.get("reference_code")) or _text(payload.get("number")),
        has_own_id=has_own_id,
        type=_text(named.get("type")),
    )


def _text(value: object) -> str:
    """What a producer wrote, where it is the text that it should be: what is wrong with it is the intake's word."""
    return value if isinstance(value, str) else ""


def _lines(source: str, data: bytes) -> Iterator[Row | BadRow]:
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        if line.strip():
            yield _row(source, number, line)


def _row(source: str, number: int, line: bytes) -> Row | BadRow:
    try:
        value = strict_json.parse(line)
    except strict_json.JsonRefused as exc:
        return BadRow(source, number, _reason(exc))
    return Row(source, number, value) if isinstance(value, dict) else BadRow(source, number, _no_object(value))


def _document(source: str, data: bytes) -> Iterator[Row | BadRow]:
    data = data.removeprefix(_BOM)
    try:
        value = strict_json.parse(data)
    except strict_json.JsonRefused as exc:
        yield BadRow(source, _line_of(exc), _reason(exc))
        return
    if not isinstance(value, list):
        yield Row(source, 1, value) if isinstance(value, dict) else BadRow(source, 1, _no_object(value))
        return
    for element, line in zip(value, _element_lines(data.decode(), len(value)), strict=True):
        yield Row(source, line, element) if isinstance(element, dict) else BadRow(source, line, _no_object(element))


def _element_lines(text: str, n_elements: int) -> Iterator[int]:
    """The line on which each element of an array begins; *text* is known to be an array of that many."""
    decoder = json.JSONDecoder()
    line, at = 1, 0
    position = text.index("[") + 1
    for _ in range(n_elements):
        while text[position].isspace() or text[position] == ",":
            position += 1
        line += text.count("\n", at, position)
        at = position
        yield line
        _, position = decoder.raw_decode(text, position)


def _line_of(refused: strict_json.JsonRefused) -> int:
    cause = refused.__cause__
    return cause.lineno if isinstance(cause, json.JSONDecodeError) else 1


def _reason(refused: strict_json.JsonRefused) -> str:
    cause = refused.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return f"not JSON: {cause.msg[:1].lower()}{cause.msg[1:]} (column {cause.colno})"
    if isinstance(cause, UnicodeDecodeError):
        return f"not UTF-8 (byte {cause.start})"
    return f"JSON that is not taken: {refused}"


def _no_object(value: object) -> str:
    kinds = {list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return f"{kinds.get(type(value), 'a number')} where a JSON object is expected"
