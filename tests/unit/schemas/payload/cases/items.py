"""Establishment, periods and lines: EST, ITM."""

from __future__ import annotations

from tests.builders import REMOVE
from tests.unit.schemas.payload.cases.case import BOUGHT, ESTABLISHMENT, INVOICE, PAID, PERIOD, WITHHOLDING, Case, W

ITEMS = [
    Case("EST-001", "establishment.address", {"establishment": {**ESTABLISHMENT, "address": " "}}),
    Case("EST-001", "establishment.name", {"establishment": ESTABLISHMENT, "establishment.name": REMOVE}),
    Case("EST-002", "establishment.email", {"establishment": {**ESTABLISHMENT, "email": "sede"}}),
    Case(
        "EST-003", "establishment.municipality_code", {"establishment": {**ESTABLISHMENT, "municipality_code": "5001"}}
    ),
    Case("EST-004", "billing_period.end_date", {"billing_period": PERIOD, "billing_period.end_date": REMOVE}),
    Case("EST-006", "billing_period.end_date", {"billing_period": {**PERIOD, "end_date": "2026-09-30"}}),
    Case("EST-007", "billing_period.end_date", {"billing_period": {**PERIOD, "end_date": "2026-10-01"}}, W),
    Case("ITM-001", "items", {"items": []}),
    Case("ITM-001", "items", {"items": REMOVE}),
    Case("ITM-001", "items", {"items": {"0": {}}}),
    Case("ITM-001", "items.1", {"items.1": "Producto B"}),
    Case("ITM-002", "items.0.name", {"items.0.name": " "}),
    Case("ITM-002", "items.0.code_reference", {"items.0.code_reference": ""}),
    Case("ITM-003", "items.0.quantity", {"items.0.quantity": "0"}),
    Case("ITM-004", "items.0.price", {"items.0.price": "-1.00"}, of=INVOICE + BOUGHT),
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
    Case("ITM-014", "items.0.taxes.0.is_excluded", {"items.0.taxes": [{"is_excluded": True, "code": "04"}]}, of=PAID),
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
    Case("EST-005", "billing_period.start_time", {"billing_period": PERIOD, "billing_period.start_time": REMOVE}),
    Case("ITM-023", "items.0.discount_amount", {"items.0.discount_amount": "500"}),
    Case("ITM-024", "items.0.discount_rate", {"items.0.discount_rate": REMOVE}),
]
