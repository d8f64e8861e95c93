"""
Rules about payments, surcharges and currency, one by one (SUM); what they add up to is in ``sums.py``.
"""

from __future__ import annotations

from typing import Final

from schemas.payload.findings import Level
from schemas.payload.known_names import HEADER_DISCOUNT
from schemas.payload.rules.book import NO_FINDINGS, Document, Finding, Findings, Node, RuleBook, finding

CREDIT: Final = "2"

PAYMENT: Final = RuleBook.about("payment_details.*")
PAYMENT.by_shape("SUM-001 SUM-002 SUM-003")

CHARGE: Final = RuleBook.about("allowance_charges.*")

CURRENCY: Final = RuleBook.about("currency")
CURRENCY.by_shape("SUM-021")


@PAYMENT.error("SUM-004", "D, sign I")
def payment_is_above_zero(payment: Node, document: Document) -> Findings:
    if payment.get("amount", 1) > 0:
        return NO_FINDINGS
    return finding("amount", 'El valor del pago ("amount") debe ser mayor que cero.')


@PAYMENT.error("SUM-005", "D, R")
def credit_has_a_due_date(payment: Node, document: Document) -> Findings:
    if payment.get("payment_form") != CREDIT or "due_date" in payment:
        return NO_FINDINGS
    return finding("due_date", 'Falta la fecha de vencimiento ("due_date"): es obligatoria en el pago a crédito.')


@PAYMENT.warning("SUM-006", "P, uncertain")
def due_date_is_ahead(payment: Node, document: Document) -> Findings:
    if payment.get("due_date", "9") >= document.today:
        return NO_FINDINGS
    return finding("due_date", 'La fecha de vencimiento ("due_date") ya pasó. Revísela.')


@CHARGE.error("SUM-018", "D")
def charge_concept_is_available(charge: Node, document: Document) -> Findings:
    if charge.get("concept_type", "03") == "03":
        return NO_FINDINGS
    return finding(
        "concept_type",
        f'Hoy Factus solo admite el concepto "03" (recargo) en "allowance_charges". {HEADER_DISCOUNT}',
    )


@CHARGE.error("SUM-019", "I")
def conditional_charge_is_a_surcharge(charge: Node, document: Document) -> Findings:
    if charge.get("concept_type") != "03" or charge.get("is_surcharge", True):
        return NO_FINDINGS
    return finding("is_surcharge", f'El concepto "03" es un recargo: "is_surcharge" va en true. {HEADER_DISCOUNT}')


@CHARGE.error("SUM-020", "D")
def charge_has_amounts(charge: Node, document: Document) -> Findings:
    found: list[Finding] = []
    if charge.get("base_amount", 1) <= 0:
        found.append(Finding("base_amount", 'La base del recargo o descuento ("base_amount") debe ser mayor que cero.'))
    if charge.get("amount", 0) < 0:
        found.append(Finding("amount", 'El valor del recargo o descuento ("amount") no puede ser negativo.'))
    return found


@CURRENCY.error("SUM-022", "D, P")
def exchange_rate_is_pesos_for_one(currency: Node, document: Document) -> Findings:
    rate = currency.get("exchange_rate")
    if rate is None or rate >= 1:
        return NO_FINDINGS
    if rate <= 0:
        return finding("exchange_rate", 'La tasa de cambio ("exchange_rate") debe ser mayor que cero.')
    return finding(
        "exchange_rate",
        'La tasa de cambio ("exchange_rate") es de pesos por una unidad extranjera; una menor que 1 parece invertida.',
        Level.WARNING,
    )


PAYMENT_BOOKS: Final = (PAYMENT,)

SALE_PAYMENT_BOOKS: Final = (CHARGE, CURRENCY)
"""What bills, credit and debit notes have beyond them."""
