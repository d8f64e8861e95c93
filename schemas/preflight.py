"""
Everything that can be known about a payload before any call: the one entry to the document families.

Takes what the strict JSON reader returns and gives back a verdict, the exact text for Factus, and the payload's meaning
as a fingerprint. Pure: no clock, no store, no exceptions for bad input.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import localcontext
from itertools import chain
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from schemas import messages, money
from schemas.amounts import amounts_of, counts
from schemas.bill import Bill
from schemas.event import ErrorDetail
from schemas.rules import Document, Fault, Level, Node, Plan, Rule, RuleBook, Verdict, judge
from schemas.rules_bill import BILL_BOOKS
from schemas.rules_customer import CUSTOMER_BOOKS, is_final_consumer
from schemas.rules_general import GENERAL_BOOKS, bad_characters, number_warnings, readable_reference
from schemas.rules_items import ITEM_BOOKS
from schemas.rules_parties import PARTY_BOOKS
from schemas.rules_payments import PAYMENT_BOOKS
from schemas.rules_sectors import SECTOR_BOOKS
from schemas.shape import Shape, Walk, shape_of
from schemas.shape_faults import explain

MAX_FAULTS: Final = 100
"""Errors told of one payload, and warnings likewise; a closing note says that there are more."""


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
    party: str
    """Identification of the other party (customer, provider, worker) as sent; empty when there are errors."""


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of document: its model, and the rules that apply to it."""

    name: str
    shape: Shape
    books: tuple[RuleBook, ...]
    _plans: dict[str | None, Plan] = field(default_factory=dict)

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for book in self.books for rule in book.rules)

    def plan(self, operation: str | None) -> Plan:
        """What to check for an operation type (a code of the table, or None); made once for each."""
        if operation not in self._plans:
            self._plans[operation] = Plan.of(self.books, operation)
        return self._plans[operation]


def _family(name: str, model: type[BaseModel], *books: Sequence[RuleBook]) -> Family:
    return Family(name, shape_of(model), tuple(chain.from_iterable(books)))


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
        return _refused([messages.not_an_object()], "")
    reference = readable_reference(payload.get("reference_code"))
    try:
        known.shape.model.__pydantic_validator__.validate_python(payload)
    except ValidationError as error:
        return _explain_refusal(known, payload, error, today, reference)
    walk = Walk()
    typed = known.shape.typed(payload, None, walk)
    document, faults = _judge(known, payload, typed, walk.faults, today)
    faults += number_warnings(walk)
    if faults and any(fault.level is Level.ERROR for fault in faults):
        bad_characters(payload, "", faults, len(faults) + MAX_FAULTS)
        return _refused(faults, reference)
    wire = _write(known.shape.wire(payload) if walk.n_numbers else payload)
    if not _is_plain(wire):
        found: list[Fault] = []
        bad_characters(payload, "", found, MAX_FAULTS)
        if found:
            return _refused(found + faults, reference)
    return _accepted(typed, document, wire, faults, reference)


def _accepted(typed: Node, document: Document, wire: str, warnings: list[Fault], reference: str) -> Preflight:
    # Whatever leaves the sums unknown is an error, so here they are known.
    assert document.amounts is not None
    return Preflight(
        errors=(),
        warnings=_details(warnings, Level.WARNING) if warnings else (),
        wire=wire,
        # Keys in order and decimals in their one form, the typed payload is a canonical text already.
        fingerprint=hashlib.sha256(to_json(typed)).hexdigest(),
        reference_code=reference,
        total=money.render(document.amounts.total),
        party=typed["customer"]["identification"],
    )


def _judge(
    family: Family, payload: Node, typed: Node, refused: list[Fault], today: date
) -> tuple[Document, list[Fault]]:
    """Run the rules on what the shape stage has left; its own faults come first."""
    taken_out = frozenset([fault.field for fault in refused if fault.level is Level.ERROR])
    with localcontext(money.EXACT):
        document = Document(
            root=typed,
            today=today.isoformat(),
            operation=_operation(payload, typed),
            amounts=None if any(map(counts, taken_out)) else amounts_of(typed),
            is_final_consumer=is_final_consumer(typed.get("customer") or {}),
        )
        verdict = Verdict(list(refused), MAX_FAULTS + 1, taken_out)
        judge(family.plan(document.operation), typed, document, verdict)
    return document, verdict.faults


def _operation(payload: Node, typed: Node) -> str | None:
    if "operation_type" not in payload:
        return "10"
    return typed.get("operation_type")


def _explain_refusal(
    family: Family, payload: dict[str, Any], error: ValidationError, today: date, reference: str
) -> Preflight:
    faults, sound, is_whole = explain(error, family.shape, payload)
    if is_whole:
        walk = Walk()
        typed = family.shape.typed(sound, None, walk)
        _, faults = _judge(family, payload, typed, faults + walk.faults, today)
        bad_characters(sound, "", faults, len(faults) + MAX_FAULTS)
    return _refused(faults, reference, is_whole=is_whole)


def _write(payload: Node) -> str:
    """The compact JSON text; empty when a text in it has no UTF-8 form (a lone surrogate)."""
    try:
        return to_json(payload).decode()
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


def _refused(faults: list[Fault], reference: str, *, is_whole: bool = True) -> Preflight:
    return Preflight(
        errors=_details(faults, Level.ERROR, is_whole=is_whole),
        warnings=_details(faults, Level.WARNING),
        wire="",
        fingerprint="",
        reference_code=reference,
        total="",
        party="",
    )


def _details(faults: Sequence[Fault], level: Level, *, is_whole: bool = True) -> tuple[ErrorDetail, ...]:
    code = "payload.invalid" if level is Level.ERROR else "payload.warning"
    meant = [fault for fault in faults if fault.level is level]
    told = [
        ErrorDetail(code=code, message=fault.message, field=fault.field or None, rule=fault.rule)
        for fault in meant[:MAX_FAULTS]
    ]
    if len(meant) > MAX_FAULTS or not is_whole:
        told.append(ErrorDetail(code=code, message=f"Hay más faltas; se muestran las primeras {len(told)}."))
    return tuple(told)
