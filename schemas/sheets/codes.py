"""
Codes of the shipped tables as people write them: the code, its name, a usual word, or a code that lost its zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

from schemas.catalogs import tables
from schemas.catalogs.search import search
from schemas.sheets.fields import fold, words

_CODE_AND_NAME: Final = re.compile(r"([0-9A-Za-z-]{1,8})\s*[-–—:]\s*\S.*")
_MOST_OPTIONS: Final = 6


@dataclass(frozen=True, slots=True)
class CodeFound:
    """A code of the table. ``is_restored`` where zeros that a spreadsheet had dropped were put back."""

    code: str
    is_restored: bool = False


@dataclass(frozen=True, slots=True)
class NoCode:
    """No code, or several: those that have the name, as a person would write them."""

    options: tuple[str, ...]
    is_ambiguous: bool = False


@lru_cache(maxsize=20_000)
def find_code(table: str, text: str) -> CodeFound | NoCode:
    """
    The code that a text stands for.

    Args:
        table: The name of a table; words and names of it count without case, accents and punctuation.
        text: As it stands in the cell, not empty.
    """
    known = tables.codes(table)
    folded = fold(text)
    # Before the codes: who writes KG means kilograms, and not the kegs of that code.
    if (code := words(_words_of(table)).get(folded)) and code in known:
        return CodeFound(code)
    for spelling in (text, text.upper()):
        if spelling in known:
            return CodeFound(spelling)
    if restored := _with_zeros(table, text):
        return CodeFound(restored, is_restored=True)
    codes = _by_name(table).get(folded, ())
    if len(codes) == 1:
        return CodeFound(codes[0])
    if codes:
        return NoCode(tuple(f"{name_in(table, code)} ({code})" for code in codes[:_MOST_OPTIONS]), is_ambiguous=True)
    found = _CODE_AND_NAME.fullmatch(text)
    if found and found[1].upper() in known:
        return CodeFound(found[1].upper())
    return NoCode(())


def near_codes(table: str, text: str) -> tuple[str, ...]:
    """Codes that may be meant by a text that is none. The whole table is searched: some milliseconds each time."""
    return tuple(f"{name_in(table, row['code'])} ({row['code']})" for row in search(table, text[:60], 3))


def _words_of(table: str) -> str:
    return "identity-document-types" if table.endswith("identity-document-types") else table


def _with_zeros(table: str, text: str) -> str:
    if not (text.isascii() and text.isdigit()):
        return ""
    for length in _lengths(table):
        if length > len(text) and (padded := text.zfill(length)) in tables.codes(table):
            return padded
    return ""


@cache
def _lengths(table: str) -> tuple[int, ...]:
    return tuple(sorted({len(code) for code in tables.codes(table) if code.isdigit()}))


@cache
def _by_name(table: str) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in tables.rows(table):
        names = {fold(row["name"]), fold(name_in(table, row["code"]))}
        for name in names:
            codes = found.setdefault(name, [])
            if row["code"] not in codes:
                codes.append(row["code"])
    return MappingProxyType({name: tuple(codes) for name, codes in found.items()})


@cache
def name_in(table: str, code: str) -> str:
    """A code's name as it can be chosen: a municipality with its department."""
    return _all_names(table)[code]


@cache
def _all_names(table: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for row in tables.rows(table):
        department = row.get("department", {}).get("name", "") if table == "municipalities" else ""
        is_own = fold(department) == fold(row["name"])
        name = row["name"].replace("D.c.", "D.C.")
        found.setdefault(row["code"], f"{name}, {department}" if department and not is_own else name)
    return MappingProxyType(found)
