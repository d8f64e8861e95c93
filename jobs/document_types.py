"""
The job types about documents: one row for issuing and for each call; a family's types follow from the rows it has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from jobs import document_verbs, example_data
from jobs.calls import CallContext
from jobs.families import FAMILIES, Family
from jobs.job_type import ANY_ACCOUNT, ANY_CALL, ANY_WRITE, LIST_LIMITS, Description, JobType, SharedCall
from jobs.outcomes import Ending
from jobs.pagination import pages
from schemas import names
from schemas.contract.event_data import (
    VALIDATED,
    Answered,
    ArchivedDocument,
    DeletedDocument,
    Listed,
    RadianEvents,
    Sent,
    Shown,
)
from schemas.payload.calls.payloads import (
    Accept,
    ByReference,
    DocumentList,
    Download,
    Email,
    OneDocument,
    PayrollList,
)
from schemas.payload.rules.calls import FILTERS, MAIL, NAMED, PERSON, kinds_book
from schemas.payload.spec import PayloadSpec, checked
from schemas.payload.validate import DOCUMENT_SPECS


def download_spec(name: str, kinds: Collection[str]) -> PayloadSpec:
    """What a family's download takes: which files there are differs."""
    return checked(name, Download, NAMED, kinds_book(kinds))


ONE_DOCUMENT: Final = checked("one_document", OneDocument, NAMED)
EMAIL: Final = checked("email", Email, NAMED, MAIL)
BY_REFERENCE: Final = checked("by_reference", ByReference)
ACCEPT: Final = checked("accept", Accept, PERSON)
DOCUMENT_LIST: Final = checked("document_list", DocumentList, FILTERS)
PAYROLL_LIST: Final = checked("payroll_list", PayrollList)

ISSUE: Final = Description(
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
        *ANY_ACCOUNT,
    ),
)


def _issuing(family: Family) -> JobType:
    return JobType(
        name=names.job_type_of(family.name, names.ISSUE),
        payload=DOCUMENT_SPECS[family.name],
        work=None,
        data=VALIDATED[family.unique_code],
        description=ISSUE,
        example=None,
        factus_answers=(),
    )


async def _list_documents(context: CallContext) -> Ending:
    return await pages(context, context.family.collection)


def _list_example(family: Family) -> Mapping[str, Any]:
    if not family.has_status_filter:
        return {"filters": {"identification_number": "52123456"}, "page": 1}
    days = {"start_date": "2026-05-01", "end_date": "2026-05-31"}
    return {"filters": {"status": "1", "created_at": days, "per_page": 50}, "all": True}


CALLS: Final = (
    SharedCall[Family](
        verb="get",
        payload=lambda _: ONE_DOCUMENT,
        work=document_verbs.get_document,
        data=Shown,
        description=Description("Reads a document."),
        example=lambda _: {"reference_code": example_data.ISSUED},
        factus_answers=lambda _: (),
    ),
    SharedCall[Family](
        verb="list",
        payload=lambda family: DOCUMENT_LIST if family.has_status_filter else PAYROLL_LIST,
        work=_list_documents,
        data=Listed,
        description=Description("Reads the list of documents, with Factus's filters.", limits=LIST_LIMITS),
        example=_list_example,
        factus_answers=lambda family: (example_data.page(example_data.document_row(family.name)),),
    ),
    SharedCall[Family](
        verb="download",
        payload=lambda family: download_spec(names.job_type_of(family.name, "download"), list(family.kinds)),
        work=document_verbs.download,
        late=document_verbs.download_late,
        data=ArchivedDocument,
        description=Description(
            "Downloads files of a document into the archive, once DIAN has validated it: one that waits for DIAN is "
            "waited for (`dian.pending` when the job's time is up), one that DIAN rejected has nothing to archive "
            "(`factus.conflict`). The result says where the files are; they never pass through the queue. A file that "
            "cannot be had keeps no other from the archive: the failed job has one error for each file that is "
            "missing, which names it (`Archivo pdf: …`), and its message says what is archived, and where.",
            "Repeated: a file that is stored already is found, never replaced.",
            (*ANY_CALL, "factus.conflict", "dian.pending", "archive.conflict", "archive.unavailable"),
        ),
        example=lambda _: {"reference_code": example_data.ISSUED, "kinds": ["xml"]},
        factus_answers=lambda _: (example_data.FILE,),
    ),
    SharedCall[Family](
        verb="email",
        has=lambda family: family.is_mailed,
        payload=lambda _: EMAIL,
        work=document_verbs.email,
        data=Sent,
        description=Description(
            "Has Factus send a document to an address, with a PDF of one's own if given.",
            "**Not repeated.** The mail may have gone out: the job ends as failed, `factus.unavailable`, and says so. "
            "Verify, and push another job if it is missing.",
            ANY_WRITE,
            may_be_done=("el correo pudo haber salido ya", "the e-mail may have been sent already"),
        ),
        example=lambda _: {"reference_code": example_data.ISSUED, "email": "contabilidad@lasabana.example"},
        factus_answers=lambda _: (None,),
    ),
    SharedCall[Family](
        verb="email_content",
        has=lambda family: family.is_mailed,
        payload=lambda _: ONE_DOCUMENT,
        work=document_verbs.email_content,
        data=Shown,
        description=Description("Reads subject and attachment of the e-mail that Factus writes for a document."),
        example=lambda _: {"reference_code": example_data.ISSUED},
        factus_answers=lambda _: (
            {
                "subject": "860900100;Papelería Andina SA;SETP990000203;01;Papelería Andina SA",
                "attached_document": "",
            },
        ),
    ),
    SharedCall[Family](
        verb="delete",
        payload=lambda _: BY_REFERENCE,
        work=document_verbs.delete,
        late=document_verbs.delete_late,
        data=DeletedDocument,
        description=Description(
            "Removes a document that DIAN rejected. One that is validated, or that waits for DIAN, is left alone "
            "(`factus.conflict`).",
            "Looked up first: when the document is gone, the job is done.",
            ANY_WRITE,
        ),
        example=lambda _: {"reference_code": example_data.ISSUED},
        factus_answers=lambda _: (None,),
    ),
    SharedCall[Family](
        verb="events",
        has=lambda family: family.has_radian,
        payload=lambda _: ONE_DOCUMENT,
        work=document_verbs.events,
        data=RadianEvents,
        description=Description("Reads the RADIAN events of an invoice."),
        example=lambda _: {"reference_code": example_data.ISSUED},
        factus_answers=lambda _: ([example_data.RADIAN_ROW],),
    ),
    SharedCall[Family](
        verb="accept",
        has=lambda family: family.has_radian,
        payload=lambda _: ACCEPT,
        work=document_verbs.accept,
        data=Answered,
        description=Description(
            "Registers 034, the tacit acceptance of an invoice on credit.",
            "Looked up first: when the events of the invoice show it, the job is done.",
            ANY_WRITE,
        ),
        example=lambda family: {"number": example_data.NUMBERS[family.name], **example_data.PERSON},
        factus_answers=lambda _: (example_data.ACCEPTED,),
    ),
)
"""In the order in which people read them."""

VERBS: Final = ("issue", *(call.verb for call in CALLS))


def _types_of(family: Family) -> list[JobType]:
    calls = [call.of_family(family) for call in CALLS if call.has(family)]
    return sorted([_issuing(family), *calls], key=lambda row: row.verb)


DOCUMENT_TYPES: Final = tuple(row for family in FAMILIES.values() for row in _types_of(family))
