"""Credit and debit notes: NOTE."""

from __future__ import annotations

from tests.builders import REMOVE
from tests.unit.schemas.payload.cases.case import CREDIT, DEBIT, HEALTH, PERIOD, Case, W

CREDIT_ALONE = {
    "correction_concept_code": "3",
    "customization_id": "22",
    "bill_number": REMOVE,
    "billing_period": PERIOD,
}
DEBIT_ALONE = {**CREDIT_ALONE, "customization_id": "32"}
MANDATE = {"identification_document_code": "13", "identification": "23434"}

NOTES = [
    Case("NOTE-001", "correction_concept_code", {"correction_concept_code": "7"}),
    Case("NOTE-002", "correction_concept_code", {"correction_concept_code": "5"}),
    Case("NOTE-003", "customization_id", {"customization_id": "30"}),
    Case("NOTE-004", "customization_id", {"customization_id": "20"}),
    Case("NOTE-005", "bill_number", {"bill_number": REMOVE}),
    Case("NOTE-005", "bill_number", {"bill_number": REMOVE, "customization_id": REMOVE}),
    Case("NOTE-006", "bill_number", {**CREDIT_ALONE, "bill_number": "SETP1"}, W, of=CREDIT),
    Case("NOTE-006", "bill_number", {**DEBIT_ALONE, "bill_number": "SETP1"}, W, of=DEBIT),
    Case("NOTE-007", "bill_number", {"bill_number": "ab" * 48}),
    Case("NOTE-007", "bill_number", {"bill_number": " "}),
    Case("NOTE-007", "bill_number", {"bill_number": 990002519}),
    Case("NOTE-007", "bill_number", {"bill_number": "SETP-990002519"}, W),
    Case(
        "NOTE-009",
        "billing_period",
        {key: CREDIT_ALONE[key] for key in CREDIT_ALONE if key != "billing_period"},
        of=CREDIT,
    ),
    Case(
        "NOTE-009",
        "billing_period",
        {key: DEBIT_ALONE[key] for key in DEBIT_ALONE if key != "billing_period"},
        of=DEBIT,
    ),
    Case("NOTE-010", "customer", {**CREDIT_ALONE, "customer": REMOVE}, of=CREDIT),
    Case("NOTE-010", "customer", {**DEBIT_ALONE, "customer": REMOVE}, of=DEBIT),
    Case("NOTE-011", "customer", {"customer": REMOVE}, W),
    Case("NOTE-011", "customer.responsibilities", {"customer.responsibilities": REMOVE}, W),
    Case("NOTE-013", "correction_concept_code", {**CREDIT_ALONE, "correction_concept_code": "2"}),
    *(
        Case("NOTE-017", key, {key: value})
        for key, value in {
            "created_time": "12:00:00",
            "cash_rounding_amount": "0.00",
            "document": "01",
            "operation_type": "10",
            "prepayment_details": [],
            "order_reference": {"reference_code": "O-1"},
            "related_documents": [],
            "beneficiary": {"identification_document_code": "SI"},
            "items.0.scheme_id": "0",
            "items.0.mandate": MANDATE,
            "items.0.collection_concept_code": "COP",
        }.items()
    ),
    *(
        Case("NOTE-018", key, {key: value})
        for key, value in {
            "document": "01",
            "operation_type": "10",
            "prepayment_details": [],
            "order_reference": {"reference_code": "O-1"},
            "related_documents": [],
            "beneficiary": {"identification_document_code": "SI"},
            "health": HEALTH,
            "items.0.scheme_id": "0",
            "items.0.note": "nota",
            "items.0.additional_properties": [],
            "items.0.collection_concept_code": "COP",
        }.items()
    ),
    Case("NOTE-020", "health.contract_number", {"health": HEALTH, "health.contract_number": REMOVE}),
    Case("NOTE-020", "health.provider_code", {"health": {**HEALTH, "provider_code": " "}}),
    Case("NOTE-020", "health.without_contract_code", {"health": {**HEALTH, "without_contract_code": "01"}}),
    Case("NOTE-021", "items.0.mandate.identification", {"items.0.mandate": {"identification_document_code": "13"}}),
    Case("NOTE-021", "items.0.mandate", {"items.0.mandate": "23434"}),
    Case(
        "NOTE-022",
        "items.0.additional_properties.0.value",
        {"items.0.additional_properties": [{"code": "01"}]},
    ),
    Case(
        "NOTE-022",
        "items.0.additional_properties.0.code",
        {"items.0.additional_properties": [{"code": "04", "value": "1"}]},
    ),
    Case("NOTE-024", "items.0.price", {"items.0.price": "-1.00"}),
]
