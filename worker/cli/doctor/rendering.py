"""The lines of ``doctor``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from worker.cli.console import emit
from worker.speech import Speech

if TYPE_CHECKING:
    from worker.doctor.checks import Check, Status

_WORDS: Final[dict[Status, tuple[str, str]]] = {
    "ok": ("ok", "ok"),
    "warning": ("aviso", "warning"),
    "failure": ("falla", "failure"),
    "skipped": ("omitido", "skipped"),
}
_STYLES: Final[dict[Status, str]] = {"ok": "green", "warning": "yellow", "failure": "bold red", "skipped": "dim"}


def show_checks(checks: Sequence[Check], speech: Speech) -> None:
    """A line for each, what to do below it, and the sum at the end."""
    wide = max(len(speech.say(*words)) for words in _WORDS.values())
    for one in checks:
        word = speech.say(*_WORDS[one.status])
        emit(f"{word:{wide}}  {one.id}  {one.subject}: {one.found}", _STYLES[one.status], hanging=wide + 2)
        if one.mend:
            emit(speech.say("qué hacer: ", "mend: ") + one.mend, indent=wide + 2, hanging=2)
    n = Counter(one.status for one in checks)
    failures = speech.of(n["failure"], ("falla", "failure"), ("fallas", "failures"))
    warnings = speech.of(n["warning"], ("aviso", "warning"), ("avisos", "warnings"))
    left_out = speech.of(n["skipped"], ("omitido", "skipped"), ("omitidos", "skipped"))
    emit("")
    style = "bold red" if n["failure"] else "green"
    emit(f"{failures}, {warnings}, {left_out}, {speech.count(n['ok'])} ok", style)
