"""
What each job type does, in words: for the contract's document and the page of job types.

Shapes come from the models; here stands what no model says: the purpose, what follows an unknown outcome, and which
errors can end the job. Tests hold this table complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

REFUSALS: Final = ("envelope.invalid", "payload.invalid", "account.unknown", "auth.denied", "id.conflict")
"""Errors of ``job.refused`` that any job can meet."""

ANY_TIME: Final = ("job.expired", "date.missed", "internal")
_ACCOUNT: Final = ("factus.credentials", "factus.payment_required", "factus.denied", "factus.unavailable")
ANY_CALL: Final = (*_ACCOUNT, "factus.not_found", "factus.validation")
"""What any call to Factus can end with."""
_WRITE: Final = (*ANY_CALL, "factus.conflict")

_AGAIN: Final = (
    "Repeated when the first can arrive no more: the same once more is the same, and jobs that change it too wait."
)
_READS: Final = "Repeated: it only reads."


@dataclass(frozen=True, slots=True)
class Note:
    """
    Attributes:
        does: One or two sentences.
        when_unknown: What follows when Factus may have done it and its answer was lost.
        errors: Codes of the job's own end, beyond REFUSALS and ANY_TIME.
        limits: What is bounded, and how; empty when nothing is.
    """

    does: str
    when_unknown: str = _READS
    errors: tuple[str, ...] = ANY_CALL
    limits: str = ""


_LIST_LIMITS: Final = (
    "One page, or with `all` the pages from `page` on: until the last, until the next one would make more than 1000 "
    "items, or until there is 1 MiB, whichever comes first. Pages stay whole, so a first page of more than 1000 items "
    "is the whole result; `pagination.next_page` says where to go on."
)

ISSUE: Final = Note(
    "Issues the document and waits for DIAN. Documents of one account and family go one at a time, in the order of "
    "their priority and arrival.",
    "Looked up by its reference code before anything is sent again; sent again only when Factus has nothing under it.",
    (
        "reference.conflict",
        "factus.validation",
        "dian.rejected",
        "dian.pending",
        "dian.processed",
        "factus.conflict",
        "factus.not_found",
        *_ACCOUNT,
    ),
)

_BY_VERB: Final[Mapping[str, Note]] = {
    "issue": ISSUE,
    "get": Note("Reads a document."),
    "list": Note("Reads the list of documents, with Factus's filters.", limits=_LIST_LIMITS),
    "download": Note(
        "Downloads files of a document into the archive, once DIAN has validated it: one that waits for DIAN is waited "
        "for (`dian.pending` when the job's time is up), one that DIAN rejected has nothing to archive "
        "(`factus.conflict`). The result says where the files are; they never pass through the queue. A file that "
        "cannot be had keeps no other from the archive: the failed job has one error for each file that is missing, "
        "which names it (`Archivo pdf: …`), and its message says what is archived, and where.",
        "Repeated: a file that is stored already is found, never replaced.",
        (*ANY_CALL, "factus.conflict", "dian.pending", "archive.conflict", "archive.unavailable"),
    ),
    "email": Note(
        "Has Factus send a document to an address, with a PDF of one's own if given.",
        "**Not repeated.** The mail may have gone out: the job ends as failed, `factus.unavailable`, and says so. "
        "Verify, and push another job if it is missing.",
        _WRITE,
    ),
    "email_content": Note("Reads subject and attachment of the e-mail that Factus writes for a document."),
    "delete": Note(
        "Removes a document that DIAN rejected. One that is validated, or that waits for DIAN, is left alone "
        "(`factus.conflict`).",
        "Looked up first: when the document is gone, the job is done.",
        _WRITE,
    ),
    "events": Note("Reads the RADIAN events of an invoice."),
    "accept": Note(
        "Registers 034, the tacit acceptance of an invoice on credit.",
        "Looked up first: when the events of the invoice show it, the job is done.",
        _WRITE,
    ),
}

_BY_TYPE: Final[Mapping[str, Note]] = {
    "reception.upload": Note(
        "Loads an invoice that a supplier issued, by its CUFE.",
        "Looked up first: when the list of received invoices has the CUFE, the job is done.",
        _WRITE,
    ),
    "reception.list": Note("Reads the list of received invoices.", limits=_LIST_LIMITS),
    "reception.emit_event": Note(
        "Registers a RADIAN event on a received invoice: 030 acknowledgement, 032 receipt of the goods, 031 claim, "
        "033 express acceptance.",
        "**Not repeated.** Factus lists no events of a received invoice: the job ends as failed, "
        "`factus.unavailable`, and says so. Verify, and push another job if it is missing.",
        _WRITE,
    ),
    "document.download": Note(
        "Downloads the XML of anybody's document into the archive, by its CUFE, CUDE, CUDS or CUNE, as "
        "`ACCOUNT/documents/UNIQUE_CODE.xml` (the code in lower case). It never passes through the queue.",
        "Repeated: a file that is stored already is found, never replaced.",
        (*ANY_CALL, "archive.conflict", "archive.unavailable"),
    ),
    "numbering_range.list": Note("Reads the list of numbering ranges.", limits=_LIST_LIMITS),
    "numbering_range.get": Note("Reads a numbering range."),
    "numbering_range.create": Note(
        "Creates a numbering range.",
        "Looked up first: when the list has a range of that document and prefix, the job is done.",
        _WRITE,
    ),
    "numbering_range.update": Note(
        "Sets the next number of a range. Jobs that change one range go one after the other.",
        "Looked up first: what the number was is written down before, so that it is not set back when documents have "
        "moved it on.",
        _WRITE,
    ),
    "numbering_range.set_status": Note(
        "Switches a range on or off. Factus has a toggle: the range is read, and toggled only when it stands "
        "otherwise.",
        "Looked up first: when the range stands as wanted, the job is done.",
        _WRITE,
    ),
    "numbering_range.delete": Note(
        "Deletes a numbering range.", "Looked up first: when the range is gone, the job is done.", _WRITE
    ),
    "numbering_range.software": Note("Reads the ranges that DIAN has assigned to the software."),
    "company.get": Note("Reads the data of the company."),
    "company.update": Note("Writes the data of the company.", _AGAIN, _WRITE),
    "company.logo": Note("Replaces the logo of the company.", _AGAIN, _WRITE),
    "subscription.list": Note("Reads the subscriptions: documents left, days left."),
    "acquirer.get": Note("Asks DIAN for the name and e-mail address under which somebody receives invoices."),
    "catalog.search": Note(
        "Looks a code up in the shipped tables, by code or by words of a name. No call is made; the answer comes at "
        "once.",
        "Never unknown: Factus is not asked.",
        (),
        "`limit` rows at most, 100 at most; 20 when not given.",
    ),
    "job.cancel": Note(
        "Ends open jobs of which nothing was sent, as `X.failed` with `job.cancelled`: one job, all jobs of a document "
        "or all of a batch. What Factus may have, and what is final, stays as it is (`kept` says why). No call is made "
        "and nothing that holds the account holds it. Jobs pushed before it are found; a cancelled job leaves no dead "
        "letter. Of a document that several jobs asked for, a job that is not cancelled takes over.",
        "Never unknown: Factus is not asked.",
        (),
        "The event names 20000 ids at most; each cancelled job has its own final event.",
    ),
}


def note_of(job_type: str) -> Note:
    """The note of a job type; ranges of payroll share those of invoicing."""
    found = _BY_TYPE.get(job_type.removeprefix("payroll_")) if "numbering_range" in job_type else _BY_TYPE.get(job_type)
    return found or _BY_VERB[job_type.partition(".")[2]]
