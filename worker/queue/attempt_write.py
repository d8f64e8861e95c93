"""
What the end of an attempt writes, as values, and how the scripts take them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from jobs.outcomes import BillNote, FactusHealth
from schemas.contract.event import Event
from worker.queue.script_values import event_values
from worker.store.scripts import Arg


@dataclass(frozen=True, slots=True)
class Notice:
    """An operator's event. Published when it changes what is known: a block once, a resumption once."""

    kind: Literal["blocked", "resumed"]
    scope: str
    """What is blocked (``jobs.outcomes.scope_of``)."""
    event: Event
    since_ms: int
    """Since when it is, or was, blocked: not when somebody is told."""


@dataclass(frozen=True, slots=True)
class AttemptWrite:
    """What the end of an attempt writes beside its ending: fields of the record, events, a letter, Factus's health."""

    fields: dict[str, Arg]
    health: FactusHealth
    goes_on: bool
    events: tuple[Event, ...] = ()
    dead: dict[str, Arg] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    mend: str = ""
    """What a person does about the pause, where its code does not say."""
    bill: BillNote | None = None


def events_packed(write: AttemptWrite) -> list[Arg]:
    """Its events, one behind the other."""
    return [value for event in write.events for value in event_values(event)]


def notices_packed(write: AttemptWrite) -> list[Arg]:
    """Its notices, one behind the other, as ``end_attempt.lua`` reads them."""
    packed: list[Arg] = []
    for notice in write.notices:
        packed += [notice.kind, notice.scope, notice.since_ms, *event_values(notice.event)]
    return packed


def term_packed(note: BillNote | None) -> str:
    """From when the bill is due, server ms; empty where that stays as it is."""
    return "" if note is None or note.term_ms is None else str(note.term_ms)
