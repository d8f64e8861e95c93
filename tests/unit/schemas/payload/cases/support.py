"""Support documents and their adjustment notes: DS."""

from __future__ import annotations

from tests.builders import REMOVE
from tests.unit.schemas.payload.cases.case import ADJUSTMENT, BOUGHT, ESTABLISHMENT, PERIOD, SUPPORT, Case, W

FOREIGNER = {
    "provider.identification_document_code": "42",
    "provider.identification": "AB-1234",
    "provider.dv": REMOVE,
    "provider.country_code": "US",
    "provider.municipality_code": REMOVE,
}

PURCHASES = [
    Case("DS-001", "provider.identification_document_code", {"provider.identification_document_code": "13"}),
    Case("DS-001", "provider.identification_document_code", {"provider.identification_document_code": "48"}),
    Case("DS-002", "provider.identification", {"provider.identification": " "}),
    Case("DS-002", "provider.identification", {"provider.identification": "2.343.543"}),
    Case("DS-003", "provider.dv", {"provider.dv": "3"}),
    Case("DS-003", "provider.dv", {"provider.dv": REMOVE}, W),
    Case("DS-003", "provider.dv", {**FOREIGNER, "provider.dv": "7"}),
    Case("DS-004", "provider.names", {"provider.names": REMOVE}),
    Case("DS-005", "provider.address", {"provider.address": ""}),
    Case("DS-006", "provider.country_code", {"provider.country_code": REMOVE}),
    Case("DS-006", "provider.country_code", {"provider.country_code": "Colombia"}),
    Case("DS-007", "provider.municipality_code", {"provider.municipality_code": REMOVE}),
    Case("DS-008", "provider.municipality_code", {"provider.municipality_code": ""}),
    Case("DS-008", "provider.municipality_code", {"provider.municipality_code": "5001"}),
    Case("DS-008", "provider.municipality_code", {**FOREIGNER, "provider.municipality_code": "05001"}),
    Case("DS-009", "provider.company", {"provider.company": "Empresa SAS"}),
    Case("DS-009", "provider.legal_organization_code", {"provider.legal_organization_code": "3"}),
    Case("DS-010", "provider.country_code", {"provider.identification_document_code": "50", "provider.dv": REMOVE}, W),
    Case("DS-011", "provider.email", {"provider.email": "pepito"}),
    Case("DS-011", "provider.email", {"provider.email": "pepito@proveedor"}, W),
    Case("DS-012", "items.0.taxes.0.code", {"items.0.taxes.0.code": "04"}),
    Case("DS-012", "items.0.taxes.0.code", {"items.0.taxes.0.code": REMOVE}),
    Case("DS-014", "items.0.period.generation_mode", {"items.0.period": {"generation_mode": "3"}}),
    Case("DS-014", "items.0.period.generation_mode", {"items.0.period": {"generation_mode": True}}),
    Case("DS-015", "items.0.period.start_date", {"items.0.period": {"generation_mode": "2"}}),
    *(
        Case("DS-016", "items.0.period.start_date", {"items.0.period": {"generation_mode": "2", "start_date": day}})
        for day in ("2026-11-23", "2026-12-01")
    ),
    Case(
        "DS-017",
        "items.0.period.start_date",
        {"items.0.period": {"generation_mode": "1", "start_date": "2026-11-30"}},
        W,
    ),
    Case("DS-018", "items.0.period", {"items.0.period": {"generation_mode": "1"}}),
    Case("DS-018", "establishment", {"establishment": ESTABLISHMENT}),
    *(
        Case("DS-019", key, {key: value})
        for key, value in {
            "customer": {},
            "send_email": True,
            "allowance_charges": [],
            "currency": {"type": "USD", "exchange_rate": "4000"},
            "billing_period": PERIOD,
            "health": {},
            "items.0.note": "nota",
            "items.0.mandate": {},
        }.items()
    ),
    Case("DS-020", "support_document_number", {"support_document_number": ""}),
    Case("DS-021", "correction_concept_code", {"correction_concept_code": "6"}),
]

FINE_PURCHASES = [
    (BOUGHT, FOREIGNER),
    (
        BOUGHT,
        {"items.0.taxes": [{"code": "01", "rate": "0.00", "is_excluded": True}], "payment_details.0.amount": "81400"},
    ),
    (SUPPORT, {"items.0.period": {"generation_mode": "2", "start_date": "2026-11-24"}}),
    (SUPPORT, {"items.0.period": {"generation_mode": 2, "start_date": "2026-11-30"}}),
    (SUPPORT, {"establishment": ESTABLISHMENT, "provider.legal_organization_code": "1"}),
    (ADJUSTMENT, {"created_time": "15:26:00", "observation": None}),
]
"""What must pass, without a warning."""
