"""
Which jobs of an intake stream may be taken in before those that were pushed earlier.

A sale at the till is pushed behind a backlog of thousands, which takes seconds to take in. It may pass where nobody
can tell. It is a document of priority ``high`` and belongs to no batch. What it passes has another id and another
reference, is no sale of its own lane, can be read, and cancels nothing.

To know that, what it passes has to be read. So a backlog is looked over first, and read only when a sale stands in it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.registry import JOB_TYPES
from schemas import strict_json

_WALL: Final = ("wall",)
_CANCEL: Final = "job.cancel"

Use = tuple[str, ...]
"""What two jobs may have in common so that their order matters: an id, a document, a lane."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What the order of one entry depends on."""

    uses: tuple[Use, ...]
    lane: Use | None
    """Its lane, where it is of priority ``high``: those of one lane keep their order."""

    is_document: bool
    """Whether it is one that may pass others at all."""


_WALL_OUTLINE: Final = Outline((_WALL,), None, is_document=False)
"""Of an entry that nothing may pass: what it is, or what it ends, is not known before it is taken in."""


def outline_of(raw: bytes | None, owner: str, default: str | None) -> Outline:
    """
    Read an entry as far as its order depends on it.

    Args:
        raw: Its field ``job``; None or empty for one that has another form.
        owner: The account to which its stream belongs; empty for the common one.
        default: The account of a job that names none.
    """
    try:
        parsed = strict_json.skim(raw or b"")
    except strict_json.JsonRefused:
        return _WALL_OUTLINE
    if not isinstance(parsed, dict):
        return _WALL_OUTLINE
    return _outline(parsed, owner or default or "")


def _outline(envelope: dict[str, Any], account: str) -> Outline:
    name, payload = envelope.get("type"), envelope.get("payload")
    if not isinstance(name, str) or name == _CANCEL:
        return _WALL_OUTLINE
    uses: list[Use] = []
    if (id_ := envelope.get("id")) is not None:
        uses.append(("id", str(id_)))
    reference = payload.get("reference_code") if isinstance(payload, dict) else None
    if reference is not None:
        uses.append(("document", name.partition(".")[0], str(reference)))
    is_high = envelope.get("priority") == "high"
    lane = ("lane", str(envelope.get("account") or account), name) if is_high else None
    job_type = JOB_TYPES.get(name)
    issues = job_type is not None and job_type.issues
    return Outline(tuple(uses), lane, is_document=is_high and issues and envelope.get("batch") is None)


@dataclass(slots=True)
class LookAhead:
    """
    What is known of the entries of one stream that are not taken in yet, in their order.

    Errs on one side only: an entry that might not pass stays where it is.
    """

    most: int
    """How many entries are kept in mind."""

    looked_over: str = ""
    """The id of the newest entry of which is known whether it may be a sale; empty for none."""

    outlined: str = ""
    """The id of the newest entry whose outline is noted, or that was taken in; empty for none."""

    _sales: deque[str] = field(default_factory=deque)
    """Entries that may be sales and have no outline yet, oldest first."""

    _waiting: deque[tuple[tuple[int, int], tuple[Use, ...]]] = field(default_factory=deque)
    _newest: dict[Use, tuple[int, int]] = field(default_factory=dict)
    """For each use the newest entry that has it."""

    @property
    def is_full(self) -> bool:
        """Whether it can look no further before some of what waits is taken in."""
        return len(self._waiting) >= self.most

    @property
    def newest_sale(self) -> str:
        """Up to where outlines are wanted: the newest entry that may be a sale and has none; empty for none."""
        return self._sales[-1] if self._sales else ""

    def look_over(self, last: str, sales: Iterable[str]) -> None:
        """
        Note that entries were looked over and not read, which costs next to nothing where none may be a sale.

        Args:
            last: The newest of them.
            sales: Those that may be sales, oldest first.
        """
        self.looked_over = max(last, self.looked_over, key=_place)
        # Meanwhile some may have been taken in.
        self._sales.extend(id_ for id_ in sales if _place(id_) > _place(self.outlined))

    def may_pass(self, id_: str, outline: Outline) -> bool:
        """Note the entry that follows those that were noted before, and say whether it may be taken in before them."""
        own = (*outline.uses, outline.lane) if outline.lane else outline.uses
        passes = outline.is_document and not any(use in self._newest for use in (_WALL, *own))
        # One that passes is in nobody's way; one that does not keeps those of its lane behind it.
        self._note(id_, outline.uses if passes else own)
        self.reached(id_)
        return passes

    def stays(self, id_: str, outline: Outline) -> None:
        """One that might have passed waits after all: those of its lane pass it no more."""
        self._note(id_, (outline.lane,) if outline.lane else ())

    def reached(self, id_: str) -> None:
        """No entry up to this one wants an outline any more."""
        self.outlined = max(id_, self.outlined, key=_place)
        self.looked_over = max(id_, self.looked_over, key=_place)
        while self._sales and _place(self._sales[0]) <= _place(self.outlined):
            self._sales.popleft()

    def taken(self, up_to: str) -> None:
        """All entries up to this one were taken in, or were left to others."""
        last = _place(up_to)
        while self._waiting and self._waiting[0][0] <= last:
            place, uses = self._waiting.popleft()
            for use in uses:
                if self._newest.get(use) == place:
                    del self._newest[use]
        self.reached(up_to)

    def _note(self, id_: str, uses: tuple[Use, ...]) -> None:
        place = _place(id_)
        self._waiting.append((place, uses))
        for use in uses:
            self._newest[use] = place


def _place(id_: str) -> tuple[int, int]:
    ms, _, n = id_.partition("-")
    return int(ms or 0), int(n or 0)
