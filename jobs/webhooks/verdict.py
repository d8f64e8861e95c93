"""
What an endpoint answered, and what follows from it. Pure; a closed table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from jobs.webhooks.schedule import SchedulePolicy

GONE: Final = 410

Fault = Literal["", "address", "name", "connection", "tls", "timeout", "protocol", "lost"]
"""
Why there is no status: the address is refused, the name has none, no connection, no TLS under that name, too slow,
not HTTP, the connection ended.
"""

DisabledBecause = Literal["", "gone", "failing"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt. ``status`` is 0 where no status came, and ``fault`` says why."""

    status: int = 0
    fault: Fault = ""
    detail: str = ""
    """More of the fault, in words of ours; for people."""

    retry_after_s: float | None = None
    body: bytes = b""
    """The first KiB."""

    duration_ms: float = 0.0

    @property
    def is_success(self) -> bool:
        """200 to 299: everything else fails, 3xx too."""
        return 200 <= self.status <= 299


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery, and of its endpoint."""

    outcome: Literal["delivered", "again", "exhausted"]
    delay_s: float = 0.0
    """Of ``again``."""

    is_told: bool = False
    """Whether this failure is the one that is told (``webhook.failing``)."""

    disables: DisabledBecause = ""


def verdict(
    answer: Answer,
    *,
    n_failures: int,
    failing_since_ms: int,
    now_ms: int,
    policy: SchedulePolicy,
    draw: Callable[[], float],
) -> Verdict:
    """
    What follows from an answer.

    Args:
        n_failures: Of this delivery, before this answer.
        failing_since_ms: Since when its endpoint has only failed; 0 when it has not.
    """
    if answer.is_success:
        return Verdict("delivered")
    n_failures += 1
    delay_s = policy.delay_s(n_failures, answer.retry_after_s, draw)
    disables: DisabledBecause = ""
    if answer.status == GONE:
        disables = "gone"
    elif policy.gives_up_endpoint(failing_since_ms, now_ms):
        disables = "failing"
    if delay_s is None:
        return Verdict("exhausted", disables=disables)
    return Verdict("again", delay_s, is_told=n_failures == policy.told_at, disables=disables)
