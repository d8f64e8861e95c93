"""
Which job types exist: name, family, verb, lane, payload and what is done.

Lanes are named ``{account}/{family}`` (issuing, one at a time, because Factus answers 409 while one document of a
family is not validated), ``{account}/calls`` (all else, behind issuing) or ``{account}/control``
(what acts on the ledger alone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobs import account_verbs, control_verbs, document_verbs, follow_ups
from jobs.calls import CallContext, Late, Work, unchanged
from jobs.families import FAMILIES, Family, Verb
from jobs.outcomes import Ending, Finished
from jobs.pagination import pages
from schemas.payload import validate
from schemas.payload.calls import rows
from schemas.payload.spec import PayloadSpec

CALLS_LANE: Final = "calls"
CONTROL_LANE: Final = "control"
"""Of jobs that act on the ledger alone: what holds an account does not hold them (``lib/lanes.lua``)."""
CONTROL: Final = "job"
"""What stands before the dot in the types of the control lane."""
ISSUING_WIDTH: Final = 1


@dataclass(frozen=True, slots=True)
class JobType:
    """
    One row of docs/contract.md, section 3.

    ``work`` is None for what is issued. ``answer`` is for what needs no call: it is given as the job is taken in.
    ``late`` makes the end of a job whose time is up, where the verb knows more of it than its last error.
    """

    name: str
    payload: PayloadSpec | None
    work: Work | None = None
    answer: Callable[[Mapping[str, Any]], Finished] | None = None
    late: Late = unchanged

    @property
    def family(self) -> str:
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        return self.name.partition(".")[2]

    @property
    def issues(self) -> bool:
        return self.verb == "issue"

    def lane(self, account: str) -> str:
        if self.issues:
            return f"{account}/{self.family}"
        return f"{account}/{CONTROL_LANE if self.family == CONTROL else CALLS_LANE}"


async def _list_documents(context: CallContext) -> Ending:
    return await pages(context, context.family.collection)


_DOCUMENT_WORK: Final[Mapping[Verb, Work]] = {
    "get": document_verbs.get_document,
    "list": _list_documents,
    "download": document_verbs.download,
    "email": document_verbs.email,
    "email_content": document_verbs.email_content,
    "delete": document_verbs.delete,
    "events": document_verbs.events,
    "accept": document_verbs.accept,
}

_RANGE_WORK: Final[Mapping[str, Work]] = {
    "list": account_verbs.list_ranges,
    "get": account_verbs.get_range,
    "create": account_verbs.create_range,
    "update": account_verbs.update_range,
    "set_status": account_verbs.set_range_status,
    "delete": account_verbs.delete_range,
}

_ACCOUNT_WORK: Final[Mapping[str, Work]] = {
    "reception.upload": account_verbs.upload_received,
    "reception.list": account_verbs.list_received,
    "reception.emit_event": account_verbs.emit_event,
    "document.download": account_verbs.download_document,
    **{f"{family}.{verb}": work for family in account_verbs.RANGES for verb, work in _RANGE_WORK.items()},
    "numbering_range.software": account_verbs.list_software_ranges,
    "company.get": account_verbs.get_company,
    "company.update": account_verbs.update_company,
    "company.logo": account_verbs.update_logo,
    "subscription.list": account_verbs.list_subscriptions,
    "acquirer.get": account_verbs.get_acquirer,
    "catalog.search": account_verbs.search_catalog,
    f"{CONTROL}.cancel": control_verbs.cancel,
}


_ANSWERS: Final = {"catalog.search": account_verbs.searched}


def _payload(family: Family, verb: Verb) -> PayloadSpec:
    match verb:
        case "issue":
            return validate.DOCUMENT_SPECS[family.name]
        case "list":
            return rows.DOCUMENT_LIST if family.has_status_filter else rows.PAYROLL_LIST
        case "download":
            return rows.download(f"{family.name}.download", list(family.kinds))
        case "email":
            return rows.EMAIL
        case "delete":
            return rows.BY_REFERENCE
        case "accept":
            return rows.ACCEPT
        case "get" | "events" | "email_content":
            return rows.ONE_DOCUMENT


def _document_types() -> list[JobType]:
    return [
        JobType(
            f"{family.name}.{verb}",
            _payload(family, verb),
            _DOCUMENT_WORK.get(verb),
            late=document_verbs.download_late if verb == "download" else unchanged,
        )
        for family in FAMILIES.values()
        for verb in sorted(family.verbs)
    ]


JOB_TYPES: Final = {
    row.name: row
    for row in (
        *_document_types(),
        *(JobType(name, rows.ACCOUNT_PAYLOADS[name], work, _ANSWERS.get(name)) for name, work in _ACCOUNT_WORK.items()),
    )
}
"""What can be pushed."""

FOLLOW_UPS: Final = {
    f"{family}.{verb}": JobType(f"{family}.{verb}", None, work, late=late)
    for family in FAMILIES
    for verb, work, late in (
        (follow_ups.ARCHIVE, follow_ups.archive, follow_ups.archive_late),
        (follow_ups.TRACK, follow_ups.track, unchanged),
    )
}
"""What the service starts itself after a document is validated."""


def type_of(name: str) -> JobType:
    """
    The row of a job in the ledger.

    Raises:
        KeyError: Written by a version that knew more types.
    """
    return JOB_TYPES.get(name) or FOLLOW_UPS[name]


def lanes_with_precedence(lane: str) -> str:
    """The families, with commas between, whose issuing goes before the jobs of a lane; empty for one that issues."""
    return ",".join(FAMILIES) if lane.endswith(f"/{CALLS_LANE}") else ""


def max_in_flight(lane: str, concurrency: int) -> int:
    """How many jobs of a lane may be under way at once."""
    return concurrency if lane.endswith(f"/{CALLS_LANE}") else ISSUING_WIDTH
