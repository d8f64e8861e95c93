"""No input raises, and what is accepted can be sent: on invented JSON and on documents bent out of shape."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import strict_json
from schemas.payload.validate import DOCUMENT_SPECS, MAX_FAULTS, ValidatedPayload, validate_document
from tests.builders import REMOVE, a_bill, changed
from tests.families import a_document_payload
from tests.unit.schemas.examples import EXAMPLES
from tests.unit.schemas.payload.cases.bills import BILLS
from tests.unit.schemas.payload.cases.case import Case
from tests.unit.schemas.payload.cases.payroll import FINE_PAYROLLS, PAYROLLS

TODAY = date(2026, 11, 30)
DOCUMENTS = {
    family: [a_document_payload(family), *(example.payload for example in EXAMPLES if example.family == family)]
    for family in DOCUMENT_SPECS
}
DOCUMENTS["invoice"] += [a_bill(kind) for kind in ("11", "12", "SS-CUFE", "SS-Recaudo")]
DOCUMENTS["payroll"] += [
    changed(a_document_payload("payroll"), changes) for families, changes in FINE_PAYROLLS if families == ("payroll",)
]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def _all_keys(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*map(_all_keys, node.values()))
    return set().union(*map(_all_keys, node)) if isinstance(node, list) else set()


_scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**20), max_value=10**20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", " ", "0", "1", "01", "1.005", "-1", "2026-02-30", "99:00:00", "94", "\x00", "\ud800", "\ufffe"]
    )
    | st.sampled_from(["2026-05-06 18:00:00", "2026-05-32T18:00:00", "22", "32", "4", "9" * 11])
    | st.sampled_from([Decimal("1E+999999"), Decimal("1E-999999"), 10**99, "9" * 100_000])
)
# A key of digits would be a position to the builder that bends the documents.
_keys = st.sampled_from(sorted(_all_keys(list(DOCUMENTS.values())))) | st.text(max_size=5).filter(
    lambda key: not key.isdigit()
)
_trees = st.recursive(
    _scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(_keys, below, max_size=5), max_leaves=20
)
_families = st.sampled_from(sorted(DOCUMENT_SPECS))


def _paths(node: Any, at: str = "") -> list[str]:
    if not isinstance(node, (dict, list)):
        return [at]
    # A dotted path cannot say an empty key.
    steps = [(key, node[key]) for key in node if key] if isinstance(node, dict) else enumerate(node)
    below = [path for key, value in steps for path in _paths(value, f"{at}.{key}" if at else str(key))]
    return ([at] if at else []) + below


@st.composite
def _bent_documents(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    family = draw(_families)
    document: dict[str, Any] = draw(st.sampled_from(DOCUMENTS[family]))
    for _ in range(draw(st.integers(min_value=0, max_value=4))):
        if not (paths := _paths(document)):
            break
        path = draw(st.sampled_from(paths))
        change = draw(st.just(REMOVE) | _trees)
        if draw(st.booleans()):
            above, key = path.rpartition(".")[0], draw(_keys)
            path = f"{above}.{key}" if above else key
        try:
            document = changed(document, {path: change})
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    return family, document


def _is_nothing(value: Any) -> bool:
    """Says no more than its key's absence: null, an empty list, an object of such values."""
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value is None or value == []


def _check(family: str, payload: object) -> ValidatedPayload:
    found = validate_document(family, payload, today=TODAY)
    assert isinstance(found, ValidatedPayload)
    assert len(found.errors) <= MAX_FAULTS + 1
    for detail in (*found.errors, *found.warnings):
        assert detail.message
        # Whatever is told can be published.
        detail.message.encode()
    if found.errors:
        assert (found.wire, found.total, found.party) == ("", "", "")
    else:
        assert len(found.fingerprint) == 64
        assert isinstance(payload, dict)
        found.wire.encode()
        assert list(json.loads(found.wire)) == [key for key, value in payload.items() if not _is_nothing(value)]
        assert bool(found.total) == (DOCUMENT_SPECS[family].arithmetic is not None)
    return found


@given(_families, _trees)
@settings(max_examples=300, deadline=None)
def test_any_json_gets_a_verdict(family: str, payload: object) -> None:
    _check(family, payload)


@given(_bent_documents())
@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
def test_any_bent_document_gets_a_verdict(bent: tuple[str, dict[str, Any]]) -> None:
    _check(*bent)


@given(_bent_documents())
@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
def test_wire_means_what_was_pushed(bent: tuple[str, dict[str, Any]]) -> None:
    """Read back and judged again, the text that is sent is the same document."""
    family, payload = bent
    found = _check(family, payload)
    if not found.errors:
        again = _check(family, strict_json.parse(found.wire))
        assert (again.fingerprint, again.wire, again.total) == (found.fingerprint, found.wire, found.total)


@pytest.mark.parametrize("family", sorted(DOCUMENT_SPECS))
@given(st.data(), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_key_order_never_counts(family: str, data: st.DataObject, random: Any) -> None:
    def shuffled(node: Any) -> Any:
        if isinstance(node, list):
            return [shuffled(one) for one in node]
        if not isinstance(node, dict):
            return node
        keys = list(node)
        random.shuffle(keys)
        return {key: shuffled(node[key]) for key in keys}

    document = data.draw(st.sampled_from(DOCUMENTS[family]))

    assert _check(family, shuffled(document)).fingerprint == _check(family, document).fingerprint


_LINES = st.lists(
    st.tuples(
        st.decimals(min_value=Decimal("0.01"), max_value=10**6, places=2),
        st.decimals(min_value=Decimal("0.01"), max_value=10**7, places=2),  # eight lines stay below 10^15
        st.sampled_from([0, 5, 19]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("family", ["invoice", "credit_note", "debit_note", "support_document", "adjustment_note"])
@given(_LINES)
@settings(max_examples=40, deadline=None)
def test_a_document_that_pays_its_own_total_passes(family: str, lines: list[tuple[Decimal, Decimal, int]]) -> None:
    """The total that we tell is the one that we ask the payments to be."""
    model = a_document_payload(family)["items"][0]
    items = [
        {**model, "quantity": f"{quantity:f}", "price": f"{price:f}", "taxes": [{"code": "01", "rate": str(rate)}]}
        for quantity, price, rate in lines
    ]
    total = sum(
        round(quantity * price, 2) + round(round(quantity * price, 2) * rate / 100, 2)
        for quantity, price, rate in lines
    )
    payment = {**a_document_payload(family)["payment_details"][0], "amount": f"{max(total, Decimal('0.01')):f}"}
    found = _check(family, {**a_document_payload(family), "items": items, "payment_details": [payment]})

    assert found.errors == ()
    assert Decimal(found.total) == total


_odd_rates = st.sampled_from(["-100.00", "-99.99", "-100", "-200.00", "0.00", "-0", "-19.00", "19.00", "100.00"])
_odd_numbers = (
    _odd_rates
    | st.sampled_from(["1", "-1", "0.01", "-0.01", "9" * 15 + ".99", "-" + "9" * 15 + ".99", "9" * 16, "1E5", ".5", ""])
    | st.sampled_from([Decimal("1E+2"), Decimal("-1E+2"), Decimal("1E-400"), Decimal("-1E+999999"), Decimal("0E-99")])
    | st.integers(-(10**16), 10**16)
    | st.decimals(-(10**15), 10**15, places=2).map(lambda number: f"{number:f}")
)
_plain_numbers = st.decimals(-(10**15) + 1, 10**15 - 1, places=2).map(lambda number: f"{number:f}")
_amounts = _plain_numbers | _odd_numbers | st.sampled_from(["50000.00", "1.00"])


@st.composite
def _odd_lines(draw: st.DrawFn, family: str) -> list[dict[str, Any]]:
    """Lines that add up, with whatever rates and signs: what nobody reckons with is what is divided by."""
    model = a_document_payload(family)["items"][0]
    taxes = st.lists(
        st.fixed_dictionaries({"code": st.sampled_from(["01", "04", "35"]), "rate": _odd_rates | _plain_numbers}),
        min_size=1,
        max_size=3,
    )
    held = st.lists(
        st.fixed_dictionaries({"code": st.sampled_from(["05", "06"]), "rate": _odd_rates | _plain_numbers}), max_size=2
    )
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        line = {**model, "quantity": draw(_amounts), "price": draw(_amounts)}
        line |= {"taxes": draw(taxes), "withholding_taxes": draw(held)}
        for key in draw(st.sets(st.sampled_from(["discount_rate", "discount_amount"]))):
            line[key] = draw(_amounts)
        lines.append(line)
    return lines


@pytest.mark.parametrize("family", ["invoice", "credit_note", "debit_note", "support_document", "adjustment_note"])
@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_lines_of_odd_numbers_get_a_verdict(family: str, data: st.DataObject) -> None:
    document = a_document_payload(family)
    payment = {**document["payment_details"][0], "amount": data.draw(_amounts)}
    document |= {"items": data.draw(_odd_lines(family)), "payment_details": [payment]}
    if data.draw(st.booleans()):
        document["cash_rounding_amount"] = data.draw(_amounts)
    _check(family, document)


@pytest.mark.parametrize("family", sorted(DOCUMENT_SPECS))
@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
def test_odd_numbers_anywhere_get_a_verdict(family: str, data: st.DataObject) -> None:
    """Every number of a document by another one, whatever its sign, size and spelling."""
    document = data.draw(st.sampled_from(DOCUMENTS[family]))
    numbers = [path for path in _paths(document) if _is_number(document, path)]
    changes = {path: data.draw(_amounts) for path in numbers if data.draw(st.booleans())}
    _check(family, changed(document, changes))


def _is_number(document: dict[str, Any], path: str) -> bool:
    node: Any = document
    for step in path.split("."):
        node = node[int(step) if isinstance(node, list) else step]
    if isinstance(node, str):
        return node.replace(".", "", 1).isdecimal()
    return isinstance(node, (int, Decimal)) and not isinstance(node, bool)


_pesos = st.decimals(min_value=0, max_value=10**10, places=2)


@given(_pesos, st.lists(_pesos, max_size=4), st.lists(_pesos, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_payroll_comes_to_accruals_minus_deductions(
    salary: Decimal, commissions: list[Decimal], loans: list[Decimal]
) -> None:
    changes: dict[str, Any] = {
        "accruals": {"suel": {"amount": f"{salary:f}"}},
        "deductions": {name: {"percentage": "4", "amount": "1.05"} for name in ("salu", "pens")},
    }
    if commissions:
        changes["accruals.comi"] = [{"amount": f"{amount:f}"} for amount in commissions]
    if loans:
        changes["deductions.libr"] = [{"description": "libranza", "amount": f"{amount:f}"} for amount in loans]
    found = _check("payroll", changed(a_document_payload("payroll"), changes))

    assert found.errors == ()
    assert Decimal(found.total) == salary + sum(commissions) - sum(loans) - Decimal("2.10")


@given(st.lists(st.sampled_from([*BILLS, *PAYROLLS]), min_size=2, max_size=5))
@settings(max_examples=100, deadline=None)
def test_faults_together_raise_nothing(cases: list[Case]) -> None:
    """Each is known to be told alone; one must not trip the check of another."""
    for family in ("invoice", "payroll"):
        document = a_document_payload(family)
        for case in cases:
            try:
                document = changed(document, case.changes)
            except (KeyError, IndexError, TypeError):
                continue
        _check(family, document)
