"""What an attempt can end in: a closed set of two. Either the job is final, or it is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from schemas.contract.event import ErrorDetail
from schemas.records import SendState

State = Literal["validated", "rejected", "refused", "failed", "completed"]
"""``completed`` for jobs that do not issue; ``refused`` for a document that we did not send."""

Sent = Literal[SendState.NOTHING, SendState.UNKNOWN, SendState.DELETING]
"""What the next attempt must know of this one."""
Waits = Literal["job", "lane", "account"]

FactusHealth = Literal["up", "down", "unknown"]
"""What an attempt learnt of Factus: it answers, it does not, or neither (no call came through to it)."""


@dataclass(frozen=True, slots=True)
class Block:
    """
    Only a person can mend what stops the account, or one family of it. Published once (``account.blocked``).

    ``job_type`` stands in a block that was found by a job of that type, which issues nothing: it says nothing of
    issuing in that family, nor of any other type. ``mend`` is what a person does, where the error's code does not say.
    """

    family: str | None
    error: ErrorDetail
    job_type: str = ""
    mend: str = ""

    @property
    def scope(self) -> str:
        return scope_of(self.family, self.job_type)


def scope_of(family: str | None, job_type: str = "") -> str:
    """Under which name a block is remembered: the whole account, the issuing of a family, or the jobs of a type."""
    return "*" if family is None else job_type or family


@dataclass(frozen=True, slots=True)
class News:
    """What a watch has to publish on the way: the type of an event, and its ``data``."""

    type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BillNote:
    """
    What is remembered of a bill by its number: whether a note about it may go out, and when its term is over.

    ``facts`` are fields of that record (``form``: ``credit`` or ``cash``; ``accepted``: 033 or 034, ``cude``,
    ``occurred_at``). ``term_ms``: from when the bill is due, 0 when nothing waits for that any more, None leaves it.
    """

    number: str
    facts: Mapping[str, str] = field(default_factory=dict)
    term_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """
    The job's one final result.

    ``archived`` is what a job that failed has archived all the same: its event has no ``data`` to tell it in.
    ``free_in_s`` is for how long nothing may be issued under the reference: a DELETE without an answer could take it.
    """

    state: State
    message: str
    data: dict[str, Any] | None = None
    errors: tuple[ErrorDetail, ...] = ()
    number: str = ""
    block: Block | None = None
    news: tuple[News, ...] = ()
    archived: tuple[dict[str, Any], ...] = ()
    free_in_s: float = 0.0
    bill: BillNote | None = None

    @property
    def leaves_a_document(self) -> bool:
        """Whether an unvalidated document stays at Factus, where it bars the others of its family (409)."""
        is_kept = self.state == "rejected" and self.block is not None
        return is_kept or any(error.code in ("dian.pending", "dian.processed") for error in self.errors)


@dataclass(frozen=True, slots=True)
class Retry:
    """
    The job stays open.

    ``waits`` says who pauses with it: only the ``job`` (others of its lane go on), its ``lane`` (it stays at the
    head), or the whole ``account``. ``sent`` is what the next attempt must know: nothing is at Factus, look
    before sending (``UNKNOWN``), or finish a removal (``DELETING``). ``is_failure`` lets the backoff grow.
    ``pending`` publishes ``X.pending`` (once). ``progress`` is what a job of several calls has done so far (JSON; None
    leaves it as it is), and unless ``is_failure`` a step forward, after which the backoff begins anew. ``news`` is what
    it has to publish on the way. ``latest_ms`` is by when its next turn should be, its place among those of low
    priority; 0 leaves it. ``narrows``: Factus takes one create of the lane at a time, for now. ``sent_at_ms``: when
    Factus got what it has, or may have, where that was before this attempt; 0 leaves what the record says.
    """

    waits: Waits
    pause_s: float
    reason: ErrorDetail
    sent: Sent = SendState.NOTHING
    is_failure: bool = True
    pending: bool = False
    number: str = ""
    health: FactusHealth = "up"
    block: Block | None = None
    progress: str | None = None
    news: tuple[News, ...] = ()
    latest_ms: int = 0
    bill: BillNote | None = None
    narrows: bool = False
    sent_at_ms: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether a job of several calls has come a step forward: no failure, and no trouble."""
        return self.progress is not None and not self.is_failure


Ending = Finished | Retry

HELD: Final = frozenset({"factus.credentials", "factus.payment_required", "factus.denied"})
"""What holds an account, or a family of it, until a person mends it."""

_NOT_MENDED: Final = HELD | {"factus.unavailable", "factus.conflict"}


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """
    One attempt, run to its end.

    ``n_sent`` is how often the job's own call went out and was taken: a call that met no connection, no permit, 401,
    409, 429 or a wrong address does not count (docs/contract.md, ``attempts``). ``status`` is that of the last answer
    that was no success, for the log; 0 for none.
    """

    ending: Ending
    n_sent: int
    n_calls: int = 0
    status: int = 0

    @property
    def health(self) -> FactusHealth:
        """
        An ending without a call says nothing of Factus; nor does one whose time was up while Factus, or the account,
        still was as it had been: that is no news of its mend.
        """
        if isinstance(self.ending, Retry):
            return self.ending.health
        is_mended = not any(error.code in _NOT_MENDED for error in self.ending.errors[:1])
        return "up" if self.n_calls and is_mended else "unknown"


@dataclass(frozen=True, slots=True)
class AccountState:
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
    n_beside: int = 0
    """How many others of the lane were under way when the job was claimed."""
    n_lane_starts: int = 0
    """How many jobs the lane had started by then."""
