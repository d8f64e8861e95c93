"""
What the decisions need from the outside, in our words. ``worker`` implements these without importing a base class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from jobs.answers import Answer
from jobs.archive_names import Stored
from jobs.day_facts import Day, KnownDocument, LedgerDay
from jobs.factus_requests import Request
from schemas.contract.event import ErrorDetail
from schemas.records import JobRecord

LockState: TypeAlias = Literal["held", "queued", "issuing"]
"""Whether a job may change something at Factus now, waits for another, or would remove what is being issued."""


class Caller(Protocol):
    """
    Factus, for one account, as far as a job needs it that issues nothing.

    Every method returns what was seen; none raises for what Factus or the network does.
    """

    async def find(self, family: str, reference_code: str) -> Answer:
        """Look a document up by its reference code: DocumentSeen in full, or Absent."""
        ...

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Answer:
        """
        Any other call: Replied with the body, or what kept it from being taken.

        Args:
            marks: The job whose record becomes ``sending`` with the permit, before the first byte; for calls whose
                repetition is not harmless.

        Raises:
            LeaseLost: The job is another worker's by now; nothing was sent.
        """
        ...


class Gateway(Caller, Protocol):
    """All of it, with what issuing needs."""

    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        """
        Send the job's document.

        The record is marked ``sending`` with the permit, before the first byte.

        Args:
            latest_ms: Server ms at which the document may no longer be sent; 0 for any time.

        Raises:
            LeaseLost: The job is another worker's by now; nothing was sent.
        """
        ...

    async def find_unvalidated(self, family: str) -> Answer:
        """Any document of the family that is not validated: DocumentSeen as a row of the list, or Absent."""
        ...

    async def delete(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> Answer:
        """
        Remove a document of the job's family that is not validated: Done, or Absent when there is none.

        From the moment of sending it may take what bears the reference: the record of the job has that instant, and
        where the document is another job's its reference is not free for *settle_ms*.

        Raises:
            LeaseLost: The job is another worker's by now; nothing was sent.
        """
        ...


class Archive(Protocol):
    """Where the files of documents are kept: written once, never changed."""

    async def put(self, name: str, content: bytes, *, content_type: str) -> Stored:
        """
        Write a file, or find the very same one there.

        Raises:
            ArchiveConflict: Another file has that name.
            ArchiveUnavailable: The storage did not take it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a document that another job issued, or issues."""

    is_open: bool
    """That job goes on, and settles its document itself."""
    deletes_rejected: bool
    """It wanted a rejected document removed (``delete_rejected``)."""


@dataclass(frozen=True, slots=True)
class KeptJob:
    """A job that could not be cancelled, and why (Spanish)."""

    job_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What a cancellation has come to. ``job_ids`` names the first of ``n_cancelled``."""

    job_ids: tuple[str, ...]
    n_cancelled: int
    kept: tuple[KeptJob, ...]


class Canceller(Protocol):
    """Ends open jobs that have sent nothing."""

    async def cancel(self, job: JobRecord, wanted: Mapping[str, Any]) -> Cancellation | None:
        """
        Cancel for *job* what *wanted* names: ``job_id``, or ``family`` and ``reference_code``, or ``batch``.

        Safe to call again for the same job: what it has cancelled before is told again.

        Returns:
            None when more is left than one turn takes.

        Raises:
            LedgerUnavailable: No answer from the store.
        """
        ...


class Bills(Protocol):
    """What is remembered of bills by their number."""

    async def bill(self, account: str, number: str) -> Mapping[str, str]:
        """The facts of a bill (``jobs.outcomes.BillNote``); empty for one that is not known here."""
        ...


class DayBook(Protocol):
    """
    What closing a day asks of the ledger, and where it puts aside what it has read.

    Every method raises LedgerUnavailable when the store does not answer.
    """

    async def keep_page(self, job: JobRecord, name: str, rows: str) -> None:
        """Put a page aside; the same name once more replaces it."""
        ...

    async def pages(self, job: JobRecord) -> Mapping[str, str]:
        """The pages that were put aside, by name."""
        ...

    async def known(self, account: str, family: str, references: Sequence[str]) -> Mapping[str, KnownDocument]:
        """What the ledger has of documents, by reference code; what it does not know is not there."""
        ...

    async def ledger_day(self, account: str, day: Day, now_ms: int) -> LedgerDay:
        """What ended on the day or soon after, and what is open now."""
        ...

    async def foreign_amounts(self, account: str) -> Mapping[str, str]:
        """Amounts of documents that are not ours, as Factus told them once (``amounts_text``), by ``family/number``."""
        ...

    async def keep_foreign_amounts(self, account: str, name: str, amounts: str) -> None: ...

    async def append(self, job: JobRecord, body: Mapping[str, Any], progress: Mapping[str, Any]) -> dict[str, Any]:
        """
        Put a certificate into the chain of its account, in one step with the job's progress, which has it from then on
        under ``certificate``: whatever happens after, the job ends with it.

        Raises:
            LeaseLost: The job is another worker's by now; nothing was written.
        """
        ...


class Journal(Protocol):
    """The part of the ledger that an attempt needs while it runs."""

    async def known(self, job: JobRecord, reference_code: str) -> Known | None:
        """What is known of another document of the job's account and family; None when it is not ours."""
        ...

    async def begin_removal(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> bool:
        """
        Claim, for a job under way, the removal of a document that another job of ours has left at Factus.

        Nothing is issued under its reference for *settle_ms*: the DELETE may arrive late, and takes what is there then.

        Returns:
            False when somebody issues that document again, or removes it.

        Raises:
            LeaseLost: The job is another worker's by now.
        """
        ...

    async def has_company(self, job: JobRecord, n_lane_starts: int) -> bool:
        """
        Whether another job of the lane is under way, or was since the job was claimed.

        Args:
            n_lane_starts: How many jobs the lane had started when this one was claimed.
        """
        ...

    async def is_being_removed(self, job: JobRecord) -> bool:
        """Whether an open job of ours deletes, at Factus, what bears the job's reference code."""
        ...

    async def record_rejection(self, job: JobRecord, verdict: tuple[ErrorDetail, ...], number: str) -> None:
        """
        Record that DIAN rejected the document (its number, where it has one) and that its removal begins.

        Raises:
            LeaseLost: The job is another worker's by now.
        """
        ...


class ChangeLock(Protocol):
    """Where the jobs that may not change the same thing at once stand one behind the other."""

    async def acquire_change_lock(self, job: JobRecord, thing: str) -> LockState:
        """Whether it is the job's turn to change a thing of its account."""
        ...

    async def acquire_removal_lock(self, job: JobRecord, reference_code: str) -> LockState:
        """Whether it is the job's turn to remove what bears a reference code; ``issuing`` is no."""
        ...
