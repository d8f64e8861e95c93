"""
The columns that a spreadsheet of documents may have, from ``headings.json``: headings, kinds, help, words for codes.

The data are what the reader, the template and ``docs/spreadsheets.md`` share.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

Kind = Literal["text", "digits", "number", "percent", "tax", "date", "code", "list", "range"]
FAMILIES: Final = ("invoice", "credit_note", "debit_note", "support_document")
_NOT_WORD: Final = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Field:
    """One column. ``level`` says whether it belongs to the document or to each of its lines."""

    key: str
    label: str
    level: Literal["document", "line"]
    kind: Kind
    families: tuple[str, ...]
    is_required: bool
    width: int
    names: tuple[str, ...]
    help: str
    table: str = ""
    """The catalogue of its codes."""
    in_template: bool = True

    def catalog(self, family: str) -> str:
        """The name of the table of codes for a family."""
        if self.table == "correction-concepts":
            return f"{family.replace('_', '-')}-correction-concepts"
        if self.table == "identity-document-types" and family == "support_document":
            return "support-document-identity-document-types"
        return self.table


@dataclass(frozen=True, slots=True)
class Profile:
    """The export of another program: what its headings are, and what cannot be known of it."""

    name: str
    about: str
    names: Mapping[str, tuple[str, ...]]
    prefix: str
    """The heading of a column whose text goes before the reference."""
    refused_if_filled: tuple[str, ...] = ()
    """Headings whose meaning is not known: a value there is refused."""
    has_own_tax_codes: bool = False
    """A bare number in the tax column may be a code of that program, not a rate."""


def fold(heading: str) -> str:
    """A heading as it is compared: without case, accents, spaces and punctuation; the percent sign is a word."""
    text = unicodedata.normalize("NFKD", heading.casefold()).replace("%", " pct ")
    return _NOT_WORD.sub(" ", "".join(char for char in text if not unicodedata.combining(char))).strip()


@cache
def _data() -> dict[str, Any]:
    source = resources.files("schemas") / "sheets" / "headings.json"
    found: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return found


@cache
def fields_of(family: str) -> tuple[Field, ...]:
    """The columns of a family, in the order of the template."""
    return tuple(
        Field(
            key=row["key"],
            label=row["label"],
            level=row["level"],
            kind=row["kind"],
            families=tuple(row["families"]),
            is_required=row["required"],
            width=row["width"],
            names=tuple(row["names"]),
            help=row["help"],
            table=row.get("table", ""),
            in_template=row.get("in_template", True),
        )
        for row in _data()["fields"]
        if family in row["families"]
    )


@cache
def by_key(family: str) -> Mapping[str, Field]:
    """The columns of a family by their keys."""
    return {field.key: field for field in fields_of(family)}


@cache
def by_heading(family: str) -> Mapping[str, Field]:
    """Every heading that is known, folded. What few families have goes first: ``Concepto`` of a note is its reason."""
    found: dict[str, Field] = {}
    for field in sorted(fields_of(family), key=lambda one: len(one.families)):
        for name in (fold(field.label), *field.names):
            found.setdefault(name, field)
    return found


@cache
def words(table: str) -> Mapping[str, str]:
    """What people write for codes of a table, folded."""
    found: Mapping[str, str] = _data()["words"].get(table, {})
    return found


@cache
def profiles() -> Mapping[str, Profile]:
    """The programs whose exports are known."""
    return {
        name: Profile(
            name=name,
            about=row["about"],
            names={key: tuple(names) for key, names in row["names"].items()},
            prefix=row["prefix"],
            refused_if_filled=tuple(row.get("refused_if_filled", ())),
            has_own_tax_codes=row.get("refused_tax_codes", False),
        )
        for name, row in _data()["profiles"].items()
    }


def sheet_name(family: str) -> str:
    """What the sheet of documents of a template is called."""
    return str(_data()["sheets"][family])
