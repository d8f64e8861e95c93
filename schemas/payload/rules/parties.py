"""
Rules about the establishment and the billed period (EST).
"""

from __future__ import annotations

from typing import Final

from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding
from schemas.payload.rules.identity import mail_address_has_the_form

ESTABLISHMENT: Final = RuleBook.about("establishment")
ESTABLISHMENT.by_shape("EST-001 EST-003")
ESTABLISHMENT.error("EST-002", "I")(mail_address_has_the_form)

BILLING_PERIOD: Final = RuleBook.about("billing_period")
BILLING_PERIOD.by_shape("EST-004")


@BILLING_PERIOD.error("EST-006", "R")
def period_runs_forward(period: Node, document: Document) -> Findings:
    # Dates of this form are in order when their texts are.
    if period.get("end_date", "9") >= period.get("start_date", "0"):
        return NO_FINDINGS
    return finding("end_date", 'La fecha de fin del período ("end_date") es anterior a la de inicio ("start_date").')


@BILLING_PERIOD.warning("EST-007", "R, uncertain")
def period_has_more_than_a_day(period: Node, document: Document) -> Findings:
    if "end_date" not in period or period["end_date"] != period.get("start_date"):
        return NO_FINDINGS
    return finding("end_date", "El período empieza y termina el mismo día; Factus pide un fin posterior al inicio.")


ESTABLISHMENT_BOOKS: Final = (ESTABLISHMENT,)

PERIOD_BOOKS: Final = (BILLING_PERIOD,)
