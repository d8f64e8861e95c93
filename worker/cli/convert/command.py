"""``factus-worker convert``: bodies of Factus v1 as payloads of v2, and what was inferred."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from schemas.names import family_of, issues
from worker.cli.bilingual import argument, option
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import clean, escaped, spoken
from worker.cli.job_type_option import job_type_option

if TYPE_CHECKING:
    from schemas.version_1.convert import Converted, Unconvertible
    from worker.cli.files.job_files import Row
    from worker.speech import Speech

_MOST_TOLD: Final = 200


_ES: Final = """Convierte cuerpos de la versión 1 de Factus (.json, .jsonl, o - para cualquiera de los dos por la
entrada estándar) en contenidos de la versión 2.

Escribe un contenido por línea, y en la salida de errores lo que dedujo y cuánto cambió el total. Los sobres siguen
siendo sobres. No llama a nadie: los ids de la versión 1 son posiciones en las tablas que trae el programa.

Código de salida: 0 todo convertido, 1 un cuerpo no se puede convertir (dice los campos), 2 mal escrito.
"""


@spoken_command("convert", _ES)
@argument("files", nargs=-1, required=True, named=("ARCHIVO...", "FILE..."))
@job_type_option
@option(
    "--out",
    named=("ARCHIVO", "FILE"),
    told=(
        "Escribe allí los contenidos (.json o .jsonl) y no en la salida estándar.",
        "Write the payloads there (.json or .jsonl) and not to standard output.",
    ),
)
def command(files: tuple[str, ...], job_type: str, out: str | None) -> None:
    """Convert bodies of Factus API v1 (.json, .jsonl, or - for either on stdin) into payloads of v2.

    Prints one payload a line, and to standard error what was inferred and how the total moved. Envelopes stay
    envelopes. Nothing is called: ids of v1 are positions in the tables that are shipped.

    Exit status: 0 all converted, 1 a body cannot be converted (its fields are named),
    2 wrong usage.
    """
    from worker.cli.files.all_files import is_spreadsheet, read_all
    from worker.cli.files.job_files import sound_rows
    from worker.cli.files.limits import FileRefused

    speech = spoken()
    if out is not None and Path(out).suffix.lower() not in (".json", ".jsonl"):
        raise click.BadParameter(
            speech.say("el nombre debe terminar en .json o .jsonl", "the name must end in .json or .jsonl"),
            param_hint="--out",
        )
    if any(is_spreadsheet(path) for path in files):
        raise click.UsageError(speech.say("convert es para .json y .jsonl", "convert is for .json and .jsonl"))
    try:
        rows = sound_rows(read_all(files, sys.stdin.buffer))
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    if not rows:
        raise click.UsageError(speech.say("Los archivos no tienen ningún documento.", "The files hold no document."))
    converted, n_refused = _convert_all(rows, job_type, speech)
    _write(converted, out)
    if n_refused:
        raise click.exceptions.Exit(1)


def _convert_all(rows: list[Row], job_type: str, speech: Speech) -> tuple[list[dict[str, Any]], int]:
    """The documents of v2, and how many could not be made; all of it is told on standard error."""
    from schemas.version_1.convert import Unconvertible, convert
    from worker.cli.files.job_files import is_envelope

    found: list[dict[str, Any]] = []
    n_refused = 0
    for n, row in enumerate(rows):
        bare = not is_envelope(row.value)
        type_ = job_type if bare else str(row.value.get("type", job_type))
        made = convert(family_of(type_) if issues(type_) else "", row.value if bare else row.value["payload"])
        if isinstance(made, Unconvertible):
            n_refused += 1
            _tell_refused(row.place, made)
            continue
        envelope = {key: value for key, value in row.value.items() if key != "payload_version"}
        found.append(made.payload if bare else {**envelope, "payload": made.payload})
        if n < _MOST_TOLD:
            _tell(row.place, made, speech)
    if len(rows) > _MOST_TOLD:
        left = speech.count(len(rows) - _MOST_TOLD)
        click.echo(speech.say(f"… y {left} documentos más", f"... and {left} documents more"), err=True)
    return found, n_refused


def _tell(place: str, made: Converted, speech: Speech) -> None:
    reference = made.payload.get("reference_code", "")
    total = speech.say(
        f"total v1 {speech.money(made.total_v1)}, v2 {speech.money(made.total_v2)}, diferencia "
        f"{speech.money(made.difference)}",
        f"total v1 {speech.money(made.total_v1)}, v2 {speech.money(made.total_v2)}, difference "
        f"{speech.money(made.difference)}",
    )
    click.echo(clean(f"{place}  {reference}: {total}"), err=True)
    for sentence in made.inferred:
        click.echo(clean(f"    {sentence}"), err=True)


def _tell_refused(place: str, made: Unconvertible) -> None:
    for field, why in made.faults:
        click.echo(clean(f"{place}  {field or '-'}: {why}"), err=True)


def _write(converted: list[dict[str, Any]], out: str | None) -> None:
    import json

    from schemas import strict_json

    lines = [strict_json.dump(one) for one in converted]
    if out is None:
        for line in lines:
            click.echo(escaped(line))
        return
    text = "".join(f"{line}\n" for line in lines)
    if Path(out).suffix.lower() == ".json":
        parsed = [json.loads(line, parse_float=str) for line in lines]
        text = json.dumps(parsed, ensure_ascii=False, indent=2) + "\n"
    try:
        Path(out).write_text(text, encoding="utf-8")
    except OSError as exc:
        raise click.ClickException(f"{out}: {exc.strerror}") from exc
