"""Numbering ranges as events show them: what is left, and until when."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from worker.http.page.ranges import facts_of, ranges_on

TODAY = date(2026, 11, 30)
RANGE = {
    "prefix": "SETP", "from": 990000000, "to": 990000999, "resolution_number": "18760000001",
    "start_date": "19-01-2019", "end_date": "20-12-2026",
}  # fmt: skip


def validated(number: object = "SETP990000989", shown: object = RANGE) -> dict[str, Any]:
    return {
        "type": "invoice.validated",
        "job_type": "invoice.issue",
        "account": "acme",
        "data": {"number": number, "factus": {"numbering_range": shown}},
    }


def test_a_document_shows_the_range_that_it_was_numbered_from() -> None:
    (seen,) = ranges_on(facts_of(validated()), TODAY)
    assert (seen.account, seen.document, seen.prefix) == ("acme", "invoice", "SETP")
    assert (seen.n_left, seen.n_numbers) == (10, 1000)
    assert (seen.ends_on, seen.days_left, seen.is_expired) == (date(2026, 12, 20), 20, False)


def test_a_list_shows_those_that_are_in_use() -> None:
    rows = [
        {**RANGE, "document": "Factura de Venta", "current": 990000990, "is_active": 1, "is_expired": True},
        {**RANGE, "prefix": "OFF", "current": 1, "is_active": 0},
        {"prefix": "NC", "from": 1, "to": 10, "current": 11, "is_active": True, "end_date": "01-01-2026"},
        {"prefix": "X", "from": None, "to": None, "current": 1},
        "no row",
    ]
    event = {
        "type": "numbering_range.list.completed",
        "job_type": "numbering_range.list",
        "account": "acme",
        "data": {"items": rows},
    }
    sales, credit = ranges_on(facts_of(event), TODAY)
    assert (sales.document, sales.n_left, sales.is_expired) == ("Factura de Venta", 10, True)
    assert (credit.prefix, credit.n_left, credit.ends_on, credit.days_left) == ("NC", 0, None, 0)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": "invoice.validated", "account": "acme", "data": None},
        validated(number=None),
        validated(number="SETPx"),
        validated(shown=None),
        validated(shown={**RANGE, "from": "many"}),
        validated(shown={**RANGE, "to": 1}),
        {"type": "numbering_range.list.completed", "job_type": "numbering_range.list", "account": "a", "data": {}},
    ],
)
def test_what_cannot_be_read_shows_none(event: dict[str, Any]) -> None:
    assert facts_of(event) == ()
