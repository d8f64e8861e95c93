"""Payments, charges, currency and sums: SUM."""

from __future__ import annotations

from tests.builders import REMOVE
from tests.unit.schemas.payload.cases.case import PREPAYMENT, SURCHARGE, WITH_SURCHARGE, Case, E, W

PAYMENTS = [
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
    Case(
        "SUM-017",
        "items.0.price",
        {"items.0.price": "1.00", "items.1.price": "1.00", "payment_details.0.amount": "4.00"},
        W,
    ),
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
    Case("SUM-009", "payment_details", {"payment_details.0.amount": "83301.01"}),
    Case("SUM-009", "payment_details", {"payment_details.0.amount": "83299.99"}, W),
]
