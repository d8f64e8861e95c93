"""
What a document adds up to, by the formulas of the business rules, section 3.

A payroll adds up by its control totals. Works on values that the shape stage has turned into decimals; the caller sets
the exact decimal context.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, Final, NamedTuple

from schemas import money
from schemas.money import HUNDRED, ZERO, round2

_LEAST_TOLERANCE: Final = Decimal(1)
_CENT: Final = Decimal("0.01")
_FREIGHT_VALUE: Final = "03"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Every sum that a rule compares, in pesos. Of a payroll only the total is meant: its net balance."""

    total: Decimal
    taxes: Decimal = ZERO
    paid: Decimal = ZERO
    rounding: Decimal = ZERO
    surcharges: Decimal = ZERO
    allowances: Decimal = ZERO
    prepaid: Decimal = ZERO
    withheld: Decimal = ZERO
    freight: Decimal = ZERO
    at_price: Decimal = ZERO
    """Sum of quantity by price: what the payments equal when prices were sent with their taxes inside."""

    expected: Decimal = ZERO
    """What the payments must add up to: total + rounding."""
    off: Decimal = ZERO
    """Payments minus what they must add up to."""
    slack: Decimal = ZERO
    """What rounding may have made of the sums; zero when the payments fit and nothing is rounded."""

    @property
    def tolerance(self) -> Decimal:
        """Up to this the rounding mode of Factus, which nobody has settled, may explain a difference."""
        return max(_LEAST_TOLERANCE, self.slack)

    @property
    def net(self) -> Decimal:
        """The lines after their discounts and before their taxes."""
        return self.total - self.taxes - self.surcharges + self.allowances


class Arithmetic(NamedTuple):
    """How the documents of a family add up."""

    counts: Callable[[str], bool]
    """Whether the sums depend on the value at a path: without it they would accuse the rest wrongly."""
    add_up: Callable[[dict[str, Any]], Amounts]
    """Raises KeyError when something that counts is not there; a rule says so."""

    def amounts_of(self, root: dict[str, Any], refused: Collection[str] = ()) -> Amounts | None:
        """
        Add up a document.

        Args:
            root: The payload with decimals in its decimal fields.
            refused: Paths that the shape stage has taken out of it.

        Returns:
            None when something that counts is missing or was refused.
        """
        if any(map(self.counts, refused)):
            return None
        try:
            return self.add_up(root)
        except KeyError:
            return None


_COUNTED_PARTS: Final = frozenset(
    {"items", "payment_details", "prepayment_details", "allowance_charges", "cash_rounding_amount"}
)
_COUNTED_KEYS: Final = _COUNTED_PARTS | {
    "quantity",
    "price",
    "discount_rate",
    "discount_amount",
    "taxes",
    "withholding_taxes",
    "additional_properties",
    "rate",
    "is_excluded",
    "is_surcharge",
    "amount",
}


def _counts_in_sale(field: str) -> bool:
    steps = field.split(".")
    return steps[0] in _COUNTED_PARTS and (steps[-1] in _COUNTED_KEYS or steps[-1].isdigit())


def _sale(root: dict[str, Any]) -> Amounts:
    base = taxes = withheld = freight = at_price = ZERO
    for item in root["items"]:
        line_full = item["quantity"] * item["price"]
        line_base = round2(line_full - _discount(item, line_full))
        line_taxes, iva = _taxes(item["taxes"], line_base)
        base += line_base
        taxes += line_taxes
        at_price += line_full
        if "withholding_taxes" in item:
            withheld += _withheld(item["withholding_taxes"], line_base, iva)
        if "additional_properties" in item:
            freight += _freight(item["additional_properties"])
    surcharges, allowances = _charges(root.get("allowance_charges", ()))
    total = base + taxes + surcharges - allowances
    expected = total + root.get("cash_rounding_amount", ZERO)
    paid = sum([payment["amount"] for payment in root["payment_details"]], ZERO)
    rounding = expected - total
    off = paid - expected
    return Amounts(
        total=total,
        taxes=taxes,
        paid=paid,
        rounding=rounding,
        expected=expected,
        off=off,
        slack=_slack(root["items"]) if off or rounding else ZERO,
        surcharges=surcharges,
        allowances=allowances,
        prepaid=sum([prepayment["amount"] for prepayment in root.get("prepayment_details", ())], ZERO),
        withheld=withheld,
        freight=freight,
        at_price=at_price,
    )


def _slack(items: list[dict[str, Any]]) -> Decimal:
    """A cent for each figure that is rounded: every line, and every tax of it."""
    return _CENT * sum([1 + len(item["taxes"]) for item in items])


def withheld_of_net(items: list[dict[str, Any]]) -> Decimal:
    """The withholdings of lines whose prices hold their taxes, as whoever wrote such prices works them out."""
    return sum([_withheld_of_net(item) for item in items if "withholding_taxes" in item], ZERO)


def _withheld_of_net(item: dict[str, Any]) -> Decimal:
    full = item["quantity"] * item["price"]
    rates = [(tax["code"], tax["rate"]) for tax in item["taxes"] if not tax.get("is_excluded")]
    share = 1 + sum([rate for _, rate in rates], ZERO) / HUNDRED
    # Rates are judged by rules of their own and may be below zero here. No price holds taxes that take all of it away.
    if share <= 0:
        return ZERO
    net = (full - _discount(item, full)) / share
    iva = net * sum([rate for code, rate in rates if code == "01"], ZERO) / HUNDRED
    return _withheld(item["withholding_taxes"], net, iva)


def _discount(item: dict[str, Any], line_full: Decimal) -> Decimal:
    amount: Decimal = item.get("discount_amount", ZERO)
    if amount:
        return amount
    rate: Decimal = item.get("discount_rate", ZERO)
    return line_full * rate / HUNDRED if rate else ZERO


def _taxes(taxes: list[dict[str, Any]], line_base: Decimal) -> tuple[Decimal, Decimal]:
    """All taxes of a line, and the IVA among them."""
    total = iva = ZERO
    for tax in taxes:
        if tax.get("is_excluded"):
            continue
        amount = round2(line_base * tax["rate"] / HUNDRED)
        total += amount
        if tax["code"] == "01":
            iva += amount
    return total, iva


def _withheld(withholdings: list[dict[str, Any]], line_base: Decimal, iva: Decimal) -> Decimal:
    # ReteIVA (05) is a share of the IVA, ReteRenta (06) of the base.
    return sum([round2((iva if w["code"] == "05" else line_base) * w["rate"] / HUNDRED) for w in withholdings], ZERO)


def _freight(properties: list[dict[str, Any]]) -> Decimal:
    values = [money.parse(prop["value"]) for prop in properties if prop["code"] == _FREIGHT_VALUE]
    return sum([value for value in values if isinstance(value, Decimal)], ZERO)


def _charges(charges: list[dict[str, Any]]) -> tuple[Decimal, Decimal]:
    surcharges = sum([charge["amount"] for charge in charges if charge["is_surcharge"]], ZERO)
    allowances = sum([charge["amount"] for charge in charges if not charge["is_surcharge"]], ZERO)
    return surcharges, allowances


def _counts_in_payroll(field: str) -> bool:
    return field.partition(".")[0] in ("accruals", "deductions")


def _payroll(root: dict[str, Any]) -> Amounts:
    return Amounts(total=_concepts(root["accruals"]) - _concepts(root["deductions"]))


def _concepts(concepts: dict[str, Any]) -> Decimal:
    """Every amount below; a strike and an unpaid leave have none."""
    rows = chain.from_iterable([found if isinstance(found, list) else [found] for found in concepts.values()])
    return sum([row.get("amount", ZERO) for row in rows], ZERO)


SALE: Final = Arithmetic(_counts_in_sale, _sale)
"""Bills, notes and support documents: lines, taxes, surcharges and what is paid."""

PAYROLL: Final = Arithmetic(_counts_in_payroll, _payroll)
"""Accruals minus deductions."""
