"""
The tables of codes that Factus publishes, as package data read on first use.

Answers which codes exist and what they are called. Rows can repeat a code (unit-measures does, four times).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any


@cache
def rows(table: str) -> tuple[Mapping[str, Any], ...]:
    """
    All rows of a table, in the published order.

    Raises:
        KeyError: No such table.
    """
    source = resources.files("schemas") / "catalogs" / f"{table}.json"
    if not source.is_file():
        raise KeyError(table)
    return tuple(MappingProxyType(row) for row in json.loads(source.read_text(encoding="utf-8")))


def names() -> list[str]:
    """All tables."""
    found = (resources.files("schemas") / "catalogs").iterdir()
    return sorted(one.name.removesuffix(".json") for one in found if one.name.endswith(".json"))


@cache
def codes(table: str) -> frozenset[str]:
    """The codes of a table. Compare exact text, case included."""
    return frozenset(row["code"] for row in rows(table))


@cache
def _names(table: str) -> Mapping[str, str]:
    names: dict[str, str] = {}
    for row in rows(table):
        names.setdefault(row["code"], row["name"])
    return MappingProxyType(names)


def name_of(table: str, code: str) -> str | None:
    """The published name of a code, the first one where the table repeats it; None when there is no such code."""
    return _names(table).get(code)
