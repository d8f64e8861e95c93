"""
Rules about the establishment and the billed period (EST).
"""

from __future__ import annotations

from typing import Final

from schemas.rules import FINE, Document, Findings, Node, RuleBook, say
from schemas.rules_customer import email_fault

ESTABLISHMENT = RuleBook.about("establishment")
ESTABLISHMENT.by_shape("EST-001 EST-003")

BILLING_PERIOD = RuleBook.about("billing_period")
BILLING_PERIOD.by_shape("EST-004")


@ESTABLISHMENT.error("EST-002", "I")
def mail_address_has_the_form(establishment: Node, document: Document) -> Findings:
    return email_fault("email", establishment["email"]) if "email" in establishment else FINE


@BILLING_PERIOD.error("EST-006", "R")
def period_runs_forward(period: Node, document: Document) -> Findings:
    # Dates of this form are in order when their texts are.
    if period.get("end_date", "9") >= period.get("start_date", "0"):
        return FINE
    return say("end_date", 'La fecha de fin del período ("end_date") es anterior a la de inicio ("start_date").')


@BILLING_PERIOD.warning("EST-007", "R, uncertain")
def period_has_more_than_a_day(period: Node, document: Document) -> Findings:
    if "end_date" not in period or period["end_date"] != period.get("start_date"):
        return FINE
    return say("end_date", "El período empieza y termina el mismo día; Factus pide un fin posterior al inicio.")


PARTY_BOOKS: Final = (ESTABLISHMENT, BILLING_PERIOD)
