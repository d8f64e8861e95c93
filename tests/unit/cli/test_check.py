"""Checking files offline: what the intake would say, with file and line."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jobs.registry import JOB_TYPES
from schemas.example_payloads import example
from tests.builders import a_bill
from tests.unit.schemas.examples import EXAMPLES, Example
from worker.operating.checking import Counts, Finding, check_rows, counts_of
from worker.operating.job_files import BadRow, Row

TODAY = date(2026, 11, 30)


def errors(*values: dict[str, Any]) -> list[Finding]:
    rows = [Row("f.jsonl", line, value) for line, value in enumerate(values, 1)]
    return [finding for finding in check_rows(rows, "invoice.issue", today=TODAY) if finding.is_error]


def test_good_bills_have_no_errors() -> None:
    assert errors(a_bill(), {"type": "invoice.issue", "payload": a_bill()}) == []


def test_errors_name_place_field_and_rule() -> None:
    found = errors(a_bill(), a_bill() | {"descuento": "1"})
    assert [(one.place, one.detail.field, one.detail.rule) for one in found] == [("f.jsonl:2", "descuento", "GEN-002")]


def test_envelopes_are_judged_too() -> None:
    found = errors({"type": "invoice.issue", "payload": a_bill(), "prio": 1}, {"type": "x.y", "payload": a_bill()})
    assert [one.detail.field for one in found] == ["envelope.prio", "envelope.type"]


def test_unreadable_line_is_an_error_among_others() -> None:
    found = check_rows([BadRow("f", 3, "not JSON")], "invoice.issue", today=TODAY)
    assert [(one.place, one.is_error, one.detail.message) for one in found] == [("f:3", True, "not JSON")]


def test_reference_with_two_contents_is_doubtful() -> None:
    """In one account the second would be refused; here nobody knows the accounts, so it is a warning."""
    rows = [Row("f", 1, a_bill()), Row("f", 2, a_bill(observation="otra")), Row("f", 3, a_bill())]
    found = [one for one in check_rows(rows, "invoice.issue", today=TODAY) if one.detail.code == "reference.conflict"]
    assert [(one.line, one.is_error) for one in found] == [(2, False)]


@pytest.mark.parametrize("name", sorted(JOB_TYPES))
def test_every_job_type_is_checked_bare_and_in_an_envelope(name: str) -> None:
    good = [Row("f", 1, example(name)), Row("f", 2, {"type": name, "account": "acme", "payload": example(name)})]
    assert [one for one in check_rows(good, name, today=TODAY) if one.is_error] == []
    bad = [Row("f", 1, example(name) | {"sobra": 1})]
    assert [one.detail.field for one in check_rows(bad, name, today=TODAY)] == ["sobra"]


@pytest.mark.parametrize("body", [one for one in EXAMPLES if one.is_balanced], ids=lambda one: one.name)
def test_official_bodies_pass_under_their_type(body: Example) -> None:
    found = check_rows([Row("f", 1, body.payload)], f"{body.family}.issue", today=date(2026, 9, 15))
    assert [one for one in found if one.is_error] == []


@pytest.mark.parametrize(
    ("type_", "options", "field", "word"),
    [
        ("payroll_adjustment.issue", {"archive": ["pdf", "xml"]}, "archive", "solo tiene xml"),
        ("invoice.email", {"archive": ["pdf"]}, "archive", "no emite documentos"),
        ("invoice.issue", {"track_radian": True}, "track_radian", "facturas a crédito"),
    ],
)
def test_options_that_the_job_cannot_have_are_doubtful(
    type_: str, options: dict[str, Any], field: str, word: str
) -> None:
    rows = [Row("f", 1, {"type": type_, "options": options, "payload": example(type_)})]
    (found,) = check_rows(rows, "invoice.issue", today=TODAY)
    told = found.detail
    assert (found.is_error, told.code, told.field) == (False, "option.unavailable", f"envelope.options.{field}")
    assert word in told.message


def test_an_option_that_does_not_exist_is_an_error() -> None:
    found = errors({"type": "invoice.issue", "options": {"archive": ["html"]}, "payload": a_bill()})
    assert [one.detail.field for one in found] == ["envelope.options.archive.0"]


def test_id_with_two_contents_is_doubtful() -> None:
    email = {"type": "invoice.email", "id": "same", "payload": {"number": "A", "email": "a@b.co"}}
    rows = [
        Row("f", 1, email),
        Row("f", 2, email),
        Row("f", 3, {**email, "payload": {"number": "B", "email": "a@b.co"}}),
    ]
    found = check_rows(rows, "invoice.issue", today=TODAY)
    assert [(one.line, one.detail.field, one.is_error) for one in found] == [(3, "envelope.id", False)]


def test_each_job_counts_once_by_the_worst_of_it() -> None:
    warned = {"type": "invoice.issue", "options": {"track_radian": True}, "payload": a_bill(reference_code="W")}
    wrong = a_bill(reference_code="E") | {"a": 1, "b": 2}
    rows = [Row("f", n, value) for n, value in enumerate((a_bill(), warned, wrong), 1)]
    found = check_rows([*rows, BadRow("f", 4, "not JSON")], "invoice.issue", today=TODAY)
    assert counts_of(found, 4) == Counts(4, n_fine=1, n_warned=1, n_wrong=2)
