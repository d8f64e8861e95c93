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
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias, assert_never

from schemas import strict_json
from worker.bounded_files import FileUnusable, read_whole
from worker.cli.bilingual import Both, say
from worker.cli.files.json_array import MOST_ELEMENT_BYTES, Broken, Element, TooLong, Unfinished, is_array, parts_of
from worker.cli.files.limits import FileRefused, counted

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
    reason_en: str = ""

    @property
    def told(self) -> str:
        """Why, in the language of who reads it; programs are told in Spanish, as by the contract."""
        return say(self.reason, self.reason_en or self.reason)


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
            raise FileRefused(f"{row.place}: {row.told}")
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
        n = len(text.encode())
        raise FileRefused(
            f"{row.place}: "
            + say(
                f"el trabajo tiene {counted(n)} bytes; 1 MiB es lo máximo",
                f"the job has {n:,} bytes, and 1 MiB is the most that is taken",
            )
        )
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
        n = len(line)
        return _bad(
            source,
            number,
            (
                f"La línea tiene {counted(n)} bytes; un trabajo tiene como máximo 1 MiB.",
                f"The line has {n:,} bytes; a job has 1 MiB at most.",
            ),
        )
    try:
        value = strict_json.parse(line)
    except strict_json.JsonRefused as exc:
        return _bad(source, number, _reason(exc))
    return _of_value(value, source, number)


def _document(source: str, data: bytes) -> Iterator[Row | BadRow]:
    data = data.removeprefix(_BOM)
    if not data.strip():
        return
    if is_array(data):
        yield from _elements(source, data)
        return
    try:
        value = strict_json.parse(data)
    except strict_json.JsonRefused as exc:
        yield _bad(source, _line_of(exc), _reason(exc))
        return
    yield _of_value(value, source, 1)


def _elements(source: str, data: bytes) -> Iterator[Row | BadRow]:
    """
    Each element under the bounds of a job, up to the first that is no JSON: where the one behind it begins is a guess.
    """
    reached = _Reached(data)
    for index, part in enumerate(parts_of(data)):
        match part:
            case TooLong(start):
                yield _bad(source, reached.line_of(start), _joined(_TOO_LONG, _UNREAD), index)
            case Broken(at, fault):
                line = reached.line_of(at)
                yield _bad(
                    source, line, _joined(_syntax(fault, reached.column_of(at)), _UNREAD if data[at:] else _NO_MORE)
                )
            case Element(start) | Unfinished(start):
                element = data[start : part.end] if isinstance(part, Element) else data[start:]
                line = reached.line_of(start)
                try:
                    value = strict_json.parse(element)
                except strict_json.JsonRefused as exc:
                    yield _bad(source, *_fault_in(exc, line, reached, start, isinstance(part, Element)), index)
                    if isinstance(exc.__cause__, json.JSONDecodeError | UnicodeDecodeError):
                        return
                else:
                    yield _of_value(value, source, line, index)
            case _:
                assert_never(part)


def _of_value(value: object, source: str, line: int, index: int | None = None) -> Row | BadRow:
    if isinstance(value, dict):
        return Row(source, line, index, value=value)
    return _bad(source, line, _no_object(value), index)


@dataclass(slots=True)
class _Reached:
    """How far a file has been read, from its beginning to its end: each line end is counted once."""

    data: bytes
    at: int = 0
    line: int = 1
    begin: int = 0
    """Of the line."""

    def line_of(self, position: int) -> int:
        n = self.data.count(b"\n", self.at, position)
        if n:
            self.line += n
            self.begin = self.data.rindex(b"\n", self.at, position) + 1
        self.at = position
        return self.line

    def column_of(self, position: int) -> int:
        """In characters, as editors count; of a place on the line that was reached."""
        return len(self.data[self.begin : position].decode("utf-8", "replace")) + 1


def _bad(source: str, line: int, reason: Both, index: int | None = None) -> BadRow:
    return BadRow(source, line, index, reason=reason[0], reason_en=reason[1])


def _line_of(refused: strict_json.JsonRefused) -> int:
    cause = refused.__cause__
    return cause.lineno if isinstance(cause, json.JSONDecodeError) else 1


def _fault_in(
    refused: strict_json.JsonRefused, line: int, reached: _Reached, start: int, is_more: bool
) -> tuple[int, Both]:
    """Line and words for what is wrong with an element that begins at *start*, by the places of its file."""
    more = _UNREAD if is_more else _NO_MORE
    match refused.__cause__:
        case json.JSONDecodeError() as cause:
            before = reached.column_of(start) - 1 if cause.lineno == 1 else 0
            return line + cause.lineno - 1, _joined(_syntax(cause.msg, before + cause.colno), more)
        case UnicodeDecodeError() as cause:
            return reached.line_of(start + cause.start), _joined(_no_utf8(start + cause.start), more)
        case _:
            return line, _reason(refused)


def _reason(refused: strict_json.JsonRefused) -> Both:
    cause = refused.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return _syntax(cause.msg, cause.colno)
    if isinstance(cause, UnicodeDecodeError):
        return _no_utf8(cause.start)
    return f"JSON que no se acepta: {refused}.", f"JSON that is not taken: {refused.en}."


def _syntax(fault: str, column: int) -> Both:
    return (
        f"No es JSON: {_SYNTAX.get(fault, 'sintaxis incorrecta')} (columna {column}).",
        f"Not JSON: {fault[:1].lower()}{fault[1:]} (column {column}).",
    )


def _no_utf8(byte: int) -> Both:
    return (
        f"No está en UTF-8 (byte {byte}): guarde el archivo como UTF-8.",
        f"Not UTF-8 (byte {byte}): save the file as UTF-8.",
    )


def _joined(one: Both, other: Both) -> Both:
    return one[0] + other[0], one[1] + other[1]


_MOST_MIB: Final = MOST_ELEMENT_BYTES // 1024**2
_TOO_LONG: Final = (
    f"El elemento tiene más de {_MOST_MIB} MiB o demasiados corchetes y llaves; un trabajo tiene como máximo 1 MiB.",
    f"The element has more than {_MOST_MIB} MiB or too many brackets; a job has 1 MiB at most.",
)
_UNREAD: Final = (" Lo que sigue no se leyó.", " What follows was not read.")
_NO_MORE: Final = ("", "")
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


def _no_object(value: object) -> Both:
    kinds: dict[type, Both] = {
        list: ("una lista", "a list"), str: ("un texto", "a text"), bool: ("true o false", "true or false"),
        type(None): ("null", "null"),
    }  # fmt: skip
    found = kinds.get(type(value), ("un número", "a number"))
    hint = (
        " Si el archivo entero es una lista, llámelo .json; en un .jsonl cada línea es un objeto.",
        " If the whole file is a list, name it .json; in a .jsonl each line is an object.",
    )
    told = f"Hay {found[0]} donde se espera un objeto JSON.", f"There is {found[1]} where a JSON object is expected."
    return _joined(told, hint) if isinstance(value, list) else told
