"""
From the body of a request to the bytes that are pushed. Pure.

The bytes are the caller's own wherever nothing is missing in them. What the stream would only refuse because nobody can
tell whose it is (no JSON, no envelope, no such type) is refused here, with the words that the intake has for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jobs.registry import JOB_TYPES
from jobs.unknown_types import unknown_type
from schemas import strict_json
from schemas.contract.envelope import JOB_ID_PATTERN, MAX_JOB_BYTES, Envelope, invalid_envelope, read_envelope
from schemas.contract.event import ErrorDetail
from worker.http.answers import Refusal, told
from worker.http.bodies import too_large

_KEY: Final = re.compile(JOB_ID_PATTERN)
_WAIT: Final = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)
_AS_JSON: Final = frozenset({"options", "metadata"})
_FROM_PATH: Final = frozenset({"type", "payload", "token"})
PARAMETERS: Final = tuple(name for name in Envelope.model_fields if name not in _FROM_PATH)
"""Fields of the envelope that stand in the query where the body is a payload."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A job as it is pushed, once it is known that its sender may."""

    fields: Mapping[str, Any]
    envelope: Envelope
    raw: bytes
    is_as_sent: bool
    """Whether *raw* is the body of the request, to the letter."""

    def to_push(self, account: str) -> bytes:
        """
        The bytes of the job.

        Args:
            account: Whose it is: written down where it names none, for that is what was looked at.

        Raises:
            Refusal: 413, with what was added it is too large.
        """
        if self.is_as_sent and self.envelope.account is not None:
            return self.raw
        raw = strict_json.dump({**self.fields, "account": account}).encode()
        if len(raw) > MAX_JOB_BYTES:
            raise too_large(MAX_JOB_BYTES)
        return raw


def draft_of_envelope(raw: bytes, key: str | None) -> Draft:
    """
    A job whose envelope was sent.

    Args:
        key: ``Idempotency-Key``; its id where it has none.

    Raises:
        Refusal: 422.
    """
    parsed = _parsed(raw, "job")
    fields: Mapping[str, Any] = parsed if isinstance(parsed, dict) else {}
    # Who sends the request is known by its header. What stands in the body would only travel along.
    is_as_sent = "token" not in fields
    fields = {name: value for name, value in fields.items() if name != "token"}
    if key is not None and fields.get("id") is None:
        fields, is_as_sent = {**fields, "id": key}, False
    return _draft(fields if isinstance(parsed, dict) else parsed, raw, is_as_sent=is_as_sent)


def draft_of_payload(job_type: str, raw: bytes, query: Mapping[str, str], key: str | None) -> Draft:
    """
    A job whose payload was sent, with the rest of its envelope in the query.

    Raises:
        Refusal: 422.
    """
    given = {name: _parameter(name, text) for name, text in query.items()}
    payload = _parsed(raw, "payload") if raw.strip() else {}
    fields: dict[str, Any] = {"type": job_type, **given}
    if key is not None and "id" not in fields:
        fields["id"] = key
    return _draft({**fields, "payload": payload}, raw, is_as_sent=False)


def idempotency_key(values: list[str]) -> str | None:
    """
    The id that a header ``Idempotency-Key`` gives, bare or in quotes.

    Raises:
        Refusal: 422, it cannot be the id of a job.
    """
    if not values:
        return None
    key = values[0].strip()
    key = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if len(values) > 1 or not _KEY.fullmatch(key):
        text = "Idempotency-Key lleva de 1 a 128 letras sin tilde, dígitos o signos . _ : -"
        raise _refused(invalid_envelope(f"{text}, una sola vez.", field="id"))
    return key


def wait_of(values: list[str], longest_s: int) -> int:
    """Seconds that ``Prefer: wait=N`` asks for; 0 where nothing, or nothing that can be read, is asked for."""
    found = _WAIT.search(",".join(values))
    return min(int(found[1]), longest_s) if found else 0


def _parsed(raw: bytes, field: str) -> Any:
    try:
        return strict_json.parse(raw)
    except strict_json.JsonRefused as exc:
        raise _refused(invalid_envelope(f"El cuerpo no se puede leer: {exc}.", field=field)) from None


def _parameter(name: str, text: str) -> Any:
    if name not in PARAMETERS:
        raise _refused(invalid_envelope(f"El parámetro {name} no es un campo del sobre.", field=name))
    if name in _AS_JSON:
        try:
            return strict_json.parse(text)
        except strict_json.JsonRefused as exc:
            raise _refused(invalid_envelope(f"El parámetro {name} debe ser JSON: {exc}.", field=name)) from None
    if name == "batch_size" and text.isascii() and text.isdecimal() and len(text) < 16:
        return int(text)
    return text


def _draft(parsed: Any, raw: bytes, *, is_as_sent: bool) -> Draft:
    found = read_envelope(parsed)
    if not isinstance(found, Envelope):
        raise _refused(*found)
    if found.type not in JOB_TYPES:
        raise _refused(unknown_type(found.type))
    return Draft(parsed, found, raw, is_as_sent)


def _refused(*errors: ErrorDetail) -> Refusal:
    return Refusal(422, told(errors))
