"""
The arithmetic of documents with lines: decimals, every tax rounded on its own, half to even.

Source: reference of bills, section 4.5, and the totals of the other families. Prepayments and self-withholdings do not
reduce the total, allowances and surcharges count as sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

_CENT: Final = Decimal("0.01")
_ZERO: Final = Decimal("0.00")
_HUNDRED: Final = Decimal(100)


def round2(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class TaxLine:
    code: str
    is_excluded: bool
    rate: Decimal
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Withholding:
    code: str
    rate: Decimal
    withheld: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    gross: Decimal
    discount: Decimal
    discount_rate: Decimal
    base: Decimal
    taxes: tuple[TaxLine, ...]
    withholdings: tuple[Withholding, ...]


@dataclass(frozen=True, slots=True)
class Amounts:
    lines: tuple[Line, ...]
    gross: Decimal
    taxable: Decimal
    tax: Decimal
    surcharges: Decimal
    allowances: Decimal
    prepaid: Decimal
    total: Decimal
    taxes: Mapping[tuple[str, bool], Mapping[Decimal, tuple[Decimal, Decimal]]] = field(default_factory=dict)
    withheld: Mapping[str, Decimal] = field(default_factory=dict)


def compute_amounts(sent: dict[str, Any]) -> Amounts:
    """Of any family with lines; members that a family lacks count as nothing."""
    lines = tuple(_line(item) for item in sent["items"])
    surcharges, allowances = _charges(sent.get("allowance_charges") or ())
    tax = sum((line_tax.tax for line in lines for line_tax in line.taxes), _ZERO)
    return Amounts(
        lines=lines,
        gross=sum((line.gross for line in lines), _ZERO),
        taxable=sum((line.base for line in lines if not all(tax.is_excluded for tax in line.taxes)), _ZERO),
        tax=tax,
        surcharges=surcharges,
        allowances=allowances,
        prepaid=sum((prepayment["amount"] for prepayment in sent.get("prepayment_details") or ()), _ZERO),
        total=sum((line.base for line in lines), _ZERO) + tax + surcharges - allowances,
        taxes=_taxes_by_tribute(lines),
        withheld=_withheld_by_code(lines),
    )


def _line(item: dict[str, Any]) -> Line:
    full = item["quantity"] * item["price"]
    rate = item.get("discount_rate") or _ZERO
    discount = item.get("discount_amount") or full * rate / _HUNDRED
    if item.get("discount_amount") and full:
        rate = round2(discount * _HUNDRED / full)
    base = round2(full - discount)
    taxes = tuple(_tax(tax, base) for tax in item["taxes"])
    return Line(
        gross=round2(full),
        discount=round2(discount),
        discount_rate=rate,
        base=base,
        taxes=taxes,
        withholdings=tuple(_withholding(sent, base, taxes) for sent in item.get("withholding_taxes") or ()),
    )


def _tax(tax: dict[str, Any], base: Decimal) -> TaxLine:
    if tax.get("is_excluded"):
        return TaxLine("01", True, _ZERO, base, _ZERO)
    return TaxLine(tax["code"], False, tax["rate"], base, round2(base * tax["rate"] / _HUNDRED))


def _withholding(sent: dict[str, Any], base: Decimal, taxes: tuple[TaxLine, ...]) -> Withholding:
    """ReteIVA (05) is withheld from the IVA of the line, ReteRenta (06) from its base."""
    if sent["code"] == "05":
        base = sum((tax.tax for tax in taxes if tax.code == "01"), _ZERO)
    return Withholding(sent["code"], sent["rate"], round2(base * sent["rate"] / _HUNDRED))


def _charges(sent: Any) -> tuple[Decimal, Decimal]:
    surcharges = sum((charge["amount"] for charge in sent if charge["is_surcharge"]), _ZERO)
    allowances = sum((charge["amount"] for charge in sent if not charge["is_surcharge"]), _ZERO)
    return surcharges, allowances


def _taxes_by_tribute(
    lines: tuple[Line, ...],
) -> dict[tuple[str, bool], dict[Decimal, tuple[Decimal, Decimal]]]:
    """Base and tax of the whole document by tribute and rate; excluded lines of a tribute stand apart."""
    totals: dict[tuple[str, bool], dict[Decimal, tuple[Decimal, Decimal]]] = {}
    for line in lines:
        for tax in line.taxes:
            by_rate = totals.setdefault((tax.code, tax.is_excluded), {})
            base, amount = by_rate.get(tax.rate, (_ZERO, _ZERO))
            by_rate[tax.rate] = (base + tax.base, amount + tax.tax)
    return totals


def _withheld_by_code(lines: tuple[Line, ...]) -> dict[str, Decimal]:
    totals: dict[str, Decimal] = {}
    for line in lines:
        for withholding in line.withholdings:
            totals[withholding.code] = totals.get(withholding.code, _ZERO) + withholding.withheld
    return totals
