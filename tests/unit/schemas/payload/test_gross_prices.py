"""Prices that hold their taxes: whoever corrects the payments then bills the tax twice, so the sentence must come."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from schemas.payload.validate import ValidatedPayload, validate_document
from tests.builders import a_bill, changed
from tests.families import a_document_payload
from tests.unit.schemas.payload.cases.case import PREPAYMENT, SURCHARGE

TODAY = date(2026, 11, 30)
SENTENCE = "parece que el precio ya los incluye"
ITEM = {**a_bill()["items"][0], "quantity": "1.00", "price": "50000.00", "taxes": [{"code": "01", "rate": "19.00"}]}
TIP = {**SURCHARGE, "base_amount": "50000", "amount": "5000"}


def a_sale(paid: str, *items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    payment = {"payment_form": "1", "payment_method_code": "10", "amount": paid}
    return a_bill(items=[{**ITEM, **item} for item in items or ({},)], payment_details=[payment], **fields)


def judged(bill: dict[str, Any]) -> ValidatedPayload:
    return validate_document("invoice", bill, today=TODAY)


FIVE = {"taxes": [{"code": "01", "rate": "5.00"}]}
EXCLUDED = {"taxes": [{"is_excluded": True}]}
RENTA = {"withholding_taxes": [{"code": "06", "rate": "2.50"}]}
RETE_IVA = {"withholding_taxes": [{"code": "05", "rate": "15.00"}]}
BOTH = {"withholding_taxes": RENTA["withholding_taxes"] + RETE_IVA["withholding_taxes"]}
GROSS = {
    "plain": a_sale("50000"),
    "with a discount of a fifth": a_sale("40000", {"discount_rate": "20.00"}),
    "with a discount in pesos": a_sale("49000", {"discount_amount": "1000.00"}),
    "with a discount that the payments forget": a_sale("50000", {"discount_rate": "20.00"}),
    "with a tip": a_sale("55000", allowance_charges=[TIP]),
    "with a tip that the payments forget": a_sale("50000", allowance_charges=[TIP]),
    "with a tip as high as the tax": a_sale("59500", allowance_charges=[{**TIP, "amount": "9500"}]),
    "example of version 1": a_sale(
        "99000", {"discount_rate": "20.00"}, FIVE, allowance_charges=[{**TIP, "amount": "9000"}]
    ),
    "with a line that has no tax": a_sale("100000", {}, EXCLUDED),
    "rounded down": a_sale("49950", cash_rounding_amount="-50.00"),
    "rounded up": a_sale("50050", cash_rounding_amount="50.00"),
    "small and rounded": a_sale("1000", {"price": "1010.00"}, cash_rounding_amount="-10.00"),
    "small, with the tax as the rounding's reason": a_sale("1000", {"price": "1000.00"}, cash_rounding_amount="-0.01"),
    "less a withholding reckoned on the price": a_sale("48750", RENTA),
    "less a withholding reckoned on the price without tax": a_sale("48949.58", RENTA),
    "less a share of the tax": a_sale("48802.52", RETE_IVA),
    "less both": a_sale("47752.10", BOTH),
    "less both, with a tip and rounded": a_sale("52750", BOTH, allowance_charges=[TIP], cash_rounding_amount="-2.10"),
    "less a prepayment": a_sale("46700", prepayment_details=[PREPAYMENT]),
    "in two payments": a_sale("50000")
    | {
        "payment_details": [
            {"payment_form": "1", "payment_method_code": "10", "amount": "20000"},
            {"payment_form": "1", "payment_method_code": "48", "amount": "30000"},
        ]
    },
}


@pytest.mark.parametrize("name", GROSS)
def test_the_sentence_comes(name: str) -> None:
    found = judged(GROSS[name])

    (error,) = found.errors
    assert SENTENCE in error.message
    assert "Corrija los pagos" not in error.message
    assert "corrija los precios" in error.message
    assert "SUM-017" in [warning.rule for warning in found.warnings]


NET = {
    "right": a_sale("59500"),
    "right, with a tip": a_sale("64500", allowance_charges=[TIP]),
    "right and rounded": a_sale("59450", cash_rounding_amount="-50.00"),
    "a peso more than the lines": a_sale("50001"),
    "half of it": a_sale("29750"),
    "no taxes at all": a_sale("40000", EXCLUDED),
    "no tax to speak of": a_sale("40000", {"taxes": [{"code": "01", "rate": "0.00"}]}),
    "a tip forgotten": a_sale("59500", allowance_charges=[TIP]),
    "the tax given as a discount": a_sale("50000.10", {"discount_rate": "15.966"[:5]}),
}


@pytest.mark.parametrize("name", NET)
def test_the_sentence_does_not_come(name: str) -> None:
    found = judged(NET[name])

    assert SENTENCE not in "".join(detail.message for detail in (*found.errors, *found.warnings))


@pytest.mark.parametrize("family", ["invoice", "credit_note", "debit_note", "support_document", "adjustment_note"])
def test_every_family_with_lines_says_it(family: str) -> None:
    document = changed(
        a_document_payload(family), {"payment_details.0.amount": "70000.00", "items.0.discount_rate": "0.00"}
    )
    lines = sum(Decimal(item["quantity"]) * Decimal(item["price"]) for item in document["items"])

    assert lines == 70000
    assert SENTENCE in validate_document(family, document, today=TODAY).errors[0].message


@pytest.mark.parametrize("family", ["invoice", "credit_note", "debit_note", "support_document", "adjustment_note"])
@pytest.mark.parametrize("rate", ["-100.00", "-100.01", "-150.00"])
def test_a_tax_that_takes_the_price_away_is_told_and_nothing_breaks(family: str, rate: str) -> None:
    """No price holds such a tax: the question whether prices hold their taxes has no answer, and must not raise."""
    document = a_document_payload(family)
    line = {key: value for key, value in document["items"][0].items() if key != "discount_rate"}
    line |= {"discount_rate": "0.00"} if family == "support_document" else {}
    odd = line | {"taxes": [{"code": "01", "rate": rate}], "withholding_taxes": [{"code": "06", "rate": "2.50"}]}
    large = line | {"price": "5000000.00", "taxes": [{"code": "01", "rate": "19.00"}]}
    document = changed(document, {"items": [odd, large], "payment_details.0.amount": "777.00"})

    found = validate_document(family, document, today=TODAY)

    assert ("ITM-012", "items.0.taxes.0.rate") in [(error.rule, error.field) for error in found.errors]


def of_lines(n_lines: int, off: str, taxes: list[dict[str, Any]]) -> ValidatedPayload:
    """A bill of so many lines of 11.50 and their taxes, with payments that are off by so much."""
    bill = a_sale("1", *[{"price": "11.50", "taxes": taxes}] * n_lines)
    total = judged(bill).errors[0].message.split("deben sumar ")[1].split(" ")[0]
    return judged(changed(bill, {"payment_details.0.amount": f"{Decimal(total) + Decimal(off):f}"}))


IVA = {"code": "01", "rate": "19.00"}
OTHER = {"code": "35", "rate": "10.00"}


@pytest.mark.parametrize(
    ("n_lines", "taxes", "most"),
    [(1, [IVA], "1.00"), (50, [IVA], "1.00"), (51, [IVA], "1.02"), (150, [IVA], "3.00"), (100, [IVA, OTHER], "3.00")],
)
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_cent_for_each_figure_may_be_rounding(n_lines: int, taxes: list[Any], most: str, sign: str) -> None:
    """How Factus rounds is not settled: a cent for each line and tax is warned of, or a peso; more is an error."""
    within = of_lines(n_lines, sign + most, taxes)
    beyond = of_lines(n_lines, f"{sign}{Decimal(most) + Decimal('0.01')}", taxes)

    assert [error.rule for error in within.errors] == []
    assert "SUM-008" in [warning.rule for warning in within.warnings]
    assert [error.rule for error in beyond.errors] == ["SUM-008"]


def test_a_bill_of_many_lines_rounded_the_usual_way_passes() -> None:
    line = Decimal("11.50")
    tax = (line * 19 / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    bill = a_sale(f"{150 * (line + tax)}", *[{"price": "11.50"}] * 150)

    assert judged(bill).errors == ()
