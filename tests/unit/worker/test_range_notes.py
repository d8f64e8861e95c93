"""What is read of numbering ranges, in whatever Factus wrote."""

from __future__ import annotations

import pytest

from jobs import example_data
from worker.queue.range_notes import RangeSeen, ranges_in

ENDS_2026_MS = 1_798_779_600_000
"""The end of 2026 in Bogotá."""


@pytest.mark.parametrize(
    ("job_type", "data", "found"),
    [
        (
            "numbering_range.list",
            {"items": [example_data.RANGE]},
            [RangeSeen("invoice", "SETP", n_left=995000000 - 990000204 + 1)],
        ),
        ("payroll_numbering_range.get", {"factus": example_data.PAYROLL_RANGE}, [RangeSeen("payroll", "NEF")]),
        (
            "numbering_range.get",
            {"factus": {**example_data.RANGE, "is_active": 0, "end_date": "2026-12-31"}},
            [RangeSeen("invoice", "SETP", False, 4999797, ENDS_2026_MS)],
        ),
        (
            "numbering_range.get",
            {"factus": {"prefix": "P", "document": "30", "to": "5", "current": "9"}},
            [RangeSeen("other", "P", n_left=0)],
        ),
        (
            "invoice.issue",
            {"number": "SETP10", "factus": {"numbering_range": {"prefix": "SETP", "to": 12, "end_date": "31-12-2026"}}},
            [RangeSeen("invoice", "SETP", n_left=2, expires_ms=ENDS_2026_MS)],
        ),
        ("invoice.issue", {"number": "OTHER10", "factus": {"numbering_range": {"prefix": "SETP", "to": 12}}}, []),
        ("invoice.issue", {"number": None, "factus": {"numbering_range": {"prefix": "SETP"}}}, []),
        ("invoice.get", {"factus": {"numbering_range": {"prefix": "SETP"}}}, []),
        ("numbering_range.delete", {"factus": example_data.RANGE}, []),
        ("numbering_range.list", None, []),
        ("numbering_range.list", {"items": {"a": 1}}, []),
        ("numbering_range.list", {"items": [None, 3, "x", [], {}, {"prefix": 7}, {"prefix": "x" * 99}]}, []),
        ("numbering_range.list", {"items": [{"prefix": "A", "to": "9" * 40, "current": -1, "end_date": "9999-12-31"}]},
         [RangeSeen("other", "A")]),
    ],
)  # fmt: skip
def test_ranges_are_read_from_answers(job_type, data, found):
    assert ranges_in(job_type, data) == found


def test_of_a_long_list_the_first_are_noted():
    rows = [{**example_data.RANGE, "prefix": f"P{n}"} for n in range(1000)]
    assert len(ranges_in("numbering_range.list", {"items": rows})) == 50


@pytest.mark.parametrize(
    "one", [RangeSeen("invoice", "SETP", True, 12, 34), RangeSeen("payroll", ""), RangeSeen("other", "a/b", True, 0)]
)
def test_a_note_is_read_back(one):
    assert RangeSeen.from_text(f"{one.family}/{one.prefix}", one.to_text()) == one


@pytest.mark.parametrize(
    ("field", "text"), [("", ""), ("x/SETP", "1:2"), ("invoice/A", "a:b"), ("invoice/A", "-1:"), ("invoice/A", "²:")]
)
def test_what_somebody_else_wrote_is_none(field, text):
    assert RangeSeen.from_text(field, text) is None
