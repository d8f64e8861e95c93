"""``factus-worker close``: the certificate of a day, made, shown and written; and certificates verified."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import click

from worker.cli.bilingual import argument, option, say
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, open_redis, show_fields, show_table, spoken, told_settings
from worker.cli.duration import duration
from worker.cli.producers_token import producers_token, token_option

if TYPE_CHECKING:
    from schemas.sheets.faults import Fault
    from worker.settings.model import Settings
    from worker.speech import Speech

_VERIFY: Final = "verify"
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TODAY: Final = ("hoy", "today")
_YESTERDAY: Final = ("ayer", "yesterday")
_BOGOTA: Final = ZoneInfo("America/Bogota")
_EARLIEST: Final = timezone(timedelta(hours=14))
"""Where a day begins first: what has not begun there is refused before anything is asked."""

_ES: Final = """Cierra un DÍA (AAAA-MM-DD, hoy o ayer): explica cada número de cada prefijo, compara los totales del
ERP con los de Factus y escribe el certificado (.json, .html para imprimir y .xlsx).

Envía un trabajo de tipo day.close y espera su respuesta; tiene que haber un trabajador en marcha. Se puede cerrar el
mismo día las veces que haga falta: el último certificado definitivo es el que cuenta.

close verify CARPETA|ARCHIVO... revisa, sin conexión, que los certificados estén como se hicieron y formen una cadena.

Código de salida: 0 todo explicado y cuadrado, 1 algo sin explicar o que no cuadra, no llegó respuesta, o hay celdas
con errores en el archivo de control, 2 mal escrito.
"""


@spoken_command("close", _ES)
@argument("day", named=("DÍA", "DAY"))
@argument("files", nargs=-1, named=("[ARCHIVO...]", "[FILE...]"))
@option("--account", named=("NOMBRE", "NAME"), told=("La cuenta que se cierra.", "The account to close."))
@option(
    "--control",
    named=("ARCHIVO", "FILE"),
    told=(
        "Los totales del ERP (.csv, .xlsx o .json): familia, prefijo, cantidad, total, impuestos.",
        "The ERP's totals (.csv, .xlsx or .json): family, prefix, count, total, tax.",
    ),
)
@option(
    "--decimal",
    type=click.Choice([",", "."]),
    told=(
        "La marca decimal del archivo de control, para textos como 1.234.",
        "The decimal mark of the control file, for texts such as 1.234.",
    ),
)
@option("--sheet", named=("NOMBRE", "NAME"), told=("La hoja del archivo de control.", "The sheet of the control file."))
@option(
    "--out",
    named=("CARPETA", "FOLDER"),
    default=".",
    show_default=True,
    told=("Dónde se escriben los archivos.", "Where the files are written."),
)
@option(
    "--timeout",
    callback=duration,
    named=("TIEMPO", "TIME"),
    default="10m",
    show_default=True,
    told=("Cuánto espera sin noticias, a lo sumo.", "Longest wait without news."),
)
@token_option
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("El certificado como JSON, en vez de tablas.", "The certificate as JSON, in place of tables."),
)
def command(
    day: str,
    files: tuple[str, ...],
    account: str | None,
    control: str | None,
    decimal: str | None,
    sheet: str | None,
    out: str,
    timeout: float,
    token_file: str | None,
    as_json: bool,
) -> None:
    """Close a DAY (YYYY-MM-DD, today or yesterday): explain every number of each prefix, compare the ERP's totals
    with those of Factus, and write the certificate (.json, .html to be printed, and .xlsx).

    Pushes a job of type day.close and waits for its answer; a worker has to run. The same day can be closed as often
    as one likes: the last certificate that is final counts.

    close verify FOLDER|FILE... checks offline that certificates are as they were made, and form a chain.

    Exit status: 0 all is explained and agrees, 1 something is unexplained or differs, no answer came, or cells of the
    control file are wrong, 2 wrong usage.
    """
    import asyncio

    from worker.cli.files.limits import FileRefused

    if day == _VERIFY:
        _verify(files, as_json=as_json)
        return
    if files:
        raise click.UsageError(
            say(f"No se entiende {files[0]!r} después del día.", f"{files[0]!r} after the day means nothing.")
        )
    settings = told_settings()
    try:
        rows = _control_of(control, decimal or "", sheet or "", as_json=as_json)
        token = producers_token(settings, token_file)
        is_good = asyncio.run(_close(settings, day, account, rows, out, timeout, token, as_json=as_json))
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    if not is_good:
        raise click.exceptions.Exit(1)


def _verify(files: tuple[str, ...], *, as_json: bool) -> None:
    from worker.cli.close.verify import verify

    if not files:
        raise click.UsageError(
            say("Diga una carpeta o archivos: close verify CARPETA", "Name a folder or files: close verify FOLDER")
        )
    if not verify(files, spoken(), as_json=as_json):
        raise click.exceptions.Exit(1)


# -- what was typed ----------------------------------------------------------------------------------------------------
def _control_of(path: str | None, decimal: str, sheet: str, *, as_json: bool) -> list[dict[str, Any]] | None:
    """
    The rows of the control file; None without one.

    Raises:
        Exit: Its cells are faulty: they are shown.
    """
    if path is None:
        return None
    from worker.cli.close.control_file import read_control_file

    rows, faults = read_control_file(path, decimal, sheet)
    if not faults:
        return rows
    _show_faults(faults, as_json=as_json)
    raise click.exceptions.Exit(1)


def _show_faults(faults: list[Fault], *, as_json: bool) -> None:
    from worker.cli.check.cell_report import show_cells, told
    from worker.cli.files.spreadsheets import error_of

    errors = [error_of(one) for one in faults]
    if as_json:
        click.echo(json_text({"errors": [told(one) for one in errors]}))
    else:
        show_cells(errors, spoken(), "red")


async def _account(settings: Settings, redis: Any, wanted: str | None) -> str:
    """
    The account that is meant: the one that was named, the only one, or the one called ``default``.

    Raises:
        UsageError: There are several.
    """
    if wanted:
        return wanted
    from worker.status.reader import StatusReader
    from worker.store.keys import Keys

    known = settings.accounts()
    reader = StatusReader(
        redis, Keys(settings.namespace), known, limit=settings.rate_limit, window_s=settings.rate_window,
        results_maxlen=settings.results_maxlen,
    )  # fmt: skip
    names = await reader.account_names(await reader.workers(await reader.now_ms()))
    if len(names) == 1:
        return names[0]
    if "default" in names:
        return "default"
    listed = ", ".join(sorted(names)[:10]) or "-"
    raise click.UsageError(
        say(f"Diga la cuenta con --account: {listed}.", f"Say which account with --account: {listed}.")
    )


def _day(text: str, zone: Any) -> str:
    """
    Raises:
        UsageError: No day.
    """
    today = datetime.now(zone).date()
    folded = text.casefold()
    if folded in _TODAY:
        return today.isoformat()
    if folded in _YESTERDAY:
        return (today - timedelta(days=1)).isoformat()
    try:
        found = datetime.strptime(text, "%Y-%m-%d").date() if _DAY.fullmatch(text) else None  # noqa: DTZ007
    except ValueError:
        found = None
    if found is None:
        raise click.UsageError(
            say(
                f"{text!r} no es un día: escriba AAAA-MM-DD, hoy o ayer.",
                f"{text!r} is no day: type YYYY-MM-DD, today or yesterday.",
            )
        )
    if found > today:
        raise click.UsageError(say(f"El día {found} no ha comenzado.", f"The day {found} has not begun."))
    return found.isoformat()


# -- made, shown and written -------------------------------------------------------------------------------------------
async def _close(
    settings: Settings,
    typed: str,
    wanted: str | None,
    control: list[dict[str, Any]] | None,
    out: str,
    timeout_s: float,
    token: str,
    *,
    as_json: bool,
) -> bool:
    from worker.cli.close.files import make_folder
    from worker.cli.close.run import close_day
    from worker.speech import Speech

    speech = Speech(settings.lang)
    _day(typed, _EARLIEST)
    make_folder(out)
    async with open_redis(settings, must_exist=True) as redis:
        account = await _account(settings, redis, wanted)
        known = settings.accounts().get(account)
        day = _day(typed, known.zone if known else _BOGOTA)
        payload = {"day": day, **({"control": control} if control else {})}
        job_id, event = await close_day(settings, redis, account, payload, timeout_s, speech, token=token)
    if event is None:
        _tell_no_answer(job_id, speech)
        return False
    if not event["success"]:
        _tell_failure(event, as_json=as_json)
        return False
    return _tell(event["data"], out, speech, as_json=as_json)


def _tell(certificate: dict[str, Any], out: str, speech: Speech, *, as_json: bool) -> bool:
    from worker.cli.close.files import write_all
    from worker.cli.close.sections import sections, standing, verdict

    paths = write_all(out, certificate, speech)
    told, is_good = verdict(certificate, speech)
    if as_json:
        click.echo(json_text(certificate))
        return is_good
    say = speech.say
    emit(
        say(
            f"Cierre del {certificate['day']}, cuenta {certificate['account']}",
            f"Closing of {certificate['day']}, account {certificate['account']}",
        ),
        "bold",
    )
    emit(standing(certificate, speech))
    for one in sections(certificate, speech):
        emit("")
        emit(one.title, "bold")
        show_table(one.headings, one.rows, right=one.right)
    emit("")
    emit(f"{told}.", "green" if is_good else "red")
    show_fields(
        [
            ("SHA-256", certificate["sha256"]),
            (say("anterior", "before it"), certificate["previous_sha256"] or say("ninguno", "none")),
            (say("archivos", "files"), "  ".join(paths)),
        ]
    )
    return is_good


def _tell_failure(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json_text(event))
        return
    for error in event["errors"]:
        field = f"{error['field']}: " if error.get("field") else ""
        emit(f"{field}{error['message']}", "red", hanging=2)


def _tell_no_answer(job_id: str, speech: Speech) -> None:
    emit(
        speech.say(
            f"No llegó respuesta a tiempo. El cierre {job_id} sigue en la cola y se hace cuando le toque: "
            "factus-worker status; factus-worker results --type day.close.completed",
            f"No answer came in time. The closing {job_id} stays pushed and is made when its turn comes: "
            "factus-worker status; factus-worker results --type day.close.completed",
        ),
        "red",
        err=True,
    )
