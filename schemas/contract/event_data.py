"""
What ``data`` of each type of event holds, for whoever reads results.

Descriptions only: the service builds its events itself, and tests hold the two together. ``factus`` is whatever Factus
answered, untouched; of everything else the contract promises the shape (docs/contract.md, sections 2 and 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.contract.event import ErrorDetail

Money = Annotated[str, Field(pattern=r"^-?[0-9]+\.[0-9]{2}$")]
"""Pesos (COP) with two decimals."""
Instant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 with an offset."""
Factus = Annotated[
    dict[str, Any], Field(description="The object as Factus gave it, in its field names; 512 KiB at most")
]


class Data(BaseModel):
    """All fields always stand, null where they do not apply."""

    # Built when somebody asks: the service names these models, and builds its events itself.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Foreign(Data):
    """What Factus gave, which has a limit."""

    factus_truncated: list[str] = Field(
        default_factory=list,
        description="Dotted places of what was cut, because it was larger than an event may be; stands only then",
    )


# -- documents ---------------------------------------------------------------------------------------------------------
class Notification(Data):
    """A remark of DIAN that does not stand in the way of the document."""

    rule: str | None = Field(description="DIAN's rule, such as FAJ43b; null when the remark names none")
    message: str = Field(description="DIAN's words, Spanish")


class ArchivedFile(Data):
    """One file as it lies in the archive."""

    kind: Literal["pdf", "xml", "attached"] = Field(
        description="pdf: graphic representation; xml: the signed document; attached: AttachedDocument"
    )
    uri: str = Field(
        description="Absolute: file:///… percent-encoded, or s3://bucket/key", json_schema_extra={"format": "uri"}
    )
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Of the content, lower-case hex")
    bytes: int = Field(ge=0, description="Size in bytes")


class ValidatedDocument(Foreign):
    """A document that DIAN validated; each family adds its electronic code."""

    number: str | None = Field(description="Number that Factus gave, with its prefix; null when no answer had one")
    reference_code: str
    qr: str | None = Field(description="URL of the QR code: the document in DIAN's catalog")
    public_url: str | None = Field(description="The document at Factus, for the buyer")
    issued_at: Instant | None
    validated_at: Instant | None
    total: Money | None = Field(description="Pesos; of a payroll the net balance; null when Factus tells none")
    tax_amount: Money | None = Field(description="Pesos")
    notifications: list[Notification] = Field(description="DIAN's remarks that do not block")
    warnings: list[ErrorDetail] = Field(
        description="Ours: payload.warning, option.unavailable, payload.converted, date.moved"
    )
    documents: list[ArchivedFile] = Field(description="Archived so far; X.archived tells of the rest")
    replayed: bool = Field(description="Answered from the ledger: the document had been validated before this push")
    environment: Literal["production", "sandbox", "local"] = Field(
        description="Which Factus: what the sandbox validates is no legal document"
    )
    factus: Factus


class ValidatedBill(ValidatedDocument):
    """A validated invoice."""

    cufe: str | None = Field(description="Código único de factura electrónica, 96 hex digits")


class ValidatedNote(ValidatedDocument):
    """A validated credit or debit note."""

    cude: str | None = Field(description="Código único de documento electrónico, 96 hex digits")


class ValidatedPurchase(ValidatedDocument):
    """A validated support document or adjustment note."""

    cuds: str | None = Field(description="Código único de documento soporte, 96 hex digits")


class ValidatedPayroll(ValidatedDocument):
    """A validated payroll, or its elimination."""

    cune: str | None = Field(description="Código único de nómina electrónica, 96 hex digits")


class RejectedDocument(Data):
    """A document that DIAN rejected and that had a number, which is used up."""

    number: str = Field(description="Number that Factus gave, with its prefix")


class PendingDocument(Data):
    """Factus has the document, DIAN has not answered."""

    reference_code: str
    number: str | None = Field(description="Null while Factus has told none")
    since: Instant


class ArchivedDocument(Data):
    """Files of a document: of X.archived, and of a download."""

    number: str
    documents: list[ArchivedFile]


class DownloadedDocument(Data):
    """The XML of anybody's document, by its unique code."""

    unique_code: str = Field(pattern="^[0-9a-f]{96}$", description="CUFE, CUDE, CUDS or CUNE, lower-case")
    documents: list[ArchivedFile] = Field(description="One, of kind xml")


class RadianNews(Data):
    """A RADIAN event found on a tracked invoice."""

    number: str = Field(description="Number of the invoice")
    event_code: str | None = Field(description="030 to 034")
    event_name: str | None = Field(description="Its name, Spanish")
    cude: str | None = Field(description="Electronic code of the event")
    occurred_at: Instant | None
    event_number: str | None = Field(description="Number of the event at whoever emitted it")


class ClockNews(Data):
    """What RADIAN's clock says of an invoice on credit."""

    number: str = Field(description="Number of the invoice")
    cude: str | None = Field(description="Of the RADIAN event that it rests on; null where there is none")
    rules_version: str = Field(
        description="Which edition of the law's rules and of the holidays, with a mark of what the operator corrects"
    )


class LeftOutDay(Data):
    """A day within the term that does not count."""

    date: str = Field(json_schema_extra={"format": "date"})
    reason: str = Field(description="Spanish: sábado, domingo, festivo and its name")


class RadianClock(ClockNews):
    """The receipt of the goods (032) was seen: the term runs."""

    received_at: Instant = Field(description="The own time of event 032")
    claim_until: Instant = Field(description="18:00 of the third business day")
    accepts_from: Instant = Field(description="00:00 of the day after it")
    calendar: list[LeftOutDay] = Field(description="The days that were left out")


class RadianDue(RadianClock):
    """The term is over, and neither 031 nor 033 nor 034 stands at Factus."""

    emits: bool = Field(description="Whether the service declares the acceptance (034) itself")


class RadianClaimed(ClockNews):
    """The buyer claims (031)."""

    occurred_at: Instant | None


class RadianAccepted(ClockNews):
    """The invoice is accepted (033, or 034 as Factus shows it)."""

    kind: Literal["express", "tacit"]
    occurred_at: Instant | None


class RadianSilent(ClockNews):
    """No receipt of the goods (032) has come for long; watching goes on."""

    since: Instant = Field(description="The validation of the invoice")


class RadianUnconfirmed(ClockNews):
    """A 034 that was sent does not show at Factus, or Factus does not take it."""

    reason: str = Field(description="Spanish, with the mend")


# -- calls -------------------------------------------------------------------------------------------------------------
class Shown(Foreign):
    """What Factus has, or has now."""

    factus: Factus


class Answered(Foreign):
    """What Factus answered to an event that was registered."""

    factus: Any = Field(description="As Factus gave it; null when it only said yes")


class RadianEvents(Foreign):
    """The RADIAN events of an invoice."""

    number: str
    events: list[dict[str, Any]] = Field(description="As Factus lists them, oldest first")


class Pagination(Data):
    """Where in a list of Factus the items stand: its own figures for the last page that was read."""

    total: int | None = Field(description="Rows of the whole list")
    per_page: int | None
    current_page: int | None
    last_page: int | None
    from_: int | None = Field(alias="from")
    to: int | None
    next_page: int | None = Field(description="Where to go on; null when nothing is left")


class Listed(Foreign):
    """Rows of a list."""

    items: list[Any] = Field(description="Rows as Factus gave them")
    pagination: Pagination | None = Field(description="Null for lists that Factus gives in one piece")


class Sent(Data):
    """A document was sent by e-mail."""

    sent: Literal[True]
    email: str


class DeletedDocument(Data):
    """A document is no longer at Factus."""

    deleted: Literal[True]
    reference_code: str


class DeletedRange(Data):
    """A numbering range is no longer at Factus."""

    deleted: Literal[True]


class SwitchedRange(Data):
    """A numbering range stands as it was wanted."""

    is_active: bool
    factus: Factus


class CatalogRows(Data):
    """Rows of a shipped table, best first."""

    catalog: str
    items: list[dict[str, Any]] = Field(description="code, name, and what else the table has")


class KeptJob(Data):
    """A job that a cancellation left as it is."""

    job_id: str
    why: str = Field(description="Spanish: it is final, Factus may have it, or nobody knows it")


class Cancelled(Data):
    """What a cancellation came to."""

    cancelled: list[str] = Field(description="Ids of the jobs that ended, each with its own final event; 20000 at most")
    kept: list[KeptJob] = Field(description="Of a batch: those that are still open")


# -- closing a day -----------------------------------------------------------------------------------------------------
class Gap(Data):
    """A number of the day that is not one of this service's validated documents."""

    number: str
    class_: Literal["foreign", "deleted", "waiting", "unexplained"] = Field(alias="class")
    reference_code: str | None
    rule: str | None = Field(description="DIAN's rule, of what it rejected")
    reason: str | None = Field(description="Spanish")
    at: Instant | None = Field(description="When it was rejected, or made at Factus")


class PrefixOfDay(Data):
    """Every number of a prefix, from the first of the day to the last."""

    family: str
    prefix: str
    first: str = Field(description="With its prefix")
    last: str
    span: int = Field(ge=1, description="Numbers from first to last")
    issued: int = Field(ge=0, description="Validated, and known here")
    foreign: int = Field(ge=0, description="At Factus, not known here")
    deleted: int = Field(ge=0, description="Rejected by the DIAN and removed")
    waiting: int = Field(ge=0, description="At Factus and not validated")
    unexplained: int = Field(ge=0)
    total: Money = Field(description="Of all validated documents, foreign ones too")
    tax_amount: Money
    gaps: list[Gap] = Field(description="All that are not issued; of a certificate the first 5000")


class OpenOfDay(Data):
    """A job of the day that has not ended."""

    reference_code: str
    family: str
    state: Literal["waiting", "delayed", "sent", "pending"]
    why: str = Field(description="Spanish")


class NotIssued(Data):
    """A job of the day that ended without a document."""

    reference_code: str | None
    family: str
    job_id: str
    type: str = Field(description="Of its final event")
    code: str | None
    rule: str | None
    reason: str | None = Field(description="Spanish")
    at: Instant | None
    number: str | None = Field(description="Under which the same reference is validated all the same")


class ControlDifference(Data):
    """Where the ERP's sums and Factus differ."""

    family: str
    prefix: str
    what: Literal["count", "total", "tax_amount"]
    control: int | Money | None = Field(description="Null for a prefix that the ERP does not name")
    found: int | Money
    reference_code: str | None = Field(description="Of the document that explains it, where one does")


class Control(Data):
    is_balanced: bool
    differences: list[ControlDifference]


class CertificateWarning(Data):
    """What a reader of the certificate must know."""

    code: str = Field(
        description="ledger.younger, ledger.forgotten, ledger.full, family.unread, amount.unknown, control.partial, "
        "left_out"
    )
    family: str | None
    message: str = Field(description="Spanish")


class DayCertificate(Data):
    """The certificate of a day."""

    account: str
    day: str = Field(json_schema_extra={"format": "date"})
    made_at: Instant
    is_final: bool = Field(description="The day is over and nothing of it is open")
    prefixes: list[PrefixOfDay]
    open: list[OpenOfDay] = Field(description="The first 2000")
    refused: list[NotIssued] = Field(
        description="job.refused, and X.rejected where no deleted number stands for it; the first 2000"
    )
    failed: list[NotIssued] = Field(description="The first 2000")
    control: Control | None = Field(description="Null when the job named no sums")
    warnings: list[CertificateWarning] = Field(
        default_factory=list, description="Stands only where there is something to be known"
    )
    calls: int = Field(ge=0, description="Calls to Factus that it took")
    previous_sha256: str | None = Field(description="Of the account's certificate made before; null for the first")
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="Of the canonical JSON without itself: UTF-8 not escaped, sorted keys, no spaces",
    )


# -- operator events ---------------------------------------------------------------------------------------------------
class AccountBlocked(Data):
    """What stops until a person mends it."""

    family: str | None = Field(
        description="invoice, credit_note …, numbering_range …; null for the whole account. Where jobs of one type are "
        "denied (invoice.email) it is their family, the message names the type, and issuing goes on"
    )
    since: Instant
    jobs_waiting: int = Field(ge=0, description="Jobs that wait behind the block; of that type, where it stops one")
    mend: str = Field(description="What to do about it, Spanish")


class AccountResumed(Data):
    """What blocked the account, the family, or the jobs of one type, is over."""

    family: str | None = Field(description="As in account.blocked")
    since: Instant = Field(description="When it had been blocked")
    jobs_waiting: None
    mend: None


class BatchFailure(Data):
    """A job of the batch that did not succeed."""

    job_id: str
    reference_code: str | None
    type: str = Field(description="Type of its final event")
    code: str | None = Field(description="Of its first error")
    message: str
    number: str | None = Field(default=None, description="That a rejected document had, and that is used up")
    rule: str | None = Field(default=None, description="Of the DIAN, or of this service: of its first error")


class BatchCompleted(Data):
    """A batch is final."""

    batch: str
    size: int = Field(ge=1, description="Jobs it was said to have")
    counts: dict[str, int] = Field(description="Jobs by type of their final event")
    total: Money = Field(description="Pesos, of the validated documents: each once, however many jobs have it")
    first_number: str | None = Field(description="Number of the document that was validated first")
    last_number: str | None
    failures: list[BatchFailure] = Field(description="By name; the first 1000, the counts are complete all the same")


class DayOutlook(Data):
    """What will become of the jobs of an account that must go out on a day, by the estimate."""

    day: str = Field(description="issue_on of the jobs", json_schema_extra={"format": "date"})
    ends_at: Instant = Field(description="When the day is over, in the account's time zone")
    expected_at: Instant | None = Field(description="When the last of them would be done, whatever its day")
    waiting: int = Field(ge=0, description="Jobs of that day of which nothing was sent yet")
    will_miss: int = Field(ge=0, description="Those that will not be sent on their day; 0 in day.safe")
    references: list[str] = Field(description="The first 100 that will miss it, in the order of sending")
    batches: list[str] = Field(description="Batches of those that will miss it")
    pace_per_minute: float = Field(ge=0, description="Jobs for each minute, of the lanes in which they wait")


VALIDATED: Final[Mapping[str, type[Data]]] = {
    "cufe": ValidatedBill,
    "cude": ValidatedNote,
    "cuds": ValidatedPurchase,
    "cune": ValidatedPayroll,
}
"""By the electronic code of the family."""
