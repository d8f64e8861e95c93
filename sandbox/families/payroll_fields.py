"""
What payrolls and their elimination notes must look like: `POST /v2/payrolls` and `POST /v2/adjustment-payrolls`.

Follows PayrollRequest and AdjustmentPayrollRequest of `facts/openapi-other.yaml`. Numbers that the table calls
integers and the example sends as text are taken either way.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from sandbox.families.payroll_concepts import ACCRUALS, DEDUCTIONS, concepts, entries
from sandbox.families.request_parts import MUNICIPALITY, POSITIVE, require
from sandbox.values.fields import (
    Errors,
    amount,
    boolean,
    from_catalog,
    iso_date,
    optional,
    optional_text,
    record,
    required,
    text,
    text_or_integer,
    whole,
)

_WITH_ACCOUNT: Final = {"42", "47", "98"}
_CATS: Final = "98"
_payment_methods = from_catalog("payment-methods")


@dataclass(frozen=True, slots=True)
class PayrollAmounts:
    """What a payroll adds up to; *total* is the net balance. An elimination note has nothing but zeros."""

    accruals: Decimal = Decimal("0.00")
    deductions: Decimal = Decimal("0.00")

    @property
    def total(self) -> Decimal:
        return self.accruals - self.deductions


def _payment_method(value: Any, path: str, errors: Errors) -> str:
    """CATS, of Nequi and the like, is a method of payrolls only."""
    return _CATS if value == _CATS else str(_payment_methods(value, path, errors))


def _fortnight_has_a_half(period: dict[str, Any], prefix: str, errors: Errors) -> None:
    if period.get("payroll_period_code") == "4":
        require("pay_period_half", period, prefix, errors)


def _bank_has_an_account(payment: dict[str, Any], prefix: str, errors: Errors) -> None:
    if payment.get("payment_method_code") in _WITH_ACCOUNT:
        for name in ("bank_name", "account_type", "account_number"):
            require(name, payment, prefix, errors)


def _colombian_has_a_municipality(worker: dict[str, Any], prefix: str, errors: Errors) -> None:
    if worker.get("country_code") == "CO":
        require("municipality_code", worker, prefix, errors)


_SETTLEMENT: Final = record(
    {
        "month": required(whole(1, 12)),
        "year": required(whole(1900, 9999)),
        "payroll_period_code": required(from_catalog("payroll-periods")),
        "pay_period_half": optional(whole(1, 2)),
    },
    _fortnight_has_a_half,
)
_PAYMENT: Final = record(
    {
        "payment_method_code": required(_payment_method),
        "bank_name": optional_text(),
        "account_type": optional(from_catalog("payroll-account-types")),
        "account_number": optional_text(),
        "payment_date": required(iso_date),
    },
    _bank_has_an_account,
)
_WORKER: Final = record(
    {
        "identification_document_code": required(from_catalog("payroll-identity-document-types")),
        "identification_number": required(text()),
        "first_name": required(text()),
        "other_names": optional_text(),
        "first_surname": required(text()),
        "second_surname": required(text()),
        "address": required(text()),
        "country_code": required(from_catalog("countries")),
        "municipality_code": optional(MUNICIPALITY),
        "has_integral_salary": required(boolean),
        "has_high_risk": required(boolean),
        "worker_type_code": required(from_catalog("payroll-worker-types")),
        "worker_subtype": required(from_catalog("payroll-worker-subtypes")),
        "contract_type": required(from_catalog("payroll-contract-types")),
        "employee_code": optional_text(),
        "salary": required(POSITIVE),
        "entry_date": required(iso_date),
        "days_worked": required(amount()),
        "retirement_date": optional(iso_date),
    },
    _colombian_has_a_municipality,
)
_PAYROLL: Final = record(
    {
        "reference_code": required(text()),
        "observation": optional_text(),
        "numbering_range_id": optional(text_or_integer),
        "settlement_period": required(_SETTLEMENT),
        "payment": required(_PAYMENT),
        "worker": required(_WORKER),
        "accruals": required(concepts(ACCRUALS, "accrual_type_code")),
        "deductions": required(concepts(DEDUCTIONS, "deduction_type_code")),
    }
)
_ADJUSTMENT: Final = record(
    {
        "payroll_number": required(text()),
        "reference_code": required(text()),
        "numbering_range_id": optional(text_or_integer),
    }
)


def check_payroll(body: dict[str, Any], errors: Errors) -> tuple[dict[str, Any], PayrollAmounts | None]:
    kept = _PAYROLL(body, "", errors)
    if errors:
        return kept, None
    return kept, PayrollAmounts(_sum(kept["accruals"]), _sum(kept["deductions"]))


def check_adjustment_payroll(body: dict[str, Any], errors: Errors) -> tuple[dict[str, Any], PayrollAmounts | None]:
    kept = _ADJUSTMENT(body, "", errors)
    return kept, None if errors else PayrollAmounts()


def _sum(sent: dict[str, Any]) -> Decimal:
    return sum((entry.get("amount") or Decimal(0) for entry in entries(sent)), Decimal("0.00"))


SAMPLE_PAYROLL: Final[dict[str, Any]] = {
    "settlement_period": {"month": "1", "year": "2026", "payroll_period_code": "5"},
    "payment": {"payment_method_code": "10", "payment_date": "2026-01-31"},
    "worker": {
        "identification_document_code": "13",
        "identification_number": "1098000000",
        "first_name": "Trabajador",
        "first_surname": "De Otro",
        "second_surname": "Usuario",
        "address": "calle 4",
        "country_code": "CO",
        "municipality_code": "68679",
        "has_integral_salary": False,
        "has_high_risk": False,
        "worker_type_code": "01",
        "worker_subtype": "00",
        "contract_type": "1",
        "salary": "2000000.00",
        "entry_date": "2025-01-01",
        "days_worked": "30.00",
    },
    "accruals": {"suel": {"amount": "2000000.00"}},
    "deductions": {
        "salu": {"percentage": "4.00", "amount": "80000.00"},
        "pens": {"percentage": "4.00", "amount": "80000.00"},
    },
}
SAMPLE_ADJUSTMENT_PAYROLL: Final[dict[str, Any]] = {"payroll_number": "NEF0"}
