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


NOT_CHECKED: Final = {
    "GEN-018": "only the later-than-now part: the day is known here, not the hour",
    "REF-002": "own store",
    "REF-003": "own store",
    "REF-005": "own store",
    "RNG-001": "ranges of the account",
    "RNG-002": "ranges of the account",
    "RNG-003": "ranges of the account",
    "RNG-006": "configuration of the account",
    "RNG-007": "ranges of the account",
    "SUM-007": "knowledge, no check",
    "SUM-023": "the formulas themselves (amounts.py); a difference shows as SUM-008",
    "SUM-024": "after the call",
    "CUS-024": "needs a call",
    "ITM-019": "profile of the issuer",
    "ITM-028": "knowledge, no check",
    "BILL-011": "whether tacit acceptance is meant is not in the payload",
}
"""Rules for bills that cannot be judged from a payload alone, and what they need."""

BILL_BOOKS: Final = (BILL, RELATED_DOCUMENT, ORDER)
