"""Stored payrolls and their elimination notes as Factus shows them. Dates are ISO here, but for moments."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from sandbox.families.payroll_concepts import ACCRUALS, DEDUCTIONS, Concept
from sandbox.families.response_parts import QR, money, shown_validation_with_list
from sandbox.state.company import Company
from sandbox.state.store import Document
from sandbox.values.catalogs import code_and_name, municipality
from sandbox.values.datetimes import latin_date_time, latin_moment

_CATS: Final = {"code": "98", "name": "CATS"}


def show_payroll(document: Document, company: Company) -> dict[str, Any]:
    sent, amounts = document.fields, document.amounts
    prefix = document.numbering.prefix
    return {
        "reference_code": document.reference,
        "number": document.number,
        "observation": sent.get("observation") or None,
        "settlement_period": _settlement(sent["settlement_period"]),
        "payment": _payment(sent["payment"]),
        "numbering_range": {"prefix": prefix, "current": document.number.removeprefix(prefix)},
        "worker": _worker(sent["worker"], _days_of(sent["settlement_period"])[1]),
        "company": _company(company),
        "accruals": _concepts(sent["accruals"], ACCRUALS, "accrual_type_code"),
        "deductions": _concepts(sent["deductions"], DEDUCTIONS, "deduction_type_code"),
        "total_accruals": money(amounts.accruals),
        "total_deductions": money(amounts.deductions),
        "net_balance": money(amounts.total),
        **_ending(document),
        "related_documents": [_note(note) for note in document.notes_of("adjustment-payrolls")],
    }


def show_adjustment_payroll(document: Document, company: Company) -> dict[str, Any]:
    return {
        "number": document.number,
        "reference_code": document.reference,
        "company": _company(company),
        "payroll": _eliminated(document.related) if document.related else None,
        **_ending(document),
    }


def show_payroll_row(document: Document) -> dict[str, Any]:
    """A row of either list."""
    return {"number": document.number, "reference_code": document.reference, **_validation(document)}


def _ending(document: Document) -> dict[str, Any]:
    return {"cune": document.code, "qr": QR + document.code, **_validation(document)}


def _validation(document: Document) -> dict[str, Any]:
    shown = shown_validation_with_list(document)
    return {**shown, "errors": shown["errors"] or None, "created_at": latin_date_time(document.created_at)}


def _days_of(period: dict[str, Any]) -> tuple[date, date]:
    """First and last day of a month or of one of its halves."""
    year, month, half = period["year"], period["month"], period.get("pay_period_half")
    is_half = period["payroll_period_code"] == "4"
    first = 16 if is_half and half == 2 else 1
    last = 15 if is_half and half == 1 else monthrange(year, month)[1]
    return date(year, month, first), date(year, month, last)


def _settlement(period: dict[str, Any]) -> dict[str, Any]:
    start, end = _days_of(period)
    half = period.get("pay_period_half")
    return {
        "pay_period_half": None if half is None else str(half),
        "settlement_start_date": start.isoformat(),
        "settlement_end_date": end.isoformat(),
        "payroll_period": code_and_name("payroll-periods", period["payroll_period_code"]),
    }


def _payment(payment: dict[str, Any]) -> dict[str, Any]:
    method, account = payment["payment_method_code"], payment.get("account_type")
    return {
        "payment_method": _CATS if method == _CATS["code"] else code_and_name("payment-methods", method),
        "bank_name": payment.get("bank_name") or None,
        "account_type": code_and_name("payroll-account-types", account) if account else None,
        "account_number": payment.get("account_number") or None,
        "payment_date": payment["payment_date"],
    }


def worker_name(worker: dict[str, Any]) -> str:
    parts = (worker.get(name) for name in ("first_name", "other_names", "first_surname", "second_surname"))
    return " ".join(part for part in parts if part)


def _worker(worker: dict[str, Any], until: date) -> dict[str, Any]:
    return {
        "identification_document": code_and_name(
            "payroll-identity-document-types", worker["identification_document_code"]
        ),
        "identification_number": worker["identification_number"],
        "name": worker_name(worker),
        "address": worker["address"],
        "country": code_and_name("countries", worker["country_code"]),
        "municipality": _place(worker),
        "has_integral_salary": worker["has_integral_salary"],
        "has_high_risk": worker["has_high_risk"],
        "worker_subtype": code_and_name("payroll-worker-subtypes", worker["worker_subtype"]),
        "contract_type": code_and_name("payroll-contract-types", worker["contract_type"]),
        "worker_type": code_and_name("payroll-worker-types", worker["worker_type_code"]),
        "employee_code": worker.get("employee_code") or None,
        "entry_date": worker["entry_date"],
        "retirement_date": worker.get("retirement_date"),
        "days_worked": money(worker["days_worked"]),
        "worked_time": str(_time_worked(date.fromisoformat(worker["entry_date"]), until)),
        "salary": money(worker["salary"]),
    }


def _time_worked(entry: date, until: date) -> int:
    """Days of commercial years, of 360, both ends counted: the only reading that gives the number of the example."""
    years, months, days = until.year - entry.year, until.month - entry.month, until.day - entry.day
    return max(0, years * 360 + months * 30 + days + 1)


def _place(worker: dict[str, Any]) -> dict[str, str] | None:
    code = worker.get("municipality_code")
    return {"code": code, "name": municipality(code)["name"]} if code else None


def _company(company: Company) -> dict[str, Any]:
    place = company.establishment
    return {
        "url_logo": company.url_logo,
        "nit": company.nit,
        "dv": company.dv,
        "economic_activity": company.economic_activity,
        "name": place["name"],
        "address": place["address"],
        "phone_number": place["phone_number"],
        "email": place["email"],
        "municipality": municipality(place["municipality_code"]),
    }


def _concepts(sent: Mapping[str, Any], table: Mapping[str, Concept], type_name: str) -> dict[str, Any]:
    return {
        name: [_concept(entry, table[name], type_name) for entry in value]
        if isinstance(value, list)
        else _concept(value, table[name], type_name)
        for name, value in sent.items()
    }


def _concept(entry: dict[str, Any], concept: Concept, type_name: str) -> dict[str, Any]:
    code = str(entry.get(type_name) or "1")
    named = code_and_name(concept.types, code) if concept.types else {"code": code, "name": concept.label}
    shown: dict[str, Any] = dict(named)
    for name in ("description", "quantity", "percentage", "amount", "start_date", "end_date"):
        if name in entry:
            shown[name] = _member(name, entry[name])
    return shown


def _member(name: str, value: Any) -> str:
    if name in ("percentage", "amount"):
        return money(value)
    if name.endswith("_date") and " " in value:
        return latin_moment(datetime.fromisoformat(value))
    return str(value)


def _note(note: Document) -> dict[str, Any]:
    shown = {"reference_code": note.reference, "number": note.number, "validated_at": _validation(note)["validated_at"]}
    return {"adjustment_payroll": shown}


def _eliminated(payroll: Document) -> dict[str, Any]:
    worker = payroll.fields["worker"]
    return {
        "reference_code": payroll.reference,
        "number": payroll.number,
        "worker": {
            "name": worker_name(worker),
            "identification_number": worker["identification_number"],
            "municipality": _place(worker),
        },
        "cune": payroll.code,
    }
