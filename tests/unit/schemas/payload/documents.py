"""A valid document of each family, without a single warning, to change by dotted path."""

from __future__ import annotations

import copy
from typing import Any, Final

from tests.builders import a_bill

_BILL: Final = a_bill()
_SALE: Final = {
    "numbering_range_id": 389,
    "observation": "Documento de prueba",
    "payment_details": _BILL["payment_details"],
    "items": _BILL["items"],
}
_CUSTOMER: Final = {**_BILL["customer"], "responsibilities": ["R-99-PN"]}
_PROVIDER: Final = {
    "identification_document_code": "31",
    "identification": "2343543",
    "dv": "7",
    "names": "Pepito Pérez",
    "address": "Calle 4",
    "country_code": "CO",
    "municipality_code": "68679",
    "email": "pepito@proveedor.example",
}

_DOCUMENTS: Final[dict[str, dict[str, Any]]] = {
    "credit_note": {
        "reference_code": "NC-2026-0015",
        "correction_concept_code": "2",
        "customization_id": "20",
        "bill_number": "SETP990002519",
        "customer": _CUSTOMER,
        **_SALE,
    },
    "debit_note": {
        "reference_code": "ND-2026-0617",
        "correction_concept_code": "4",
        "customization_id": "30",
        "bill_number": "SETP990001298",
        "customer": _CUSTOMER,
        "cash_rounding_amount": "0.00",
        **_SALE,
    },
    "support_document": {
        "reference_code": "DS-2026-0001",
        "provider": _PROVIDER,
        "cash_rounding_amount": "0.00",
        **_SALE,
    },
    "adjustment_note": {
        "reference_code": "NA-2026-0005",
        "support_document_number": "SEDS984000129",
        "correction_concept_code": "2",
        "provider": _PROVIDER,
        "cash_rounding_amount": "0.00",
        **_SALE,
    },
    "payroll": {
        "reference_code": "NO-2026-01234",
        "observation": "Nómina ordinaria mensual",
        "numbering_range_id": "01kpdv25zepw0vzn39th90h1a7",
        "settlement_period": {"month": "5", "year": "2026", "payroll_period_code": "5"},
        "payment": {
            "payment_method_code": "42",
            "bank_name": "Bancolombia",
            "account_type": "1",
            "account_number": "123456789",
            "payment_date": "2026-06-05",
        },
        "worker": {
            "identification_document_code": "13",
            "identification_number": "1234567890",
            "first_name": "Mateo",
            "first_surname": "Gonzales",
            "second_surname": "Forero",
            "address": "Carrera 100 # 39-100",
            "country_code": "CO",
            "municipality_code": "68679",
            "has_integral_salary": False,
            "has_high_risk": False,
            "worker_type_code": "01",
            "worker_subtype": "00",
            "contract_type": "1",
            "salary": "2800000.00",
            "entry_date": "2023-03-15",
            "days_worked": "30.00",
        },
        "accruals": {
            "suel": {"amount": "2800000.00"},
            "tra": [{"amount": "249095.00", "accrual_type_code": 1}],
        },
        "deductions": {
            "salu": {"percentage": "4.00", "amount": "112000.00"},
            "pens": {"percentage": "4.00", "amount": "112000.00"},
        },
    },
    "payroll_adjustment": {
        "reference_code": "NE-2026-0001",
        "payroll_number": "NEF110",
        "numbering_range_id": "01kpdv25zj3f7sd5sedemgbnx9",
    },
}


def a_document(family: str, operation: str = "10") -> dict[str, Any]:
    """
    A valid document, to do with as one likes.

    Args:
        operation: Of bills: 10, 11, 12, SS-CUFE or SS-Recaudo.
    """
    return a_bill(operation) if family == "invoice" else copy.deepcopy(_DOCUMENTS[family])
