"""
Rules about a bill as a whole: contingency, related documents, purchase order (BILL).
"""

from __future__ import annotations

from typing import Final

from schemas.rules import FINE, Document, Findings, Node, RuleBook, say

CONTINGENCY: Final = "03"

BILL = RuleBook.about("")
BILL.by_shape("BILL-001 BILL-005")

RELATED_DOCUMENT = RuleBook.about("related_documents.*")
RELATED_DOCUMENT.by_shape("BILL-003")

ORDER = RuleBook.about("order_reference")
ORDER.by_shape("BILL-010")


@BILL.error("BILL-002", "D")
def contingency_names_its_documents(root: Node, document: Document) -> Findings:
    if root.get("document") != CONTINGENCY or root.get("related_documents"):
        return FINE
    return say(
        "related_documents",
        'Una factura de contingencia (03) debe traer al menos un documento relacionado ("related_documents").',
    )


@RELATED_DOCUMENT.warning("BILL-004", "P")
def related_document_is_issued(related: Node, document: Document) -> Findings:
    if related.get("issue_date", "0") <= document.today:
        return FINE
    return say("issue_date", 'La fecha del documento relacionado ("issue_date") es futura. Revísela.')


BILL_BOOKS: Final = (BILL, RELATED_DOCUMENT, ORDER)
