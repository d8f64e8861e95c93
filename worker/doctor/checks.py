"""
A check of ``doctor``: what was looked at, what was found, and what to do. Pure.

Facts are read at the edge (``*_reader.py``) and judged by functions of them (``*_checks.py``); ``examination.py`` has
the order and the time limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["ok", "warning", "failure", "skipped"]

IDS: Final = (
    "redis.reachable", "redis.version", "redis.persistence", "redis.eviction", "redis.memory", "redis.replicas",
    "redis.rights", "clock.redis", "settings", "secrets.modes", "accounts", "workers", "intake", "jobs.keys",
    "webhooks", "archive", "calendar",
)  # fmt: skip
"""Every check without ``--calls``, in the order in which it is told."""

CALL_IDS: Final = (
    "factus.credentials", "factus.version", "factus.allowance", "factus.pending", "factus.ranges", "factus.clock",
)  # fmt: skip
"""What ``--calls`` adds, for each account."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line. ``found`` is what was seen, or why it was not looked at; ``mend`` is empty where nothing is to do."""

    id: str
    status: Status
    subject: str
    found: str
    mend: str = ""

    def to_json(self) -> dict[str, str | None]:
        return {
            "id": self.id,
            "status": self.status,
            "subject": self.subject,
            "found": self.found,
            "mend": self.mend or None,
        }


def skipped(ids: Iterable[str], subject: str, why: str) -> list[Check]:
    """Checks that could not be made, each with why."""
    return [Check(id_, "skipped", subject, why) for id_ in ids]


def in_order(checks: Iterable[Check]) -> list[Check]:
    """In the order of their ids; of one id as they came."""
    order = {id_: n for n, id_ in enumerate((*IDS, *CALL_IDS))}
    return sorted(checks, key=lambda one: order[one.id])
