"""
Rules about payments, prepayments, surcharges, currency and what they all add up to (SUM, part of BILL).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from schemas.amounts import Amounts
from schemas.money import ZERO, render
from schemas.rules import FINE, Document, Findings, Level, Node, RuleBook, Said, say

CREDIT: Final = "2"
MAX_ROUNDING: Final = Decimal(500)
TOLERANCE: Final = Decimal(1)
"""Up to this the rounding mode of Factus may explain a difference; beyond it the document is wrong."""

PAYMENT = RuleBook.about("payment_details.*")
PAYMENT.by_shape("SUM-001 SUM-002 SUM-003")

PREPAYMENT = RuleBook.about("prepayment_details.*")
PREPAYMENT.by_shape("BILL-007")

CHARGE = RuleBook.about("allowance_charges.*")

CURRENCY = RuleBook.about("currency")
CURRENCY.by_shape("SUM-021")

TOTALS = RuleBook.about("")


@PAYMENT.error("SUM-004", "D, sign I")
def payment_is_above_zero(payment: Node, document: Document) -> Findings:
    if payment.get("amount", 1) > 0:
        return FINE
    return say("amount", 'El valor del pago ("amount") debe ser mayor que cero.')


@PAYMENT.error("SUM-005", "D, R")
def credit_has_a_due_date(payment: Node, document: Document) -> Findings:
    if payment.get("payment_form") != CREDIT or "due_date" in payment:
        return FINE
    return say("due_date", 'Falta la fecha de vencimiento ("due_date"): es obligatoria en el pago a crédito.')


@PAYMENT.warning("SUM-006", "P, uncertain")
def due_date_is_ahead(payment: Node, document: Document) -> Findings:
    if payment.get("due_date", "9") >= document.today:
        return FINE
    return say("due_date", 'La fecha de vencimiento ("due_date") ya pasó. Revísela.')


@PAYMENT.warning("CUS-023", "P")
def final_consumer_pays_at_once(payment: Node, document: Document) -> Findings:
    if not document.is_final_consumer or payment.get("payment_form") != CREDIT:
        return FINE
    return say(
        "payment_form", "Una venta a crédito a consumidor final no es usual. Revise el cliente o la forma de pago."
    )


@PREPAYMENT.error("BILL-006", "D")
def prepayment_is_above_zero(prepayment: Node, document: Document) -> Findings:
    if prepayment.get("amount", 1) > 0:
        return FINE
    return say("amount", 'El valor del anticipo ("amount") debe ser mayor que cero.')


@PREPAYMENT.warning("BILL-008", "P")
def prepayment_is_received(prepayment: Node, document: Document) -> Findings:
    if prepayment.get("received_date", "0") <= document.today:
        return FINE
    return say("received_date", 'La fecha del anticipo ("received_date") es futura. Revísela.')


@CHARGE.error("SUM-018", "D")
def charge_concept_is_available(charge: Node, document: Document) -> Findings:
    if charge.get("concept_type", "03") == "03":
        return FINE
    return say("concept_type", 'Hoy Factus solo admite el concepto "03" en recargos y descuentos del documento.')


@CHARGE.error("SUM-019", "I")
def conditional_charge_is_a_surcharge(charge: Node, document: Document) -> Findings:
    if charge.get("concept_type") != "03" or charge.get("is_surcharge", True):
        return FINE
    return say("is_surcharge", 'El concepto "03" es un recargo: envíe "is_surcharge": true.')


@CHARGE.error("SUM-020", "D")
def charge_has_amounts(charge: Node, document: Document) -> Findings:
    found: list[Said] = []
    if charge.get("base_amount", 1) <= 0:
        found.append(Said("base_amount", 'La base del recargo o descuento ("base_amount") debe ser mayor que cero.'))
    if charge.get("amount", 0) < 0:
        found.append(Said("amount", 'El valor del recargo o descuento ("amount") no puede ser negativo.'))
    return found


@CURRENCY.error("SUM-022", "D, P")
def exchange_rate_is_pesos_for_one(currency: Node, document: Document) -> Findings:
    rate = currency.get("exchange_rate")
    if rate is None or rate >= 1:
        return FINE
    if rate <= 0:
        return say("exchange_rate", 'La tasa de cambio ("exchange_rate") debe ser mayor que cero.')
    return say(
        "exchange_rate",
        'La tasa de cambio ("exchange_rate") es de pesos por una unidad extranjera; una menor que 1 parece invertida.',
        Level.WARNING,
    )


@TOTALS.error("SUM-008", "D, R")
def payments_make_the_total(root: Node, document: Document) -> Findings:
    amounts = document.amounts
    if amounts is None or not amounts.off or _is_wrong_rounding(amounts) or _cause(amounts):
        return FINE
    figures = (
        f"Los pagos suman {render(amounts.paid)} y deben sumar {render(amounts.expected)} "
        f"(total {render(amounts.total)}, redondeo {render(amounts.rounding)})."
    )
    if abs(amounts.off) > TOLERANCE:
        return say("payment_details", f"{figures} Corrija los pagos o las líneas.")
    return say(
        "payment_details",
        f'{figures} La diferencia de {render(amounts.off)} puede ser de redondeo: póngala en "cash_rounding_amount".',
        Level.WARNING,
    )


@TOTALS.error("SUM-010", "D, R")
def rounding_is_small(root: Node, document: Document) -> Findings:
    if abs(root.get("cash_rounding_amount", ZERO)) <= MAX_ROUNDING:
        return FINE
    return say("cash_rounding_amount", 'El redondeo ("cash_rounding_amount") debe estar entre -500.00 y 500.00.')


@TOTALS.error("SUM-011", "D (example)")
def rounding_is_the_difference(root: Node, document: Document) -> Findings:
    amounts = document.amounts
    if amounts is None or not amounts.off or not _is_wrong_rounding(amounts):
        return FINE
    right = render(amounts.paid - amounts.total)
    return say(
        "cash_rounding_amount",
        f'El redondeo ("cash_rounding_amount") debe ser los pagos menos el total: {render(amounts.paid)} - '
        f"{render(amounts.total)} = {right}, no {render(amounts.rounding)}.",
        None if abs(amounts.off) > TOLERANCE else Level.WARNING,
    )


def _is_wrong_rounding(amounts: Amounts) -> bool:
    """Whether the rounding that was sent, not the payments, is the likely slip."""
    return bool(amounts.rounding) and abs(amounts.paid - amounts.total) <= MAX_ROUNDING


def _cause(amounts: Amounts) -> str:
    """The rule that explains a large difference to the cent, if one does."""
    if abs(amounts.off) <= TOLERANCE or _is_wrong_rounding(amounts):
        return ""
    causes = {
        "SUM-012": (-amounts.prepaid,),
        "SUM-013": (-amounts.withheld,),
        "SUM-014": (-amounts.surcharges, amounts.allowances, amounts.allowances - amounts.surcharges),
        "SUM-015": (amounts.freight, -amounts.freight),
    }
    return next((rule for rule, differences in causes.items() if amounts.off in [d for d in differences if d]), "")


def _explained(rule: str, field: str, document: Document, message: str) -> Findings:
    amounts = document.amounts
    if amounts is None or not amounts.off or _cause(amounts) != rule:
        return FINE
    return say(field, f"{message} Los pagos suman {render(amounts.paid)} y deben sumar {render(amounts.expected)}.")


@TOTALS.error("SUM-012", "D (four examples)")
def prepayments_are_not_subtracted(root: Node, document: Document) -> Findings:
    return _explained("SUM-012", "payment_details", document, "Los anticipos no se restan de los pagos.")


@TOTALS.error("SUM-013", "D (example)")
def withholdings_are_not_subtracted(root: Node, document: Document) -> Findings:
    return _explained("SUM-013", "payment_details", document, "Las autorretenciones no se restan de los pagos.")


@TOTALS.error("SUM-014", "D (example)")
def charges_are_counted(root: Node, document: Document) -> Findings:
    return _explained(
        "SUM-014", "allowance_charges", document, "Los recargos se suman al total y los descuentos se restan."
    )


@TOTALS.error("SUM-015", "D (example)")
def freight_is_in_no_total(root: Node, document: Document) -> Findings:
    return _explained(
        "SUM-015", "payment_details", document, "El valor del flete (propiedad 03) no hace parte de ningún total."
    )


@TOTALS.warning("SUM-016", "P")
def total_is_above_zero(root: Node, document: Document) -> Findings:
    if document.amounts is None or document.amounts.total > 0:
        return FINE
    return say("", f"El total del documento es {render(document.amounts.total)}; debería ser mayor que cero.")


@TOTALS.warning("SUM-017", "R+")
def prices_are_net(root: Node, document: Document) -> Findings:
    amounts = document.amounts
    if amounts is None or not amounts.taxes or not amounts.off or amounts.paid != amounts.at_price:
        return FINE
    return say(
        "items.0.price",
        "Los pagos equivalen a cantidad por precio sin sumar impuestos: parece que el precio ya los incluye. Factus "
        'pide el precio unitario ("price") sin impuestos.',
    )


@TOTALS.warning("BILL-009", "X")
def prepayments_fit_the_total(root: Node, document: Document) -> Findings:
    if document.amounts is None or document.amounts.prepaid <= document.amounts.total:
        return FINE
    return say("prepayment_details", "Los anticipos suman más que el total: el valor por pagar quedaría negativo.")


PAYMENT_BOOKS: Final = (PAYMENT, PREPAYMENT, CHARGE, CURRENCY, TOTALS)
