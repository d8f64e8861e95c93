"""
What was granted and is taken back: keys by their ``kid``, and what a producer was given before an instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from schemas import strict_json

_EXAMPLE: Final = '{"kids": ["k1"], "producers": [{"iss": "erp", "before": "2026-12-01T00:00:00-05:00"}]}'


class RevocationsInvalid(ValueError):
    """The file says nothing that could be heeded. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Revocations:
    """Keys that count no more, and producers whose tokens of before an instant (seconds) count no more."""

    kids: frozenset[str] = frozenset()
    producers: Mapping[str, float] = field(default_factory=dict)

    def revokes_key(self, kid: str) -> bool:
        return kid in self.kids

    def revokes_token(self, producer: str, issued_at_s: int | None) -> bool:
        """Whether a producer's token is taken back. One that does not say when it was issued always is."""
        before = self.producers.get(producer)
        return before is not None and (issued_at_s is None or issued_at_s < before)


NONE_REVOKED: Final = Revocations()


def revocations_of(raw: bytes) -> Revocations:
    """
    ``{"kids": [...], "producers": [{"iss", "before"}]}``; either may be left out.

    ``before`` is seconds since 1970, or RFC 3339 with an offset. Without it all that the producer was ever given is
    taken back.

    Raises:
        RevocationsInvalid: Another shape, also a key that is not known: what is misspelt would revoke nothing.
    """
    try:
        found = strict_json.parse(raw)
    except strict_json.JsonRefused as exc:
        raise RevocationsInvalid("it is not JSON, or repeats a key") from exc
    if not isinstance(found, dict) or not found.keys() <= {"kids", "producers"}:
        raise RevocationsInvalid(f"it is not of the form {_EXAMPLE}")
    kids, producers = found.get("kids", []), found.get("producers", [])
    if not isinstance(kids, list) or not all(isinstance(kid, str) for kid in kids):
        raise RevocationsInvalid("kids is no list of texts")
    if not isinstance(producers, list):
        raise RevocationsInvalid("producers is no list")
    latest: dict[str, float] = {}
    for n, row in enumerate(producers, 1):
        producer, before = _producer(row, f"entry {n} of producers")
        latest[producer] = max(before, latest.get(producer, before))
    return Revocations(frozenset(kids), latest)


def _producer(row: Any, where: str) -> tuple[str, float]:
    if not isinstance(row, dict) or not row.keys() <= {"iss", "before"}:
        raise RevocationsInvalid(f'{where} is not of the form {{"iss", "before"}}')
    producer, before = row.get("iss"), row.get("before", float("inf"))
    if not isinstance(producer, str) or not producer:
        raise RevocationsInvalid(f"{where} has no iss")
    if isinstance(before, str):
        before = _seconds(before, where)
    if isinstance(before, bool) or not isinstance(before, (int, float)):
        raise RevocationsInvalid(f"{where}: before is neither whole seconds since 1970 nor a time")
    return producer, before


def _seconds(text: str, where: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise RevocationsInvalid(f"{where}: before is no time such as 2026-12-01T00:00:00-05:00") from None
    if found.tzinfo is None:
        raise RevocationsInvalid(f"{where}: before has no offset, such as -05:00")
    return found.timestamp()
