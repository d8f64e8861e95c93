"""
What a bill must look like before Factus stores it: the fields of `POST /v2/bills/validate` and what binds them.

Follows the schema BillCreate of `facts/openapi-bills.yaml`, with unknown keys dropped instead of refused, and the sums
that Factus checks beside it. What DIAN refuses later is not here.
"""

from decimal import Decimal
from typing import Any

from sandbox.bill_amounts import Amounts, compute_amounts
from sandbox.fields import (
    Check,
    Errors,
    amount,
    boolean,
    clock_time,
    email,
    exchange_rate,
    from_catalog,
    integer,
    invalid,
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

_RATE = amount(high=Decimal(100))
_POSITIVE = amount(above=Decimal(0))
_MUNICIPALITY = from_catalog("municipalities")
_IDENTITY = from_catalog("identity-document-types")
_NEEDS_SCHEME = {"11", "12", "SS-Recaudo"}
_NEEDS_MANDATE = {"11", "SS-Recaudo"}
_NEEDS_HEALTH = {"SS-CUFE", "SS-Reporte", "SS-SinAporte"}
_NEEDS_CONCEPT = {"SS-CUFE", "SS-Reporte"}
_FINAL_CONSUMER = {"2" * 11, "2" * 12}


def _require(name: str, kept: dict[str, Any], prefix: str, errors: Errors) -> None:
    if not kept.get(name) and prefix + name not in errors:
        missing(prefix + name, errors)


def _credit_has_a_due_date(payment: dict[str, Any], prefix: str, errors: Errors) -> None:
    if payment.get("payment_form") == "2":
        _require("due_date", payment, prefix, errors)


def _customer_is_named(customer: dict[str, Any], prefix: str, errors: Errors) -> None:
    organization = customer.get("legal_organization_code")
    if not organization and customer.get("identification") not in _FINAL_CONSUMER:
        _require("legal_organization_code", customer, prefix, errors)
    if organization:
        _require("company" if organization == "1" else "names", customer, prefix, errors)
    is_nit = customer.get("identification_document_code") == "31"
    if is_nit and not str(customer.get("identification", "0")).isdecimal():
        invalid(prefix + "identification", errors)


def _period_runs_forward(period: dict[str, Any], prefix: str, errors: Errors) -> None:
    start, end = period.get("start_date"), period.get("end_date")
    if start and end and end < start:
        text = "El campo fecha de fin debe ser una fecha posterior a fecha de inicio."
        errors.setdefault(prefix + "end_date", []).append(text)


def _beneficiary_has_a_number(beneficiary: dict[str, Any], prefix: str, errors: Errors) -> None:
    if beneficiary.get("identification_document_code") not in ("SI", "MS", "AS"):
        _require("identification_number", beneficiary, prefix, errors)


def _health_has_a_contract(health: dict[str, Any], prefix: str, errors: Errors) -> None:
    if not health.get("contract_number"):
        _require("without_contract_code", health, prefix, errors)


def _tax_is_complete(tax: dict[str, Any], prefix: str, errors: Errors) -> None:
    if not tax.get("is_excluded"):
        _require("code", tax, prefix, errors)
        if "rate" not in tax and prefix + "rate" not in errors:
            missing(prefix + "rate", errors)


def _freight_has_a_quantity(extra: dict[str, Any], prefix: str, errors: Errors) -> None:
    if extra.get("code") == "03":
        _require("quantity", extra, prefix, errors)
        _require("unit_measure_code", extra, prefix, errors)


_PAYMENT = record(
    {
        "payment_form": required(one_of(("1", "2"), numbers_too=True)),
        "payment_method_code": required(from_catalog("payment-methods")),
        "reference_code": optional_text(),
        "amount": required(_POSITIVE),
        "due_date": optional(iso_date),
    },
    _credit_has_a_due_date,
)
_PREPAYMENT = record(
    {
        "reference_code": required(text()),
        "received_date": required(iso_date),
        "concept_code": optional(from_catalog("health-prepayment-concepts")),
        "amount": required(amount()),
        "note": optional_text(at_most=5000),
    }
)
_CUSTOMER = record(
    {
        "identification_document_code": required(_IDENTITY),
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
        "municipality_code": optional(_MUNICIPALITY),
    },
    _customer_is_named,
)
_TAX = record(
    {
        "code": optional(from_catalog("taxes")),
        "rate": optional(_RATE),
        "is_excluded": optional(boolean),
    },
    _tax_is_complete,
)
_WITHHOLDING = record({"code": required(from_catalog("withholding-taxes")), "rate": required(_RATE)})
_MANDATE = record({"identification_document_code": required(_IDENTITY), "identification": required(text())})
_CARGO = record(
    {
        "code": required(from_catalog("transport-additional-properties")),
        "value": required(text_or_number),
        "quantity": optional(text_or_number),
        "unit_measure_code": optional(one_of(("KGM", "GLL", "414", "874"), numbers_too=True)),
    },
    _freight_has_a_quantity,
)
_ITEM = record(
    {
        "scheme_id": optional(one_of(("0", "1"), numbers_too=True)),
        "note": optional_text(),
        "collection_concept_code": optional(from_catalog("health-collection-concepts")),
        "code_reference": required(text()),
        "name": required(text()),
        "quantity": required(_POSITIVE),
        "discount_rate": optional(_RATE),
        "discount_amount": optional(amount()),
        "price": required(amount()),
        "unit_measure_code": required(from_catalog("unit-measures")),
        "standard_code": required(from_catalog("product-standard-codes")),
        "taxes": required(many(_TAX, at_least=1)),
        "withholding_taxes": optional_container(many(_WITHHOLDING)),
        "mandate": optional_container(_MANDATE),
        "additional_properties": optional_container(many(_CARGO)),
    }
)
_ALLOWANCE_CHARGE = record(
    {
        "concept_type": required(one_of(("03",))),
        "is_surcharge": required(boolean),
        "reason": required(text()),
        "base_amount": required(amount()),
        "amount": required(amount()),
    }
)
_ESTABLISHMENT = record(
    {
        "name": required(text()),
        "address": required(text()),
        "phone_number": required(text()),
        "email": required(email),
        "municipality_code": required(_MUNICIPALITY),
    }
)
_PERIOD = record(
    {
        "start_date": required(iso_date),
        "start_time": optional(clock_time),
        "end_date": required(iso_date),
        "end_time": optional(clock_time),
    },
    _period_runs_forward,
)
_BENEFICIARY = record(
    {
        "identification_document_code": required(from_catalog("health-identity-document-types")),
        "identification_number": optional_text(),
        "names": optional_text(),
        "surnames": optional_text(),
    },
    _beneficiary_has_a_number,
)
_HEALTH = record(
    {
        "provider_code": required(text()),
        "payment_method_code": required(from_catalog("health-payment-methods")),
        "coverage_code": required(from_catalog("health-coverage-plans")),
        "contract_number": optional_text(),
        "policy_number": optional_text(),
        "without_contract_code": optional(from_catalog("health-without-contract-reasons")),
    },
    _health_has_a_contract,
)


def _operation_has_its_parts(bill: dict[str, Any], prefix: str, errors: Errors) -> None:
    operation = bill.get("operation_type") or "10"
    if bill.get("document") == "03":
        _require("related_documents", bill, prefix, errors)
    if operation in _NEEDS_HEALTH:
        _require("health", bill, prefix, errors)
    if operation == "SS-Recaudo":
        _require("beneficiary", bill, prefix, errors)
    if operation in _NEEDS_CONCEPT:
        for index, prepayment in enumerate(bill.get("prepayment_details") or ()):
            _require("concept_code", prepayment, f"prepayment_details.{index}.", errors)
    if operation in _NEEDS_SCHEME:
        for index, item in enumerate(bill.get("items") or ()):
            _item_has_its_parts(operation, item, f"items.{index}.", errors)


def _item_has_its_parts(operation: str, item: dict[str, Any], prefix: str, errors: Errors) -> None:
    _require("scheme_id", item, prefix, errors)
    if operation == "SS-Recaudo":
        _require("collection_concept_code", item, prefix, errors)
    if item.get("scheme_id") == "1":
        _require("mandate" if operation in _NEEDS_MANDATE else "additional_properties", item, prefix, errors)


def _only_iva_is_excluded(bill: dict[str, Any], prefix: str, errors: Errors) -> None:
    for item in bill.get("items") or ():
        for tax in item.get("taxes") or ():
            if tax.get("is_excluded") and tax.get("code", "01") != "01":
                errors["items"] = ["El impuesto excluido solo puede ser aplicado al IVA"]
                return


_BILL = record(
    {
        "reference_code": required(text()),
        "created_time": optional(clock_time),
        "document": optional(from_catalog("document-types")),
        "numbering_range_id": optional(integer),
        "operation_type": optional(from_catalog("operation-types")),
        "currency": optional_container(
            record(
                {
                    "type": required(from_catalog("currencies", without=("COP",))),
                    "exchange_rate": required(exchange_rate()),
                }
            )
        ),
        "send_email": optional(boolean),
        "observation": optional_text(at_most=500),
        "prepayment_details": optional_container(many(_PREPAYMENT)),
        "payment_details": required(many(_PAYMENT, at_least=1)),
        "cash_rounding_amount": optional(amount(low=Decimal(-500), high=Decimal(500))),
        "establishment": optional_container(_ESTABLISHMENT),
        "billing_period": optional_container(_PERIOD),
        "order_reference": optional_container(
            record({"reference_code": required(text()), "issue_date": optional(iso_date)})
        ),
        "related_documents": optional_container(
            many(record({"code": required(text()), "issue_date": required(iso_date), "number": required(text())}))
        ),
        "beneficiary": optional_container(_BENEFICIARY),
        "health": optional_container(_HEALTH),
        "customer": required(_CUSTOMER),
        "items": required(many(_ITEM, at_least=1)),
        "allowance_charges": optional_container(many(_ALLOWANCE_CHARGE)),
    },
    _operation_has_its_parts,
    _only_iva_is_excluded,
)

SAMPLE_BILL: dict[str, Any] = {
    "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "11900.00"}],
    "customer": {
        "identification_document_code": "13",
        "identification": "222222222222",
        "names": "Consumidor Final",
        "legal_organization_code": "2",
    },
    "items": [
        {
            "code_reference": "AJENO",
            "name": "Producto de otro usuario",
            "quantity": "1.00",
            "price": "10000.00",
            "unit_measure_code": "94",
            "standard_code": "999",
            "taxes": [{"code": "01", "rate": "19.00"}],
        }
    ],
}

EMAIL_BODY: Check = record({"email": required(email), "pdf_base_64_encoded": optional_text()})
ACCEPTANCE_BODY: Check = record(
    {
        "identification_document_code": required(
            one_of(("11", "12", "13", "21", "22", "31", "41", "42", "47", "48", "50", "91"), numbers_too=True)
        ),
        "identification": required(text()),
        "dv": optional(pattern(r"\d")),
        "first_name": required(text()),
        "last_name": required(text()),
        "job_title": optional_text(),
        "organization_department": optional_text(),
    }
)


def check_bill(body: dict[str, Any], ranges: frozenset[int], errors: Errors) -> tuple[dict[str, Any], Amounts | None]:
    """
    What Factus keeps of a bill, and its amounts; the faults go to *errors*.

    Args:
        ranges: Ids of the account's active numbering ranges.

    Returns:
        The known fields, and the amounts, which are None when *errors* is not empty.
    """
    bill = _BILL(body, "", errors)
    if "numbering_range_id" in bill and bill["numbering_range_id"] not in ranges:
        errors["numbering_range_id"] = ["El campo id rango de numeración es inválido."]
    if errors:
        return bill, None
    amounts = compute_amounts(bill)
    paid = sum((payment["amount"] for payment in bill["payment_details"]), Decimal(0))
    if paid != amounts.total + (bill.get("cash_rounding_amount") or 0):
        errors["payment_details"] = [
            f"La suma de los medios de pago no coincide con el total de la factura. Esperado: {amounts.total:.2f}"
        ]
        return bill, None
    return bill, amounts
