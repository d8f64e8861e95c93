"""
The term after which an invoice counts as accepted: from the receipt of the goods (event 032) to the day on which a
tacit acceptance (034) may be declared. Pure.

The day of the receipt does not count. The claim is in time until the evening of the last business day; we go by the
day that follows, which no reading of the law calls early.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from schemas.factus import BOGOTA
from schemas.radian.calendar import Calendar
from schemas.radian.tables import rule_for


@dataclass(frozen=True, slots=True)
class DayLeftOut:
    """A day within the term that does not count, and why (Spanish)."""

    day: date
    reason: str


@dataclass(frozen=True, slots=True)
class Term:
    """One term; all instants in Bogotá's time."""

    received_at: datetime
    claim_until: datetime
    """The end of the last business day: until then the buyer may claim."""
    accepts_from: datetime
    """The first instant at which the tacit acceptance is early under no reading."""
    left_out: tuple[DayLeftOut, ...]
    version: str
    """Which edition of rules and holidays, with a mark of what the operator has corrected."""


def term_of(received_at: datetime, calendar: Calendar) -> Term:
    """
    The term that began when the goods were received.

    Args:
        received_at: The instant of event 032, aware.

    Raises:
        OverflowError: It lies at the end of all dates.
    """
    received_at = received_at.astimezone(BOGOTA)
    day = received_at.date()
    rule = rule_for(day)
    left = rule.business_days
    left_out: list[DayLeftOut] = []
    while left:
        day += timedelta(days=1)
        reason = calendar.why_left_out(day, counts_saturday=rule.counts_saturday)
        if reason:
            left_out.append(DayLeftOut(day, reason))
        else:
            left -= 1
    return Term(
        received_at,
        datetime.combine(day, time(rule.end_hour), BOGOTA),
        datetime.combine(day + timedelta(days=1), time(0), BOGOTA),
        tuple(left_out),
        calendar.version,
    )
