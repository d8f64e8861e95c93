"""What is said of a key or code that Factus v2 does not have: by what people write, and not by spelling."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from schemas.catalogs import version_1
from schemas.payload.known_names import advise
from schemas.payload.shape import Shape
from schemas.payload.validate import DOCUMENT_SPECS, validate_document
from tests.builders import a_bill, changed

TODAY = date(2026, 11, 30)


def shapes_of(shape: Shape) -> Iterator[Shape]:
    yield shape
    for it in shape.parts:
        assert it.part is not None
        yield from shapes_of(it.part)


EVERY_SHAPE = {
    (family.name, shape.model.__name__): (shape, shape is family.shape)
    for family in DOCUMENT_SPECS.values()
    for shape in shapes_of(family.shape)
}
each_shape = pytest.mark.parametrize("name", EVERY_SHAPE, ids=" ".join)


def mend(key: str, owner: str, family: str = "invoice", value: Any = "1") -> str:
    shape, is_root = EVERY_SHAPE[family, owner]
    return advise(key, value, shape.fields, is_root=is_root).mend


@pytest.mark.parametrize(
    ("family", "owner", "key", "says"),
    [
        # Of lines.
        ("invoice", "Item", "discount", '"discount_rate" (porcentaje) o "discount_amount" (valor)'),
        ("debit_note", "DebitItem", "discount", '"discount_rate"'),
        ("support_document", "PurchaseItem", "descuento", '"discount_rate"'),
        ("invoice", "Item", "discount_value", '"discount_amount"'),
        ("debit_note", "DebitItem", "discount_value", "porcentaje"),
        ("invoice", "Item", "discount_percentage", '"discount_rate"'),
        ("invoice", "Item", "total_amount", "quítela"),
        ("invoice", "Item", "subtotal", "quítela"),
        ("invoice", "Item", "tax_amount", "quítela"),
        ("invoice", "Item", "tax_code", '"taxes"'),
        ("invoice", "Item", "iva", '"taxes"'),
        ("invoice", "Item", "impuestos", '"taxes"'),
        ("invoice", "Item", "unitPrice", '"price"'),
        ("invoice", "Item", "precio", '"price"'),
        ("invoice", "Item", "amount", "una unidad"),
        ("invoice", "Item", "description", '"name"'),
        ("invoice", "Item", "cantidad", '"quantity"'),
        ("invoice", "Item", "sku", '"code_reference"'),
        ("invoice", "Item", "price_with_tax", "divida el precio por 1 más su tarifa"),
        ("invoice", "Item", "precio_con_iva", "divida el precio por 1 más su tarifa"),
        ("invoice", "Item", "tax_included", "divida el precio por 1 más su tarifa"),
        ("invoice", "Item", "importe", 'va en "price"'),
        ("invoice", "Item", "unit_measure", '"unit_measure_code"'),
        ("invoice", "Item", "retenciones", '"withholding_taxes"'),
        ("invoice", "Tax", "percent", '"rate"'),
        ("invoice", "Tax", "tribute", '"code"'),
        ("invoice", "Tax", "tax_amount", "quítela"),
        ("invoice", "WithholdingTax", "percentage", '"rate"'),
        # Of people.
        ("invoice", "Customer", "first_name", '"names"'),
        ("invoice", "Customer", "last_name", '"names"'),
        ("invoice", "Customer", "name", '"names"'),
        ("invoice", "Customer", "apellidos", '"names"'),
        ("support_document", "Provider", "last_name", '"names"'),
        ("payroll", "Worker", "last_name", '"first_surname"'),
        ("invoice", "Customer", "razón social", '"company"'),
        ("invoice", "Customer", "identification_number", '"identification"'),
        ("payroll", "Worker", "identification", '"identification_number"'),
        ("invoice", "Customer", "nit", '"identification"'),
        ("invoice", "Customer", "Teléfono", '"phone"'),
        ("invoice", "Customer", "phone_number", '"phone"'),
        ("invoice", "Establishment", "phone", '"phone_number"'),
        ("invoice", "Customer", "ciudad", '"municipality_code"'),
        ("invoice", "Customer", "document_type", '"identification_document_code"'),
        # Of payments and charges.
        ("invoice", "Payment", "value", '"amount"'),
        ("invoice", "Payment", "medio_pago", '"payment_method_code"'),
        ("invoice", "AllowanceCharge", "charge_indicator", '"is_surcharge"'),
        # Of the document.
        ("invoice", "Bill", "discount", "las líneas"),
        ("invoice", "Bill", "discount_rate", "las líneas"),
        ("support_document", "SupportDocument", "descuento", "las líneas"),
        ("invoice", "Bill", "emails", '"customer.email"'),
        ("support_document", "SupportDocument", "email", '"provider.email"'),
        ("invoice", "Bill", "taxes", '"items"'),
        ("invoice", "Bill", "total", "quítela"),
        ("invoice", "Bill", "payments", '"payment_details"'),
        ("invoice", "Bill", "propina", '"allowance_charges"'),
        ("invoice", "Bill", "client", '"customer"'),
        ("invoice", "Bill", "líneas", '"items"'),
        ("invoice", "Bill", "referenceCode", '"reference_code"'),
        ("invoice", "Bill", "Reference-Code", '"reference_code"'),
        ("credit_note", "CreditNote", "number_bill", '"bill_number"'),
        ("credit_note", "CreditNote", "bill_reference", '"bill_number"'),
        ("debit_note", "DebitNote", "invoice_number", '"bill_number"'),
        ("adjustment_note", "AdjustmentNote", "support_document", '"support_document_number"'),
        # Slips of the pen.
        ("invoice", "Bill", "item", '¿Quiso decir "items"?'),
        ("invoice", "Item", "quantiy", '¿Quiso decir "quantity"?'),
        ("invoice", "Customer", "emial", '¿Quiso decir "email"?'),
        ("invoice", "Item", "pricee", '¿Quiso decir "price"?'),
        ("invoice", "Bill", "color", "Quítela."),
        ("invoice", "Bill", "x" * 1000, "Quítela."),
        ("invoice", "Bill", "", "Quítela."),
    ],
)
def test_what_people_write_is_known(family: str, owner: str, key: str, says: str) -> None:
    assert says in mend(key, owner, family)


@each_shape
def test_advice_names_keys_that_are_there(name: tuple[str, str]) -> None:
    """Whoever follows it must not meet the next unknown key: every name of every table, in every object."""
    shape, is_root = EVERY_SHAPE[name]
    for key in every_name():
        if key not in shape.fields:
            told = advise(key, "1", shape.fields, is_root=is_root).mend
            meant = re.findall(r'^(?:Aquí se llama|¿Quiso decir|Escríbala exactamente así:) "(\w+)"', told)
            assert {*meant} <= {*shape.fields}, (key, told)


_KINDS = {
    "money": {"price", "amount", "discount_amount", "base_amount", "salary", "cash_rounding_amount", "discount_rate"},
    "tax": {"taxes", "rate", "tribute_code", "withholding_taxes", "is_excluded"},
    "name": {"name", "names", "company", "trade_name", "first_name", "first_surname"},
    "code": {"code", "code_reference", "standard_code", "identification", "dv", "document", "reference_code"},
}


@each_shape
def test_spelling_never_leads_from_one_kind_to_another(name: tuple[str, str]) -> None:
    """A wrong guess between money, tax, name and code changes what the document says, when it is followed."""
    shape, is_root = EVERY_SHAPE[name]
    kind_of = {key: kind for kind, keys in _KINDS.items() for key in keys}
    for key in every_name():
        if key not in shape.fields:
            told = advise(key, "1", shape.fields, is_root=is_root).mend
            close = re.match(r'¿Quiso decir "(\w+)"', told)
            if close and key in kind_of and close[1] in kind_of:
                assert kind_of[key] == kind_of[close[1]], (key, close[1])


@each_shape
def test_a_slip_of_the_pen_leads_home_or_nowhere(name: tuple[str, str]) -> None:
    """A letter doubled, dropped or exchanged: the key itself is meant, or nothing is said."""
    shape, is_root = EVERY_SHAPE[name]
    for key in shape.fields:
        for at in range(1, len(key) - 1):
            for slip in (key[:at] + key[at - 1] + key[at:], key[:at] + key[at + 1 :], _exchanged(key, at)):
                if slip not in shape.fields:
                    told = re.match(r'¿Quiso decir "(\w+)"', advise(slip, "1", shape.fields, is_root=is_root).mend)
                    assert told is None or told[1] == key, (slip, told)


def _exchanged(key: str, at: int) -> str:
    return key[:at] + key[at + 1] + key[at] + key[at + 2 :]


def every_name() -> list[str]:
    from schemas.payload import known_names

    rows = (*known_names._TABLE, *known_names._AT_ROOT)
    in_tables = {name for row in rows for name in row.names.split()} | known_names._COMPUTED
    return sorted(in_tables.union(*(shape.all_keys() for shape, _ in EVERY_SHAPE.values())))


@pytest.mark.parametrize("key", ["facturas", "invoices", "documents", "data"])
def test_documents_wrapped_in_an_object_are_told_to_be_unwrapped(key: str) -> None:
    told = [one.message for one in validate_document("invoice", {key: [a_bill(), a_bill()]}, today=TODAY).errors]

    assert any("lista de documentos" in one for one in told)


# -- version 1 ---------------------------------------------------------------------------------------------------------
V1_BILL = {
    "numbering_range_id": 4,
    "document": "01",
    "reference_code": "V1-1",
    "observation": "",
    "payment_form": "1",
    "payment_method_code": "10",
    "customer": {
        "identification": "1098765432",
        "company": "",
        "trade_name": "",
        "names": "Persona de Prueba",
        "address": "Calle 1",
        "email": "compras@empresa.example",
        "phone": "6010000000",
        "legal_organization_id": "2",
        "tribute_id": "21",
        "identification_document_id": 3,
        "municipality_id": "980",
    },
    "items": [
        {
            "code_reference": "A-1",
            "name": "Producto de prueba",
            "quantity": 1,
            "discount_rate": 20,
            "price": 50000,
            "tax_rate": "19.00",
            "unit_measure_id": 70,
            "standard_code_id": 1,
            "tribute_id": 1,
            "withholding_taxes": [{"code": "06", "withholding_tax_rate": "7.38"}],
        }
    ],
}
HEAD = "El documento está escrito para la versión 1 de Factus"


def faults(payload: dict[str, Any]) -> list[Any]:
    return [*validate_document("invoice", payload, today=TODAY).errors]


def test_a_document_of_version_1_is_called_so_first() -> None:
    head, *others = faults(V1_BILL)

    assert head.message.startswith(HEAD)
    assert (head.rule, head.field) == ("GEN-003", None)
    assert "sin impuestos" in head.message
    assert {one.rule for one in others} == {"GEN-003"}, "what stands there under its old name is not called missing"
    assert not any(one.message.startswith(HEAD) for one in others)


def test_its_codes_are_told_as_those_of_version_2() -> None:
    told = {one.field: one.message for one in faults(V1_BILL)}

    for field, code in {
        "customer.legal_organization_id": '"legal_organization_code": "2"',
        "customer.tribute_id": '"tribute_code": "ZZ"',
        "customer.identification_document_id": '"identification_document_code": "13"',
        "customer.municipality_id": '"municipality_code": "68679"',
        "items.0.unit_measure_id": '"unit_measure_code": "94"',
        "items.0.standard_code_id": '"standard_code": "999"',
        "items.0.tribute_id": '"taxes.0.code": "01"',
        "items.0.tax_rate": '"taxes.0.rate"',
        "items.0.withholding_taxes.0.withholding_tax_rate": '"rate"',
        "payment_form": '"payment_details.0.payment_form"',
    }.items():
        assert f"use {code}" in told[field]


@pytest.mark.parametrize(
    "value",
    [None, True, "", "0", 0, -1, "1094", 10**99, "9" * 5000, [1], {"id": 1}, "x", "٣"],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("key", ["unit_measure_id", "standard_code_id", "tribute_id"])
def test_an_id_that_is_none_gets_no_code(key: str, value: Any) -> None:
    (error,) = faults(changed(a_bill(), {f"items.0.{key}": value}))

    assert error.rule == "GEN-003"
    assert '": "' not in error.message.split("use ")[1]


def test_one_old_name_is_a_slip() -> None:
    assert not any(one.message.startswith(HEAD) for one in faults(changed(a_bill(), {"items.0.tax_rate": "19.00"})))
    twice = changed(a_bill(), {"items.0.tax_rate": "19.00", "items.0.unit_measure_id": 70})
    assert faults(twice)[0].message.startswith(HEAD)


@pytest.mark.parametrize(
    ("table", "first", "last"),
    [("municipalities", "91263", 1122), ("unit-measures", "", 1093)],
)
def test_every_position_of_a_table_is_a_code_of_it(table: str, first: str, last: int) -> None:
    from schemas.catalogs import tables

    assert all(version_1.code_of(table, n) in tables.codes(table) for n in range(1, last + 1))
    assert all(version_1.code_of(table, str(n)) == version_1.code_of(table, n) for n in range(1, last + 1))
    assert version_1.code_of(table, last + 1) == version_1.code_of(table, 0) == ""
    assert version_1.code_of(table, 1).startswith(first)


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("items.0.standard_code", "1", "999"),
        ("items.0.standard_code", 1, "999"),
        ("items.0.standard_code", "2", "001"),
        ("items.0.standard_code", "3", "020"),
        ("items.0.standard_code", "4", "010"),
        ("items.0.unit_measure_code", "70", "94"),
        ("items.0.unit_measure_code", 414, "KGM"),
        ("items.0.unit_measure_code", "874", "GLL"),
        ("items.0.taxes.0.code", "1", "01"),
        ("items.0.taxes.0.code", "4", "04"),
        ("customer.identification_document_code", "6", "31"),
        ("customer.identification_document_code", 3, "13"),
        ("customer.tribute_code", "21", "ZZ"),
        ("customer.tribute_code", "18", "01"),
        ("customer.municipality_code", "980", "68679"),
        ("customer.municipality_code", "5001", "05001"),
        ("customer.municipality_code", "68.679", None),
        ("payment_details.0.payment_method_code", 10, "10"),
        ("customer.identification_document_code", 31, "31"),
    ],
    ids=repr,
)
def test_a_code_of_version_1_is_told_as_the_one_it_was(path: str, value: object, code: str | None) -> None:
    """A lost zero is guessed only where version 1 had no such id: its standard 1 was one's own coding, not UNSPSC."""
    (error, *_) = faults(changed(a_bill(), {path: value}))

    assert error.field == path
    assert code is None or f'"{code}"' in error.message
    assert code == "001" or path != "items.0.standard_code" or '"001"' not in error.message


def test_a_discount_of_the_header_is_sent_to_the_lines() -> None:
    for changes in (
        {"discount": "1000"},
        {"descuento": "1000"},
        {"discount_amount": "1000"},
        {"allowance_charges": [_charge(concept_type="01", is_surcharge=False)]},
        {"allowance_charges": [_charge(is_surcharge=False)], "payment_details.0.amount": "81300"},
    ):
        assert any("repártalo en las líneas" in one.message for one in faults(changed(a_bill(), changes))), changes


def _charge(**fields: Any) -> dict[str, Any]:
    return {
        "concept_type": "03",
        "is_surcharge": True,
        "reason": "descuento",
        "base_amount": "20000",
        "amount": "2000",
        **fields,
    }
