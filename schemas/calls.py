"""
Payloads of the jobs that do not issue: one model for each shape, and the rows by which they are checked.

Bodies that go to Factus have its field names; what our own service adds (``number`` or ``reference_code``, ``kinds``,
``filters`` ...) is docs/contract.md, section 3. Sources: Factus API v2, reception, numbering ranges, company.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from typing import Annotated, Final

from pydantic import Field

from schemas import catalog_search
from schemas.family import Family, checked
from schemas.fields import DateText, Filled, Flag, Kind, NumberText, Part, Text, part
from schemas.rules import FINE, Document, Findings, Node, RuleBook, has_text, say

PositiveInt = Annotated[int, Kind("integer"), Field(ge=1, le=1_000_000)]
SearchLimit = Annotated[int, Kind("integer"), Field(ge=1, le=100)]


# -- documents ---------------------------------------------------------------------------------------------------------
class OneDocument(Part):
    """A document by its number or by its reference code."""

    number: Filled = part("número", "Number that Factus gave, with its prefix", optional=True)
    reference_code: Filled = part("código de referencia", "The reference it was issued under", optional=True)


class Download(OneDocument):
    """Files of a document."""

    kinds: list[Filled] = part(
        "archivos",
        "pdf, xml, attached; all that the family has when left out",
        optional=True,
        min_length=1,
        max_length=3,
    )


class Email(OneDocument):
    """Send a document to an address."""

    email: Filled = part("correo", "Address to send it to")
    pdf_base_64_encoded: Filled = part("PDF propio", "A graphic representation of one's own", optional=True)


class ByReference(Part):
    """A document by its reference code only."""

    reference_code: Filled = part("código de referencia", "The reference it was issued under")


class Person(Part):
    """Who accepts, receives or claims."""

    identification_document_code: Annotated[str, Kind("code", "identity-document-types", takes_number=True)] = part(
        "tipo de documento de la persona", "13 cédula, 31 NIT ..."
    )
    identification: NumberText = part("identificación de la persona", "Number without check digit")
    dv: Text = part("dígito de verificación", "With a NIT", optional=True)
    first_name: Filled = part("nombres", "First names")
    last_name: Filled = part("apellidos", "Surnames")
    job_title: Text = part("cargo", "Job title", optional=True)
    organization_department: Text = part("área", "Department", optional=True)


class Accept(Person):
    """Tacit acceptance (034) of a bill on credit."""

    number: Filled = part("número", "Number of the bill, with its prefix")


# -- lists -------------------------------------------------------------------------------------------------------------
class DateRange(Part):
    start_date: DateText = part("fecha inicial", "First day", optional=True)
    end_date: DateText = part("fecha final", "Last day", optional=True)


class DocumentFilters(Part):
    """What lists of documents can be asked by."""

    identification: NumberText = part("identificación", "Of the customer or provider", optional=True)
    names: Text = part("nombre", "Of the customer or provider", optional=True)
    number: Text = part("número", "Number of the document", optional=True)
    prefix: Text = part("prefijo", "Prefix", optional=True)
    reference_code: Text = part("código de referencia", "Reference code", optional=True)
    status: NumberText = part("estado", "1 validated, 0 not validated", optional=True)
    per_page: PositiveInt = part("filas por página", "10 when not given", optional=True)
    created_at: DateRange = part("fecha de creación", "Range of creation days", optional=True)


class PayrollFilters(Part):
    """What lists of payrolls can be asked by."""

    identification_number: NumberText = part("identificación del trabajador", "Of the worker", optional=True)
    number: Text = part("número", "Number of the document", optional=True)
    names: Text = part("nombre del trabajador", "Of the worker", optional=True)


class ReceptionFilters(Part):
    """What the list of received bills can be asked by."""

    id: NumberText = part("id", "Record id", optional=True)
    number: Text = part("número", "Number of the bill", optional=True)
    issue_date: DateText = part("fecha de emisión", "Issue date", optional=True)
    cufe: Text = part("CUFE", "Electronic code", optional=True)
    company_nit: NumberText = part("NIT del emisor", "NIT of the issuer", optional=True)
    company_name: Text = part("nombre del emisor", "Name of the issuer", optional=True)
    completed_events: NumberText = part("eventos completos", "1 no pending events, 0 with pending", optional=True)


class RangeFilters(Part):
    """What the list of invoicing ranges can be asked by."""

    id: NumberText = part("id", "Range id", optional=True)
    document: Annotated[str, Kind("code", "numbering-range-document-types", takes_number=True)] = part(
        "documento", "21 invoice, 22 credit note ...", optional=True
    )
    resolution_number: NumberText = part("resolución", "DIAN resolution", optional=True)
    technical_key: Text = part("clave técnica", "Technical key", optional=True)
    is_active: NumberText = part("activo", "1 or 0", optional=True)


class PayrollRangeFilters(Part):
    """What the list of payroll ranges can be asked by."""

    code: Annotated[str, Kind("code", "payroll-numbering-range-document-types", takes_number=True)] = part(
        "documento", "26 payroll, 27 adjustment note", optional=True
    )
    is_enabled: Text = part("activo", "true or false, as text", optional=True)


class Listing(Part):
    """One page of a list, or all pages from one on."""

    page: PositiveInt = part("página", "From 1", optional=True)
    all: Flag = part("todas", "Read on until the last page or the limit", optional=True)


class DocumentList(Listing):
    filters: DocumentFilters = part("filtros", "Factus's names without filter[]", optional=True)


class PayrollList(Listing):
    filters: PayrollFilters = part("filtros", "Factus's names without filter[]", optional=True)


class ReceptionList(Listing):
    filters: ReceptionFilters = part("filtros", "Factus's names without filter[]", optional=True)


class RangeList(Listing):
    filters: RangeFilters = part("filtros", "Factus's names without filter[]", optional=True)


class PayrollRangeList(Listing):
    filters: PayrollRangeFilters = part("filtros", "Factus's names without filter[]", optional=True)


# -- reception ---------------------------------------------------------------------------------------------------------
class UploadReceived(Part):
    """Load a bill that a supplier issued."""

    track_id: Annotated[str, Kind("text"), Field(min_length=1, max_length=200)] = part(
        "CUFE de la factura recibida", "CUFE of the bill: 96 hexadecimal characters"
    )


class EmitEvent(Person):
    """A RADIAN event on a received bill."""

    bill_id: NumberText = part("id de la factura recibida", "id of the row in reception.list")
    event_type: Filled = part("evento", "030, 031, 032 or 033")
    claim_concept_code: Annotated[str, Kind("code", "claim-concepts")] = part(
        "concepto del reclamo", "Required with 031", optional=True
    )


# -- numbering ranges --------------------------------------------------------------------------------------------------
class OneRange(Part):
    """A numbering range by its id: a number for invoicing, a ULID for payroll."""

    numbering_range_id: NumberText = part("id del rango", "id of the row in the list")


class RangeCreate(Part):
    """A range of invoicing."""

    document: Annotated[str, Kind("code", "numbering-range-document-types", takes_number=True)] = part(
        "documento", "21 invoice, 22 credit note, 23 debit note, 24 support document, 25 adjustment note, 30 paper"
    )
    prefix: Annotated[str, Kind("text"), Field(min_length=1, max_length=4)] = part(
        "prefijo", "1 to 4 letters or digits"
    )
    resolution_number: NumberText = part("resolución", "Required with 21, 24 and 30", optional=True)
    current: NumberText = part("consecutivo", "Next number to issue")


class PayrollRangeCreate(Part):
    """A range of payroll."""

    document: Annotated[str, Kind("code", "payroll-numbering-range-document-types", takes_number=True)] = part(
        "documento", "26 payroll, 27 adjustment note"
    )
    prefix: Annotated[str, Kind("text"), Field(min_length=1, max_length=4)] = part(
        "prefijo", "1 to 4 letters or digits"
    )
    current: NumberText = part("consecutivo", "Next number to issue")


class RangeUpdate(OneRange):
    current: NumberText = part("consecutivo", "Next number to issue")


class RangeStatus(OneRange):
    is_active: Flag = part("activo", "true to switch it on, false to switch it off")


# -- company and the rest ----------------------------------------------------------------------------------------------
class CompanyUpdate(Part):
    """The company's own data."""

    legal_organization_code: Annotated[str, Kind("code", "legal-organizations", takes_number=True)] = part(
        "tipo de organización", "1 legal person, 2 natural person"
    )
    company: Text = part("razón social", "Required for a legal person", optional=True)
    trade_name: Text = part("nombre comercial", "Trade name", optional=True)
    names: Text = part("nombres", "Required for a natural person", optional=True)
    surnames: Text = part("apellidos", "Required for a natural person", optional=True)
    registration_code: Text = part("registro mercantil", "Commercial register", optional=True)
    economic_activity: NumberText = part("actividad económica", "CIIU code", optional=True)
    phone: Text = part("teléfono", "Telephone", optional=True)
    email: Text = part("correo", "E-mail", optional=True)
    address: Text = part("dirección", "Address", optional=True)
    tribute_code: Annotated[str, Kind("code", "customer-tributes")] = part("tributo", "Tribute", optional=True)
    municipality_code: Annotated[str, Kind("code", "municipalities")] = part("municipio", "Five digits, DIVIPOLA")
    responsibilities: Annotated[str, Kind("code", "fiscal-responsibilities")] = part(
        "responsabilidad fiscal", "One code", optional=True
    )


class Logo(Part):
    """The company's logo."""

    image_base_64_encoded: Filled = part("imagen", "PNG or JPEG, base64")


class Acquirer(Part):
    """Whose reception data are asked of DIAN."""

    identification_document_code: Annotated[str, Kind("code", "identity-document-types", takes_number=True)] = part(
        "tipo de documento", "13 cédula, 31 NIT ..."
    )
    identification_number: NumberText = part("identificación", "Number without check digit")


class CatalogSearch(Part):
    """A search in the shipped tables."""

    catalog: Filled = part("tabla", "Name of the table: municipalities, unit-measures ...")
    query: Text = part("búsqueda", "A code, or words of a name, without regard to accents", optional=True)
    limit: SearchLimit = part("límite", "At most this many rows, 1 to 100; 20 when not given", optional=True)


class Nothing(Part):
    """No payload is needed: an empty object."""


# -- what ties keys together -------------------------------------------------------------------------------------------
_OURS: Final = "factus-worker"
_NIT: Final = "31"
_CLAIM: Final = "031"
_EVENTS: Final = ("030", "031", "032", "033")
_WITH_RESOLUTION: Final = frozenset({"21", "24", "30"})

NAMED = RuleBook.about("")
PERSON = RuleBook.about("")
MAIL = RuleBook.about("")
EVENT = RuleBook.about("")
RANGE = RuleBook.about("")
COMPANY = RuleBook.about("")
LOGO = RuleBook.about("")
CATALOG = RuleBook.about("")


@NAMED.error("CALL-001", _OURS)
def names_one_document(root: Node, document: Document) -> Findings:
    named = [key for key in ("number", "reference_code") if key in root]
    if len(named) == 1:
        return FINE
    if not named:
        return say("number", 'Falta decir qué documento: escriba "number" o "reference_code".')
    return say("reference_code", 'Llegaron "number" y "reference_code": deje solo uno de los dos.')


@MAIL.error("CALL-002", _OURS)
def address_is_one(root: Node, document: Document) -> Findings:
    address = root.get("email", "@.")
    name, _, domain = address.partition("@")
    is_one = (name and "." in domain and not any(map(str.isspace, address))) or "email" not in root
    return FINE if is_one else say("email", 'El correo ("email") no tiene la forma nombre@dominio. Corríjalo.')


@MAIL.error("CALL-003", _OURS)
def own_pdf_is_base64(root: Node, document: Document) -> Findings:
    text = root.get("pdf_base_64_encoded")
    if text is None or _decoded(text):
        return FINE
    return say("pdf_base_64_encoded", 'El PDF ("pdf_base_64_encoded") no es base64. Codifique el archivo completo.')


@PERSON.error("CALL-004", "D")
def nit_has_its_digit(root: Node, document: Document) -> Findings:
    if root.get("identification_document_code") != _NIT or has_text(root, "dv"):
        return FINE
    return say("dv", 'Con NIT falta el dígito de verificación ("dv"). Agréguelo.')


@EVENT.error("CALL-005", "D")
def event_is_a_receivers(root: Node, document: Document) -> Findings:
    if root.get("event_type", _CLAIM) in _EVENTS:
        return FINE
    return say("event_type", f'El evento ("event_type") debe ser uno de {", ".join(_EVENTS)}.')


@EVENT.error("CALL-006", "D")
def claim_has_its_concept(root: Node, document: Document) -> Findings:
    if root.get("event_type") != _CLAIM or "claim_concept_code" in root:
        return FINE
    return say("claim_concept_code", 'El reclamo (031) necesita su concepto ("claim_concept_code": 01 a 04).')


@RANGE.error("CALL-007", "D")
def range_has_its_resolution(root: Node, document: Document) -> Findings:
    if root.get("document") not in _WITH_RESOLUTION or has_text(root, "resolution_number"):
        return FINE
    return say("resolution_number", 'Para este documento falta la resolución de la DIAN ("resolution_number").')


@RANGE.error("CALL-008", "D")
def prefix_is_plain(root: Node, document: Document) -> Findings:
    prefix = root.get("prefix", "A")
    if prefix.isascii() and prefix.isalnum():
        return FINE
    return say("prefix", 'El prefijo ("prefix") admite de 1 a 4 letras o dígitos, sin espacios ni signos.')


@COMPANY.error("CALL-009", "D")
def company_has_its_name(root: Node, document: Document) -> Findings:
    wanted = {"1": ("company",), "2": ("names", "surnames")}.get(root.get("legal_organization_code", ""), ())
    missing = [key for key in wanted if not has_text(root, key)]
    return say(missing[0], f'Falta "{missing[0]}" para este tipo de organización.') if missing else FINE


@LOGO.error("CALL-010", "D")
def logo_is_an_image(root: Node, document: Document) -> Findings:
    content = _decoded(root.get("image_base_64_encoded", ""))
    if content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or "image_base_64_encoded" not in root:
        return FINE
    return say("image_base_64_encoded", "La imagen debe ser PNG o JPEG, codificada en base64.")


@CATALOG.error("CALL-011", _OURS)
def catalog_exists(root: Node, document: Document) -> Findings:
    name = root.get("catalog")
    if name is None or catalog_search.exists(name):
        return FINE
    close = catalog_search.nearest(name)
    mend = f'¿Quiso decir "{close}"?' if close else f"Tablas: {', '.join(catalog_search.catalogs())}."
    return say("catalog", f'La tabla ("catalog") no existe. {mend}')


def _kinds_book(kinds: Collection[str]) -> RuleBook:
    book = RuleBook.about("")

    @book.error("CALL-012", "D")
    def kinds_exist(root: Node, document: Document) -> Findings:
        for position, kind in enumerate(root.get("kinds", ())):
            if kind not in kinds:
                return say(f"kinds.{position}", f"Este documento solo tiene los archivos {', '.join(kinds)}.")
        return FINE

    return book


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


# -- rows --------------------------------------------------------------------------------------------------------------
def download(name: str, kinds: Collection[str]) -> Family:
    """The row of a family's download: which files there are differs."""
    return checked(name, Download, NAMED, _kinds_book(kinds))


ONE_DOCUMENT: Final = checked("one_document", OneDocument, NAMED)
EMAIL: Final = checked("email", Email, NAMED, MAIL)
BY_REFERENCE: Final = checked("by_reference", ByReference)
ACCEPT: Final = checked("accept", Accept, PERSON)
DOCUMENT_LIST: Final = checked("document_list", DocumentList)
PAYROLL_LIST: Final = checked("payroll_list", PayrollList)

ACCOUNT_PAYLOADS: Final[Mapping[str, Family]] = {
    row.name: row
    for row in (
        checked("reception.upload", UploadReceived),
        checked("reception.list", ReceptionList),
        checked("reception.emit_event", EmitEvent, PERSON, EVENT),
        checked("numbering_range.list", RangeList),
        checked("numbering_range.get", OneRange),
        checked("numbering_range.create", RangeCreate, RANGE),
        checked("numbering_range.update", RangeUpdate),
        checked("numbering_range.set_status", RangeStatus),
        checked("numbering_range.delete", OneRange),
        checked("numbering_range.software", Nothing),
        checked("payroll_numbering_range.list", PayrollRangeList),
        checked("payroll_numbering_range.get", OneRange),
        checked("payroll_numbering_range.create", PayrollRangeCreate, RANGE),
        checked("payroll_numbering_range.update", RangeUpdate),
        checked("payroll_numbering_range.set_status", RangeStatus),
        checked("payroll_numbering_range.delete", OneRange),
        checked("company.get", Nothing),
        checked("company.update", CompanyUpdate, COMPANY),
        checked("company.logo", Logo, LOGO),
        checked("subscription.list", Nothing),
        checked("acquirer.get", Acquirer),
        checked("catalog.search", CatalogSearch, CATALOG),
    )
}
"""Payloads of the jobs about an account, by job type."""
