"""The buyer of a bill or note: CUS."""

from __future__ import annotations

from tests.builders import REMOVE
from tests.unit.schemas.payload.cases.case import CITIZEN, FINAL_CONSUMER, UNNAMED_CITIZEN, Case, W

CUSTOMER = [
    Case("CUS-001", "customer.identification_document_code", {"customer.identification_document_code": "99"}),
    Case("CUS-001", "customer.identification_document_code", {"customer.identification_document_code": 31}),
    Case("CUS-002", "customer.identification", {"customer.identification": ""}),
    Case("CUS-002", "customer.identification", {"customer.identification": 900825759}),
    Case("CUS-003", "customer.identification", {"customer.identification": "900.825.759-7"}),
    Case("CUS-004", "customer.identification", {"customer.identification": "9008257597", "customer.dv": REMOVE}, W),
    Case("CUS-004", "customer.identification", {"customer.identification": "12345", "customer.dv": REMOVE}, W),
    Case("CUS-005", "customer.identification", {**CITIZEN, "customer.identification": "AB123"}, W),
    Case("CUS-006", "customer.dv", {"customer.dv": "3"}),
    Case("CUS-006", "customer.dv", {"customer.dv": "77"}),
    Case("CUS-007", "customer.dv", {"customer.dv": REMOVE}, W),
    Case("CUS-008", "customer.dv", {**CITIZEN, "customer.dv": "7"}),
    Case("CUS-009", "customer.legal_organization_code", {"customer.legal_organization_code": REMOVE}),
    Case("CUS-009", "customer.legal_organization_code", {"customer.legal_organization_code": "3"}),
    Case(
        "CUS-009",
        "customer.legal_organization_code",
        {**FINAL_CONSUMER, "customer.legal_organization_code": REMOVE},
        W,
    ),
    Case("CUS-010", "customer.company", {"customer.company": REMOVE}),
    Case("CUS-010", "customer.company", {"customer.company": " "}),
    Case("CUS-011", "customer.names", UNNAMED_CITIZEN),
    Case("CUS-012", "customer.names", {"customer.names": "Persona"}, W),
    Case(
        "CUS-013",
        "customer.legal_organization_code",
        {**UNNAMED_CITIZEN, "customer.legal_organization_code": "1", "customer.company": "Empresa"},
        W,
    ),
    Case("CUS-014", "customer.tribute_code", {"customer.tribute_code": "04"}),
    Case("CUS-015", "customer.responsibilities.0", {"customer.responsibilities": ["0-13"]}),
    Case("CUS-015", "customer.responsibilities.1", {"customer.responsibilities": ["O-13", "O-13"]}),
    Case("CUS-015", "customer.responsibilities", {"customer.responsibilities": "O-13"}),
    Case("CUS-015", "customer.responsibilities.0", {"customer.responsibilities": [13]}),
    Case("CUS-016", "customer.responsibilities", {"customer.responsibilities": ["R-99-PN", "O-13"]}, W),
    Case("CUS-017", "customer.country_code", {"customer.country_code": "co"}),
    Case("CUS-018", "customer.municipality_code", {"customer.country_code": "US"}),
    Case("CUS-019", "customer.municipality_code", {"customer.municipality_code": "5001"}),
    Case("CUS-019", "customer.municipality_code", {"customer.municipality_code": ""}),
    Case("CUS-020", "customer.municipality_code", {"customer.municipality_code": REMOVE}, W),
    Case("CUS-020", "customer.address", {"customer.address": ""}, W),
    Case("CUS-021", "customer.email", {"customer.email": "compras.empresa.example"}),
    Case("CUS-021", "customer.email", {"customer.email": "a b@empresa.example"}),
    Case("CUS-021", "customer.email", {"customer.email": "compras@empresa"}, W),
    Case("CUS-021", "customer.email", {"customer.email": REMOVE, "send_email": False}, W),
    *(
        Case("CUS-022", "customer.identification", {**FINAL_CONSUMER, "customer.identification": "2" * n}, W)
        for n in (9, 10, 11, 13, 14, 15)
    ),
    Case(
        "CUS-022",
        "customer.identification_document_code",
        {**FINAL_CONSUMER, "customer.identification_document_code": "22"},
        W,
    ),
    Case(
        "CUS-022",
        "customer.legal_organization_code",
        {**FINAL_CONSUMER, "customer.legal_organization_code": "1", "customer.company": "Consumidor Final"},
        W,
    ),
    Case(
        "CUS-023",
        "payment_details.0.payment_form",
        {**FINAL_CONSUMER, "payment_details.0.payment_form": "2", "payment_details.0.due_date": "2026-12-31"},
        W,
    ),
]
