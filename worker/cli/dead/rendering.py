"""How dead letters look on a terminal and in a pipe. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from worker.cli.console import clean
from worker.speech import Speech

if TYPE_CHECKING:
    from schemas.records import JobRecord
    from worker.cli.dead.letters import History, Letter, Pushed

_MOST_HEX_BYTES: Final = 512

Fields = list[tuple[str, str]]
"""Names and texts: a line each, the texts under each other."""


def line_of(letter: Letter) -> str:
    """A letter as one aligned line."""
    id_, at, reason, account, reference, job_id, message = columns_of(letter)
    columns = [f"{id_:<16}", at, f"{reason:<20}", f"{account:<12}", f"{reference:<20}", f"{job_id:<20}", message]
    return clean("  ".join(columns)).rstrip()


def columns_of(letter: Letter) -> list[str]:
    """A letter for a person: id, time, reason, account, reference, job id, first message."""
    return [
        letter.id,
        _clock(letter.at_ms),
        letter.reason or "-",
        letter.account or "-",
        letter.reference_code or "-",
        letter.job_id,
        letter.message,
    ]


def json_line(letter: Letter) -> str:
    """A letter as one line of JSON; the bytes, which may be anything, are left to ``show --raw``."""
    from schemas import strict_json
    from schemas.factus import BOGOTA
    from worker.speech import iso

    return strict_json.dump(
        {
            "id": letter.id,
            "time": iso(letter.at_ms, BOGOTA),
            "reason": letter.reason,
            "account": letter.account or None,
            "reference_code": letter.reference_code or None,
            "job_id": letter.job_id,
            "message": letter.message,
            "entry": letter.entry or None,
            "errors": letter.errors,
        }
    )


def head_fields(letter: Letter, speech: Speech) -> Fields:
    """What the letter says: why, and of which job."""
    say = speech.say
    what = (
        say("falló después de aceptado", "failed after it was accepted")
        if letter.is_of_accepted_job
        else say("no se aceptó, antes de toda llamada", "refused before any call")
    )
    careful = ""
    if letter.may_be_done:
        done = say(*letter.may_be_done)
        careful = say(
            f"{done}: mire en Factus antes de enviarlo otra vez", f"{done}: look at Factus before you push it again"
        )
    kind = letter.event.get("job_type") or say("tipo desconocido", "type unknown")
    return [
        (say("apartado", "letter"), letter.id),
        (say("hora", "time"), _clock(letter.at_ms)),
        (say("motivo", "reason"), f"{letter.reason or '-'} ({what})"),
        (say("cuenta", "account"), letter.account),
        (say("referencia", "reference"), letter.reference_code),
        (say("trabajo", "job"), f"{letter.job_id}  ({kind})"),
        (say("entrada", "pushed as"), letter.entry),
        (say("cuidado", "careful"), careful),
    ]


def error_line(error: dict[str, Any], speech: Speech) -> str:
    """One error: code, message, field and rule."""
    names = {"field": speech.say("campo", "field"), "rule": speech.say("regla", "rule")}
    places = [f"{told} {error[name]}" for name, told in names.items() if error.get(name)]
    return clean(f"{error.get('code') or '-'}: {error.get('message') or '-'}" + _in_brackets(places))


def history_lines(history: History, speech: Speech) -> list[str]:
    """What the ledger remembers of the job, and which other letters speak of it."""
    say = speech.say
    lines = [say("Historia:", "History:"), *(clean(f"  {_record_line(record, speech)}") for record in history.records)]
    if not history.records:
        lines.append(say("  no hay registro del trabajo", "  the ledger has no record of the job"))
    if history.others:
        lines += ["", say("Otros del mismo trabajo o referencia:", "Other letters of the same job or reference:")]
        lines += [f"  {line_of(other)}" for other in history.others]
    return lines


def _record_line(record: JobRecord, speech: Speech) -> str:
    say = speech.say
    error = record.parsed_last_error
    told = f"{error.get('code')}: {error.get('message')}" if error else ""
    parts = [
        record.final_type or record.state,
        say("recibido ", "taken in ") + _clock(record.accepted_at) if record.accepted_at else "",
        say("terminó ", "ended ") + _clock(record.final_at) if record.final_at else "",
        speech.of(record.attempts, ("intento", "attempt"), ("intentos", "attempts")),
        say("número ", "number ") + record.number if record.number else "",
        say("último error ", "last error ") + told if told else "",
    ]
    return f"{record.id}: " + ", ".join(part for part in parts if part)


def raw_lines(letter: Letter, speech: Speech) -> list[str]:
    """The bytes as they are where a terminal can show them, else as hex."""
    say = speech.say
    title = (
        say("El trabajo, como se puede enviar otra vez:", "Job, as it can be pushed again:")
        if letter.is_of_accepted_job
        else say("Bytes originales:", "Original bytes:")
    )
    text = printable(letter.raw)
    if text is not None:
        return [title, text]
    shown = letter.raw[:_MOST_HEX_BYTES]
    lines = [f"  {shown[at : at + 16].hex(' ')}" for at in range(0, len(shown), 16)]
    if len(letter.raw) > len(shown):
        n = speech.count(len(letter.raw) - len(shown))
        lines.append(say(f"  y {n} bytes más", f"  and {n} bytes more"))
    hint = say("No es texto que se pueda mostrar. Para guardarlo:", "No printable text. To save them:")
    size = speech.count(len(letter.raw))
    return [
        f"{title} {size}, {say('en hexadecimal', 'in hex')}",
        *lines,
        f"{hint} factus-worker dead show --raw {letter.id} > FILE",
    ]


def printable(raw: bytes) -> str | None:
    """The bytes as text, if it is UTF-8 that no terminal takes for a command."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if all(char.isprintable() or char in "\n\t" for char in text) else None


def pushed_line(letter_id: str, pushed: Pushed, speech: Speech) -> str:
    """What came of a letter that was pushed again."""
    say, lost = speech.say, ", ".join(pushed.goes_without)
    without = say(f"; va sin {lost}", f"; goes without {lost}") if lost else ""
    told = say(
        f"enviado como {pushed.job_id} a {pushed.stream}, entrada {pushed.entry}",
        f"pushed as {pushed.job_id} to {pushed.stream}, entry {pushed.entry}",
    )
    return clean(f"{letter_id}  {told}{without}")


def _in_brackets(parts: Sequence[str]) -> str:
    return f" ({', '.join(parts)})" if parts else ""


def _clock(at_ms: int) -> str:
    from schemas.factus import BOGOTA
    from worker.speech import clock

    return clock(at_ms, BOGOTA)
