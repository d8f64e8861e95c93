"""
What a job type is: one row, from which its validation, its lane, its work, its documents and its examples follow.

The rows stand in ``document_types.py`` and ``account_types.py``; ``registry.py`` has all of them by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from jobs.calls import Late, Work, unchanged
from jobs.outcomes import Finished
from schemas import names
from schemas.contract.event_data import Data
from schemas.payload.spec import PayloadSpec

# -- which errors end a job --------------------------------------------------------------------------------------------
REFUSALS: Final = ("envelope.invalid", "payload.invalid", "account.unknown", "auth.denied", "id.conflict")
"""Errors of ``job.refused`` that any job can meet."""

ANY_TIME: Final = ("job.expired", "date.missed", "internal")
ANY_ACCOUNT: Final = ("factus.credentials", "factus.payment_required", "factus.denied", "factus.unavailable")
ANY_CALL: Final = (*ANY_ACCOUNT, "factus.not_found", "factus.validation")
"""What any call to Factus can end with."""
ANY_WRITE: Final = (*ANY_CALL, "factus.conflict")

# -- what several descriptions say -------------------------------------------------------------------------------------
READS: Final = "Repeated: it only reads."
ASKS_NOTHING: Final = "Never unknown: Factus is not asked."
WRITTEN_AGAIN: Final = (
    "Repeated once the first can arrive no more: to do it twice is the same as once. "
    "Other changes of it wait meanwhile."
)
LIST_LIMITS: Final = (
    "One page, or with `all` the pages from `page` on: until the last, until the next one would make more than 1000 "
    "items, or until there is 1 MiB, whichever comes first. Pages stay whole, so a first page of more than 1000 items "
    "is the whole result; `pagination.next_page` says where to go on."
)


@dataclass(frozen=True, slots=True)
class Description:
    """
    What a job type does, in words: what no model says.

    Attributes:
        does: One or two sentences.
        when_unknown: What follows when Factus may have done it and its answer was lost.
        errors: Codes of the job's own end, beyond REFUSALS and ANY_TIME.
        limits: What is bounded, and how; empty when nothing is.
        may_be_done: Of what is not repeated because Factus cannot be asked: what a failed job may have done all the
            same, and would do again (Spanish, English).
    """

    does: str
    when_unknown: str = READS
    errors: tuple[str, ...] = ANY_CALL
    limits: str = ""
    may_be_done: tuple[str, str] | None = None

    @property
    def asks_factus(self) -> bool:
        """Whether the job makes calls: any of them can end with ANY_CALL."""
        return bool(self.errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerType:
    """
    A type of job in the ledger; of those that the service starts itself, all that there is to say.

    Attributes:
        work: What is done; None for what is issued.
        late: Makes the end of a job whose time is up, where the verb knows more of it than its last error.
    """

    name: str
    work: Work | None
    late: Late = unchanged

    @property
    def family(self) -> str:
        return names.family_of(self.name)

    @property
    def verb(self) -> str:
        return names.verb_of(self.name)

    @property
    def issues(self) -> bool:
        return names.issues(self.name)

    def lane(self, account: str) -> str:
        return names.lane_of(account, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobType(LedgerType):
    """
    A type of job that can be pushed: one row of docs/contract.md, section 3.

    Attributes:
        payload: What is pushed: model and rules.
        data: What its good end holds: that of ``X.validated`` or of ``<type>.completed``.
        example: A payload that could be pushed as it stands; None for what is issued, whose example is a file of
            ``schemas/examples``.
        factus_answers: ``data`` of what Factus answers to the example's calls, in order, the last one again and again;
            a look-up finds ``example_data.document``, and is not among them.
        answer: For what needs no call: its end, given as the job is taken in.
    """

    payload: PayloadSpec
    data: type[Data]
    description: Description
    example: Mapping[str, Any] | None
    factus_answers: tuple[Any, ...]
    answer: Callable[[Mapping[str, Any]], Finished] | None = None


class HasName(Protocol):
    """A row of a family: of documents, or of numbering ranges."""

    @property
    def name(self) -> str: ...


Each = TypeVar("Each", bound=HasName)


def _every_family(_: object) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)  # with slots, Python 3.11 makes no instance of a generic class
class SharedCall(Generic[Each]):
    """
    A call that several families have: the fields of a :class:`JobType`, or what each family makes of them.

    Attributes:
        has: Whether a family has the call: a fact of its row, not its name.
    """

    verb: str
    has: Callable[[Each], bool] = _every_family
    payload: Callable[[Each], PayloadSpec]
    work: Work
    late: Late = unchanged
    data: type[Data]
    description: Description
    example: Callable[[Each], Mapping[str, Any]]
    factus_answers: Callable[[Each], tuple[Any, ...]]

    def of_family(self, family: Each) -> JobType:
        return JobType(
            name=names.job_type_of(family.name, self.verb),
            payload=self.payload(family),
            work=self.work,
            late=self.late,
            data=self.data,
            description=self.description,
            example=self.example(family),
            factus_answers=self.factus_answers(family),
        )
