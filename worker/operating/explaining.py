"""
What a state means to a person: where a document is, why, what happens next and when. Pure.

English, like all commands; messages that came from Factus, DIAN or our rules stay in the Spanish they were given in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from schemas import strict_json
from schemas.records import JobRecord
from worker.lagging import GroupSeen
from worker.operating.status import Found, Hold, Overview

NEEDS_A_PERSON: Final = frozenset({"factus.credentials", "factus.denied", "factus.payment_required"})

_GOOD: Final = (".validated", ".completed")
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


@dataclass(frozen=True, slots=True)
class Explanation:
    """One job in words and figures; ``None`` and empty where there is nothing to say. Times are ISO 8601."""

    reference_code: str | None
    job_id: str
    account: str
    family: str | None
    job_type: str
    state: str
    where: str
    why: str
    next: str
    next_at: str | None
    since: str | None
    outcome: str | None
    number: str | None
    attempts: int
    last_error: dict[str, Any] | None
    position: int | None
    n_in_lane: int | None
    tried_until: str | None

    @property
    def lacks_reason(self) -> bool:
        """Ended badly, and the ledger does not say why."""
        return self.outcome is not None and not self.outcome.endswith(_GOOD) and self.last_error is None


def explain(found: Found, zone: tzinfo) -> Explanation:
    """Say what stands in the ledger."""
    job = found.job
    where, why, following, next_ms = _situation(found, zone)
    is_final = job.state == "final"
    return Explanation(
        reference_code=job.reference_code or None,
        job_id=job.id,
        account=job.account,
        family=job.family or None,
        job_type=job.type,
        state=job.state,
        where=where,
        why=why,
        next=following,
        next_at=_iso(next_ms, zone),
        since=_iso(job.final_at if is_final else job.accepted_at, zone),
        outcome=job.final_type or None,
        number=job.number or None,
        attempts=job.attempts,
        last_error=strict_json.parse(job.last_error) if job.last_error else None,
        position=found.rank + 1 if found.rank is not None else None,
        n_in_lane=found.lane.n_waiting if found.lane and found.rank is not None else None,
        tried_until=None if is_final else _iso(job.deadline_at, zone),
    )


def explain_event(event: dict[str, Any]) -> Explanation:
    """Say what an event tells of a job that has no record: it was refused at the door."""
    errors = event["errors"] or [None]
    return Explanation(
        reference_code=event["reference_code"],
        job_id=event["job_id"] or "",
        account=event["account"] or "?",
        family=None,
        job_type=event["job_type"] or "?",
        state="final",
        where=f"finished: {event['type']}",
        why=event["message"],
        next=_AFTER.get(event["type"].rpartition(".")[2], "nothing"),
        next_at=None,
        since=event["time"],
        outcome=event["type"],
        number=(event["data"] or {}).get("number"),
        attempts=event["attempts"],
        last_error=errors[0],
        position=None,
        n_in_lane=None,
        tried_until=None,
    )


_AFTER: Final = {
    "validated": "nothing: DIAN has validated it; pushed again with the same payload it is answered at once",
    "completed": "nothing",
    "refused": "nothing by itself: correct it and push it again",
    "rejected": "nothing by itself: correct it and push it again with the same reference",
    "failed": "nothing by itself: mend the cause and push it again; the new attempt looks at Factus first",
}

Situation = tuple[str, str, str, int]
"""Where, why, what next, and when that is (ms, 0 when no instant is known)."""


def _situation(found: Found, zone: tzinfo) -> Situation:
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
    return f"finished: {job.final_type}", why, _AFTER.get(ending, "nothing"), 0


def _in_flight(job: JobRecord) -> Situation:
    following = "its answer ends the attempt; if the worker dies, another takes it up within about 30 seconds"
    match job.sent:
        case "sending":
            return "being sent", "the request to Factus is under way, its answer is not in yet", following, 0
        case "unknown":
            why = "an earlier sending has an unknown outcome"
            return "being looked up", why, "sent again only if Factus does not have it", 0
        case "deleting":
            return "being removed", "DIAN rejected it", "ends as rejected when it is gone at Factus", 0
        case _:
            return "being worked on", "it is its turn", following, 0


def _waiting(found: Found, zone: tzinfo) -> Situation:
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


def _obstacle(found: Found, zone: tzinfo) -> tuple[str, str, int]:
    lane, account = found.lane, found.account
    if account.hold:
        return f"account {account.name} is on hold: {reason_words(account.hold)}", *_after_hold(account.hold, zone)
    if lane and lane.hold:
        return f"its lane is on hold: {reason_words(lane.hold)}", *_after_hold(lane.hold, zone)
    if account.free_at_ms > found.now_ms:
        why = f"the allowance is used up: {account.n_used} of {account.limit} calls in {account.window_s:g} s"
        return why, f"the next call may go at {clock(account.free_at_ms, zone)}", account.free_at_ms
    if lane and lane.n_in_flight:
        return "documents of a family are issued one at a time", _turn(found), 0
    return "nothing stands in its way", _turn(found), lane.next_look_ms if lane else 0


def _after_hold(hold: Hold, zone: tzinfo) -> tuple[str, int]:
    mend = "; somebody must mend that with Factus" if hold.reason in NEEDS_A_PERSON else ""
    return f"tried again at {clock(hold.until_ms, zone)}{mend}", hold.until_ms


def _turn(found: Found) -> str:
    return f"starts after the {found.rank} before it" if found.rank else "starts next"


def _place(found: Found) -> str:
    if found.lane is None or found.rank is None:
        return "waits"
    return f"waits in lane {found.lane.name}, number {found.rank + 1} of {found.lane.n_waiting}"


def _last_reason(job: JobRecord) -> str:
    if not job.last_error:
        return "an attempt did not succeed"
    error = strict_json.parse(job.last_error)
    return f"the last attempt ended with {error.get('code')}: {error.get('message')}"


def reason_words(hold: Hold) -> str:
    """The reason of a hold in words."""
    return _REASONS.get(hold.reason, hold.reason or "no reason is noted")


def problems(seen: Overview) -> list[str]:
    """What a person should look at; empty when all is well."""
    found: list[str] = []
    n_open = sum(lane.n_waiting + lane.n_in_flight for lane in seen.lanes) + sum(one.n_pushed for one in seen.intakes)
    if n_open and not seen.workers:
        found.append(f"no worker is running and {n_open} jobs wait: start one with factus-worker run")
    found += [
        f"account {account.name}: {reason_words(account.hold)}"
        for account in seen.accounts
        if account.hold and account.hold.reason in NEEDS_A_PERSON
    ]
    served = {name for worker in seen.workers for name in worker.accounts}
    found += [
        f"lane {lane.name}: no running worker has the credentials of account {lane.account}"
        for lane in seen.lanes
        if seen.workers and lane.n_waiting and lane.account not in served
    ]
    found += [words for group in seen.groups if (words := _group_problem(group))]
    if seen.n_dead:
        found.append(f"{seen.n_dead} dead letters, jobs that were refused or have failed: factus-worker dead list")
    return found


def _group_problem(group: GroupSeen) -> str:
    place = f"consumer group {group.name} of {group.stream}"
    if group.has_lost:
        lost = "entries" if group.n_trimmed is None else f"{group.n_trimmed:,} entries"
        return f"{place}: {lost} were trimmed that it had not read, {group.n_unread:,} more wait for it"
    if group.is_lagging:
        return (
            f"{place}: {group.n_unread:,} entries wait for it; at {group.maxlen:,} (FACTUS_RESULTS_MAXLEN) the oldest "
            "are trimmed, read or not"
        )
    return ""


def clock(at_ms: int, zone: tzinfo) -> str:
    """An instant for a person."""
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%Y-%m-%d %H:%M:%S %z}" if at_ms else "-"


def span(seconds: float) -> str:
    """A duration for a person, in the two largest units: ``45 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 d 4 h``."""
    whole = round(seconds)
    for unit_s, unit, small_s, small in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit_s:
            rest = whole % unit_s // small_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def _iso(at_ms: int, zone: tzinfo) -> str | None:
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="milliseconds") if at_ms else None
