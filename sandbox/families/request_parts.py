"""
Parts of requests that several families share: parties, payments, taxes and lines, and what binds their members.

Follows the schemas of both contracts under `facts`, with unknown keys dropped instead of refused.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from sandbox.families.amounts import Amounts, compute_amounts
from sandbox.values.fields import (
    Check,
    Errors,
    Field,
    amount,
    boolean,
    email,
    exchange_rate,
    from_catalog,
    iso_date,
    many,
    missing,
    one_of,
    optional,
    optional_container,
    optional_text,
    pattern,
    record,
    required,
    text,
    text_or_number,
)

RATE: Final = amount(high=Decimal(100))
POSITIVE: Final = amount(above=Decimal(0))
MUNICIPALITY: Final = from_catalog("municipalities")
IDENTITY: Final = from_catalog("identity-document-types")
_FINAL_CONSUMER: Final = {"2" * 11, "2" * 12}


def require(name: str, kept: dict[str, Any], prefix: str, errors: Errors) -> None:
    if not kept.get(name) and prefix + name not in errors:
        missing(prefix + name, errors)


def _credit_has_a_due_date(payment: dict[str, Any], prefix: str, errors: Errors) -> None:
    if payment.get("payment_form") == "2":
        require("due_date", payment, prefix, errors)


def _customer_is_named(customer: dict[str, Any], prefix: str, errors: Errors) -> None:
    organization = customer.get("legal_organization_code")
    if not organization and customer.get("identification") not in _FINAL_CONSUMER:
        require("legal_organization_code", customer, prefix, errors)
    if organization:
        require("company" if organization == "1" else "names", customer, prefix, errors)


def _provider_has_a_place(provider: dict[str, Any], prefix: str, errors: Errors) -> None:
    """Optional in the field table, and asked for by the API when the country is Colombia."""
    if provider.get("country_code") == "CO":
        require("municipality_code", provider, prefix, errors)


def period_runs_forward(period: dict[str, Any], prefix: str, errors: Errors) -> None:
    start, end = period.get("start_date"), period.get("end_date")
    if start and end and end < start:
        text = "El campo fecha de fin debe ser una fecha posterior a fecha de inicio."
        errors.setdefault(prefix + "end_date", []).append(text)


def _tax_is_complete(tax: dict[str, Any], prefix: str, errors: Errors) -> None:
    if not tax.get("is_excluded"):
        require("code", tax, prefix, errors)
        if "rate" not in tax and prefix + "rate" not in errors:
            missing(prefix + "rate", errors)


def _freight_has_a_quantity(extra: dict[str, Any], prefix: str, errors: Errors) -> None:
    if extra.get("code") == "03":
        require("quantity", extra, prefix, errors)
        require("unit_measure_code", extra, prefix, errors)


def only_iva_is_excluded(bill: dict[str, Any], prefix: str, errors: Errors) -> None:
    for item in bill.get("items") or ():
        for tax in item.get("taxes") or ():
            if tax.get("is_excluded") and tax.get("code", "01") != "01":
                errors["items"] = ["El impuesto excluido solo puede ser aplicado al IVA"]
                return


def with_amounts(shape: Check) -> Callable[[dict[str, Any], Errors], tuple[dict[str, Any], Amounts | None]]:
    """
    The check of a document with lines and payments: its shape, its arithmetic, and that the payments make it up.

    The amounts come with an error only where the payments are all that is wrong.
    """

    def check(body: dict[str, Any], errors: Errors) -> tuple[dict[str, Any], Amounts | None]:
        kept = shape(body, "", errors)
        if errors:
            return kept, None
        amounts = compute_amounts(kept)
        paid = sum((payment["amount"] for payment in kept["payment_details"]), Decimal(0))
        if paid != amounts.total + (kept.get("cash_rounding_amount") or 0):
            errors["payment_details"] = [
                f"La suma de los medios de pago no coincide con el total de la factura. Esperado: {amounts.total:.2f}"
            ]
        return kept, amounts

    return check


PAYMENT: Final = record(
    {
        "payment_form": required(one_of(("1", "2"), numbers_too=True)),
        "payment_method_code": required(from_catalog("payment-methods")),
        "reference_code": optional_text(),
        "amount": required(POSITIVE),
        "due_date": optional(iso_date),
    },
    _credit_has_a_due_date,
)
CUSTOMER: Final = record(
    {
        "identification_document_code": required(IDENTITY),
        "identification": required(text()),
        "dv": optional(pattern(r"\d")),
        "legal_organization_code": optional(from_catalog("legal-organizations")),
        "tribute_code": optional(from_catalog("customer-tributes")),
        "responsibilities": optional_container(many(from_catalog("fiscal-responsibilities"))),
        "company": optional_text(),
        "trade_name": optional_text(),
        "names": optional_text(),
        "address": optional_text(),
        "email": optional_text(),
        "phone": optional_text(),
        "country_code": optional(from_catalog("countries")),
        "municipality_code": optional(MUNICIPALITY),
    },
    _customer_is_named,
)
PROVIDER: Final = record(
    {
        "identification_document_code": required(from_catalog("support-document-identity-document-types")),
        "identification": required(text()),
        "dv": optional(pattern(r"\d")),
        "legal_organization_code": optional(from_catalog("legal-organizations")),
        "trade_name": optional_text(),
        "names": required(text()),
        "address": required(text()),
        "country_code": required(from_catalog("countries")),
        "municipality_code": optional(MUNICIPALITY),
        "email": optional(email),
        "phone": optional_text(),
    },
    _provider_has_a_place,
)
TAX: Final = record(
    {
        "code": optional(from_catalog("taxes")),
        "rate": optional(RATE),
        "is_excluded": optional(boolean),
    },
    _tax_is_complete,
)
WITHHOLDING: Final = record({"code": required(from_catalog("withholding-taxes")), "rate": required(RATE)})
MANDATE: Final = record({"identification_document_code": required(IDENTITY), "identification": required(text())})
CARGO: Final = record(
    {
        "code": required(from_catalog("transport-additional-properties")),
        "value": required(text_or_number),
        "quantity": optional(text_or_number),
        "unit_measure_code": optional(one_of(("KGM", "GLL", "414", "874"), numbers_too=True)),
    },
    _freight_has_a_quantity,
)
ALLOWANCE_CHARGE: Final = record(
    {
        "concept_type": required(one_of(("03",))),
        "is_surcharge": required(boolean),
        "reason": required(text()),
        "base_amount": required(amount()),
        "amount": required(amount()),
    }
)
ESTABLISHMENT: Final = record(
    {
        "name": required(text()),
        "address": required(text()),
        "phone_number": required(text()),
        "email": required(email),
        "municipality_code": required(MUNICIPALITY),
    }
)
CURRENCY: Final = record(
    {
        "type": required(from_catalog("currencies", without=("COP",))),
        "exchange_rate": required(exchange_rate()),
    }
)
ROUNDING: Final = amount(low=Decimal(-500), high=Decimal(500))
OBSERVATION: Final = optional_text(at_most=500)

# What every line of every family has; a family adds its own.
ITEM_FIELDS: Final[dict[str, Field]] = {
    "code_reference": required(text()),
    "name": required(text()),
    "quantity": required(POSITIVE),
    "discount_rate": optional(RATE),
    "price": required(amount()),
    "unit_measure_code": required(from_catalog("unit-measures")),
    "standard_code": required(from_catalog("product-standard-codes")),
    "taxes": required(many(TAX, at_least=1)),
    "withholding_taxes": optional_container(many(WITHHOLDING)),
}
