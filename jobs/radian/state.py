"""
What is known of a bill's clock, as the ledger keeps it in the watch's progress: JSON of its own. Pure.

It changes in one step with the events that it says were told: each is published once, whatever dies in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Self

from jobs.radian.seen_events import SeenEvent
from schemas import strict_json

_MOST_KEPT: Final = 50
"""Events of one look that are kept: a bill has five, or a few more where Factus lists them twice."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Factus showed at one look."""

    at_ms: int
    events: tuple[SeenEvent, ...]

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(event.event_code for event in self.events)


@dataclass(frozen=True, slots=True)
class Sending:
    """One 034 that went out, and what was heard of it (Spanish)."""

    at_ms: int
    answer: str


@dataclass(frozen=True, slots=True)
class ClockState:
    """
    Instants are server ms; 0 means "not yet".

    ``n_looks``: looks since something happened. ``received``: the 032 by which the term runs, ``receipt_at_ms`` its own
    time; ``claim_until_ms``, ``accepts_from_ms``: the dates as the last look had them. ``due_at_ms``, ``silent_at_ms``,
    ``unconfirmed_at_ms``: when these were told. ``refusal``: why Factus does not take the 034, after which none is
    sent. ``before``, ``after``: what was seen before the first 034, or when the acceptance was found, and at last.
    ``last_word``: the claim or acceptance that ended it; ``n_late``: looks since.
    """

    number: str = ""
    seen: tuple[str, ...] = ()
    n_looks: int = 0
    looked_at_ms: int = 0
    received: SeenEvent | None = None
    receipt_at_ms: int = 0
    claim_until_ms: int = 0
    accepts_from_ms: int = 0
    due_at_ms: int = 0
    silent_at_ms: int = 0
    sends: tuple[Sending, ...] = ()
    refusal: str = ""
    unconfirmed_at_ms: int = 0
    before: Snapshot | None = None
    after: Snapshot | None = None
    last_word: SeenEvent | None = None
    ended_at_ms: int = 0
    n_late: int = 0
    rules_version: str = ""

    def to_json(self) -> str:
        """Fields that say something: thousands of watches wait."""
        return strict_json.dump({name: value for name, value in asdict(self).items() if value not in ("", 0, (), None)})

    @classmethod
    def from_progress(cls, told: Mapping[str, Any]) -> Self:
        """
        Read what :meth:`to_json` wrote, or a release before the clock; what is not known is left out.

        Raises:
            TypeError, ValueError, KeyError: The record is damaged.
        """
        known = {one.name for one in fields(cls)}
        found = {name: value for name, value in told.items() if name in known}
        found["seen"] = tuple(found.get("seen", ()))
        found["sends"] = tuple(Sending(**one) for one in found.get("sends", ()))
        for name in ("before", "after"):
            if found.get(name):
                found[name] = Snapshot(found[name]["at_ms"], tuple(map(_event, found[name]["events"])))
        for name in ("received", "last_word"):
            if found.get(name):
                found[name] = _event(found[name])
        return cls(**found)


def kept(at_ms: int, events: tuple[SeenEvent, ...]) -> Snapshot:
    """A look as it is kept."""
    return Snapshot(at_ms, events[:_MOST_KEPT])


def _event(told: Mapping[str, Any]) -> SeenEvent:
    return SeenEvent(**{one.name: told.get(one.name) for one in fields(SeenEvent)})  # type: ignore[arg-type]
