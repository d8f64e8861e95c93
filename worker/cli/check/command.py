"""``factus-worker check``: judge files as the worker would, without Redis, credentials or network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.bilingual import argument, option
from worker.cli.bilingual import command as spoken_command
from worker.cli.console import emit, json_text, show_table, spoken
from worker.cli.files.sheet_options import gathered, sheet_options
from worker.cli.job_type_option import TYPES_HELP, job_type_option

if TYPE_CHECKING:
    from schemas.contract.event import ErrorDetail
    from worker.cli.check.validation import Checked, Counts
    from worker.speech import Speech


_ES: Final = """Revisa ARCHIVOS sin conexión, con las reglas que el trabajador aplica antes de llamar a Factus.

Recibe lo mismo que `submit`: trabajos con o sin sobre en .json, .jsonl, o - para cualquiera de los dos por la
entrada estándar, y hojas de cálculo con documentos (.csv, .xlsx, .xls). Los avisos se muestran y no impiden: un
trabajo así se recibe, pero algo en él es dudoso o no se haría.

Código de salida: 0 sin errores, 1 hay errores, 2 mal escrito.
"""


@spoken_command("check", _ES, after=TYPES_HELP)
@argument("files", nargs=-1, required=True, named=("ARCHIVO...", "FILE..."))
@job_type_option
@sheet_options
@option(
    "--json",
    "as_json",
    is_flag=True,
    told=("Un documento JSON en lugar de una tabla.", "One JSON document instead of a table."),
)
def command(files: tuple[str, ...], job_type: str, as_json: bool, **sheets: Any) -> None:
    """Validate FILEs offline, with the rules that the worker applies before it calls Factus.

    Takes what `submit` takes: envelopes and bare payloads in .json, .jsonl, or - for either on stdin, and
    spreadsheets of documents (.csv, .xlsx, .xls). Warnings are shown and do not fail: such a job is taken, but
    something in it is doubtful or would not be done.

    Exit status: 0 no errors, 1 errors were found, 2 wrong usage.
    """
    from datetime import datetime

    from worker.cli.files.all_files import begun, read_all
    from worker.cli.files.limits import FileRefused
    from worker.cli.progress import counted

    try:
        found = begun(read_all(files, sys.stdin.buffer, job_type, gathered(**sheets)))
        # Afterwards: settings and rules take longer to load than a file to be refused.
        speech = spoken()
        from schemas.factus import BOGOTA
        from worker.cli.check.validation import check_rows, counts_of

        rows = counted(found, ("revisados", "checked"), speech)
        checked = check_rows(rows, job_type, now=datetime.now(BOGOTA), forget=True)
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    if not checked:
        raise click.UsageError(speech.say("Los archivos no tienen ningún trabajo.", "The files hold no job."))
    counts = counts_of(checked)
    if as_json:
        click.echo(json_text(_document(checked, counts)))
    else:
        show_checked(checked, speech)
        _show_counts(checked, counts, speech)
        if any(one.errors and one.is_bare for one in checked):
            emit(
                speech.say(
                    f"Lo que no tiene sobre se revisó como {job_type}; --type dice otro.",
                    f"Bare payloads were checked as {job_type}; --type names another.",
                )
            )
    if any(one.n_errors for one in checked):
        raise click.exceptions.Exit(1)


def show_checked(checked: Sequence[Checked], speech: Speech) -> None:
    """Show all errors, and then what is doubtful: of spreadsheets by their cells, of JSON by line and field."""
    from worker.cli.check.cell_report import each_once, show_cells
    from worker.cli.files.cell_errors import CellError

    errors = [(one, detail) for one in checked for detail in one.errors]
    warnings = [(one, detail) for one in checked for detail in one.warnings]
    if cells := [detail for _, detail in errors if isinstance(detail, CellError)]:
        show_cells(cells, speech, n_more=sum(one.n_untold[0] for one in checked))
    if doubts := each_once([detail for _, detail in warnings if isinstance(detail, CellError)]):
        emit(speech.say("Avisos, que no impiden enviar:", "Warnings, which stop nothing:"))
        show_cells(doubts, speech, "yellow", n_more=sum(one.n_untold[1] for one in checked))
    say = speech.say
    wrong = [_row(one, "error", detail) for one, detail in errors if not isinstance(detail, CellError)]
    doubtful = _each_once(
        [_row(one, say("aviso", "warning"), detail) for one, detail in warnings if not isinstance(detail, CellError)],
        speech,
    )
    if rows := [*wrong, *doubtful]:
        headers = [say("archivo:línea", "file:line"), say("referencia", "reference"), say("nivel", "level")]
        headers += [say("campo", "field"), say("regla", "rule"), say("mensaje", "message")]
        more = say("... y {} filas más", "... and {} rows more")
        show_table(headers, rows, styles=["red"] * len(wrong) + ["yellow"] * len(doubtful), more=more)


def _show_counts(checked: Sequence[Checked], counts: Counts, speech: Speech) -> None:
    say = speech.say
    n_errors = sum(one.n_errors for one in checked)
    n_doubtful = sum(one.n_warnings for one in checked)
    parts = [
        say(f"{speech.count(counts.n_fine)} bien", f"{speech.count(counts.n_fine)} fine"),
        say(f"{speech.count(counts.n_warned)} solo con avisos", f"{speech.count(counts.n_warned)} with warnings only"),
        say(f"{speech.count(counts.n_wrong)} con errores", f"{speech.count(counts.n_wrong)} with errors"),
    ]
    errors = speech.of(n_errors, ("error", "error"), ("errores", "errors"))
    warnings = speech.of(n_doubtful, ("aviso", "warning"), ("avisos", "warnings"))
    whole = say("en total", "in all")
    style = "bold red" if n_errors else "bold green"
    emit(f"{speech.jobs(counts.n_checked)}: {', '.join(parts)} ({errors}, {warnings} {whole})", style, hanging=2)


def _each_once(rows: list[list[str]], speech: Speech) -> list[list[str]]:
    """Equal remarks as one, at the first of their places: three hundred of them hide the errors."""
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        found.setdefault((*row[3:5], row[5]), []).append(row)
    return [
        [
            *same[0][:5],
            f"{same[0][5]} ({speech.say('y', 'and')} {speech.count(len(same) - 1)} {speech.say('más', 'more')})",
        ]
        if len(same) > 1
        else same[0]
        for same in found.values()
    ]


def _row(one: Checked, level: str, detail: ErrorDetail) -> list[str]:
    from worker.cli.files.job_files import BadRow

    message = one.row.told if isinstance(one.row, BadRow) else detail.message
    return [one.row.place, one.reference, level, detail.field or "", detail.rule or "", message]


def _document(checked: Sequence[Checked], counts: Counts) -> dict[str, object]:
    untold = [sum(one.n_untold[n] for one in checked) for n in (0, 1)]
    return {
        "checked": counts.n_checked,
        "fine": counts.n_fine,
        "with_warnings": counts.n_warned,
        "with_errors": counts.n_wrong,
        "not_told": {"errors": untold[0], "warnings": untold[1]},
        "errors": [told_for_programs(one, detail) for one in checked for detail in one.errors],
        "warnings": [told_for_programs(one, detail) for one in checked for detail in one.warnings],
    }


def told_for_programs(one: Checked, detail: ErrorDetail) -> dict[str, object]:
    """An error or warning with its place: a cell, or the line of a file of JSON."""
    from worker.cli.check.cell_report import told
    from worker.cli.files.cell_errors import CellError

    if isinstance(detail, CellError):
        return told(detail)
    row = one.row
    place = {"source": row.source, "line": row.line, "index": row.index, "reference": one.reference or None}
    return {**place, **detail.model_dump()}
