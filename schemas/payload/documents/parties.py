"""
The people and places on a document: customer, provider, establishment and mandate.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from schemas.payload.fields import Absent, Filled, Kind, Part, Text, part

IdentityCode = Annotated[str, Kind("code", "identity-document-types")]
MunicipalityCode = Annotated[str, Kind("code", "municipalities")]


class Customer(Part):
    """The buyer (adquiriente)."""

    identification_document_code: IdentityCode = part(
        "tipo de documento del cliente", "Kind of identity document: 13 cédula, 31 NIT ...", bad="CUS-001"
    )
    identification: Filled = part(
        "identificación del cliente", "Number; a NIT without check digit and hyphen", bad="CUS-002"
    )
    dv: Text = part(
        "dígito de verificación del cliente",
        "Check digit, NIT only; a wrong one is refused",
        optional=True,
        bad="CUS-006",
    )
    # Required by the table, yet one official example of a final consumer leaves it out: CUS-009 decides.
    legal_organization_code: Annotated[str, Kind("code", "legal-organizations")] = part(
        "tipo de organización del cliente",
        "1 company, 2 person; may be left out for the final consumer only",
        optional=True,
        bad="CUS-009",
    )
    tribute_code: Annotated[str, Kind("code", "customer-tributes")] = part(
        "tributo del cliente", "01 IVA, ZZ does not apply (default)", optional=True, bad="CUS-014"
    )
    responsibilities: Annotated[list[Text], Kind("codes", "fiscal-responsibilities")] = part(
        "responsabilidades fiscales del cliente",
        "Codes of fiscal-responsibilities; default R-99-PN",
        optional=True,
        bad="CUS-015",
        max_length=1_000,
    )
    company: Text = part("razón social del cliente", "Name of a company", optional=True, bad="CUS-010")
    trade_name: Text = part("nombre comercial del cliente", "Trade name", optional=True)
    names: Text = part("nombres del cliente", "Name of a person", optional=True, bad="CUS-011")
    address: Text = part("dirección del cliente", "Address", optional=True, bad="CUS-020")
    email: Text = part("correo del cliente", "Recipient of the automatic e-mail", optional=True, bad="CUS-021")
    phone: Text = part("teléfono del cliente", "Telephone", optional=True)
    country_code: Annotated[str, Kind("code", "countries")] = part(
        "país del cliente", "ISO 3166 alpha-2, capital letters", optional=True, bad="CUS-017"
    )
    municipality_code: MunicipalityCode = part(
        "municipio del cliente", "DIVIPOLA, five digits; Colombia only", optional=True, bad="CUS-019"
    )


class Provider(Part):
    """Who sells without being obliged to invoice (proveedor)."""

    not_here: ClassVar[dict[str, Absent]] = {
        "company": Absent("DS-009", 'La razón social del proveedor va en "names".')
    }

    identification_document_code: Annotated[str, Kind("code", "support-document-identity-document-types")] = part(
        "tipo de documento del proveedor", "31 NIT for residents; no cédula (13)", bad="DS-001"
    )
    identification: Filled = part(
        "identificación del proveedor", "Number; a NIT without check digit and hyphen", bad="DS-002"
    )
    dv: Text = part(
        "dígito de verificación del proveedor",
        "Check digit, NIT only; a wrong one is refused",
        optional=True,
        bad="DS-003",
    )
    # In no table of Factus, yet in one of its examples.
    legal_organization_code: Annotated[str, Kind("code", "legal-organizations")] = part(
        "tipo de organización del proveedor", "1 company, 2 person", optional=True, bad="DS-009"
    )
    trade_name: Text = part("nombre comercial del proveedor", "Trade name", optional=True)
    names: Filled = part("nombres del proveedor", "Name, also of a company", bad="DS-004", missing="DS-004")
    address: Filled = part("dirección del proveedor", "Address", bad="DS-005", missing="DS-005")
    country_code: Annotated[str, Kind("code", "countries")] = part(
        "país del proveedor", "ISO 3166 alpha-2, capital letters", bad="DS-006", missing="DS-006"
    )
    municipality_code: MunicipalityCode = part(
        "municipio del proveedor", "DIVIPOLA, five digits; required in Colombia", optional=True, bad="DS-008"
    )
    email: Text = part("correo del proveedor", "E-mail address", optional=True, bad="DS-011")
    phone: Text = part("teléfono del proveedor", "Telephone", optional=True)


class Establishment(Part):
    """The seller's establishment to print, when it is not the company's own."""

    name: Filled = part("nombre del establecimiento", "Name", bad="EST-001", missing="EST-001")
    address: Filled = part("dirección del establecimiento", "Address", bad="EST-001", missing="EST-001")
    phone_number: Filled = part("teléfono del establecimiento", "Telephone", bad="EST-001", missing="EST-001")
    email: Filled = part("correo del establecimiento", "E-mail address", bad="EST-001", missing="EST-001")
    municipality_code: MunicipalityCode = part(
        "municipio del establecimiento", "DIVIPOLA, five digits", bad="EST-003", missing="EST-001"
    )


class Mandate(Part):
    """On whose account a line is billed (mandante)."""

    identification_document_code: IdentityCode = part(
        "tipo de documento del mandante", "Kind of identity document", bad="OPT-003", missing="OPT-002"
    )
    identification: Filled = part(
        "identificación del mandante", "Number; a NIT without check digit", bad="OPT-003", missing="OPT-002"
    )
