"""How an account stands when an attempt begins: what is known to block it, and since when."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """Instants are server ms; 0 means "not so"."""

    now_ms: int = 0
    conflict_since_ms: int = 0
    """Since when every create of the lane is answered with 409."""
    account_blocked_since_ms: int = 0
    family_blocked_since_ms: int = 0
