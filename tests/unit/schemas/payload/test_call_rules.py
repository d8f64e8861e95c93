"""Every rule of every job that does not issue, one by one: what breaks it, and what just does not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from schemas.payload.findings import Level
from schemas.payload.rules.not_checked import NOT_CHECKED
from schemas.payload.shape import Shape
from schemas.payload.validate import validate
from tests.builders import changed
from tests.unit.schemas.payload.cases.calls import CALLS, ROWS, CallCase, a_payload
from tests.unit.schemas.payload.published_rules import PUBLISHED_OF_CALLS

TODAY = date(2026, 11, 30)
OURS = ("CALL-", "CUS-003")
"""Rules of this service: of its own keys, or that the reference gives no id; and that of a buyer's NIT, which calls
keep as well."""

each_case = pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{case.row} {case.rule} {number}") for number, case in enumerate(CALLS)]
)


def _refusals(row: str, changes: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    found = validate(ROWS[row], changed(a_payload(row), changes), today=TODAY)
    assert found.warnings == ()
    assert bool(found.wire) is not bool(found.errors)
    return [(error.rule, error.field) for error in found.errors]


@each_case
def test_broken_rule_is_the_only_one_told(case: CallCase) -> None:
    assert _refusals(case.row, case.changes) == [(case.rule, case.field)]


@each_case
def test_what_just_keeps_a_rule_passes(case: CallCase) -> None:
    """A check that refuses everything would pass the other test."""
    assert _refusals(case.row, case.fine) == []


def test_every_rule_of_every_call_is_exercised() -> None:
    """A rule without a case is a rule that nobody has seen work."""
    there = {(name, rule.id) for name, row in ROWS.items() for rule in row.rules}

    assert {(case.row, case.rule) for case in CALLS} == there


@pytest.mark.parametrize("name", ROWS)
def test_every_published_rule_of_a_call_is_checked_or_explained(name: str) -> None:
    """In exactly the calls that the reference names."""
    published = {rule_id for rule_id, row in PUBLISHED_OF_CALLS.items() if name in row.families}
    explained = {rule_id for rule_id, row in NOT_CHECKED.items() if name in row.families}
    checked = {rule.id for rule in ROWS[name].rules if not rule.id.startswith(OURS)}

    assert checked | explained == published
    assert not checked & explained


def test_every_rule_of_a_call_refuses() -> None:
    """Nothing tells the producer of a call's warnings."""
    assert {rule.level for row in ROWS.values() for rule in row.rules} == {Level.ERROR}
    assert {row.level for row in PUBLISHED_OF_CALLS.values()} == {"E"}


def test_published_rules_of_calls_are_all_there() -> None:
    assert PUBLISHED_OF_CALLS.keys() == {*(f"EVT-00{number}" for number in range(1, 8)), "STA-012"}


@pytest.mark.parametrize(
    ("row", "changes", "refusal"),
    [
        ("one_document", {"reference_code": " "}, ("GEN-005", "reference_code")),
        ("acquirer.get", {"identification_number": ""}, ("GEN-005", "identification_number")),
        ("catalog.search", {"limit": 101}, ("GEN-010", "limit")),
    ],
)
def test_one_fault_is_one_error(row: str, changes: dict[str, Any], refusal: tuple[str, str]) -> None:
    """A value that was refused is not called missing as well."""
    assert _refusals(row, changes) == [refusal]


def test_number_above_its_range_is_told_the_range() -> None:
    (error,) = validate(ROWS["catalog.search"], {**a_payload("catalog.search"), "limit": 101}, today=TODAY).errors

    assert "1 a 100" in error.message


FILES = frozenset({"pdf_base_64_encoded", "image_base_64_encoded"})
"""Texts that are bounded by the job's own size."""


def _texts_of(shape: Shape, above: str = "") -> Iterator[tuple[str, str]]:
    """Dotted path, and what names it, of each field that a text may stand in."""
    for key, it in shape.fields.items():
        if it.part is not None:
            yield from _texts_of(it.part, f"{above}{key}.0." if it.is_list else f"{above}{key}.")
        elif (it.kind is None or it.kind.name not in ("flag", "integer")) and key not in FILES:
            yield f"{above}{key}", f"{above}{key}.0" if it.is_list else f"{above}{key}"


TEXTS = [pytest.param(name, *paths, id=f"{name} {paths[0]}") for name in ROWS for paths in _texts_of(ROWS[name].shape)]


@pytest.mark.parametrize("letter", ["9", "a", "ñ"])
@pytest.mark.parametrize(("row", "path", "at"), TEXTS)
def test_no_text_of_a_call_is_longer_than_a_path_or_query_can_hold(row: str, path: str, at: str, letter: str) -> None:
    """Most go into the URL of a request, and one of more than 65,536 characters cannot be made."""
    for n in (251, 100_000):
        value: Any = [letter * n] if at != path else letter * n
        found = validate(ROWS[row], _with(a_payload(row), path, value), today=TODAY)
        assert at in [error.field for error in found.errors], n
        # An amount of any size is a bound of the envelope (contract, A.18).
        codes = {"payload.invalid", "envelope.invalid"}
        assert all(error.code in codes and len(error.message) < 600 for error in found.errors)


def _with(payload: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    key, _, below = path.partition(".")
    if below.startswith("0."):
        first, *others = payload.get(key) or [{}]
        return {**payload, key: [_with(first, below.removeprefix("0."), value), *others]}
    return {**payload, key: _with(payload.get(key) or {}, below, value) if below else value}


@pytest.mark.parametrize(
    ("row", "key", "longest"), [("by_reference", "reference_code", 100), ("accept", "number", 250)]
)
def test_a_text_may_be_as_long_as_said(row: str, key: str, longest: int) -> None:
    assert _refusals(row, {key: "a" * longest}) == []
    assert _refusals(row, {key: "a" * (longest + 1)}) == [("GEN-010", key)]
