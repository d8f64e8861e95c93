"""``factus-worker check``: judge files as the worker would, without Redis, credentials or network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from worker.cli.console import json_text, show_table
from worker.cli.job_types import TYPES_HELP, job_type_option

if TYPE_CHECKING:
    from worker.operating.checking import Counts, Finding


@click.command("check", epilog=TYPES_HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@job_type_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def command(files: tuple[str, ...], job_type: str, as_json: bool) -> None:
    """Validate FILEs offline, with the rules that the worker applies before it calls Factus.

    Takes what `submit` takes: envelopes and bare payloads in .json, .jsonl, or - for JSONL on stdin. Warnings are
    shown and do not fail: such a job is taken, but something in it is doubtful or would not be done.

    \b
    Exit status: 0 no errors, 1 errors were found, 2 wrong usage.
    """
    from datetime import datetime

    from schemas.factus import BOGOTA
    from worker.operating.checking import check_rows, counts_of
    from worker.operating.job_files import FileRefused, read_rows

    stdin = sys.stdin.buffer
    try:
        rows = [row for path in files for row in read_rows(path, stdin)]
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    if not rows:
        raise click.UsageError("The files hold no job.")
    findings = check_rows(rows, job_type, today=datetime.now(BOGOTA).date())
    counts = counts_of(findings, len(rows))
    if as_json:
        click.echo(json_text(_document(findings, counts)))
    else:
        _show(findings, counts)
    if counts.n_wrong:
        raise click.exceptions.Exit(1)


def _show(findings: list[Finding], counts: Counts) -> None:
    if findings:
        rows = [_row(finding) for finding in findings]
        show_table(["file:line", "reference", "level", "field", "rule", "message"], rows)
    n_errors = sum(finding.is_error for finding in findings)
    checked = "1 job" if counts.n_checked == 1 else f"{counts.n_checked} jobs"
    parts = [
        f"{counts.n_fine} fine",
        f"{counts.n_warned} with warnings only",
        f"{counts.n_wrong} with errors",
    ]
    click.echo(f"{checked}: {', '.join(parts)} ({n_errors} errors, {len(findings) - n_errors} warnings in all)")


def _row(finding: Finding) -> list[str]:
    told = finding.detail
    level = "error" if finding.is_error else "warning"
    return [finding.place, finding.reference, level, told.field or "", told.rule or "", told.message]


def _document(findings: list[Finding], counts: Counts) -> dict[str, object]:
    told: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for finding in findings:
        place = {"source": finding.source, "line": finding.line, "reference": finding.reference or None}
        told[finding.is_error].append({**place, **finding.detail.model_dump()})
    return {
        "checked": counts.n_checked,
        "fine": counts.n_fine,
        "with_warnings": counts.n_warned,
        "with_errors": counts.n_wrong,
        "errors": told[True],
        "warnings": told[False],
    }
