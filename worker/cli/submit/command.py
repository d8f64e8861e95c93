"""``factus-worker submit``: push files of jobs, and wait for what comes of them."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from datetime import date
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from worker.cli.console import emit, open_redis, show_table, spoken, told_settings
from worker.cli.job_type_option import TYPES_HELP, job_type_option
from worker.cli.submit.course import Course, interrupted, more_words, outcome_word, outcome_words

if TYPE_CHECKING:
    from worker.cli.files.job_files import Defaults, Job
    from worker.cli.progress import Bar
    from worker.cli.speech import Speech
    from worker.cli.submit.push import FamilySum, Pushed, Watch
    from worker.settings import Settings

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

    speech = spoken()
    if batch is not None and not 0 < len(batch) <= 128:
        raise click.BadParameter(speech.say("de 1 a 128 caracteres", "1 to 128 characters"), param_hint="--batch")
    defaults = Defaults(job_type, account, priority, batch, issue_on)
    try:
        jobs = _read(files, defaults, speech)
    except FileRefused as exc:
        nothing = speech.say("No se envió nada.", "Nothing was pushed.")
        raise click.UsageError(f"{str(exc).rstrip('.')}. {nothing}") from exc
    if not jobs:
        raise click.UsageError(speech.say("Los archivos no tienen ningún trabajo.", "The files hold no job."))
    course = Course(len(jobs), batch)
    try:
        is_good = asyncio.run(_submit(told_settings(), jobs, timeout if wait else None, speech, course))
    except KeyboardInterrupt:
        emit("")
        for line in interrupted(course, speech):
            emit(line, "yellow")
        is_good = False
    if not is_good:
        raise click.exceptions.Exit(1)


def _read(files: tuple[str, ...], defaults: Defaults, speech: Speech) -> list[Job]:
    from datetime import datetime

    from schemas.factus import BOGOTA
    from worker.cli.check.validation import contradictions
    from worker.cli.files.job_files import FileRefused, jobs_of, read_all, sound_rows
    from worker.cli.progress import counted

    what = ("trabajos leídos", "jobs read")
    rows = sound_rows(counted(read_all(files, sys.stdin.buffer), what, speech))
    if found := contradictions(rows, defaults, now=datetime.now(BOGOTA)):
        raise FileRefused("\n".join(f"{place}: {why}" for place, why in found[:_MOST_CONTRADICTIONS]))
    return jobs_of(rows, defaults, f"submit-{secrets.token_hex(6)}")


async def _submit(settings: Settings, jobs: list[Job], timeout_s: float | None, speech: Speech, course: Course) -> bool:
    from worker.cli.progress import Bar
    from worker.cli.submit.push import Watch, ends_of, push, summarize
    from worker.store.keys import Keys

    accounts = settings.accounts()
    own = frozenset(name for name, account in accounts.items() if account.own_streams)
    keys = Keys(settings.namespace)
    async with open_redis(settings) as redis:
        places = {}
        if timeout_s is not None:
            places = await ends_of(redis, [keys.results(), *(keys.results(name) for name in sorted(own))])
        with Bar(len(jobs), speech, quiet_s=0.0 if timeout_s is not None else 1.0) as bar:

            def told(n_pushed: int) -> None:
                course.n_pushed = n_pushed
                if timeout_s is None or n_pushed < len(jobs):
                    bar.show(n_pushed, speech.say("enviados", "pushed"))

            course.pushed = await push(redis, keys, jobs, own, told)
            if timeout_s is None:
                _show_pushed(jobs, speech)
                return True
            only = next(iter(accounts)) if len(accounts) == 1 else "default"
            watch = Watch(redis, keys, course.pushed, places, default_account=only)
            await _wait(settings, redis, watch, bar, timeout_s, only, speech)
        pushed = course.pushed
    _show(pushed, timeout_s, speech)
    return summarize(pushed).is_success


async def _wait(
    settings: Settings, redis: Any, watch: Watch, bar: Bar, timeout_s: float, only: str, speech: Speech
) -> None:
    """Until all are final or time is up; the bar is drawn after each look, also when nothing comes."""
    from schemas.factus import BOGOTA
    from worker.cli.submit.pause import PauseReader
    from worker.store.keys import Keys

    lanes = sorted({_lane_of(one.job, only) for one in watch.pushed})
    pauses = PauseReader(redis, Keys(settings.namespace), lanes, settings.accounts())
    gives_up_at = monotonic() + timeout_s
    note = ""
    while True:
        n_final = sum(one.outcome is not None for one in watch.pushed)
        bar.show(n_final, f"{speech.say('terminados', 'final')}{_counts(watch.pushed, speech)}", note)
        if not watch.n_open or monotonic() >= gives_up_at:
            return
        await watch.turn()
        note = await pauses.note(BOGOTA, speech, limit=settings.rate_limit, window_s=settings.rate_window)


def _lane_of(job: Job, default: str) -> str:
    family, _, verb = job.type.partition(".")
    return f"{job.account or default}/{family if verb == 'issue' else 'calls'}"


def _show_pushed(jobs: list[Job], speech: Speech) -> None:
    emit(
        speech.say(
            f"Enviados {speech.jobs(len(jobs))}, ids {jobs[0].id} a {jobs[-1].id}",
            f"Pushed {speech.jobs(len(jobs))}, ids {jobs[0].id} to {jobs[-1].id}",
        )
    )
    emit(
        speech.say(
            "Para ver en qué van: la misma orden con --wait, factus-worker status REFERENCIA, o factus-worker results.",
            "To see how they go: the same command with --wait, factus-worker status REFERENCE or results.",
        )
    )


def _show(pushed: list[Pushed], timeout_s: float, speech: Speech) -> None:
    from worker.cli.submit.push import summarize

    say = speech.say
    summary = summarize(pushed)
    rows = [[type_, speech.count(count), say(*outcome_words(type_))] for type_, count in summary.counts.items()]
    if summary.n_open:
        rows.append(
            [say("abiertos", "still open"), speech.count(summary.n_open), say("siguen en cola", "still queued")]
        )
    show_table([say("resultado", "outcome"), say("trabajos", "jobs"), say("qué es", "meaning")], rows, right=(1,))
    for one in summary.families:
        emit(_family_line(one, speech), "green", hanging=2)
    _show_calls(summary.completed, speech)
    if summary.failures:
        failures = [
            [
                one.job.reference or str(one.job.id),
                one.outcome.code,
                one.outcome.message + more_words(one.outcome.n_more, speech),
                one.outcome.number or "-",
                one.outcome.rule or "-",
                one.job.place,
            ]
            for one in summary.failures
            if one.outcome
        ]
        headers = [say("referencia", "reference"), say("código", "code"), say("mensaje", "message")]
        headers += [say("número", "number"), say("regla", "rule"), say("de", "from")]
        show_table(headers, failures, styles=["red"] * len(failures))
    if summary.n_open:
        n = speech.jobs(summary.n_open)
        text = say(
            f"{n} sin resultado después de {timeout_s:g} s. No se pierde nada, siguen en cola y se van a procesar: vea "
            "factus-worker status, y si hay un trabajador en marcha.",
            f"{n} without a final event after {timeout_s:g} s. Nothing is lost, they stay queued: see factus-worker "
            "status, and whether a worker runs.",
        )
        click.echo(text, err=True)


def _family_line(one: FamilySum, speech: Speech) -> str:
    say, n = speech.say, speech.count(one.n_validated)
    total = ""
    if one.total is not None:
        total = say(f", por {speech.money(one.total)} en total", f", in total {speech.money(one.total)}")
    number = ""
    if one.first_number != one.last_number:
        first, last = one.first_number, one.last_number
        number = say(f", números {first} a {last}", f", numbers {first} to {last}")
    elif one.first_number:
        number = say(f", número {one.first_number}", f", number {one.first_number}")
    return say(f"Validados {one.family}: {n}", f"Validated {one.family}: {n}") + total + number


def _show_calls(completed: Sequence[Pushed], speech: Speech) -> None:
    """What calls have answered, in a sentence each; the answers themselves are long, and in the results."""
    if not completed:
        return
    say = speech.say
    shown = [one for one in completed if one.outcome][:_MOST_CALLS]
    rows = [[one.job.type, one.job.reference or str(one.job.id), one.outcome.message] for one in shown if one.outcome]
    show_table([say("llamada", "call"), say("sobre", "about"), say("respuesta", "answer")], rows)
    n_left = len(completed) - len(shown)
    left = say(f", {n_left} más", f", {n_left} more") if n_left else ""
    emit(say(f"Completas{left}: ", f"In full{left}: ") + "factus-worker results --type '*.completed' --json")


def _counts(pushed: list[Pushed], speech: Speech) -> str:
    from worker.cli.submit.push import summarize

    counts: dict[str, int] = {}
    for type_, count in summarize(pushed).counts.items():
        word = speech.say(*outcome_word(type_))
        counts[word] = counts.get(word, 0) + count
    told = ", ".join(f"{word} {speech.count(n)}" for word, n in counts.items())
    return f" ({told})" if told else ""
