"""
What follows a validated document when its job asked for it: its files are archived, its RADIAN events watched.

Each is a job of its own in the account's calls, of low priority: it takes only what issuing leaves of the allowance,
and a failure of it changes nothing about the document. Its events are the issuing job's: same id, metadata and batch,
and numbers that go on. ``X.archived`` has the number after the final event, RADIAN events the numbers after that, so
that neither waits for the other.

The legal clock (three business days after event 032) is not kept here; it will read what ``track`` publishes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from jobs.archive_files import fetch_next, files_late, files_of
from jobs.attempt_policy import unavailable
from jobs.calls import CallContext, Stop
from jobs.document_verbs import day_of, radian_key, radian_rows
from jobs.outcomes import Ending, Finished, Retry
from schemas import names, strict_json
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA, shortened
from schemas.records import JobRecord, SendState, score_at

ARCHIVE: Final = "archive"
TRACK: Final = "track"

ENDING_EVENTS: Final = frozenset({"031", "033", "034"})
"""Claim, express and tacit acceptance: after one of them nothing more happens to a bill."""

_KEEN_LOOKS: Final = 42
"""Looks at the given interval after validation, and after each event: a week at four hours. Then one in six."""

_PATIENCE: Final = 6


def follow_ups(job: JobRecord, data: Mapping[str, Any], *, seq: int) -> list[JobRecord]:
    """
    The jobs that follow a validated document.

    Args:
        job: The issuing job, or one that joined its document.
        data: ``data`` of its final event.
        seq: Number of its final event.
    """
    found = []
    named = {"number": data["number"]} if data["number"] else {"reference_code": data["reference_code"]}
    about = {**named, "day": day_of(data["factus"])}
    if job.archives:
        found.append(_follow_up(job, ARCHIVE, {**about, "kinds": [*job.archives]}, seq=seq))
    if job.tracks_radian:
        found.append(_follow_up(job, TRACK, about, seq=seq + len(found)))
    return found


def _follow_up(job: JobRecord, verb: str, payload: Mapping[str, Any], *, seq: int) -> JobRecord:
    id_, type_ = names.follow_up_id(job.id, verb), f"{job.family}.{verb}"
    return JobRecord(
        account=job.account,
        id=id_,
        type=type_,
        family=job.family,
        lane=names.lane_of(job.account, type_),
        entry=job.entry,
        source=job.source,
        priority="low",
        score=score_at(job.score, "low"),
        reference_code=job.reference_code,
        batch=job.batch,
        metadata=job.metadata,
        traceparent=job.traceparent,
        content=id_,
        payload=strict_json.dump(dict(payload)),
        number=payload.get("number", ""),
        parent=job.id,
        seq=seq,
    )


def archived_documents(job: JobRecord, final: Finished) -> str:
    """What the record keeps of a finished job's progress (JSON): the archived files, for whoever pushes again."""
    if job.type != f"{job.family}.{ARCHIVE}":
        return ""
    documents = final.data["documents"] if final.data else list(final.archived)
    return strict_json.dump({"documents": documents}) if documents else ""


def archive_job(job_id: str) -> str:
    """Id of the job that archives the document of an issuing job."""
    return names.follow_up_id(job_id, ARCHIVE)


async def archive(context: CallContext) -> Ending:
    """Archive one file a turn. A file that is not there yet is asked for again: the document is valid without it."""
    told = await _named(context, {"documents": [], "day": context.payload["day"], **context.progress})
    return await fetch_next(context, files_of(told, context.payload["kinds"]), may_come=True)


def archive_late(context: CallContext, late: Finished) -> Finished:
    """How the archiving of a document ends when its time is up."""
    known = {"number": context.payload["number"]} if "number" in context.payload else {}
    return files_late(context, files_of({"documents": [], **known, **context.progress}, context.payload["kinds"]), late)


async def _named(context: CallContext, progress: Mapping[str, Any]) -> dict[str, Any]:
    """
    What is known, with the document's number: the answer that told of its validation may have had none.

    Raises:
        Stop: Factus tells none now either.
    """
    if "number" in progress:
        return dict(progress)
    number = context.payload.get("number") or (await context.document()).number
    if not number:
        raise Stop(context.decide.again("job", unavailable("no dice el número del documento"), SendState.NOTHING))
    return {**progress, "number": number}


async def track(context: CallContext) -> Ending:
    """
    Look for RADIAN events that are new; stop when the bill has been accepted or claimed.

    A refusal ends no watch: nobody would hear of it, and the bill goes on without us.
    """
    progress = context.progress
    seen: list[str] = progress.get("seen", [])
    try:
        number = (await _named(context, progress))["number"]
        rows = await radian_rows(context, number)
    except Stop as stop:
        if isinstance(stop.ending, Finished):
            return Retry("job", context.radian_interval_s, stop.ending.errors[0], is_failure=False)
        raise
    fresh = [row for row in rows if radian_key(row) not in seen]
    news = tuple(_news(number, row) for row in fresh)
    if any(row.get("event_code") in ENDING_EVENTS for row in rows):
        return Finished("completed", "Seguimiento terminado.", news=news)
    n_looks = 0 if fresh else progress.get("n_looks", 0) + 1
    interval_s = context.radian_interval_s * (1 if n_looks < _KEEN_LOOKS else _PATIENCE)
    reason = ErrorDetail(code="dian.pending", message="Sin aceptación ni reclamo todavía.", retryable=True)
    told = strict_json.dump({"number": number, "seen": [*seen, *map(radian_key, fresh)], "n_looks": n_looks})
    return Retry("job", interval_s, reason, is_failure=False, progress=told, news=news)


def _news(number: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` of a RADIAN event."""
    return {
        "number": number,
        "event_code": shortened(row["event_code"]),
        "event_name": _text(row.get("event_name")),
        "cude": _text(row.get("cude")),
        "occurred_at": _instant(row.get("effective_date"), row.get("effective_time")),
        "event_number": _text(row.get("number")),
    }


def _text(value: Any) -> str | None:
    """A text, or a number as one; None for what is neither."""
    return shortened(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _instant(day: Any, time: Any) -> str | None:
    """RFC 3339 from ``2024-11-05`` and ``16:36:31``, Bogotá time; None when they are no such texts."""
    try:
        found = datetime.fromisoformat(f"{day}T{time}")
    except ValueError:
        return None
    return found.replace(tzinfo=BOGOTA).isoformat(timespec="seconds")
