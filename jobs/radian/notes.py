"""
Notes about bills that have been accepted: a credit or debit note issued after 033 or 034 has no effect, so none goes
out unless its producer insists (``options.after_acceptance``).

What the watch has seen is known by the bill's number; a bill that is known to be paid at once is not looked up; of any
other Factus is asked once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from jobs import answers
from jobs.attempt_policy import AttemptPolicy, unavailable
from jobs.document_verbs import events_of_answer
from jobs.factus_requests import get
from jobs.families import FAMILIES
from jobs.issue import BeforeSend
from jobs.outcomes import AttemptResult, BillNote, Ending, Finished, Retry
from jobs.ports import Bills, Caller
from jobs.radian.seen_events import ACCEPTANCES, read_events
from schemas import strict_json
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord, SendState

NOTES: Final = ("credit_note", "debit_note")
_BILLS: Final = "invoice"
_CREDIT: Final = "2"
_LOOKED: Final = strict_json.dump({"bill_looked_up": True})
_MOST_READ: Final = 64 * 1024
"""Bytes of a payload that are read to learn how a bill is paid; of a longer one Factus is asked when a note comes."""

_KINDS: Final = {"033": "aceptación expresa (033)", "034": "aceptación tácita (034)"}


def bill_note(job: JobRecord, ending: Ending) -> BillNote | None:
    """What the end of an attempt leaves in the memory of bills; None for nothing."""
    if ending.bill is not None:
        return ending.bill
    if not isinstance(ending, Finished):
        return None
    if job.is_tracking:
        return BillNote(job.number, term_ms=0)
    is_bill = job.issues and ending.state == "validated" and FAMILIES[job.family].has_radian
    number = (ending.data or {}).get("number") if is_bill else None
    if not number or not 0 < len(job.payload) <= _MOST_READ:
        return None
    return BillNote(number, {"form": "credit" if is_credit(job.parse_payload()) else "cash"})


def is_credit(payload: Mapping[str, Any]) -> bool:
    """Whether a bill has a payment on credit: the only kind that RADIAN knows."""
    payments = payload.get("payment_details")
    rows = payments if isinstance(payments, list) else []
    return any(isinstance(row, dict) and str(row.get("payment_form")) == _CREDIT for row in rows)


def is_guarded(job: JobRecord) -> bool:
    """Whether the bill of a note is looked at before the note goes out: until it has been sent for the first time."""
    return job.family in NOTES and job.is_unsent and not job.goes_after_acceptance


async def guarded(
    policy: AttemptPolicy, gateway: Caller, bills: Bills, issuing: Callable[[BeforeSend], Awaitable[AttemptResult]]
) -> AttemptResult:
    """Issue a note, unless its bill has been accepted. What Factus has of it already is not held up by that."""
    guard = _BillGuard(policy, gateway, bills)
    attempted = await issuing(guard.before_send)
    ending = attempted.ending
    if guard.has_passed and isinstance(ending, Retry) and ending.progress is None:
        ending = replace(ending, progress=_LOOKED)
    status = guard.status if guard.has_ended else attempted.status
    return replace(attempted, ending=ending, n_calls=attempted.n_calls + guard.n_calls, status=status)


@dataclass(slots=True)
class _BillGuard:
    """Looks at the bill of a note right before the note would go out."""

    policy: AttemptPolicy
    gateway: Caller
    bills: Bills
    n_calls: int = 0
    status: int = 0
    """Of the look."""
    has_ended: bool = False

    @property
    def has_passed(self) -> bool:
        """Whether Factus was asked, and said nothing against it."""
        return bool(self.n_calls) and not self.has_ended

    async def before_send(self) -> Finished | Retry | None:
        """With what the attempt ends instead; None when the note may go out."""
        ending = await self._asked()
        self.has_ended = ending is not None
        return ending

    async def _asked(self) -> Finished | Retry | None:
        job = self.policy.job
        number = job.parse_payload().get("bill_number")
        if not isinstance(number, str) or not number:
            return None
        facts = await self.bills.bill(job.account, number)
        if facts.get("accepted") in ACCEPTANCES:
            return _refused(number, facts["accepted"], facts.get("occurred_at"), facts.get("cude"))
        if facts.get("form") == "cash" or job.progress == _LOOKED:
            return None
        seen = await self.gateway.call(get(f"{FAMILIES[_BILLS].show(number)}/radian/events"))
        self.n_calls, self.status = 1, answers.status_of(seen)
        return _after_look(self.policy, number, seen)


def _after_look(policy: AttemptPolicy, number: str, seen: answers.Answer) -> Finished | Retry | None:
    """What the look ends the attempt with; None when the note may go out."""
    match seen:
        case answers.Replied(body):
            found = [event for event in read_events(events_of_answer(body)) if event.event_code in ACCEPTANCES]
            if not found:
                return None
            return _refused(number, found[0].event_code, found[0].occurred_at, found[0].cude)
        case answers.Unknown(why):
            return policy.retry("lane", unavailable(why), SendState.NOTHING, health="unknown")
        case answers.Denied(kind, _) if kind in ("product", "permission"):
            return None
        case (
            answers.CredentialsRefused()
            | answers.NoToken()
            | answers.PaymentRequired()
            | answers.Denied()
            | answers.Throttled()
            | answers.NotSent()
            | answers.NoPermit()
        ):
            return policy.call_not_accepted(seen, sent=SendState.NOTHING)
        case _:
            # A look that Factus refuses says nothing of the bill: whether the note may be is Factus's to say.
            return None


def _refused(number: str, code: str, occurred_at: str | None, cude: str | None) -> Finished:
    when = f" del {occurred_at[:10]}" if occurred_at else ""
    which = f", CUDE {cude}" if cude else ""
    text = (
        f"La factura {number} tiene {_KINDS[code]}{when}{which}: es título valor y una nota posterior no tiene efecto. "
        "Si aun así debe emitirse, envíela con options.after_acceptance."
    )
    error = ErrorDetail(code="radian.accepted", message=text, field="bill_number")
    return Finished("refused", f"Nota no enviada: {text}", errors=(error,))
