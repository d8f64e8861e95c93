"""A stored bill as Factus shows it: the whole document, and the row of the list."""

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
    shown_validation,
    shown_withheld,
)
from sandbox.state.company import Company
from sandbox.state.radian import ACCEPTANCES, CLAIM, codes_of
from sandbox.state.store import Document
from sandbox.values.catalogs import code_and_name
from sandbox.values.datetimes import latin_date_time


def show_bill(document: Document, company: Company) -> dict[str, Any]:
    """The member `data` of a create and of a single read. Shared parts come from the catalogs: do not change it."""
    sent, amounts = document.fields, document.amounts
    order = sent.get("order_reference")
    return {
        "reference_code": document.reference,
        "number": document.number,
        "order_reference": order["reference_code"] if order else None,
        **_flags(document),
        "observation": sent.get("observation") or None,
        "created_at": latin_date_time(document.created_at),
        "cufe": document.code,
        "document_type": code_and_name("document-types", sent.get("document") or "01"),
        "operation_type": code_and_name("operation-types", sent.get("operation_type") or "10"),
        "billing_period": shown_period(sent.get("billing_period")),
        "payment_details": [shown_payment(payment) for payment in sent["payment_details"]],
        "numbering_range": shown_range(document),
        "health": sent.get("health"),
        "beneficiary": sent.get("beneficiary"),
        "company": shown_company(company, sent.get("establishment")),
        "customer": shown_customer(document.party),
        "items": shown_items(sent, amounts),
        "prepayment_details": [_prepayment(prepayment) for prepayment in sent.get("prepayment_details") or ()],
        "allowance_charges": [shown_charge(charge) for charge in sent.get("allowance_charges") or ()],
        "taxes": shown_taxes(amounts),
        "withholding_taxes": shown_withheld(amounts),
        "totals": _totals(amounts),
        "related_documents": sent.get("related_documents") or [],
        "related_notes": {
            "credit_notes": _notes(document, "credit-notes"),
            "debit_notes": _notes(document, "debit-notes"),
        },
        "links": shown_links(document),
    }


def show_bill_row(document: Document) -> dict[str, Any]:
    """A row of the list; it lacks the CUFE and the links."""
    return {
        "api_client_name": "Halltec",
        "number": document.number,
        "reference_code": document.reference,
        "customer": party_row(shown_customer(document.party)),
        **_flags(document),
        "created_at": latin_date_time(document.created_at),
        "total": money(document.total),
    }


def _flags(document: Document) -> dict[str, Any]:
    codes = codes_of(document.events)
    return {
        "send_email": document.fields.get("send_email", True),
        "has_claim": CLAIM in codes,
        "is_negotiable_instrument": bool(codes & ACCEPTANCES),
        **shown_validation(document),
    }


def _prepayment(prepayment: dict[str, Any]) -> dict[str, Any]:
    return {**prepayment, "amount": money(prepayment["amount"])}


def _totals(amounts: Amounts) -> dict[str, str]:
    return {
        "prepayment_amount": money(amounts.prepaid),
        "gross_amount": money(amounts.gross),
        "taxable_amount": money(amounts.taxable),
        "tax_amount": money(amounts.tax),
        "surcharge_amount": money(amounts.surcharges),
        "total": money(amounts.total),
    }


def _notes(document: Document, family: str) -> list[dict[str, str]]:
    """Nobody has printed a row of these for v2; v1 has `id` and `number`, and v2 knows no ids."""
    return [{"number": note.number, "reference_code": note.reference} for note in document.notes_of(family)]
