"""What ``doctor --calls`` has seen of Factus, for one account, as values."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.answers import Answer
from schemas.factus import DocumentView


@dataclass(frozen=True, slots=True)
class Heard:
    """What stood in the heads of an answer. ``off_ms``: by how much Factus's clock is ahead of ours."""

    off_ms: float | None = None
    limit: int | None = None
    n_remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A document that is not validated and bars its family; ``is_ours``: the ledger knows it."""

    family: str
    document: DocumentView
    is_ours: bool


@dataclass(frozen=True, slots=True)
class FactusSeen:
    """
    The answers of one account. None: not asked, and ``why_not`` says why.

    ``token`` is what the token route said where it gave no token, None where it gave one. ``n_used`` is what we had
    counted in the window before.
    """

    account: str
    limit: int
    n_used: int = 0
    was_asked: bool = False
    token: Answer | None = None
    ranges: Answer | None = None
    looks: tuple[tuple[str, Answer], ...] = ()
    """Families that were asked for documents that are not validated, and the answers."""

    pending: tuple[Pending, ...] = ()
    heard: tuple[Heard, ...] = ()
    n_calls: int = 0
    why_not: str = ""
