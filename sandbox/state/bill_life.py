"""
What becomes of the bills on credit of an account, by the sandbox's own clock: the buyer's events, a Factus that
declares the tacit acceptance by itself, and how it answers whoever declares it.

Nothing runs beside requests: what has come about by now is added when somebody asks. The three business days are
counted here anew, and know only the holidays that they are told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final

from sandbox.state.radian import DELIVERY, LAST_WORDS, TACIT_ACCEPTANCE, add_event, codes_of
from sandbox.state.store import Document
from sandbox.values.datetimes import BOGOTA

REGISTERS: Final = "registers"
WANTS_PERSON: Final = "person"
CONFLICT: Final = "conflict"
REGISTERED: Final = "registered"
ANSWERS: Final = (REGISTERS, WANTS_PERSON, CONFLICT, REGISTERED)
_BUSINESS_DAYS: Final = 3


@dataclass(slots=True)
class BillLife:
    """
    The course of an account's bills on credit.

    Args:
        events: Codes, and how many seconds after its validation each happens to a bill.
        emits: Factus declares 034 itself, at the first instant after the three business days.
        answers: To whoever declares 034: `registers`; `person`, a 422 for want of one; `conflict`, a 409, and nothing
            is registered; `registered`, rule LGC01, and it is.
        shows_after_s: How long an event is there before it is listed.
        is_doubled, is_reversed: Events are listed twice, and the newest first.
    """

    events: tuple[tuple[str, float], ...] = ()
    emits: bool = False
    holidays: frozenset[date] = field(default_factory=frozenset)
    answers: str = REGISTERS
    shows_after_s: float = 0.0
    is_doubled: bool = False
    is_reversed: bool = False

    def come_about(self, document: Document, now: float) -> None:
        """Add what has happened to a bill by now."""
        if not is_on_credit(document) or document.validated_at is None:
            return
        for code, after_s in self.events:
            happens_at = document.validated_at + after_s
            if happens_at <= now and code not in codes_of(document.events):
                add_event(document.code, document.events, code, happens_at)
        received = [event for event in document.events if event["event_code"] == DELIVERY]
        if self.emits and received and not codes_of(document.events) & LAST_WORDS:
            happens_at = self.accepts_from(_instant(received[0]).date())
            if happens_at <= now:
                add_event(document.code, document.events, TACIT_ACCEPTANCE, happens_at)

    def accepts_from(self, day: date) -> float:
        """The first instant after three business days."""
        left = _BUSINESS_DAYS
        while left:
            day += timedelta(days=1)
            left -= day.weekday() < 5 and day not in self.holidays
        return datetime.combine(day + timedelta(days=1), time(0), BOGOTA).timestamp()

    def listed(self, events: Iterable[dict[str, str]], now: float) -> list[dict[str, str]]:
        """The events as they are listed by now."""
        late_s = self.shows_after_s
        shown = [event for event in events if not late_s or _instant(event).timestamp() + late_s <= now]
        if self.is_reversed:
            shown.reverse()
        return [event for event in shown for _ in range(2 if self.is_doubled else 1)]


def is_on_credit(document: Document) -> bool:
    return any(payment["payment_form"] == "2" for payment in document.fields.get("payment_details", ()))


def _instant(event: dict[str, str]) -> datetime:
    moment = datetime.fromisoformat(f"{event['effective_date']}T{event['effective_time']}")
    return moment.replace(tzinfo=BOGOTA)
