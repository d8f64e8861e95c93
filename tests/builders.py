"""
Documents to test with: valid as they stand, and changed by dotted path.
"""

from __future__ import annotations

import copy
from datetime import date, datetime, timedelta
from typing import Any

from schemas.factus import BOGOTA


class _Remove:
    def __repr__(self) -> str:
        return "REMOVE"  # in the names of parametrised tests, which must be the same in every process


REMOVE: Any = _Remove()
"""As a change: take the key out."""

_BILL: dict[str, Any] = {
    "reference_code": "ERP-2026-000123",
    "document": "01",
    "numbering_range_id": 389,
    "operation_type": "10",
    "observation": "Factura de prueba",
    "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "83300.00"}],
    "cash_rounding_amount": "0.00",
    "customer": {
        "identification_document_code": "31",
        "identification": "900825759",
        "dv": "7",
        "company": "Empresa de Prueba SAS",
        "address": "Calle 1 # 1-1",
        "email": "compras@empresa.example",
        "phone": "6010000000",
        "legal_organization_code": "1",
        "tribute_code": "ZZ",
        "country_code": "CO",
        "municipality_code": "68679",
    },
    "items": [
        {
            "code_reference": "PROD-A",
            "name": "Producto A",
            "quantity": "1.00",
            "discount_rate": "0.00",
            "price": "10000.00",
            "unit_measure_code": "94",
            "standard_code": "999",
            "taxes": [{"code": "01", "rate": "19.00"}],
        },
        {
            "code_reference": "PROD-B",
            "name": "Producto B",
            "quantity": "3.00",
            "discount_rate": "0.00",
            "price": "20000.00",
            "unit_measure_code": "94",
            "standard_code": "999",
            "taxes": [{"code": "01", "rate": "19.00"}],
        },
    ],
}

_SECTOR_ITEM: dict[str, Any] = {**_BILL["items"][0], "taxes": [{"is_excluded": True}]}

_SECTORS: dict[str, dict[str, Any]] = {
    "11": {
        "items": [
            {
                **_BILL["items"][0],
                "scheme_id": "1",
                "mandate": {"identification_document_code": "13", "identification": "23434"},
            },
            {**_BILL["items"][1], "scheme_id": "0"},
        ]
    },
    "12": {
        "items": [
            {
                **_BILL["items"][0],
                "scheme_id": "1",
                "additional_properties": [
                    {"code": "01", "value": "13456"},
                    {"code": "02", "value": "REM0001"},
                    {"code": "03", "value": "250000", "quantity": "10", "unit_measure_code": "KGM"},
                ],
            },
            {**_BILL["items"][1], "scheme_id": "0"},
        ]
    },
    "SS-CUFE": {
        "items": [_SECTOR_ITEM],
        "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "10000.00"}],
        "billing_period": {
            "start_date": "2026-10-01",
            "start_time": "00:00:00",
            "end_date": "2026-10-31",
            "end_time": "23:59:59",
        },
        "health": {
            "provider_code": "1920304050",
            "payment_method_code": "04",
            "coverage_code": "10",
            "contract_number": "CONT1230",
        },
        "prepayment_details": [
            {"reference_code": "1", "received_date": "2026-10-01", "concept_code": "01", "amount": "5000.00"}
        ],
    },
    "SS-Recaudo": {
        "items": [{**_SECTOR_ITEM, "scheme_id": "0", "collection_concept_code": "PAC"}],
        "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "10000.00"}],
        "beneficiary": {"identification_document_code": "CC", "identification_number": "12345678"},
    },
}


def fiscal_day(days: int = 0) -> date:
    """Today where Factus dates documents, or so many days later: for five hours of each night UTC is a day ahead."""
    return datetime.now(BOGOTA).date() + timedelta(days=days)


def a_bill(operation_type: str = "10", total: str | None = None, **changes: Any) -> dict[str, Any]:
    """
    A valid bill of 83300.00 (10000.00 in health), changed.

    Args:
        operation_type: 10, 11, 12, SS-CUFE or SS-Recaudo: with what that type asks for.
        total: Make it one excluded line of this price, paid in cash.
        changes: Top-level keys to set, or to take out with REMOVE.
    """
    bill = copy.deepcopy({**_BILL, "operation_type": operation_type, **_SECTORS.get(operation_type, {})})
    if total is not None:
        bill["items"] = [{**copy.deepcopy(_SECTOR_ITEM), "price": total}]
        bill["payment_details"] = [{**bill["payment_details"][0], "amount": total}]
    bill.update(copy.deepcopy({key: value for key, value in changes.items() if value is not REMOVE}))
    for key in [key for key, value in changes.items() if value is REMOVE]:
        bill.pop(key, None)
    return bill


def changed(payload: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with values set (or taken out with REMOVE) at dotted paths: ``{"items.0.price": "1.00"}``."""
    found = copy.deepcopy(payload)
    for path, value in changes.items():
        *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        node: Any = found
        for step in above:
            node = node[step]
        if value is REMOVE:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(copy.deepcopy(value))
        else:
            node[last] = copy.deepcopy(value)
    return found


def an_envelope(payload: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A job as a producer pushes it, around a payload (a valid bill when not given)."""
    envelope = {"type": "invoice.issue", "payload": a_bill() if payload is None else payload, **fields}
    return {key: value for key, value in envelope.items() if value is not REMOVE}
