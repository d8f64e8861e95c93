"""
What credit and debit notes must look like: `POST /v2/credit-notes/validate` and `POST /v2/debit-notes/validate`.

Follows CreditNoteRequest and DebitNoteRequest of `facts/openapi-other.yaml`. Whether the bill exists is looked up
later, where the documents are known.
"""

from typing import Any, Final

from sandbox.families.bill_fields import SAMPLE_BILL
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
    Check,
    Errors,
    Field,
    Rule,
    amount,
    boolean,
    clock_time,
    from_catalog,
    integer,
    iso_date,
    many,
    optional,
    optional_container,
    optional_text,
    record,
    required,
    text,
)

_PERIOD: Final = record(
    {
        "start_date": required(iso_date),
        "start_time": required(clock_time),
        "end_date": required(iso_date),
        "end_time": required(clock_time),
    },
    period_runs_forward,
)
_HEALTH: Final = record(
    {
        "provider_code": required(text()),
        "payment_method_code": required(from_catalog("health-payment-methods")),
        "coverage_code": required(from_catalog("health-coverage-plans")),
        "contract_number": required(text()),
        "policy_number": optional_text(),
    }
)


def _names_a_bill_or_a_period(without_bill: str) -> Rule:
    """A note is about a bill, or says which period it is about; then a bill number is of no account."""

    def rule(note: dict[str, Any], prefix: str, errors: Errors) -> None:
        if note.get("customization_id") != without_bill:
            require("bill_number", note, prefix, errors)
            return
        note.pop("bill_number", None)
        require("billing_period", note, prefix, errors)
        require("customer", note, prefix, errors)

    return rule


def _note(concepts: str, types: str, without_bill: str, own: dict[str, Field], items: dict[str, Field]) -> Check:
    return record(
        {
            "reference_code": required(text()),
            "correction_concept_code": required(from_catalog(concepts)),
            "customization_id": optional(from_catalog(types)),
            "bill_number": optional(text()),
            "numbering_range_id": optional(integer),
            "send_email": optional(boolean),
            "observation": OBSERVATION,
            "currency": optional_container(CURRENCY),
            "payment_details": required(many(PAYMENT, at_least=1)),
            "establishment": optional_container(ESTABLISHMENT),
            "billing_period": optional_container(_PERIOD),
            "customer": optional_container(CUSTOMER),
            "items": required(many(record(items), at_least=1)),
            "allowance_charges": optional_container(many(ALLOWANCE_CHARGE)),
            **own,
        },
        _names_a_bill_or_a_period(without_bill),
        only_iva_is_excluded,
    )


check_credit_note = with_amounts(
    _note(
        "credit-note-correction-concepts",
        "credit-note-operation-types",
        without_bill="22",
        own={"health": optional_container(_HEALTH)},
        items={
            **ITEM_FIELDS,
            "note": optional_text(),
            "discount_amount": optional(amount()),
            "additional_properties": optional_container(many(CARGO)),
        },
    )
)
check_debit_note = with_amounts(
    _note(
        "debit-note-correction-concepts",
        "debit-note-operation-types",
        without_bill="32",
        own={"created_time": optional(clock_time), "cash_rounding_amount": optional(ROUNDING)},
        items={**ITEM_FIELDS, "mandate": optional_container(MANDATE)},
    )
)

_WITHOUT_BILL: Final[dict[str, Any]] = {
    **SAMPLE_BILL,
    "correction_concept_code": "3",
    "billing_period": {
        "start_date": "2026-01-01",
        "start_time": "00:00:00",
        "end_date": "2026-01-31",
        "end_time": "23:59:59",
    },
}
SAMPLE_CREDIT_NOTE: Final = {**_WITHOUT_BILL, "customization_id": "22"}
SAMPLE_DEBIT_NOTE: Final = {**_WITHOUT_BILL, "customization_id": "32"}
