"""
What becomes of one entry of the intake stream: accepted work, or a refusal that names what is wrong.

Pure: accounts and clock are arguments. Nothing that can be pushed raises here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from jobs.accepted_record import impossible_options, instant_ms, record_of
from jobs.entry import Accepted, Entry, Refused
from jobs.fiscal_day import day_of_push, first_day
from jobs.job_content import content_of, refused_content_of
from jobs.job_type import JobType
from jobs.registry import JOB_TYPES
from jobs.rights.admission import Rights, denial_of
from jobs.rights.denial import DENIED_MESSAGE, Denied
from jobs.rights.token import LONGEST_TOKEN
from jobs.unknown_types import unknown_type
from schemas import strict_json
from schemas.contract.envelope import (
    MAX_JOB_BYTES,
    Envelope,
    PartialEnvelope,
    envelope_errors,
    invalid_envelope,
    too_many_fields,
    without_nothing,
)
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.payload.validate import ValidatedPayload, validate
from schemas.records import JobRecord
from schemas.version_1.convert import Unconvertible, convert
from schemas.version_1.told import conversion_warning, unconvertible_errors

DEFAULT_ACCOUNT: Final = "default"
NO_ACCOUNT: Final = "?"
"""Stands for the account in the record of a refused job of which none could be read."""

HORIZON_DAYS: Final = 400
"""How far ahead a job may name a day or an instant. "Never" is written as 9999-12-31 by many programs, and no calendar
can count on from there."""

_LONGEST_TOKEN_TEXT: Final = LONGEST_TOKEN + 2  # its quotes
_DENIED: Final = ErrorDetail(code="auth.denied", message=DENIED_MESSAGE, field="envelope.token")


@dataclass(frozen=True, slots=True)
class EntryValidator:
    """Validates entries against the accounts that this service has."""

    zones: Mapping[str, ZoneInfo]
    now_ms: Callable[[], int]
    own_streams: frozenset[str] = frozenset()
    """Accounts that can be named in their own stream only."""

    with_person: frozenset[str] = frozenset()
    """Accounts that have somebody who declares tacit acceptances."""

    elsewhere: Callable[[], frozenset[str]] = frozenset
    """Accounts that other living workers serve and this one does not."""

    day_of_push: frozenset[str] = frozenset()
    """Accounts whose documents carry the day on which they were pushed, unless they say another (``push``)."""
    rights: Rights | None = None
    """Where jobs are signed: what tokens grant. Else a token is ignored, whatever it is."""

    def validate(self, entry: Entry) -> Accepted | Refused:
        """Decide one entry. Never raises for what a producer wrote."""
        unreadable = _unreadable(entry)
        if unreadable is not None:
            return Refused(_nothing_read(entry), (unreadable,))
        try:
            parsed = strict_json.parse(entry.raw or b"")
        except strict_json.JsonRefused as exc:
            refusal = invalid_envelope(f"El campo job no se puede leer: {exc}.", field="job")
            if isinstance(exc, strict_json.BoundExceeded):
                return self.refused_unread(entry, refusal)
            return Refused(_nothing_read(entry), (refusal,))
        return self.validate_parsed(entry, parsed)

    def refused_unread(self, entry: Entry, refusal: ErrorDetail) -> Refused:
        """
        The refusal of a job of which only the top level could be read: its producer finds the answer by that.

        Its id is used up as by any other refusal, so that no job ends twice.
        """
        remains = PartialEnvelope(strict_json.top_level(entry.raw or b""), entry_id=entry.id)
        remains.account = remains.account or entry.owner or None
        content = hashlib.sha256(entry.raw or b"").hexdigest() if remains.has_own_id else ""
        fields = strict_json.top_level(entry.raw or b"", longest=_LONGEST_TOKEN_TEXT)
        if (denial := self._denial(entry, fields, remains.account)) is not None:
            return Refused(remains, (_DENIED,), content, denial=denial)
        fault = self._trespass(entry, remains.account) or refusal
        return Refused(remains, (fault,), content)

    def validate_parsed(self, entry: Entry, parsed: object) -> Accepted | Refused:
        """Decide an entry that the strict JSON reader has read, or would read as *parsed*."""
        if isinstance(parsed, dict):
            parsed = without_nothing(parsed)
        remains = PartialEnvelope(parsed, entry_id=entry.id)
        if isinstance(parsed, dict) and "account" not in parsed:
            remains.account = entry.owner or self.default_account()
        # Before anything else is said of it: who may not act for an account learns nothing, and uses up no id of it.
        if isinstance(parsed, dict):
            if (denial := self._denial(entry, parsed, remains.account)) is not None:
                return replace(_refuse(remains, parsed, (_DENIED,)), denial=denial)
            parsed.pop("token", None)
        if (fault := self._trespass(entry, remains.account)) is not None:
            return _refuse(remains, parsed, (fault,))
        if faults := too_many_fields(parsed):
            return _refuse(remains, parsed, faults)
        try:
            envelope = Envelope.model_validate(parsed)
        except ValidationError as exc:
            return _refuse(remains, parsed, envelope_errors(exc))
        if faults := self._beyond_the_horizon(envelope):
            return self._refuse_for_now(remains, parsed, faults, envelope)
        job_type = JOB_TYPES.get(envelope.type)
        if job_type is None:
            return _refuse(remains, parsed, (unknown_type(envelope.type),))
        if faults := impossible_options(envelope.options, job_type):
            return _refuse(remains, parsed, faults)
        account = remains.account
        fault = self._account_fault(account)
        if fault is not None:
            return self._refuse_for_now(remains, parsed, (fault,), envelope)
        assert account is not None  # _account_fault refuses a missing one
        issue_on = self._issue_on(entry, envelope, job_type, account)
        today = first_day(issue_on, instant_ms(envelope.not_before), self.now_ms())
        found = _validated(envelope, job_type, today)
        if isinstance(found, Unconvertible):
            return _refuse(remains, parsed, unconvertible_errors(found))
        envelope, validated = found
        has_person = account in self.with_person
        record = record_of(
            entry, envelope, job_type, account, validated, self.now_ms(), issue_on=issue_on, has_person=has_person
        )
        if validated.errors:
            content = record.content if validated.fingerprint else ""
            refused = _refuse(remains, parsed, validated.errors, validated.warnings, content=content)
            is_document = job_type.issues and validated.fingerprint and validated.reference_code
            return replace(refused, repeats=record) if is_document else refused
        waits = record.start_at or record.expires_at or record.issue_on
        answer = None if waits or job_type.answer is None else job_type.answer(strict_json.parse(validated.wire))
        return Accepted(record, answer)

    def _refuse_for_now(
        self, remains: PartialEnvelope, parsed: object, faults: tuple[ErrorDetail, ...], envelope: Envelope
    ) -> Refused:
        """A refusal that another day or another configuration would not give: pushed again then, it is the same job."""
        job_type, content = JOB_TYPES.get(envelope.type), ""
        if job_type is not None and remains.account is not None and remains.has_own_id:
            found = _validated(envelope, job_type, first_day("", 0, self.now_ms()))
            content = "" if isinstance(found, Unconvertible) else _content_of(found[0], remains.account, found[1])
        return _refuse(remains, parsed, faults, content=content)

    def _issue_on(self, entry: Entry, envelope: Envelope, job_type: JobType, account: str) -> str:
        """
        The day that the document must carry; empty for any.

        The day of the push is no content of the job: pushed again on another day it is still the same one.
        """
        if envelope.issue_on:
            return envelope.issue_on.isoformat()
        if not job_type.issues or account not in self.day_of_push:
            return ""
        return day_of_push(entry.id, instant_ms(envelope.not_before), self.now_ms(), self.zones[account]).isoformat()

    def _beyond_the_horizon(self, envelope: Envelope) -> tuple[ErrorDetail, ...]:
        if not (envelope.issue_on or envelope.not_before or envelope.expires_at):
            return ()
        last = datetime.fromtimestamp(self.now_ms() / 1000, BOGOTA) + timedelta(days=HORIZON_DAYS)
        is_beyond = {
            "issue_on": envelope.issue_on is not None and envelope.issue_on > last.date(),
            "not_before": envelope.not_before is not None and envelope.not_before > last,
            "expires_at": envelope.expires_at is not None and envelope.expires_at > last,
        }
        text = f"está a más de {HORIZON_DAYS} días; el último día posible es {last.date()}"
        return tuple(
            invalid_envelope(f"El campo {name} {text}.", field=name) for name, is_so in is_beyond.items() if is_so
        )

    def default_account(self) -> str | None:
        """The only account, or the one named ``default``, of all that living workers serve: one answer for all."""
        names = self.zones.keys() | self.elsewhere()
        if len(names) == 1:
            return next(iter(names))
        return DEFAULT_ACCOUNT if DEFAULT_ACCOUNT in names else None

    def _denial(self, entry: Entry, fields: Mapping[str, Any], account: str | None) -> Denied | None:
        """Why the token of a job grants it nothing; None where it does, or none is asked for."""
        if self.rights is None or entry.is_operators:
            return None
        return denial_of(self.rights, fields, account, job=entry.raw or b"", beside=entry.beside)

    def _trespass(self, entry: Entry, account: str | None) -> ErrorDetail | None:
        """Whoever pushes to an account's own stream can name no other, and nobody can name it elsewhere."""
        if entry.owner:
            if account == entry.owner:
                return None
            text = f"Este canal pertenece a la cuenta {entry.owner} y no puede nombrar otra."
        elif account in self.own_streams:
            text = f"La cuenta {account} solo recibe trabajos por su propio canal."
        else:
            return None
        return ErrorDetail(code="auth.denied", message=text, field="envelope.account")

    def _account_fault(self, account: str | None) -> ErrorDetail | None:
        if account is None:
            text = "El trabajo no nombra una cuenta y el servicio no tiene una cuenta única ni una llamada default."
            return ErrorDetail(code="account.unknown", message=text, field="envelope.account")
        if account not in self.zones:
            text = f"El servicio no tiene credenciales para la cuenta {account}."
            return ErrorDetail(code="account.unknown", message=text, field="envelope.account")
        return None


def conflict_errors(code: str) -> tuple[ErrorDetail, ...]:
    """Why an entry that was fine by itself cannot be taken: ``id.conflict`` or ``reference.conflict``."""
    if code == "id.conflict":
        text, field = "Ya se recibió otro trabajo con este id y otro contenido.", "envelope.id"
    else:
        text = "Ya hay un documento abierto o validado con este código de referencia y otro contenido."
        field = "reference_code"
    return (ErrorDetail(code=code, message=text, field=field),)


def remains_of(record: JobRecord, raw: bytes) -> PartialEnvelope:
    """What a refusal of an accepted entry gives back (a conflict found in the ledger)."""
    try:
        parsed = strict_json.parse(raw)
    except strict_json.JsonRefused:
        parsed = strict_json.top_level(raw)
    remains = PartialEnvelope(parsed, entry_id=record.entry)
    remains.account = record.account if record.account != NO_ACCOUNT else None
    return remains


def _nothing_read(entry: Entry) -> PartialEnvelope:
    """What is known of an entry that cannot be read: whose stream it came in, which tells equal entry ids apart."""
    remains = PartialEnvelope(None, entry_id=entry.id)
    remains.account = entry.owner or None
    return remains


def _unreadable(entry: Entry) -> ErrorDetail | None:
    if entry.n_jobs > 1:
        return invalid_envelope(f"La entrada tiene {entry.n_jobs} campos job; debe tener uno.", field="job")
    if entry.raw is None or entry.n_jobs == 0:
        return invalid_envelope("La entrada no tiene el campo job.", field="job")
    n_bytes = entry.size or len(entry.raw)
    if n_bytes > MAX_JOB_BYTES:
        return invalid_envelope(f"El campo job ocupa {n_bytes} bytes; el máximo es {MAX_JOB_BYTES}.", field="job")
    return None


def _refuse(
    remains: PartialEnvelope,
    parsed: object,
    errors: tuple[ErrorDetail, ...],
    warnings: tuple[ErrorDetail, ...] = (),
    *,
    content: str = "",
) -> Refused:
    """The refusal; *content* where the job has one that does not depend on its being refused."""
    own = (content or refused_content_of(parsed)) if remains.has_own_id else ""
    return Refused(remains, errors, own, warnings)


def _validated(envelope: Envelope, job_type: JobType, today: date) -> tuple[Envelope, ValidatedPayload] | Unconvertible:
    """The payload as it is validated, in version 2; and the envelope that has it."""
    assert job_type.payload is not None  # only the service's own jobs have none
    if envelope.payload_version != "v1":
        return envelope, validate(job_type.payload, envelope.payload, today=today)
    converted = convert(job_type.family if job_type.issues else "", envelope.payload)
    if isinstance(converted, Unconvertible):
        return converted
    # From here on there is nothing but version 2: in the ledger, the fingerprint and the events.
    envelope = envelope.model_copy(update={"payload": converted.payload, "payload_version": "v2"})
    found = validate(job_type.payload, envelope.payload, today=today)
    return envelope, replace(found, warnings=(conversion_warning(converted), *found.warnings))


def _content_of(envelope: Envelope, account: str, found: ValidatedPayload) -> str:
    return content_of(envelope, account, found.fingerprint) if found.fingerprint else ""
