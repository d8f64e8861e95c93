"""
Payloads of the jobs that do not issue: one model for each shape.

Bodies that go to Factus have its field names; what our own service adds (``number`` or ``reference_code``, ``kinds``,
``filters`` ...) is docs/contract.md, section 3. Sources: Factus API v2, reception, numbering ranges, company.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from schemas.payload.fields import DateText, Flag, Kind, Part, SignedAmount, part
from schemas.payload.fields import Filled as FilledText

LONGEST: Final = 250
"""Characters of any text. Most go into a path or a query, and what is longer than a URL may be can never be sent."""

_LONGEST_REFERENCE: Final = 100  # as in the document that has it

Text = Annotated[str, Kind("text"), StringConstraints(max_length=LONGEST)]
Filled = Annotated[FilledText, StringConstraints(max_length=LONGEST)]
"""A text that is not empty and not only spaces."""
Reference = Annotated[FilledText, StringConstraints(max_length=_LONGEST_REFERENCE)]
Base64 = FilledText
"""A file: bounded by the job's own size."""
NumberText = Annotated[str | int | Decimal, Kind("number_text", longest=LONGEST)]
"""A text that official examples also send as a JSON number."""
FilledNumber = Annotated[str | int | Decimal, Kind("number_text", is_filled=True, longest=LONGEST)]
"""The same where it must say something."""

PositiveInt = Annotated[int, Kind("integer"), Field(ge=1, le=1_000_000)]
ControlCount = Annotated[str | int, Kind("whole", most=9_999_999_999)]
SearchLimit = Annotated[int, Kind("integer"), Field(ge=1, le=100)]


# -- documents ---------------------------------------------------------------------------------------------------------
class OneDocument(Part):
    """A document by its number or by its reference code."""

    number: Filled = part("número", "Number that Factus gave, with its prefix", optional=True)
    reference_code: Reference = part("código de referencia", "The reference it was issued under", optional=True)


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
    pdf_base_64_encoded: Base64 = part("PDF propio", "A graphic representation of one's own", optional=True)


class ByReference(Part):
    """A document by its reference code only."""

    reference_code: Reference = part("código de referencia", "The reference it was issued under")


class Person(Part):
    """Who accepts, receives or claims."""

    identification_document_code: Annotated[str, Kind("code", "identity-document-types", takes_number=True)] = part(
        "tipo de documento de la persona", "13 cédula, 31 NIT ...", bad="EVT-005", missing="EVT-005"
    )
    identification: FilledNumber = part(
        "identificación de la persona", "Number without check digit", bad="EVT-005", missing="EVT-005"
    )
    dv: Text = part("dígito de verificación", "With a NIT", optional=True)
    first_name: Filled = part("nombres", "First names", bad="EVT-005", missing="EVT-005")
    last_name: Filled = part("apellidos", "Surnames", bad="EVT-005", missing="EVT-005")
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
    reference_code: Annotated[str, Kind("text"), StringConstraints(max_length=_LONGEST_REFERENCE)] = part(
        "código de referencia", "Reference code", optional=True
    )
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
        "CUFE de la factura recibida", "CUFE of the bill: 96 hexadecimal characters", bad="EVT-001"
    )


class UniqueCode(Part):
    """Anybody's document by the code that DIAN knows it by."""

    unique_code: Annotated[str, Kind("text"), Field(min_length=1, max_length=200)] = part(
        "código único del documento", "CUFE, CUDE, CUDS or CUNE: 96 hexadecimal characters", bad="CALL-016"
    )


class EmitEvent(Person):
    """A RADIAN event on a received bill."""

    bill_id: NumberText = part("id de la factura recibida", "id of the row in reception.list")
    event_type: Filled = part("evento", "030, 031, 032 or 033", bad="EVT-002")
    claim_concept_code: Annotated[str, Kind("code", "claim-concepts")] = part(
        "concepto del reclamo", "Required with 031", optional=True, bad="EVT-004"
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

    image_base_64_encoded: Base64 = part("imagen", "PNG or JPEG, base64")


class Acquirer(Part):
    """Whose reception data are asked of DIAN."""

    identification_document_code: Annotated[str, Kind("code", "identity-document-types", takes_number=True)] = part(
        "tipo de documento", "13 cédula, 31 NIT ..."
    )
    identification_number: FilledNumber = part("identificación", "Number without check digit")


class CatalogSearch(Part):
    """A search in the shipped tables."""

    catalog: Filled = part("tabla", "Name of the table: municipalities, unit-measures ...")
    query: Text = part("búsqueda", "A code, or words of a name, without regard to accents", optional=True)
    limit: SearchLimit = part("límite", "At most this many rows, 1 to 100; 20 when not given", optional=True)


class Cancel(Part):
    """Which open jobs are to end before anything of them is sent."""

    job_id: Filled = part("id del trabajo", "One job", optional=True)
    family: Filled = part("familia", "With reference_code: invoice, credit_note ...", optional=True)
    reference_code: Reference = part("código de referencia", "All jobs of one document", optional=True)
    batch: Filled = part("lote", "All jobs of a batch", optional=True)


class ControlTotal(Part):
    """What the ERP has of one prefix on a day."""

    family: Filled = part("familia", "invoice, credit_note ...")
    prefix: Text = part("prefijo", "Of the numbers; left out for numbers without one", optional=True)
    count: ControlCount = part("cantidad", "Validated documents", optional=True)
    total: SignedAmount = part("total", "Their total", optional=True)
    tax_amount: SignedAmount = part("impuestos", "Their taxes", optional=True)


class DayClose(Part):
    """A day to be closed, and what the ERP has of it."""

    day: DateText = part("día", "The day, in the account's time zone")
    control: list[ControlTotal] = part(
        "totales de control", "The ERP's own sums, one for each prefix", optional=True, min_length=1, max_length=1000
    )


class Nothing(Part):
    """No payload is needed: an empty object."""
