"""
Files of jobs: from ``.json`` and ``.jsonl`` to objects with their place, and from any objects to what is pushed.

Pure but for reading the files. Amounts stay exact: everything goes through the strict JSON reader, and is written again
by its own writer. Whether a job is *valid* is not decided here; spreadsheets are read by ``spreadsheets.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

from schemas import strict_json
from worker.bounded_files import FileUnusable, read_whole
from worker.cli.bilingual import say
from worker.cli.files.limits import FileRefused

if TYPE_CHECKING:
    from schemas.contract.event import ErrorDetail

STANDARD_INPUT: Final = "-"
_BOM: Final = b"\xef\xbb\xbf"
_MOST_BYTES: Final = 300 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something stands in a file: its line, and its position (from 0) where it is an element of an array."""

    source: str
    line: int
    index: int | None = None

    @property
    def place(self) -> str:
        element = "" if self.index is None else f"[{self.index}]"
        return f"{self.source}:{self.line}{element}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(_Place):
    """One object of a file and the line where it begins."""

    value: dict[str, Any]

    @property
    def is_of_sheet(self) -> bool:
        """Whether it is a document of a spreadsheet."""
        return False

    @property
    def n_untold(self) -> int:
        """Errors of its own that are counted and not told: nobody reads a thousand about one document."""
        return 0

    def told(self, errors: tuple[ErrorDetail, ...]) -> tuple[ErrorDetail, ...]:
        """What is wrong with it, in the words and with the places of its file."""
        return errors

    def told_warnings(self, warnings: tuple[ErrorDetail, ...]) -> tuple[ErrorDetail, ...]:
        """The same for what is doubtful."""
        return warnings

    def forget(self) -> None:
        """Let go of what it holds, where only its place is still needed: of a spreadsheet there may be many."""

    def steady_id(self, envelope: dict[str, Any]) -> str:
        """An id that follows from the file and what stands in it; empty where an object has to bring its own."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow(_Place):
    """A line, an element, or a whole file, that is no JSON object."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutFile(_Place):
    """What is said of a spreadsheet as a whole: of its headings and columns, or of rows that belong to no document."""

    errors: tuple[ErrorDetail, ...] = ()
    warnings: tuple[ErrorDetail, ...] = ()
    n_untold: int = 0
    """Errors that are counted and not told."""


FileRow: TypeAlias = "Row | BadRow | AboutFile"


@dataclass(frozen=True, slots=True)
class Defaults:
    """What fills an envelope where it says nothing itself. None means: leave it out."""

    type: str = "invoice.issue"
    account: str | None = None
    priority: str | None = None
    batch: str | None = None
    issue_on: str | None = None
    payload_version: str | None = None


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
    row: Row | None = None
    """What it was made of, where that is still needed: a document of a spreadsheet."""


def read_json(path: str, stdin: BinaryIO) -> Iterator[FileRow]:
    """
    The objects of one file of JSON, in order.

    Args:
        path: A ``.json`` file (one object, or an array of them), a ``.jsonl`` file, or ``-`` for either on *stdin*.

    Raises:
        FileRefused: Another kind of file, or one that cannot be opened.
    """
    if path == STANDARD_INPUT:
        data = stdin.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            n = _MOST_BYTES // 1024**2
            raise FileRefused(
                f"<stdin>: {say(f'tiene más de {n} MiB; envíelo por partes', f'more than {n} MiB; push it in parts')}"
            )
        return _either("<stdin>", data)
    suffix = Path(path).suffix.lower()
    if suffix not in (".json", ".jsonl"):
        raise FileRefused(
            say(
                f"{path}: el nombre debe terminar en .json, .jsonl, .csv, .xlsx o .xls (o ser -: JSON por la entrada "
                "estándar)",
                f"{path}: the name must end in .json, .jsonl, .csv, .xlsx or .xls (or be - for JSON on standard input)",
            )
        )
    try:
        data = read_whole(path, most=_MOST_BYTES)
    except FileUnusable as exc:
        raise FileRefused(f"{path}: {say(exc.es, str(exc))}") from exc
    return _document(path, data) if suffix == ".json" else _lines(path, data)


def sound_rows(found: Iterable[FileRow]) -> list[Row]:
    """
    All rows, or the first that is none as an error.

    Raises:
        FileRefused: Names file and line.
    """
    rows: list[Row] = []
    for row in found:
        if isinstance(row, BadRow):
            raise FileRefused(f"{row.place}: {row.reason}")
        if isinstance(row, Row):
            rows.append(row)
    return rows


def jobs_of(rows: Sequence[Row], defaults: Defaults, prefix: str) -> list[Job]:
    """
    Fill the envelopes and give every job an id.

    A job without one gets *prefix* and its number: a push whose answer was lost can then be repeated without making
    a second job, and its events can be told from all others. A row of a spreadsheet has an id of its own, which follows
    from what it says.

    Raises:
        FileRefused: One is larger than the intake takes.
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
    """An envelope from an envelope or a bare payload; what it says itself stands, and null says nothing."""
    from schemas.contract.envelope import without_nothing

    envelope = without_nothing(value) if is_envelope(value) else {"payload": value}
    for name in ("type", "account", "priority", "batch", "issue_on", "payload_version"):
        wanted = getattr(defaults, name)
        if wanted is not None:
            envelope.setdefault(name, wanted)
    return envelope


def _job(row: Row, envelope: dict[str, Any], own_id: str) -> Job:
    from schemas.contract.envelope import MAX_JOB_BYTES

    if steady := row.steady_id(envelope):
        envelope = {"id": steady, **envelope}
    has_own_id = "id" in envelope
    named = {"id": envelope.pop("id", own_id), **envelope}
    payload = named["payload"] if isinstance(named["payload"], dict) else {}
    text = strict_json.dump(named)
    if len(text.encode()) > MAX_JOB_BYTES:
        raise FileRefused(f"{row.place}: the job has {len(text.encode()):,} bytes, and 1 MiB is the most that is taken")
    return Job(
        place=row.place,
        text=text,
        id=_text(named["id"]) or None,
        account=_text(named.get("account")) or None,
        reference=_text(payload.get("reference_code")) or _text(payload.get("number")),
        has_own_id=has_own_id,
        type=_text(named.get("type")),
        row=row if row.is_of_sheet else None,
    )


def _text(value: object) -> str:
    """What a producer wrote, where it is the text that it should be: what is wrong with it is the intake's word."""
    return value if isinstance(value, str) else ""


def _either(source: str, data: bytes) -> Iterator[Row | BadRow]:
    """One JSON document, as programs print it for people, or one object on each line: its first line tells."""
    lines = [line.strip() for line in data.removeprefix(_BOM).split(b"\n") if line.strip()][:2]
    # Of the first two: one that is broken does not make a document of all.
    is_lines = any(line.startswith(b"{") and line.endswith(b"}") for line in lines)
    is_array = bool(lines) and lines[0].startswith(b"[")
    return _lines(source, data) if is_lines and not is_array else _document(source, data)


def _lines(source: str, data: bytes) -> Iterator[Row | BadRow]:
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        if line.strip():
            yield _row(source, number, line)


def _row(source: str, number: int, line: bytes) -> Row | BadRow:
    from schemas.contract.envelope import MAX_JOB_BYTES

    if len(line) > 2 * MAX_JOB_BYTES:  # before it is parsed; what the intake takes at most may have been escaped here
        return BadRow(source, number, reason=f"La línea tiene {len(line):,} bytes; un trabajo tiene como máximo 1 MiB.")
    try:
        value = strict_json.parse(line)
    except strict_json.JsonRefused as exc:
        return BadRow(source, number, reason=_reason(exc))
    return _of_value(value, source, number)


def _document(source: str, data: bytes) -> Iterator[Row | BadRow]:
    data = data.removeprefix(_BOM)
    if not data.strip():
        return
    try:
        value = strict_json.parse(data)
    except strict_json.JsonRefused as exc:
        yield BadRow(source, _line_of(exc), reason=_reason(exc))
        return
    if not isinstance(value, list):
        yield _of_value(value, source, 1)
        return
    lines = _element_lines(data.decode(), len(value))
    for index, (element, line) in enumerate(zip(value, lines, strict=True)):
        yield _of_value(element, source, line, index)


def _of_value(value: object, source: str, line: int, index: int | None = None) -> Row | BadRow:
    if isinstance(value, dict):
        return Row(source, line, index, value=value)
    return BadRow(source, line, index, reason=_no_object(value))


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
        return f"No es JSON: {_SYNTAX.get(cause.msg, 'sintaxis incorrecta')} (columna {cause.colno})."
    if isinstance(cause, UnicodeDecodeError):
        return f"No está en UTF-8 (byte {cause.start}): guarde el archivo como UTF-8."
    return f"JSON que no se acepta: {refused}."


_SYNTAX: Final = {
    "Expecting value": "falta un valor",
    "Expecting property name enclosed in double quotes": "falta un nombre entre comillas dobles",
    "Expecting ':' delimiter": "faltan dos puntos después de un nombre",
    "Expecting ',' delimiter": "falta una coma o el cierre",
    "Illegal trailing comma before end of object": "sobra una coma al final del objeto",
    "Illegal trailing comma before end of array": "sobra una coma al final de la lista",
    "Extra data": "sobra texto después del valor",
    "Unterminated string starting at": "un texto no tiene comillas de cierre",
    "Invalid control character at": "un texto tiene un salto de línea u otro carácter de control",
    "Invalid \\escape": "una barra invertida no forma un escape válido",
    "Invalid \\uXXXX escape": "un escape \\u no tiene cuatro cifras",
}


def _no_object(value: object) -> str:
    kinds = {list: "una lista", str: "un texto", bool: "true o false", type(None): "null"}
    hint = " Si el archivo entero es una lista, llámelo .json; en un .jsonl cada línea es un objeto."
    more = hint if isinstance(value, list) else ""
    return f"Hay {kinds.get(type(value), 'un número')} donde se espera un objeto JSON.{more}"
