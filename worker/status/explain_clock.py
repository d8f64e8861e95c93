"""The legal clock of a watched bill, in words and instants. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any, Final

from jobs.radian.state import ClockState
from schemas import strict_json
from schemas.records import JobRecord
from worker.speech import Speech, clock, iso

_NOTHING: Final[tuple[None, tuple[str, ...]]] = (None, ())


def clock_of(job: JobRecord, zone: tzinfo, speech: Speech) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """
    What a watch's record says of the term: for JSON, and as lines.

    Returns:
        Nothing before the first look, and where the record is damaged: the rest is still worth telling.
    """
    try:
        state = ClockState.from_progress(job.parsed_progress) if job.progress else None
    except (strict_json.JsonRefused, TypeError, ValueError, KeyError, AttributeError):
        return _NOTHING
    if state is None or not state.looked_at_ms:
        return _NOTHING
    word = state.last_word
    facts = {
        "received_at": iso(state.receipt_at_ms, zone),
        "claim_until": iso(state.claim_until_ms, zone),
        "accepts_from": iso(state.accepts_from_ms, zone),
        "due_at": iso(state.due_at_ms, zone),
        "silent_at": iso(state.silent_at_ms, zone),
        "n_sent": len(state.sends),
        "unconfirmed_at": iso(state.unconfirmed_at_ms, zone),
        "last_word": word.event_code if word else None,
        "looked_at": iso(state.looked_at_ms, zone),
        "rules_version": state.rules_version or None,
    }
    return facts, tuple(_words(state, zone, speech))


def _words(state: ClockState, zone: tzinfo, speech: Speech) -> list[str]:
    say = speech.say
    if not state.received:
        told = [say("sin recibo de la mercancía (032) todavía", "no receipt of the goods (032) yet")]
        if state.silent_at_ms:
            at = clock(state.silent_at_ms, zone)
            told.append(say(f"se avisó de ello (radian.silent) {at}", f"that was told (radian.silent) at {at}"))
        return told
    received, until = clock(state.receipt_at_ms, zone), clock(state.claim_until_ms, zone)
    day = clock(state.accepts_from_ms, zone)[:10]
    told = [
        say(f"recibida (032) {received}", f"received (032) {received}"),
        say(f"el comprador puede reclamar hasta {until}", f"the buyer may claim until {until}"),
        say(f"aceptación tácita (034) desde el {day}", f"tacit acceptance (034) from {day}"),
    ]
    if state.due_at_ms:
        at = clock(state.due_at_ms, zone)
        told.append(say(f"plazo vencido, avisado (radian.due) {at}", f"the term is over, told (radian.due) at {at}"))
    if state.sends:
        n, at = len(state.sends), clock(state.sends[-1].at_ms, zone)
        told.append(say(f"034 enviada ({n}), la última {at}", f"034 sent ({n}), last at {at}"))
    if state.refusal:
        told.append(state.refusal)
    return told
