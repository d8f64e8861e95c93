"""What one case of a broken rule is, and the families and pieces that the cases are made of."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from schemas.payload.findings import Level
from tests.builders import REMOVE

E, W = Level.ERROR, Level.WARNING

INVOICE: Final = ("invoice",)
CREDIT: Final = ("credit_note",)
DEBIT: Final = ("debit_note",)
NOTES: Final = CREDIT + DEBIT
SOLD: Final = INVOICE + NOTES
SUPPORT: Final = ("support_document",)
ADJUSTMENT: Final = ("adjustment_note",)
BOUGHT: Final = SUPPORT + ADJUSTMENT
PAID: Final = SOLD + BOUGHT
ROUNDED: Final = INVOICE + DEBIT + BOUGHT
PAYROLL: Final = ("payroll",)
ELIMINATION: Final = ("payroll_adjustment",)
ALL: Final = PAID + PAYROLL + ELIMINATION


class Case(NamedTuple):
    """The smallest change of a valid document that breaks a rule, and where that is told."""

    rule: str
    field: str | None
    changes: dict[str, Any]
    level: Level = E
    operation: str = ""
    """Of a bill: the case is tried with bills only."""
    of: tuple[str, ...] = ()
    """The families that it is tried with; those that the rule is published for when not given."""


CITIZEN: Final = {
    "customer.identification_document_code": "13",
    "customer.identification": "1098765432",
    "customer.dv": REMOVE,
    "customer.company": REMOVE,
    "customer.names": "Persona de Prueba",
    "customer.legal_organization_code": "2",
}
UNNAMED_CITIZEN: Final = {key: value for key, value in CITIZEN.items() if key != "customer.names"}
FINAL_CONSUMER: Final = {
    **CITIZEN,
    "customer.identification": "222222222222",
    "customer.names": "Consumidor Final",
}
ESTABLISHMENT: Final = {
    "name": "Sede norte",
    "address": "Calle 2",
    "phone_number": "601",
    "email": "sede@empresa.example",
    "municipality_code": "05001",
}
SURCHARGE: Final = {
    "concept_type": "03",
    "is_surcharge": True,
    "reason": "propina",
    "base_amount": "20000",
    "amount": "2000",
}
WITH_SURCHARGE: Final = {"allowance_charges": [SURCHARGE], "payment_details.0.amount": "85300"}
PREPAYMENT: Final = {"reference_code": "A-1", "received_date": "2026-11-01", "amount": "3300"}
RELATED: Final = {"code": "FAC-PAPEL", "issue_date": "2026-11-01", "number": "CONT120"}
WITHHOLDING: Final = {"code": "05", "rate": "15.00"}
PERIOD: Final = {
    "start_date": "2026-10-01",
    "start_time": "00:00:00",
    "end_date": "2026-10-31",
    "end_time": "23:59:59",
}
HEALTH: Final = {
    "provider_code": "1920304050",
    "payment_method_code": "04",
    "coverage_code": "10",
    "contract_number": "CONT1230",
}
