"""
Everything that can be known about a payload before any call: the one entry to the document families.

Takes what the strict JSON reader returns and gives back a verdict, the exact text for Factus, and the payload's meaning
as a fingerprint. Pure: no clock, no store, no exceptions for bad input.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import localcontext
from itertools import chain
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from schemas import messages, money
from schemas.amounts import amounts_of
from schemas.bill import Bill
from schemas.event import ErrorDetail
from schemas.rules import Document, Fault, Level, Node, Rule, RuleBook, Verdict, judge, merged
from schemas.rules_bill import BILL_BOOKS
from schemas.rules_customer import CUSTOMER_BOOKS, is_final_consumer
from schemas.rules_general import GENERAL_BOOKS, bad_characters, number_warnings, readable_reference
from schemas.rules_items import ITEM_BOOKS
from schemas.rules_parties import PARTY_BOOKS
from schemas.rules_payments import PAYMENT_BOOKS
from schemas.rules_sectors import SECTOR_BOOKS
from schemas.shape import Shape, Walk, shape_of
from schemas.shape_faults import MAX_EXPLAINED, explain

MAX_FAULTS: Final = 100
"""Errors told of one payload, and warnings likewise; a closing note says that there are more."""

_encode_wire: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_encode_canonical: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False, sort_keys=True, default=money.plain
).encode


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known of a payload before any call."""

    errors: tuple[ErrorDetail, ...]
    warnings: tuple[ErrorDetail, ...]
    wire: str
    """Compact JSON text for Factus; empty when there are errors."""
    fingerprint: str
    """Hex SHA-256 over what the payload means: neither key order nor the spelling of decimals counts. Empty when
    there are errors."""
    reference_code: str
    """Empty when it cannot be read."""
    total: str
    """The total that the document will have, two decimals, before cash rounding; empty when there are errors."""
    customer: str
    """The customer's identification as sent; empty when there are errors."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of document: its model, and the rules that apply to it."""

    name: str
    shape: Shape
    books: tuple[RuleBook, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for book in self.books for rule in book.rules)


def _family(name: str, model: type[BaseModel], *books: Sequence[RuleBook]) -> Family:
    return Family(name, shape_of(model), merged(chain.from_iterable(books)))


FAMILIES: Final[Mapping[str, Family]] = {
    family.name: family
    for family in (
        _family(
            "invoice",
            Bill,
            GENERAL_BOOKS,
            BILL_BOOKS,
            CUSTOMER_BOOKS,
            PARTY_BOOKS,
            ITEM_BOOKS,
            SECTOR_BOOKS,
            PAYMENT_BOOKS,
        ),
    )
}


def preflight(family: str, payload: object, *, today: date) -> Preflight:
    """
    Judge a payload and prepare it for sending.

    Args:
        family: A key of FAMILIES.
        payload: Anything that the strict JSON reader returns.
        today: The day in the account's time zone.

    Returns:
        Every fault at once, or the text to send. Bad input never raises.

    Raises:
        KeyError: No such family.
    """
    known = FAMILIES[family]
    if type(payload) is not dict:
        return _refused([messages.not_an_object()], [], "")
    reference = readable_reference(payload.get("reference_code"))
    try:
        known.shape.model.__pydantic_validator__.validate_python(payload)
    except ValidationError as error:
        return _explain_refusal(known, payload, error, today, reference)
    walk = Walk()
    typed = known.shape.typed(payload, None, walk)
    document, faults = _judge(known, payload, typed, walk.faults, today)
    faults += number_warnings(walk)
    wire = _encode_wire(known.shape.wire(payload) if walk.n_numbers else payload)
    if not _is_plain(wire):
        bad_characters(payload, "", faults, len(faults) + MAX_FAULTS)
    errors = [fault for fault in faults if fault.level is Level.ERROR]
    if errors or document.amounts is None:
        return _refused(errors, faults, reference)
    return Preflight(
        errors=(),
        warnings=_details(faults, Level.WARNING) if faults else (),
        wire=wire,
        fingerprint=hashlib.sha256(_encode_canonical(typed).encode()).hexdigest(),
        reference_code=reference,
        total=money.render(document.amounts.total),
        customer=payload["customer"]["identification"],
    )


def _judge(
    family: Family, payload: Node, typed: Node, refused: list[Fault], today: date
) -> tuple[Document, list[Fault]]:
    """Run the rules on what the shape stage has left; its own faults come first."""
    with localcontext(money.EXACT):
        document = Document(
            root=typed,
            today=today.isoformat(),
            operation=_operation(payload, typed),
            amounts=amounts_of(typed),
            is_final_consumer=is_final_consumer(typed.get("customer") or {}),
        )
        verdict = Verdict(list(refused), MAX_FAULTS + 1, frozenset([fault.field for fault in refused]))
        judge(family.books, document, verdict)
    return document, verdict.faults


def _operation(payload: Node, typed: Node) -> str | None:
    if "operation_type" not in payload:
        return "10"
    return typed.get("operation_type")


def _explain_refusal(
    family: Family, payload: dict[str, Any], error: ValidationError, today: date, reference: str
) -> Preflight:
    faults, sound = explain(error, family.shape, payload)
    if len(faults) < MAX_FAULTS and error.error_count() <= MAX_EXPLAINED:
        walk = Walk()
        typed = family.shape.typed(sound, None, walk)
        _, faults = _judge(family, payload, typed, faults + walk.faults, today)
        bad_characters(sound, "", faults, len(faults) + MAX_FAULTS)
    return _refused([fault for fault in faults if fault.level is Level.ERROR], faults, reference)


def _is_plain(wire: str) -> bool:
    """Whether a JSON text surely holds no character that XML refuses; False is a mere suspicion."""
    # The encoder escapes control characters; what it leaves as it is and XML refuses is not printable.
    if not (wire.isascii() or wire.isprintable()):
        return False
    return "\\" not in wire or not ("\\u" in wire or "\\b" in wire or "\\f" in wire)


def _refused(errors: list[Fault], faults: list[Fault], reference: str) -> Preflight:
    return Preflight(
        errors=_details(errors, Level.ERROR),
        warnings=_details(faults, Level.WARNING),
        wire="",
        fingerprint="",
        reference_code=reference,
        total="",
        customer="",
    )


def _details(faults: Sequence[Fault], level: Level) -> tuple[ErrorDetail, ...]:
    code = "payload.invalid" if level is Level.ERROR else "payload.warning"
    told = [
        ErrorDetail(code=code, message=fault.message, field=fault.field or None, rule=fault.rule)
        for fault in faults
        if fault.level is level
    ]
    if len(told) > MAX_FAULTS:
        del told[MAX_FAULTS:]
        told.append(ErrorDetail(code=code, message=f"Hay más faltas; se muestran las primeras {MAX_FAULTS}."))
    return tuple(told)
