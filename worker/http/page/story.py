"""The story of a document as a page tells it, from the one that the door and ``status REFERENCE --json`` tell. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jobs.families import FAMILIES
from worker.http.page.eyes import Eyes
from worker.speech import SPANISH

_MOST_FOUND: Final = 8
_MOST_LINES: Final = 12
_STATES: Final = {
    "later": "después",
    "pending": "pendiente",
    "done": "hecho",
    "failed": "falló",
    "unknown": "no se sabe",
}
_PARTS: Final = {"archive": "Archivo", "radian": "RADIAN"}


@dataclass(frozen=True, slots=True)
class PartShown:
    """What follows a document."""

    name: str
    state: str
    is_bad: bool
    why: str
    next: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobShown:
    """One job of the document."""

    where: str
    why: str
    next: str
    next_at: str
    facts: tuple[tuple[str, str], ...]
    parts: tuple[PartShown, ...]


@dataclass(frozen=True, slots=True)
class StoryShown:
    noun: str
    family: str
    reference: str
    is_waiting_for_intake: bool
    found: tuple[JobShown, ...]


def story_shown(family: str, reference_code: str, data: Mapping[str, Any], eyes: Eyes) -> StoryShown:
    """
    A story in lines.

    Args:
        data: ``found`` and ``is_waiting_for_intake``, as somebody may see them.
    """
    return StoryShown(
        noun=FAMILIES[family].noun,
        family=family,
        reference=eyes.name(reference_code),
        is_waiting_for_intake=bool(data["is_waiting_for_intake"]),
        found=tuple(_job(one, eyes) for one in data["found"][:_MOST_FOUND]),
    )


def _job(told: Mapping[str, Any], eyes: Eyes) -> JobShown:
    return JobShown(
        where=_capital(eyes.sentence(_text(told["where"]))),
        why=_capital(eyes.sentence(_text(told["why"]))),
        next=eyes.sentence(_text(told["next"])),
        next_at=_time(told["next_at"]),
        facts=tuple((name, value) for name, value in _facts(told, eyes) if value),
        parts=tuple(_part(part, eyes) for part in told["follows"]),
    )


def _facts(told: Mapping[str, Any], eyes: Eyes) -> list[tuple[str, str]]:
    error = told["last_error"] or {}
    position, of = told["position"], told["n_in_lane"]
    message = f"{error.get('code') or ''}: {_text(error.get('message'))}" if error else ""
    return [
        ("Cuenta", eyes.name(_text(told["account"]))),
        ("Número", eyes.name(_text(told["number"]))),
        ("Trabajo", eyes.name(_text(told["job_id"]))),
        ("Clase de trabajo", eyes.name(_text(told["job_type"]))),
        ("Desde", _time(told["since"])),
        ("Intentos", SPANISH.count(told["attempts"] or 0)),
        ("Lugar en su carril", f"{SPANISH.count(position)} de {SPANISH.count(of)}" if position and of else ""),
        ("Se intenta hasta", _time(told["tried_until"])),
        ("Regla", eyes.name(_text(told["rule"]))),
        ("Último error", eyes.sentence(message)),
    ]


def _part(part: Mapping[str, Any], eyes: Eyes) -> PartShown:
    name, state = _text(part["name"]), _text(part["state"])
    return PartShown(
        name=_PARTS.get(name, eyes.name(name)),
        state=_STATES.get(state, eyes.name(state)),
        is_bad=state == "failed",
        why=_capital(eyes.sentence(_text(part["why"]))),
        next=eyes.sentence(_text(part["next"])),
        lines=tuple(eyes.sentence(line) for line in _lines(part)[:_MOST_LINES]),
    )


def _lines(part: Mapping[str, Any]) -> list[str]:
    documents: Sequence[Mapping[str, Any]] = part["documents"] or ()
    events: Sequence[Mapping[str, Any]] = part["events"] or ()
    return [
        *(_text(line) for line in part["clock_words"] or ()),
        *(f"{_text(one.get('kind'))}, {SPANISH.count(int(one.get('bytes') or 0))} bytes" for one in documents),
        *(
            f"{_text(one.get('event_code'))} {_text(one.get('event_name'))}, {_time(one.get('occurred_at'))}"
            for one in events
        ),
    ]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _time(text: object) -> str:
    """An instant of the JSON for a person: ``2026-11-30 23:40:05``."""
    return f"{text[:10]} {text[11:19]}" if isinstance(text, str) and len(text) >= 19 else ""
