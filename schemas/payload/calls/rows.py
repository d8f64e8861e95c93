"""
How the payloads of the jobs that do not issue are checked: one row each, as ``DOCUMENT_SPECS`` has for documents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from schemas.payload.calls.payloads import (
    Accept,
    Acquirer,
    ByReference,
    Cancel,
    CatalogSearch,
    CompanyUpdate,
    DocumentList,
    Download,
    Email,
    EmitEvent,
    Logo,
    Nothing,
    OneDocument,
    OneRange,
    PayrollList,
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
    CODE,
    COMPANY,
    CONSECUTIVE,
    EVENT,
    FILTERS,
    ISSUER_FILTERS,
    LOGO,
    MAIL,
    NAMED,
    PERSON,
    RANGE,
    RECEIVED,
    RECORD,
    RESOLUTION,
    kinds_book,
)
from schemas.payload.spec import PayloadSpec, checked


def download(name: str, kinds: Collection[str]) -> PayloadSpec:
    """The row of a family's download: which files there are differs."""
    return checked(name, Download, NAMED, kinds_book(kinds))


ONE_DOCUMENT: Final = checked("one_document", OneDocument, NAMED)
EMAIL: Final = checked("email", Email, NAMED, MAIL)
BY_REFERENCE: Final = checked("by_reference", ByReference)
ACCEPT: Final = checked("accept", Accept, PERSON)
DOCUMENT_LIST: Final = checked("document_list", DocumentList, FILTERS)
PAYROLL_LIST: Final = checked("payroll_list", PayrollList)

ACCOUNT_PAYLOADS: Final[Mapping[str, PayloadSpec]] = {
    row.name: row
    for row in (
        checked("reception.upload", UploadReceived, RECEIVED),
        checked("reception.list", ReceptionList, FILTERS, ISSUER_FILTERS),
        checked("reception.emit_event", EmitEvent, PERSON, EVENT, RECORD),
        checked("numbering_range.list", RangeList, FILTERS),
        checked("numbering_range.get", OneRange, RECORD),
        checked("numbering_range.create", RangeCreate, RANGE, RESOLUTION, CONSECUTIVE),
        checked("numbering_range.update", RangeUpdate, RECORD, CONSECUTIVE),
        checked("numbering_range.set_status", RangeStatus, RECORD),
        checked("numbering_range.delete", OneRange, RECORD),
        checked("numbering_range.software", Nothing),
        checked("payroll_numbering_range.list", PayrollRangeList, FILTERS),
        checked("payroll_numbering_range.get", OneRange, RECORD),
        checked("payroll_numbering_range.create", PayrollRangeCreate, RANGE, CONSECUTIVE),
        checked("payroll_numbering_range.update", RangeUpdate, RECORD, CONSECUTIVE),
        checked("payroll_numbering_range.set_status", RangeStatus, RECORD),
        checked("payroll_numbering_range.delete", OneRange, RECORD),
        checked("company.get", Nothing),
        checked("company.update", CompanyUpdate, COMPANY),
        checked("company.logo", Logo, LOGO),
        checked("subscription.list", Nothing),
        checked("acquirer.get", Acquirer, ACQUIRER),
        checked("document.download", UniqueCode, CODE),
        checked("catalog.search", CatalogSearch, CATALOG),
        checked("job.cancel", Cancel, CANCEL),
    )
}
"""Payloads of the jobs about an account, by job type."""
