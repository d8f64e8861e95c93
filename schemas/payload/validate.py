"""
Everything that can be known about a payload before any call: the one entry to the document families.

Takes what the strict JSON reader returns and gives back a verdict, the exact text for Factus, and the payload's meaning
as a fingerprint. Pure: no clock, no store, no exceptions for bad input.

To add a family of documents:

1. Declare its model in ``documents``: parts of ``shared.py``, ``items.py``, ``parties.py`` and ``payments.py``, and
   fields of its own made with ``part(...)``, each naming the rule that it breaks. ``not_here`` lists the keys that
   sister families have and this one lacks, ``rule_ids`` what an inherited field breaks here.
2. Write the rules that only it has into books of a module of its own, and name what cannot be judged in
   ``rules/not_checked.py``.
3. Add a row to DOCUMENT_SPECS: the model, the books (shared ones first), its arithmetic, the path to the other party
   and the key of its operation type, where it has them. Nothing else asks for a family's name.
4. Give its rules a case each in the tests, which count them.

The payload of a job that issues nothing is a row as well, made by :func:`schemas.payload.spec.checked` from a model and
books about its root; those rows stand in ``jobs/document_types.py`` and are handed to :func:`validate`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import localcontext
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from schemas import money
from schemas.contract.event import ErrorDetail
from schemas.payload import messages
from schemas.payload.documents.bill import Bill
from schemas.payload.documents.notes import CreditNote, DebitNote
from schemas.payload.documents.payroll import Payroll, PayrollAdjustment
from schemas.payload.documents.support import AdjustmentNote, SupportDocument
from schemas.payload.findings import Level, Violation
from schemas.payload.rules.bill import BILL_BOOKS
from schemas.payload.rules.book import Document, FindingCollector, Node, counted, run_checks
from schemas.payload.rules.customer import CUSTOMER_BOOKS, is_final_consumer
from schemas.payload.rules.general import (
    GENERAL_BOOKS,
    HOUR_BOOKS,
    MAIL_BOOKS,
    PAID_BOOKS,
    PAYROLL_RANGE_BOOKS,
    bad_characters,
    garbled_texts,
    may_be_garbled,
    number_warnings,
    readable_reference,
)
from schemas.payload.rules.items import DISCOUNT_BOOKS, ITEM_BOOKS, PRICE_BOOKS, SALE_ITEM_BOOKS
from schemas.payload.rules.notes import CREDIT_NOTE_BOOKS, DEBIT_NOTE_BOOKS, NOTE_BOOKS
from schemas.payload.rules.parties import ESTABLISHMENT_BOOKS, PERIOD_BOOKS
from schemas.payload.rules.payments import PAYMENT_BOOKS, SALE_PAYMENT_BOOKS
from schemas.payload.rules.payroll import PAYROLL_ADJUSTMENT_BOOKS, PAYROLL_BOOKS
from schemas.payload.rules.sectors import SECTOR_BOOKS, SHARED_SECTOR_BOOKS
from schemas.payload.rules.sums import OF_SUMS, SUM_BOOKS
from schemas.payload.rules.support import ADJUSTMENT_NOTE_BOOKS, PURCHASE_BOOKS, SUPPORT_DOCUMENT_BOOKS
from schemas.payload.shape import Walk
from schemas.payload.shape_errors import explain
from schemas.payload.spec import Operation, PayloadSpec
from schemas.payload.totals import PAYROLL, SALE

MAX_FAULTS: Final = 100
"""Errors told of one payload, and warnings likewise; a closing note says that there are more."""


@dataclass(frozen=True, slots=True)
class ValidatedPayload:
    """What is known of a payload before any call."""

    errors: tuple[ErrorDetail, ...]
    warnings: tuple[ErrorDetail, ...]
    wire: str
    """Compact JSON text for Factus; empty when there are errors."""
    fingerprint: str
    """Hex SHA-256 over what the payload means: neither key order nor the spelling of decimals counts. Empty when a
    value in it cannot be read; rules do not matter, which may let it pass another day."""
    reference_code: str
    """Empty when it cannot be read."""
    total: str
    """What the document comes to, two decimals: before cash rounding, for a payroll the net balance. Empty when there
    are errors, and for what holds no money."""
    party: str
    """Identification of the other party (customer, provider, worker) as sent, or the payroll that is eliminated; empty
    when there are errors, or when the payload names none."""


_PAID: Final = (*GENERAL_BOOKS, *PAID_BOOKS, *ITEM_BOOKS, *PAYMENT_BOOKS, *SUM_BOOKS)
_SOLD: Final = (
    *_PAID,
    *MAIL_BOOKS,
    *CUSTOMER_BOOKS,
    *ESTABLISHMENT_BOOKS,
    *PERIOD_BOOKS,
    *SALE_ITEM_BOOKS,
    *SALE_PAYMENT_BOOKS,
)
_CUSTOMER: Final = ("customer", "identification")
_PROVIDER: Final = ("provider", "identification")

DOCUMENT_SPECS: Final[Mapping[str, PayloadSpec]] = {
    family.name: family
    for family in (
        PayloadSpec.of(
            "invoice",
            Bill,
            _SOLD,
            HOUR_BOOKS,
            PRICE_BOOKS,
            DISCOUNT_BOOKS,
            BILL_BOOKS,
            SECTOR_BOOKS,
            arithmetic=SALE,
            party=_CUSTOMER,
            operation=Operation("operation_type", "10"),
        ),
        PayloadSpec.of(
            "credit_note",
            CreditNote,
            _SOLD,
            DISCOUNT_BOOKS,
            SHARED_SECTOR_BOOKS,
            NOTE_BOOKS,
            CREDIT_NOTE_BOOKS,
            arithmetic=SALE,
            party=_CUSTOMER,
            operation=Operation("customization_id", "20"),
        ),
        PayloadSpec.of(
            "debit_note",
            DebitNote,
            _SOLD,
            HOUR_BOOKS,
            NOTE_BOOKS,
            DEBIT_NOTE_BOOKS,
            arithmetic=SALE,
            party=_CUSTOMER,
            operation=Operation("customization_id", "30"),
        ),
        PayloadSpec.of(
            "support_document",
            SupportDocument,
            _PAID,
            HOUR_BOOKS,
            PRICE_BOOKS,
            ESTABLISHMENT_BOOKS,
            PURCHASE_BOOKS,
            SUPPORT_DOCUMENT_BOOKS,
            arithmetic=SALE,
            party=_PROVIDER,
        ),
        PayloadSpec.of(
            "adjustment_note",
            AdjustmentNote,
            _PAID,
            HOUR_BOOKS,
            PRICE_BOOKS,
            PURCHASE_BOOKS,
            ADJUSTMENT_NOTE_BOOKS,
            arithmetic=SALE,
            party=_PROVIDER,
        ),
        PayloadSpec.of(
            "payroll",
            Payroll,
            GENERAL_BOOKS,
            PAYROLL_RANGE_BOOKS,
            PAYROLL_BOOKS,
            arithmetic=PAYROLL,
            party=("worker", "identification_number"),
            # Its table calls the fund an object; integrators were told that it has to be a list (PAY-028).
            wrap_in_list=("deductions", "dedu"),
        ),
        PayloadSpec.of(
            "payroll_adjustment",
            PayrollAdjustment,
            GENERAL_BOOKS,
            PAYROLL_RANGE_BOOKS,
            PAYROLL_ADJUSTMENT_BOOKS,
            party=("payroll_number",),
        ),
    )
}
"""The documents that can be issued."""


def validate_document(family: str, payload: object, *, today: date) -> ValidatedPayload:
    """
    Validate the payload of a document by the name of its family.

    Raises:
        KeyError: No such family.
    """
    return validate(DOCUMENT_SPECS[family], payload, today=today)


def validate(spec: PayloadSpec, payload: object, *, today: date) -> ValidatedPayload:
    """
    Validate a payload and prepare it for sending.

    Args:
        payload: Anything that the strict JSON reader returns.
        today: The day in Bogotá, whose day the DIAN goes by.

    Returns:
        Every fault at once, or the text to send. Bad input never raises.
    """
    if type(payload) is not dict:
        return _refused([messages.not_an_object()], "")
    if spec.wrap_in_list and (listed := _with_list(payload, spec.wrap_in_list)):
        return _as_written(_examine(spec, listed, today), ".".join(spec.wrap_in_list))
    return _examine(spec, payload, today)


def _with_list(payload: Node, path: tuple[str, ...]) -> Node | None:
    """The payload with a list around the object at a path; None when no object with data stands there."""
    key, *below = path
    child = payload.get(key)
    if type(child) is not dict or not child:
        return None
    found = _with_list(child, tuple(below)) if below else [child]
    return {**payload, key: found} if found else None


def _as_written(found: ValidatedPayload, at: str) -> ValidatedPayload:
    """What was found, told of the object that the producer wrote and not of the list that we put around it."""

    def renamed(details: tuple[ErrorDetail, ...]) -> tuple[ErrorDetail, ...]:
        return tuple(
            one.model_copy(update={"field": at + one.field.removeprefix(f"{at}.0")})
            if one.field and one.field.startswith(f"{at}.0")
            else one
            for one in details
        )

    return replace(found, errors=renamed(found.errors), warnings=renamed(found.warnings))


def _examine(spec: PayloadSpec, payload: Node, today: date) -> ValidatedPayload:
    reference = readable_reference(payload.get("reference_code"))
    error = _refusal(spec, payload)
    if error is not None:
        # Keys without data and idle zeros are tried without once the model has refused: most payloads have none.
        plain = spec.shape.plain(payload)
        if plain != payload:
            payload, error = plain, _refusal(spec, plain)
    if error is not None:
        return _explain_refusal(spec, payload, error, today, reference)
    walk = Walk()
    typed = spec.shape.typed(payload, None, walk)
    document, faults = _run_rules(spec, payload, typed, walk.faults, today)
    faults += [*_unnoticed(walk.negative, faults), *number_warnings(walk)]
    if faults and any(fault.level is Level.ERROR for fault in faults):
        bad_characters(payload, "", faults, len(faults) + MAX_FAULTS)
        # Rules may let it pass another day: it is the same payload then. What the walk refuses is missing in *typed*.
        fingerprint = "" if walk.faults else _fingerprint(typed)
        return _refused([*faults, *_garbled(payload, _write(payload))], reference, fingerprint=fingerprint)
    wire = _write(spec.shape.wire(payload) if walk.n_respelled else payload)
    if not _is_plain(wire):
        found: list[Violation] = []
        bad_characters(payload, "", found, MAX_FAULTS)
        if found:
            return _refused(found + faults, reference)
    faults += _garbled(payload, wire)
    # Whatever leaves the sums unknown is an error, so here they are known where there are any.
    assert document.amounts is not None or spec.arithmetic is None
    return ValidatedPayload(
        errors=(),
        warnings=_details(faults, Level.WARNING) if faults else (),
        wire=wire,
        fingerprint=_fingerprint(typed),
        reference_code=reference,
        total=money.render(document.amounts.total) if document.amounts else "",
        party=spec.party_of(typed),
    )


def _refusal(spec: PayloadSpec, payload: Node) -> ValidationError | None:
    try:
        spec.shape.model.__pydantic_validator__.validate_python(payload)
    except ValidationError as error:
        return error
    return None


def _run_rules(
    spec: PayloadSpec,
    payload: Node,
    typed: Node,
    refused: list[Violation],
    today: date,
    spoken_for: frozenset[str] = frozenset(),
) -> tuple[Document, list[Violation]]:
    """Run the rules on what the shape stage has left; its own faults come first."""
    taken_out = spoken_for.union([fault.field for fault in refused if fault.level is Level.ERROR])
    with localcontext(money.EXACT):
        document = Document(
            root=typed,
            today=today.isoformat(),
            operation=spec.operation_of(payload, typed),
            amounts=spec.arithmetic.amounts_of(typed, taken_out) if spec.arithmetic else None,
            is_final_consumer=is_final_consumer(typed.get("customer") or {}),
        )
        collector = FindingCollector(list(refused), MAX_FAULTS + 1, taken_out)
        run_checks(spec.plan(document.operation), typed, document, collector)
    faults = collector.told()
    if document.amounts is not None and abs(document.amounts.total) >= money.BEYOND:
        faults.append(messages.total_beyond("items" if "items" in typed else ""))
    return document, faults


def _explain_refusal(
    spec: PayloadSpec, payload: dict[str, Any], error: ValidationError, today: date, reference: str
) -> ValidatedPayload:
    found = explain(error, spec.shape, payload)
    faults = found.faults
    if found.is_whole:
        walk = Walk()
        typed = spec.shape.typed(found.sound, None, walk)
        _, faults = _run_rules(spec, payload, typed, faults + walk.faults, today, found.spoken_for)
        faults += _unnoticed(walk.negative, faults)
        bad_characters(found.sound, "", faults, len(faults) + MAX_FAULTS)
        faults += _garbled(found.sound, _write(found.sound))
    return _refused(faults, reference, is_whole=found.is_whole)


def _garbled(payload: Node, wire: str) -> list[Violation]:
    """One warning for all texts whose encoding looks damaged; *wire* tells quickly that none does."""
    if not may_be_garbled(wire):
        return []
    found = list(garbled_texts(payload))
    return counted(found[:1], {(found[0].rule, found[0].message): len(found)}) if found else found


def _unnoticed(negative: list[Violation], faults: list[Violation]) -> list[Violation]:
    """Negative amounts of which no rule of their own field has spoken."""
    if not negative:
        return []
    told = {fault.field for fault in faults if fault.level is Level.ERROR}
    return [fault for fault in negative if fault.field not in told]


def _write(payload: Node) -> str:
    """The compact JSON text; empty when a text in it has no UTF-8 form (a lone surrogate)."""
    try:
        return to_json(payload).decode()
    except PydanticSerializationError:
        return ""


def _fingerprint(typed: Node) -> str:
    """Of keys in order and decimals in their one form: the typed payload is a canonical text already."""
    try:
        return hashlib.sha256(to_json(typed)).hexdigest()
    except PydanticSerializationError:
        return ""


def _is_plain(wire: str) -> bool:
    """Whether a JSON text surely holds no character that XML refuses; False is a mere suspicion."""
    if not wire:
        return False
    # The encoder escapes control characters; what it leaves as it is and XML refuses is not printable.
    if not (wire.isascii() or wire.isprintable()):
        return False
    return "\\" not in wire or not ("\\u" in wire or "\\b" in wire or "\\f" in wire)


def _refused(
    faults: list[Violation], reference: str, *, is_whole: bool = True, fingerprint: str = ""
) -> ValidatedPayload:
    return ValidatedPayload(
        errors=_details(faults, Level.ERROR, is_whole=is_whole),
        warnings=_details(faults, Level.WARNING),
        wire="",
        fingerprint=fingerprint,
        reference_code=reference,
        total="",
        party="",
    )


def _is_of_sums(fault: Violation) -> bool:
    return fault.rule in OF_SUMS


def _details(faults: Sequence[Violation], level: Level, *, is_whole: bool = True) -> tuple[ErrorDetail, ...]:
    code = "payload.invalid" if level is Level.ERROR else "payload.warning"
    # What a wrong figure does to the sums is told behind the figure: results and summaries show the first error.
    meant = sorted([fault for fault in faults if fault.level is level], key=_is_of_sums)
    told = [
        ErrorDetail(
            code="envelope.invalid" if fault.is_bound else code,
            message=fault.message,
            field=fault.field or None,
            rule=fault.rule,
        )
        for fault in meant[:MAX_FAULTS]
    ]
    if len(meant) > MAX_FAULTS or not is_whole:
        told.append(ErrorDetail(code=code, message=f"Hay más faltas; se muestran las primeras {len(told)}."))
    return tuple(told)
