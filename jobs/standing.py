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
    """The family's issuing for a job that issues, all jobs of its type for one that does not."""
    account_hold_reason: str = ""
    """Error code of the account's last hold, over or not."""
    lane_hold_reason: str = ""
    """Error code of what holds the lane just now."""
    outage_since_ms: int = 0
    """Since when nothing that was asked of the account came through."""
    outage_steps: int = 0
    """How often the account has been asked since, and has paused."""
