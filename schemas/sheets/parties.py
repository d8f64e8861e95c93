"""
Who stands on a document of a sheet: the identification, its kind and check digit, the name and where somebody lives.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.check_digit import check_digit
from schemas.sheets import values
from schemas.sheets.faults import Problem, empty
from schemas.sheets.reading import DocumentReader
from schemas.sheets.values import Identified

_NIT: Final = "31"
_CITIZEN_CARD: Final = "13"
_FOREIGN_NIT: Final = "50"
_COMPANY: Final = "1"
_PERSON: Final = "2"
_FINAL_CONSUMER: Final = "2" * 12


def party_of(cells: DocumentReader) -> dict[str, Any]:
    """The customer or provider of a document, with what could be read of it."""
    found = _identity(cells)
    name = cells.header("name")
    if not name and cells.sheet.has("name") and not cells.is_filled("name"):
        cells.tell(cells.document.positions[0], "name", empty("el nombre o la razón social"))
    is_provider = cells.family == "support_document"
    organization = _organization(cells, found)
    if not is_provider:
        found |= {"legal_organization_code": organization, "tribute_code": cells.optional("tribute_code") or "ZZ"}
        found["responsibilities"] = _responsibilities(cells)
    found["names" if is_provider or organization == _PERSON else "company"] = name
    for key in ("trade_name", "email", "phone", "address", "municipality_code"):
        found[key] = cells.optional(key)
    found["country_code"] = cells.optional("country_code") or "CO"
    return {key: value for key, value in found.items() if value}


def _identity(cells: DocumentReader) -> dict[str, Any]:
    read, position = cells.identity()
    number = Identified("")
    if isinstance(read, Problem):
        cells.tell(position, "identification", read)
    elif read is not None:
        number = read
    elif cells.sheet.has("identification"):
        cells.tell(position, "identification", empty("la identificación"))
    dv = cells.header("dv") or number.dv
    kind = cells.header("identification_document_code")
    if not kind and number.number and not cells.is_filled("identification_document_code"):
        kind = _inferred_kind(cells, number.number, dv)
    if kind == _NIT and number.number and not dv and not cells.is_filled("dv"):
        dv = check_digit(number.number) or ""
    if kind != _NIT and not cells.is_filled("dv"):
        dv = ""
    return {"identification_document_code": kind, "identification": number.number, "dv": dv}


def _inferred_kind(cells: DocumentReader, number: str, dv: str) -> str:
    """The kind of an identification from its form; what the form does not settle is a fault."""
    is_company = len(number) == 9 and number[0] in "89"
    is_card = number == _FINAL_CONSUMER or len(number) in (6, 7, 8) or (len(number) == 10 and number[0] == "1")
    if number.isdigit() and (dv or is_company):
        cells.infer("identification_document_code", "Sin tipo de identificación: NIT por la forma del número.")
        return _NIT
    if number.isdigit() and is_card and cells.family != "support_document":
        cells.infer("identification_document_code", "Sin tipo de identificación: cédula por la forma del número.")
        return _CITIZEN_CARD
    text = "No se puede saber si es NIT, cédula u otro: escriba el tipo de identificación."
    key = "identification_document_code" if cells.sheet.has("identification_document_code") else "identification"
    cells.tell(cells.document.positions[0], key, Problem("SHT-020", text))
    return ""


def _organization(cells: DocumentReader, identity: dict[str, Any]) -> str:
    if told := cells.optional("legal_organization_code"):
        return told
    number = identity["identification"]
    is_company = identity["identification_document_code"] == _NIT and len(number) == 9 and number[0] in "89"
    is_foreign = identity["identification_document_code"] == _FOREIGN_NIT
    return _COMPANY if is_company or is_foreign else _PERSON


def _responsibilities(cells: DocumentReader) -> list[str]:
    value, position = cells.cell("responsibilities") if cells.sheet.has("responsibilities") else (None, 0)
    if value is None:
        return ["R-99-PN"]
    found = values.codes(value)
    if isinstance(found, Problem):
        cells.tell(position, "responsibilities", found)
        return ["R-99-PN"]
    return found
