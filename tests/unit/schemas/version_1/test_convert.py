"""Bodies of version 1: carried over to the cent, or refused by the name of the field."""

from __future__ import annotations

import copy
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas import strict_json
from schemas.catalogs import tables
from schemas.payload.validate import validate_document
from schemas.version_1.convert import Converted, Unconvertible, convert

TODAY = date(2026, 11, 30)


def a_line(**changes: Any) -> dict[str, Any]:
    line = {
        "code_reference": "12345",
        "name": "producto de prueba",
        "quantity": 1,
        "discount_rate": 20,
        "price": 50000,
        "tax_rate": "19.00",
        "unit_measure_id": 70,
        "standard_code_id": 1,
        "is_excluded": 0,
        "tribute_id": 1,
        "withholding_taxes": [],
    }
    return {**line, **changes}


def a_body(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {
        "numbering_range_id": 4,
        "reference_code": "V1-1",
        "observation": "",
        "payment_method_code": "10",
        "customer": {
            "identification": "123456789",
            "dv": "3",
            "company": "",
            "names": "Ana Prueba",
            "address": "calle 1 # 2-68",
            "email": "ana@example.com",
            "phone": "1234567890",
            "legal_organization_id": "2",
            "tribute_id": "21",
            "identification_document_id": 3,
            "municipality_id": "980",
        },
        "items": [*lines] or [a_line(), a_line(discount_rate=0, tax_rate="5.00")],
    }
    return {**body, **changes}


def of(body: dict[str, Any], family: str = "invoice") -> Converted:
    found = convert(family, body)
    assert isinstance(found, Converted), found
    return found


def refused(body: Any, family: str = "invoice") -> list[str]:
    found = convert(family, body)
    assert isinstance(found, Unconvertible), found
    assert all(why for _, why in found.faults)
    return [field for field, _ in found.faults]


def with_customer(**changes: Any) -> dict[str, Any]:
    body = a_body()
    return {**body, "customer": {**body["customer"], **changes}}


def test_published_example_is_valid_and_keeps_its_total() -> None:
    found = of(a_body())
    judged = validate_document("invoice", found.payload, today=TODAY)
    assert judged.errors == ()
    assert abs(Decimal(judged.total) - found.total_v1) <= Decimal("0.02")
    assert found.total_v1 == 90_000
    first, second = found.payload["items"]
    assert (first["price"], first["discount_amount"]) == ("42016.81", "8403.36")
    assert (second["price"], "discount_amount" in second) == ("47619.05", False)
    assert found.payload["customer"]["municipality_code"] == "68679"
    assert found.payload["customer"]["identification_document_code"] == "13"
    assert found.payload["payment_details"] == [
        {"payment_form": "1", "payment_method_code": "10", "amount": judged.total}
    ]
    assert "dv" not in found.payload["customer"]


def test_body_is_not_changed() -> None:
    body = a_body()
    before = copy.deepcopy(body)
    of(body)
    assert body == before


def test_credit_has_its_date() -> None:
    found = of(a_body(payment_form="2", payment_due_date="2026-12-30"))
    assert found.payload["payment_details"][0]["due_date"] == "2026-12-30"


def test_report_names_what_was_inferred() -> None:
    told = " ".join(of(a_body()).inferred)
    for word in ("municipio 980", "68679", "San Gil", "unidad de medida 70", "R-99-PN", "precio con impuesto del 19 %"):
        assert word in told


@pytest.mark.parametrize("table", ["municipalities", "unit-measures", "countries"])
def test_every_position_of_a_table_has_its_code(table: str) -> None:
    """The ids of version 1 are positions, from 1; not one more."""
    n = len(tables.rows(table))
    for position, row in enumerate(tables.rows(table), 1):
        if table == "municipalities":
            found = of(with_customer(municipality_id=position)).payload["customer"]["municipality_code"]
        elif table == "countries":
            found = of(with_customer(country_id=str(position))).payload["customer"]["country_code"]
        else:
            found = of(a_body(a_line(unit_measure_id=position))).payload["items"][0]["unit_measure_code"]
        assert found == row["code"]
    assert n in (1122, 1093, 249)


WRONG_IDS = [0, -1, 100_000, "x", "0", "1.0", " 1", True, False, [1], {"id": 1}, strict_json.parse(b"169.0"), "١"]


@pytest.mark.parametrize("value", WRONG_IDS, ids=repr)
@pytest.mark.parametrize("key", ["municipality_id", "country_id", "identification_document_id", "tribute_id"])
def test_id_of_no_table_or_of_a_wrong_kind_is_refused_by_name(key: str, value: Any) -> None:
    assert refused(with_customer(**{key: value})) == [f"customer.{key}"]


@pytest.mark.parametrize(("key", "value"), [("unit_measure_id", 1094), ("standard_code_id", 5), ("tribute_id", 2)])
def test_id_of_a_line_is_refused_by_name(key: str, value: Any) -> None:
    assert refused(a_body(a_line(), a_line(**{key: value}))) == [f"items.1.{key}"]


def test_next_position_is_refused() -> None:
    assert refused(with_customer(municipality_id=1123)) == ["customer.municipality_id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": None}, "items.0.price"),
        ({"price": "1.005"}, "items.0.price"),
        ({"price": True}, "items.0.price"),
        ({"quantity": ""}, "items.0.quantity"),
        ({"tax_rate": None}, "items.0.tax_rate"),
        ({"discount_rate": 101}, "items.0"),
        ({"price": "1" * 16}, "items.0.price"),
    ],
)
def test_line_that_cannot_be_read_is_refused_by_name(changes: dict[str, Any], field: str) -> None:
    assert refused(a_body(a_line(**changes))) == [field]


@pytest.mark.parametrize("body", [None, [], 1, "x", {}, {"items": []}, {"items": [1]}, {"items": {}}])
def test_what_is_no_document_is_refused(body: Any) -> None:
    assert refused(body)


@pytest.mark.parametrize("family", ["debit_note", "support_document", "payroll", ""])
def test_families_that_are_not_known_of_version_1_are_refused(family: str) -> None:
    assert refused(a_body(), family) == ["envelope.payload_version"]


def test_excluded_line_keeps_its_price() -> None:
    line = of(a_body(a_line(is_excluded=1, tax_rate="0.00", discount_rate=0))).payload["items"][0]
    assert (line["price"], line["taxes"]) == ("50000.00", [{"is_excluded": True}])


def test_note_that_names_its_bill_by_id_has_to_name_its_number() -> None:
    note = {**a_body(), "correction_concept_code": 1, "customization_id": 20, "bill_id": 7}
    assert refused(note, "credit_note") == ["bill_id"]
    found = of({**note, "bill_number": "SETP990000203"}, "credit_note")
    assert validate_document("credit_note", found.payload, today=TODAY).errors == ()


def test_unknown_key_is_left_for_the_validation_to_refuse() -> None:
    found = of(a_body(is_asynchronous=1))
    judged = validate_document("invoice", found.payload, today=TODAY)
    assert [error.field for error in judged.errors] == ["is_asynchronous"]


def test_surcharge_counts_in_both_totals() -> None:
    charge = {"concept_type": "03", "is_surcharge": 1, "reason": "Propina", "base_amount": "90000", "amount": "9000"}
    found = of(a_body(allowance_charges=[charge]))
    assert found.total_v1 == 99_000
    assert abs(found.difference) <= Decimal("0.02")
    assert validate_document("invoice", found.payload, today=TODAY).errors == ()


def test_two_versions_in_one_body_are_refused() -> None:
    assert refused(a_body(payment_details=[])) == ["payment_details"]
