"""What the families differ in: published bodies, totals, parties, and the payloads of jobs that issue nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from jobs.registry import JOB_TYPES
from schemas.payload.fields import Filled, Part, part
from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding
from schemas.payload.shape import Shape
from schemas.payload.spec import checked
from schemas.payload.validate import DOCUMENT_SPECS, MAX_FAULTS, ValidatedPayload, validate, validate_document
from tests.builders import REMOVE, changed
from tests.families import a_document_payload
from tests.unit.schemas.examples import EXAMPLES, Example
from tests.unit.schemas.payload.cases.notes import CREDIT_ALONE

ROOT = Path(__file__).parents[4]
TODAY = date(2026, 11, 30)
DAY_OF_THE_EXAMPLES = date(2026, 9, 13)
"""The weekly purchase of one is of that week."""


def verdict(family: str, changes: dict[str, Any] | None = None) -> ValidatedPayload:
    return validate_document(family, changed(a_document_payload(family), changes or {}), today=TODAY)


def test_there_are_examples_of_every_family() -> None:
    assert {example.family for example in EXAMPLES} == set(DOCUMENT_SPECS)
    assert len(EXAMPLES) >= 29


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_published_example_passes(example: Example) -> None:
    """Whatever its quirks: numbers for texts, eleven twos, empty optional texts."""
    found = validate_document(example.family, example.payload, today=DAY_OF_THE_EXAMPLES)

    assert [error.rule for error in found.errors] == ([] if example.is_balanced else ["SUM-008"])
    assert found.reference_code == example.payload["reference_code"]


def amounts_in(shape: Shape, node: dict[str, Any], above: str = "") -> Iterator[str]:
    """The dotted paths of the decimals that stand in a payload, but those that may be below zero."""
    for key, value in node.items():
        it, at = shape.fields[key], f"{above}{key}"
        if it.part is None:
            if it.kind and it.kind.name == "decimal" and not it.kind.is_signed:
                yield at
            continue
        for n, part_ in enumerate(value) if it.is_list else [("", value)]:
            yield from amounts_in(it.part, part_, f"{at}.{n}." if it.is_list else f"{at}.")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_no_amount_of_a_published_example_may_be_negative(example: Example) -> None:
    family = DOCUMENT_SPECS[example.family]
    for path in amounts_in(family.shape, example.payload):
        found = validate(family, changed(example.payload, {path: "-1.00"}), today=DAY_OF_THE_EXAMPLES)
        assert path in {error.field for error in found.errors}, path


def test_the_sum_that_a_gross_price_makes_is_told_with_its_likely_cause() -> None:
    (error,) = verdict("invoice", {"payment_details.0.amount": "70000.00"}).errors
    assert error.rule == "SUM-008"
    assert "parece que el precio ya los incluye" in error.message
    (error,) = verdict("invoice", {"payment_details.0.amount": "70001.00"}).errors
    assert "parece" not in error.message


def test_a_rounding_that_hides_a_gross_price_is_warned_of() -> None:
    changes = {"items.0.price": "100", "items.1.price": "0", "payment_details.0.amount": "100"}
    found = verdict("invoice", {**changes, "cash_rounding_amount": "-19.00"})
    assert found.errors == ()
    assert "SUM-017" in [warning.rule for warning in found.warnings]


@pytest.mark.parametrize(
    ("name", "total", "party"),
    [
        ("bills/estandar", "83300.00", "123456789"),
        ("bills/estandar-autorretenciones", "1190000.00", "123456789"),
        ("bills/estandar-propina", "85300.00", "123456789"),
        ("bills/redondeo-medios-pago", "260564.81", "222222222222"),
        ("bills/mandatos", "17850.00", "123456789"),
        ("bills/transporte", "2400000.00", "123456789"),
        ("bills/ss-cufe", "10000.00", "123456789"),
        ("credit-notes/create", "83300.00", "123456789"),
        ("credit-notes/derived-create-without-bill", "83300.00", "123456789"),
        ("debit-notes/derived-create-balanced", "83300.00", "123456789"),
        ("support-documents/create-weekly", "95200.00", "2343543"),
        ("adjustment-notes/create", "119000.00", "2343543"),
        ("payroll/create-monthly", "3262680.45", "1234567890"),
        ("payroll/adjustment-create", "", "NEF110"),
    ],
)
def test_total_and_party_are_the_published_ones(name: str, total: str, party: str) -> None:
    """Totals as the reference works them out."""
    example = next(example for example in EXAMPLES if example.name == name)
    found = validate_document(example.family, example.payload, today=DAY_OF_THE_EXAMPLES)

    assert (found.total, found.party) == (total, party)


def test_note_may_leave_its_customer_to_the_bill() -> None:
    found = verdict("credit_note", {"customer": REMOVE})

    assert found.errors == ()
    assert (found.party, found.total) == ("", "83300.00")


def test_unusable_note_type_brings_no_further_faults() -> None:
    """With the type unknown, neither the rules of the one nor those of the other can be meant."""
    found = verdict("credit_note", {"customization_id": "23", "bill_number": REMOVE})

    assert [error.rule for error in found.errors] == ["NOTE-003"]


def test_all_that_a_note_alone_lacks_is_told() -> None:
    found = verdict("credit_note", {**CREDIT_ALONE, "billing_period": {}, "customer": REMOVE})

    assert sorted((error.rule, error.field) for error in found.errors) == [
        ("NOTE-009", "billing_period"),
        ("NOTE-010", "customer"),
    ]


def test_freight_of_a_credit_note_is_a_difference_like_others() -> None:
    """That it is in no total is a rule of bills; a note that adds it must not pass for want of that rule."""
    freight = [{"code": "03", "value": "250000", "quantity": "1", "unit_measure_code": "KGM"}]
    found = verdict("credit_note", {"items.0.additional_properties": freight, "payment_details.0.amount": "333300.00"})

    assert [error.rule for error in found.errors] == ["SUM-009"]


def test_lost_discount_names_the_key_to_use() -> None:
    message = verdict("support_document", {"items.0.discount_amount": "500"}).errors[0].message

    assert '"discount_rate"' in message


def test_refused_cedula_of_a_provider_names_the_nit() -> None:
    message = verdict("support_document", {"provider.identification_document_code": "13"}).errors[0].message

    assert "NIT (31)" in message


@pytest.mark.parametrize(
    ("changes", "path", "sent"),
    [
        ({"settlement_period.month": 5}, ("settlement_period", "month"), "5"),
        ({"settlement_period.month": "05"}, ("settlement_period", "month"), "5"),
        (
            {"settlement_period.payroll_period_code": "4", "settlement_period.pay_period_half": "2"},
            ("settlement_period", "pay_period_half"),
            2,
        ),
        ({"accruals.tra.0.accrual_type_code": 1}, ("accruals", "tra", 0, "accrual_type_code"), "1"),
        ({"worker.salary": Decimal("2800000.5")}, ("worker", "salary"), "2800000.5"),
        ({"numbering_range_id": 7}, ("numbering_range_id",), "7"),
    ],
    ids=repr,
)
def test_payroll_goes_out_as_factus_takes_it(changes: dict[str, Any], path: tuple[str | int, ...], sent: Any) -> None:
    """Its tables and its examples differ in what is a text and what a number."""
    node = json.loads(verdict("payroll", changes).wire)
    for step in path:
        node = node[step]

    assert node == sent
    assert type(node) is type(sent)


def test_fund_as_one_object_goes_out_as_a_list() -> None:
    """The table of Factus says object, its API asks for a list."""
    row = {"percentage": "0.50", "amount": "22500.00", "deduction_type_code": "1"}
    one, listed = verdict("payroll", {"deductions.dedu": row}), verdict("payroll", {"deductions.dedu": [row]})

    assert json.loads(one.wire)["deductions"]["dedu"] == [row]
    assert (one.fingerprint, one.total) == (listed.fingerprint, listed.total)


def test_faults_of_the_fund_are_told_as_it_was_written() -> None:
    row = {"percentage": "0.50", "amount": "x", "deduction_type_code": "1"}
    for fund, field in ((row, "deductions.dedu.amount"), ([row], "deductions.dedu.0.amount")):
        assert [error.field for error in verdict("payroll", {"deductions.dedu": fund}).errors] == [field]


@pytest.mark.parametrize("family", ["invoice", "credit_note", "adjustment_note", "payroll"])
def test_null_observation_is_none(family: str) -> None:
    """The tables allow it; it goes out as no key."""
    null, none = verdict(family, {"observation": None}), verdict(family, {"observation": REMOVE})

    assert null.errors == ()
    assert "observation" not in null.wire
    assert null.fingerprint == none.fingerprint


def test_moments_have_one_meaning_in_both_spellings() -> None:
    hours = {"quantity": 1, "percentage": "25", "amount": "1", "accrual_type_code": 1, "start_date": ""}
    spellings = [
        verdict("payroll", {"accruals.hora": [{**hours, "start_date": moment}]}).fingerprint
        for moment in ("2026-05-06 18:00:00", "2026-05-06T18:00:00")
    ]

    assert spellings[0] == spellings[1] != ""


def test_no_faulty_concept_makes_a_false_balance() -> None:
    """With an amount unread, what the worker is owed is not known."""
    found = verdict("payroll", {"accruals.suel.amount": "x", "deductions.otra": [{"amount": "900000"}]})

    assert [error.rule for error in found.errors] == ["GEN-007"]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("payroll", {"accruals.comi": [{}] * 300_000}),
        ("payroll", {"settlement_period.month": "1" * 2**20}),
        ("payroll", {"deductions.dedu": {f"k{number}": 1 for number in range(100_000)}}),
        ("payroll", {"numbering_range_id": "A" * 2**20, "worker.salary": "x"}),
        ("credit_note", {"bill_number": "ab" * 2**19 + "-", "customization_id": "23"}),
        ("support_document", {"items": [{"discount_amount": "1", "note": "x", "mandate": {}}] * 10_000}),
    ],
    ids=["rows", "digits", "keys", "range", "number", "absent keys"],
)
def test_nothing_is_slow(family: str, changes: dict[str, Any]) -> None:
    """One payload must not hold up the intake of all others. In processor time: a busy machine is no fault of it."""
    document = changed(a_document_payload(family), changes)
    began = time.process_time()
    found = validate_document(family, document, today=TODAY)

    assert time.process_time() - began < 2.0
    assert 0 < len(found.errors) <= MAX_FAULTS + 1
    assert all(len(error.message) < 600 and len(error.field or "") < 200 for error in found.errors)


class _OneDocument(Part):
    number: Filled = part("número", "Number", optional=True)
    reference_code: Filled = part("código de referencia", "Reference", optional=True)


_TIES = RuleBook.about("")


@_TIES.error("CALL-001", "contract")
def _number_or_reference(root: Node, document: Document) -> Findings:
    return (
        NO_FINDINGS if ("number" in root) != ("reference_code" in root) else finding("number", "Envíe uno de los dos.")
    )


_ROW = checked("get", _OneDocument, _TIES)


@pytest.mark.parametrize("payload", [{"number": "SETP1"}, {"reference_code": "A-1"}])
def test_payload_of_a_call_is_checked_and_written(payload: dict[str, Any]) -> None:
    found = validate(_ROW, payload, today=TODAY)

    assert found.errors == ()
    assert json.loads(found.wire) == payload
    assert (found.total, found.party) == ("", "")
    assert found.reference_code == payload.get("reference_code", "")
    assert len(found.fingerprint) == 64


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        ([], "GEN-001"),
        ({"number": "1", "color": "azul"}, "GEN-002"),
        ({"number": None}, "CALL-001"),
        ({"number": "\x00"}, "GEN-014"),
        ({}, "CALL-001"),
        ({"number": "SETP1", "reference_code": "A-1"}, "CALL-001"),
    ],
    ids=repr,
)
def test_bad_payload_of_a_call_is_refused(payload: object, rule: str) -> None:
    assert [error.rule for error in validate(_ROW, payload, today=TODAY).errors] == [rule]


def test_a_call_needs_no_rules_at_all() -> None:
    assert validate(checked("any", _OneDocument), {}, today=TODAY).wire == "{}"


_FINGERPRINTS = {
    "credit_note": "9e6f18186f21b7ea30399e7bbf53a8d77b87dfad9680ea5c6fd1fbf1d19244e9",
    "debit_note": "a72b3bb4e3fa0a60ea9aa8845eaa1be4f8f16403d8d9cda62f991fb22da22abf",
    "support_document": "458f158f01c89e8f806388885f76aafaa13cb09890ade3f7086fd3f351800799",
    "adjustment_note": "ec9fc227ea6692a68d05c01a9379a693a78e45c39e20c76c73b95ba690bbec57",
    "payroll": "62ff7f3a7d6701d64530bc62c5e9282855a0f6816ccd7af0b40bb350a3889948",
    "payroll_adjustment": "e565007e94a8a5f4904847d5ccafba3f55e7a92bc39e3768cc5aa0f25c55538f",
}


@pytest.mark.parametrize(("family", "fingerprint"), _FINGERPRINTS.items())
def test_fingerprints_outlive_a_release(family: str, fingerprint: str) -> None:
    """They are remembered for months: a change here makes every repeated push a conflict. It needs a new version."""
    assert verdict(family).fingerprint == fingerprint


@pytest.mark.parametrize("value", ["..", ".", "payrolls", "dian", "a/b", ""])
def test_id_that_would_name_another_place_is_refused(value: str) -> None:
    row = JOB_TYPES["numbering_range.delete"].payload
    assert [error.field for error in validate(row, {"numbering_range_id": value}, today=TODAY).errors] == [
        "numbering_range_id"
    ]


@pytest.mark.parametrize("value", [8, "9", "01kpdv25zj3f7sd5sedemgbnx9"])
def test_id_of_a_record_passes(value: object) -> None:
    row = JOB_TYPES["payroll_numbering_range.get"].payload
    assert validate(row, {"numbering_range_id": value}, today=TODAY).errors == ()


def test_official_update_of_the_company_passes_with_its_nulls() -> None:
    path = ROOT / "sandbox/facts/examples/company-and-account/company-update.request.json"
    found = validate(JOB_TYPES["company.update"].payload, json.loads(path.read_text()), today=TODAY)
    assert found.errors == ()
    assert "null" not in found.wire


@pytest.mark.parametrize(("amount", "n_errors"), [("-0.00", 1), ("0.00", 0)])
def test_zero_has_no_sign(amount: str, n_errors: int) -> None:
    found = verdict("invoice", {"items.0.discount_rate": amount})
    assert len([error for error in found.errors if error.rule == "GEN-007"]) == n_errors
