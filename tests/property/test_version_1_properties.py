"""Money of version 1: no random line loses more than a cent, and converting twice gives the same document."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import money
from schemas.money import round2
from schemas.payload.validate import validate_document
from schemas.version_1.convert import Converted, convert
from schemas.version_1.gross import gross_of, net_line
from tests.unit.schemas.version_1.test_convert import a_body, a_line

CENT = Decimal("0.01")
prices = st.decimals(min_value=0, max_value=Decimal("999999999.99"), places=2)
quantities = st.decimals(min_value=CENT, max_value=Decimal("99999.99"), places=2)
rates = st.sampled_from([Decimal(rate) for rate in ("0", "5", "8", "19", "1.9", "16")]) | st.decimals(0, 100, places=2)
discounts = st.just(Decimal(0)) | st.decimals(0, 100, places=2)


@given(prices, quantities, rates, discounts)
@settings(max_examples=1_000)
def test_line_never_differs_by_more_than_a_cent(
    price: Decimal, quantity: Decimal, rate: Decimal, discount: Decimal
) -> None:
    with localcontext(money.EXACT):
        line = net_line(price, quantity, rate, discount)
        base = round2(quantity * line.price - line.discount)
        total = base + round2(base * rate / 100)
        assert total == line.total
        assert abs(total - round2(gross_of(price, quantity, discount))) <= CENT
        assert line.discount >= 0
        assert line.price == round2(line.price)


@given(st.lists(st.tuples(prices, st.integers(1, 500), rates, discounts), min_size=1, max_size=8))
@settings(max_examples=300)
def test_document_keeps_its_total_and_its_payment(lines: list[tuple[Decimal, int, Decimal, Decimal]]) -> None:
    body = a_body(*(a_line(price=str(p), quantity=q, tax_rate=str(r), discount_rate=str(d)) for p, q, r, d in lines))
    found = convert("invoice", body)
    assert isinstance(found, Converted)
    assert abs(found.difference) <= CENT * len(lines)
    judged = validate_document("invoice", found.payload, today=date(2026, 11, 30))
    wrong = {error.rule for error in judged.errors if error.rule and error.rule.startswith("SUM")}
    assert wrong <= ({"SUM-004"} if not found.total_v2 else set())  # a payment of nothing
    again = convert("invoice", body)
    assert isinstance(again, Converted)
    assert again.payload == found.payload


@pytest.mark.deep
def test_two_hundred_thousand_lines_as_shops_write_them() -> None:
    """Usual rates and discounts, prices that end in anything: what a search for odd values seldom draws."""
    draw = random.Random(20261130)
    worst = Decimal(0)
    with localcontext(money.EXACT):
        for _ in range(200_000):
            price = Decimal(draw.randint(1, 10 ** draw.randint(2, 10))) / 100
            quantity = Decimal(draw.choice([draw.randint(1, 500), draw.randint(1, 99_999) / Decimal(100)]))
            rate = Decimal(draw.choice(["0", "5", "8", "16", "19"]))
            discount = Decimal(draw.choice([0, 0, draw.randint(1, 10_000) / Decimal(100)]))
            line = net_line(price, quantity, rate, discount)
            base = round2(quantity * line.price - line.discount)
            total = base + round2(base * rate / 100)
            worst = max(worst, abs(total - round2(gross_of(price, quantity, discount))))
            assert worst <= CENT, (price, quantity, rate, discount)
