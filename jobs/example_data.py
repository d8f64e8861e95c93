"""
What stands in several examples of the contract: people, and what Factus answers. Invented, small, and in the shapes
that it documents.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from jobs.families import FAMILIES

ISSUED: Final = "?"
"""In the payload of an example: the reference of the document that the family's own example issues."""

PERSON: Final = {
    "identification_document_code": "13",
    "identification": "52123456",
    "first_name": "María Fernanda",
    "last_name": "Rojas",
    "job_title": "Contadora",
    "organization_department": "Contabilidad",
}
IMAGE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NUMBERS: Final[Mapping[str, str]] = {
    "invoice": "SETP990000203",
    "credit_note": "NC164",
    "debit_note": "ND60",
    "support_document": "SEDS984000129",
    "adjustment_note": "NDA54",
    "payroll": "NEF110",
    "payroll_adjustment": "NEN15",
}
_TAXES: Final[Mapping[str, str]] = {"invoice": "19000.00", "credit_note": "4750.00", "debit_note": "1900.00"}
_CODE: Final = "1665e6db841a350759bfb4ce235a898b6fede723d71a4e371eebfc6017cb768b8e6a2b644283262cda027d220d55b59c"
_CATALOG: Final = "https://catalogo-vpfe-hab.dian.gov.co/document/searchqr?documentkey="
RANGE: Final = {
    "id": 389,
    "document": "Factura de Venta",
    "prefix": "SETP",
    "from": 990000000,
    "to": 995000000,
    "current": 990000204,
    "resolution_number": "18760000001",
    "is_expired": False,
    "is_active": 1,
}
PAYROLL_RANGE: Final = {
    "id": "01kpdv25zepw0vzn39th90h1a7",
    "document": "Nómina",
    "prefix": "NEF",
    "current": "111",
    "is_active": True,
}
COMPANY: Final = {
    "nit": "860900100",
    "dv": "0",
    "company": "Papelería Andina SA",
    "trade_name": "Papelería Andina",
    "economic_activity": "4761",
    "email": "contacto@papeleriaandina.example",
    "municipality": {"code": "08001", "name": "Barranquilla"},
    "responsibilities": [{"code": "R-99-PN", "name": "No responsable"}],
}
RECEIVED: Final = {
    "id": 1207,
    "number": "FVE4410",
    "issue_date": "2026-11-20",
    "cufe": "79760c1d956a143a1076c9d06808b0916f90eb3eec5d34697fd875a2f4be1c3c18ae583d902671161d443c5dfbd48a4d",
    "company_nit": "900100200",
    "company_name": "Comercializadora La Sabana SAS",
    "payment_form": {"code": "2", "name": "Pago a crédito"},
    "total": "386750.00",
}
_NOTIFIED: Final = {"FAJ43b": "Regla: FAJ43b, Notificación: Nombre informado no corresponde al registrado en el RUT"}
RADIAN_ROW: Final = {
    "number": "AP68",
    "cude": "b02f0eae4978c1a01cc0e7bddf6d9e8384f0b339ad6dcc1c7e42b6dfebfe6c26ee98512991c8ead8cd665c353e05684c",
    "event_code": "030",
    "event_name": "Acuse de recibo de Factura Electrónica de Venta",
    "effective_date": "2026-11-25",
    "effective_time": "16:36:31",
}
RADIAN_ROWS: Final[dict[str, dict[str, str]]] = {
    "031": {"number": "AP70", "cude": "31" * 48, "event_code": "031", "event_name": "Reclamo"},
    "032": {"number": "AP69", "cude": "32" * 48, "event_code": "032", "event_name": "Recibo del bien"},
    "034": {"number": "AP71", "cude": "34" * 48, "event_code": "034", "event_name": "Aceptación tácita"},
}
"""What other events of the same bill have beside."""
ACCEPTED: Final = {**RADIAN_ROW, "number": "AP71", "event_code": "034", "event_name": "Aceptación tácita"}


def document(family: str, reference_code: str, total: str, party: str) -> dict[str, Any]:
    """A validated document, in the parts that the service reads."""
    row = FAMILIES[family]
    outer, inner = row.party
    tax = _TAXES.get(family, "0.00")
    money = {"net_balance": total} if family == "payroll" else {"totals": {"total": total, "tax_amount": tax}}
    return {
        "reference_code": reference_code,
        "number": NUMBERS[family],
        "is_validated": True,
        "created_at": "25-11-2026 08:21:47 AM",
        "validated_at": "25-11-2026 08:21:49 AM",
        row.unique_code: _CODE,
        "errors": _NOTIFIED if family == "invoice" else {},
        outer: {inner: party},
        **({} if not row.total else money),
        "links": {
            "qr": f"{_CATALOG}{_CODE}",
            "public_url": "https://app-sandbox.factus.com.co/documents/bills/1665e6db",
        },
    }


def rejected_document(family: str, reference_code: str) -> dict[str, Any]:
    """A document that DIAN rejected, which has used up a number."""
    if family.startswith("payroll"):
        rule, text = "NIE033", "El NIT del empleador no corresponde al registrado"
    else:
        rule, text = "FAK24", "El DV del NIT del adquiriente no está correctamente calculado"
    return {
        "reference_code": reference_code,
        "number": NUMBERS[family],
        "is_validated": False,
        "errors": {rule: f"Regla: {rule}, Rechazo: {text}"},
    }


def page(*rows: Mapping[str, Any]) -> dict[str, Any]:
    """A list that has one page."""
    figures = {"total": len(rows), "per_page": 10, "current_page": 1, "last_page": 1, "from": 1, "to": len(rows)}
    return {"data": [*rows], "pagination": figures}


def document_row(family: str) -> dict[str, Any]:
    """A document, as a list shows it."""
    names = "52123456" if family.startswith("payroll") else "900100200"
    return {"id": 5120, "number": NUMBERS[family], "identification": names, "total": "119000.00", "status": 1}


ROW_OF_DAY: Final = {
    "number": NUMBERS["invoice"],
    "reference_code": "FV-2026-0001",
    "is_validated": True,
    "created_at": "25-11-2026 08:21:47 AM",
    "total": "119000.00",
}

FILE: Final = {"file_name": "document", "xml_base_64_encoded": base64.b64encode(b"<Invoice/>").decode()}
