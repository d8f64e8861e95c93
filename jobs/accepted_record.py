"""
The ledger record of an entry that is accepted, with the options that its job can have.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from jobs.entry import Entry
from jobs.families import FAMILIES
from jobs.job_content import content_of
from jobs.job_type import JobType
from jobs.radian.notes import NOTES, is_credit
from schemas import strict_json
from schemas.contract.envelope import Envelope, Options, invalid_envelope
from schemas.contract.event import ErrorDetail
from schemas.payload.validate import ValidatedPayload
from schemas.records import JobRecord, queue_score

_NO_OPTIONS: Final = Options()


def impossible_options(options: Options, job_type: JobType) -> tuple[ErrorDetail, ...]:
    """Options of documents, asked for with a job that issues none."""
    if job_type.issues:
        return ()
    asked = [name for name in Options.model_fields if getattr(options, name) != getattr(_NO_OPTIONS, name)]
    text = f"no existe para {job_type.name}: es de los trabajos que emiten documentos"
    return tuple(invalid_envelope(f"La opción {name} {text}.", field=f"options.{name}") for name in asked)


def _served(
    envelope: Envelope, job_type: JobType, account: str, *, has_person: bool
) -> tuple[Options, list[ErrorDetail]]:
    """The options that the job can have, and a warning for each that it cannot: its absence would be silent."""
    options = envelope.options
    if options == _NO_OPTIONS or not job_type.issues:
        return options, []
    family = FAMILIES[job_type.family]
    warnings: list[ErrorDetail] = []
    kinds = tuple(kind for kind in options.archive if kind in family.kinds)
    if len(kinds) < len(options.archive):
        text = f"{job_type.name} solo tiene {', '.join(family.kinds)}; lo demás no se archiva"
        warnings.append(_unavailable_option("archive", text))
    has_clock = family.has_radian and is_credit(envelope.payload)
    why = "solo hay eventos RADIAN en facturas a crédito (payment_form 2)"
    if options.track_radian and not has_clock:
        warnings.append(_unavailable_option("track_radian", f"{why}; no se hace seguimiento"))
    if options.tacit_acceptance and not has_clock:
        warnings.append(_unavailable_option("tacit_acceptance", f"{why}; no hay aceptación que declarar"))
    elif options.tacit_acceptance and not has_person:
        text = (
            f"la cuenta {account} no tiene [accounts.{account}.radian_person], quien declara la aceptación tácita; se "
            "avisará cuando venza el plazo (radian.due) y la 034 no se emite"
        )
        warnings.append(_unavailable_option("tacit_acceptance", text))
    if options.after_acceptance and job_type.family not in NOTES:
        warnings.append(_unavailable_option("after_acceptance", "es de las notas crédito y débito"))
    changes = {
        "archive": kinds,
        # To declare an acceptance, or to say when it may be declared, the bill is watched.
        "track_radian": has_clock and (options.track_radian or options.tacit_acceptance),
        "tacit_acceptance": options.tacit_acceptance and has_clock and has_person,
        "after_acceptance": options.after_acceptance and job_type.family in NOTES,
    }
    return options.model_copy(update=changes), warnings


def _unavailable_option(name: str, why: str) -> ErrorDetail:
    text = f"La opción {name} no se aplica: {why}."
    return ErrorDetail(code="option.unavailable", message=text, field=f"envelope.options.{name}")


def record_of(
    entry: Entry,
    envelope: Envelope,
    job_type: JobType,
    account: str,
    found: ValidatedPayload,
    now_ms: int,
    *,
    issue_on: str,
    has_person: bool,
) -> JobRecord:
    """The record; ``has_person``: somebody of the account declares tacit acceptances."""
    options, unserved = _served(envelope, job_type, account, has_person=has_person)
    warnings = [warning.model_dump() for warning in (*found.warnings, *unserved)]
    return JobRecord(
        account=account,
        id=envelope.id or entry.id,
        type=job_type.name,
        family=job_type.family,
        lane=job_type.lane(account),
        entry=entry.id,
        source=entry.owner,
        priority=envelope.priority,
        score=queue_score(envelope.priority, entry.id, now_ms),
        reference_code=found.reference_code,
        batch=envelope.batch or "",
        batch_size=envelope.batch_size or 0,
        metadata=strict_json.dump(envelope.metadata),
        options="{}" if options == _NO_OPTIONS else options.model_dump_json(),
        traceparent=envelope.traceparent or "",
        content=content_of(envelope, account, found.fingerprint),
        fingerprint=found.fingerprint,
        payload=found.wire,
        warnings=strict_json.dump(warnings) if warnings else "",
        total=found.total,
        party=found.party,
        start_at=instant_ms(envelope.not_before),
        expires_at=instant_ms(envelope.expires_at),
        issue_on=issue_on,
    )


def instant_ms(instant: datetime | None) -> int:
    """Ms since 1970 of an instant; 0 for none."""
    # 0 means "not set": what lies before 1970 is as long over as that year is.
    return max(int(instant.timestamp() * 1000), 1) if instant else 0
