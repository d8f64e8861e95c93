"""
One entry of an intake stream, and what becomes of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.outcomes import Finished
from jobs.rights.admission import TokenBeside
from jobs.rights.denial import Denied
from schemas.contract.envelope import PartialEnvelope
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an intake stream, as read."""

    stream: str
    id: str
    raw: bytes | None
    """
    The bytes of its field ``job``; the first of them where they are more than a job may hold. Of several such fields,
    or of all names and values where there is none: joined by line ends, and the first of them where they are many.
    """

    owner: str = ""
    """The account to which the stream belongs (``own_streams``); empty for the common one."""

    n_jobs: int = 1
    """How many fields ``job`` it has."""

    size: int = 0
    """Bytes of it all, where *raw* is only the first of them; 0 where it is not."""

    sha256: str = ""
    """Hex digest of it all, where *raw* is only the first bytes."""

    beside: TokenBeside | None = None
    """What its fields ``token`` hold; None where it has none."""

    is_operators: bool = False
    """Whether it came by a stream that only the operator may write: it needs no token."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    Work for the ledger. Instants that depend on the server's clock are filled in when it is written.

    ``answer`` is the job's end where it needs no call and asks for no time of its own.
    """

    record: JobRecord
    answer: Finished | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A ``job.refused``. ``content`` is empty when no id of the producer's could be read."""

    remains: PartialEnvelope
    errors: tuple[ErrorDetail, ...]
    content: str = ""
    warnings: tuple[ErrorDetail, ...] = ()
    """For whoever checks a file: the event of a refusal has no place for them."""

    denial: Denied | None = None
    """Why its token grants it nothing: for the log alone."""

    repeats: JobRecord | None = None
    """The job that it would be, of a document that only rules refuse: they may have let it pass on another day."""
