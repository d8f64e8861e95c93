"""
What the law says of the term, as package data: its rules and the holidays of Colombia, each with validity and source.

A change of the law is a new row and a new ``version`` in ``rules.json``; the version stands in every event of the
clock. What is unsettled can be corrected without a release (:class:`schemas.radian.calendar.Calendar`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final

_FIRST: Final = date(1984, 1, 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a term runs that began on a day of its validity; ``end_hour`` of the last business day ends it."""

    valid_from: date
    valid_until: date | None
    trigger: str
    business_days: int
    counts_saturday: bool
    end_hour: int
    source: str


@dataclass(frozen=True, slots=True)
class Holiday:
    """
    One holiday of every year: on ``month`` and ``day``, or so many days after Easter Sunday (``easter``).

    ``is_moved``: it is kept on the Monday that follows, unless it falls on one (Ley Emiliani).
    """

    name: str
    is_moved: bool
    valid_from: date
    valid_until: date | None
    source: str
    month: int = 0
    day: int = 0
    easter: int = 0


def version() -> str:
    """Which edition of rules and holidays this is."""
    return str(_document()["version"])


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of the term, oldest first; their validities follow each other without a gap."""
    return tuple(
        Rule(
            date.fromisoformat(row["from"]),
            _day(row["until"]),
            row["trigger"],
            row["business_days"],
            row["counts_saturday"],
            row["end_hour"],
            row["source"],
        )
        for row in _document()["rules"]
    )


def rule_for(day: date) -> Rule:
    """The rule of a term that began on a day; the oldest for what lies before all of them."""
    known = [rule for rule in rules() if rule.valid_from <= max(day, _FIRST)]
    return known[-1]


@cache
def holidays() -> tuple[Holiday, ...]:
    """The holidays of Colombia, as the law names them."""
    rows = json.loads(_text("holidays.json"))
    return tuple(
        Holiday(
            row["name"],
            row["moved"],
            date.fromisoformat(row["from"]),
            _day(row["until"]),
            row["source"],
            row.get("month", 0),
            row.get("day", 0),
            row.get("easter", 0),
        )
        for row in rows
    )


@cache
def _document() -> dict[str, Any]:
    return dict(json.loads(_text("rules.json")))


def _text(name: str) -> str:
    return (resources.files("schemas") / "radian" / name).read_text(encoding="utf-8")


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
