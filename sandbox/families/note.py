"""Stored credit and debit notes as Factus shows them: one shape for both."""

from typing import Any

from sandbox.families.amounts import Amounts
from sandbox.families.response_parts import (
    money,
    party_row,
    shown_charge,
    shown_company,
    shown_customer,
    shown_items,
    shown_links,
    shown_payment,
    shown_period,
    shown_range,
    shown_taxes,
    shown_validation_with_list,
    shown_withheld,
)
from sandbox.state.company import Company
from sandbox.state.store import Document
from sandbox.values.catalogs import code_and_name
from sandbox.values.datetimes import latin_date_time


def show_credit_note(document: Document, company: Company) -> dict[str, Any]:
    return _show(document, company, "credit-note", "20")


def show_debit_note(document: Document, company: Company) -> dict[str, Any]:
    return _show(document, company, "debit-note", "30")


def _show(document: Document, company: Company, kind: str, about_a_bill: str) -> dict[str, Any]:
    sent, amounts = document.fields, document.amounts
    customization = sent.get("customization_id") or about_a_bill
    return {
        "reference_code": document.reference,
        "number": document.number,
        "payment_details": [shown_payment(payment) for payment in sent["payment_details"]],
        "correction_concept": code_and_name(f"{kind}-correction-concepts", sent["correction_concept_code"]),
        "customization": code_and_name(f"{kind}-operation-types", customization),
        **shown_validation_with_list(document),
        "observation": sent.get("observation") or None,
        "created_at": latin_date_time(document.created_at),
        "company": shown_company(company, sent.get("establishment")),
        "customer": shown_customer(document.party),
        "numbering_range": shown_range(document),
        "billing_period": shown_period(sent.get("billing_period")),
        "items": [{**item, "note": item["note"] or None} for item in shown_items(sent, amounts)],
        "allowance_charges": [shown_charge(charge) for charge in sent.get("allowance_charges") or ()],
        "taxes": shown_taxes(amounts),
        "withholding_taxes": shown_withheld(amounts),
        "totals": _totals(amounts),
        "cude": document.code,
        "related_bill": {"number": sent["bill_number"]} if sent.get("bill_number") else None,
        "links": shown_links(document),
    }


def show_note_row(document: Document) -> dict[str, Any]:
    """A row of either list; it lacks the CUDE and the links."""
    return {
        "api_client_name": "Halltec",
        "number": document.number,
        "reference_code": document.reference,
        "customer": party_row(shown_customer(document.party)),
        "total": money(document.total),
        "send_email": document.fields.get("send_email", True),
        **shown_validation_with_list(document),
        "created_at": latin_date_time(document.created_at),
    }


def _totals(amounts: Amounts) -> dict[str, str]:
    return {
        "gross_amount": money(amounts.gross),
        "taxable_amount": money(amounts.taxable),
        "tax_amount": money(amounts.tax),
        "discount_amount": money(amounts.allowances),
        "surcharge_amount": money(amounts.surcharges),
        "total": money(amounts.total),
    }
