"""
Which row of a table holds the headings, and which column holds what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Final

from schemas.sheets.cells import Value, shown
from schemas.sheets.fields import Field, Profile, by_heading, by_key, fields_of, fold, profiles
from schemas.sheets.table import Table

_ROWS_LOOKED_AT: Final = 20
_LEAST_KNOWN: Final = 3
_KINDS_OF_PERCENT: Final = frozenset({"tax", "percent"})
_LONGEST_HEADING: Final = 120


@dataclass(frozen=True, slots=True)
class Known:
    """The headings that mean something for a family: its own, those of a profile, those that the user named."""

    family: str
    profile: Profile | None
    names: Mapping[str, Field]
    mapped: Mapping[str, Field]
    """The headings that the user named, folded."""

    def field_of(self, heading: str) -> Field | None:
        """The field of a heading as it stands in the file; None where it means nothing."""
        folded = fold(heading[:_LONGEST_HEADING])
        if found := self.names.get(folded):
            return found
        bare = " ".join(word for word in folded.split() if word != "pct")
        found = self.names.get(bare) if bare != folded else None
        return found if found and found.kind in _KINDS_OF_PERCENT else None


class MapRefused(ValueError):
    """A ``FIELD=HEADING`` of which the field is none. The text says which there are."""


def known_headings(family: str, mapped: Sequence[str] = (), profile: str = "") -> Known:
    """
    Put together what headings mean.

    Args:
        mapped: ``FIELD=HEADING`` each: a field by its key, its label or any heading of it.

    Raises:
        MapRefused: One of *mapped* names no field.
    """
    found = profiles()[profile] if profile else None
    names = dict(by_heading(family))
    fields = by_key(family)
    chosen: dict[str, Field] = {}
    if found:
        names.update({name: fields[key] for key, own in found.names.items() if key in fields for name in own})
    for one in mapped:
        name, _, heading = one.partition("=")
        field = fields.get(name.strip().rpartition(".")[2]) or by_heading(family).get(fold(name))
        if field is None or not fold(heading):
            labels = ", ".join(one.label for one in fields_of(family))
            raise MapRefused(f"{one!r}: se escribe CAMPO=ENCABEZADO, y CAMPO es uno de: {labels}")
        # What was named goes before what the field would have been known by.
        names = {known: other for known, other in names.items() if other is not field or known == fold(heading)}
        names[fold(heading)] = chosen[fold(heading)] = field
    return Known(family, found, names, chosen)


@dataclass(slots=True)
class Headings:
    """The row of headings of a table. Columns from 0."""

    index: int
    """Position of the row among the table's rows."""
    row: int
    """Its number in the file."""
    columns: dict[str, int] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    repeated: list[tuple[Field, int, int]] = field(default_factory=list)
    """Fields that stand in two columns: the first one and the other."""
    unknown: list[str] = field(default_factory=list)
    prefix: int | None = None
    refused: tuple[int, ...] = ()
    """Columns of a profile of which the meaning is not known."""


def find_headings(table: Table, known: Known) -> Headings | None:
    """The first of the first rows with three known headings or more; None where there is none."""
    for index, (number, cells) in enumerate(islice(table.rows, _ROWS_LOOKED_AT)):
        if n_known(cells, known) >= _LEAST_KNOWN:
            return _headings(index, number, cells, known)
    return None


def n_known(cells: Sequence[Value], known: Known) -> int:
    """How many different fields a row names."""
    return len({found.key for cell in cells if isinstance(cell, str) and (found := known.field_of(cell))})


OF_DOCUMENTS: Final = 100


def fit(cells: Sequence[Value], known: Known) -> int:
    """How much a row looks like the headings of documents: from OF_DOCUMENTS on it names a reference and lines."""
    keys = {found.key for cell in cells if isinstance(cell, str) and (found := known.field_of(cell))}
    has_lines = not keys.isdisjoint({"item_name", "quantity", "price", "price_with_tax"})
    return len(keys) + (OF_DOCUMENTS if has_lines and "reference_code" in keys else 0)


def _headings(index: int, number: int, cells: Sequence[Value], known: Known) -> Headings:
    found = Headings(index, number)
    refused = known.profile.refused_if_filled if known.profile else ()
    for column, cell in enumerate(cells):
        text = " ".join(shown(cell).split())
        if not text:
            continue
        found.texts[column] = text
        one = known.field_of(text)
        if known.profile and fold(text) == known.profile.prefix:
            found.prefix = column
        elif one is None:
            found.unknown.append(text)
            if fold(text) in refused:
                found.refused = (*found.refused, column)
        elif one.key in found.columns:
            found.repeated.append((one, found.columns[one.key], column))
        else:
            found.columns[one.key] = column
    return found


def nearest(heading: str, known: Known) -> str:
    """The label of the field whose heading is most like this one; empty where none is."""
    close = get_close_matches(fold(heading[:_LONGEST_HEADING]), known.names, n=1, cutoff=0.8)
    return known.names[close[0]].label if close else ""
