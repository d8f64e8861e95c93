"""
The watch over a bill on credit: one turn of it, a look at Factus and what the clock makes of that.

What is told is written in one step with what is known, behind the fence. Before anything is sent, all that was to be
told is written; so a process that dies after it has sent has left nothing unsaid, and the record says that it was
sending. Then the next turn counts that 034 as sent, and looks.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from jobs import answers
from jobs.archive_names import radian_name
from jobs.attempt_policy import answered
from jobs.calls import CallContext, Stop
from jobs.document_verbs import ACCEPTED_TACITLY, REGISTERED_BEFORE, radian_rows
from jobs.errors import ArchiveConflict, ArchiveUnavailable
from jobs.factus_requests import Request
from jobs.follow_ups import named
from jobs.outcomes import BillNote, Ending, Finished, News, Retry
from jobs.radian.clock import Clock
from jobs.radian.evidence import evidence
from jobs.radian.seen_events import ACCEPTANCES, read_events
from jobs.radian.state import ClockState, kept
from jobs.radian_policy import HOUR_MS, ms
from schemas.contract.event import ErrorDetail
from schemas.factus import Remark
from schemas.records import SendState

_LOST: Final = "sin respuesta"
_REASON: Final = ErrorDetail(code="dian.pending", message="Sin aceptación ni reclamo todavía.", retryable=True)


async def track(context: CallContext) -> Ending:
    """
    Look for RADIAN events that are new, tell what the clock says, and declare the tacit acceptance where it was asked.

    A refusal ends no watch: nobody would hear of it, and the bill goes on without us.
    """
    now_ms = context.policy.standing.now_ms
    clock, state = clock_of(context), ClockState.from_progress(context.progress)
    if context.is_uncertain:
        state = clock.after_send(state, context.policy.job.sending_at, _LOST)
    if clock.is_over(state):
        return await _conclude(context, clock, state)
    awake_ms = context.radian.awake_ms(now_ms)
    if awake_ms > now_ms:
        return _asleep(context, state, (awake_ms - now_ms) / 1000)
    try:
        state = replace(state, number=(await named(context, _known(state)))["number"])
        events = read_events(await radian_rows(context, state.number))
    except Stop as stop:
        return _unseen(context, clock, state, stop.ending)
    state, news = clock.after_look(state, events, now_ms)
    if not news and clock.may_emit(state, now_ms):
        state = state if state.sends else replace(state, before=kept(now_ms, events))
        try:
            state = await _emit(context, clock, state)
        except Stop as stop:
            return _with(stop.ending, state)
    return _after(context, clock, state, news)


def clock_of(context: CallContext) -> Clock:
    """The clock of the bill that a job watches."""
    emits = bool(context.payload.get("tacit_acceptance") and context.radian_person)
    return Clock(context.radian, _validated_at_ms(context), emits=emits)


def _validated_at_ms(context: CallContext) -> int:
    """
    From when the silence of a bill counts. A watch begins with the validation, unless its push was answered from the
    ledger: that one is given the instant (the version before gave none).
    """
    told = context.payload.get("validated_at")
    return ms(datetime.fromisoformat(told)) if told else context.policy.job.accepted_at


def _known(state: ClockState) -> dict[str, Any]:
    return {"number": state.number} if state.number else {}


def _after(context: CallContext, clock: Clock, state: ClockState, news: tuple[News, ...]) -> Ending:
    now_ms = context.policy.standing.now_ms
    note = _note(clock, state)
    if clock.is_over(state) and not _is_acceptance(state):
        return Finished("completed", "Seguimiento terminado.", news=news, bill=note)
    next_ms = now_ms if clock.is_over(state) else clock.next_ms(state, now_ms)
    return Retry(
        "job",
        (next_ms - now_ms) / 1000,
        _REASON,
        is_failure=False,
        progress=state.to_json(),
        news=news,
        latest_ms=clock.latest_ms(state, next_ms),
        bill=note,
    )


def _note(clock: Clock, state: ClockState) -> BillNote:
    word = state.last_word
    if word is None:
        return BillNote(state.number, term_ms=clock.accepts_from_ms(state) or None)
    if word.event_code not in ACCEPTANCES:
        return BillNote(state.number, term_ms=0)
    facts = {"accepted": word.event_code, "cude": word.cude or "", "occurred_at": word.occurred_at or ""}
    return BillNote(state.number, facts, term_ms=0)


def _is_acceptance(state: ClockState) -> bool:
    return state.last_word is not None and state.last_word.event_code in ACCEPTANCES


def _asleep(context: CallContext, state: ClockState, pause_s: float) -> Retry:
    """No call at night: the turn only puts the job off."""
    ending = Retry("job", pause_s, _REASON, is_failure=False, health="unknown")
    return replace(ending, progress=state.to_json()) if context.is_uncertain else ending


def _unseen(context: CallContext, clock: Clock, state: ClockState, ending: Ending) -> Ending:
    """A look that failed does not end the watch: the next one is at the interval, sooner while a date waits for it."""
    if isinstance(ending, Finished):
        now_ms = context.policy.standing.now_ms
        accepts_ms = clock.accepts_from_ms(state)
        is_waited_for = bool(accepts_ms) and accepts_ms <= now_ms and not state.due_at_ms
        pause_ms = min(context.radian.pause_ms(0), HOUR_MS // 4 if is_waited_for else 48 * HOUR_MS)
        ending = Retry("job", pause_ms / 1000, ending.errors[0], is_failure=False)
    return _with(ending, state) if context.is_uncertain else ending


def _with(ending: Ending, state: ClockState) -> Ending:
    """What is known of sending must not get lost with a turn that ends early."""
    assert isinstance(ending, Retry)
    return replace(ending, sent=SendState.NOTHING, progress=state.to_json())


# -- the tacit acceptance ----------------------------------------------------------------------------------------------
async def _emit(context: CallContext, clock: Clock, state: ClockState) -> ClockState:
    """
    Send one 034. That it is there, only a look says.

    Raises:
        Stop: It surely did not go out.
    """
    assert context.radian_person is not None
    path = f"{context.family.show(state.number)}/radian/events/{ACCEPTED_TACITLY}"
    seen = await context.send(Request("POST", path, body=dict(context.radian_person)))
    heard = heard_of(seen, context.policy.job.account)
    if heard is None:
        raise Stop(context.policy.call_not_accepted(seen, sent=SendState.NOTHING))
    return clock.after_send(state, context.policy.standing.now_ms, *heard)


def heard_of(seen: answers.Answer, account: str) -> tuple[str, str] | None:
    """
    What an answer to a 034 says: what was heard, and why it will never be taken (empty when it may have been). None for
    what surely did not go out.
    """
    match seen:
        case answers.Replied() | answers.Done() | answers.DocumentSeen() | answers.Acknowledged() | answers.Absent():
            return "Factus la recibió", ""
        case answers.Unknown(why):
            return f"{_LOST}: {why}", ""
        case answers.Conflicted(message, status):
            return answered(status, message), ""
        case answers.FieldsRefused(message, remarks) | answers.RulesRefused(remarks, message):
            text = answered(422, "; ".join([message, *map(_words, remarks)]).strip("; "))
            return text, "" if REGISTERED_BEFORE in text else _refusal(text, account)
        case answers.NotFound(message, status) | answers.BadRequest(status, message):
            text = answered(status, message)
            return text, _refusal(text, account)
        case answers.Denied(kind, message) if kind in ("product", "permission"):
            text = answered(seen.status, message)
            return text, _refusal(text, account)
        case _:
            return None


def _words(remark: Remark) -> str:
    return remark.text if remark.key is None or remark.key in remark.text else f"{remark.key}: {remark.text}"


def _refusal(text: str, account: str) -> str:
    return (
        f"Factus no registra la aceptación tácita (034): {text} Revise [accounts.{account}.radian_person] y el "
        "permiso de la cuenta; luego declárela con un trabajo invoice.accept."
    )


# -- the end -----------------------------------------------------------------------------------------------------------
async def _conclude(context: CallContext, clock: Clock, state: ClockState) -> Ending:
    """
    Keep the evidence of an acceptance. All that it says was written before: stored again it is the same file.

    Other content under its name is an earlier watch's evidence, which stays.
    """
    job, payload = context.policy.job, context.payload
    name = radian_name(job.account, date.fromisoformat(payload["day"]), job.family, state.number)
    content = evidence(job, clock, state)
    try:
        await context.archive.put(name, content, content_type="application/json")
    except ArchiveConflict:
        pass
    except ArchiveUnavailable as exc:
        reason = ErrorDetail(code="archive.unavailable", message=str(exc), retryable=True)
        return replace(context.policy.retry("job", reason, SendState.NOTHING), health="unknown")
    return Finished("completed", "Seguimiento terminado.", bill=_note(clock, state))
