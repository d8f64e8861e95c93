"""
Whose tokens count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jobs.rights.keys import KeySet
from jobs.rights.revocations import NONE_REVOKED, Revocations


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a verifier trusts at a moment. A new one takes its place whenever the files change."""

    keys: KeySet
    revoked: Revocations = NONE_REVOKED


class TrustSource(Protocol):
    """Where a verifier asks whom to trust, at each token."""

    @property
    def trust(self) -> Trust: ...


@dataclass(frozen=True, slots=True)
class FixedTrust:
    """Keys that do not change while the process runs."""

    trust: Trust
