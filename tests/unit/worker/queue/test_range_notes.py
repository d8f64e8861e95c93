"""What is read of numbering ranges, in whatever Factus wrote."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from jobs import example_data
from worker.queue.range_notes import RangeNote, ranges_in

SHOWN = {"prefix": "SETP", "from": 1, "to": 12, "end_date": "31-12-2026"}
ENDS_2026_MS = 1_798_779_600_000
"""The end of 2026 in Bogotá."""


@pytest.mark.parametrize(
    ("job_type", "data", "found"),
    [
        (
            "numbering_range.list",
            {"items": [example_data.RANGE]},
            [RangeNote("invoice", "SETP", n_left=995000000 - 990000204 + 1, n_numbers=5_000_001)],
        ),
        ("payroll_numbering_range.get", {"factus": example_data.PAYROLL_RANGE}, [RangeNote("payroll", "NEF")]),
        (
            "numbering_range.get",
            {"factus": {**example_data.RANGE, "is_active": 0, "end_date": "2026-12-31"}},
            [RangeNote("invoice", "SETP", False, 4999797, ENDS_2026_MS, 5_000_001)],
        ),
        (
            "numbering_range.get",
            {"factus": {"prefix": "P", "document": "30", "to": "5", "current": "9"}},
            [RangeNote("other", "P", n_left=0)],
        ),
        (
            "invoice.issue",
            {"number": "SETP10", "factus": {"numbering_range": {**SHOWN, "resolution_number": "187"}}},
            [RangeNote("invoice", "SETP", n_left=2, expires_ms=ENDS_2026_MS, n_numbers=12)],
        ),
        # Of notes Factus shows dates too, and they mean nothing.
        (
            "credit_note.issue",
            {"number": "SETP10", "factus": {"numbering_range": {**SHOWN, "is_expired": True}}},
            [RangeNote("credit_note", "SETP", n_left=2, n_numbers=12)],
        ),
        # One that has run out and is switched on still is in use: somebody has to know.
        (
            "numbering_range.get",
            {"factus": {**example_data.RANGE, "is_expired": True}},
            [RangeNote("invoice", "SETP", n_left=4999797, n_numbers=5_000_001, is_expired=True)],
        ),
        ("invoice.issue", {"number": "OTHER10", "factus": {"numbering_range": {"prefix": "SETP", "to": 12}}}, []),
        ("invoice.issue", {"number": None, "factus": {"numbering_range": {"prefix": "SETP"}}}, []),
        ("invoice.get", {"factus": {"numbering_range": {"prefix": "SETP"}}}, []),
        ("numbering_range.delete", {"factus": example_data.RANGE}, []),
        ("numbering_range.list", None, []),
        ("numbering_range.list", {"items": {"a": 1}}, []),
        ("numbering_range.list", {"items": [None, 3, "x", [], {}, {"prefix": 7}, {"prefix": "x" * 99}]}, []),
        ("numbering_range.list", {"items": [{"prefix": "A", "to": "9" * 40, "current": -1, "end_date": "9999-12-31"}]},
         [RangeNote("other", "A")]),
    ],
)  # fmt: skip
def test_ranges_are_read_from_answers(job_type, data, found):
    assert ranges_in(job_type, data) == found


def test_of_a_long_list_the_first_are_noted():
    rows = [{**example_data.RANGE, "prefix": f"P{n}"} for n in range(1000)]
    assert len(ranges_in("numbering_range.list", {"items": rows})) == 50


@pytest.mark.parametrize(
    "one",
    [
        RangeNote("invoice", "SETP", True, 12, 34, 56),
        RangeNote("invoice", "SETP", True, 12, 34, 56, is_expired=True),
        RangeNote("payroll", ""),
        RangeNote("payroll", "", is_expired=True),
        RangeNote("other", "a/b", True, 0),
    ],
)
def test_a_note_is_read_back(one):
    assert RangeNote.from_text(f"{one.family}/{one.prefix}", one.to_text()) == one


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("invoice/A", "1"),
        ("invoice/A", "1:2:3:4"),
        ("invoice/A", "1:2:x"),
        ("", ""),
        ("x/SETP", "1:2"),
        ("invoice/A", "a:b"),
        ("invoice/A", "-1:"),
        ("invoice/A", "²:"),
    ],
)
def test_what_somebody_else_wrote_is_none(field, text):
    assert RangeNote.from_text(field, text) is None


def test_what_a_version_before_has_noted_is_read() -> None:
    assert RangeNote.from_text("invoice/SETP", "12:34") == RangeNote("invoice", "SETP", True, 12, 34)


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({}, 31),
        ({"expires_ms": None}, None),
        ({"is_expired": True}, -1),
        ({"expires_ms": None, "is_expired": True}, -1),
    ],
)
def test_days_are_counted_to_the_last_one(changes: dict[str, Any], days: int | None) -> None:
    note = replace(RangeNote("invoice", "SETP", expires_ms=ENDS_2026_MS), **changes)
    assert note.days_left(date(2026, 11, 30)) == days
