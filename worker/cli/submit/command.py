"""``factus-worker submit``: push files of jobs, and wait for what comes of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from schemas.names import ISSUE, family_of, job_type_of, verb_of
from worker.cli.bilingual import argument, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, spoken, told_settings
from worker.cli.duration import duration
from worker.cli.files.sheet_options import gathered, sheet_options
from worker.cli.job_type_option import TYPES_HELP, job_type_option
from worker.cli.producers_token import token_option

if TYPE_CHECKING:
    from worker.cli.files.job_files import Defaults
    from worker.cli.files.workbooks import SheetOptions
    from worker.cli.submit.reading import Reading
    from worker.cli.submit.run import Run
    from worker.speech import Speech


def _day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if value else None
    except ValueError as exc:
        raise click.BadParameter(say("un día se escribe AAAA-MM-DD", "a day is written YYYY-MM-DD")) from exc


def _account(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    import re

    if value is not None and not re.fullmatch(r"[a-z0-9_-]{1,64}", value):
        raise click.BadParameter(
            say("una cuenta son de 1 a 64 de a-z, 0-9, _ y -", "an account is 1 to 64 of a-z, 0-9, _ and -")
        )
    return value


_ES: Final = """Envía los trabajos de ARCHIVOS: .json (un objeto o una lista), .jsonl (un objeto por línea), - para
JSONL por la entrada estándar; y los documentos de hojas de cálculo (.csv, .xlsx, .xls), una fila por línea de
factura.

Un objeto con "payload" es un sobre y se envía como está, completado con las opciones; cualquier otro objeto es el
contenido de un trabajo de --type. Todos los archivos se leen antes de enviar algo; de una hoja de cálculo no se
envía nada si no vale toda. Necesita FACTUS_REDIS_URL y ninguna credencial de Factus. Enviar otra vez un archivo no
hace daño: la misma referencia con el mismo contenido es un solo documento. Las llamadas no tienen referencia: un
correo sale otra vez, salvo que su sobre tenga el mismo "id".

Código de salida: 0 se envió (con --wait: todo salió bien), 1 algo falló, 2 mal escrito o un archivo que no se
puede leer.
"""
_FILE: Final = ("ARCHIVO", "FILE")


@spoken_command("submit", _ES, after=TYPES_HELP)
@argument("files", nargs=-1, named=("ARCHIVO...", "FILE..."))
@job_type_option
@option(
    "--account",
    callback=_account,
    named=("NOMBRE", "NAME"),
    told=("Cuenta de los trabajos que no dicen ninguna.", "Account of jobs that name none."),
)
@option(
    "--priority",
    type=click.Choice(["high", "normal", "low"]),
    told=("Prioridad de los trabajos que no dicen ninguna.", "Priority of jobs that state none."),
)
@option(
    "--batch",
    named=("NOMBRE", "NAME"),
    told=(
        "Lote de los trabajos que no dicen ninguno; batch_size es cuántos son.",
        "Batch of jobs that name none; batch_size is their number.",
    ),
)
@option(
    "--issue-on",
    callback=_day,
    named=("DÍA", "DAY"),
    told=(
        "AAAA-MM-DD: el día que los documentos deben llevar.",
        "YYYY-MM-DD: the day that the documents must carry.",
    ),
)
@option(
    "--wait",
    is_flag=True,
    told=(
        "Espera los resultados; termina con 1 si alguno falló, se rechazó o no llegó.",
        "Wait for the results; exit 1 if any failed, was refused or is missing.",
    ),
)
@option(
    "--timeout",
    callback=duration,
    named=("TIEMPO", "TIME"),
    told=(
        "Cuánto espera a lo sumo, como 90s o 2h.  [por omisión: hasta que pasen 10 minutos sin novedad]",
        "Longest wait, such as 90s or 2h.  [default: until 10 minutes have passed without news]",
    ),
)
@sheet_options
@option(
    "--partial",
    is_flag=True,
    told=(
        "Hojas de cálculo: envía los documentos que valen, y termina con 1.",
        "Spreadsheets: push the documents that are valid, and exit 1.",
    ),
)
@option(
    "--results",
    named=_FILE,
    told=(
        "Con --wait: .xlsx o .csv.  [hojas de cálculo: NOMBRE.resultado.xlsx]",
        "With --wait: .xlsx or .csv.  [spreadsheets: NAME.resultado.xlsx]",
    ),
)
@option(
    "--template",
    named=("ARCHIVO.xlsx", "FILE.xlsx"),
    told=("Escribe una plantilla para --type, y termina.", "Write a template for --type, and end."),
)
@option(
    "--from",
    "version",
    type=click.Choice(["v1"]),
    told=("JSON: son cuerpos de la versión 1 de Factus.", "JSON: the payloads are bodies of Factus v1."),
)
@token_option
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("Un documento JSON en lugar de los textos.", "One JSON document in place of the texts."),
)
def command(
    files: tuple[str, ...],
    job_type: str,
    account: str | None,
    priority: str | None,
    batch: str | None,
    issue_on: str | None,
    wait: bool,
    timeout: float | None,
    partial: bool,
    results: str | None,
    template: str | None,
    version: str | None,
    token_file: str | None,
    as_json: bool,
    **sheets: Any,
) -> None:
    """Push the jobs in FILEs: .json (one object or an array), .jsonl (one object per line), - for JSONL on stdin;
    and the documents of spreadsheets (.csv, .xlsx, .xls), a row for each line.

    An object with "payload" is an envelope and is pushed as it is, filled up from the options; any other object is
    the bare payload of a job of --type. All files are read before anything is pushed; of a spreadsheet nothing is
    pushed unless all of it is valid. Needs FACTUS_REDIS_URL and no Factus credentials. Submitting a file again is
    safe: the same reference with the same payload is one document. Calls have no reference: an e-mail goes out again,
    unless its envelope has the same "id".

    Exit status: 0 pushed (with --wait: all succeeded), 1 failed,
    2 wrong usage or an unreadable file.
    """
    from worker.cli.files.job_files import Defaults
    from worker.cli.submit.run import Run

    speech = spoken()
    if template:
        _write_template(template, job_type, files, speech)
        return
    of_sheets = _spreadsheets_of(files, batch, version, speech)
    paths = _results_paths(files, of_sheets, results, wait=wait)
    defaults = Defaults(job_type, account, priority, batch, issue_on, version)
    reading = _read(files, defaults, gathered(**sheets), speech)
    run = Run(reading, speech, batch, paths, as_json=as_json, token_file=token_file)
    run.tell_judged()
    if reading.has_errors and not partial:
        run.tell_nothing_pushed()
        raise click.exceptions.Exit(1)
    if results is None and reading.jobs:
        _see_places_of(paths.values())
    is_success = not reading.jobs or _pushed(run, wait=wait, timeout_s=timeout)
    if reading.has_errors:
        run.tell_left_out()
    if as_json:
        click.echo(json_text(run.document()))
    if run.unwritten:
        run.tell_unwritten()
    if not is_success or reading.has_errors or run.unwritten:
        raise click.exceptions.Exit(1)


def _spreadsheets_of(files: Sequence[str], batch: str | None, version: str | None, speech: Speech) -> list[str]:
    """Those of the files that are spreadsheets; what goes not together is wrong usage."""
    from worker.cli.files.all_files import is_spreadsheet

    if not files:
        raise click.UsageError(say("Falta el argumento 'ARCHIVO...'.", "Missing argument 'FILE...'."))
    if batch is not None and not 0 < len(batch) <= 128:
        raise click.BadParameter(speech.say("de 1 a 128 caracteres", "1 to 128 characters"), param_hint="--batch")
    found = [path for path in files if is_spreadsheet(path)]
    if version and found:
        raise click.UsageError(say("--from v1 es para .json y .jsonl", "--from v1 is for .json and .jsonl"))
    return found


def _read(files: tuple[str, ...], defaults: Defaults, sheets: SheetOptions, speech: Speech) -> Reading:
    """All of the files, before anything is pushed."""
    from worker.cli.files.limits import FileRefused
    from worker.cli.submit.reading import read_jobs

    try:
        reading = read_jobs(files, sys.stdin.buffer, defaults, sheets)
    except FileRefused as exc:
        raise click.UsageError(
            f"{str(exc).rstrip('.')}. {speech.say('No se envió nada', 'Nothing was pushed')}."
        ) from exc
    if not reading.jobs and not reading.judged:
        raise click.UsageError(speech.say("Los archivos no tienen ningún trabajo.", "The files hold no job."))
    return reading


def _pushed(run: Run, *, wait: bool, timeout_s: float | None) -> bool:
    """Whether all were pushed, and ended well where they are waited for."""
    import asyncio

    from worker.cli.submit.run import Interrupted

    try:
        return asyncio.run(run.push(told_settings(), wait=wait, timeout_s=timeout_s))
    except (Interrupted, KeyboardInterrupt):
        run.tell_interrupted()
        raise click.exceptions.Exit(1) from None


def _write_template(path: str, job_type: str, files: Sequence[str], speech: Speech) -> None:
    from datetime import datetime

    from schemas.factus import BOGOTA
    from schemas.sheets.fields import FAMILIES
    from worker.cli.files.limits import FileRefused
    from worker.cli.submit.template import write_template

    family = family_of(job_type)
    if files:
        raise click.UsageError(say("--template no lleva ARCHIVO", "--template takes no FILE"))
    if Path(path).suffix.lower() != ".xlsx":
        raise click.BadParameter(
            say("el nombre debe terminar en .xlsx", "the name must end in .xlsx"), param_hint="--template"
        )
    if family not in FAMILIES or verb_of(job_type) != ISSUE:
        names = ", ".join(job_type_of(one, ISSUE) for one in FAMILIES)
        raise click.BadParameter(
            say(f"hay plantilla para {names}", f"there is a template for {names}"), param_hint="--type"
        )
    try:
        write_template(path, family, datetime.now(BOGOTA).date())
    except FileRefused as exc:
        raise click.ClickException(str(exc)) from exc
    emit(speech.say(f"Plantilla escrita: {path}", f"Template written: {path}"))


def _results_paths(
    files: Sequence[str], of_sheets: Sequence[str], results: str | None, *, wait: bool
) -> dict[str, str]:
    """Where the results of each file go; under an empty name those of all files together."""
    from worker.cli.submit.results_file import default_paths

    if results is None:
        return default_paths(of_sheets) if wait else {}
    if not wait:
        raise click.UsageError(say("--results necesita --wait", "--results needs --wait"))
    if Path(results).suffix.lower() not in (".xlsx", ".csv"):
        raise click.BadParameter(
            say("el nombre debe terminar en .xlsx o .csv", "the name must end in .xlsx or .csv"), param_hint="--results"
        )
    if any(Path(results).resolve() == Path(path).resolve() for path in files):
        raise click.BadParameter(
            say("es el mismo archivo que se envía", "it is the file that is submitted"), param_hint="--results"
        )
    _see_place_of_all(results)
    return {"": results}


def _see_place_of_all(path: str) -> None:
    """As wrong usage, before anything is read: who named the folder can name another one."""
    from worker.cli.files.limits import FileRefused
    from worker.cli.submit.results_file import see_that_it_can_be_written

    try:
        see_that_it_can_be_written(path)
    except FileRefused as exc:
        raise click.BadParameter(
            f"{exc}. {say('No se envió nada', 'Nothing was pushed')}.", param_hint="--results"
        ) from exc


def _see_places_of(paths: Iterable[str]) -> None:
    """
    Beside the files themselves: once these are read, so that a file that is not there is told as such, and before the
    first push, after which the documents are issued and their CUFEs have no place to go.
    """
    from worker.cli.files.limits import FileRefused
    from worker.cli.submit.results_file import see_that_it_can_be_written

    try:
        for path in paths:
            see_that_it_can_be_written(path)
    except FileRefused as exc:
        raise click.UsageError(
            f"{exc}. "
            + say(
                "No se envió nada. Indique otro lugar con --results.",
                "Nothing was pushed. Name another place with --results.",
            )
        ) from exc
