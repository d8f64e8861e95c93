"""
The evidence of an acceptance: what Factus showed before and after, the calendar and the times, as one JSON file. Pure.

The same state makes the same bytes: stored again after a crash the file meets itself.
"""

from __future__ import annotations

import json
from typing import Any, Final

from jobs.radian.clock import Clock, told_term
from jobs.radian.seen_events import ACCEPTANCES
from jobs.radian.state import ClockState, Snapshot
from jobs.radian_policy import instant, rfc3339
from schemas.radian.tables import rule_for
from schemas.records import JobRecord

VERSION: Final = 1


def evidence(job: JobRecord, clock: Clock, state: ClockState) -> bytes:
    """The file, UTF-8, indented for people. Instants are Bogotá's."""
    word = state.last_word
    assert word is not None
    is_ours = bool(state.sends) and ACCEPTANCES.get(word.event_code) == "tacit"
    told: dict[str, Any] = {
        "version": VERSION,
        "account": job.account,
        "family": job.family,
        "number": state.number,
        "reference_code": job.reference_code,
        "job_id": job.parent or job.id,
        "accepted": {
            "kind": ACCEPTANCES.get(word.event_code),
            "by": "service" if is_ours else "found",
            "seen_at": _at(state.ended_at_ms),
            **word.told(),
        },
        "receipt": state.received.told() if state.received else None,
        "term": _term(clock, state),
        "due_at": _at(state.due_at_ms),
        "sent": [{"at": _at(one.at_ms), "answer": one.answer} for one in state.sends],
        "unconfirmed_at": _at(state.unconfirmed_at_ms),
        "before": _seen(state.before),
        "after": _seen(state.after),
    }
    return (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()


def _term(clock: Clock, state: ClockState) -> dict[str, Any] | None:
    term = clock.term(state)
    if term is None:
        return None
    rule = rule_for(term.received_at.date())
    law = {"source": rule.source, "business_days": rule.business_days, "rules_version": state.rules_version}
    return {**told_term(term), **law}


def _seen(look: Snapshot | None) -> dict[str, Any] | None:
    if look is None:
        return None
    return {"looked_at": _at(look.at_ms), "events": [event.told() for event in look.events]}


def _at(at_ms: int) -> str | None:
    return rfc3339(instant(at_ms)) if at_ms else None
