"""
What a state means to a person: where a document is, why, what happens next and when, and what of all needs somebody.

Pure. English, like all commands; messages that came from Factus, DIAN or our rules stay in the Spanish they were given
in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from schemas import strict_json
from worker.cli.status.explain_follow_ups import Part, parts_of
from worker.cli.status.lookup import JobWithFollowUps
from worker.cli.status.reader import Overview
from worker.cli.status.state_words import AFTER, NEEDS_A_PERSON, reason_words, situation
from worker.cli.time_words import iso, span
from worker.queue.consumer_lag import GroupLag

_GOOD: Final = (".validated", ".completed")


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
    follows: tuple[Part, ...] = ()

    @property
    def needs_event(self) -> bool:
        """Whether the ledger does not say all: why it ended badly, or what a call was answered."""
        if self.outcome is None:
            return False
        return self.outcome.endswith(".completed") or (not self.outcome.endswith(_GOOD) and self.last_error is None)


def explain(followed: JobWithFollowUps, zone: tzinfo) -> Explanation:
    """Say what stands in the ledger."""
    found = followed.job
    job = found.job
    where, why, following, next_ms = situation(found, zone)
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
        next_at=iso(next_ms, zone),
        since=iso(job.final_at if is_final else job.accepted_at, zone),
        outcome=job.final_type or None,
        number=job.number or None,
        attempts=job.attempts,
        last_error=strict_json.parse(job.last_error) if job.last_error else None,
        position=found.rank + 1 if found.rank is not None else None,
        n_in_lane=found.lane.n_waiting if found.lane and found.rank is not None else None,
        tried_until=None if is_final else iso(job.deadline_at, zone),
        follows=parts_of(followed, zone),
    )


def explain_event(event: dict[str, Any]) -> Explanation:
    """Say what an event tells of a job: one that was refused at the door has no record, a call's has no answer."""
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
        next=AFTER.get(event["type"].rpartition(".")[2], "nothing"),
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


def problems(seen: Overview) -> list[str]:
    """What a person should look at; empty when all is well."""
    found = [*_server_problems(seen), *_intake_problems(seen)]
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


def _server_problems(seen: Overview) -> Iterator[str]:
    if seen.writes_refused is not None:
        yield f"Redis takes no writes: {seen.writes_refused}"
    for key in seen.damaged:
        yield f"the key {key} holds something else than the service keeps there: look at it (TYPE), and move it away"


_REMEMBERED_MS: Final = 7 * 86_400_000
"""How long ``status`` speaks of what was lost or removed: whoever comes back from a holiday shall still see it."""


def _intake_problems(seen: Overview) -> Iterator[str]:
    """What became of pushed jobs and of dead letters that nobody else would tell."""

    def is_fresh(at_ms: int) -> bool:
        return bool(at_ms) and seen.now_ms - at_ms < _REMEMBERED_MS

    for one in seen.intakes:
        if one.n_gone and is_fresh(one.gone_at_ms):
            ago = span((seen.now_ms - one.gone_at_ms) / 1000)
            yield (
                f"{one.stream}: {one.n_gone:,} entries were removed before they were read, noticed {ago} ago: no "
                "producer may trim it (MAXLEN) or take entries out; push again what has no event"
            )
        if one.last_id_ahead:
            yield (
                f"{one.stream}: its last id {one.last_id_ahead} lies in the future, so it takes no ids of today; it is "
                "made anew as soon as it is empty. Producers leave the id to Redis (XADD ... *)"
            )
        if is_fresh(one.renewed_at_ms):
            ago = span((seen.now_ms - one.renewed_at_ms) / 1000)
            yield f"{one.stream}: its last id lay in the future, and it was made anew {ago} ago; nothing was lost"
    if seen.n_letters_gone and is_fresh(seen.letters_gone_at_ms):
        yield f"{seen.n_letters_gone:,} dead letters went because there were too many: factus-worker dead list"
    served = {worker.accounts for worker in seen.workers}
    if len(served) > 1:
        yield "the running workers know different accounts: give all of them the same FACTUS_ACCOUNTS_FILE"
    for worker in seen.workers:
        if worker.failed:
            yield f"worker {worker.id}: failures in its loops since it started ({worker.failed}): see its log"


def _group_problem(group: GroupLag) -> str:
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
