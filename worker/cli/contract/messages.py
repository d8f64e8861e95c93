"""
Every message of the contract: one for each type of job that can be pushed, one for each type of event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from jobs import example_payloads
from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES
from schemas.contract.event import Event
from schemas.names import ending_of, family_of
from worker.cli.contract import example_events
from worker.cli.contract.example_jobs import envelope
from worker.cli.contract.json_schemas import event_name, job_name

RADIAN: Final = "radian.event"
_SUMMARIES: Final = {
    "validated": "DIAN validated the document. Final.",
    "rejected": "Factus or DIAN refused the content. Final.",
    "failed": "It was not done, for another reason than the content. Final.",
    "completed": "It was done. Final.",
    "pending": "Factus has the document, DIAN has not answered. Not final.",
    "archived": "The files of a validated document were archived, or could not be. Comes after the final event.",
    "job.refused": "We said no, before any call. Final.",
    RADIAN: "A RADIAN event was found on a tracked invoice.",
    "radian.clock": "The receipt of the goods (032) was seen: the buyer's three business days run. Once.",
    "radian.due": "The three business days are over without claim or acceptance. Once, by 09:00 of `accepts_from`.",
    "radian.claimed": "The buyer claims (031): there will be no tacit acceptance. Once.",
    "radian.accepted": "The invoice is accepted, expressly (033) or tacitly (034). Once.",
    "radian.silent": "No receipt (032) has come for `FACTUS_RADIAN_SILENT_AFTER`. Once; watching goes on.",
    "radian.unconfirmed": "A 034 does not show a day after it was sent, or Factus does not take it. Once.",
    "account.blocked": "Only a person can mend what stops the account, a family of it, or its jobs of one type.",
    "account.resumed": "What blocked the account, the family, or the jobs of one type, is over.",
    "day.at_risk": "By the estimate, documents will not be sent on the day that they must carry.",
    "day.safe": "None of them will miss its day any more.",
    "batch.completed": "As many jobs of the batch are final as it was said to have.",
}


def job_messages() -> dict[str, dict[str, Any]]:
    """Messages of the intake stream, by job type."""
    return {name: _job_message(name) for name in JOB_TYPES}


def event_messages() -> dict[str, dict[str, Any]]:
    """Messages of the result streams, by type of event."""
    return {event.type: _event_message(event) for event in example_event_rows()}


def example_event_rows() -> Iterator[Event]:
    """One event of each type, families first."""
    for family in FAMILIES:
        yield from example_events.events_of_family(family).values()
    for name, row in JOB_TYPES.items():
        if not row.issues:
            yield from example_events.events_of_call(name).values()
    yield from example_events.other_events().values()


def event_summary(event_type: str) -> str:
    """What an event means, in one sentence or two."""
    return _SUMMARIES.get(event_type) or _SUMMARIES[ending_of(event_type)]


def _job_message(name: str) -> dict[str, Any]:
    about = JOB_TYPES[name].description
    limits = f"\n\n{about.limits}" if about.limits else ""
    names = (name, *example_payloads.MORE.get(name, ()))
    return {
        "name": name,
        "title": job_name(name),
        "summary": about.does,
        "description": f"After an unknown outcome: {about.when_unknown}{limits}",
        "contentType": "application/json",
        "tags": [{"name": family_of(name)}],
        "payload": {"$ref": f"#/components/schemas/{job_name(name)}"},
        "examples": [{"name": _example_name(one), "payload": envelope(one)} for one in names],
    }


def _event_message(event: Event) -> dict[str, Any]:
    fields = {"type": event.type, "account": event.account or "", "job_id": event.job_id or ""}
    return {
        "name": event.type,
        "title": event_name(event.type),
        "summary": event_summary(event.type),
        "contentType": "application/json",
        "tags": [{"name": family_of(event.type)}],
        "headers": {"$ref": "#/components/schemas/EventFields"},
        "payload": {"$ref": f"#/components/schemas/{event_name(event.type)}"},
        "examples": [
            {
                "name": _example_name(event.type),
                "headers": {**fields, "reference_code": event.reference_code or ""},
                "payload": json.loads(event.to_json()),
            }
        ],
    }


def _example_name(name: str) -> str:
    return name.replace(".", "-")
