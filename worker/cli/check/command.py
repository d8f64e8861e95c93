"""``factus-worker check``: judge files as the worker would, without Redis, credentials or network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from worker.cli.console import json_text, show_table
from worker.cli.job_type_option import TYPES_HELP, job_type_option

if TYPE_CHECKING:
    from schemas.contract.event import ErrorDetail
    from worker.cli.check.validation import Checked, Counts


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

    stdin = sys.stdin.buffer
    try:
        rows = list(read_all(files, stdin))
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    if not rows:
        raise click.UsageError("The files hold no job.")
    checked = check_rows(rows, job_type, now=datetime.now(BOGOTA))
    counts = counts_of(checked)
    if as_json:
        click.echo(json_text(_document(checked, counts)))
    else:
        _show(checked, counts)
        if any(one.errors and one.is_bare for one in checked):
            click.echo(f"Bare payloads were checked as {job_type}; --type names another.")
    if counts.n_wrong:
        raise click.exceptions.Exit(1)


def _show(checked: list[Checked], counts: Counts) -> None:
    wrong = [_row(one, "error", detail) for one in checked for detail in one.errors]
    doubtful = [_row(one, "warning", detail) for one in checked for detail in one.warnings]
    if rows := [*wrong, *_each_once(doubtful)]:
        show_table(["file:line", "reference", "level", "field", "rule", "message"], rows)
    n_errors = sum(len(one.errors) for one in checked)
    n_jobs = "1 job" if counts.n_checked == 1 else f"{counts.n_checked} jobs"
    parts = [
        f"{counts.n_fine} fine",
        f"{counts.n_warned} with warnings only",
        f"{counts.n_wrong} with errors",
    ]
    click.echo(f"{n_jobs}: {', '.join(parts)} ({n_errors} errors, {len(doubtful)} warnings in all)")


def _each_once(rows: list[list[str]]) -> list[list[str]]:
    """Equal remarks as one, at the first of their places: three hundred of them hide the errors."""
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for row in rows:
        found.setdefault((*row[3:5], row[5]), []).append(row)
    return [
        [*same[0][:5], f"{same[0][5]} (y {len(same) - 1} más)"] if len(same) > 1 else same[0] for same in found.values()
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
