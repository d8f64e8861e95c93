"""
Rules about credit and debit notes (NOTE, and what else is said of them alone).
"""

from __future__ import annotations

import re
from typing import Final

from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding
from schemas.payload.rules.sums import CHARGED, ROUNDED, ROUNDING, WITHHELD, sums

CREDIT_OF_BILL: Final = "20"
CREDIT_ALONE: Final = "22"
DEBIT_OF_BILL: Final = "30"
DEBIT_ALONE: Final = "32"
_CANCELLATION: Final = "2"
_UNIQUE_CODE: Final = re.compile("[0-9a-f]{96}", re.IGNORECASE | re.ASCII)
_NUMBER: Final = re.compile("[A-Z0-9]+", re.IGNORECASE | re.ASCII)

NOTE: Final = RuleBook.about("")
OF_BILL: Final = RuleBook.about("", {CREDIT_OF_BILL, DEBIT_OF_BILL})
ALONE: Final = RuleBook.about("", {CREDIT_ALONE, DEBIT_ALONE})
PERIOD: Final = RuleBook.about("billing_period")
PERIOD.by_shape("EST-005")
ITEM: Final = RuleBook.about("items.*")

CREDIT_NOTE: Final = RuleBook.about("")
CREDIT_NOTE.by_shape("NOTE-001 NOTE-003 NOTE-022")
CREDIT_NOTE.by_shape("NOTE-017", "D, R")
CREDIT_NOTE.by_shape("NOTE-020", "D9")
CREDIT_SUMS: Final = sums("SUM-009", WITHHELD, CHARGED)

DEBIT_NOTE: Final = RuleBook.about("")
DEBIT_NOTE.by_shape("NOTE-002 NOTE-004 NOTE-021")
DEBIT_NOTE.by_shape("NOTE-018 ITM-023", "D, R")
DEBIT_SUMS: Final = sums("SUM-008", WITHHELD, CHARGED, spare=ROUNDED)


@OF_BILL.error("NOTE-005", "D")
def note_names_its_bill(root: Node, document: Document) -> Findings:
    if "bill_number" in root:
        return NO_FINDINGS
    return finding(
        "bill_number",
        'Falta el número de la factura ("bill_number"): es obligatorio cuando la nota corrige una factura. Si no '
        'corrige ninguna, envíe "customization_id": "22" en una nota crédito o "32" en una nota débito.',
    )


@ALONE.warning("NOTE-006", "X, uncertain")
def note_without_bill_names_none(root: Node, document: Document) -> Findings:
    if "bill_number" not in root:
        return NO_FINDINGS
    return finding(
        "bill_number",
        f'Una nota de tipo {document.operation} no hace referencia a una factura. Quite "bill_number", o cambie el '
        'tipo ("customization_id").',
    )


@NOTE.error("NOTE-007", "D")
def bill_number_is_a_number(root: Node, document: Document) -> Findings:
    number = root.get("bill_number", "0")
    if _UNIQUE_CODE.fullmatch(number):
        return finding(
            "bill_number", 'Llegó un CUFE. Envíe el número de la factura ("bill_number"): prefijo y consecutivo.'
        )
    if _NUMBER.fullmatch(number):
        return NO_FINDINGS
    return finding(
        "bill_number",
        'El número de la factura ("bill_number") es el que dio Factus, prefijo y consecutivo sin separadores; no es '
        "el código de referencia. Revíselo.",
        Level.WARNING,
    )


@ALONE.error("NOTE-009", "D")
def note_without_bill_has_a_period(root: Node, document: Document) -> Findings:
    if "billing_period" in root:
        return NO_FINDINGS
    return finding(
        "billing_period",
        f'Falta el período ("billing_period") con sus dos fechas y sus dos horas: es obligatorio en el tipo '
        f"{document.operation}, sin factura.",
    )


@ALONE.error("NOTE-010", "I")
def note_without_bill_has_a_customer(root: Node, document: Document) -> Findings:
    if "customer" in root:
        return NO_FINDINGS
    return finding("customer", 'Falta el cliente ("customer"): sin factura de referencia no hay de dónde copiarlo.')


@OF_BILL.warning("NOTE-011", "D against R")
def customer_is_sent_all_the_same(root: Node, document: Document) -> Findings:
    customer = root.get("customer")
    if customer is None:
        return finding(
            "customer",
            'Envíe el cliente ("customer"), como está en la factura: la documentación lo da por opcional, pero Factus '
            "lo ha exigido.",
        )
    if "responsibilities" in customer:
        return NO_FINDINGS
    return finding(
        "customer.responsibilities",
        'Envíe las responsabilidades fiscales del cliente ("responsibilities", por ejemplo ["R-99-PN"]): Factus las '
        "ha exigido en notas.",
    )


@CREDIT_NOTE.error("NOTE-013", "X")
def cancellation_is_of_a_bill(root: Node, document: Document) -> Findings:
    if root.get("correction_concept_code") != _CANCELLATION or document.operation != CREDIT_ALONE:
        return NO_FINDINGS
    return finding(
        "correction_concept_code",
        'Una anulación (2) se hace sobre una factura: envíe "customization_id": "20" y el número de la factura.',
    )


@ITEM.error("NOTE-024", "I")
def note_has_no_negative_price(item: Node, document: Document) -> Findings:
    if item.get("price", 0) >= 0:
        return NO_FINDINGS
    return finding(
        "price",
        "Los valores de una nota son positivos: la nota crédito ya resta del valor de la factura y la débito ya suma.",
    )


NOTE_BOOKS: Final = (NOTE, OF_BILL, ALONE, PERIOD, ITEM)
"""Of both kinds of note."""

CREDIT_NOTE_BOOKS: Final = (CREDIT_NOTE, CREDIT_SUMS)

DEBIT_NOTE_BOOKS: Final = (DEBIT_NOTE, DEBIT_SUMS, ROUNDING)
