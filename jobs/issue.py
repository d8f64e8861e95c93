"""
One attempt to issue a document, any family.

Nothing is sent while the outcome of an earlier send is unknown: the attempt looks first. I/O happens in the four lines
that call a port; all that follows from an answer is decided by :class:`~jobs.issue_policy.IssuePolicy`.
"""

from __future__ import annotations

from typing import Final, assert_never

from jobs import answers
from jobs.issue_policy import Delete, FindBlocker, IssuePolicy, Look, Remove, Send, Step
from jobs.outcomes import AttemptResult, Finished, Retry
from jobs.ports import Gateway, Journal
from schemas.records import SendState

_MOST_CALLS: Final = 8
"""More calls than any path through the table needs; a longer one is a defect, and stops."""


async def issue(
    policy: IssuePolicy, gateway: Gateway, journal: Journal, *, now_ms: int, day_ends_ms: int
) -> AttemptResult:
    """
    Run one attempt.

    Args:
        now_ms: The Redis server's clock at the start of the attempt.
        day_ends_ms: End of the day that the document must carry (``issue_on``); 0 when any day will do.

    Raises:
        LeaseLost: Another worker has the job; nothing more may be done.
    """
    job = policy.job
    step = _first_step(policy)
    if isinstance(step, Look) and await journal.is_being_removed(job):
        return AttemptResult(policy.waits_for_removal(), 0)
    has_sent, n_sent, status, is_named = False, 0, 0, False
    for n_calls in range(_MOST_CALLS):
        match step:
            case Send():
                late = policy.too_late(now_ms, day_ends_ms)
                if late:
                    return AttemptResult(policy.may_still_appear() or late, n_sent, n_calls, status)
                # A document that Factus has already is only asked for: it keeps the date of its first sending.
                latest_ms = 0 if job.pending_since else day_ends_ms
                seen = await gateway.create(job, latest_ms=latest_ms)
                has_sent, n_sent = True, n_sent + answers.is_taken(seen)
                step = policy.after_create(seen)
                status = answers.status_of(seen)
            case Look(reason, why):
                is_beside = reason == "conflict" and await _is_beside_another(policy, journal)
                seen = await gateway.find(job.family, job.reference_code)
                step = policy.after_look(seen, reason, has_sent=has_sent, why=why, is_beside=is_beside)
                status = answers.status_of(seen) or status
            case Delete(verdict, "") if not is_named:
                # It has used a number up, which nobody could tell once it is gone; and what is validated stays.
                is_named = True
                seen = await gateway.find(job.family, job.reference_code)
                step = policy.before_delete(seen, verdict, has_sent=has_sent)
                status = answers.status_of(seen) or status
            case Delete(verdict, number):
                # Written first: if we die after the delete, the next attempt knows that it was no accident.
                await journal.record_rejection(job, verdict, number)
                seen = await gateway.delete(job, job.reference_code, settle_ms=policy.removal_settles_ms)
                step = policy.after_delete(seen, verdict, has_sent=has_sent, number=number)
                status = answers.status_of(seen) or status
            case FindBlocker():
                step = await _find_blocker(policy, gateway, journal)
            case Remove(reference_code):
                settle_ms = policy.removal_settles_ms
                if await journal.begin_removal(job, reference_code, settle_ms=settle_ms):
                    seen = await gateway.delete(job, reference_code, settle_ms=settle_ms)
                    step = policy.after_removal(seen, reference_code)
                else:
                    step = policy.being_mended()
            case Finished():
                return AttemptResult(step, n_sent, n_calls, status)
            case Retry():
                # Waiting for our own turn says nothing of the document: what was sent is looked up before time is up.
                is_over = now_ms >= job.deadline_at and step.is_failure
                ending = (policy.may_still_appear(step.reason) or policy.time_is_up(step.reason)) if is_over else step
                return AttemptResult(ending, n_sent, n_calls, status)
            case _:
                assert_never(step)
    raise AssertionError(f"{_MOST_CALLS} calls and no ending: {step}")


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
            return Look("unknown")
        case SendState.DELETING:
            return Look("deleting")
        case SendState.NOTHING:
            return Send()
        case _:
            assert_never(policy.job.sent)
