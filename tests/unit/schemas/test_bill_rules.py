"""Every rule of a bill, one by one: the smallest change that breaks it, and what is then reported."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import pytest

from schemas.preflight import FAMILIES, preflight
from schemas.rules import Level
from schemas.rules_bill import NOT_CHECKED
from tests.builders import REMOVE, a_bill, changed

TODAY = date(2026, 11, 30)
CITIZEN = {
    "customer.identification_document_code": "13",
    "customer.identification": "1098765432",
    "customer.dv": REMOVE,
    "customer.company": REMOVE,
    "customer.names": "Persona de Prueba",
    "customer.legal_organization_code": "2",
}
UNNAMED_CITIZEN = {key: value for key, value in CITIZEN.items() if key != "customer.names"}
FINAL_CONSUMER = {**CITIZEN, "customer.identification": "222222222222", "customer.names": "Consumidor Final"}
ESTABLISHMENT = {
    "name": "Sede norte",
    "address": "Calle 2",
    "phone_number": "601",
    "email": "sede@empresa.example",
    "municipality_code": "05001",
}
SURCHARGE = {"concept_type": "03", "is_surcharge": True, "reason": "propina", "base_amount": "20000", "amount": "2000"}
WITH_SURCHARGE = {"allowance_charges": [SURCHARGE], "payment_details.0.amount": "85300"}
PREPAYMENT = {"reference_code": "A-1", "received_date": "2026-11-01", "amount": "3300"}
RELATED = {"code": "FAC-PAPEL", "issue_date": "2026-11-01", "number": "CONT120"}
WITHHOLDING = {"code": "05", "rate": "15.00"}
PERIOD = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
ITEM = "items.0."


class Case(NamedTuple):
    rule: str
    field: str | None
    changes: dict[str, Any]
    level: Level = Level.ERROR
    operation: str = "10"


E, W = Level.ERROR, Level.WARNING

CASES = [
    Case("GEN-002", "color", {"color": "azul"}),
    Case("GEN-002", "customer.phone_number", {"customer.phone_number": "601"}),
    Case("GEN-002", "items.0.taxes.0.base", {"items.0.taxes.0.base": "1"}),
    Case("GEN-003", "customer.municipality_id", {"customer.municipality_id": "980"}),
    Case("GEN-003", "customer.identification_document_id", {"customer.identification_document_id": "6"}),
    Case("GEN-003", "customer.legal_organization_id", {"customer.legal_organization_id": "1"}),
    Case("GEN-003", "customer.tribute_id", {"customer.tribute_id": "21"}),
    Case("GEN-003", "items.0.unit_measure_id", {"items.0.unit_measure_id": 70}),
    Case("GEN-003", "items.0.standard_code_id", {"items.0.standard_code_id": 1}),
    Case("GEN-003", "items.0.standard_id", {"items.0.standard_id": 1}),
    Case("GEN-003", "items.0.tax_rate", {"items.0.tax_rate": "19.00"}),
    Case("GEN-003", "items.0.withholding_tax_rate", {"items.0.withholding_tax_rate": "2"}),
    Case("GEN-003", "bill_id", {"bill_id": 1}),
    Case("GEN-003", "payment_form", {"payment_form": "1"}),
    Case("GEN-003", "payment_method_code", {"payment_method_code": "10"}),
    Case("GEN-003", "payment_due_date", {"payment_due_date": "2026-12-31"}),
    Case("GEN-004", "reference_code", {"reference_code": REMOVE}),
    Case("GEN-004", "customer", {"customer": REMOVE}),
    Case("GEN-004", "items.0.price", {"items.0.price": REMOVE}),
    Case("GEN-004", "items.0.price", {"items.0.price": None}),
    Case("GEN-005", "order_reference.reference_code", {"order_reference": {"reference_code": "  "}}),
    Case("GEN-006", "currency", {"currency": {}}),
    Case("GEN-006", "currency", {"currency": None}),
    Case("GEN-006", "customer.phone", {"customer.phone": None}),
    Case("GEN-006", "related_documents", {"related_documents": []}, W),
    Case("GEN-007", "items.0.price", {"items.0.price": "1,000.00"}),
    Case("GEN-007", "items.0.price", {"items.0.price": "1e4"}),
    Case("GEN-007", "items.0.price", {"items.0.price": "$10000"}),
    Case("GEN-007", "items.0.price", {"items.0.price": True}),
    Case("GEN-007", "items.0.price", {"items.0.price": ""}),
    Case("GEN-007", "items.0.price", {"items.0.price": ["10000"]}),
    Case("GEN-007", "items.0.price", {"items.0.price": "9" * 19}),
    Case("GEN-007", "cash_rounding_amount", {"cash_rounding_amount": "cero"}),
    Case("GEN-008", "items.0.quantity", {"items.0.quantity": "1.005"}),
    Case("GEN-009", "items.0.price", {"items.0.price": 10000}, W),
    Case("GEN-010", "customer.phone", {"customer.phone": 6010000000}),
    Case("GEN-011", "send_email", {"send_email": 1}),
    Case("GEN-011", "items.0.taxes.0.is_excluded", {"items.0.taxes.0.is_excluded": "false"}),
    Case("GEN-012", "payment_details.0.due_date", {"payment_details.0.due_date": "31-12-2026"}),
    Case("GEN-012", "payment_details.0.due_date", {"payment_details.0.due_date": "2026-02-30"}),
    Case("GEN-013", "billing_period.start_time", {"billing_period": {**PERIOD, "start_time": "24:00:00"}}),
    Case("GEN-014", "items.0.name", {"items.0.name": "Producto\x08A"}),
    Case("GEN-014", "observation", {"observation": "uno\x00dos"}),
    Case("GEN-014", "items.0.name", {"items.0.name": "Producto \ufffe"}),
    Case("GEN-014", "customer.address", {"customer.address": "\ud800"}),
    Case("GEN-015", "issue_date", {"issue_date": "2026-11-30"}),
    Case("GEN-016", "observation", {"observation": "x" * 501}),
    Case("GEN-017", "observation", {"observation": "x" * 251}, W),
    Case("GEN-018", "created_time", {"created_time": "5 pm"}),
    Case("GEN-019", "send_email", {"customer.email": REMOVE}, W),
    Case("REF-001", "reference_code", {"reference_code": ""}),
    Case("REF-001", "reference_code", {"reference_code": " A-1"}),
    Case("REF-001", "reference_code", {"reference_code": "A" * 101}),
    Case("REF-001", "reference_code", {"reference_code": "A\tB"}),
    Case("REF-001", "reference_code", {"reference_code": 123}),
    Case("REF-004", "reference_code", {"reference_code": "FV/2026/0001"}, W),
    Case("RNG-004", "numbering_range_id", {"numbering_range_id": "389"}),
    Case("RNG-004", "numbering_range_id", {"numbering_range_id": True}),
    Case("RNG-004", "numbering_range_id", {"numbering_range_id": 0}),
    Case("SUM-001", "payment_details", {"payment_details": []}),
    Case("SUM-001", "payment_details", {"payment_details": REMOVE}),
    Case("SUM-002", "payment_details.0.payment_form", {"payment_details.0.payment_form": "3"}),
    Case("SUM-002", "payment_details.0.payment_form", {"payment_details.0.payment_form": 3}),
    Case("SUM-003", "payment_details.0.payment_method_code", {"payment_details.0.payment_method_code": "98"}),
    Case("SUM-003", "payment_details.0.payment_method_code", {"payment_details.0.payment_method_code": 10}),
    Case("SUM-004", "payment_details.0.amount", {"payment_details.0.amount": "0.00"}),
    Case("SUM-004", "payment_details.0.amount", {"payment_details.0.amount": REMOVE}),
    Case("SUM-005", "payment_details.0.due_date", {"payment_details.0.payment_form": "2"}),
    Case("SUM-006", "payment_details.0.due_date", {"payment_details.0.due_date": "2026-11-29"}, W),
    Case("SUM-008", "payment_details", {"payment_details.0.amount": "83301.01"}),
    Case("SUM-008", "payment_details", {"payment_details.0.amount": "83301.00"}, W),
    Case("SUM-008", "payment_details", {"payment_details.0.amount": "83299.99"}, W),
    Case("SUM-010", "cash_rounding_amount", {"cash_rounding_amount": "500.01", "payment_details.0.amount": "83800.01"}),
    Case("SUM-011", "cash_rounding_amount", {"cash_rounding_amount": "14.81", "payment_details.0.amount": "83285.19"}),
    Case("SUM-011", "cash_rounding_amount", {"cash_rounding_amount": "0.50"}, W),
    Case("SUM-012", "payment_details", {"prepayment_details": [PREPAYMENT], "payment_details.0.amount": "80000.00"}),
    Case(
        "SUM-013",
        "payment_details",
        {"items.0.withholding_taxes": [{"code": "06", "rate": "4.00"}], "payment_details.0.amount": "82900.00"},
    ),
    Case("SUM-014", "allowance_charges", {"allowance_charges": [SURCHARGE]}),
    Case("SUM-015", "payment_details", {"payment_details.0.amount": "333300.00"}, E, "12"),
    Case("SUM-016", None, {"items.0.price": "0", "items.1.price": "0", "payment_details.0.amount": "0.01"}, W),
    Case("SUM-017", "items.0.price", {"payment_details.0.amount": "70000.00"}, W),
    Case("SUM-018", "allowance_charges.0.concept_type", {**WITH_SURCHARGE, "allowance_charges.0.concept_type": "01"}),
    Case("SUM-018", "allowance_charges.0.concept_type", {**WITH_SURCHARGE, "allowance_charges.0.concept_type": "99"}),
    Case(
        "SUM-019",
        "allowance_charges.0.is_surcharge",
        {**WITH_SURCHARGE, "allowance_charges.0.is_surcharge": False, "payment_details.0.amount": "81300"},
    ),
    Case("SUM-020", "allowance_charges.0.reason", {**WITH_SURCHARGE, "allowance_charges.0.reason": ""}),
    Case("SUM-020", "allowance_charges.0.base_amount", {**WITH_SURCHARGE, "allowance_charges.0.base_amount": "0"}),
    Case("SUM-020", "allowance_charges.0.amount", {**WITH_SURCHARGE, "allowance_charges.0.amount": REMOVE}),
    Case("SUM-021", "currency.type", {"currency": {"type": "COP", "exchange_rate": "1"}}),
    Case("SUM-021", "currency.type", {"currency": {"type": "USX", "exchange_rate": "3565.07"}}),
    Case("SUM-022", "currency.exchange_rate", {"currency": {"type": "USD", "exchange_rate": "0"}}),
    Case("SUM-022", "currency.exchange_rate", {"currency": {"type": "USD", "exchange_rate": "0.00028"}}, W),
    Case("CUS-001", "customer.identification_document_code", {"customer.identification_document_code": "99"}),
    Case("CUS-001", "customer.identification_document_code", {"customer.identification_document_code": 31}),
    Case("CUS-002", "customer.identification", {"customer.identification": ""}),
    Case("CUS-002", "customer.identification", {"customer.identification": 900825759}),
    Case("CUS-003", "customer.identification", {"customer.identification": "900.825.759-7"}),
    Case("CUS-004", "customer.identification", {"customer.identification": "9008257597", "customer.dv": REMOVE}, W),
    Case("CUS-004", "customer.identification", {"customer.identification": "12345", "customer.dv": REMOVE}, W),
    Case("CUS-005", "customer.identification", {**CITIZEN, "customer.identification": "AB123"}, W),
    Case("CUS-006", "customer.dv", {"customer.dv": "3"}),
    Case("CUS-006", "customer.dv", {"customer.dv": "77"}),
    Case("CUS-007", "customer.dv", {"customer.dv": REMOVE}, W),
    Case("CUS-008", "customer.dv", {**CITIZEN, "customer.dv": "7"}),
    Case("CUS-009", "customer.legal_organization_code", {"customer.legal_organization_code": REMOVE}),
    Case("CUS-009", "customer.legal_organization_code", {"customer.legal_organization_code": "3"}),
    Case(
        "CUS-009",
        "customer.legal_organization_code",
        {**FINAL_CONSUMER, "customer.legal_organization_code": REMOVE},
        W,
    ),
    Case("CUS-010", "customer.company", {"customer.company": REMOVE}),
    Case("CUS-010", "customer.company", {"customer.company": " "}),
    Case("CUS-011", "customer.names", UNNAMED_CITIZEN),
    Case("CUS-012", "customer.names", {"customer.names": "Persona"}, W),
    Case(
        "CUS-013",
        "customer.legal_organization_code",
        {**UNNAMED_CITIZEN, "customer.legal_organization_code": "1", "customer.company": "Empresa"},
        W,
    ),
    Case("CUS-014", "customer.tribute_code", {"customer.tribute_code": "04"}),
    Case("CUS-015", "customer.responsibilities.0", {"customer.responsibilities": ["0-13"]}),
    Case("CUS-015", "customer.responsibilities.1", {"customer.responsibilities": ["O-13", "O-13"]}),
    Case("CUS-015", "customer.responsibilities", {"customer.responsibilities": "O-13"}),
    Case("CUS-015", "customer.responsibilities.0", {"customer.responsibilities": [13]}),
    Case("CUS-016", "customer.responsibilities", {"customer.responsibilities": ["R-99-PN", "O-13"]}, W),
    Case("CUS-017", "customer.country_code", {"customer.country_code": "co"}),
    Case("CUS-018", "customer.municipality_code", {"customer.country_code": "US"}),
    Case("CUS-019", "customer.municipality_code", {"customer.municipality_code": "5001"}),
    Case("CUS-019", "customer.municipality_code", {"customer.municipality_code": ""}),
    Case("CUS-020", "customer.municipality_code", {"customer.municipality_code": REMOVE}, W),
    Case("CUS-020", "customer.address", {"customer.address": ""}, W),
    Case("CUS-021", "customer.email", {"customer.email": "compras.empresa.example"}),
    Case("CUS-021", "customer.email", {"customer.email": "a b@empresa.example"}),
    Case("CUS-021", "customer.email", {"customer.email": "compras@empresa"}, W),
    Case("CUS-021", "customer.email", {"customer.email": REMOVE, "send_email": False}, W),
    Case("CUS-022", "customer.identification", {**FINAL_CONSUMER, "customer.identification": "2" * 11}, W),
    Case(
        "CUS-022",
        "customer.identification_document_code",
        {**FINAL_CONSUMER, "customer.identification_document_code": "22"},
        W,
    ),
    Case(
        "CUS-022",
        "customer.legal_organization_code",
        {**FINAL_CONSUMER, "customer.legal_organization_code": "1", "customer.company": "Consumidor Final"},
        W,
    ),
    Case(
        "CUS-023",
        "payment_details.0.payment_form",
        {**FINAL_CONSUMER, "payment_details.0.payment_form": "2", "payment_details.0.due_date": "2026-12-31"},
        W,
    ),
    Case("EST-001", "establishment.address", {"establishment": {**ESTABLISHMENT, "address": " "}}),
    Case("EST-001", "establishment.name", {"establishment": ESTABLISHMENT, "establishment.name": REMOVE}),
    Case("EST-002", "establishment.email", {"establishment": {**ESTABLISHMENT, "email": "sede"}}),
    Case(
        "EST-003", "establishment.municipality_code", {"establishment": {**ESTABLISHMENT, "municipality_code": "5001"}}
    ),
    Case("EST-004", "billing_period.end_date", {"billing_period": {"start_date": "2026-10-01"}}),
    Case("EST-006", "billing_period.end_date", {"billing_period": {**PERIOD, "end_date": "2026-09-30"}}),
    Case("EST-007", "billing_period.end_date", {"billing_period": {**PERIOD, "end_date": "2026-10-01"}}, W),
    Case("ITM-001", "items", {"items": []}),
    Case("ITM-001", "items", {"items": REMOVE}),
    Case("ITM-001", "items", {"items": {"0": {}}}),
    Case("ITM-001", "items.1", {"items.1": "Producto B"}),
    Case("ITM-002", "items.0.name", {"items.0.name": " "}),
    Case("ITM-002", "items.0.code_reference", {"items.0.code_reference": ""}),
    Case("ITM-003", "items.0.quantity", {"items.0.quantity": "0"}),
    Case("ITM-004", "items.0.price", {"items.0.price": "-1.00"}),
    Case("ITM-004", "items.0.price", {"items.0.price": "0", "payment_details.0.amount": "71400"}, W),
    Case("ITM-005", "items.0.unit_measure_code", {"items.0.unit_measure_code": "unidad"}),
    Case("ITM-006", "items.0.unit_measure_code", {"items.0.unit_measure_code": "KGM"}, W),
    Case("ITM-007", "items.0.unit_measure_code", {"items.0.unit_measure_code": "70"}),
    Case("ITM-007", "items.0.unit_measure_code", {"items.0.unit_measure_code": "57"}, W),
    Case("ITM-008", "items.0.standard_code", {"items.0.standard_code": "1"}),
    Case("ITM-009", "items.0.code_reference", {"items.0.standard_code": "001"}, W),
    Case("ITM-010", "items.0.taxes", {"items.0.taxes": []}),
    Case("ITM-010", "items.0.taxes", {"items.0.taxes": REMOVE}),
    Case("ITM-011", "items.0.taxes.0.code", {"items.0.taxes.0.code": REMOVE}),
    Case("ITM-011", "items.0.taxes.0.code", {"items.0.taxes.0.code": "1"}),
    Case("ITM-012", "items.0.taxes.0.rate", {"items.0.taxes.0.rate": REMOVE}),
    Case("ITM-012", "items.0.taxes.0.rate", {"items.0.taxes.0.rate": "100.01"}),
    Case("ITM-013", "items.0.is_excluded", {"items.0.is_excluded": True}),
    Case("ITM-014", "items.0.taxes.0.is_excluded", {"items.0.taxes": [{"is_excluded": True, "code": "04"}]}),
    Case("ITM-015", "items.0.taxes.0.rate", {"items.0.taxes": [{"is_excluded": True, "code": "01", "rate": "19.00"}]}),
    Case("ITM-015", "items.0.taxes.0.code", {"items.0.taxes.1": {"is_excluded": True}}),
    Case("ITM-016", "items.0.taxes.1.code", {"items.0.taxes.1": {"code": "01", "rate": "19.00"}}),
    Case(
        "ITM-017",
        "items.0.taxes",
        {"items.0.taxes.1": {"code": "04", "rate": "8.00"}, "payment_details.0.amount": "84100"},
        W,
    ),
    Case("ITM-018", "items.0.taxes.0.rate", {"items.0.taxes.0.rate": "16.00", "payment_details.0.amount": "83000"}, W),
    Case("ITM-020", "items.0.discount_amount", {"items.0.discount_rate": "5.00", "items.0.discount_amount": "500"}),
    Case("ITM-021", "items.0.discount_amount", {"items.0.discount_amount": "10000.01"}),
    Case("ITM-021", "items.0.discount_amount", {"items.0.discount_amount": "-1"}),
    Case("ITM-022", "items.0.discount_rate", {"items.0.discount_rate": "100.01"}),
    Case("ITM-025", "items.0.withholding_taxes.0.code", {"items.0.withholding_taxes": [{**WITHHOLDING, "code": "99"}]}),
    Case(
        "ITM-025", "items.0.withholding_taxes.0.rate", {"items.0.withholding_taxes": [{**WITHHOLDING, "rate": "101"}]}
    ),
    Case("ITM-025", "items.0.withholding_taxes.1.code", {"items.0.withholding_taxes": [WITHHOLDING, WITHHOLDING]}),
    Case("ITM-025", "items.0.withholding_taxes.0.rate", {"items.0.withholding_taxes": [{"code": "05"}]}),
    Case(
        "ITM-026",
        "items.0.withholding_taxes.0.code",
        {
            "items.0.withholding_taxes": [WITHHOLDING],
            "items.0.taxes": [{"is_excluded": True}],
            "payment_details.0.amount": "81400",
        },
        W,
    ),
    Case("ITM-027", "items.0.withholding_taxes.0.code", {"items.0.withholding_taxes": [{**WITHHOLDING, "code": "07"}]}),
    Case("ITM-027", "items.0.taxes.0.code", {"items.0.taxes.0.code": "03"}),
    Case("ITM-029", "items.0.scheme_id", {"items.0.scheme_id": "0"}, W),
    Case("BILL-001", "document", {"document": "04"}),
    Case("BILL-002", "related_documents", {"document": "03"}),
    Case("GEN-005", "related_documents.0.number", {"related_documents": [{**RELATED, "number": ""}]}),
    Case(
        "BILL-003", "related_documents.0.number", {"related_documents": [RELATED], "related_documents.0.number": REMOVE}
    ),
    Case(
        "BILL-004",
        "related_documents.0.issue_date",
        {"related_documents": [{**RELATED, "issue_date": "2026-12-01"}]},
        W,
    ),
    Case("BILL-005", "operation_type", {"operation_type": "SS-CUDE"}),
    Case("BILL-005", "operation_type", {"operation_type": "ss-cufe"}),
    Case("BILL-006", "prepayment_details.0.amount", {"prepayment_details": [{**PREPAYMENT, "amount": "0"}]}),
    Case(
        "BILL-006",
        "prepayment_details.0.received_date",
        {"prepayment_details": [PREPAYMENT], "prepayment_details.0.received_date": REMOVE},
    ),
    Case("BILL-007", "prepayment_details.0.note", {"prepayment_details": [{**PREPAYMENT, "note": "x" * 5001}]}),
    Case(
        "BILL-008",
        "prepayment_details.0.received_date",
        {"prepayment_details": [{**PREPAYMENT, "received_date": "2026-12-01"}]},
        W,
    ),
    Case("BILL-009", "prepayment_details", {"prepayment_details": [{**PREPAYMENT, "amount": "83300.01"}]}, W),
    Case("BILL-010", "order_reference.reference_code", {"order_reference": {"issue_date": "2026-11-01"}}),
    Case(
        "BILL-010", "order_reference.issue_date", {"order_reference": {"reference_code": "O-1", "issue_date": "ayer"}}
    ),
    Case("OPT-001", "items.1.scheme_id", {"items.1.scheme_id": REMOVE}, E, "11"),
    Case("OPT-001", "items.1.scheme_id", {"items.1.scheme_id": "2"}, E, "12"),
    Case("OPT-001", "items.0.scheme_id", {"items.0.scheme_id": True}, E, "SS-Recaudo"),
    Case("OPT-002", "items.0.mandate", {"items.0.mandate": REMOVE}, E, "11"),
    Case("OPT-002", "items.0.mandate.identification", {"items.0.mandate.identification": REMOVE}, E, "11"),
    Case("OPT-003", "items.0.mandate.identification", {"items.0.mandate.identification": ""}, E, "11"),
    Case(
        "OPT-003",
        "items.0.mandate.identification",
        {"items.0.mandate": {"identification_document_code": "31", "identification": "900825759-7"}},
        E,
        "11",
    ),
    Case(
        "OPT-004",
        "items.1.mandate",
        {"items.1.mandate": {"identification_document_code": "13", "identification": "1"}},
        W,
        "11",
    ),
    Case("OPT-005", "items", {"items.0.scheme_id": "0", "items.0.mandate": REMOVE}, W, "11"),
    Case("OPT-006", "items.0.additional_properties", {"items.0.additional_properties": REMOVE}, E, "12"),
    Case(
        "OPT-007",
        "items.0.additional_properties.0.code",
        {"items.0.additional_properties.0.code": "04"},
        E,
        "12",
    ),
    Case(
        "OPT-007",
        "items.0.additional_properties.0.value",
        {"items.0.additional_properties.0.value": REMOVE},
        E,
        "12",
    ),
    Case("OPT-008", "items.0.additional_properties", {"items.0.additional_properties.1": REMOVE}, W, "12"),
    Case(
        "OPT-009",
        "items.0.additional_properties.2.quantity",
        {"items.0.additional_properties.2.quantity": REMOVE},
        E,
        "12",
    ),
    Case(
        "OPT-010",
        "items.0.additional_properties.2.unit_measure_code",
        {"items.0.additional_properties.2.unit_measure_code": "94"},
        E,
        "12",
    ),
    Case(
        "OPT-010",
        "items.0.additional_properties.2.unit_measure_code",
        {"items.0.additional_properties.2.unit_measure_code": "414"},
        W,
        "12",
    ),
    Case(
        "OPT-011",
        "items.0.additional_properties.2.value",
        {"items.0.additional_properties.2.value": "doscientos"},
        W,
        "12",
    ),
    Case("OPT-012", "health", {"health": REMOVE}, E, "SS-CUFE"),
    Case("OPT-013", "health.provider_code", {"health.provider_code": ""}, E, "SS-CUFE"),
    Case("OPT-013", "health.coverage_code", {"health.coverage_code": REMOVE}, E, "SS-CUFE"),
    Case("OPT-014", "health.payment_method_code", {"health.payment_method_code": "05"}, E, "SS-CUFE"),
    Case("OPT-015", "health.coverage_code", {"health.coverage_code": "18"}, E, "SS-CUFE"),
    Case("OPT-016", "health.without_contract_code", {"health.contract_number": ""}, E, "SS-CUFE"),
    Case("OPT-017", "health.without_contract_code", {"health.without_contract_code": "08"}, E, "SS-CUFE"),
    Case("OPT-018", "health.without_contract_code", {"health.without_contract_code": "07"}, W, "SS-CUFE"),
    Case("OPT-019", "health.policy_number", {"health.coverage_code": "04"}, E, "SS-CUFE"),
    Case("OPT-019", "health.policy_number", {"health.coverage_code": "05", "health.policy_number": ""}, E, "SS-CUFE"),
    Case("OPT-019", "health.policy_number", {"health.coverage_code": "12"}, W, "SS-CUFE"),
    Case("OPT-020", "prepayment_details.0.concept_code", {"prepayment_details.0.concept_code": REMOVE}, E, "SS-CUFE"),
    Case("OPT-020", "prepayment_details.0.concept_code", {"prepayment_details.0.concept_code": "06"}, E, "SS-CUFE"),
    Case(
        "OPT-021",
        "prepayment_details.0.concept_code",
        {"prepayment_details": [{**PREPAYMENT, "concept_code": "01"}]},
        W,
    ),
    Case("OPT-022", "billing_period", {"billing_period.end_time": REMOVE}, W, "SS-CUFE"),
    Case("OPT-023", "beneficiary", {"beneficiary": REMOVE}, E, "SS-Recaudo"),
    Case(
        "OPT-024",
        "beneficiary.identification_document_code",
        {"beneficiary.identification_document_code": "13"},
        E,
        "SS-Recaudo",
    ),
    Case("OPT-025", "beneficiary.identification_number", {"beneficiary.identification_number": ""}, E, "SS-Recaudo"),
    Case("OPT-026", "items.0.collection_concept_code", {"items.0.collection_concept_code": REMOVE}, E, "SS-Recaudo"),
    Case("OPT-026", "items.0.collection_concept_code", {"items.0.collection_concept_code": "XXX"}, E, "SS-Recaudo"),
    Case("OPT-027", "beneficiary", {"beneficiary": {"identification_document_code": "SI"}}, W),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rule} {case.field} {number}" for number, case in enumerate(CASES)])
def test_broken_rule_is_reported_where_it_is(case: Case) -> None:
    """Only that rule, at that place, at that level: a producer mends one thing at a time."""
    found = preflight("invoice", changed(a_bill(case.operation), case.changes), today=TODAY)
    at_level = found.errors if case.level is Level.ERROR else found.warnings

    assert (case.rule, case.field) in [(detail.rule, detail.field) for detail in at_level]
    if case.level is Level.ERROR:
        # A fault in an amount also shows in the total.
        assert {detail.rule for detail in found.errors} <= {case.rule, "SUM-008"}
        assert found.wire == found.fingerprint == found.total == found.party == ""
    elif case.rule != "SUM-017":
        assert found.errors == ()
        assert found.wire


@pytest.mark.parametrize("operation", ["10", "11", "12", "SS-CUFE", "SS-Recaudo"])
def test_valid_bill_has_neither_errors_nor_warnings(operation: str) -> None:
    found = preflight("invoice", a_bill(operation), today=TODAY)

    assert found.errors == ()
    assert found.warnings == ()


def test_every_rule_of_bills_is_exercised() -> None:
    """A rule without a case here is a rule that nobody has seen work."""
    with_payload_of_any_kind = {"GEN-001"}

    assert {rule.id for rule in FAMILIES["invoice"].rules} == {case.rule for case in CASES} | with_payload_of_any_kind


def test_every_published_rule_of_bills_is_checked_or_explained() -> None:
    """The rules of the reference by section, without those that are for other families only."""
    published = {
        f"{section}-{number:03}"
        for section, last in {
            "GEN": 19,
            "REF": 5,
            "RNG": 7,
            "SUM": 24,
            "CUS": 24,
            "EST": 7,
            "ITM": 29,
            "BILL": 11,
            "OPT": 27,
        }.items()
        for number in range(1, last + 1)
    }
    of_other_families = {"RNG-005", "SUM-009", "EST-005", "ITM-023", "ITM-024"}

    assert {rule.id for rule in FAMILIES["invoice"].rules} | set(NOT_CHECKED) == published - of_other_families


def test_levels_of_the_registry_are_the_ones_reported() -> None:
    """A rule that the registry calls an error is seen as one, and a warning never refuses."""
    for rule in FAMILIES["invoice"].rules:
        seen = {case.level for case in CASES if case.rule == rule.id}
        assert rule.level in seen or rule.id == "GEN-001"
        assert rule.level is Level.ERROR or Level.ERROR not in seen
