"""Checking files offline: what the intake would say, with file and line."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.builders import a_bill
from worker.operating.checking import Finding, check_rows
from worker.operating.job_files import BadRow, Row

TODAY = date(2026, 11, 30)


def errors(*values: dict[str, Any]) -> list[Finding]:
    rows = [Row("f.jsonl", line, value) for line, value in enumerate(values, 1)]
    return [finding for finding in check_rows(rows, "invoice.issue", today=TODAY) if finding.is_error]


def test_good_bills_have_no_errors() -> None:
    assert errors(a_bill(), {"type": "invoice.issue", "payload": a_bill()}) == []


def test_errors_name_place_field_and_rule() -> None:
    found = errors(a_bill(), a_bill() | {"descuento": "1"})
    assert [(one.place, one.field, one.rule) for one in found] == [("f.jsonl:2", "descuento", "GEN-002")]


def test_envelopes_are_judged_too() -> None:
    found = errors({"type": "invoice.issue", "payload": a_bill(), "prio": 1}, {"type": "x.y", "payload": a_bill()})
    assert [one.field for one in found] == ["envelope.prio", "envelope.type"]


def test_unreadable_line_is_an_error_among_others() -> None:
    found = check_rows([BadRow("f", 3, "not JSON")], "invoice.issue", today=TODAY)
    assert [(one.place, one.is_error, one.message) for one in found] == [("f:3", True, "not JSON")]


def test_reference_with_two_contents_is_doubtful() -> None:
    """In one account the second would be refused; here nobody knows the accounts, so it is a warning."""
    rows = [Row("f", 1, a_bill()), Row("f", 2, a_bill(observation="otra")), Row("f", 3, a_bill())]
    found = [one for one in check_rows(rows, "invoice.issue", today=TODAY) if one.code == "reference.conflict"]
    assert [(one.line, one.is_error) for one in found] == [(2, False)]
