"""
The letter that the end of a failed or refused job leaves. Pure.
"""

from __future__ import annotations

from typing import Any

from jobs.outcomes import Finished
from schemas import strict_json
from schemas.contract.event import Event
from schemas.names import job_type_of, pushable_id
from schemas.records import JobRecord
from worker.store.scripts import Arg


def dead_letter(job: JobRecord, final: Finished, event: Event) -> dict[str, Arg]:
    """A failed or refused job as a person needs it: why, and an envelope that can be pushed again."""
    payload = _object(job.payload)
    type_ = job.type
    if job.parent:
        # What could not be archived by itself can be asked for by anybody.
        have = {row["kind"] for row in final.archived}
        asked = payload.get("kinds", [])
        kinds = [kind for kind in asked if kind not in have]
        number = payload.get("number", job.number)
        named = {"number": number} if number else {"reference_code": job.reference_code}
        type_, payload = job_type_of(job.family, "download"), {**named, "kinds": kinds or asked}
    envelope = {
        "id": pushable_id(job.id),
        "type": type_,
        "account": job.account,
        "payload": payload,
        "options": _object(job.options),
        "metadata": _object(job.metadata),
        **({"batch": job.batch} if job.batch else {}),
    }
    return {
        "reason": final.errors[0].code,
        "errors": event.to_json(),
        "raw": strict_json.dump(envelope),
        "stream": job.source,
        "entry": job.entry,
        "account": job.account,
        "job_id": job.id,
    }


def _object(text: str) -> dict[str, Any]:
    """A stored JSON object; an empty one where the record is damaged: the letter is written all the same."""
    try:
        found = strict_json.parse(text) if text else {}
    except strict_json.JsonRefused:
        return {}
    return found if isinstance(found, dict) else {}
