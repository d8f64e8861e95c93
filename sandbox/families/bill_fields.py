"""
What a bill must look like before Factus stores it: the fields of `POST /v2/bills/validate` and what binds them.

Follows the schema BillCreate of `facts/openapi-bills.yaml`, with unknown keys dropped instead of refused, and the sums
that Factus checks beside it. What DIAN refuses later is not here.
"""

from typing import Any, Final

from sandbox.families.request_parts import (
    ALLOWANCE_CHARGE,
    CARGO,
    CURRENCY,
    CUSTOMER,
    ESTABLISHMENT,
    ITEM_FIELDS,
    MANDATE,
    OBSERVATION,
    PAYMENT,
    ROUNDING,
    only_iva_is_excluded,
    period_runs_forward,
    require,
    with_amounts,
)
from sandbox.values.fields import (
    Errors,
    amount,
    boolean,
    clock_time,
    from_catalog,
    integer,
    iso_date,
    many,
    one_of,
    optional,
    optional_container,
    optional_text,
    record,
    required,
    text,
)

_NEEDS_SCHEME: Final = {"11", "12", "SS-Recaudo"}
_NEEDS_MANDATE: Final = {"11", "SS-Recaudo"}
_NEEDS_HEALTH: Final = {"SS-CUFE", "SS-Reporte", "SS-SinAporte"}
_NEEDS_CONCEPT: Final = {"SS-CUFE", "SS-Reporte"}


def _beneficiary_has_a_number(beneficiary: dict[str, Any], prefix: str, errors: Errors) -> None:
    if beneficiary.get("identification_document_code") not in ("SI", "MS", "AS"):
        require("identification_number", beneficiary, prefix, errors)


def _health_has_a_contract(health: dict[str, Any], prefix: str, errors: Errors) -> None:
    if not health.get("contract_number"):
        require("without_contract_code", health, prefix, errors)


_PREPAYMENT: Final = record(
    {
        "reference_code": required(text()),
        "received_date": required(iso_date),
        "concept_code": optional(from_catalog("health-prepayment-concepts")),
        "amount": required(amount()),
        "note": optional_text(at_most=5000),
    }
)
_ITEM: Final = record(
    {
        "scheme_id": optional(one_of(("0", "1"), numbers_too=True)),
        "note": optional_text(),
        "collection_concept_code": optional(from_catalog("health-collection-concepts")),
        **ITEM_FIELDS,
        "discount_amount": optional(amount()),
        "mandate": optional_container(MANDATE),
        "additional_properties": optional_container(many(CARGO)),
    }
)
_PERIOD: Final = record(
    {
        "start_date": required(iso_date),
        "start_time": optional(clock_time),
        "end_date": required(iso_date),
        "end_time": optional(clock_time),
    },
    period_runs_forward,
)
_BENEFICIARY: Final = record(
    {
        "identification_document_code": required(from_catalog("health-identity-document-types")),
        "identification_number": optional_text(),
        "names": optional_text(),
        "surnames": optional_text(),
    },
    _beneficiary_has_a_number,
)
_HEALTH: Final = record(
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
        require("related_documents", bill, prefix, errors)
    if operation in _NEEDS_HEALTH:
        require("health", bill, prefix, errors)
    if operation == "SS-Recaudo":
        require("beneficiary", bill, prefix, errors)
    if operation in _NEEDS_CONCEPT:
        for index, prepayment in enumerate(bill.get("prepayment_details") or ()):
            require("concept_code", prepayment, f"prepayment_details.{index}.", errors)
    if operation in _NEEDS_SCHEME:
        for index, item in enumerate(bill.get("items") or ()):
            _item_has_its_parts(operation, item, f"items.{index}.", errors)


def _item_has_its_parts(operation: str, item: dict[str, Any], prefix: str, errors: Errors) -> None:
    require("scheme_id", item, prefix, errors)
    if operation == "SS-Recaudo":
        require("collection_concept_code", item, prefix, errors)
    if item.get("scheme_id") == "1":
        require("mandate" if operation in _NEEDS_MANDATE else "additional_properties", item, prefix, errors)


_BILL: Final = record(
    {
        "reference_code": required(text()),
        "created_time": optional(clock_time),
        "document": optional(from_catalog("document-types")),
        "numbering_range_id": optional(integer),
        "operation_type": optional(from_catalog("operation-types")),
        "currency": optional_container(CURRENCY),
        "send_email": optional(boolean),
        "observation": OBSERVATION,
        "prepayment_details": optional_container(many(_PREPAYMENT)),
        "payment_details": required(many(PAYMENT, at_least=1)),
        "cash_rounding_amount": optional(ROUNDING),
        "establishment": optional_container(ESTABLISHMENT),
        "billing_period": optional_container(_PERIOD),
        "order_reference": optional_container(
            record({"reference_code": required(text()), "issue_date": optional(iso_date)})
        ),
        "related_documents": optional_container(
            many(record({"code": required(text()), "issue_date": required(iso_date), "number": required(text())}))
        ),
        "beneficiary": optional_container(_BENEFICIARY),
        "health": optional_container(_HEALTH),
        "customer": required(CUSTOMER),
        "items": required(many(_ITEM, at_least=1)),
        "allowance_charges": optional_container(many(ALLOWANCE_CHARGE)),
    },
    _operation_has_its_parts,
    only_iva_is_excluded,
)

check_bill = with_amounts(_BILL)

SAMPLE_BILL: Final[dict[str, Any]] = {
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
