"""Checking files offline: what the intake would say, with file and line."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jobs.example_payloads import example
from jobs.registry import JOB_TYPES
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA
from tests.builders import REMOVE, a_bill, changed
from tests.families import a_document_payload
from tests.unit.schemas.examples import EXAMPLES, Example
from worker.cli.check.command import command
from worker.cli.check.validation import Checked, Counts, _Checker, check_rows, contradictions, counts_of
from worker.cli.files.job_files import BadRow, Defaults, Row

NOW = datetime(2026, 11, 30, 12, tzinfo=BOGOTA)


def a_row(value: dict[str, Any], line: int = 1) -> Row:
    return Row("f", line, value=value)


def check(*values: dict[str, Any], job_type: str = "invoice.issue", now: datetime = NOW) -> list[Checked]:
    return check_rows([a_row(value, line) for line, value in enumerate(values, 1)], job_type, now=now)


def errors(*values: dict[str, Any], **how: Any) -> list[tuple[str, ErrorDetail]]:
    return [(one.row.place, error) for one in check(*values, **how) for error in one.errors]


def test_good_bills_have_no_errors() -> None:
    assert errors(a_bill(), {"type": "invoice.issue", "payload": a_bill()}) == []


def test_errors_name_place_field_and_rule() -> None:
    found = errors(a_bill(), a_bill() | {"descuento": "1"})
    assert [(place, one.field, one.rule) for place, one in found] == [("f:2", "descuento", "GEN-002")]


def test_envelopes_are_judged_too() -> None:
    found = errors({"type": "invoice.issue", "payload": a_bill(), "prio": 1}, {"type": "x.y", "payload": a_bill()})
    assert [one.field for _, one in found] == ["envelope.prio", "envelope.type"]


def test_unreadable_line_is_an_error_among_others() -> None:
    (found,) = check_rows([BadRow("f", 3, reason="No es JSON.")], "invoice.issue", now=NOW)
    assert [(found.row.place, one.message) for one in found.errors] == [("f:3", "No es JSON.")]


def test_warnings_stand_beside_errors() -> None:
    """Or a file would be mended twice."""
    bill = changed(a_bill(), {"customer.dv": REMOVE}) | {"descuento": "1"}
    (found,) = check(bill)
    assert [one.rule for one in found.errors] == ["GEN-002"]
    assert [one.rule for one in found.warnings] == ["CUS-007"]


def codes(found: list[Checked]) -> list[tuple[list[str], list[str]]]:
    return [([one.code for one in row.errors], [one.code for one in row.warnings]) for row in found]


def test_reference_with_two_contents_is_wrong() -> None:
    """The second is certainly refused."""
    found = check(
        a_bill(),
        a_bill(observation="otra"),
        {"type": "credit_note.issue", "payload": a_document_payload("credit_note")},
    )
    assert codes(found) == [([], []), (["reference.conflict"], []), ([], [])]
    assert "f:1" in found[1].errors[0].message


def test_a_reference_is_an_accounts_and_a_familys_own() -> None:
    note = {**a_document_payload("credit_note"), "reference_code": a_bill()["reference_code"]}
    found = check(
        {"type": "invoice.issue", "account": "a", "payload": a_bill()},
        {"type": "invoice.issue", "account": "b", "payload": a_bill(observation="otra")},
        {"type": "credit_note.issue", "account": "a", "payload": note},
    )
    assert codes(found) == [([], [])] * 3


def test_the_same_document_twice_is_doubtful() -> None:
    """It is taken, and one document comes of it: whoever wrote two sales under one reference has to know."""
    found = check(a_bill(), changed(a_bill(), {"items.0.price": 10000, "currency": None}))
    assert [one[0] for one in codes(found)] == [[], []]
    assert "sale uno solo" in found[1].warnings[-1].message


def test_the_same_job_twice_is_a_repetition() -> None:
    job = {"type": "invoice.issue", "id": "same", "payload": a_bill()}
    assert codes(check(job, job)) == [([], []), ([], [])]


def test_null_ids_are_no_ids() -> None:
    jobs = [{"type": "invoice.issue", "id": None, "payload": a_bill(reference_code=f"A-{n}")} for n in range(3)]
    assert codes(check(*jobs)) == [([], [])] * 3


def contradicted(*values: dict[str, Any], **options: Any) -> list[str]:
    rows = [a_row(value, line) for line, value in enumerate(values, 1)]
    return [place for place, _ in contradictions(rows, Defaults(**options), now=NOW)]


def test_what_contradicts_itself_is_not_pushed() -> None:
    other = a_bill(observation="otra")
    mail = {"type": "invoice.email", "id": "m", "payload": {"number": "A", "email": "a@b.co"}}

    assert contradicted(a_bill(), a_bill(), a_bill(reference_code="B")) == []
    assert contradicted(a_bill(), other, a_bill(reference_code="B"), other) == ["f:2", "f:4"]
    assert contradicted(mail, mail) == []
    assert contradicted(mail, {**mail, "payload": {"number": "B", "email": "a@b.co"}}) == ["f:2"]
    assert contradicted({"type": "invoice.issue", "account": "a", "payload": a_bill()}, other, account="a") == ["f:2"]
    assert contradicted({"type": "invoice.issue", "account": "a", "payload": a_bill()}, other, account="b") == []


def test_only_what_is_named_twice_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Checker, "check", None)
    assert contradicted(*(a_bill(reference_code=f"A-{n}") for n in range(50)), {"payload": 1}, {"payload": None}) == []


@pytest.mark.parametrize("name", sorted(JOB_TYPES))
def test_every_job_type_is_checked_bare_and_in_an_envelope(name: str) -> None:
    good = [example(name), {"type": name, "account": "acme", "payload": example(name)}]
    assert errors(*good, job_type=name) == []
    assert [one.field for _, one in errors(example(name) | {"sobra": 1}, job_type=name)] == ["sobra"]


@pytest.mark.parametrize("body", [one for one in EXAMPLES if one.is_balanced], ids=lambda one: one.name)
def test_official_bodies_pass_under_their_type(body: Example) -> None:
    day = datetime(2026, 9, 15, 12, tzinfo=BOGOTA)
    assert errors(body.payload, job_type=f"{body.family}.issue", now=day) == []


@pytest.mark.parametrize(
    ("type_", "options", "field", "word"),
    [
        ("payroll_adjustment.issue", {"archive": ["pdf", "xml"]}, "archive", "solo tiene xml"),
        ("invoice.issue", {"track_radian": True}, "track_radian", "facturas a crédito"),
    ],
)
def test_options_that_the_job_cannot_have_are_doubtful(
    type_: str, options: dict[str, Any], field: str, word: str
) -> None:
    (found,) = check({"type": type_, "options": options, "payload": example(type_)})
    (warning,) = found.warnings
    assert (found.errors, warning.code, warning.field) == ((), "option.unavailable", f"envelope.options.{field}")
    assert word in warning.message


def test_an_option_of_documents_is_an_error_for_a_call() -> None:
    found = errors({"type": "invoice.email", "options": {"archive": ["pdf"]}, "payload": example("invoice.email")})
    assert [(one.code, one.field) for _, one in found] == [("envelope.invalid", "envelope.options.archive")]


def test_an_option_that_does_not_exist_is_an_error() -> None:
    found = errors({"type": "invoice.issue", "options": {"archive": ["html"]}, "payload": a_bill()})
    assert [one.field for _, one in found] == ["envelope.options.archive.0"]


def test_id_with_two_contents_is_wrong() -> None:
    email = {"type": "invoice.email", "id": "same", "payload": {"number": "A", "email": "a@b.co"}}
    found = check(email, email, {**email, "payload": {"number": "B", "email": "a@b.co"}})
    assert [[one.field for one in row.errors] for row in found] == [[], [], ["envelope.id"]]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"issue_on": "2026-11-29"}, "date.missed", "issue_on"),
        ({"expires_at": "2026-11-30T11:59:00-05:00"}, "job.expired", "expires_at"),
        ({"issue_on": "2026-12-02", "expires_at": "2026-12-01T00:00:00-05:00"}, "job.expired", "expires_at"),
        ({"issue_on": "2026-12-02", "not_before": "2026-12-03T00:00:00-05:00"}, "date.missed", "issue_on"),
    ],
)
def test_a_job_that_can_only_be_late_is_wrong(fields: dict[str, str], code: str, field: str) -> None:
    ((_, error),) = errors({"type": "invoice.issue", "payload": a_bill(), **fields})
    assert (error.code, error.field) == (code, f"envelope.{field}")


@pytest.mark.parametrize(
    "fields", [{}, {"issue_on": "2026-11-30"}, {"issue_on": "2026-12-24", "expires_at": "2026-12-24T09:00:00-05:00"}]
)
def test_a_job_that_can_be_in_time_is_fine(fields: dict[str, str]) -> None:
    assert errors({"type": "invoice.issue", "payload": a_bill(), **fields}) == []


def test_each_job_counts_once_by_the_worst_of_it() -> None:
    warned = {"type": "invoice.issue", "options": {"track_radian": True}, "payload": a_bill(reference_code="W")}
    wrong = a_bill(reference_code="E") | {"a": 1, "b": 2}
    same_line = [Row("f", 1, n, value=value) for n, value in enumerate((a_bill(), warned, wrong, wrong))]
    same_line.append(Row("f", 1, 4, value=a_bill(reference_code="B")))
    found = check_rows([*same_line, BadRow("f", 4, reason="No es JSON.")], "invoice.issue", now=NOW)
    assert counts_of(found) == Counts(6, n_fine=2, n_warned=1, n_wrong=3)
    assert found[3].row.place == "f:1[3]"


def test_errors_come_first_and_equal_warnings_once(tmp_path: Path) -> None:
    """Three hundred equal remarks hid eleven errors."""
    doubtful = [changed(a_bill(reference_code=f"D-{n}"), {"customer.address": ""}) for n in range(30)]
    wrong = [a_bill(reference_code=f"E-{n}") | {"color": 1} for n in range(2)]
    file = tmp_path / "ventas.json"
    file.write_text(json.dumps([*doubtful, *wrong, changed(a_bill(), {"customer.dv": REMOVE})]))

    shown = CliRunner().invoke(command, [str(file)]).output.splitlines()

    assert [line.split("  ")[1] for line in shown[1:3]] == ["E-0", "E-1"]
    assert [line for line in shown if "CUS-020" in line] == [shown[3]]
    assert "(y 29 más)" in shown[3]
    assert "CUS-007" in shown[4]
    assert "31 solo con avisos, 2 con errores (2 errores, 31 avisos en total)" in shown[5]
