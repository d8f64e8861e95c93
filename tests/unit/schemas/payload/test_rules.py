"""Every rule of every family, one by one: the smallest change that breaks it, and what is then reported."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import pytest

from schemas.payload.findings import Level
from schemas.payload.rules.not_checked import NOT_CHECKED
from schemas.payload.validate import DOCUMENT_SPECS, validate_document
from tests.builders import changed
from tests.families import a_document_payload
from tests.unit.schemas.payload.cases.bills import BILLS
from tests.unit.schemas.payload.cases.case import Case
from tests.unit.schemas.payload.cases.customer import CUSTOMER
from tests.unit.schemas.payload.cases.general import GENERAL
from tests.unit.schemas.payload.cases.items import ITEMS
from tests.unit.schemas.payload.cases.notes import CREDIT_ALONE, DEBIT_ALONE, NOTES
from tests.unit.schemas.payload.cases.payments import PAYMENTS
from tests.unit.schemas.payload.cases.payroll import FINE_PAYROLLS, PAYROLLS
from tests.unit.schemas.payload.cases.support import FINE_PURCHASES, PURCHASES
from tests.unit.schemas.payload.published_rules import PUBLISHED

TODAY = date(2026, 11, 30)
CASES = [*GENERAL, *PAYMENTS, *CUSTOMER, *ITEMS, *BILLS, *NOTES, *PURCHASES, *PAYROLLS]
FAMILY_NAMES = sorted(DOCUMENT_SPECS)

ANY_PAYLOAD = {"GEN-001"}
"""Told of what is no object: tried with every family elsewhere."""

NOTHING_TO_BREAK: Final = {
    # Every text that must not be empty has a rule of its own.
    "credit_note": {"GEN-005"},
    "debit_note": {"GEN-005"},
    "support_document": {"GEN-005", "GEN-013"},
    "adjustment_note": {"GEN-005", "GEN-013"},
    # No time of day; flags, and null in a list, have a rule of their own.
    "payroll": {"GEN-005", "GEN-006", "GEN-011", "GEN-013"},
    # Three texts.
    "payroll_adjustment": {
        "GEN-005",
        "GEN-006",
        "GEN-007",
        "GEN-008",
        "GEN-009",
        "GEN-010",
        "GEN-011",
        "GEN-012",
        "GEN-013",
    },
}
"""Rules about kinds of value that a family has nowhere."""

TOLD_AS: Final = {"ITM-004": "NOTE-024"}
"""A rule of all families whose error is, in some, a rule of their own; there it only warns."""

IN_THE_SUMS: Final = {"SUM-008", "SUM-009"}
"""A fault in an amount also shows in the total."""

FINE: Final = [
    *((("invoice",), {}, operation) for operation in ("10", "11", "12", "SS-CUFE", "SS-Recaudo")),
    *(((family,), {}, "") for family in FAMILY_NAMES if family != "invoice"),
    (("credit_note",), CREDIT_ALONE, ""),
    (("debit_note",), DEBIT_ALONE, ""),
    *((families, changes, "") for families, changes in [*FINE_PURCHASES, *FINE_PAYROLLS]),
]


def families_of(case: Case) -> frozenset[str]:
    if case.operation:
        return frozenset({"invoice"})
    return frozenset(case.of) or PUBLISHED[case.rule].families


@pytest.mark.parametrize(
    ("family", "case"),
    [
        pytest.param(family, case, id=f"{family} {case.rule} {case.field} {number}")
        for number, case in enumerate(CASES)
        for family in sorted(families_of(case))
    ],
)
def test_broken_rule_is_reported_where_it_is(family: str, case: Case) -> None:
    """Only that rule, at that place, at that level: a producer mends one thing at a time."""
    found = validate_document(
        family, changed(a_document_payload(family, case.operation or "10"), case.changes), today=TODAY
    )
    at_level = found.errors if case.level is Level.ERROR else found.warnings

    assert (case.rule, case.field) in [(detail.rule, detail.field) for detail in at_level]
    if case.level is Level.ERROR:
        assert {detail.rule for detail in found.errors} <= {case.rule} | IN_THE_SUMS
        assert found.wire == found.total == found.party == ""
    else:
        assert found.errors == ()
        assert found.wire


@pytest.mark.parametrize(
    ("family", "changes", "operation"),
    [(family, changes, operation) for families, changes, operation in FINE for family in families],
)
def test_fine_document_has_neither_errors_nor_warnings(family: str, changes: dict[str, Any], operation: str) -> None:
    found = validate_document(family, changed(a_document_payload(family, operation), changes), today=TODAY)

    assert found.errors == ()
    assert found.warnings == ()
    assert found.wire


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_what_is_no_object_is_refused(family: str) -> None:
    for payload in (None, True, 1, "texto", [], [a_document_payload(family)]):
        assert [(error.rule, error.field) for error in validate_document(family, payload, today=TODAY).errors] == [
            ("GEN-001", None)
        ]


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_rule_is_exercised(family: str) -> None:
    """A rule without a case here is a rule that nobody has seen work."""
    seen = {case.rule for case in CASES if family in families_of(case)}
    nothing_to_break = NOTHING_TO_BREAK.get(family, set())

    assert {rule.id for rule in DOCUMENT_SPECS[family].rules} == seen | ANY_PAYLOAD | nothing_to_break
    assert not seen & nothing_to_break


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_published_rule_is_checked_or_explained(family: str) -> None:
    """In exactly the families that the reference names."""
    published = {rule_id for rule_id, row in PUBLISHED.items() if family in row.families}
    explained = {rule_id for rule_id, row in NOT_CHECKED.items() if family in row.families}

    assert {rule.id for rule in DOCUMENT_SPECS[family].rules} | explained == published


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_levels_are_the_published_ones(family: str) -> None:
    letters = {Level.ERROR: "E", Level.WARNING: "W"}
    for rule in DOCUMENT_SPECS[family].rules:
        assert letters[rule.level] == PUBLISHED[rule.id].level, rule.id


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_levels_of_the_registry_are_the_ones_reported(family: str) -> None:
    """A rule that the registry calls an error is seen as one, and a warning never refuses."""
    unseen = ANY_PAYLOAD | NOTHING_TO_BREAK.get(family, set())
    for rule in DOCUMENT_SPECS[family].rules:
        names = {rule.id, TOLD_AS.get(rule.id)}
        seen = {case.level for case in CASES if case.rule in names and family in families_of(case)}
        assert rule.id in unseen or rule.level in seen, rule.id
        assert rule.level is Level.ERROR or Level.ERROR not in seen, rule.id
