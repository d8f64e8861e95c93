"""
Which jobs of an intake stream may be taken in before those that were pushed earlier.

A sale at the till is pushed behind a backlog of thousands, which takes seconds to take in. It may pass where nobody
can tell. It is a document of priority ``high`` and belongs to no batch. What it passes has another id and another
reference, is no sale of its own lane, can be read, and cancels nothing.

To know that, what it passes has to be known. So a backlog is looked over first, and only when a sale stands in it the
server picks out what may have something in common with it (``worker/store/lua/in_the_way.lua``). That alone is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.names import family_of

_WALL: Final = ("wall",)
_CANCEL: Final = "job.cancel"

_Place = tuple[int, int]
"""Of an entry in its stream: the parts of its id."""

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
        uses.append(("document", family_of(name), str(reference)))
    is_high = envelope.get("priority") == "high"
    lane = ("lane", str(envelope.get("account") or account), name) if is_high else None
    job_type = JOB_TYPES.get(name)
    issues = job_type is not None and job_type.issues
    return Outline(tuple(uses), lane, is_document=is_high and issues and envelope.get("batch") is None)


Outlined = tuple[str, Outline]
"""The id of an entry, and its outline."""


def wanted_of(outlines: Iterable[Outline]) -> frozenset[Use]:
    """The ids and references of which an entry ahead must have none, or one of these may not pass it."""
    return frozenset({_WALL}.union(*(outline.uses for outline in outlines if outline.is_document)))


def texts_of(uses: Iterable[Use]) -> list[bytes]:
    """The ids and references in them, as they stand in an entry that is written plainly."""
    return sorted({use[-1].encode("utf-8", "surrogatepass") for use in uses if use != _WALL})


@dataclass(slots=True)
class LookAhead:
    """
    What is known of the entries of one stream that are not taken in yet: which of them may be sales, and of those that
    were read, whom they keep from passing.

    Errs on one side only: an entry that might not pass stays where it is.
    """

    most: int
    """How many entries it looks beyond what is taken in."""

    looked_over: str = ""
    """The id of the newest entry of which is known whether it may be a sale; empty for none."""

    taken_to: str = ""
    """The id of the newest entry that was taken in; empty for none."""

    _looks: deque[tuple[_Place, int]] = field(default_factory=deque)
    """What was looked over and is not taken in, a look at a time: the newest entry of each, and how many there were."""

    _undecided: deque[str] = field(default_factory=deque)
    """Entries that may be sales and were not read, oldest first."""

    _waiting: deque[tuple[_Place, tuple[Use, ...]]] = field(default_factory=deque)
    """Of those that were read what they have, which is in the way of others."""

    _newest: dict[Use, _Place] = field(default_factory=dict)
    """For each use the newest of them that has it."""

    @property
    def is_full(self) -> bool:
        """Whether it can look no further before some of what waits is taken in."""
        return sum(n for _, n in self._looks) >= self.most

    def undecided(self, most: int) -> list[str]:
        """The first of those that may be sales and were not read."""
        return list(islice(self._undecided, most))

    def look_over(self, last: str, n: int, sales: Iterable[str]) -> None:
        """
        Note that entries were looked over and not read, which costs next to nothing where none may be a sale.

        Args:
            last: The newest of them; empty for none.
            n: How many there were.
            sales: Those that may be sales, oldest first.
        """
        taken = _place(self.taken_to)
        if _place(last) > max(taken, _place(self.looked_over)):
            self.looked_over = last
            self._looks.append((_place(last), n))
        # Meanwhile some may have been taken in.
        self._undecided.extend(id_ for id_ in sales if _place(id_) > taken)

    def decide(self, read: Sequence[Outlined], others: Iterable[Outlined]) -> list[str]:
        """
        Note those that may be sales and were read now, and say which may be taken in before what stands before them.

        Args:
            read: They follow those that were noted before, in their order.
            others: What else stands before them and may be in their way, in its order.
        """
        passing: list[str] = []
        met: set[Use] = set()
        left = deque(others)
        for id_, outline in read:
            while left and _place(left[0][0]) < _place(id_):
                met.update(left.popleft()[1].uses)
            if self._may_pass(id_, outline, met):
                passing.append(id_)
        return passing

    def _may_pass(self, id_: str, outline: Outline, met: Set[Use]) -> bool:
        own = (*outline.uses, outline.lane) if outline.lane else outline.uses
        passes = outline.is_document and not any(use in self._newest or use in met for use in (_WALL, *own))
        # One that passes is in nobody's way; one that does not keeps those of its lane behind it.
        self._note(id_, outline.uses if passes else own)
        return passes

    def stays(self, id_: str, outline: Outline) -> None:
        """One that might have passed waits after all: those of its lane pass it no more."""
        self._note(id_, (outline.lane,) if outline.lane else ())

    def reached(self, id_: str) -> None:
        """Up to this entry all that may be sales were read, or are not there any more."""
        place = _place(id_)
        while self._undecided and _place(self._undecided[0]) <= place:
            self._undecided.popleft()

    def taken(self, up_to: str) -> None:
        """All entries up to this one were taken in, or were left to others."""
        self.taken_to = max(up_to, self.taken_to, key=_place)
        self.looked_over = max(up_to, self.looked_over, key=_place)
        last = _place(self.taken_to)
        while self._looks and self._looks[0][0] <= last:
            self._looks.popleft()
        while self._waiting and self._waiting[0][0] <= last:
            place, uses = self._waiting.popleft()
            for use in uses:
                if self._newest.get(use) == place:
                    del self._newest[use]
        self.reached(self.taken_to)

    def _note(self, id_: str, uses: tuple[Use, ...]) -> None:
        place = _place(id_)
        self._waiting.append((place, uses))
        for use in uses:
            self._newest[use] = place


def _place(id_: str) -> _Place:
    ms, _, n = id_.partition("-")
    return int(ms or 0), int(n or 0)
