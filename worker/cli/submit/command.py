"""``factus-worker submit``: push files of jobs, and wait for what comes of them."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.console import clean, console, is_terminal, open_redis, show_table, told_settings
from worker.cli.job_type_option import TYPES_HELP, job_type_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.cli.files.job_files import Defaults, Job
    from worker.cli.submit.push import FamilySum, Pushed
    from worker.settings import Settings

_SAY_EVERY_S: Final = 2.0
_PACE_S: Final = 0.1
_MOST_CALLS: Final = 20
_MOST_CONTRADICTIONS: Final = 20


def _duration(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    from worker.settings import parse_duration

    try:
        seconds = parse_duration(value)
    except ValueError as exc:
        raise click.BadParameter(str(exc)) from exc
    assert isinstance(seconds, float)
    return seconds


def _day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    try:
        return date.fromisoformat(value).isoformat() if value else None
    except ValueError as exc:
        raise click.BadParameter("a day is written YYYY-MM-DD") from exc


def _account(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    import re

    if value is not None and not re.fullmatch(r"[a-z0-9_-]{1,64}", value):
        raise click.BadParameter("an account is 1 to 64 of a-z, 0-9, _ and -")
    return value


@click.command("submit", epilog=TYPES_HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@job_type_option
@click.option("--account", callback=_account, help="Account of jobs that name none.")
@click.option("--priority", type=click.Choice(["high", "normal", "low"]), help="Priority of jobs that state none.")
@click.option("--batch", metavar="NAME", help="Batch of jobs that name none; batch_size is their number.")
@click.option("--issue-on", callback=_day, metavar="DAY", help="Day that the documents must carry, YYYY-MM-DD.")
@click.option("--wait", is_flag=True, help="Wait for the results; exit 1 if any failed, was refused or is missing.")
@click.option(
    "--timeout", callback=_duration, default="10m", show_default=True, help="Longest wait, such as 90s or 2h."
)
def command(
    files: tuple[str, ...],
    job_type: str,
    account: str | None,
    priority: str | None,
    batch: str | None,
    issue_on: str | None,
    wait: bool,
    timeout: float,
) -> None:
    """Push the jobs in FILEs: .json (one object or an array), .jsonl (one object per line), - for JSONL on stdin.

    An object with "payload" is an envelope and is pushed as it is, filled up from the options; any other object is
    the bare payload of a job of --type. All files are read before anything is pushed. Needs FACTUS_REDIS_URL and no
    Factus credentials. Submitting a file again is safe: the same reference with the same payload is one document.
    Calls have no reference: an e-mail goes out again, unless its envelope has the same "id".

    \b
    Exit status: 0 pushed (with --wait: all succeeded), 1 failed, 2 wrong usage or an unreadable file.
    """
    import asyncio

    from worker.cli.files.job_files import Defaults, FileRefused

    if batch is not None and not 0 < len(batch) <= 128:
        raise click.BadParameter("1 to 128 characters", param_hint="--batch")
    defaults = Defaults(job_type, account, priority, batch, issue_on)
    try:
        jobs = _read(files, defaults)
    except FileRefused as exc:
        raise click.UsageError(f"{str(exc).rstrip('.')}. Nothing was pushed.") from exc
    if not jobs:
        raise click.UsageError("The files hold no job.")
    if not asyncio.run(_submit(told_settings(), jobs, timeout if wait else None)):
        raise click.exceptions.Exit(1)


def _read(files: tuple[str, ...], defaults: Defaults) -> list[Job]:
    from datetime import datetime

    from schemas.factus import BOGOTA
    from worker.cli.check.validation import contradictions
    from worker.cli.files.job_files import FileRefused, jobs_of, read_all, sound_rows

    rows = sound_rows(read_all(files, sys.stdin.buffer))
    if found := contradictions(rows, defaults, now=datetime.now(BOGOTA)):
        raise FileRefused("\n".join(f"{place}: {why}" for place, why in found[:_MOST_CONTRADICTIONS]))
    return jobs_of(rows, defaults, f"submit-{secrets.token_hex(6)}")


async def _submit(settings: Settings, jobs: list[Job], timeout_s: float | None) -> bool:
    from worker.cli.submit.push import Watch, ends_of, push, summarize
    from worker.store.keys import Keys

    accounts = settings.accounts()
    own = frozenset(name for name, account in accounts.items() if account.own_streams)
    keys = Keys(settings.namespace)
    async with open_redis(settings) as redis:
        if timeout_s is None:
            pushed = await push(redis, keys, jobs, own)
            click.echo(clean(f"Pushed {_jobs(len(pushed))}, ids {jobs[0].id} to {jobs[-1].id}"))
            return True
        places = await ends_of(redis, [keys.results(), *(keys.results(name) for name in sorted(own))])
        with _progress(len(jobs)) as tell:
            pushed = await push(redis, keys, jobs, own)
            tell(pushed)
            only = next(iter(accounts)) if len(accounts) == 1 else "default"
            paced = _paced(lambda: tell(pushed))
            watch = Watch(redis, keys, pushed, places, lambda _event, _one: paced(), default_account=only)
            await watch.run(timeout_s)
            tell(pushed)
    summary = summarize(pushed)
    _show(pushed, timeout_s)
    return summary.is_success


def _show(pushed: list[Pushed], timeout_s: float) -> None:
    from worker.cli.submit.push import summarize

    summary = summarize(pushed)
    rows = [[type_, str(count)] for type_, count in summary.counts.items()]
    if summary.n_open:
        rows.append(["still open", str(summary.n_open)])
    show_table(["outcome", "jobs"], rows, right=(1,))
    for one in summary.families:
        click.echo(clean(_family_line(one)))
    _show_calls(summary.completed)
    if summary.failures:
        failures = [
            [one.job.reference or str(one.job.id), one.outcome.code, one.outcome.message, one.job.place]
            for one in summary.failures
            if one.outcome
        ]
        show_table(["reference", "code", "message", "from"], failures)
    if summary.n_open:
        click.echo(
            f"{_jobs(summary.n_open)} without a final event after {timeout_s:g} s. Nothing is lost, they stay queued: "
            "see factus-worker status, and whether a worker runs.",
            err=True,
        )


def _family_line(one: FamilySum) -> str:
    total = f", in total {one.total:,.2f}" if one.total is not None else ""
    numbers = f", numbers {one.first_number} to {one.last_number}" if one.first_number != one.last_number else ""
    number = f", number {one.first_number}" if one.first_number and not numbers else ""
    return f"Validated {one.family}: {one.n_validated}{total}{numbers or number}"


def _show_calls(completed: Sequence[Pushed]) -> None:
    """What calls have answered, in a sentence each; the answers themselves are long, and in the results."""
    if not completed:
        return
    shown = [one for one in completed if one.outcome][:_MOST_CALLS]
    rows = [[one.job.type, one.job.reference or str(one.job.id), one.outcome.message] for one in shown if one.outcome]
    show_table(["call", "about", "answer"], rows)
    left = f", {len(completed) - len(shown)} more" if len(completed) > len(shown) else ""
    click.echo(f"In full{left}: factus-worker results --type '*.completed' --json")


@contextmanager
def _progress(n_jobs: int) -> Iterator[Callable[[list[Pushed]], None]]:
    """Something to call when jobs have moved: a bar on a terminal, now and then a line elsewhere."""
    if not is_terminal():
        yield _Lines(n_jobs)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns: list[Any] = [BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")]
    with Progress(*columns, console=console(), transient=True) as progress:
        task = progress.add_task("pushing", total=n_jobs)

        def tell(pushed: list[Pushed]) -> None:
            progress.update(task, completed=sum(one.outcome is not None for one in pushed), description=_counts(pushed))

        yield tell


class _Lines:
    """Progress where nobody watches: a line every few seconds, and only when something has changed."""

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._said_at = 0.0
        self._n_said = -1

    def __call__(self, pushed: list[Pushed]) -> None:
        n_final = sum(one.outcome is not None for one in pushed)
        is_early = n_final < self._n_jobs and monotonic() - self._said_at < _SAY_EVERY_S
        if n_final == self._n_said or is_early:
            return
        self._said_at, self._n_said = monotonic(), n_final
        click.echo(f"{n_final}/{self._n_jobs} final  {_counts(pushed)}".rstrip())


def _paced(act: Callable[[], None]) -> Callable[[], None]:
    """The same act, at most ten times a second: counting thousands of jobs at each event would be slow."""
    acted_at = 0.0

    def maybe() -> None:
        nonlocal acted_at
        if monotonic() - acted_at >= _PACE_S:
            acted_at = monotonic()
            act()

    return maybe


def _counts(pushed: list[Pushed]) -> str:
    from worker.cli.submit.push import summarize

    return clean(", ".join(f"{count} {type_}" for type_, count in summarize(pushed).counts.items()))


def _jobs(n: int) -> str:
    return "1 job" if n == 1 else f"{n} jobs"
