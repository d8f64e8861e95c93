"""
What follows a document, in words: the archiving of its files, and the watch over its RADIAN events. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final

from schemas import strict_json
from schemas.records import JobRecord
from worker.cli.status.lookup import Follower, JobSnapshot, JobWithFollowUps
from worker.cli.status.state_words import situation
from worker.cli.time_words import clock, iso

_NO_RECORD: Final = "the ledger has no record of it (any more)"


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


def parts_of(followed: JobWithFollowUps, zone: tzinfo) -> tuple[Part, ...]:
    """What follows a job; nothing when nothing was asked for, or its document has failed."""
    job = followed.job.job
    parts = [(one, _early("archive", job) or _archive(one, zone)) for one in followed.archives]
    if followed.track:
        parts.append((followed.track, _early("radian", job) or _track(followed.track, zone)))
    told = tuple(replace(part, why=part.why + _whose(follower)) for follower, part in parts)
    return told if job.state != "final" or job.final_type.endswith(".validated") else ()


def _early(name: str, job: JobRecord) -> Part | None:
    return None if job.state == "final" else Part(name, "later", "begins when DIAN has validated the document")


def _whose(follower: Follower) -> str:
    return f"; asked for by job {follower.asked_by}" if follower.asked_by else ""


# -- archive -----------------------------------------------------------------------------------------------------------
def _archive(follower: Follower, zone: tzinfo) -> Part:
    kinds = ", ".join(follower.asked)
    if follower.found is None:
        return Part("archive", "unknown", f"{kinds}: {_NO_RECORD}")
    job = follower.found.job
    files = tuple(_progress(job).get("documents", ()))
    if job.state != "final":
        why, following, next_ms = _open(follower.found, zone)
        done = f"{len(files)} of {len(follower.asked)} files are archived"
        return Part("archive", "pending", f"{kinds}: {done}; {why}", following, iso(next_ms, zone), documents=files)
    if not job.last_error:
        return Part("archive", "done", kinds, documents=files)
    return _failed_archive(kinds, job, follower.again)


def _failed_archive(kinds: str, job: JobRecord, again: JobRecord | None) -> Part:
    if again and again.state == "final":
        if again.final_type.endswith(".completed"):
            return Part("archive", "done", f"{kinds}: at the second go, by job {again.id}")
        job = again
    why = f"{kinds}: {_error_words(job)}"
    if again and again.state != "final":
        return Part("archive", "pending", why, f"job {again.id} tries it again: status {again.id}")
    return Part("archive", "failed", why, "nothing by itself: factus-worker dead list has its letter, retry pushes it")


# -- RADIAN ------------------------------------------------------------------------------------------------------------
def _track(follower: Follower, zone: tzinfo) -> Part:
    events = follower.events
    seen = ", ".join(str(event["event_code"]) for event in events) or "none yet"
    if follower.found is None:
        return Part("radian", "unknown", f"{_NO_RECORD}; events seen: {seen}", events=events)
    job = follower.found.job
    if job.state == "final":
        end = _error_words(job) if job.last_error else "accepted or claimed, nothing more can happen"
        return Part("radian", "done", f"{end}; events seen: {seen}", events=events)
    _, following, next_ms = _open(follower.found, zone)
    return Part(
        "radian",
        "pending",
        f"watched until {clock(job.deadline_at, zone)}; events seen: {seen}",
        following.replace("tried again", "looked at again"),
        iso(next_ms, zone),
        iso(job.deadline_at, zone),
        events=events,
    )


# -- parts -------------------------------------------------------------------------------------------------------------
def _open(found: JobSnapshot, zone: tzinfo) -> tuple[str, str, int]:
    where, why, following, next_ms = situation(found, zone)
    return f"{where}, {why}" if where else why, following, next_ms


def _progress(job: JobRecord) -> dict[str, Any]:
    return dict(strict_json.parse(job.progress)) if job.progress else {}


def _error_words(job: JobRecord) -> str:
    error = strict_json.parse(job.last_error) if job.last_error else {}
    return f"{error.get('code', '-')}: {error.get('message', '-')}"
