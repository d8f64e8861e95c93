"""
What is told of a numbering range that is near its end, or has ended. When that is so is said in ``jobs/range_ends.py``.
Pure.
"""

from __future__ import annotations

from functools import lru_cache

from jobs.families import FAMILIES
from schemas.names import in_account
from worker.queue.range_notes import OTHER
from worker.speech import Speech
from worker.status.facts import RangeSeen
from worker.status.problem import Problem


@lru_cache(maxsize=1024)  # the same is said of a range until it changes
def range_problem(one: RangeSeen, speech: Speech) -> Problem | None:
    """What is to be said of a range that is in use; None while there is time and room."""
    end, subject = one.end, in_account(one.account, one.prefix)
    document = document_words(one.document, speech)
    name = speech.say(f"rango {one.prefix} ({document})", f"range {one.prefix} ({document})")
    what = speech.say(f"cuenta {one.account}, {name}: ", f"account {one.account}, {name}: ")
    if end.has_ended:
        told = _when_over(one, speech) if end.is_over else speech.say("no le quedan números", "no numbers are left")
        unused = speech.say(
            "; si ya no se usa, desactívelo (numbering_range.set_status)",
            "; one that is not used any more: switch it off (numbering_range.set_status)",
        )
        return Problem("range.ended", subject, what + told, _mend(speech) + unused)
    told = "; ".join(_left(one, speech))
    return Problem("range.ending", subject, what + told, _mend(speech)) if told else None


def document_words(document: str, speech: Speech) -> str:
    """What a range numbers, as a person calls it."""
    if document == OTHER:
        return speech.say("otro documento", "another document")
    return speech.say(FAMILIES[document].noun, document.replace("_", " ")) if document in FAMILIES else document


def _when_over(one: RangeSeen, speech: Speech) -> str:
    when = f" ({one.ends_on:%Y-%m-%d})" if one.ends_on else ""
    return speech.say(f"se venció{when}", f"has run out{when}")


def _left(one: RangeSeen, speech: Speech) -> list[str]:
    """What is left of it, where that is little."""
    told = []
    if one.end.is_near_by_date:
        left = speech.of(one.days_left, ("día", "day"), ("días", "days"))
        day = f"{one.ends_on:%Y-%m-%d}"
        told.append(speech.say(f"vence el {day} (en {left})", f"ends on {day} (in {left})"))
    if one.end.is_near_by_numbers:
        left, of = speech.count(one.n_left or 0), speech.count(one.n_numbers or 0)
        told.append(speech.say(f"le quedan {left} de {of} números", f"{left} of {of} numbers are left"))
    return told


def _mend(speech: Speech) -> str:
    return speech.say(
        "pida otra autorización de numeración en el MUISCA de la DIAN, asóciela al software y créela en Factus "
        "(numbering_range.create)",
        "ask for another numbering authorization in DIAN's MUISCA, tie it to the software, and create it at Factus "
        "(numbering_range.create)",
    )
