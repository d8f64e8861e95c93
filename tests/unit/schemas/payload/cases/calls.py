"""Jobs that do not issue: CALL and EVT, rule by rule of every row."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from jobs.document_types import download_spec
from jobs.example_payloads import example
from jobs.registry import JOB_TYPES
from schemas.payload.spec import PayloadSpec
from tests.builders import REMOVE


class CallCase(NamedTuple):
    """The smallest change of a row's payload that breaks a rule, where that is told, and one that just does not."""

    row: str
    rule: str
    field: str
    changes: dict[str, Any]
    fine: dict[str, Any]


KINDS: Final = ("pdf", "xml")
DOWNLOAD: Final = download_spec("download", KINDS)
ROWS: Final[dict[str, PayloadSpec]] = {
    row.name: row
    for row in (
        *(found.payload for found in JOB_TYPES.values() if not found.issues and found.verb != "download"),
        DOWNLOAD,
        JOB_TYPES["document.download"].payload,
    )
}
"""Every row there is, by name."""

_EXAMPLES: Final = {
    "one_document": "invoice.get",
    "email": "invoice.email",
    "by_reference": "invoice.delete",
    "accept": "invoice.accept",
    "document_list": "invoice.list",
    "payroll_list": "payroll.list",
    "download": "invoice.download",
}

NIT: Final = {"identification_document_code": "31", "identification": "900825759", "dv": "7"}
OF_A_NIT: Final = {"identification_document_code": "31"}
CUFE: Final = "ab" * 48
PERSON: Final = {"company": REMOVE, "legal_organization_code": "2", "names": "Ana", "surnames": "Ríos"}


def a_payload(row: str) -> dict[str, Any]:
    """A valid payload of a row, to do with as one likes."""
    return example(_EXAMPLES.get(row, row))


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _of(
    names: Iterable[str], rule: str, field: str, changes: dict[str, Any], fine: dict[str, Any]
) -> Iterator[CallCase]:
    return (CallCase(name, rule, field, changes, fine) for name in names)


_NAMED: Final = ("one_document", "email", "download")
_PEOPLE: Final = ("accept", "reception.emit_event")
_RANGES: Final = ("numbering_range", "payroll_numbering_range")
_CREATED: Final = tuple(f"{name}.create" for name in _RANGES)
_COUNTED: Final = (*_CREATED, *(f"{name}.update" for name in _RANGES))
_RECORDS: Final = tuple(f"{name}.{verb}" for name in _RANGES for verb in ("get", "update", "set_status", "delete"))

TOTALS: Final = {"family": "invoice", "prefix": "A", "count": "1", "total": "119000.00"}
CALLS: Final = [
    *_of(_NAMED, "CALL-001", "number", {"reference_code": REMOVE}, {}),
    *_of(_NAMED, "CALL-001", "reference_code", {"number": "SETP1"}, {"number": "SETP1", "reference_code": REMOVE}),
    CallCase("email", "CALL-002", "email", {"email": "ana"}, {"email": "ana@empresa.example"}),
    CallCase("email", "CALL-002", "email", {"email": "ana@empresa"}, {"email": "ana@empresa.co"}),
    CallCase("email", "CALL-002", "email", {"email": "a na@empresa.co"}, {"email": "a.na@empresa.co"}),
    CallCase(
        "email",
        "CALL-003",
        "pdf_base_64_encoded",
        {"pdf_base_64_encoded": "%PDF-1.7"},
        {"pdf_base_64_encoded": base64_of(b"%PDF-1.7")},
    ),
    CallCase("numbering_range.create", "CALL-007", "resolution_number", {"resolution_number": REMOVE}, {}),
    CallCase(
        "numbering_range.create",
        "CALL-007",
        "resolution_number",
        {"document": "24", "resolution_number": " "},
        {"document": "22", "resolution_number": " "},
    ),
    *_of(_CREATED, "CALL-008", "prefix", {"prefix": "S-1"}, {"prefix": "S1"}),
    *_of(_CREATED, "CALL-008", "prefix", {"prefix": "Ñ"}, {"prefix": "N"}),
    CallCase("company.update", "CALL-002", "email", {"email": "a..b@empresa.co"}, {"email": "a.b@empresa.co"}),
    *(
        CallCase("acquirer.get", "CUS-003", "identification_number", {**OF_A_NIT, "identification_number": bad}, fine)
        for bad, fine in (
            ("900825759-7", {**OF_A_NIT, "identification_number": "900825759"}),
            ("900.825.759", {**OF_A_NIT, "identification_number": 900825759}),
            ("ABC", {"identification_document_code": "41", "identification_number": "ABC"}),
        )
    ),
    CallCase(
        "reception.list",
        "CUS-003",
        "filters.company_nit",
        {"filters": {"company_nit": "900825759-7"}},
        {"filters": {"company_nit": "900825759"}},
    ),
    *_of(_PEOPLE, "EVT-005", "identification", {**NIT, "identification": "900.825.759", "dv": "7"}, NIT),
    CallCase("company.update", "CALL-009", "company", {"company": REMOVE}, {}),
    CallCase("company.update", "CALL-009", "names", {**PERSON, "names": " "}, PERSON),
    CallCase("company.update", "CALL-009", "surnames", {**PERSON, "surnames": ""}, PERSON),
    CallCase(
        "company.logo",
        "CALL-010",
        "image_base_64_encoded",
        {"image_base_64_encoded": base64_of(b"GIF89a")},
        {"image_base_64_encoded": base64_of(b"\xff\xd8\xff\xe0")},
    ),
    CallCase("company.logo", "CALL-010", "image_base_64_encoded", {"image_base_64_encoded": "%"}, {}),
    CallCase("catalog.search", "CALL-011", "catalog", {"catalog": "municipios"}, {"catalog": "unit_measures"}),
    CallCase("job.cancel", "CALL-017", "job_id", {"batch": REMOVE}, {}),
    CallCase("job.cancel", "CALL-017", "batch", {"job_id": "j-1"}, {"batch": REMOVE, "job_id": "j-1"}),
    CallCase(
        "job.cancel",
        "CALL-017",
        "family",
        {"batch": REMOVE, "reference_code": "FV-1"},
        {"batch": REMOVE, "reference_code": "FV-1", "family": "invoice"},
    ),
    CallCase("job.cancel", "CALL-017", "reference_code", {"batch": REMOVE, "family": "invoice"}, {}),
    CallCase(
        "job.cancel",
        "CALL-017",
        "family",
        {"batch": REMOVE, "reference_code": "FV-1", "family": "factura"},
        {"batch": REMOVE, "reference_code": "FV-1", "family": "payroll_adjustment"},
    ),
    CallCase("download", "CALL-012", "kinds.1", {"kinds": ["xml", "zip"]}, {"kinds": [*KINDS]}),
    *_of(_RECORDS, "CALL-013", "numbering_range_id", {"numbering_range_id": ".."}, {"numbering_range_id": 8}),
    CallCase("reception.emit_event", "CALL-013", "bill_id", {"bill_id": "1/2"}, {"bill_id": "12"}),
    *_of(_COUNTED, "CALL-014", "current", {"current": "SETP1"}, {"current": "1"}),
    *_of(_COUNTED, "CALL-014", "current", {"current": -1}, {"current": 1}),
    CallCase("document_list", "CALL-015", "filters.status", {"filters": {"status": "9"}}, {"filters": {"status": 0}}),
    CallCase(
        "reception.list",
        "CALL-015",
        "filters.completed_events",
        {"filters": {"completed_events": "true"}},
        {"filters": {"completed_events": "1"}},
    ),
    CallCase(
        "numbering_range.list",
        "CALL-015",
        "filters.is_active",
        {"filters": {"is_active": 2}},
        {"filters": {"is_active": 1}},
    ),
    CallCase(
        "payroll_numbering_range.list",
        "CALL-015",
        "filters.is_enabled",
        {"filters": {"is_enabled": "1"}},
        {"filters": {"is_enabled": "true"}},
    ),
    CallCase("document.download", "CALL-016", "unique_code", {"unique_code": CUFE[1:]}, {"unique_code": CUFE.upper()}),
    CallCase("document.download", "CALL-016", "unique_code", {"unique_code": CUFE[1:] + "/"}, {"unique_code": CUFE}),
    CallCase("reception.upload", "EVT-001", "track_id", {"track_id": CUFE[1:]}, {"track_id": CUFE.upper()}),
    CallCase("reception.upload", "EVT-001", "track_id", {"track_id": CUFE[1:] + "g"}, {"track_id": CUFE}),
    CallCase("reception.upload", "EVT-001", "track_id", {"track_id": CUFE * 3}, {"track_id": CUFE}),
    CallCase("reception.emit_event", "EVT-002", "event_type", {"event_type": "034"}, {"event_type": "033"}),
    CallCase("reception.emit_event", "EVT-002", "event_type", {"event_type": 30}, {"event_type": "030"}),
    CallCase(
        "reception.emit_event",
        "EVT-004",
        "claim_concept_code",
        {"event_type": "031"},
        {"event_type": "031", "claim_concept_code": "01"},
    ),
    CallCase(
        "reception.emit_event",
        "EVT-004",
        "claim_concept_code",
        {"event_type": "031", "claim_concept_code": "05"},
        {"event_type": "031", "claim_concept_code": "04"},
    ),
    *(
        case
        for key in ("identification_document_code", "identification", "first_name", "last_name")
        for case in _of(_PEOPLE, "EVT-005", key, {key: REMOVE}, {})
    ),
    *_of(_PEOPLE, "EVT-005", "identification", {"identification": " "}, {"identification": 52123456}),
    *_of(
        _PEOPLE,
        "EVT-005",
        "identification_document_code",
        {"identification_document_code": "99"},
        {"identification_document_code": 13},
    ),
    CallCase("day.close", "CALL-018", "day", {"day": "2999-01-01"}, {"day": "2026-01-01"}),
    CallCase(
        "day.close",
        "CALL-019",
        "control.0.family",
        {"control": [TOTALS | {"family": "factura"}]},
        {"control": [TOTALS]},
    ),
    CallCase(
        "day.close",
        "CALL-019",
        "control.1.prefix",
        {"control": [TOTALS, TOTALS]},
        {"control": [TOTALS, {**TOTALS, "prefix": "B"}]},
    ),
    *_of(_PEOPLE, "EVT-006", "dv", {**NIT, "dv": "8"}, NIT),
    *_of(_PEOPLE, "EVT-006", "dv", {"identification_document_code": "31"}, {**NIT, "identification": 900825759}),
]
