"""
An endpoint as the operator wrote it down, and which events it gets. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final, Literal

from jobs.webhooks.addresses import Network
from jobs.webhooks.bodies import EventHead, Path
from schemas.names import in_account

OWN_SUBJECT: Final = "webhook"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One ``[endpoints.NAME]``. ``repr`` shows no secret, and no part of a URL that may hold one."""

    name: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """Newest first; all of them sign."""

    types: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    omit: tuple[Path, ...] = (("data", "factus"),)
    timeout_s: float = 20.0
    concurrency: int = 8
    allow_networks: tuple[Network, ...] = ()
    start: Literal["new", "all"] = "new"

    def takes(self, event: EventHead) -> bool:
        """
        Whether an event is for it. None is of its own failures: a delivery that fails would make the next one.

        Events of no account match ``*`` alone.
        """
        if event.about == self.name:
            return False
        return _matches(event.type, self.types) and _matches(event.account, self.accounts)

    @property
    def body_form(self) -> str:
        """The same for endpoints that leave out the same: they share a body."""
        text = "\n".join(sorted(".".join(path) for path in self.omit))
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def order_of(event: EventHead) -> str:
    """
    A name for what keeps its order: the job. An event of no job has a name of its own, and waits for none.
    """
    text = in_account(str(event.account), event.job_id) if event.job_id else f"event {event.id}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rank_of(event: EventHead, message: str) -> str:
    """Where a delivery stands among those of its endpoint: sorted as text, each job's are in the order of ``seq``."""
    return f"{order_of(event)}:{event.seq:010d}:{message}"


def _matches(text: str, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs)
