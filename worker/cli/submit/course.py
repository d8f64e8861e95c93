"""
What a person is told of pushed jobs while they are waited for, and when he stops waiting. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from schemas.names import ending_of
from worker.speech import Speech

if TYPE_CHECKING:
    from worker.cli.submit.push import Pushed

_OUTCOMES: Final = {
    "validated": ("validados", "validated"),
    "rejected": ("rechazados por Factus o la DIAN", "rejected by Factus or DIAN"),
    "refused": ("no aceptados, no se enviaron a Factus", "refused, not sent to Factus"),
    "failed": ("fallidos", "failed"),
    "completed": ("hechos", "done"),
}

_WORDS: Final = {
    **_OUTCOMES,
    "rejected": ("rechazados", "rejected"),
    "refused": ("no aceptados", "refused"),
}


@dataclass(slots=True)
class Course:
    """How far a submission has come: what is told when it is interrupted."""

    n_jobs: int
    batch: str | None = None
    n_pushed: int = 0
    pushed: Sequence[Pushed] = field(default_factory=list)


def outcome_word(event_type: str) -> tuple[str, str]:
    """The same in a word."""
    return _WORDS.get(ending_of(event_type), (event_type, event_type))


def outcome_words(event_type: str) -> tuple[str, str]:
    """What a final type means, Spanish and English."""
    return _OUTCOMES.get(ending_of(event_type), (event_type, event_type))


def more_words(n_more: int, speech: Speech) -> str:
    """How many errors stand behind the first: mending it alone would bring the next."""
    if not n_more:
        return ""
    return speech.say(
        f" (y {n_more} error más)" if n_more == 1 else f" (y {n_more} errores más)",
        f" (and {n_more} more error)" if n_more == 1 else f" (and {n_more} more errors)",
    )


def interrupted(course: Course, speech: Speech) -> list[str]:
    """What Ctrl-C means: the waiting ends, and what was pushed goes out all the same."""
    say, n_final = speech.say, sum(one.outcome is not None for one in course.pushed)
    if not course.n_pushed:
        return [say("Interrumpido: no se envió nada.", "Interrupted: nothing was pushed.")]
    n_open, n_left = course.n_pushed - n_final, course.n_jobs - course.n_pushed
    lines = []
    if n_left:
        lines.append(
            say(
                f"Interrumpido al enviar: {speech.jobs(n_left)} no se enviaron.",
                f"Interrupted while pushing: {speech.jobs(n_left)} were not pushed.",
            )
        )
    final, still = speech.count(n_final), speech.count(n_open)
    lines.append(
        say(
            f"Dejó de esperar. {final} terminados; {still} siguen en cola y SE VAN A EMITIR.",
            f"You stopped waiting. {final} are final; {still} stay queued and WILL BE ISSUED.",
        )
        if n_open
        else say("Dejó de esperar; ya habían terminado todos.", "You stopped waiting; all were final already.")
    )
    which = f"--batch {course.batch}" if course.batch else say("REFERENCIA", "REFERENCE")
    look = say("la misma orden otra vez, o factus-worker status", "the same command again, or factus-worker status")
    lines.append(say("Para verlos: ", "To look: ") + f"{look} {which}")
    if n_open:
        what = say("Para cancelar los que no se han enviado", "To cancel those that are not sent")
        lines.append(f"{what}: factus-worker cancel {which}")
    return lines
