"""
From a price that holds its tax to the net price and discount that Factus v2 takes, without losing a cent.

Rounding the net price alone misses the total in more than half of all lines. The net price is therefore rounded up to
the cent, and the discount of the line takes what is too much.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Final, NamedTuple

from schemas.money import EXACT, HUNDRED, ZERO, round2

_CENT: Final = Decimal("0.01")
_MOST_STEPS: Final = 200


class NetLine(NamedTuple):
    """A line as v2 says it. ``discount`` is an amount of the whole line, zero where the price says it all."""

    price: Decimal
    discount: Decimal
    total: Decimal
    """What the line comes to with its tax, by the rounding of v2."""


def net_line(price: Decimal, quantity: Decimal, rate: Decimal, discount_rate: Decimal = ZERO) -> NetLine:
    """
    The net form of a line whose *price* holds a tax of *rate* percent.

    Args:
        discount_rate: Percent that is taken off the price with its tax.

    Returns:
        A line whose total is at most 0.01 from ``quantity * price * (1 - discount_rate / 100)``, rounded.
    """
    factor = 1 + rate / HUNDRED
    base = round2(EXACT.divide(gross_of(price, quantity, discount_rate), factor))
    net = EXACT.divide(price, factor).quantize(_CENT, ROUND_CEILING, EXACT)
    # A product of two quantities with two decimals each can end half a cent from every amount: a cent more on the
    # price moves it.
    for _ in range(_MOST_STEPS):
        discount = round2(quantity * net) - base
        for nudged in (discount, discount + _CENT, discount - _CENT):
            if nudged >= 0 and round2(quantity * net - nudged) == base:
                return NetLine(net, nudged, base + round2(base * rate / HUNDRED))
        net += _CENT
    raise AssertionError("no discount fits the line")


def gross_of(price: Decimal, quantity: Decimal, discount_rate: Decimal = ZERO) -> Decimal:
    """What a line comes to at its price and discount."""
    return quantity * price * (1 - discount_rate / HUNDRED)
