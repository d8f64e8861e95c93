"""
The line of a document from what its row says: net prices, taxes, one discount; and what the document comes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any, Final, NamedTuple

from schemas import money
from schemas.money import HUNDRED, ZERO, render, round2
from schemas.payload.totals import SALE
from schemas.sheets.faults import Problem
from schemas.sheets.values import EXCLUDED
from schemas.version_1.gross import gross_of, net_line

_CENT: Final = Decimal("0.01")
_UNIT: Final = "94"
_OWN_CODING: Final = "999"
_DISCOUNT_AMOUNTS: Final = frozenset({"invoice", "credit_note"})
"""Families whose lines can have a discount as an amount."""


class Priced(NamedTuple):
    """Price and discount of a line as v2 has them."""

    price: Decimal
    discount_rate: Decimal | None = None
    discount_amount: Decimal | None = None


def taxes_of(iva: str, inc: str) -> list[dict[str, Any]]:
    """The taxes of a line from its two rates; a consumption tax of 0 is none."""
    found: list[dict[str, Any]] = []
    if iva == EXCLUDED:
        found.append({"is_excluded": True})
    elif iva:
        found.append({"code": "01", "rate": iva})
    if inc and inc != EXCLUDED and Decimal(inc):
        found.append({"code": "04", "rate": inc})
    return found


def net_price(
    gross: Decimal,
    quantity: Decimal,
    taxes: Sequence[Mapping[str, Any]],
    rate: Decimal | None,
    amount: Decimal | None,
    family: str,
) -> Priced | Problem:
    """
    Price and discount of a line of which the price with tax is known.

    Args:
        rate: A discount in percent, of the price with tax.
        amount: A discount in pesos, of which nobody knows whether it holds the tax.
    """
    if any(tax.get("code") == "04" for tax in taxes):
        return Problem(
            "SHT-018", "Con INC no se sabe qué impuestos incluye: escriba en Precio el valor antes de ellos."
        )
    percent = sum([Decimal(tax["rate"]) for tax in taxes if "rate" in tax], ZERO)
    if amount and percent:
        return Problem("SHT-019", "No se sabe si el descuento incluye el IVA: use Descuento %, o Precio antes de IVA.")
    # The rules of a payload refuse what is below zero, and a discount of more than all: it has no net price.
    if min(gross, quantity, percent, rate or ZERO) < 0 or (rate or ZERO) > HUNDRED:
        text = "Con un número negativo o un descuento mayor que 100 % no se puede separar el IVA: corrija la línea."
        return Problem("SHT-018", text)
    with localcontext(money.EXACT):
        line = net_line(gross, quantity, percent, rate or ZERO)
        exact = money.EXACT.divide(gross, 1 + percent / HUNDRED)
        if exact == round2(exact):
            return Priced(round2(exact), rate or None, amount or None)
        if family in _DISCOUNT_AMOUNTS:
            return Priced(line.price, None, line.discount or None)
        plain = round2(exact)
        base = round2(quantity * plain * (1 - (rate or ZERO) / HUNDRED))
        total = base + round2(base * percent / HUNDRED)
        if abs(total - round2(gross_of(gross, quantity, rate or ZERO))) > _CENT:
            text = "El IVA no se puede separar sin perder centavos en este tipo de documento: escriba Precio sin IVA."
            return Problem("SHT-018", text)
        return Priced(plain, rate or None, None)


def agree(price: Decimal, gross: Decimal, taxes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a net price and one with tax are the same price, to a cent."""
    percent = sum([Decimal(tax["rate"]) for tax in taxes if "rate" in tax], ZERO)
    return abs(price * (1 + percent / HUNDRED) - gross) <= _CENT


def item_of(
    family: str, texts: Mapping[str, str], quantity: Decimal, priced: Priced, taxes: list[dict[str, Any]]
) -> dict[str, Any]:
    """The line of the payload. *texts* are those of its row by the keys of their columns, empty where there is none."""
    item: dict[str, Any] = {
        "code_reference": texts["code_reference"],
        "name": texts["item_name"],
        "quantity": render(quantity),
        "price": render(priced.price),
        "unit_measure_code": texts.get("unit_measure_code") or _UNIT,
        "standard_code": _OWN_CODING,
        "taxes": taxes,
    }
    if priced.discount_rate or family == "support_document":
        item["discount_rate"] = render(priced.discount_rate or ZERO)
    if priced.discount_amount:
        item["discount_amount"] = render(priced.discount_amount)
    if note := texts.get("item_note"):
        item["note"] = note
    return {key: value for key, value in item.items() if value != ""}


def total_of(items: Sequence[Mapping[str, Any]]) -> Decimal:
    """What sound lines come to with their taxes."""
    with localcontext(money.EXACT):
        typed = [_typed(item) for item in items]
        amounts = SALE.amounts_of({"items": typed, "payment_details": []})
        assert amounts is not None  # every line has what counts
        return amounts.total


def _typed(item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {key: Decimal(item[key]) for key in ("quantity", "price")}
    found |= {key: Decimal(item[key]) for key in ("discount_rate", "discount_amount") if key in item}
    found["taxes"] = [{**tax, "rate": Decimal(tax["rate"])} if "rate" in tax else dict(tax) for tax in item["taxes"]]
    return found
