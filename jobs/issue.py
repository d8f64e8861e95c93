"""
One attempt to issue a document, any family.

Nothing is sent while the outcome of an earlier send is unknown: the attempt looks first. A step is one call and what
has to be written before it; all that follows from an answer is decided by :class:`~jobs.issue_policy.IssuePolicy`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from jobs import answers
from jobs.answers import Answer
from jobs.issue_policy import Delete, FindBlocker, IssuePolicy, LookUp, LookUpReason, Remove, Resend, Send, Step
from jobs.outcomes import AttemptResult, Finished, Retry
from jobs.ports import Gateway, Journal
from schemas.contract.event import ErrorDetail
from schemas.records import SendState

_MOST_STEPS: Final = 8
"""More steps than any path through the table needs; a longer one is a defect, and stops."""

_DAY_MARGIN_MS: Final = 2000
"""So long before its day ends a document that must carry it goes out no more: Factus dates it by its own clock when it
comes in, and a connection may have to be made first."""

BeforeSend = Callable[[], Awaitable[Finished | Retry | None]]
"""Asked once in an attempt, right before it issues: with what the attempt ends instead; None to go on."""


async def issue(
    policy: IssuePolicy,
    gateway: Gateway,
    journal: Journal,
    *,
    now_ms: int,
    day_ends_ms: int,
    before_send: BeforeSend | None = None,
) -> AttemptResult:
    """
    Run one attempt.

    Args:
        now_ms: The Redis server's clock at the start of the attempt.
        day_ends_ms: End of the day that the document must carry (``issue_on``); 0 when any day will do.
        before_send: What else may stand in the way; not asked about a document that Factus has already.

    Raises:
        LeaseLost: Another worker has the job; nothing more may be done.
    """
    step = _first_step(policy)
    if isinstance(step, LookUp) and await journal.is_being_removed(policy.job):
        return AttemptResult(policy.waits_for_removal(), 0)
    attempt = _Attempt(policy, gateway, journal, now_ms, day_ends_ms, before_send)
    for _ in range(_MOST_STEPS):
        if ending := attempt.ending_of(step):
            return AttemptResult(ending, attempt.n_sent, attempt.n_calls, attempt.status)
        step = await attempt.take(step)
    raise AssertionError(f"{_MOST_STEPS} steps and no ending: {step}")


@dataclass(slots=True)
class _Attempt:
    """What one attempt has done and heard so far."""

    policy: IssuePolicy
    gateway: Gateway
    journal: Journal
    now_ms: int
    day_ends_ms: int
    before_send: BeforeSend | None = None
    has_sent: bool = False
    n_calls: int = 0
    """Calls that went out; what got no permit did not."""
    n_sent: int = 0
    """Creates that Factus has taken."""
    was_there: bool = False
    """Whether a look has shown the document before it was asked for."""
    status: int = 0
    """Of the last answer that had one."""
    is_named: bool = False
    """Whether the document that is to be removed has been looked up, for its number."""

    def ending_of(self, step: Step) -> Finished | Retry | None:
        """With what the attempt ends before this step; None when the step is to be taken."""
        match step:
            case Send():
                late = self.policy.too_late(self.now_ms, self.day_ends_ms)
                return (self.policy.may_still_appear() or late) if late else None
            case Resend():
                return self.policy.expired(self.now_ms)
            case Finished():
                return step
            case Retry():
                ending = self._time_is_up(step) if self.now_ms >= self.policy.job.deadline_at else step
                return self._told_on(ending) if isinstance(ending, Retry) else ending
            case _:
                return None

    def _time_is_up(self, step: Retry) -> Finished | Retry:
        """A wait for a permit or a lock tells nothing of the document: look up what was sent before the job ends."""
        if not step.is_failure:
            return step
        return self.policy.may_still_appear(step.reason) or self.policy.time_is_up(step.reason)

    def _told_on(self, ending: Retry) -> Retry:
        """With what the next attempt must know of an earlier send: its document keeps the day of that."""
        if self.was_there and not ending.sent_at_ms:
            ending = replace(ending, sent_at_ms=self.policy.job.sending_at)
        return self.policy.as_long_as_on_its_way(ending)

    async def take(self, step: Step) -> Step:
        """Take a step; the next one."""
        match step:
            case Send():
                return await self._send()
            case Resend():
                return await self._resend()
            case LookUp(reason, why):
                return await self._look_up(reason, why)
            case Delete(verdict, "") if not self.is_named:
                return await self._name(verdict)
            case Delete(verdict, number):
                return await self._delete(verdict, number)
            case FindBlocker():
                self.n_calls += 1
                return await _find_blocker(self.policy, self.gateway, self.journal)
            case Remove(reference_code):
                return await self._remove(reference_code)
            case Finished() | Retry():
                raise AssertionError(f"an ending is no step: {step}")
            case _:
                assert_never(step)

    async def _send(self) -> Step:
        if self.before_send is not None:
            asked, self.before_send = self.before_send, None
            if ending := await asked():
                return ending
        # A document that Factus has already is only asked for: it keeps the date of its first sending.
        is_dated = not self.day_ends_ms or self.policy.job.pending_since
        seen = await self._create(0 if is_dated else self.day_ends_ms - _DAY_MARGIN_MS)
        return self.policy.after_create(seen)

    async def _resend(self) -> Step:
        self.was_there = True
        return self.policy.after_create(await self._create(0), is_there=True)

    async def _create(self, latest_ms: int) -> Answer:
        seen = await self.gateway.create(self.policy.job, latest_ms=latest_ms)
        self.has_sent, self.n_sent = True, self.n_sent + answers.counts_as_attempt(seen)
        self._count(seen)
        self.status = answers.status_of(seen)
        return seen

    async def _look_up(self, reason: LookUpReason, why: str) -> Step:
        is_beside = reason == "conflict" and await _is_beside_another(self.policy, self.journal)
        seen = await self._find()
        step = self.policy.after_look_up(seen, reason, has_sent=self.has_sent, why=why, is_beside=is_beside)
        self._heard(seen)
        return step

    async def _name(self, verdict: tuple[ErrorDetail, ...]) -> Step:
        """Look the document up before it is removed: nobody can tell its number afterwards. A validated one is kept."""
        self.is_named = True
        seen = await self._find()
        step = self.policy.before_delete(seen, verdict, has_sent=self.has_sent)
        self._heard(seen)
        return step

    async def _delete(self, verdict: tuple[ErrorDetail, ...], number: str) -> Step:
        job, settle_ms = self.policy.job, self.policy.removal_settles_ms
        # Written first: if we die after the delete, the next attempt knows that it was no accident.
        await self.journal.record_rejection(job, verdict, number)
        seen = await self.gateway.delete(job, job.reference_code, settle_ms=settle_ms)
        step = self.policy.after_delete(seen, verdict, has_sent=self.has_sent, number=number)
        self._heard(seen)
        return step

    async def _remove(self, reference_code: str) -> Step:
        """Remove another document of ours, unless another attempt issues or removes it."""
        job, settle_ms = self.policy.job, self.policy.removal_settles_ms
        if not await self.journal.begin_removal(job, reference_code, settle_ms=settle_ms):
            return self.policy.being_mended()
        seen = await self.gateway.delete(job, reference_code, settle_ms=settle_ms)
        self._count(seen)
        return self.policy.after_removal(seen, reference_code)

    async def _find(self) -> Answer:
        return await self.gateway.find(self.policy.job.family, self.policy.job.reference_code)

    def _heard(self, seen: Answer) -> None:
        self._count(seen)
        self.status = answers.status_of(seen) or self.status

    def _count(self, seen: Answer) -> None:
        self.n_calls += not isinstance(seen, (answers.NoPermit, answers.TooLate))


async def _is_beside_another(policy: IssuePolicy, journal: Journal) -> bool:
    """Whether a create of our own, in the same lane, may be what Factus answers 409 for."""
    if policy.lane_width == 1:
        return False
    standing = policy.standing
    return standing.n_beside > 0 or await journal.has_company(policy.job, standing.n_lane_starts)


async def _find_blocker(policy: IssuePolicy, gateway: Gateway, journal: Journal) -> Step:
    """Which document bars the family: one that the ledger knows is looked at in full before anything follows."""
    job = policy.job
    seen = await gateway.find_unvalidated(job.family)
    reference_code = seen.document.reference_code if isinstance(seen, answers.DocumentSeen) else None
    known = None
    if reference_code and reference_code != job.reference_code:
        known = await journal.known(job, reference_code)
        if known and not known.is_open:
            seen = await gateway.find(job.family, reference_code)
    return policy.after_blocker(seen, known)


def _first_step(policy: IssuePolicy) -> Step:
    match policy.job.sent:
        case SendState.SENDING | SendState.UNKNOWN:
            return LookUp("unknown")
        case SendState.DELETING:
            return LookUp("deleting")
        case SendState.NOTHING:
            return Send()
        case _:
            assert_never(policy.job.sent)
