"""
Rules about a bill as a whole: contingency, related documents, purchase order, prepayments (BILL).
"""

from __future__ import annotations

from typing import Final

from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding
from schemas.payload.rules.sums import CHARGED, FREIGHT, PREPAID, ROUNDED, ROUNDING, WITHHELD, sums

CONTINGENCY: Final = "03"

BILL: Final = RuleBook.about("")
BILL.by_shape("BILL-001 BILL-005")

RELATED_DOCUMENT: Final = RuleBook.about("related_documents.*")
RELATED_DOCUMENT.by_shape("BILL-003")

ORDER: Final = RuleBook.about("order_reference")
ORDER.by_shape("BILL-010")

PREPAYMENT: Final = RuleBook.about("prepayment_details.*")
PREPAYMENT.by_shape("BILL-007")


@BILL.error("BILL-002", "D")
def contingency_names_its_documents(root: Node, document: Document) -> Findings:
    if root.get("document") != CONTINGENCY or root.get("related_documents"):
        return NO_FINDINGS
    return finding(
        "related_documents",
        'Una factura de contingencia (03) debe traer al menos un documento relacionado ("related_documents").',
    )


@RELATED_DOCUMENT.warning("BILL-004", "P")
def related_document_is_issued(related: Node, document: Document) -> Findings:
    if related.get("issue_date", "0") <= document.today:
        return NO_FINDINGS
    return finding("issue_date", 'La fecha del documento relacionado ("issue_date") es futura. Revísela.')


@PREPAYMENT.error("BILL-006", "D")
def prepayment_is_above_zero(prepayment: Node, document: Document) -> Findings:
    if prepayment.get("amount", 1) > 0:
        return NO_FINDINGS
    return finding("amount", 'El valor del anticipo ("amount") debe ser mayor que cero.')


@PREPAYMENT.warning("BILL-008", "P")
def prepayment_is_received(prepayment: Node, document: Document) -> Findings:
    if prepayment.get("received_date", "0") <= document.today:
        return NO_FINDINGS
    return finding("received_date", 'La fecha del anticipo ("received_date") es futura. Revísela.')


@BILL.warning("BILL-009", "X")
def prepayments_fit_the_total(root: Node, document: Document) -> Findings:
    if document.amounts is None or document.amounts.prepaid <= document.amounts.total:
        return NO_FINDINGS
    return finding("prepayment_details", "Los anticipos suman más que el total: el valor por pagar quedaría negativo.")


BILL_TOTALS: Final = sums("SUM-008", PREPAID, WITHHELD, CHARGED, FREIGHT, spare=ROUNDED)

BILL_BOOKS: Final = (BILL, RELATED_DOCUMENT, ORDER, PREPAYMENT, ROUNDING, BILL_TOTALS)
