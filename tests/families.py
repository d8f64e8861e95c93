"""
The seven families as a producer and Factus know them, in one table for all tests; and a valid payload of each.

Written down from the contract and Factus's reference, not from the rows of the service or of the sandbox: one
misreading would stand on both sides and cancel out.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.builders import a_bill

ALL_KINDS: Final = ("pdf", "xml", "attached")


@dataclass(frozen=True)
class Family:
    """
    One family of documents.

    Args:
        area: What Factus calls it in paths.
        example: The published request of its create that the sandbox's tests send.
        code: Key of DIAN's code in a result.
        kinds: The files it has.
        total: What the valid payload comes to; None where Factus tells no total.
        other: What makes the valid payload another document: dotted path and value.
        bad: What breaks a documented rule: dotted path and value, and the rule that is told.
        unknown: What only Factus can refuse: dotted path and value.
        about: Key of the document that it corrects or eliminates, and that one's family.
        range_id: The range from which the sandbox numbers it; None where a range is named by a key.
    """

    name: str
    area: str
    example: str
    code: str
    kinds: tuple[str, ...]
    total: str | None
    other: Mapping[str, Any]
    bad: tuple[str, Any, str]
    unknown: tuple[str, Any]
    about: tuple[str, str] | None = None
    range_id: int | None = None
    is_mailed: bool = False
    is_payroll: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> str:
        """Where its published examples are (``sandbox/facts/examples``)."""
        return "payroll" if self.is_payroll else self.area

    @property
    def create_path(self) -> str:
        return f"/v2/{self.area}" if self.is_payroll else f"/v2/{self.area}/validate"

    @property
    def delete_path(self) -> str:
        return "/v2/bills/destroy/reference" if self.area == "bills" else f"/v2/{self.area}/reference"


_SALE_TOTAL: Final = "83300.00"
_OTHER_SALE: Final = {"items.0.price": "20000.00", "payment_details.0.amount": "95200.00"}

_ROWS: Final = (
    Family(
        name="invoice",
        area="bills",
        example="bills/estandar.request.json",
        range_id=389,
        code="cufe",
        kinds=ALL_KINDS,
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("items.0.unit_measure_code", "metros", "ITM-005"),
        unknown=("numbering_range_id", 999_999),
        is_mailed=True,
    ),
    Family(
        name="credit_note",
        area="credit-notes",
        example="credit-notes/create.request.json",
        range_id=1776,
        code="cude",
        kinds=ALL_KINDS,
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("correction_concept_code", "9", "NOTE-001"),
        unknown=("bill_number", "SETP1"),
        about=("bill_number", "invoice"),
        is_mailed=True,
    ),
    Family(
        name="debit_note",
        area="debit-notes",
        example="debit-notes/derived-create-balanced.request.json",
        range_id=6,
        code="cude",
        kinds=ALL_KINDS,
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("correction_concept_code", "9", "NOTE-002"),
        unknown=("bill_number", "SETP1"),
        about=("bill_number", "invoice"),
        is_mailed=True,
    ),
    Family(
        name="support_document",
        area="support-documents",
        # Not the weekly one: its purchase lies in one certain week.
        example="adjustment-notes/create.request.json",
        range_id=2058,
        code="cuds",
        kinds=("pdf", "xml"),
        total=_SALE_TOTAL,
        other={"provider.identification": "900825759"},
        bad=("provider.dv", "9", "DS-003"),
        unknown=("numbering_range_id", 999_999),
    ),
    Family(
        name="adjustment_note",
        area="adjustment-notes",
        example="adjustment-notes/create.request.json",
        range_id=149,
        code="cuds",
        kinds=("pdf", "xml"),
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("correction_concept_code", "9", "DS-021"),
        unknown=("support_document_number", "SEDS1"),
        about=("support_document_number", "support_document"),
    ),
    Family(
        name="payroll",
        area="payrolls",
        example="payroll/create-monthly.request.json",
        code="cune",
        kinds=("pdf", "xml"),
        total="2825095.00",
        other={"worker.identification_number": "1234567891"},
        bad=("worker.contract_type", "99", "PAY-015"),
        unknown=("numbering_range_id", "01kpdv25zepw0vzn39th90h1zz"),
        is_payroll=True,
    ),
    Family(
        name="payroll_adjustment",
        area="adjustment-payrolls",
        example="payroll/adjustment-create.request.json",
        code="cune",
        kinds=("xml",),
        total=None,
        other={},
        bad=("payroll_number", "", "PAY-035"),
        unknown=("payroll_number", "NEF99999"),
        about=("payroll_number", "payroll"),
        is_payroll=True,
    ),
)

FAMILIES: Final[Mapping[str, Family]] = {row.name: row for row in _ROWS}


# -- payloads ----------------------------------------------------------------------------------------------------------
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

_PAYLOADS: Final[dict[str, dict[str, Any]]] = {
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


def a_document_payload(family: str, operation: str = "10") -> dict[str, Any]:
    """
    A valid payload without a single warning, to do with as one likes.

    Args:
        operation: Of bills: 10, 11, 12, SS-CUFE or SS-Recaudo.
    """
    return a_bill(operation) if family == "invoice" else copy.deepcopy(_PAYLOADS[family])
