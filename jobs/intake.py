"""
What becomes of one entry of the intake stream: accepted work, or a refusal that names what is wrong.

Pure: accounts and clock are arguments. Nothing that can be pushed raises here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from jobs.families import FAMILIES
from jobs.fiscal_day import day_of_push, first_day
from jobs.job_type import JobType
from jobs.outcomes import Finished
from jobs.radian.notes import NOTES, is_credit
from jobs.registry import JOB_TYPES
from jobs.rights.admission import Rights, TokenBeside, denial_of
from jobs.rights.denial import DENIED_MESSAGE, Denied
from jobs.rights.token import LONGEST_TOKEN
from schemas import strict_json
from schemas.contract.envelope import (
    MAX_JOB_BYTES,
    Envelope,
    Options,
    PartialEnvelope,
    envelope_errors,
    invalid_envelope,
    too_many_fields,
    without_nothing,
)
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.payload.validate import ValidatedPayload, validate
from schemas.records import JobRecord, queue_score
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
_NO_OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an intake stream, as read."""

    stream: str
    id: str
    raw: bytes | None
    """
    The bytes of its field ``job``; the first of them where they are more than a job may hold. Of several such fields,
    or of all names and values where there is none: joined by line ends, and the first of them where they are many.
    """

    owner: str = ""
    """The account to which the stream belongs (``own_streams``); empty for the common one."""

    n_jobs: int = 1
    """How many fields ``job`` it has."""

    size: int = 0
    """Bytes of it all, where *raw* is only the first of them; 0 where it is not."""

    sha256: str = ""
    """Hex digest of it all, where *raw* is only the first bytes."""

    beside: TokenBeside | None = None
    """What its fields ``token`` hold; None where it has none."""

    is_operators: bool = False
    """Whether it came by a stream that only the operator may write: it needs no token."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    Work for the ledger. Instants that depend on the server's clock are filled in when it is written.

    ``answer`` is the job's end where it needs no call and asks for no time of its own.
    """

    record: JobRecord
    answer: Finished | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A ``job.refused``. ``content`` is empty when no id of the producer's could be read."""

    remains: PartialEnvelope
    errors: tuple[ErrorDetail, ...]
    content: str = ""
    warnings: tuple[ErrorDetail, ...] = ()
    """For whoever checks a file: the event of a refusal has no place for them."""

    denial: Denied | None = None
    """Why its token grants it nothing: for the log alone."""


@dataclass(frozen=True, slots=True)
class EntryValidator:
    """Examines entries against the accounts that this service has."""

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
        return self.examine(entry, parsed)

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

    def examine(self, entry: Entry, parsed: object) -> Accepted | Refused:
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
            return _refuse(remains, parsed, faults)
        job_type = JOB_TYPES.get(envelope.type)
        if job_type is None:
            return _refuse(remains, parsed, (unknown_type(envelope.type),))
        if faults := _impossible(envelope.options, job_type):
            return _refuse(remains, parsed, faults)
        account = remains.account
        fault = self._account_fault(account)
        if fault is not None:
            return _refuse(remains, parsed, (fault,))
        assert account is not None  # _account_fault refuses a missing one
        assert job_type.payload is not None  # only the service's own jobs have none
        told: tuple[ErrorDetail, ...] = ()
        if envelope.payload_version == "v1":
            converted = convert(job_type.family if job_type.issues else "", envelope.payload)
            if isinstance(converted, Unconvertible):
                return _refuse(remains, parsed, unconvertible_errors(converted))
            told = (conversion_warning(converted),)
            # From here on there is nothing but version 2: in the ledger, the fingerprint and the events.
            envelope = envelope.model_copy(update={"payload": converted.payload, "payload_version": "v2"})
        issue_on = self._issue_on(entry, envelope, job_type, account)
        today = first_day(issue_on, _ms(envelope.not_before), self.now_ms())
        found = validate(job_type.payload, envelope.payload, today=today)
        if told:
            found = replace(found, warnings=(*told, *found.warnings))
        if found.errors:
            return _refuse(remains, parsed, found.errors, found.warnings)
        has_person = account in self.with_person
        record = _record(
            entry, envelope, job_type, account, found, self.now_ms(), issue_on=issue_on, has_person=has_person
        )
        waits = record.start_at or record.expires_at or record.issue_on
        answer = None if waits or job_type.answer is None else job_type.answer(strict_json.parse(found.wire))
        return Accepted(record, answer)

    def _issue_on(self, entry: Entry, envelope: Envelope, job_type: JobType, account: str) -> str:
        """
        The day that the document must carry; empty for any.

        The day of the push is no content of the job: pushed again on another day it is still the same one.
        """
        if envelope.issue_on:
            return envelope.issue_on.isoformat()
        if not job_type.issues or account not in self.day_of_push:
            return ""
        return day_of_push(entry.id, _ms(envelope.not_before), self.now_ms(), self.zones[account]).isoformat()

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


_FAMILIES_ELSEWHERE: Final = {
    "bill": "invoice",
    "bills": "invoice",
    "invoices": "invoice",
    "factura": "invoice",
    "credit": "credit_note",
    "creditnote": "credit_note",
    "nota_credito": "credit_note",
    "debit": "debit_note",
    "debitnote": "debit_note",
    "nota_debito": "debit_note",
    "documento_soporte": "support_document",
    "supportdocument": "support_document",
    "nota_ajuste": "adjustment_note",
    "nomina": "payroll",
}
"""What Factus, other providers and producers call the families; by their spelling a bill would be a payroll."""

_VERBS_ELSEWHERE: Final = {"create": "issue", "validate": "issue", "emit": "issue", "emitir": "issue", "show": "get"}


def unknown_type(name: str) -> ErrorDetail:
    """Why a job of this type is refused, with the types that may have been meant."""
    family, _, verb = name.lower().replace("-", "_").partition(".")
    family, verb = _FAMILIES_ELSEWHERE.get(family, family), _VERBS_ELSEWHERE.get(verb, verb) or "issue"
    meant = f"{family}.{verb}"
    close = [meant] if meant in JOB_TYPES else get_close_matches(name, JOB_TYPES, n=3, cutoff=0.5)
    own = sorted(known for known in JOB_TYPES if known.startswith(f"{family}."))
    shown = close if meant in JOB_TYPES or not own else [one for one in close if one in own] or own[:3]
    hint = f"¿Quiso decir {' o '.join(shown)}?" if shown else "Todos están en docs/jobs.md."
    return invalid_envelope(f"El tipo de trabajo no existe. {hint}", field="type")


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
    remains: PartialEnvelope, parsed: object, errors: tuple[ErrorDetail, ...], warnings: tuple[ErrorDetail, ...] = ()
) -> Refused:
    return Refused(remains, errors, _refused_content(parsed) if remains.has_own_id else "", warnings)


_NOT_CONTENT: Final = frozenset({"id", "token", "traceparent", "metadata", "batch_size"})
"""Credentials, trace and metadata may differ between a push and its repetition."""


def _content(envelope: Envelope, account: str, fingerprint: str) -> str:
    """
    What makes two pushes of one id the same job: all that says what to do.

    The payload counts by its meaning (its fingerprint): neither the order of its keys nor the spelling of its numbers.
    """
    told = envelope.model_dump_json(exclude={*_NOT_CONTENT, "payload", "account"}, exclude_defaults=True)
    return hashlib.sha256(f"{account}\n{fingerprint}\n{told}".encode()).hexdigest()


def _refused_content(parsed: object) -> str:
    """
    The same for a push that was refused: it has no fingerprint, and only its JSON numbers have a spelling.

    What is null or empty counts as left out wherever it stands: which keys are required, only a model knows.
    """
    if isinstance(parsed, dict):
        parsed = {name: value for name, value in parsed.items() if name not in _NOT_CONTENT}
    return hashlib.sha256(strict_json.canonical(_with_data(parsed)).encode()).hexdigest()


def _with_data(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_data(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _with_data(one) for key, one in value.items()}
    return {key: one for key, one in found.items() if one not in (None, {}, [])}


def _impossible(options: Options, job_type: JobType) -> tuple[ErrorDetail, ...]:
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


def _record(
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
        content=_content(envelope, account, found.fingerprint),
        fingerprint=found.fingerprint,
        payload=found.wire,
        warnings=strict_json.dump(warnings) if warnings else "",
        total=found.total,
        party=found.party,
        start_at=_ms(envelope.not_before),
        expires_at=_ms(envelope.expires_at),
        issue_on=issue_on,
    )


def _ms(instant: datetime | None) -> int:
    # 0 means "not set": what lies before 1970 is as long over as that year is.
    return max(int(instant.timestamp() * 1000), 1) if instant else 0
