"""
The families of documents that this sandbox serves: one row for each, with everything in which they differ.

Paths, texts and the functions that know a family's fields. Creating, reading, deleting and listing are the same code
for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from sandbox.families.bill import show_bill, show_bill_row
from sandbox.families.bill_fields import SAMPLE_BILL, check_bill
from sandbox.families.filters import DOCUMENT_FILTERS, PAYROLL_FILTERS, Filter
from sandbox.families.note import show_credit_note, show_debit_note, show_note_row
from sandbox.families.note_fields import SAMPLE_CREDIT_NOTE, SAMPLE_DEBIT_NOTE, check_credit_note, check_debit_note
from sandbox.families.payroll import show_adjustment_payroll, show_payroll, show_payroll_row
from sandbox.families.payroll_fields import (
    SAMPLE_ADJUSTMENT_PAYROLL,
    SAMPLE_PAYROLL,
    check_adjustment_payroll,
    check_payroll,
)
from sandbox.families.support import show_adjustment_note, show_provider_row, show_support_document
from sandbox.families.support_fields import (
    SAMPLE_ADJUSTMENT_NOTE,
    SAMPLE_SUPPORT_DOCUMENT,
    check_adjustment_note,
    check_purchase_days,
    check_support_document,
)
from sandbox.files import ubl
from sandbox.files.printing import document_pdf, payroll_pdf
from sandbox.state.company import Company
from sandbox.state.radian import ACCEPTANCES, codes_of
from sandbox.state.store import Document
from sandbox.values.fields import Errors

CheckBody = Callable[[dict[str, Any], Errors], tuple[dict[str, Any], Any]]
CheckDays = Callable[[dict[str, Any], date, Errors], None]
Show = Callable[[Document, Company], dict[str, Any]]
ShowRow = Callable[[Document], dict[str, Any]]
Print = Callable[[dict[str, Any]], bytes]
WriteXml = Callable[[dict[str, Any], Company, float], str]


@dataclass(frozen=True, slots=True)
class Relation:
    """
    The document that a note is about.

    Args:
        field: Member of the request that holds its number.
        family: Name of its family.
        is_spent: Whether it takes no such note any more.
        spent: The text that says so.
    """

    field: str
    family: str
    is_spent: Callable[[Document], bool] = lambda document: False
    spent: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """
    One family of documents.

    Args:
        name: Also its path, after `/v2/`; a single document is one segment below it.
        delete_path: What stands before the reference code.
        conflict: Text of the 409 while another document of the family is not validated.
        type_code: DIAN's code of the document, for the subject of e-mails.
        file_letters: What the names of its files begin with.
        range_documents: Codes of the numbering ranges it may use; the first one's range is taken when none is named.
        check: Returns the fields that Factus keeps and the amounts; fills in the errors.
        sample: A valid body without a reference code, for documents that are nobody's.
        check_days: What depends on today.
        print_pdf: None where the family has no PDF.
        mailed: The answer to an e-mail; None where there is neither e-mail nor AttachedDocument.
    """

    name: str
    conflict: str
    type_code: str
    file_letters: str
    range_documents: tuple[str, ...]
    check: CheckBody
    show: Show
    show_row: ShowRow
    write_xml: WriteXml
    sample: Mapping[str, Any]
    filters: Mapping[str, Filter]
    create_path: str
    delete_path: str
    check_days: CheckDays | None = None
    relation: Relation | None = None
    print_pdf: Print | None = None
    mailed: str | None = None
    has_events: bool = False
    is_shown_by_reference: bool = False

    @property
    def path(self) -> str:
        return f"/v2/{self.name}"


def _is_accepted(bill: Document) -> bool:
    """Express and tacit acceptance close a bill for credit notes (an official note of v1)."""
    return bool(codes_of(bill.events) & ACCEPTANCES)


def _is_eliminated(payroll: Document) -> bool:
    return any(note.is_validated for note in payroll.notes)


# The texts of the 409 were recorded for bills and credit notes only.
_PENDING: Final = "Se encontró una {} pendiente por enviar a la DIAN"

BILLS: Final = Family(
    name="bills",
    create_path="/v2/bills/validate",
    delete_path="/v2/bills/destroy/reference",
    conflict=_PENDING.format("factura"),
    mailed="Factura enviada al cliente con éxito",
    type_code="01",
    file_letters="fv",
    range_documents=("21", "30"),
    has_events=True,
    check=check_bill,
    show=show_bill,
    show_row=show_bill_row,
    write_xml=partial(ubl.write, ubl.INVOICE),
    print_pdf=partial(document_pdf, "Factura electrónica de Venta", "cufe"),
    filters=DOCUMENT_FILTERS,
    sample=SAMPLE_BILL,
)
CREDIT_NOTES: Final = Family(
    name="credit-notes",
    create_path="/v2/credit-notes/validate",
    delete_path="/v2/credit-notes/reference",
    conflict=_PENDING.format("nota crédito"),
    mailed="Nota crédito enviada al cliente con éxito",
    type_code="91",
    file_letters="nc",
    range_documents=("22",),
    relation=Relation("bill_number", "bills", _is_accepted, "La factura fue aceptada y no admite notas crédito"),
    check=check_credit_note,
    show=show_credit_note,
    show_row=show_note_row,
    write_xml=partial(ubl.write, ubl.CREDIT_NOTE),
    print_pdf=partial(document_pdf, "Nota crédito", "cude"),
    filters=DOCUMENT_FILTERS,
    sample=SAMPLE_CREDIT_NOTE,
)
DEBIT_NOTES: Final = Family(
    name="debit-notes",
    create_path="/v2/debit-notes/validate",
    delete_path="/v2/debit-notes/reference",
    conflict=_PENDING.format("nota débito"),
    mailed="Nota débito enviada al cliente con éxito",
    type_code="92",
    file_letters="nd",
    range_documents=("23",),
    relation=Relation("bill_number", "bills"),
    check=check_debit_note,
    show=show_debit_note,
    show_row=show_note_row,
    write_xml=partial(ubl.write, ubl.DEBIT_NOTE),
    print_pdf=partial(document_pdf, "Nota débito", "cude"),
    filters=DOCUMENT_FILTERS,
    sample=SAMPLE_DEBIT_NOTE,
)
SUPPORT_DOCUMENTS: Final = Family(
    name="support-documents",
    create_path="/v2/support-documents/validate",
    delete_path="/v2/support-documents/reference",
    conflict="Se encontró un documento soporte pendiente por enviar a la DIAN",
    type_code="05",
    file_letters="ds",
    range_documents=("24",),
    check=check_support_document,
    check_days=check_purchase_days,
    show=show_support_document,
    show_row=show_provider_row,
    write_xml=partial(ubl.write, ubl.SUPPORT_DOCUMENT),
    print_pdf=partial(document_pdf, "Documento soporte", "cuds"),
    filters=DOCUMENT_FILTERS,
    sample=SAMPLE_SUPPORT_DOCUMENT,
)
ADJUSTMENT_NOTES: Final = Family(
    name="adjustment-notes",
    create_path="/v2/adjustment-notes/validate",
    delete_path="/v2/adjustment-notes/reference",
    conflict=_PENDING.format("nota de ajuste"),
    type_code="95",
    file_letters="nas",
    range_documents=("25",),
    relation=Relation("support_document_number", "support-documents"),
    check=check_adjustment_note,
    show=show_adjustment_note,
    show_row=show_provider_row,
    write_xml=partial(ubl.write, ubl.ADJUSTMENT_NOTE),
    print_pdf=partial(document_pdf, "Nota de ajuste al documento soporte", "cuds"),
    filters=DOCUMENT_FILTERS,
    sample=SAMPLE_ADJUSTMENT_NOTE,
)
PAYROLLS: Final = Family(
    name="payrolls",
    create_path="/v2/payrolls",
    delete_path="/v2/payrolls/reference",
    conflict=_PENDING.format("nómina"),
    type_code="102",
    file_letters="nie",
    range_documents=("26",),
    check=check_payroll,
    show=show_payroll,
    show_row=show_payroll_row,
    write_xml=partial(ubl.write_payroll, "NominaIndividual"),
    print_pdf=payroll_pdf,
    filters=PAYROLL_FILTERS,
    is_shown_by_reference=True,
    sample=SAMPLE_PAYROLL,
)
ADJUSTMENT_PAYROLLS: Final = Family(
    name="adjustment-payrolls",
    create_path="/v2/adjustment-payrolls",
    delete_path="/v2/adjustment-payrolls/reference",
    conflict=_PENDING.format("nota de ajuste de nómina"),
    type_code="103",
    file_letters="niae",
    range_documents=("27",),
    relation=Relation("payroll_number", "payrolls", _is_eliminated, "La nómina ya tiene una nota de ajuste"),
    check=check_adjustment_payroll,
    show=show_adjustment_payroll,
    show_row=show_payroll_row,
    write_xml=partial(ubl.write_payroll, "NominaIndividualDeAjuste"),
    filters=PAYROLL_FILTERS,
    is_shown_by_reference=True,
    sample=SAMPLE_ADJUSTMENT_PAYROLL,
)

FAMILIES: Final = (BILLS, CREDIT_NOTES, DEBIT_NOTES, SUPPORT_DOCUMENTS, ADJUSTMENT_NOTES, PAYROLLS, ADJUSTMENT_PAYROLLS)
