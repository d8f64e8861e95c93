"""Money: reading and writing agree, and rounding is what it says for every amount."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from schemas.money import Wrong, normal, parse, render, round2

amounts = st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=2)
anything = st.none() | st.booleans() | st.integers() | st.text() | st.floats() | st.decimals(allow_nan=True)


@given(amounts)
def test_what_is_rendered_reads_back(amount: Decimal) -> None:
    assert parse(render(amount)) == amount


@given(amounts)
def test_equal_decimals_have_one_normal_form(amount: Decimal) -> None:
    form = normal(amount)

    assert form == amount
    assert str(form) == str(normal(Decimal(render(amount)))) == str(normal(form))


@given(st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=6))
def test_rounding_is_near_and_ties_are_even(exact: Decimal) -> None:
    rounded = round2(exact)

    assert abs(rounded - exact) <= Decimal("0.005")
    if abs(rounded - exact) == Decimal("0.005"):
        assert int(rounded * 100) % 2 == 0


@given(anything)
def test_nothing_raises(value: object) -> None:
    found = parse(value)

    assert isinstance(found, Wrong) or found == Decimal(str(value))


@given(st.text(alphabet="0123456789.-+eE_, \n", max_size=30))
def test_only_plain_decimals_are_taken(text: str) -> None:
    found = parse(text)

    if isinstance(found, Decimal):
        assert set(text) <= set("0123456789.-")
        assert len(text.partition(".")[2]) <= 2
