"""
What is wrong with the objects of a file, as the intake would say it, found without Redis or credentials.

Pure. Which accounts exist is not looked at: the machine that checks need not have them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import ValidationError

from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.envelope import MAX_JOB_BYTES, Envelope, Remains, envelope_errors, invalid_envelope
from schemas.event import ErrorDetail
from schemas.preflight import examine
from worker.operating.job_files import BadRow, Defaults, Row, fill


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning and where it stands."""

    source: str
    line: int
    reference: str
    is_error: bool
    code: str
    field: str
    rule: str
    message: str

    @property
    def place(self) -> str:
        return f"{self.source}:{self.line}"


def check_rows(rows: Sequence[Row | BadRow], job_type: str, *, today: date) -> list[Finding]:
    """Everything that is wrong or doubtful, in the order of the rows. *job_type* is that of bare payloads."""
    findings: list[Finding] = []
    seen: dict[tuple[str, str | None, str], tuple[str, str]] = {}
    for row in rows:
        if isinstance(row, BadRow):
            detail = ErrorDetail(code="envelope.invalid", message=row.reason)
            findings.append(_finding(row, "", detail, is_error=True))
        else:
            findings += _check(row, fill(row.value, Defaults(type=job_type)), today, seen)
    return findings


def _check(
    row: Row, envelope: dict[str, Any], today: date, seen: dict[tuple[str, str | None, str], tuple[str, str]]
) -> list[Finding]:
    reference = Remains(envelope, entry_id="").reference_code or ""
    refused = _envelope_errors(envelope)
    if refused:
        return [_finding(row, reference, detail, is_error=True) for detail in refused]
    job_type = JOB_TYPES[envelope["type"]]
    assert job_type.payload is not None  # only the service's own jobs have none
    found = examine(job_type.payload, envelope["payload"], today=today)
    findings = [_finding(row, reference, detail, is_error=True) for detail in found.errors]
    findings += [_finding(row, reference, detail, is_error=False) for detail in found.warnings]
    if found.fingerprint and job_type.issues:
        first = seen.setdefault(
            (job_type.family, envelope.get("account"), found.reference_code), (found.fingerprint, row.place)
        )
        if first[0] != found.fingerprint:
            text = (
                f"El mismo código de referencia con otro contenido está en {first[1]}: en una misma cuenta se rechaza."
            )
            repeated = ErrorDetail(code="reference.conflict", message=text, field="reference_code")
            findings.append(_finding(row, reference, repeated, is_error=False))
    return findings


def _envelope_errors(envelope: dict[str, Any]) -> tuple[ErrorDetail, ...]:
    size = len(strict_json.dump(envelope).encode("utf-8", "surrogatepass"))
    if size > MAX_JOB_BYTES:
        return (invalid_envelope(f"El trabajo ocupa {size} bytes; el máximo es {MAX_JOB_BYTES}.", field="job"),)
    try:
        Envelope.model_validate(envelope)
    except ValidationError as exc:
        return envelope_errors(exc)
    if envelope["type"] not in JOB_TYPES:
        known = ", ".join(sorted(JOB_TYPES))
        text = f"El tipo de trabajo no existe. Tipos: {known}."
        return (invalid_envelope(text, field="type"),)
    return ()


def _finding(row: Row | BadRow, reference: str, detail: ErrorDetail, *, is_error: bool) -> Finding:
    return Finding(
        source=row.source,
        line=row.line,
        reference=reference,
        is_error=is_error,
        code=detail.code,
        field=detail.field or "",
        rule=detail.rule or "",
        message=detail.message,
    )
