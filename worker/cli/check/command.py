"""``factus-worker check``: judge files as the worker would, without Redis, credentials or network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from worker.cli.console import emit, json_text, show_table, spoken
from worker.cli.job_type_option import TYPES_HELP, job_type_option

if TYPE_CHECKING:
    from schemas.contract.event import ErrorDetail
    from worker.cli.check.validation import Checked, Counts
    from worker.cli.speech import Speech


@click.command("check", epilog=TYPES_HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@job_type_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def command(files: tuple[str, ...], job_type: str, as_json: bool) -> None:
    """Validate FILEs offline, with the rules that the worker applies before it calls Factus.

    Takes what `submit` takes: envelopes and bare payloads in .json, .jsonl, or - for either on stdin. Warnings are
    shown and do not fail: such a job is taken, but something in it is doubtful or would not be done.

    \b
    Exit status: 0 no errors, 1 errors were found, 2 wrong usage.
    """
    from datetime import datetime

    from schemas.factus import BOGOTA
    from worker.cli.check.validation import check_rows, counts_of
    from worker.cli.files.job_files import FileRefused, read_all
    from worker.cli.progress import counted, watched

    stdin, speech = sys.stdin.buffer, spoken()
    try:
        rows = list(counted(read_all(files, stdin), ("trabajos leídos", "jobs read"), speech))
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    if not rows:
        raise click.UsageError(speech.say("Los archivos no tienen ningún trabajo.", "The files hold no job."))
    told = watched(rows, len(rows), ("revisados", "checked"), speech)
    checked = check_rows(told, job_type, now=datetime.now(BOGOTA))
    counts = counts_of(checked)
    if as_json:
        click.echo(json_text(_document(checked, counts)))
    else:
        _show(checked, counts, speech)
        if any(one.errors and one.is_bare for one in checked):
            emit(
                speech.say(
                    f"Lo que no tiene sobre se revisó como {job_type}; --type dice otro.",
                    f"Bare payloads were checked as {job_type}; --type names another.",
                )
            )
    if counts.n_wrong:
        raise click.exceptions.Exit(1)


def _show(checked: list[Checked], counts: Counts, speech: Speech) -> None:
    say = speech.say
    wrong = [_row(one, "error", detail) for one in checked for detail in one.errors]
    n_doubtful = sum(len(one.warnings) for one in checked)
    doubtful = _each_once(
        [_row(one, say("aviso", "warning"), detail) for one in checked for detail in one.warnings], speech
    )
    if rows := [*wrong, *doubtful]:
        headers = [say("archivo:línea", "file:line"), say("referencia", "reference"), say("nivel", "level")]
        headers += [say("campo", "field"), say("regla", "rule"), say("mensaje", "message")]
        more = say("... y {} filas más", "... and {} rows more")
        show_table(headers, rows, styles=["red"] * len(wrong) + ["yellow"] * len(doubtful), more=more)
    n_errors = sum(len(one.errors) for one in checked)
    parts = [
        say(f"{speech.count(counts.n_fine)} bien", f"{speech.count(counts.n_fine)} fine"),
        say(f"{speech.count(counts.n_warned)} solo con avisos", f"{speech.count(counts.n_warned)} with warnings only"),
        say(f"{speech.count(counts.n_wrong)} con errores", f"{speech.count(counts.n_wrong)} with errors"),
    ]
    errors = speech.of(n_errors, ("error", "error"), ("errores", "errors"))
    warnings = speech.of(n_doubtful, ("aviso", "warning"), ("avisos", "warnings"))
    whole = say("en total", "in all")
    style = "bold red" if counts.n_wrong else "bold green"
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
    return [one.row.place, one.reference, level, detail.field or "", detail.rule or "", detail.message]


def _document(checked: list[Checked], counts: Counts) -> dict[str, object]:
    return {
        "checked": counts.n_checked,
        "fine": counts.n_fine,
        "with_warnings": counts.n_warned,
        "with_errors": counts.n_wrong,
        "errors": [_told(one, detail) for one in checked for detail in one.errors],
        "warnings": [_told(one, detail) for one in checked for detail in one.warnings],
    }


def _told(one: Checked, detail: ErrorDetail) -> dict[str, object]:
    row = one.row
    place = {"source": row.source, "line": row.line, "index": row.index, "reference": one.reference or None}
    return {**place, **detail.model_dump()}
