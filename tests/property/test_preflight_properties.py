"""No input raises, and what is accepted can be sent: on invented JSON and on examples bent out of shape."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import strict_json
from schemas.preflight import MAX_FAULTS, Preflight, preflight
from tests.builders import REMOVE, a_bill, changed

TODAY = date(2026, 11, 30)
EXAMPLES = [
    strict_json.parse(path.read_bytes())
    for path in sorted((Path(__file__).parents[2] / "sandbox/facts/examples/bills").glob("*.request.json"))
]
BILLS = [example for example in EXAMPLES if "items" in example] + [
    a_bill(kind) for kind in ("10", "11", "12", "SS-CUFE")
]

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**20), max_value=10**20)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["", " ", "0", "1", "01", "1.005", "-1", "2026-02-30", "99:00:00", "94", "\x00", "\ud800", "\ufffe"]
    )
    | st.sampled_from([Decimal("1E+999999"), Decimal("1E-999999"), 10**99, "9" * 100_000])
)
_keys = st.sampled_from(
    sorted({key for bill in BILLS for key in bill} | {"code", "rate", "amount", "price"})
) | st.text(max_size=5)
_trees = st.recursive(
    _scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(_keys, below, max_size=5), max_leaves=20
)


def _paths(node: Any, at: str = "") -> list[str]:
    if not isinstance(node, (dict, list)):
        return [at]
    steps = node.items() if isinstance(node, dict) else enumerate(node)
    below = [path for key, value in steps for path in _paths(value, f"{at}.{key}" if at else str(key))]
    return ([at] if at else []) + below


@st.composite
def _bent_bills(draw: st.DrawFn) -> dict[str, Any]:
    bill: dict[str, Any] = draw(st.sampled_from(BILLS))
    for _ in range(draw(st.integers(min_value=0, max_value=4))):
        path = draw(st.sampled_from(_paths(bill)))
        change = draw(st.just(REMOVE) | _trees)
        if draw(st.booleans()) and isinstance(change, (str, int, Decimal)):
            path = f"{path.rpartition('.')[0]}.{draw(_keys)}".strip(".")
        try:
            bill = changed(bill, {path: change})
        except (KeyError, IndexError, TypeError, ValueError):
            continue
    return bill


def _check(payload: object) -> Preflight:
    found = preflight("invoice", payload, today=TODAY)
    assert isinstance(found, Preflight)
    assert len(found.errors) <= MAX_FAULTS + 1
    for detail in (*found.errors, *found.warnings):
        assert detail.message
        # Whatever is told can be published.
        detail.message.encode()
    if found.errors:
        assert (found.wire, found.fingerprint, found.total, found.party) == ("", "", "", "")
    else:
        assert len(found.fingerprint) == 64
        assert isinstance(payload, dict)
        found.wire.encode()
        assert list(json.loads(found.wire)) == list(payload)
    return found


@given(_trees)
@settings(max_examples=300, deadline=None)
def test_any_json_gets_a_verdict(payload: object) -> None:
    _check(payload)


@given(_bent_bills())
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_bent_bill_gets_a_verdict(payload: dict[str, Any]) -> None:
    _check(payload)


@given(_bent_bills())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_wire_means_what_was_pushed(payload: dict[str, Any]) -> None:
    """Read back and judged again, the text that is sent is the same document."""
    found = _check(payload)
    if not found.errors:
        again = _check(strict_json.parse(found.wire))
        assert (again.fingerprint, again.wire, again.total) == (found.fingerprint, found.wire, found.total)


@given(st.randoms(use_true_random=False), st.sampled_from(BILLS))
@settings(max_examples=60, deadline=None)
def test_key_order_never_counts(random: Any, bill: dict[str, Any]) -> None:
    def shuffled(node: Any) -> Any:
        if isinstance(node, list):
            return [shuffled(one) for one in node]
        if not isinstance(node, dict):
            return node
        keys = list(node)
        random.shuffle(keys)
        return {key: shuffled(node[key]) for key in keys}

    assert _check(shuffled(bill)).fingerprint == _check(bill).fingerprint


@given(
    st.lists(
        st.tuples(
            st.decimals(min_value=Decimal("0.01"), max_value=10**6, places=2),
            st.decimals(min_value=Decimal("0.01"), max_value=10**9, places=2),
            st.sampled_from([0, 5, 19]),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=100, deadline=None)
def test_a_bill_that_pays_its_own_total_passes(lines: list[tuple[Decimal, Decimal, int]]) -> None:
    """The total that we tell is the one that we ask the payments to be."""
    model = a_bill()["items"][0]
    items = [
        {**model, "quantity": f"{quantity:f}", "price": f"{price:f}", "taxes": [{"code": "01", "rate": str(rate)}]}
        for quantity, price, rate in lines
    ]
    total = sum(
        round(quantity * price, 2) + round(round(quantity * price, 2) * rate / 100, 2)
        for quantity, price, rate in lines
    )
    payment = {**a_bill()["payment_details"][0], "amount": f"{max(total, Decimal('0.01')):f}"}
    found = _check(a_bill(items=items, payment_details=[payment]))

    assert found.errors == ()
    assert Decimal(found.total) == total
