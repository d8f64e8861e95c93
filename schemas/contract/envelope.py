"""
What a producer pushes: the envelope around a payload (docs/contract.md, section 1).

Owns the shape of the envelope and the reading of what is left of a broken one. Payloads are checked elsewhere
(``payload/validate.py``), because the envelope's type says which model they follow.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from schemas import strict_json
from schemas.contract.event import ErrorDetail

MAX_JOB_BYTES: Final = 1024 * 1024
MAX_METADATA_BYTES: Final = 4096
MAX_BATCH_SIZE: Final = 10_000_000
MAX_OPTION_MEMBERS: Final = 10
JOB_ID_PATTERN: Final = r"^[A-Za-z0-9._:-]{1,128}$"
ACCOUNT_PATTERN: Final = r"^[a-z0-9_-]{1,64}$"

_JOB_ID: Final = re.compile(JOB_ID_PATTERN + r"(?!\n)")
_ACCOUNT: Final = re.compile(ACCOUNT_PATTERN + r"(?!\n)")
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ISO_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONGEST_INSTANT: Final = 40
_ENTRY_ID: Final = re.compile(r"[0-9]{13,20}-[0-9]+", re.ASCII)
_TRACEPARENT: Final = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"


def _instant(value: object) -> object:
    if not isinstance(value, str) or len(value) > _LONGEST_INSTANT or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("instant", "debe ser una hora RFC 3339 con zona, como 2026-11-30T08:00:00-05:00")
    try:
        return datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError:
        raise PydanticCustomError("instant", "no es una hora que exista en el calendario") from None


def _day(value: object) -> object:
    if not isinstance(value, str) or not _ISO_DATE.fullmatch(value):
        raise PydanticCustomError("day", "debe ser una fecha AAAA-MM-DD")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise PydanticCustomError("day", "no es una fecha que exista en el calendario") from None


def _printable(text: str) -> str:
    if text != text.strip() or any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in text):
        raise PydanticCustomError("printable", "debe ser texto imprimible sin espacios en los extremos")
    return text


def _not_an_entry_id(text: str) -> str:
    # Jobs without an id are known by that of their stream entry: a producer who chooses one of that form can take the
    # place of a job that another producer pushes later.
    if _ENTRY_ID.fullmatch(text):
        raise PydanticCustomError("entry_id", "tiene la forma de los identificadores que da Redis (1795622400000-0)")
    return text


class Options(BaseModel):
    """What shall happen beside issuing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    archive: tuple[Literal["pdf", "xml", "attached"], ...] = Field(
        default=(), description="Files to archive once the document is validated; X.archived tells where they are"
    )
    track_radian: bool = Field(default=False, description="Publish the RADIAN events of an invoice on credit")
    tacit_acceptance: bool = Field(
        default=False,
        description="Declare the tacit acceptance (034) of an invoice on credit when its term is over; watches it too",
    )
    after_acceptance: bool = Field(
        default=False, description="Issue a credit or debit note although its invoice has been accepted (033, 034)"
    )
    delete_rejected: bool = Field(
        default=True, description="Remove a document that DIAN rejected, so that it blocks nothing at Factus"
    )

    @field_validator("archive", mode="before")
    @classmethod
    def _as_tuple(cls, value: object) -> object:
        if isinstance(value, list) and len(value) > MAX_OPTION_MEMBERS:
            raise PydanticCustomError("option_members", f"admite como máximo {MAX_OPTION_MEMBERS} elementos")
        return tuple(value) if isinstance(value, list) else value


class Envelope(BaseModel):
    """One job as pushed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Annotated[str, Field(max_length=64)] = Field(description="What to do, such as invoice.issue")
    payload: dict[str, Any] = Field(description="What the job type takes; unknown keys are refused")
    id: Annotated[str, Field(pattern=JOB_ID_PATTERN), AfterValidator(_not_an_entry_id)] | None = Field(
        default=None, description="The job's identity within the account; the stream entry's id when left out"
    )
    account: Annotated[str, Field(pattern=ACCOUNT_PATTERN)] | None = Field(
        default=None, description="Whose credentials to use; the only account, or the one named default, when left out"
    )
    priority: Literal["high", "normal", "low"] = Field(default="normal", description="Order within a lane")
    not_before: datetime | None = Field(default=None, description="Run no earlier; RFC 3339 with an offset")
    expires_at: datetime | None = Field(
        default=None, description="Past it, a job not yet begun ends as failed, job.expired; RFC 3339 with an offset"
    )
    issue_on: date | None = Field(
        default=None, description="The day, in the account's time zone, that the document must carry"
    )
    options: Options = Field(default=Options(), description="What shall happen beside issuing")
    payload_version: Literal["v2", "v1"] = Field(
        default="v2", description="v1: the payload is a body of Factus API v1, converted at intake"
    )
    batch: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)] | None = Field(
        default=None, description="Groups jobs for progress and one closing event"
    )
    batch_size: Annotated[int, Field(ge=1, le=MAX_BATCH_SIZE)] | None = Field(
        default=None, description="How many jobs the batch has; needs batch"
    )
    metadata: dict[str, Any] = Field(
        default_factory=dict, description="At most 4 KiB of JSON, given back untouched in every event of the job"
    )
    traceparent: Annotated[str, Field(pattern=_TRACEPARENT)] | None = Field(
        default=None, description="W3C trace context"
    )
    token: Annotated[str, Field(max_length=8192)] | None = Field(
        default=None, description="The producer's JWT, where jobs are signed"
    )

    _read_instants = field_validator("not_before", "expires_at", mode="before")(_instant)
    _read_day = field_validator("issue_on", mode="before")(_day)

    @field_validator("metadata")
    @classmethod
    def _metadata_is_small(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value and not _is_small(value):
            raise PydanticCustomError("metadata_size", "ocupa más de 4 KiB")
        return value

    @model_validator(mode="after")
    def _times_in_order(self) -> Envelope:
        if self.expires_at and self.not_before and self.expires_at < self.not_before:
            raise PydanticCustomError("expires_at", "vence antes de not_before")
        if self.batch_size is not None and self.batch is None:
            raise PydanticCustomError("batch_size", "necesita el campo batch")
        return self


_OBJECTS: Final = ("payload", "options", "metadata")
_REQUIRED: Final = frozenset({"type", "payload"})


def without_nothing(pushed: dict[str, Any]) -> dict[str, Any]:
    """
    An envelope as it was pushed, without the keys that say nothing.

    null is no data, and [] in the place of an object is {} (PHP writes it so). A field that does not exist stays, to be
    refused. ``metadata`` is given back as it came, and the payload has a model of its own (``Shape.plain``).
    """
    found = {key: {} if key in _OBJECTS and value == [] else value for key, value in pushed.items()}
    if isinstance(options := found.get("options"), dict):
        found["options"] = _said(options, Options.model_fields.keys())
    return _said(found, Envelope.model_fields.keys() - _REQUIRED)


def _said(fields: dict[str, Any], optional: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None or key not in optional}


_SPANISH: Final = {
    "missing": "falta",
    "extra_forbidden": "no es un campo del sobre",
    "string_type": "debe ser un texto",
    "string_pattern_mismatch": "tiene una forma no permitida",
    "string_too_long": "es demasiado largo",
    "string_too_short": "está vacío",
    "dict_type": "debe ser un objeto JSON",
    "model_type": "debe ser un objeto JSON",
    "tuple_type": "debe ser una lista",
    "bool_type": "debe ser true o false",
    "int_type": "debe ser un número entero",
    "greater_than_equal": "debe ser 1 o más",
    "less_than_equal": "es demasiado grande",
}
_FORMS: Final = {
    "id": "lleva de 1 a 128 letras sin tilde, dígitos o signos . _ : -",
    "account": "lleva de 1 a 64 letras minúsculas sin tilde, dígitos o signos _ -",
    "traceparent": "debe ser un traceparent de W3C, como 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}
_OWN: Final = {"instant", "day", "printable", "metadata_size", "entry_id", "option_members"}
_OF_THE_WHOLE: Final = {"expires_at", "batch_size"}


_MOST_ERRORS: Final = 50


def too_many_fields(parsed: object) -> tuple[ErrorDetail, ...]:
    """
    The first unknown fields of an envelope, or of its options, that has more of them than are told; else empty.

    Asked before anything is built of them: an error object for each of 80,000 fields takes half a second.
    """
    if not isinstance(parsed, dict):
        return ()
    options = parsed.get("options")
    for at, fields, known in (("", parsed, Envelope), ("options.", options, Options)):
        if isinstance(fields, dict) and len(fields) > len(known.model_fields) + _MOST_ERRORS:
            unknown = (name for name in fields if name not in known.model_fields)
            return tuple(
                invalid_envelope(f"El campo {at}{name} {_SPANISH['extra_forbidden']}.", field=f"{at}{name}")
                for name, _ in zip(unknown, range(_MOST_ERRORS), strict=False)
            )
    return ()


def envelope_errors(error: ValidationError) -> tuple[ErrorDetail, ...]:
    """Every fault of an envelope as the producer shall read it."""
    return tuple(
        _envelope_error(dict(fault)) for fault in error.errors(include_url=False, include_input=False)[:_MOST_ERRORS]
    )


def _envelope_error(fault: dict[str, Any]) -> ErrorDetail:
    kind = fault["type"]
    own_words = kind in _OWN or kind in _OF_THE_WHOLE
    reason = fault["msg"] if own_words else _reason(fault)
    path = ".".join(map(str, fault["loc"])) or (kind if kind in _OF_THE_WHOLE else "")
    return invalid_envelope(f"El campo {path or 'del sobre'} {reason}.", field=path or None)


def _reason(fault: dict[str, Any]) -> str:
    """What is wrong, and what would be right where the model knows it."""
    kind, field = fault["type"], str(fault["loc"][-1]) if fault["loc"] else ""
    if kind == "literal_error":
        return f"debe ser uno de {fault['ctx']['expected'].replace(' or ', ' o ')}"
    if kind == "string_pattern_mismatch" and field in _FORMS:
        return _FORMS[field]
    return _SPANISH.get(kind, "no es válido")


def invalid_envelope(message: str, *, field: str | None = None) -> ErrorDetail:
    """An ``envelope.invalid`` error; *field* without the ``envelope.`` prefix, long foreign names are cut."""
    named = f"envelope.{field}"[:200] if field else None
    return ErrorDetail(code="envelope.invalid", message=message[:500], field=named)


class PartialEnvelope:
    """What can still be read of an envelope that was refused, so that its producer finds the answer."""

    __slots__ = ("account", "batch", "batch_size", "has_own_id", "id", "job_type", "metadata", "reference_code")

    def __init__(self, parsed: object, *, entry_id: str) -> None:
        fields = parsed if isinstance(parsed, dict) else {}
        payload = fields.get("payload")
        self.has_own_id = _matches(_JOB_ID, fields.get("id")) and not _ENTRY_ID.fullmatch(fields["id"])
        self.id: str = fields["id"] if self.has_own_id else entry_id
        self.account: str | None = fields["account"] if _matches(_ACCOUNT, fields.get("account")) else None
        self.job_type = _short_text(fields.get("type"), 64)
        self.batch = _short_text(fields.get("batch"), 128)
        size = fields.get("batch_size")
        is_size = isinstance(size, int) and not isinstance(size, bool) and 0 < size <= MAX_BATCH_SIZE
        self.batch_size: int | None = size if is_size else None
        self.reference_code = _short_text(payload.get("reference_code") if isinstance(payload, dict) else None, 100)
        metadata = fields.get("metadata")
        self.metadata: dict[str, Any] = metadata if isinstance(metadata, dict) and _is_small(metadata) else {}


def _is_small(metadata: dict[str, Any]) -> bool:
    if strict_json.is_longer_than(metadata, MAX_METADATA_BYTES):
        return False  # told without writing it down: a megabyte of numbers takes half a second
    return len(strict_json.dump(metadata).encode()) <= MAX_METADATA_BYTES


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.match(value))


def _short_text(value: object, longest: int) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= longest else None
