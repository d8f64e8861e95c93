"""
The job types about an account: reception, numbering ranges, company and the rest, and what acts on the ledger alone.

One row each; those of the two kinds of numbering ranges are made together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobs import account_verbs, control_verbs, example_data
from jobs.closing.close import close_day, closed_late
from jobs.job_type import (
    ANY_CALL,
    ANY_WRITE,
    ASKS_NOTHING,
    LIST_LIMITS,
    WRITTEN_AGAIN,
    Description,
    JobType,
    SharedCall,
)
from schemas.contract.event_data import (
    Answered,
    Cancelled,
    CatalogRows,
    DayCertificate,
    DeletedRange,
    DownloadedDocument,
    Listed,
    Shown,
    SwitchedRange,
)
from schemas.names import job_type_of
from schemas.payload.calls.payloads import (
    Acquirer,
    Cancel,
    CatalogSearch,
    CompanyUpdate,
    DayClose,
    EmitEvent,
    Logo,
    Nothing,
    OneRange,
    PayrollRangeCreate,
    PayrollRangeList,
    RangeCreate,
    RangeList,
    RangeStatus,
    RangeUpdate,
    ReceptionList,
    UniqueCode,
    UploadReceived,
)
from schemas.payload.rules.calls import (
    ACQUIRER,
    CANCEL,
    CATALOG,
    CLOSE,
    CODE,
    COMPANY,
    CONSECUTIVE,
    EVENT,
    FILTERS,
    ISSUER_FILTERS,
    LOGO,
    PERSON,
    RANGE,
    RECEIVED,
    RECORD,
    RESOLUTION,
)
from schemas.payload.spec import PayloadSpec, checked

_RECEPTION: Final = (
    JobType(
        name="reception.upload",
        payload=checked("reception.upload", UploadReceived, RECEIVED),
        work=account_verbs.upload_received,
        data=Shown,
        description=Description(
            "Loads an invoice that a supplier issued, by its CUFE.",
            "Looked up first: when the list of received invoices has the CUFE, the job is done.",
            ANY_WRITE,
        ),
        example={"track_id": example_data.RECEIVED["cufe"]},
        factus_answers=(example_data.RECEIVED,),
    ),
    JobType(
        name="reception.list",
        payload=checked("reception.list", ReceptionList, FILTERS, ISSUER_FILTERS),
        work=account_verbs.list_received,
        data=Listed,
        description=Description("Reads the list of received invoices.", limits=LIST_LIMITS),
        example={"filters": {"company_nit": "900100200", "completed_events": "0"}},
        factus_answers=(example_data.page(example_data.RECEIVED),),
    ),
    JobType(
        name="reception.emit_event",
        payload=checked("reception.emit_event", EmitEvent, PERSON, EVENT, RECORD),
        work=account_verbs.emit_event,
        data=Answered,
        description=Description(
            "Registers a RADIAN event on a received invoice: 030 acknowledgement, 032 receipt of the goods, 031 claim, "
            "033 express acceptance.",
            "**Not repeated.** Factus lists no events of a received invoice: the job ends as failed, "
            "`factus.unavailable`, and says so. Verify, and push another job if it is missing.",
            ANY_WRITE,
            may_be_done=(
                "el evento RADIAN puede estar registrado ya",
                "the RADIAN event may be registered already",
            ),
        ),
        example={"bill_id": "1207", "event_type": "030", **example_data.PERSON},
        factus_answers=(example_data.RADIAN_ROW,),
    ),
    JobType(
        name="document.download",
        payload=checked("document.download", UniqueCode, CODE),
        work=account_verbs.download_document,
        data=DownloadedDocument,
        description=Description(
            "Downloads the XML of anybody's document into the archive, by its CUFE, CUDE, CUDS or CUNE, as "
            "`ACCOUNT/documents/UNIQUE_CODE.xml` (the code in lower case). It never passes through the queue.",
            "Repeated: a file that is stored already is found, never replaced.",
            (*ANY_CALL, "archive.conflict", "archive.unavailable"),
        ),
        example={"unique_code": example_data.RECEIVED["cufe"]},
        factus_answers=(example_data.FILE,),
    ),
)


# -- numbering ranges --------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """
    In what the ranges of invoicing and those of payroll differ.

    Attributes:
        filters: Of the example of a list.
        created: The example of a create.
        shown: A range as Factus shows it, in the examples; its id is the one that their payloads name.
        is_switched_on: By the example of a set_status.
    """

    name: str
    listing: PayloadSpec
    filters: Mapping[str, str]
    creating: PayloadSpec
    created: Mapping[str, str]
    shown: Mapping[str, Any]
    is_switched_on: bool

    @property
    def one(self) -> dict[str, str]:
        """The example that names one range."""
        return {"numbering_range_id": str(self.shown["id"])}


RANGES: Final = (
    Ranges(
        name="numbering_range",
        listing=checked("numbering_range.list", RangeList, FILTERS),
        filters={"document": "21", "is_active": "1"},
        creating=checked("numbering_range.create", RangeCreate, RANGE, RESOLUTION, CONSECUTIVE),
        created={
            "document": "21",
            "prefix": "SETP",
            "resolution_number": "18760000009",
            "current": "990000001",
        },
        shown=example_data.RANGE,
        is_switched_on=False,
    ),
    Ranges(
        name="payroll_numbering_range",
        listing=checked("payroll_numbering_range.list", PayrollRangeList, FILTERS),
        filters={"code": "26"},
        creating=checked("payroll_numbering_range.create", PayrollRangeCreate, RANGE, CONSECUTIVE),
        created={"document": "26", "prefix": "NEF", "current": "1"},
        shown=example_data.PAYROLL_RANGE,
        is_switched_on=True,
    ),
)


def _switched(ranges: Ranges) -> tuple[Mapping[str, Any], ...]:
    """A range that stands as wanted is only read."""
    return (ranges.shown,) if ranges.is_switched_on else (ranges.shown, {**ranges.shown, "is_active": 0})


_RANGE_CALLS: Final = (
    SharedCall[Ranges](
        verb="list",
        payload=lambda ranges: ranges.listing,
        work=account_verbs.list_ranges,
        data=Listed,
        description=Description("Reads the list of numbering ranges.", limits=LIST_LIMITS),
        example=lambda ranges: {"filters": ranges.filters},
        factus_answers=lambda ranges: (example_data.page(ranges.shown),),
    ),
    SharedCall[Ranges](
        verb="get",
        payload=lambda ranges: checked(job_type_of(ranges.name, "get"), OneRange, RECORD),
        work=account_verbs.get_range,
        data=Shown,
        description=Description("Reads a numbering range."),
        example=lambda ranges: ranges.one,
        factus_answers=lambda ranges: (ranges.shown,),
    ),
    SharedCall[Ranges](
        verb="create",
        payload=lambda ranges: ranges.creating,
        work=account_verbs.create_range,
        data=Shown,
        description=Description(
            "Creates a numbering range.",
            "Looked up first: when the list has a range of that document and prefix, the job is done.",
            ANY_WRITE,
        ),
        example=lambda ranges: ranges.created,
        factus_answers=lambda ranges: (ranges.shown,),
    ),
    SharedCall[Ranges](
        verb="update",
        payload=lambda ranges: checked(job_type_of(ranges.name, "update"), RangeUpdate, RECORD, CONSECUTIVE),
        work=account_verbs.update_range,
        data=Shown,
        description=Description(
            "Sets the next number of a range. Jobs that change one range go one after the other.",
            "Looked up first: what the number was is written down before, so that it is not set back when documents "
            "have moved it on.",
            ANY_WRITE,
        ),
        example=lambda ranges: {**ranges.one, "current": str(ranges.shown["current"])},
        factus_answers=lambda ranges: (ranges.shown,),
    ),
    SharedCall[Ranges](
        verb="set_status",
        payload=lambda ranges: checked(job_type_of(ranges.name, "set_status"), RangeStatus, RECORD),
        work=account_verbs.set_range_status,
        data=SwitchedRange,
        description=Description(
            "Switches a range on or off. Factus has a toggle: the range is read, and toggled only when it stands "
            "otherwise.",
            "Looked up first: when the range stands as wanted, the job is done.",
            ANY_WRITE,
        ),
        example=lambda ranges: {**ranges.one, "is_active": ranges.is_switched_on},
        factus_answers=_switched,
    ),
    SharedCall[Ranges](
        verb="delete",
        payload=lambda ranges: checked(job_type_of(ranges.name, "delete"), OneRange, RECORD),
        work=account_verbs.delete_range,
        data=DeletedRange,
        description=Description(
            "Deletes a numbering range.", "Looked up first: when the range is gone, the job is done.", ANY_WRITE
        ),
        example=lambda ranges: ranges.one,
        factus_answers=lambda _: (None,),
    ),
)

# -- software, company and the rest ------------------------------------------------------------------------------------
_OTHERS: Final = (
    JobType(
        name="numbering_range.software",
        payload=checked("numbering_range.software", Nothing),
        work=account_verbs.list_software_ranges,
        data=Listed,
        description=Description("Reads the ranges that DIAN has assigned to the software."),
        example={},
        factus_answers=([{"prefix": "SETP", "from": 990000000, "to": 995000000, "resolution_number": "18760000001"}],),
    ),
    JobType(
        name="company.get",
        payload=checked("company.get", Nothing),
        work=account_verbs.get_company,
        data=Shown,
        description=Description("Reads the data of the company."),
        example={},
        factus_answers=(example_data.COMPANY,),
    ),
    JobType(
        name="company.update",
        payload=checked("company.update", CompanyUpdate, COMPANY),
        work=account_verbs.update_company,
        data=Shown,
        description=Description("Writes the data of the company.", WRITTEN_AGAIN, ANY_WRITE),
        example={
            "legal_organization_code": "1",
            "company": "Papelería Andina SA",
            "trade_name": "Papelería Andina",
            "economic_activity": "4761",
            "phone": "6053456789",
            "email": "contacto@papeleriaandina.example",
            "address": "Calle 72 # 46-10",
            "tribute_code": "01",
            "municipality_code": "08001",
            "responsibilities": "R-99-PN",
        },
        factus_answers=(example_data.COMPANY,),
    ),
    JobType(
        name="company.logo",
        payload=checked("company.logo", Logo, LOGO),
        work=account_verbs.update_logo,
        data=Shown,
        description=Description("Replaces the logo of the company.", WRITTEN_AGAIN, ANY_WRITE),
        example={"image_base_64_encoded": example_data.IMAGE},
        factus_answers=({"url_logo": "https://api-sandbox.factus.com.co/storage/images/logos/acme.png"},),
    ),
    JobType(
        name="subscription.list",
        payload=checked("subscription.list", Nothing),
        work=account_verbs.list_subscriptions,
        data=Listed,
        description=Description("Reads the subscriptions: documents left, days left."),
        example={},
        factus_answers=([{"name": "Facturación", "documents_available": "Ilimitado", "is_active": True}],),
    ),
    JobType(
        name="acquirer.get",
        payload=checked("acquirer.get", Acquirer, ACQUIRER),
        work=account_verbs.get_acquirer,
        data=Shown,
        description=Description("Asks DIAN for the name and e-mail address under which somebody receives invoices."),
        example={"identification_document_code": "31", "identification_number": "900100200"},
        factus_answers=({"name": "Comercializadora La Sabana SAS", "email": "facturas@lasabana.example"},),
    ),
)

# -- without a call ----------------------------------------------------------------------------------------------------
_ASKING_NOTHING: Final = (
    JobType(
        name="catalog.search",
        payload=checked("catalog.search", CatalogSearch, CATALOG),
        work=account_verbs.search_catalog,
        answer=account_verbs.searched,
        data=CatalogRows,
        description=Description(
            "Looks a code up in the shipped tables, by code or by words of a name. No call is made; the answer comes "
            "at once.",
            ASKS_NOTHING,
            (),
            "`limit` rows at most, 100 at most; 20 when not given.",
        ),
        example={"catalog": "municipalities", "query": "villanueva", "limit": 5},
        factus_answers=(),
    ),
    JobType(
        name="job.cancel",
        payload=checked("job.cancel", Cancel, CANCEL),
        work=control_verbs.cancel,
        data=Cancelled,
        description=Description(
            "Ends open jobs of which nothing was sent, as `X.failed` with `job.cancelled`: one job, all jobs of a "
            "document or all of a batch. What Factus may have, and what is final, stays as it is (`kept` says why). No "
            "call is made and nothing that holds the account holds it. Jobs pushed before it are found; a cancelled "
            "job leaves no dead letter. Of a document that several jobs asked for, a job that is not cancelled takes "
            "over.",
            ASKS_NOTHING,
            (),
            "The event names 20000 ids at most; each cancelled job has its own final event.",
        ),
        example={"batch": "2026-11-25"},
        factus_answers=(),
    ),
)

_CLOSING: Final = (
    JobType(
        name="day.close",
        payload=checked("day.close", DayClose, CLOSE),
        work=close_day,
        late=closed_late,
        data=DayCertificate,
        description=Description(
            "Makes the certificate of a day: every number of each prefix in its class, what was refused, failed or is "
            "open, and the ERP's sums beside Factus's, to the cent. Reads the list of the day of each family, a page a "
            "call and behind issuing, and one call more for each foreign document whose amounts no list tells. The "
            "certificates of an account are a chain.",
            errors=ANY_CALL,
            limits="5000 gaps and 2000 jobs of each list are named; the counts are complete all the same.",
        ),
        example={
            "day": "2026-11-25",
            "control": [
                {"family": "invoice", "prefix": "SETP", "count": "1", "total": "119000.00", "tax_amount": "19000.00"}
            ],
        },
        factus_answers=(example_data.page(example_data.ROW_OF_DAY), example_data.page()),
    ),
)

ACCOUNT_TYPES: Final = (
    *_RECEPTION,
    *(call.of_family(ranges) for ranges in RANGES for call in _RANGE_CALLS),
    *_OTHERS,
    *_CLOSING,
    *_ASKING_NOTHING,
)
