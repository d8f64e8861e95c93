"""Stored support documents and their adjustment notes as Factus shows them."""

from decimal import Decimal
from typing import Any, Final

from sandbox.families.response_parts import (
    QR,
    money,
    party_row,
    shown_company,
    shown_items,
    shown_payment,
    shown_range,
    shown_taxes,
    shown_validation_with_list,
    shown_withheld,
)
from sandbox.state.company import Company
from sandbox.state.store import Document
from sandbox.values.catalogs import code_and_name, municipality
from sandbox.values.check_digit import digit_of
from sandbox.values.datetimes import latin_date_time

_ITEM_LACKS: Final = ("scheme_id", "collection_concept", "note", "mandate", "additional_properties")


def show_support_document(document: Document, company: Company) -> dict[str, Any]:
    whole = _show(document, company)
    return {
        **whole,
        "provider": _provider(document.party),
        "numbering_range": shown_range(document),
        "totals": _totals(document),
        "adjustment_notes": [_summary(note) for note in document.notes_of("adjustment-notes")],
    }


def show_adjustment_note(document: Document, company: Company) -> dict[str, Any]:
    """As printed by Factus: the provider without a country, and `gross_value` of one unit."""
    whole, sent = _show(document, company), document.fields
    provider = _provider(document.party)
    del provider["country"]
    return {
        **whole,
        "correction_concept": code_and_name("adjustment-note-correction-concepts", sent["correction_concept_code"]),
        "provider": provider,
        "items": [{**item, "gross_value": item["price"]} for item in whole["items"]],
        "totals": _totals(document),
        "support_document": _summary(document.related)
        if document.related
        else {"number": sent["support_document_number"]},
    }


def show_provider_row(document: Document) -> dict[str, Any]:
    """A row of either list; it lacks the CUDS and the links."""
    return {
        "api_client_name": "Halltec",
        "number": document.number,
        "reference_code": document.reference,
        "provider": party_row(_provider(document.party)),
        "total": money(document.total),
        "send_email": False,
        **shown_validation_with_list(document),
        "created_at": latin_date_time(document.created_at),
    }


def _show(document: Document, company: Company) -> dict[str, Any]:
    sent, amounts = document.fields, document.amounts
    return {
        "reference_code": document.reference,
        "number": document.number,
        "payment_details": [shown_payment(payment) for payment in sent["payment_details"]],
        **shown_validation_with_list(document),
        "observation": sent.get("observation") or None,
        "created_at": latin_date_time(document.created_at),
        "company": shown_company(company, sent.get("establishment")),
        "items": [
            {name: value for name, value in item.items() if name not in _ITEM_LACKS}
            for item in shown_items(sent, amounts)
        ],
        "taxes": shown_taxes(amounts),
        "withholding_taxes": shown_withheld(amounts),
        "cuds": document.code,
        "links": {"qr": QR + document.code},
    }


def _provider(provider: dict[str, Any]) -> dict[str, Any]:
    code, identification, place = (
        provider["identification_document_code"],
        provider["identification"],
        provider.get("municipality_code"),
    )
    return {
        "identification_document": code_and_name("support-document-identity-document-types", code),
        "identification": identification,
        "dv": (provider.get("dv") or digit_of(identification)) if code == "31" else None,
        "graphic_representation_name": provider["names"],
        "trade_name": provider.get("trade_name") or None,
        "names": provider["names"],
        "address": provider["address"],
        "email": provider.get("email") or None,
        "phone": provider.get("phone") or None,
        "legal_organization": code_and_name("legal-organizations", provider.get("legal_organization_code") or "2"),
        "tribute": code_and_name("customer-tributes", "ZZ"),
        "country": code_and_name("countries", provider["country_code"]),
        "municipality": municipality(place) if place else None,
    }


def _totals(document: Document) -> dict[str, str]:
    amounts = document.amounts
    return {
        "gross_amount": money(sum((line.base for line in amounts.lines), Decimal(0))),
        "taxable_amount": money(amounts.taxable),
        "tax_amount": money(amounts.tax),
        "cash_rounding_amount": money(document.fields.get("cash_rounding_amount") or Decimal(0)),
        "total": money(amounts.total),
    }


def _summary(document: Document) -> dict[str, str]:
    return {"reference_code": document.reference, "number": document.number, "cuds": document.code}
