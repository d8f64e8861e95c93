"""
Where a job stands, why, what happens next and when, in words for a person. Pure.

English, like all commands; messages that came from Factus, DIAN or our rules stay in the Spanish they were given in.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Final, TypeAlias

from schemas import strict_json
from schemas.records import JobRecord
from worker.cli.status.lookup import JobSnapshot
from worker.cli.status.reader import AccountSeen, Hold, LaneSeen
from worker.cli.time_words import clock

NEEDS_A_PERSON: Final = frozenset({"factus.credentials", "factus.denied", "factus.payment_required"})

_REASONS: Final = {
    "factus.credentials": "Factus refuses the credentials of the account",
    "factus.denied": "Factus denies the account access (403)",
    "factus.payment_required": "Factus asks the account for a payment or a package (402)",
    "factus.throttled": "Factus asked to slow down (429)",
    "factus.unavailable": "Factus could not be reached, or failed",
    "factus.conflict": "another document that is not validated blocks the family at Factus (409)",
    "dian.pending": "Factus has a document for which DIAN has not answered",
    "internal": "a defect of ours",
}


AFTER: Final = {
    "validated": "nothing: DIAN has validated it; pushed again with the same payload it is answered at once",
    "completed": "nothing",
    "refused": "nothing by itself: correct it and push it again",
    "rejected": "nothing by itself: correct it and push it again with the same reference",
    "failed": "nothing by itself: mend the cause and push it again; the new attempt looks at Factus first",
    "archived": "nothing",
}
"""What follows an end, by the last part of its event's type; of a document."""

_AFTER_CALL: Final = {
    **AFTER,
    "failed": "nothing by itself: mend the cause and push it again (factus-worker dead list has its letter)",
}

Situation: TypeAlias = tuple[str, str, str, int]
"""Where, why, what next, and when that is (ms, 0 when no instant is known)."""


def situation(found: JobSnapshot, zone: tzinfo) -> Situation:
    """Say where a job stands."""
    job = found.job
    match job.state:
        case "final":
            return _final(job)
        case "joined":
            why = f"job {found.issued_by} issues the same document"
            return "waits for another job", why, "gets the same result when that job ends", 0
        case "inflight":
            return _in_flight(job)
        case _:
            return _waiting(found, zone)


def _final(job: JobRecord) -> Situation:
    ending = job.final_type.rpartition(".")[2]
    error = strict_json.parse(job.last_error).get("message", "") if job.last_error else ""
    why = error or (f"number {job.number}" if job.number else "")
    after = AFTER if job.issues else _AFTER_CALL
    return f"finished: {job.final_type}", why, after.get(ending, "nothing"), 0


def _in_flight(job: JobRecord) -> Situation:
    following = "its answer ends the attempt; if the worker dies, another takes it up within about 30 seconds"
    match job.sent:
        case "sending":
            return "being sent", "the request to Factus is under way, its answer is not in yet", following, 0
        case "unknown":
            why = "an earlier sending has an unknown outcome"
            following = "sent again only if Factus does not have it" if job.issues else "done again only if it was not"
            return "being looked up", why, following, 0
        case "deleting":
            return "being removed", "DIAN rejected it", "ends as rejected when it is gone at Factus", 0
        case _:
            return "being worked on", "it is its turn", following, 0


def _waiting(found: JobSnapshot, zone: tzinfo) -> Situation:
    job = found.job
    if job.start_at > found.now_ms:
        why = f"it must carry the date {job.issue_on}" if job.issue_on else "not_before has not come"
        return "held until its time", why, f"joins its lane at {clock(job.start_at, zone)}", job.start_at
    if found.rank is None and job.next_at > found.now_ms:
        return "pauses", _last_reason(job), f"tried again at {clock(job.next_at, zone)}", job.next_at
    where = _place(found)
    if not found.n_workers:
        return where, "no worker is running", "starts when a worker does: factus-worker run", 0
    return where, *_obstacle(found, zone)


def _obstacle(found: JobSnapshot, zone: tzinfo) -> tuple[str, str, int]:
    lane, account = found.lane, found.account
    if account.hold:
        return f"account {account.name} is on hold: {reason_words(account.hold)}", *_after_hold(account.hold, zone)
    if lane and lane.hold:
        return f"its lane is on hold: {reason_words(lane.hold)}", *_after_hold(lane.hold, zone)
    if lane and lane.n_ahead and job_gives_way(found.job, account):
        return f"behind issuing: {documents(lane.n_ahead)} ahead", _turn(found), 0
    if account.free_at_ms > found.now_ms:
        why = f"the allowance is used up: {account.n_used} of {account.limit} calls in {account.window_s:g} s"
        return why, f"the next call may go at {clock(account.free_at_ms, zone)}", account.free_at_ms
    if lane and lane.n_in_flight and not lane.is_calls:
        return "documents of a family are issued one at a time", _turn(found), 0
    if lane and lane.is_calls and found.job.priority == "low" and is_scarce(account):
        return _KEPT_FREE, _turn(found), 0
    return "nothing stands in its way", _turn(found), lane.next_look_ms if lane else 0


def _after_hold(hold: Hold, zone: tzinfo) -> tuple[str, int]:
    mend = "; somebody must mend that with Factus" if hold.reason in NEEDS_A_PERSON else ""
    return f"tried again at {clock(hold.until_ms, zone)}{mend}", hold.until_ms


def _turn(found: JobSnapshot) -> str:
    return f"starts after the {found.rank} before it" if found.rank else "starts next"


def _place(found: JobSnapshot) -> str:
    if found.lane is None or found.rank is None:
        return "waits"
    return f"waits in lane {found.lane.name}, number {found.rank + 1} of {found.lane.n_waiting}"


def _last_reason(job: JobRecord) -> str:
    if not job.last_error:
        return "an earlier job removed this reference at Factus without an answer: it could still take a new document"
    error = strict_json.parse(job.last_error)
    return f"the last attempt ended with {error.get('code')}: {error.get('message')}"


_KEPT_FREE: Final = "calls of low priority leave a quarter of the allowance free for documents"


def is_scarce(account: AccountSeen) -> bool:
    """Whether the quarter of the allowance is begun that calls leave to documents."""
    return account.n_used >= account.limit - account.limit // 4


def job_gives_way(job: JobRecord, account: AccountSeen) -> bool:
    """Whether a call lets the documents that wait go first."""
    return job.priority == "low" or (job.priority == "normal" and is_scarce(account))


def documents(n: int) -> str:
    return "1 document" if n == 1 else f"{n} documents"


def lane_words(lane: LaneSeen, account: AccountSeen, now_ms: int, zone: tzinfo) -> str:
    """Why a lane stands; empty when it moves, or has nothing to do."""
    if lane.hold:
        return f"until {clock(lane.hold.until_ms, zone)}: {reason_words(lane.hold)}"
    if not lane.n_waiting:
        return ""
    if account.hold:
        return "its account is on hold"
    if account.free_at_ms > now_ms:
        return f"allowance used up until {clock(account.free_at_ms, zone)}"
    if lane.n_ahead:
        return f"behind issuing: {documents(lane.n_ahead)} ahead"
    if lane.is_calls and is_scarce(account):
        return _KEPT_FREE
    return ""


def reason_words(hold: Hold) -> str:
    """The reason of a hold in words."""
    return _REASONS.get(hold.reason, hold.reason or "no reason is noted")
