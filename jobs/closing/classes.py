"""
Every number of a prefix, from the first of the day to the last, in its class.

``issued``: validated and known here. ``foreign``: at Factus, not known here. ``deleted``: rejected by the DIAN and
removed. ``waiting``: at Factus and not validated. ``unexplained``: nobody knows. A number that Factus gives again after
a removal is that of the document which has it now; one that it never gives again stays deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice, pairwise
from operator import itemgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from jobs.closing.days import instant_text
from jobs.closing.numbers import Prefixes
from jobs.day_facts import Day, EndedJob, KnownDocument, NumberClass, OpenJob, Row
from schemas.money import ZERO, render

CLASSES: Final[tuple[NumberClass, ...]] = ("issued", "foreign", "deleted", "waiting", "unexplained")
_FOREIGN: Final = "Está en Factus y este servicio no lo emitió."
_FOREIGN_OPEN: Final = "Está en Factus sin validar y este servicio no lo emitió."
_WAITING: Final = "Factus lo tiene y la DIAN no ha respondido."
_STAYS: Final = "La DIAN lo rechazó y sigue en Factus: no se ha eliminado."
_MISSING: Final = "Este servicio lo emitió validado y la lista de Factus no lo trae."
_UNEXPLAINED: Final = "Ni Factus ni este servicio saben de este número."
_REMOVED: Final = "Se eliminó en Factus."


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at one number."""

    number: str
    class_: NumberClass
    reference_code: str | None = None
    rule: str | None = None
    reason: str | None = None
    at_ms: int = 0
    total: Decimal | None = None
    tax_amount: Decimal | None = None
    asked_total: Decimal | None = None
    is_validated: bool = False

    def gap(self, zone: ZoneInfo) -> dict[str, Any]:
        return {
            "number": self.number,
            "class": self.class_,
            "reference_code": self.reference_code,
            "rule": self.rule,
            "reason": self.reason,
            "at": instant_text(self.at_ms, zone),
        }


@dataclass(slots=True)
class PrefixDay:
    """A prefix on a day: what stands at its numbers, by consecutive number."""

    family: str
    prefix: str
    places: dict[int, Place] = field(default_factory=dict)

    @property
    def validated(self) -> list[Place]:
        return [place for _, place in sorted(self.places.items()) if place.is_validated]

    @property
    def first(self) -> int:
        return min(self.places)

    @property
    def last(self) -> int:
        return max(self.places)

    @property
    def n_unsettled(self) -> int:
        """Numbers at Factus of which the DIAN may still say something."""
        return sum(place.class_ in ("waiting", "foreign") and not place.is_validated for place in self.places.values())

    @property
    def n_unpriced(self) -> int:
        """Validated documents of which nobody tells the total, or the tax."""
        return sum(place.total is None or place.tax_amount is None for place in self.validated)

    def holes(self) -> Iterable[int]:
        """The numbers between that nobody knows, in order."""
        known = sorted(self.places)
        for at, following in pairwise(known):
            yield from range(at + 1, following)

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = dict.fromkeys(CLASSES, 0)
        for place in self.places.values():
            found[place.class_] += 1
        found["unexplained"] += self.last - self.first + 1 - len(self.places)
        return found

    def summed(self, zone: ZoneInfo, most_gaps: int) -> tuple[dict[str, Any], int]:
        """Its row of the certificate with *most_gaps* named at most, and how many gaps are not named in it."""
        counts, validated = self.counts(), self.validated
        gaps = [place.gap(zone) for place in self._gaps(most_gaps)]
        n_gaps = sum(counts.values()) - counts["issued"]
        return {
            "family": self.family,
            "prefix": self.prefix,
            "first": f"{self.prefix}{self.first}",
            "last": f"{self.prefix}{self.last}",
            "span": self.last - self.first + 1,
            **counts,
            "total": render(sum((place.total or ZERO for place in validated), ZERO)),
            "tax_amount": render(sum((place.tax_amount or ZERO for place in validated), ZERO)),
            "gaps": gaps,
        }, n_gaps - len(gaps)

    def _gaps(self, most: int) -> list[Place]:
        """What is not issued, by number; of more than *most* the first."""
        found = [(at, place) for at, place in self.places.items() if place.class_ != "issued"]
        # A range that was set ahead leaves a hole of millions: no more of it is walked than is told.
        found += [
            (at, Place(f"{self.prefix}{at}", "unexplained", reason=_UNEXPLAINED)) for at in islice(self.holes(), most)
        ]
        return [place for _, place in sorted(found, key=itemgetter(0))[:most]]


@dataclass(frozen=True, slots=True)
class FamilyDay:
    """
    What is known of a family on a day.

    Attributes:
        rows: What Factus lists; those of other days are left out.
        known: What the ledger has, by reference code.
        read_from_ms: When the list began to be read: what was validated later need not be in it.
    """

    family: str
    rows: Sequence[Row]
    known: Mapping[str, KnownDocument]
    ended: Sequence[EndedJob]
    open: Sequence[OpenJob]
    prefixes: Prefixes
    read_from_ms: int


def prefix_days(facts: FamilyDay, day: Day) -> list[PrefixDay]:
    """The prefixes of a family that had numbers on a day, by name."""
    found: dict[str, PrefixDay] = {}

    def put(number: str, place: Place) -> None:
        parts = facts.prefixes.split(number)
        if parts.consecutive is not None:
            of_prefix = found.setdefault(parts.prefix, PrefixDay(facts.family, parts.prefix))
            of_prefix.places.setdefault(parts.consecutive, place)

    # What Factus lists comes first: a number that it gave again is that of the document which has it now.
    for row in facts.rows:
        put(row.number, _listed(row, facts.known.get(row.reference_code)))
    listed = {row.number for row in facts.rows}
    for job in facts.ended:
        if job.number and job.number not in listed and day.has(job.sent_ms) and job.ending in ("validated", "rejected"):
            put(job.number, _ended(job, facts.read_from_ms))
    for one in facts.open:
        if one.number and one.number not in listed and day.has(one.sent_ms):
            put(one.number, Place(one.number, "waiting", one.reference_code, reason=_WAITING, at_ms=one.sent_ms))
    _explain_holes(found, facts)
    return [found[prefix] for prefix in sorted(found)]


def missing_in_list(facts: FamilyDay, day: Day) -> list[EndedJob]:
    """Documents validated here, on the day and before the list was read, that Factus does not list."""
    listed = {row.number for row in facts.rows}
    return [
        job
        for job in facts.ended
        if job.ending == "validated"
        and job.number
        and job.number not in listed
        and day.has(job.sent_ms)
        and job.at_ms < facts.read_from_ms
    ]


def _explain_holes(found: Mapping[str, PrefixDay], facts: FamilyDay) -> None:
    """Numbers of the day of which the ledger knows more than Factus does: what ended late, and what a job removed."""
    for job in facts.ended:
        if not job.number or job.ending not in ("rejected", "completed"):
            continue
        parts = facts.prefixes.split(job.number)
        of_prefix = found.get(parts.prefix)
        if of_prefix is None or parts.consecutive is None or parts.consecutive in of_prefix.places:
            continue
        if of_prefix.first < parts.consecutive < of_prefix.last:
            of_prefix.places[parts.consecutive] = _ended(job, facts.read_from_ms)


def _listed(row: Row, known: KnownDocument | None) -> Place:
    is_ours = known is not None and (not known.number or known.number == row.number or not known.is_validated)
    asked = known.asked_total if known and is_ours else None
    if row.is_validated:
        return Place(
            row.number,
            "issued" if is_ours else "foreign",
            row.reference_code or None,
            reason=None if is_ours else _FOREIGN,
            at_ms=row.created_ms,
            total=row.total if row.total is not None else asked,
            tax_amount=_tax(row, known if is_ours else None),
            asked_total=asked,
            is_validated=True,
        )
    if not is_ours:
        reason = row.reason or _FOREIGN_OPEN
        return Place(row.number, "foreign", row.reference_code or None, row.rule, reason, row.created_ms, row.total)
    reason = f"{_STAYS} {row.reason or ''}".strip() if row.is_rejected else _WAITING
    return Place(row.number, "waiting", row.reference_code or None, row.rule, reason, row.created_ms, row.total)


def _tax(row: Row, known: KnownDocument | None) -> Decimal | None:
    return row.tax_amount if row.tax_amount is not None else known.tax_amount if known else None


def _ended(job: EndedJob, read_from_ms: int) -> Place:
    if job.ending == "validated" and job.at_ms >= read_from_ms:
        return Place(
            job.number,
            "issued",
            job.reference_code,
            at_ms=job.at_ms,
            total=job.total,
            tax_amount=job.tax_amount,
            asked_total=job.total,
            is_validated=True,
        )
    if job.ending == "validated":
        return Place(job.number, "unexplained", job.reference_code, reason=_MISSING, at_ms=job.at_ms)
    reason = job.reason or _REMOVED
    return Place(job.number, "deleted", job.reference_code, job.rule, reason, job.at_ms, total=job.total)
