"""
What follows a validated document when its job asked for it: its files are archived, its RADIAN events watched.

Each is a job of its own in the account's calls, of low priority: it takes only what issuing leaves of the allowance,
and a failure of it changes nothing about the document. Its events are the issuing job's: same id, metadata and batch,
and numbers that go on. ``X.archived`` has the number after the final event, RADIAN events the numbers after that, so
that neither waits for the other.

The watch itself, with the legal clock of a bill on credit, is in ``jobs/radian``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.archive_files import fetch_next, files_late, files_of
from jobs.attempt_policy import unavailable
from jobs.calls import CallContext, Stop
from jobs.document_verbs import day_of
from jobs.outcomes import Ending, Finished
from schemas import names, strict_json
from schemas.names import ARCHIVE, TRACK
from schemas.records import JobRecord, SendState, score_with_priority


def follow_ups(
    job: JobRecord, data: Mapping[str, Any], *, seq: int, validated_at: str | None = None
) -> list[JobRecord]:
    """
    The jobs that follow a validated document.

    Args:
        job: The issuing job, or one that joined its document.
        data: ``data`` of its final event.
        seq: Number of its final event.
        validated_at: When the document was told as validated (RFC 3339), where that was before these jobs.
    """
    found = []
    named = {"number": data["number"]} if data["number"] else {"reference_code": data["reference_code"]}
    about = {**named, "day": day_of(data["factus"])}
    if job.archives:
        found.append(_follow_up(job, ARCHIVE, {**about, "kinds": [*job.archives]}, seq=seq))
    if job.tracks_radian:
        tacit = {"tacit_acceptance": True} if job.accepts_tacitly else {}
        since = {"validated_at": validated_at} if validated_at else {}
        found.append(_follow_up(job, TRACK, {**about, **tacit, **since}, seq=seq + len(found)))
    return found


def _follow_up(job: JobRecord, verb: str, payload: Mapping[str, Any], *, seq: int) -> JobRecord:
    id_, type_ = names.follow_up_id(job.id, verb), names.job_type_of(job.family, verb)
    return JobRecord(
        account=job.account,
        id=id_,
        type=type_,
        family=job.family,
        lane=names.lane_of(job.account, type_),
        entry=job.entry,
        source=job.source,
        priority="low",
        score=score_with_priority(job.score, "low"),
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
    if job.type != names.job_type_of(job.family, ARCHIVE):
        return ""
    documents = final.data["documents"] if final.data else list(final.archived)
    return strict_json.dump({"documents": documents}) if documents else ""


def archive_job(job_id: str) -> str:
    """Id of the job that archives the document of an issuing job."""
    return names.follow_up_id(job_id, ARCHIVE)


async def archive(context: CallContext) -> Ending:
    """Archive one file a turn. A file that is not there yet is asked for again: the document is valid without it."""
    told = await named(context, {"documents": [], "day": context.payload["day"], **context.progress})
    return await fetch_next(context, files_of(told, context.payload["kinds"]), may_come=True)


def archive_late(context: CallContext, late: Finished) -> Finished:
    """How the archiving of a document ends when its time is up."""
    known = {"number": context.payload["number"]} if "number" in context.payload else {}
    return files_late(context, files_of({"documents": [], **known, **context.progress}, context.payload["kinds"]), late)


async def named(context: CallContext, progress: Mapping[str, Any]) -> dict[str, Any]:
    """
    What is known, with the document's number: the answer that told of its validation may have had none.

    Raises:
        Stop: Factus tells none now either.
    """
    if "number" in progress:
        return dict(progress)
    number = context.payload.get("number") or (await context.document()).number
    if not number:
        raise Stop(context.policy.retry("job", unavailable("no dice el número del documento"), SendState.NOTHING))
    return {**progress, "number": number}
