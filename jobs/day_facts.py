"""
What a certificate is made of: what Factus lists of a day, and what the ledger knows of it. Plain values.

Instants are ms since 1970; 0 means "not known". Money is a Decimal, None where nobody has told it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from schemas.names import ending_of

NumberClass = Literal["issued", "foreign", "deleted", "waiting", "unexplained"]


@dataclass(frozen=True, slots=True)
class Day:
    """A day of an account: its name, its bounds (ms) in the account's zone, and the days of Bogotá that it touches."""

    name: str
    starts_ms: int
    ends_ms: int
    first_in_bogota: str
    last_in_bogota: str

    def has(self, at_ms: int) -> bool:
        return self.starts_ms <= at_ms < self.ends_ms


@dataclass(frozen=True, slots=True)
class Row:
    """A document of the day as Factus lists it. ``rule`` and ``reason``: of one that DIAN has not validated."""

    number: str
    reference_code: str
    is_validated: bool
    total: Decimal | None
    tax_amount: Decimal | None
    created_ms: int
    rule: str | None = None
    reason: str | None = None
    is_rejected: bool = False

    @property
    def lacks_amounts(self) -> bool:
        """Whether the list does not tell what a document comes to: of most the tax, of a payroll the total."""
        return self.is_validated and (self.total is None or self.tax_amount is None)


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """
    What the ledger has of the document of a reference code.

    ``asked_total`` is what its payload came to, ``tax_amount`` and ``prefix`` are Factus's, of a validated one.
    """

    number: str
    is_validated: bool
    is_open: bool
    asked_total: Decimal | None
    tax_amount: Decimal | None
    prefix: str
    job_id: str = ""


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that issues or removes a document, and has ended. ``type`` is that of its final event."""

    job_id: str
    family: str
    reference_code: str
    type: str
    number: str
    total: Decimal | None
    tax_amount: Decimal | None
    prefix: str
    code: str | None
    rule: str | None
    reason: str | None
    at_ms: int
    sent_ms: int

    @property
    def ending(self) -> str:
        """``validated``, ``rejected``, ``refused``, ``failed`` or ``completed``."""
        return ending_of(self.type)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that issues a document and has not ended. ``first_day`` is the first on which it may go out."""

    job_id: str
    family: str
    reference_code: str
    number: str
    state: str
    why: str
    total: Decimal | None
    first_day: str
    is_bound_to_day: bool
    sent_ms: int


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """
    What the ledger knows of a day.

    Attributes:
        ended: What ended from the day's begin on, until well after it.
        since_ms: Since when ends are noted; 0 for always.
        forgets_ms: What ended before is forgotten.
        is_full: Whether there were more ends than are noted.
    """

    ended: tuple[EndedJob, ...]
    open: tuple[OpenJob, ...]
    since_ms: int
    forgets_ms: int
    is_full: bool = False
