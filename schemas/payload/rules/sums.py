"""
Rules about what lines, charges and payments add up to (SUM).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import product
from typing import Final, NamedTuple

from schemas.money import ZERO, render
from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding
from schemas.payload.totals import Amounts, withheld_of_net

MAX_ROUNDING: Final = Decimal(500)
ROUNDED: Final = "cash_rounding_amount"

_GROSS_PRICES: Final = "Los pagos equivalen a las líneas sin sumar impuestos: parece que el precio ya los incluye."
_NET_WANTED: Final = 'Factus pide el precio unitario ("price") sin impuestos'

TOTALS: Final = RuleBook.about("")
ROUNDING: Final = RuleBook.about("")


class Cause(NamedTuple):
    """A slip that explains a large difference to the cent, and the rule against it."""

    rule: str
    source: str
    field: str
    message: str
    differences: Callable[[Amounts], tuple[Decimal, ...]]

    def explains(self, amounts: Amounts) -> bool:
        return amounts.off in [difference for difference in self.differences(amounts) if difference]


PREPAID: Final = Cause(
    "SUM-012",
    "D (four examples)",
    "payment_details",
    "Los anticipos no se restan de los pagos.",
    lambda amounts: (-amounts.prepaid,),
)
WITHHELD: Final = Cause(
    "SUM-013",
    "D (example)",
    "payment_details",
    "Las retenciones no se restan de los pagos.",
    lambda amounts: (-amounts.withheld,),
)
CHARGED: Final = Cause(
    "SUM-014",
    "D (example)",
    "allowance_charges",
    "Los recargos se suman al total y los descuentos se restan.",
    lambda amounts: (-amounts.surcharges, amounts.allowances, amounts.allowances - amounts.surcharges),
)
FREIGHT: Final = Cause(
    "SUM-015",
    "D (example)",
    "payment_details",
    "El valor del flete (propiedad 03) no hace parte de ningún total.",
    lambda amounts: (amounts.freight, -amounts.freight),
)


def sums(rule: str, *causes: Cause, spare: str = "") -> RuleBook:
    """
    The rules about the payments' sum, of which one at most speaks.

    Args:
        rule: The one that speaks when no cause is found.
        causes: Slips that the family knows.
        spare: The key that takes what rounding leaves over; empty where there is none.
    """
    book = RuleBook.about("")

    @book.error(rule, "D, R")
    def payments_make_the_total(root: Node, document: Document) -> Findings:
        amounts = document.amounts
        if amounts is None or not amounts.off or _is_wrong_rounding(root, amounts) or _cause(root, amounts, causes):
            return NO_FINDINGS
        return _difference(root, amounts, spare)

    for cause in causes:
        book.error(cause.rule, cause.source)(_explained(cause, causes))
    return book


def _difference(root: Node, amounts: Amounts, spare: str) -> Findings:
    figures = (
        f"Los pagos suman {render(amounts.paid)} y deben sumar {render(amounts.expected)} "
        f"(total {render(amounts.total)}, redondeo {render(amounts.rounding)})."
    )
    if abs(amounts.off) > amounts.tolerance:
        # The hint of SUM-017 as well: a warning beside an error reaches nobody who reads results.
        return finding(
            "payment_details", f"{figures} {_gross_mend(root, amounts) or 'Corrija los pagos o las líneas.'}"
        )
    mend = f'póngala en "{spare}"' if spare else "corrija los pagos"
    return finding(
        "payment_details",
        f"{figures} La diferencia de {render(amounts.off)} puede ser de redondeo: {mend}.",
        Level.WARNING,
    )


def _gross_mend(root: Node, amounts: Amounts) -> str:
    """What to do where the prices seem to hold their taxes: whoever corrects the payments would bill them twice."""
    if not _are_prices_gross(root, amounts):
        return ""
    return f"{_GROSS_PRICES} {_NET_WANTED}: corrija los precios, no los pagos."


def _cause(root: Node, amounts: Amounts, causes: tuple[Cause, ...]) -> Cause | None:
    if abs(amounts.off) <= amounts.tolerance or _is_wrong_rounding(root, amounts):
        return None
    return next((cause for cause in causes if cause.explains(amounts)), None)


def _explained(cause: Cause, causes: tuple[Cause, ...]) -> Callable[[Node, Document], Findings]:
    def check(root: Node, document: Document) -> Findings:
        amounts = document.amounts
        if amounts is None or not amounts.off or _cause(root, amounts, causes) is not cause:
            return NO_FINDINGS
        figures = f"Los pagos suman {render(amounts.paid)} y deben sumar {render(amounts.expected)}."
        # A tip as high as the tax explains the same difference: both readings are told.
        return finding(cause.field, f"{cause.message} {figures} {_gross_mend(root, amounts)}".rstrip())

    return check


@ROUNDING.error("SUM-010", "D, R")
def rounding_is_small(root: Node, document: Document) -> Findings:
    if abs(root.get("cash_rounding_amount", ZERO)) <= MAX_ROUNDING:
        return NO_FINDINGS
    return finding("cash_rounding_amount", 'El redondeo ("cash_rounding_amount") debe estar entre -500.00 y 500.00.')


@ROUNDING.error("SUM-011", "D (example)")
def rounding_is_the_difference(root: Node, document: Document) -> Findings:
    amounts = document.amounts
    if amounts is None or not amounts.off or not _is_wrong_rounding(root, amounts):
        return NO_FINDINGS
    right = render(amounts.paid - amounts.total)
    return finding(
        "cash_rounding_amount",
        f'El redondeo ("cash_rounding_amount") debe ser los pagos menos el total: {render(amounts.paid)} - '
        f"{render(amounts.total)} = {right}, no {render(amounts.rounding)}.",
        None if abs(amounts.off) > amounts.tolerance else Level.WARNING,
    )


def _is_wrong_rounding(root: Node, amounts: Amounts) -> bool:
    """Whether the rounding that was sent, not the payments, is the likely slip."""
    if not amounts.rounding or abs(amounts.paid - amounts.total) > MAX_ROUNDING:
        return False
    # Of a small document the tax is no more than a rounding may be; as a rounding it would be billed all the same.
    return not _are_prices_gross(root, amounts)


@TOTALS.warning("SUM-016", "P")
def total_is_above_zero(root: Node, document: Document) -> Findings:
    if document.amounts is None or document.amounts.total > 0:
        return NO_FINDINGS
    return finding("", f"El total del documento es {render(document.amounts.total)}; debería ser mayor que cero.")


@TOTALS.warning("SUM-017", "R+")
def prices_are_net(root: Node, document: Document) -> Findings:
    if document.amounts is None or not _are_prices_gross(root, document.amounts):
        return NO_FINDINGS
    return finding("items.0.price", f"{_GROSS_PRICES} {_NET_WANTED}.")


def _are_prices_gross(root: Node, amounts: Amounts) -> bool:
    """
    Whether the payments are what the lines come to before tax, whatever else was added or taken off.

    Discounts may have been forgotten; surcharges, allowances, the rounding, prepayments and withholdings may have been
    counted or not, and withholdings reckoned on the lines or on what they come to without tax.
    """
    if not (amounts.off or amounts.rounding) or amounts.taxes <= amounts.slack:
        return False
    if not amounts.off:
        # The payments are right because the rounding has taken the taxes off again.
        return abs(amounts.rounding + amounts.taxes) <= amounts.slack
    choices = [
        {amounts.net, amounts.at_price},
        {ZERO, amounts.surcharges},
        {ZERO, -amounts.allowances},
        {ZERO, amounts.rounding},
        {ZERO, -amounts.prepaid},
        {ZERO, -amounts.withheld, -withheld_of_net(root["items"])} if amounts.withheld else {ZERO},
    ]
    return any(abs(amounts.paid - sum(chosen)) <= amounts.slack for chosen in product(*choices))


SUM_BOOKS: Final = (TOTALS,)

OF_SUMS: Final = frozenset(["SUM-008", "SUM-009", "SUM-011"]).union(
    cause.rule for cause in (PREPAID, WITHHELD, CHARGED, FREIGHT)
)
"""The rules about what a document adds up to: any wrong figure breaks one of them as well."""
