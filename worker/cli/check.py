"""``factus-worker check``: judge files as the worker would, without Redis, credentials or network."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from worker.cli.console import json_text, show_table

if TYPE_CHECKING:
    from worker.operating.checking import Finding


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--type", "job_type", default="invoice.issue", show_default=True, help="Job type of bare payloads.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
def command(files: tuple[str, ...], job_type: str, as_json: bool) -> None:
    """Validate FILEs offline, with the rules that the worker applies before it calls Factus.

    Takes what `submit` takes: envelopes and bare payloads in .json, .jsonl, or - for JSONL on stdin. Warnings are
    shown and do not fail.

    \b
    Exit status: 0 no errors, 1 errors were found, 2 wrong usage.
    """
    from datetime import datetime

    from schemas.factus import BOGOTA
    from worker.operating.checking import check_rows
    from worker.operating.job_files import FileRefused, read_rows

    stdin = sys.stdin.buffer
    try:
        rows = [row for path in files for row in read_rows(path, stdin)]
    except FileRefused as exc:
        raise click.UsageError(str(exc)) from exc
    findings = check_rows(rows, job_type, today=datetime.now(BOGOTA).date())
    n_errors = sum(finding.is_error for finding in findings)
    if as_json:
        click.echo(json_text(_document(findings, len(rows))))
    else:
        _show(findings, len(rows))
    if n_errors:
        raise click.exceptions.Exit(1)


def _show(findings: list[Finding], n_rows: int) -> None:
    if findings:
        rows = [
            [f.place, f.reference, "error" if f.is_error else "warning", f.field, f.rule, f.message] for f in findings
        ]
        show_table(["where", "reference", "level", "field", "rule", "message"], rows)
    n_errors = sum(finding.is_error for finding in findings)
    n_bad = len({finding.place for finding in findings if finding.is_error})
    checked = "1 document" if n_rows == 1 else f"{n_rows} documents"
    click.echo(f"{checked}: {n_bad} with errors ({n_errors} errors), {len(findings) - n_errors} warnings")


def _document(findings: list[Finding], n_rows: int) -> dict[str, object]:
    fields = ("source", "line", "reference", "code", "field", "rule", "message")
    told: dict[bool, list[dict[str, object]]] = {True: [], False: []}
    for finding in findings:
        told[finding.is_error].append({name: getattr(finding, name) or None for name in fields})
    return {"checked": n_rows, "errors": told[True], "warnings": told[False]}
