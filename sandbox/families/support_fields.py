"""
What support documents and their adjustment notes must look like.

Follows SupportDocumentRequest and AdjustmentNoteRequest of `facts/openapi-other.yaml`. How far back a weekly purchase
may lie depends on today and is checked where the clock is known.
"""

from datetime import date, timedelta
from typing import Any, Final

from sandbox.families.request_parts import (
    ESTABLISHMENT,
    ITEM_FIELDS,
    OBSERVATION,
    PAYMENT,
    PROVIDER,
    RATE,
    ROUNDING,
    require,
    with_amounts,
)
from sandbox.values.fields import (
    Errors,
    Field,
    clock_time,
    from_catalog,
    integer,
    invalid,
    iso_date,
    many,
    one_of,
    optional,
    optional_container,
    record,
    required,
    text,
)


def _weekly_has_a_start(period: dict[str, Any], prefix: str, errors: Errors) -> None:
    if period.get("generation_mode") == "2":
        require("start_date", period, prefix, errors)


def _only_iva(sent: dict[str, Any], prefix: str, errors: Errors) -> None:
    for index, item in enumerate(sent.get("items") or ()):
        for place, tax in enumerate(item.get("taxes") or ()):
            if tax.get("code", "01") not in ("01", ""):
                invalid(f"{prefix}items.{index}.taxes.{place}.code", errors)


_PERIOD: Final = record(
    {"generation_mode": required(one_of(("1", "2"))), "start_date": optional(iso_date)},
    _weekly_has_a_start,
)
_ITEM_FIELDS: Final[dict[str, Field]] = {**ITEM_FIELDS, "discount_rate": required(RATE)}
_SHARED: Final[dict[str, Field]] = {
    "reference_code": required(text()),
    "numbering_range_id": optional(integer),
    "created_time": optional(clock_time),
    "observation": OBSERVATION,
    "payment_details": required(many(PAYMENT, at_least=1)),
    "cash_rounding_amount": optional(ROUNDING),
    "provider": required(PROVIDER),
}

_MOST_DAYS_BACK: Final = timedelta(days=6)


def check_purchase_days(sent: dict[str, Any], today: date, errors: Errors) -> None:
    """What was bought in a week is reported within it."""
    for index, item in enumerate(sent.get("items") or ()):
        period = item.get("period") or {}
        start = period.get("start_date")
        if period.get("generation_mode") != "2" or not start:
            continue
        if not today - _MOST_DAYS_BACK <= date.fromisoformat(start) <= today:
            invalid(f"items.{index}.period.start_date", errors)


check_support_document = with_amounts(
    record(
        {
            **_SHARED,
            "establishment": optional_container(ESTABLISHMENT),
            "items": required(many(record({**_ITEM_FIELDS, "period": optional_container(_PERIOD)}), at_least=1)),
        },
        _only_iva,
    )
)
check_adjustment_note = with_amounts(
    record(
        {
            **_SHARED,
            "support_document_number": required(text()),
            "correction_concept_code": required(from_catalog("adjustment-note-correction-concepts")),
            "items": required(many(record(_ITEM_FIELDS), at_least=1)),
        },
        _only_iva,
    )
)

SAMPLE_SUPPORT_DOCUMENT: Final[dict[str, Any]] = {
    "payment_details": [{"payment_form": "1", "payment_method_code": "10", "amount": "10000.00"}],
    "provider": {
        "identification_document_code": "31",
        "identification": "2343543",
        "names": "Proveedor de otro usuario",
        "address": "calle 4",
        "country_code": "CO",
        "municipality_code": "68679",
    },
    "items": [
        {
            "code_reference": "AJENO",
            "name": "Compra de otro usuario",
            "quantity": "1.00",
            "discount_rate": "0.00",
            "price": "10000.00",
            "unit_measure_code": "94",
            "standard_code": "999",
            "taxes": [{"code": "01", "rate": "0.00", "is_excluded": True}],
        }
    ],
}
SAMPLE_ADJUSTMENT_NOTE: Final[dict[str, Any]] = {
    **SAMPLE_SUPPORT_DOCUMENT,
    "support_document_number": "SEDS1",
    "correction_concept_code": "2",
}
