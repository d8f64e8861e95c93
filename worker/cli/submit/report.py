"""
What ``submit`` says of pushed jobs: while they are waited for, and at the end by figures, families and failures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from schemas import names
from worker.cli.console import emit, show_table
from worker.cli.submit.course import more_words, outcome_word, outcome_words

if TYPE_CHECKING:
    from worker.cli.files.job_files import Job
    from worker.cli.submit.push import FamilySum, Pushed
    from worker.speech import Speech

_MOST_CALLS: Final = 20


def lane_of(job: Job, default: str) -> str:
    return names.lane_of(job.account or default, job.type)


def show_pushed(jobs: list[Job], speech: Speech) -> None:
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


def show_summary(pushed: Sequence[Pushed], speech: Speech) -> None:
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
            f"{n} sin resultado todavía. No se pierde nada, siguen en cola y se van a procesar: vea factus-worker "
            "status, y si hay un trabajador en marcha. La misma orden vuelve a esperarlos.",
            f"{n} without a final event. Nothing is lost, they stay queued: see factus-worker status, and whether a "
            "worker runs. The same command waits for them again.",
        )
        emit(text, err=True)


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


def counts_of(pushed: Sequence[Pushed], speech: Speech) -> str:
    from worker.cli.submit.push import summarize

    counts: dict[str, int] = {}
    for type_, count in summarize(pushed).counts.items():
        word = speech.say(*outcome_word(type_))
        counts[word] = counts.get(word, 0) + count
    told = ", ".join(f"{word} {speech.count(n)}" for word, n in counts.items())
    return f" ({told})" if told else ""
