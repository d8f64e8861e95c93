"""
What follows a document, in words: the archiving of its files, and the watch over its RADIAN events. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final

from schemas.names import ending_of
from schemas.records import JobRecord
from worker.speech import Speech, clock, iso
from worker.status.explain_clock import clock_of
from worker.status.lookup import Follower, JobSnapshot, JobWithFollowUps
from worker.status.state_words import situation

_NO_RECORD: Final = ("no hay (o ya no hay) registro de él", "the ledger has no record of it (any more)")


@dataclass(frozen=True, slots=True)
class Part:
    """
    One thing that follows a document. Times are ISO 8601.

    ``state`` is ``later`` (the document comes first), ``pending``, ``done``, ``failed`` or ``unknown``.
    """

    name: str
    state: str
    why: str
    next: str = ""
    next_at: str | None = None
    until: str | None = None
    documents: tuple[dict[str, Any], ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    clock: dict[str, Any] | None = None
    """The term of a watched bill: instants, null where they are not known (yet)."""
    clock_words: tuple[str, ...] = ()


def parts_of(followed: JobWithFollowUps, zone: tzinfo, speech: Speech) -> tuple[Part, ...]:
    """What follows a job; nothing when nothing was asked for, or its document has failed."""
    job = followed.job.job
    parts = [(one, _early("archive", job, speech) or _archive(one, zone, speech)) for one in followed.archives]
    if followed.track:
        parts.append((followed.track, _early("radian", job, speech) or _track(followed.track, zone, speech)))
    told = tuple(replace(part, why=part.why + _whose(follower, speech)) for follower, part in parts)
    return told if not job.is_final or ending_of(job.final_type) == "validated" else ()


def _early(name: str, job: JobRecord, speech: Speech) -> Part | None:
    if job.is_final:
        return None
    why = speech.say("comienza cuando la DIAN valide el documento", "begins when DIAN has validated the document")
    return Part(name, "later", why)


def _whose(follower: Follower, speech: Speech) -> str:
    by = follower.asked_by
    return speech.say(f"; lo pidió el trabajo {by}", f"; asked for by job {by}") if by else ""


# -- archive -----------------------------------------------------------------------------------------------------------
def _archive(follower: Follower, zone: tzinfo, speech: Speech) -> Part:
    kinds = ", ".join(follower.asked)
    if follower.found is None:
        return Part("archive", "unknown", f"{kinds}: {speech.say(*_NO_RECORD)}")
    job = follower.found.job
    files = tuple(job.parsed_progress.get("documents", ()))
    if not job.is_final:
        why, following, next_ms = _open(follower.found, zone, speech)
        n, of = len(files), len(follower.asked)
        done = speech.say(f"{n} de {of} archivos guardados", f"{n} of {of} files are archived")
        return Part("archive", "pending", f"{kinds}: {done}; {why}", following, iso(next_ms, zone), documents=files)
    if not job.last_error:
        return Part("archive", "done", kinds, documents=files)
    return _failed_archive(kinds, job, follower.again, speech)


def _failed_archive(kinds: str, job: JobRecord, again: JobRecord | None, speech: Speech) -> Part:
    if again and again.is_final:
        if ending_of(again.final_type) == "completed":
            told = speech.say(f"al segundo intento, por el trabajo {again.id}", f"at the second go, by job {again.id}")
            return Part("archive", "done", f"{kinds}: {told}")
        job = again
    why = f"{kinds}: {_error_words(job)}"
    if again and not again.is_final:
        told = speech.say(
            f"el trabajo {again.id} lo intenta otra vez: status {again.id}",
            f"job {again.id} tries it again: status {again.id}",
        )
        return Part("archive", "pending", why, told)
    told = speech.say(
        "nada por sí solo: factus-worker dead list lo tiene, dead retry lo envía otra vez",
        "nothing by itself: factus-worker dead list has its letter, retry pushes it",
    )
    return Part("archive", "failed", why, told)


# -- RADIAN ------------------------------------------------------------------------------------------------------------
def _track(follower: Follower, zone: tzinfo, speech: Speech) -> Part:
    events = follower.events
    codes = ", ".join(str(event["event_code"]) for event in events) or speech.say("ninguno todavía", "none yet")
    seen = speech.say(f"eventos vistos: {codes}", f"events seen: {codes}")
    if follower.found is None:
        return Part("radian", "unknown", f"{speech.say(*_NO_RECORD)}; {seen}", events=events)
    job = follower.found.job
    if job.is_final:
        over = speech.say("aceptada o reclamada, no hay más eventos", "accepted or claimed, nothing more can happen")
        end = _error_words(job) if job.last_error else over
        facts, words = clock_of(job, zone, speech)
        return Part("radian", "done", f"{end}; {seen}", events=events, clock=facts, clock_words=words)
    _, _, next_ms = _open(follower.found, zone, speech)
    until = clock(job.deadline_at, zone)
    facts, words = clock_of(job, zone, speech)
    following = (
        speech.say("se mira otra vez ", "looked at again at ") + clock(next_ms, zone)
        if next_ms
        else speech.say("se mira en su turno", "looked at in its turn")
    )
    return Part(
        "radian",
        "pending",
        speech.say(f"se vigila hasta {until}; {seen}", f"watched until {until}; {seen}"),
        following,
        iso(next_ms, zone),
        iso(job.deadline_at, zone),
        events=events,
        clock=facts,
        clock_words=words,
    )


# -- parts -------------------------------------------------------------------------------------------------------------
def _open(found: JobSnapshot, zone: tzinfo, speech: Speech) -> tuple[str, str, int]:
    where, why, following, next_ms = situation(found, zone, speech)
    return f"{where}, {why}" if where else why, following, next_ms


def _error_words(job: JobRecord) -> str:
    error = job.parsed_last_error or {}
    return f"{error.get('code', '-')}: {error.get('message', '-')}"
