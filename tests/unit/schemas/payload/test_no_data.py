"""null, and empty objects and lists, say no more than the key's absence; zeros that change nothing change nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.payload.shape import FieldShape, Shape
from schemas.payload.validate import DOCUMENT_SPECS, PayloadSpec, ValidatedPayload, validate
from tests.builders import REMOVE, a_bill, changed
from tests.families import a_document_payload
from tests.unit.schemas.payload.cases.calls import ROWS, a_payload

TODAY = date(2026, 11, 30)
KINDS: list[tuple[PayloadSpec, str]] = [
    *((DOCUMENT_SPECS["invoice"], operation) for operation in ("10", "11", "12", "SS-CUFE", "SS-Recaudo")),
    *((family, "") for family in DOCUMENT_SPECS.values() if family.name != "invoice"),
    *((family, "call") for family in ROWS.values()),
]
each_kind = pytest.mark.parametrize(
    ("family", "operation"), [pytest.param(*kind, id=f"{kind[0].name} {kind[1]}") for kind in KINDS]
)


def sound(family: PayloadSpec, operation: str) -> dict[str, Any]:
    return a_payload(family.name) if operation == "call" else a_document_payload(family.name, operation)


def places(shape: Shape, node: dict[str, Any], at: str = "") -> Iterator[tuple[FieldShape, str]]:
    """Every field that could stand in a payload, beside what stands there, with its path."""
    for it in shape.fields.values():
        path = f"{at}{it.key}"
        yield it, path
        found = node.get(it.key)
        if it.part is not None and found:
            below = [(f"{path}.{n}.", one) for n, one in enumerate(found)] if it.is_list else [(f"{path}.", found)]
            for prefix, one in below:
                yield from places(it.part, one, prefix)


def without(payload: dict[str, Any], *paths: str) -> dict[str, Any]:
    return changed(changed(payload, dict.fromkeys(paths, "")), dict.fromkeys(paths, REMOVE))


def told(found: ValidatedPayload) -> tuple[Any, ...]:
    """All of a verdict; of what is sent the meaning, since a key may have been moved to the end on the way here."""
    return (found.errors, found.warnings, json.loads(found.wire or "null"), found.fingerprint, found.total)


@each_kind
def test_no_data_is_no_key(family: PayloadSpec, operation: str) -> None:
    """Each optional key of each object, with each way to say nothing: one verdict, one text, one fingerprint."""
    payload = sound(family, operation)
    for it, path in places(family.shape, payload):
        if it.is_required:
            continue
        left_out = told(validate(family, without(payload, path), today=TODAY))
        has_form = it.is_list or it.part is not None
        for nothing in (None, {}, []) if has_form else (None,):
            assert told(validate(family, changed(payload, {path: nothing}), today=TODAY)) == left_out, (path, nothing)


@each_kind
def test_a_required_key_is_still_required(family: PayloadSpec, operation: str) -> None:
    payload = sound(family, operation)
    for it, path in places(family.shape, payload):
        if it.is_required:
            for nothing in (None, {}, []) if it.is_list or it.part is not None else (None,):
                found = validate(family, changed(payload, {path: nothing}), today=TODAY)
                assert any((error.field or "").startswith(path) for error in found.errors), (path, nothing)


@pytest.mark.parametrize("nothing", [None, {}, []], ids=repr)
@pytest.mark.parametrize("key", ["color", "municipality_id"])
def test_an_unknown_key_is_refused_without_data_too(key: str, nothing: object) -> None:
    """Whoever wrote it meant something that this service does not know."""
    found = validate(DOCUMENT_SPECS["invoice"], changed(a_bill(), {key: nothing}), today=TODAY)

    assert [error.field for error in found.errors] == [key]


@pytest.mark.parametrize(
    "written",
    [
        {"order_reference": {}},
        {"order_reference": []},
        {"establishment": None, "currency": [], "prepayment_details": {}, "allowance_charges": []},
        {"items.0.mandate": [], "items.1.withholding_taxes": [], "customer.responsibilities": []},
        {"observation": None, "customer.phone": None, "items.0.discount_rate": None},
    ],
    ids=repr,
)
def test_what_php_and_java_write_for_nothing_is_taken(written: dict[str, Any]) -> None:
    with_nothing = validate(DOCUMENT_SPECS["invoice"], changed(a_bill(), written), today=TODAY)
    left_out = validate(DOCUMENT_SPECS["invoice"], without(a_bill(), *written), today=TODAY)

    assert with_nothing.errors == ()
    assert with_nothing == left_out


def test_objects_emptied_of_null_are_empty() -> None:
    """Filters that a program always writes out, all without a value."""
    filters = {"number": None, "created_at": {"start_date": None, "end_date": None}}

    assert validate(ROWS["document_list"], {"page": 1, "filters": filters}, today=TODAY).wire == '{"page":1}'


def test_null_as_an_element_is_no_absence() -> None:
    """Whether a line or a code is missing there, nobody knows."""
    for path, at in (("items.1", "items.1"), ("customer.responsibilities", "customer.responsibilities.0")):
        value = None if path == at else [None]
        found = validate(DOCUMENT_SPECS["invoice"], changed(a_bill(), {path: value}), today=TODAY)
        assert at in [error.field for error in found.errors]


@each_kind
def test_zeros_beyond_the_decimals_change_nothing(family: PayloadSpec, operation: str) -> None:
    """As text and as number: 1.000 is 1.00."""
    payload = sound(family, operation)
    fine = validate(family, payload, today=TODAY)
    for it, path in places(family.shape, payload):
        value = _value_at(payload, path)
        if it.kind is None or it.kind.name != "decimal" or not isinstance(value, str):
            continue
        full = f"{Decimal(value):.{it.kind.places}f}"
        for text in (f"{full}0", f"{full}00", f"{full}{'0' * 70}"):
            found = validate(family, changed(payload, {path: text}), today=TODAY)
            assert (found.errors, found.fingerprint) == ((), fine.fingerprint), (path, text)
            assert _value_at(json.loads(found.wire), path) == full
            number = validate(family, changed(payload, {path: Decimal(text)}), today=TODAY)
            assert (number.errors, number.fingerprint) == ((), fine.fingerprint), (path, text)


@pytest.mark.parametrize(
    "text", ["1.001", "1.0010", "1.00 ", "1.00a", "1.a00", "1..000", ".000", "1.", "1.00-0", "1,000"]
)
def test_other_digits_are_refused(text: str) -> None:
    found = validate(DOCUMENT_SPECS["invoice"], changed(a_bill(), {"items.0.quantity": text}), today=TODAY)

    assert {error.rule for error in found.errors} <= {"GEN-007", "GEN-008"}
    assert found.errors


def _value_at(node: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(node, dict) and step not in node:
            return None
        node = node[int(step) if isinstance(node, list) else step]
    return node
