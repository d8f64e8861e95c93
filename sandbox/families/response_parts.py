"""Parts of answers that several families share: parties, payments, lines and taxes, as Factus shows them."""

from decimal import Decimal
from hashlib import sha1
from typing import Any, Final

from sandbox.families.amounts import Amounts, Line, TaxLine
from sandbox.state.company import Company
from sandbox.state.store import Document
from sandbox.values.catalogs import code_and_name, municipality, tribute, unit_of_cargo
from sandbox.values.check_digit import digit_of
from sandbox.values.datetimes import latin_date, latin_date_time

QR: Final = "https://catalogo-vpfe-hab.dian.gov.co/document/searchqr?documentkey="
_PUBLIC: Final = "https://app-sandbox.factus.com.co/documents/"
_TRANSPORT: Final = "12"


def money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def shown_period(period: dict[str, Any] | None) -> dict[str, Any] | None:
    if not period:
        return None
    return {
        "start_date": latin_date(period["start_date"]),
        "start_time": period.get("start_time"),
        "end_date": latin_date(period["end_date"]),
        "end_time": period.get("end_time"),
    }


def shown_payment(payment: dict[str, Any]) -> dict[str, Any]:
    due = payment.get("due_date")
    return {
        "payment_form": code_and_name("payment-forms", payment["payment_form"]),
        "payment_method": code_and_name("payment-methods", payment["payment_method_code"]),
        "reference_code": payment.get("reference_code"),
        "amount": money(payment["amount"]),
        "due_date": latin_date(due) if due else None,
    }


def shown_charge(charge: dict[str, Any]) -> dict[str, Any]:
    base, amount = charge["base_amount"], charge["amount"]
    return {
        "concept_type": code_and_name("allowance-charge-concepts", charge["concept_type"]),
        "is_surcharge": charge["is_surcharge"],
        "reason": charge["reason"],
        "base_amount": money(base),
        "percentage": money(amount * 100 / base) if base else "0.00",
        "amount": money(amount),
    }


def shown_company(company: Company, establishment: dict[str, Any] | None) -> dict[str, Any]:
    place = establishment or company.establishment
    return {
        "url_logo": company.url_logo,
        "nit": company.nit,
        "dv": company.dv,
        "economic_activity": company.economic_activity,
        "establishment": {
            "name": place["name"],
            "address": place["address"],
            "phone_number": place["phone_number"],
            "email": place["email"],
            "municipality": municipality(place["municipality_code"]),
        },
    }


def shown_customer(customer: dict[str, Any]) -> dict[str, Any]:
    organization = customer.get("legal_organization_code") or "2"
    is_company = organization == "1"
    is_nit = customer.get("identification_document_code") == "31"
    name = customer.get("company") if is_company else customer.get("names")
    place = customer.get("municipality_code")
    return {
        "identification_document": code_and_name(
            "identity-document-types", customer.get("identification_document_code", "13")
        ),
        "identification": customer.get("identification", ""),
        "dv": (customer.get("dv") or digit_of(customer["identification"])) if is_nit else None,
        "graphic_representation_name": name,
        "trade_name": customer.get("trade_name"),
        "company": name if is_company else None,
        "names": None if is_company else name,
        "address": customer.get("address", ""),
        "email": customer.get("email", ""),
        "phone": customer.get("phone", ""),
        "legal_organization": code_and_name("legal-organizations", organization),
        "tribute": code_and_name("customer-tributes", customer.get("tribute_code") or "ZZ"),
        "country": code_and_name("countries", customer.get("country_code") or "CO"),
        "municipality": municipality(place) if place else None,
    }


def shown_items(sent: dict[str, Any], amounts: Amounts) -> list[dict[str, Any]]:
    operation = sent.get("operation_type") or "10"
    schemes = "item-schemes-transport" if operation == _TRANSPORT else "item-schemes-mandates"
    return [_item(item, line, schemes) for item, line in zip(sent["items"], amounts.lines, strict=True)]


def _item(item: dict[str, Any], line: Line, schemes: str) -> dict[str, Any]:
    scheme = item.get("scheme_id")
    return {
        "scheme_id": code_and_name(schemes, scheme) if scheme else None,
        "collection_concept": item.get("collection_concept_code"),
        "note": item.get("note", ""),
        "mandate": _mandate(item.get("mandate")),
        "additional_properties": [_cargo(extra) for extra in item.get("additional_properties") or ()],
        "code_reference": item["code_reference"],
        "name": item["name"],
        "quantity": money(item["quantity"]),
        "unit_measure": code_and_name("unit-measures", item["unit_measure_code"]),
        "standard_code": code_and_name("product-standard-codes", item["standard_code"]),
        "discount_rate": money(line.discount_rate),
        "discount": money(line.discount),
        "gross_value": money(line.gross),
        "price": money(item["price"]),
        "total": money(line.base),
        "taxes": [_tax(tax) for tax in line.taxes],
        "withholding_taxes": _withholdings(line),
    }


def _mandate(mandate: dict[str, Any] | None) -> dict[str, Any] | None:
    if not mandate:
        return None
    code, identification = mandate["identification_document_code"], mandate["identification"]
    return {
        "identification_document": code_and_name("identity-document-types", code),
        "document": identification,
        "dv": digit_of(identification) if code == "31" else None,
    }


def _cargo(extra: dict[str, Any]) -> dict[str, Any]:
    unit = extra.get("unit_measure_code")
    return {
        **code_and_name("transport-additional-properties", extra["code"]),
        "value": str(extra["value"]),
        "quantity": extra.get("quantity"),
        "unit_measure": unit_of_cargo(unit) if unit else None,
    }


def _tax(tax: TaxLine) -> dict[str, Any]:
    rate = {"taxable_amount": money(tax.base), "tax_amount": money(tax.tax), "rate": money(tax.rate)}
    return {"tribute": tribute(tax.code), "is_excluded": tax.is_excluded, "rates": [rate]}


def _withholdings(line: Line) -> list[dict[str, Any]]:
    shown = []
    for withholding in line.withholdings:
        name = tribute(withholding.code, "withholding-taxes")
        shown.append(
            {
                "tribute_code": withholding.code,
                "name": name["name"],
                "value": money(withholding.withheld),
                "rates": [{**name, "rate": money(withholding.rate)}],
            }
        )
    return shown


def shown_taxes(amounts: Amounts) -> list[dict[str, Any]]:
    return [
        {
            "tribute": tribute(code),
            "is_excluded": is_excluded,
            "rates": [
                {"taxable_amount": money(base), "tax_amount": money(tax), "rate": money(rate)}
                for rate, (base, tax) in by_rate.items()
            ],
        }
        for (code, is_excluded), by_rate in amounts.taxes.items()
    ]


def shown_links(document: Document) -> dict[str, str]:
    """The public page has no hash while the document is not validated (seen in production)."""
    page = sha1(document.code.encode(), usedforsecurity=False).hexdigest() if document.is_validated else ""
    return {"qr": QR + document.code, "public_url": f"{_PUBLIC}{document.family}/{page}"}


def shown_withheld(amounts: Amounts) -> list[dict[str, str]]:
    """What is withheld of the whole document, by tribute."""
    return [
        {"tribute_code": code, "name": tribute(code, "withholding-taxes")["name"], "value": money(withheld)}
        for code, withheld in amounts.withheld.items()
    ]


def shown_range(document: Document) -> dict[str, Any]:
    numbering = document.numbering
    start, end = numbering.start, numbering.end
    return {
        "prefix": numbering.prefix,
        "from": numbering.first,
        "to": numbering.last,
        "resolution_number": numbering.resolution_number,
        "start_date": f"{start:%d-%m-%Y}",
        "end_date": f"{end:%d-%m-%Y}",
        "months": (end.year - start.year) * 12 + end.month - start.month,
    }


def shown_validation(document: Document) -> dict[str, Any]:
    """Whether and when DIAN validated it, with errors by rule as bills have them."""
    validated_at = document.validated_at
    return {
        "is_validated": document.is_validated,
        "validated_at": None if validated_at is None else latin_date_time(validated_at),
        "errors": document.errors,
    }


def shown_validation_with_list(document: Document) -> dict[str, Any]:
    """As shown_validation, with errors as the list that adjustment notes were printed with."""
    return {**shown_validation(document), "errors": list(document.errors.values())}


def party_row(whole: dict[str, Any]) -> dict[str, Any]:
    """A party as rows of lists show it."""
    left_out = ("graphic_representation_name", "tribute", "country")
    return {name: value for name, value in whole.items() if name not in left_out}
