"""
What the end of an attempt changes in the job's record. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from jobs.closing.ledger_facts import of_validated
from jobs.follow_ups import archived_documents
from jobs.outcomes import Finished, Retry
from schemas.contract.event import ErrorDetail, Event
from schemas.records import JobRecord, score_by
from worker.store.scripts import Arg


def record_fields(
    job: JobRecord, ending: Finished | Retry, events: Sequence[Event], attempts: int, now_ms: int, n_defects: int
) -> dict[str, Arg]:
    """What the end of an attempt changes in the record."""
    fields: dict[str, Arg] = {"seq": events[-1].place if events else job.seq}
    if n_defects != job.defects:
        fields["defects"] = n_defects
    if n_defects and isinstance(ending, Retry):
        # What had been sent when the defect struck stands in the record already, and is true.
        fields |= {"number": ending.number or job.number}
        return fields | _error_field(ending.reason)
    fields["attempts"] = attempts
    if isinstance(ending, Finished):
        if not job.is_tracking:  # what a watch knew last is told to whoever asks
            fields["progress"] = archived_documents(job, ending)
        fields |= {"number": ending.number or job.number, **of_validated(ending)}
        return fields | (_error_field(ending.errors[0]) if ending.errors else {"last_error": ""})
    fields |= {"sent": ending.sent, "failures": job.failures + 1 if ending.is_failure else job.failures}
    if ending.latest_ms:
        fields["score"] = score_by(ending.latest_ms, job.priority)
    if ending.progress is not None:
        # A step forward begins the count of failures anew; a failure that notes something goes on with it.
        fields |= {"progress": ending.progress} if ending.is_failure else {"progress": ending.progress, "failures": 0}
    if ending.sent_at_ms:
        fields["sending_at"] = ending.sent_at_ms
    if ending.pending:
        fields |= {"pending_since": job.pending_since or now_ms, "number": ending.number or job.number}
    return fields | _error_field(ending.reason)


def _error_field(error: ErrorDetail) -> dict[str, Arg]:
    return {"last_error": error.model_dump_json()}
