"""
What makes two pushes of one id the same job: a digest of all that says what to do.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from schemas import strict_json
from schemas.contract.envelope import Envelope

_NOT_CONTENT: Final = frozenset({"id", "token", "traceparent", "metadata", "batch_size"})
"""Credentials, trace and metadata may differ between a push and its repetition."""


def content_of(envelope: Envelope, account: str, fingerprint: str) -> str:
    """
    What makes two pushes of one id the same job: all that says what to do.

    The payload counts by its meaning (its fingerprint): neither the order of its keys nor the spelling of its numbers.
    """
    rest = envelope.model_dump_json(exclude={*_NOT_CONTENT, "payload", "account"}, exclude_defaults=True)
    return hashlib.sha256(f"{account}\n{fingerprint}\n{rest}".encode()).hexdigest()


def refused_content_of(parsed: object) -> str:
    """
    The same for a push that was refused before its payload had a fingerprint: only its JSON numbers have a spelling.

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
