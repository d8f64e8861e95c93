"""
The ERP's own sums beside what stands at Factus, to the cent, and the document that explains a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from jobs.closing.classes import Place, PrefixDay
from schemas.factus import amount
from schemas.money import ZERO, render

_MONEY: Final = ("total", "tax_amount")


@dataclass(frozen=True, slots=True)
class Lacking:
    """A document that is not validated: pushed here, and open, refused, failed or rejected."""

    family: str
    reference_code: str
    total: Decimal | None


def compared(
    control: Sequence[Mapping[str, Any]], prefixes: Sequence[PrefixDay], lacking: Iterable[Lacking]
) -> dict[str, Any]:
    """
    ``control`` of the certificate.

    A prefix that the ERP does not name is a difference where it names another one of that family; a family of which it
    names none is not compared.
    """
    asked = {(row["family"], row.get("prefix", "")): row for row in control}
    found = {(one.family, one.prefix): one for one in prefixes}
    families = {family for family, _ in asked}
    lacking = [*lacking]
    differences = [
        difference
        for key in sorted(asked.keys() | {key for key in found if key[0] in families and found[key].validated})
        for difference in _of_prefix(key, asked.get(key), found.get(key), lacking)
    ]
    return {"is_balanced": not differences, "differences": differences}


def not_compared(control: Sequence[Mapping[str, Any]], prefixes: Sequence[PrefixDay]) -> list[str]:
    """Families of the day of which the ERP's sums name none."""
    named = {row["family"] for row in control}
    return sorted({one.family for one in prefixes if one.validated} - named)


def _of_prefix(
    key: tuple[str, str], asked: Mapping[str, Any] | None, found: PrefixDay | None, lacking: list[Lacking]
) -> Iterable[dict[str, Any]]:
    places = found.validated if found else []
    own = [one for one in lacking if one.family == key[0]]
    told: list[tuple[str, Any, Any, str | None]] = []
    wanted = _whole(asked.get("count") if asked else None)
    if asked is None or (wanted is not None and wanted != len(places)):
        told.append(("count", wanted, len(places), _of_count(len(places) - (wanted or 0), places, own)))
    for what in _MONEY:
        asked_for = amount(asked.get(what)) if asked else None
        has = _sum(places, what)
        if (asked is None and what == "total") or (asked_for is not None and asked_for != has):
            shown = None if asked_for is None else render(asked_for)
            told.append((what, shown, render(has), _of_money(has - (asked_for or ZERO), what, places, own)))
    for what, control, has, reference in told:
        yield {
            "family": key[0],
            "prefix": key[1],
            "what": what,
            "control": control,
            "found": has,
            "reference_code": reference,
        }


def _sum(places: Iterable[Place], what: str) -> Decimal:
    return sum(((place.total if what == "total" else place.tax_amount) or ZERO for place in places), ZERO)


def _whole(value: Any) -> int | None:
    """A count, which came as an integer or as a text."""
    return None if value is None else int(value)


def _of_count(more: int, places: Sequence[Place], lacking: Sequence[Lacking]) -> str | None:
    """One document too many that is not ours, or one too few that was pushed here."""
    if more == 1:
        return _only(place.reference_code for place in places if place.class_ == "foreign")
    return _only(one.reference_code for one in lacking) if more == -1 else None


def _of_money(more: Decimal, what: str, places: Sequence[Place], lacking: Sequence[Lacking]) -> str | None:
    """
    The one document that explains a difference: what Factus made of it differs so from what was asked, or it is not
    ours, or it is the one that is lacking, or the only one of that amount.
    """
    if what == "total":
        differing = _only(place.reference_code for place in places if _drift(place) == more)
        lacks = _only(one.reference_code for one in lacking if one.total == -more)
        found = differing or _of_amount(more, places, what) or lacks
        return found or _only(place.reference_code for place in places if _drift(place))
    return _of_amount(more, places, what)


def _drift(place: Place) -> Decimal:
    """What Factus's total is more than the payload's."""
    if place.total is None or place.asked_total is None:
        return ZERO
    return place.total - place.asked_total


def _of_amount(more: Decimal, places: Sequence[Place], what: str) -> str | None:
    alike = [
        place for place in places if (place.total if what == "total" else place.tax_amount) == more and more > ZERO
    ]
    foreign = _only(place.reference_code for place in alike if place.class_ == "foreign")
    return foreign or _only(place.reference_code for place in alike)


def _only(references: Iterable[str | None]) -> str | None:
    found = list(dict.fromkeys(reference for reference in references if reference))
    return found[0] if len(found) == 1 else None
