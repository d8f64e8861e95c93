"""How dead letters look on a terminal and in a pipe. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from worker.cli.console import clean

if TYPE_CHECKING:
    from schemas.records import JobRecord
    from worker.cli.dead.letters import History, Letter, Pushed

_MOST_HEX_BYTES: Final = 512


def line_of(letter: Letter) -> str:
    """A letter as one aligned line."""
    columns = [
        f"{letter.id:<16}",
        _clock(letter.at_ms),
        f"{letter.reason or '-':<20}",
        f"{letter.account or '-':<12}",
        f"{letter.reference_code or '-':<20}",
        f"{letter.job_id:<20}",
        letter.message,
    ]
    return clean("  ".join(columns)).rstrip()


def json_line(letter: Letter) -> str:
    """A letter as one line of JSON; the bytes, which may be anything, are left to ``show --raw``."""
    from datetime import UTC, datetime

    from schemas import strict_json

    at = datetime.fromtimestamp(letter.at_ms / 1000, UTC)
    return strict_json.dump(
        {
            "id": letter.id,
            "time": at.isoformat(timespec="milliseconds"),
            "reason": letter.reason,
            "account": letter.account or None,
            "reference_code": letter.reference_code or None,
            "job_id": letter.job_id,
            "message": letter.message,
            "entry": letter.entry or None,
            "errors": letter.errors,
        }
    )


def head_lines(letter: Letter) -> list[str]:
    """What the letter says: why, of which job, and every error."""
    what = "failed after it was accepted" if letter.is_of_accepted_job else "refused before any call"
    careful = f"{letter.may_be_done}: look at Factus before you push it again" if letter.may_be_done else ""
    lines = _named_lines(
        ("letter", letter.id),
        ("time", _clock(letter.at_ms)),
        ("reason", f"{letter.reason or '-'} ({what})"),
        ("account", letter.account),
        ("reference", letter.reference_code),
        ("job", f"{letter.job_id}  ({letter.event.get('job_type') or 'type unknown'})"),
        ("pushed as", f"entry {letter.entry}" if letter.entry else ""),
        ("careful", careful),
    )
    return [*lines, "", "Errors:", *(_error_line(error) for error in letter.errors)]


def _error_line(error: dict[str, Any]) -> str:
    places = [f"{name} {error[name]}" for name in ("field", "rule") if error.get(name)]
    return clean(f"  {error.get('code') or '-'}: {error.get('message') or '-'}" + _in_brackets(places))


def history_lines(history: History) -> list[str]:
    """What the ledger remembers of the job, and which other letters speak of it."""
    lines = ["", "History:"]
    lines += [clean(f"  {_record_line(record)}") for record in history.records]
    if not history.records:
        lines.append("  the ledger has no record of the job")
    if history.others:
        lines += ["", "Other letters of the same job or reference:"]
        lines += [f"  {line_of(other)}" for other in history.others]
    return lines


def _record_line(record: JobRecord) -> str:
    from schemas import strict_json

    error = strict_json.parse(record.last_error) if record.last_error else {}
    parts = [
        record.final_type or record.state,
        f"taken in {_clock(record.accepted_at)}" if record.accepted_at else "",
        f"ended {_clock(record.final_at)}" if record.final_at else "",
        f"{record.attempts} attempts",
        f"number {record.number}" if record.number else "",
        f"last error {error.get('code')}: {error.get('message')}" if error else "",
    ]
    return f"{record.id}: " + ", ".join(part for part in parts if part)


def raw_lines(letter: Letter) -> list[str]:
    """The bytes as they are where a terminal can show them, else as hex."""
    title = "Job, as it can be pushed again:" if letter.is_of_accepted_job else "Original bytes:"
    text = printable(letter.raw)
    if text is not None:
        return ["", title, text]
    shown = letter.raw[:_MOST_HEX_BYTES]
    lines = [f"  {shown[at : at + 16].hex(' ')}" for at in range(0, len(shown), 16)]
    if len(letter.raw) > len(shown):
        lines.append(f"  and {len(letter.raw) - len(shown)} bytes more")
    hint = f"No printable text. To save them: factus-worker dead show --raw {letter.id} > FILE"
    return ["", f"{title} {len(letter.raw)}, in hex", *lines, hint]


def printable(raw: bytes) -> str | None:
    """The bytes as text, if it is UTF-8 that no terminal takes for a command."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\n\t" for char in text) else None


def pushed_line(letter_id: str, pushed: Pushed) -> str:
    """What came of a letter that was pushed again."""
    without = f"; goes without {', '.join(pushed.goes_without)}" if pushed.goes_without else ""
    return clean(f"{letter_id}  pushed as {pushed.job_id} to {pushed.stream}, entry {pushed.entry}{without}")


def _named_lines(*pairs: tuple[str, str]) -> list[str]:
    return [f"{name + ':':<12}{clean(text)}" for name, text in pairs if text]


def _in_brackets(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _clock(at_ms: int) -> str:
    from schemas.factus import BOGOTA
    from worker.cli.speech import clock

    return clock(at_ms, BOGOTA)
