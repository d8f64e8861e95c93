"""What a validation gives back: verdicts on any JSON, the text for Factus, and the meaning of a payload."""

from __future__ import annotations

import json
import re
import time
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas import strict_json
from schemas.payload.validate import DOCUMENT_SPECS, MAX_FAULTS, validate_document
from tests.builders import REMOVE, a_bill, changed
from tests.families import a_document_payload

TODAY = date(2026, 11, 30)


def verdict(payload: object) -> Any:
    return validate_document("invoice", payload, today=TODAY)


def rules_of(payload: object) -> list[tuple[str | None, str | None]]:
    return [(error.rule, error.field) for error in verdict(payload).errors]


def test_unknown_family_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        validate_document("pedido", a_bill(), today=TODAY)


def test_all_faults_are_told_at_once() -> None:
    """Shape, codes, rules and totals in one answer: mending one by one costs a round trip each."""
    broken = changed(
        a_bill(),
        {
            "items.0.name": REMOVE,
            "items.1.unit_measure_code": "unidad",
            "customer.dv": "3",
            "payment_details.0.amount": "1",
            "color": "azul",
        },
    )

    assert sorted(rules_of(broken)) == [
        ("CUS-006", "customer.dv"),
        ("GEN-002", "color"),
        ("GEN-004", "items.0.name"),
        ("ITM-005", "items.1.unit_measure_code"),
        ("SUM-008", "payment_details"),
    ]


def test_a_refused_value_is_not_called_missing_too() -> None:
    assert rules_of(changed(a_bill(), {"customer.company": 5})) == [("CUS-010", "customer.company")]


@pytest.mark.parametrize(
    ("operation", "changes", "rule"),
    [
        ("10", {"items.0.taxes": [{"is_excluded": 1}]}, ("GEN-011", "items.0.taxes.0.is_excluded")),
        ("SS-CUFE", {"health.contract_number": 1230}, ("GEN-010", "health.contract_number")),
        ("10", {"customer.country_code": "Colombia", "customer.address": REMOVE}, ("CUS-017", "customer.country_code")),
        ("10", {"customer.email": 5}, ("CUS-021", "customer.email")),
    ],
    ids=repr,
)
def test_nothing_is_concluded_from_a_refused_value(operation: str, changes: dict[str, Any], rule: object) -> None:
    """What another place must hold depends on it: one slip is one fault, and brings no warning either."""
    bill = changed(a_bill(operation), changes)

    assert rules_of(bill) == [rule]
    assert verdict(bill).warnings == ()


def test_faults_are_capped_with_a_note() -> None:
    bill = a_bill(items=[{}] * 50)

    errors = verdict(bill).errors

    assert len(errors) == MAX_FAULTS + 1
    assert "más faltas" in errors[-1].message


def test_a_list_of_rubbish_is_told_in_part_with_a_note() -> None:
    errors = verdict(a_bill(items=[{**a_bill()["items"][0], "price": "x"}] * 2_000)).errors

    assert (errors[0].rule, errors[0].field) == ("GEN-007", "items.0.price")
    assert "más faltas" in errors[-1].message


def test_an_error_behind_many_warnings_is_found() -> None:
    """Five hundred remarks on units must not hide that the payments are wrong."""
    item = {**a_bill()["items"][0], "unit_measure_code": "KGM"}
    bill = a_bill(items=[item] * 500)

    found = verdict(bill)

    assert [error.rule for error in found.errors] == ["SUM-008"]


def test_equal_warnings_are_one_with_their_number() -> None:
    item = {**a_bill()["items"][0], "unit_measure_code": "KGM"}
    odd = {**item, "unit_measure_code": "94", "taxes": [{"code": "01", "rate": "7.00"}]}

    warnings = verdict(a_bill(items=[item] * 300 + [odd] + [item] * 200)).warnings

    assert [(one.rule, one.field) for one in warnings] == [
        ("ITM-006", "items.0.unit_measure_code"),
        ("ITM-018", "items.300.taxes.0.rate"),
    ]
    assert "(En 500 lugares; este es el primero.)" in warnings[0].message
    assert "lugares" not in warnings[1].message


def test_different_warnings_have_their_limit() -> None:
    """A warning that quotes a figure is another one for each figure."""
    items = [{**a_bill()["items"][0], "discount_amount": None, "price": "0"} | {"name": "JosÃ©"} for _ in range(3)]

    assert len(verdict(a_bill(items=items)).warnings) <= MAX_FAULTS + 1


def test_a_wrong_figure_is_told_before_the_sum_it_spoils() -> None:
    errors = verdict(changed(a_bill(), {"items.1.quantity": "0.00"})).errors

    assert [error.rule for error in errors] == ["ITM-003", "SUM-008"]


_GARBLED = ["JosÃ© PÃ©rez", "MuÃ±oz", "NÂ° 5", "DescripciÃ³n", "Â¿Listo?", "BOGOTÃ\x81", "5 â‚¬", "â€œCafÃ©â€\x9d"]
_GARBLED += ["Jos├®", "Mu\ufffdoz", "JosÃƒÂ©"]
_SOUND = ["José Pérez", "MUÑOZ", "N° 5", "¿Listo?", "SÃO PAULO", "ÂNGELA", "château", "5 €", "«Café»", "Ã", "Â", "日本"]


@pytest.mark.parametrize("text", _GARBLED)
def test_broken_encoding_is_warned_of(text: str) -> None:
    """It would be printed on a legal document; whether the bill is refused besides does not matter."""
    bill = changed(a_bill(), {"customer.company": text, "items.0.name": text})
    (warning,) = verdict(bill).warnings
    assert (warning.rule, warning.field) == ("GEN-014", "customer.company")
    assert "En 2 lugares" in warning.message

    assert "GEN-014" in [one.rule for one in verdict({**bill, "color": "azul"}).warnings]
    assert "GEN-014" in [one.rule for one in verdict(changed(bill, {"customer.dv": "3"})).warnings]


@pytest.mark.parametrize("text", _SOUND)
def test_sound_letters_are_not(text: str) -> None:
    assert verdict(changed(a_bill(), {"customer.company": text})).warnings == ()


def test_every_detail_is_complete() -> None:
    found = verdict(changed(a_bill(), {"customer.dv": "3", "items.0.unit_measure_code": "KGM"}))

    assert {error.code for error in found.errors} == {"payload.invalid"}
    assert {warning.code for warning in found.warnings} == {"payload.warning"}
    assert not any(detail.retryable for detail in (*found.errors, *found.warnings))


def test_messages_name_the_mend() -> None:
    by_rule = {
        error.rule: error.message
        for error in verdict(
            changed(
                a_bill(),
                {"customer.dv": "3", "customer.municipality_id": 980, "customer.municipality_code": "5001", "item": 1},
            )
        ).errors
    }

    assert by_rule["CUS-006"] == "El dígito de verificación del NIT 900825759 es 7, no 3."
    assert '"municipality_code"' in by_rule["GEN-003"]
    assert '"05001"' in by_rule["CUS-019"]
    assert '¿Quiso decir "items"?' in by_rule["GEN-002"]


def test_sum_message_has_both_figures() -> None:
    message = verdict(changed(a_bill(), {"payment_details.0.amount": "80000"})).errors[0].message

    assert "80000.00" in message
    assert "83300.00" in message


@pytest.mark.parametrize("family", DOCUMENT_SPECS)
def test_no_message_repeats_personal_data(family: str) -> None:
    """A name may stand in any field by mistake, and messages travel into logs and screens."""
    secret = "Fulana de Tal"
    texts = [path for path, value in _leaves(a_document_payload(family)) if isinstance(value, str)]
    for path in texts:
        found = validate_document(family, changed(a_document_payload(family), {path: secret}), today=TODAY)
        assert not any(secret in detail.message for detail in (*found.errors, *found.warnings)), path


def _leaves(node: Any, at: str = "") -> list[tuple[str, Any]]:
    if isinstance(node, (dict, list)):
        steps = node.items() if isinstance(node, dict) else enumerate(node)
        return [leaf for key, value in steps for leaf in _leaves(value, f"{at}.{key}" if at else str(key))]
    return [(at, node)]


@pytest.mark.parametrize("family", DOCUMENT_SPECS)
def test_no_message_is_in_english(family: str) -> None:
    """pydantic's own texts never come through."""
    anything: list[Any] = [None, True, [], {}, 7, Decimal("1.234"), "", "\ud800", "x" * 6000]
    english = re.compile(r"\b(should|must|input|valid|field|string|Extra|required)\b")
    for path, _ in _leaves(a_document_payload(family)):
        for bad in anything:
            for detail in validate_document(
                family, changed(a_document_payload(family), {path: bad}), today=TODAY
            ).errors:
                assert not english.search(detail.message), detail


def test_reference_is_read_even_from_a_broken_payload() -> None:
    assert verdict({"reference_code": "FV/1", "x": 1}).reference_code == "FV/1"
    assert verdict({"reference_code": " FV"}).reference_code == ""
    assert verdict({"reference_code": 5}).reference_code == ""


def test_wire_is_the_payload_with_texts_for_numbers() -> None:
    """Keys in their order, texts as given, nothing added; only the spelling of numbers follows the documentation."""
    bill = changed(
        a_bill(),
        {
            "payment_details.0.payment_form": 1,
            "payment_details.0.amount": Decimal("83300.0"),
            "items.0.price": 10000,
            "items.0.name": 'Ñandú «grande» / "x"',
            "send_email": False,
        },
    )

    sent = json.loads(verdict(bill).wire)

    assert list(sent) == list(bill)
    assert sent["payment_details"][0]["payment_form"] == "1"
    assert sent["payment_details"][0]["amount"] == "83300.0"
    assert sent["items"][0]["price"] == "10000"
    assert sent["items"][0]["name"] == bill["items"][0]["name"]
    assert sent["items"][0]["quantity"] == "1.00"
    assert sent["send_email"] is False
    assert sent["numbering_range_id"] == 389
    assert bill["items"][0]["price"] == 10000, "the caller's payload is left as it was"


def test_wire_of_texts_is_the_text_itself() -> None:
    assert verdict(a_bill()).wire == strict_json.dump(a_bill())


@pytest.mark.parametrize(
    "same",
    [
        {"items.0.price": 10000},
        {"items.0.price": Decimal("10000.0")},
        {"items.0.price": "010000"},
        {"items.0.taxes.0.rate": "19"},
        {"cash_rounding_amount": "-0.00"},
        {"payment_details.0.payment_form": 1},
    ],
    ids=repr,
)
def test_spelling_of_numbers_is_no_difference(same: dict[str, Any]) -> None:
    assert verdict(changed(a_bill(), same)).fingerprint == verdict(a_bill()).fingerprint


@pytest.mark.parametrize(
    "other",
    [
        {"reference_code": "ERP-2026-000124"},
        {"observation": "Factura de  prueba"},
        {"observation": REMOVE},
        {"items.0.code_reference": "PROD-a"},
        {"payment_details.0.reference_code": "01"},
    ],
    ids=repr,
)
def test_other_texts_are_other_documents(other: dict[str, Any]) -> None:
    assert verdict(changed(a_bill(), other)).fingerprint != verdict(a_bill()).fingerprint


@pytest.mark.parametrize(
    ("bad", "other"),
    [
        ({"operation_type": "77"}, {"operation_type": "78"}),
        ({"payment_details.0.due_date": "2026-02-30"}, {"payment_details.0.due_date": "2026-02-31"}),
        ({"payment_details.0.payment_method_code": "777"}, {"payment_details.0.payment_method_code": "778"}),
        ({"items.0.price": Decimal("10.123")}, {"items.0.price": Decimal("20.123")}),
        ({"items.0.price": "x"}, {"items.0.price": "y"}),
        ({"items.0.quantity": "1e400"}, {"items.0.quantity": "2e400"}),
        ({"customer.municipality_code": "00000"}, {"customer.municipality_code": "00001"}),
        ({"customer.legal_organization_code": 3}, {"customer.legal_organization_code": 4}),
        ({"numbering_range_id": -1}, {"numbering_range_id": 0}),
        ({"items.0.is_excluded": 7}, {"items.0.is_excluded": 8}),
    ],
    ids=repr,
)
def test_what_cannot_be_read_is_no_other_document(bad: dict[str, Any], other: dict[str, Any]) -> None:
    """A value that is refused is not left out: the corrected push would be dropped as one that came before."""
    told = [verdict(changed(a_bill(), change)) for change in (bad, other)]
    assert all(one.errors for one in told)
    known = [one.fingerprint for one in (verdict(a_bill()), *told) if one.fingerprint]
    assert len(known) == len(set(known))


@pytest.mark.parametrize("same", [True, False])
def test_what_rules_refuse_is_the_document_that_it_is(same: bool) -> None:
    unpaid = {"payment_details.0.amount": "1.00"}
    one = verdict(changed(a_bill(), unpaid))
    two = verdict(changed(a_bill(), unpaid if same else {"payment_details.0.amount": "2.00"}))
    assert one.errors
    assert two.errors
    assert one.fingerprint
    assert (one.fingerprint == two.fingerprint) is same
    assert one.fingerprint != verdict(a_bill()).fingerprint


def test_order_of_keys_is_no_difference_and_order_of_lines_is() -> None:
    bill = a_bill()
    reordered = dict(reversed(bill.items()))
    reordered["customer"] = dict(reversed(bill["customer"].items()))

    assert verdict(reordered).fingerprint == verdict(bill).fingerprint
    assert verdict({**bill, "items": bill["items"][::-1]}).fingerprint != verdict(bill).fingerprint


def test_rounding_is_half_to_even() -> None:
    """Two lines of 0.625 taxed at 20 %: each tax is 0.12 or 0.13 by the mode; the total shows which."""
    item = {**a_bill()["items"][0], "quantity": "0.25", "price": "2.50", "taxes": [{"code": "35", "rate": "20"}]}
    bill = a_bill(items=[item], payment_details=[{"payment_form": "1", "payment_method_code": "10", "amount": "0.74"}])

    # 0.25 * 2.50 = 0.625 -> 0.62, and 0.62 * 20 % = 0.124 -> 0.12
    assert verdict(bill).total == "0.74"


_PATHOLOGIES: dict[str, Any] = {
    "text of a MiB for a price": changed(a_bill(), {"items.0.price": "1" * 2**20}),
    "text of a MiB for a code": changed(a_bill(), {"items.0.unit_measure_code": "9" * 2**20}),
    "text of a MiB for an address": changed(a_bill(), {"customer.email": "a@" + "." * 2**20 + " "}),
    "key of a MiB": {**a_bill(), "x" * 2**20: 1},
    "huge exponent": changed(a_bill(), {"items.0.price": Decimal("1E+999999")}),
    "tiny exponent": changed(a_bill(), {"items.0.price": Decimal("1E-999999")}),
    "huge zero": changed(a_bill(), {"items.0.price": Decimal("0E+999999")}),
    "integer of a hundred digits": changed(a_bill(), {"items.0.scheme_id": 10**99, "numbering_range_id": 10**99}),
    "many unknown keys": {**a_bill(), **{f"k{number}": 1 for number in range(100_000)}},
    "list of empty objects": {**a_bill(), "items": [{}] * 300_000},
    "ten thousand empty objects": {**a_bill(), "items": [{}] * 10_000},
    "ten thousand lines": {**a_bill(), "items": a_bill()["items"][:1] * 10_000},
    "ten thousand bad lines": {**a_bill(), "items": [{**a_bill()["items"][0], "price": "x"}] * 10_000},
    "good lines, then bad ones": {**a_bill(), "items": a_bill()["items"][:1] * 30 + [1] * 9_000},
    "taxes that are none": {**a_bill(), "items": [{**a_bill()["items"][0], "taxes": [0] * 1_000}] * 400},
}


@pytest.mark.parametrize("name", _PATHOLOGIES)
def test_nothing_is_slow(name: str) -> None:
    """One payload must not hold up the intake of all others. In processor time: a busy machine is no fault of it."""
    began = time.process_time()
    found = verdict(_PATHOLOGIES[name])
    took_s = time.process_time() - began

    assert found.errors
    assert len(found.errors) <= MAX_FAULTS + 1
    assert all(len(error.message) < 600 and len(error.field or "") < 200 for error in found.errors)
    assert took_s < 2.0, f"{took_s:.2f} s"


def test_fingerprints_outlive_a_release() -> None:
    """They are remembered for months: a change here makes every repeated push a conflict. It needs a new version."""
    assert verdict(a_bill("12")).fingerprint == "272ea34a7c779033d616b6153280e81df2d72676d7ebcf60f255048889370c1d"


BEYOND_A_BOUND = {
    "a price": {"items.0.price": "1000000000000000.00"},
    "a price as a number": {"items.0.price": Decimal("1E+15")},
    "a total of amounts that are fine": {"items.0.price": "900000000000000.00", "items.0.quantity": "2.00"},
}


@pytest.mark.parametrize("change", BEYOND_A_BOUND.values(), ids=BEYOND_A_BOUND)
def test_an_amount_or_total_of_ten_to_the_fifteenth_is_beyond_what_is_taken(change: dict[str, Any]) -> None:
    found = validate_document("invoice", changed(a_bill(), change), today=TODAY)
    codes = {error.code: error.field for error in found.errors}
    assert codes["envelope.invalid"].startswith("items")
