"""Jobs that issue nothing: how they ended, and that what they changed was changed once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jobs.radian_policy import RADIAN
from tests.simulation.bodies import AT_FACTUS
from tests.simulation.calls import ALWAYS_COMPLETED, MAY_BE_UNSURE
from tests.simulation.history import Evidence, Finals, Jobs, Verdict, codes_of, kind_of
from tests.simulation.workload import Push

ACCEPT: Final = "bills.accept"
ONCE = {
    **{f"{family}.email": f"{name}.email" for family, name in AT_FACTUS.items()},
    "invoice.accept": ACCEPT,
    "reception.emit_event": "receptions.emit",
    "numbering_range.set_status": "numbering-ranges.toggle",
}
"""Job types of which one job may reach Factus's books once, and what the report calls them."""

LAST_WORDS_OF_BUYERS: Final = frozenset({"031", "033"})
_OF_ODD_ACCEPTANCES = frozenset({"factus.validation", "factus.conflict", "factus.unavailable"})
_OF_DELETES = frozenset({"factus.not_found", "factus.conflict"})


def judge_calls(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    """How the jobs ended that issue nothing, and whether what they changed was changed once."""
    calls = {job_id: push for job_id, (push, must) in jobs.items() if push.what == "call" and not must}
    for job_id, push in calls.items():
        verdict.counts["calls"] += 1
        for event in finals.get(job_id, ())[:1]:
            verdict.counts[f"call {kind_of(event)}"] += 1
            _call_outcome(evidence, push, event, verdict)
    accepting = Counter(push.account for push, must in jobs.values() if not must and push.accepts)
    _done_once(evidence, list(calls.values()), finals, verdict, accepting)


def _call_outcome(evidence: Evidence, push: Push, event: dict[str, Any], verdict: Verdict) -> None:
    verb, codes, kind = push.type.rpartition(".")[2], codes_of(event), kind_of(event)
    if event["type"] != f"{push.type}.{kind}" or kind not in ("completed", "failed"):
        verdict.blame("calls ended amiss", f"{push.job_id} ({push.type}): {event['type']}", push.job_id)
    if kind != "failed":
        return
    allowed = set(evidence.may_fail)
    if verb in MAY_BE_UNSURE:
        allowed.add("factus.unavailable")
    if verb == "delete":
        allowed |= _OF_DELETES
    if push.type == "invoice.accept" and push.account in evidence.emitting | evidence.refusing:
        allowed |= _OF_ODD_ACCEPTANCES
    if push.reference and verb == "get":
        allowed.add("factus.not_found")
    if not codes <= allowed:
        word = "always ends well" if verb in ALWAYS_COMPLETED else "failed"
        verdict.blame("wrong outcome", f"{push.job_id} ({push.type}) {word}: {event['errors']}", push.job_id)


def _done_once(
    evidence: Evidence, calls: Sequence[Push], finals: Finals, verdict: Verdict, accepting: Mapping[str, int]
) -> None:
    n_jobs = Counter({(account, ACCEPT): RADIAN.times.most_sends * n for account, n in accepting.items()})
    for push in calls:
        operation = ONCE.get(push.type)
        if operation is None:
            continue
        n_jobs[push.account, operation] += 1
        done = _account(evidence, push.account).get("changes", {}).get(operation, {}).get(push.target, 0)
        final = next(iter(finals.get(push.job_id, ())), None)
        if done > 1:
            verdict.blame("done twice", f"{push.job_id} ({push.type}): {push.target}, {done} times", push.job_id)
        if final is not None and kind_of(final) == "completed" and not _is_at_factus(evidence, push, done):
            verdict.blame("silent", f"{push.job_id} ({push.type}) is told as done, and was not", push.job_id)
        if push.type == "numbering_range.set_status":
            is_active = evidence.active_ranges.get((push.account, push.target))
            if final is not None and kind_of(final) == "completed" and is_active is not True:
                verdict.blame("silent", f"{push.job_id}: range {push.target} is active: {is_active}", push.job_id)
    for account in evidence.report["accounts"]:
        operations = _account(evidence, account).get("operations", {})
        for operation in set(ONCE.values()):
            # What Factus turned away for being there already is no change, but it was asked for twice.
            if operations.get(operation, 0) > n_jobs[account, operation]:
                text = f"{account}: {operations[operation]} times {operation} for {n_jobs[account, operation]} jobs"
                verdict.blame("done twice", text)
        changes = _account(evidence, account).get("changes", {})
        asked, taken = operations.get(ACCEPT, 0), sum(changes.get(ACCEPT, {}).values())
        # Elsewhere what Factus counts as a change is no measure: it registers what it refuses, or refuses what is good.
        in_vain = RADIAN.times.most_sends * _overtaken(evidence, account)
        if asked > taken + in_vain and account not in evidence.emitting | evidence.refusing:
            verdict.blame("done twice", f"{account}: 034 was declared {asked} times for {taken} acceptances")


def _is_at_factus(evidence: Evidence, push: Push, n_changes: int) -> bool:
    """
    Whether what a call wanted is so.

    A Factus that declares acceptances itself, or registers one and refuses it all the same, counts no change for it:
    there the job has seen the event, and so must we.
    """
    if push.type == "invoice.accept" and push.account in evidence.emitting | evidence.refusing:
        return bool(evidence.radian_at_factus.get((push.account, push.target.partition("/")[0])))
    return n_changes > 0


def _overtaken(evidence: Evidence, account: str) -> int:
    """Bills that were due to be accepted by the service when their buyer spoke after all: a 034 may have met that."""
    told: dict[str, set[str]] = {}
    for event in evidence.radian:
        if event["account"] == account:
            is_ours = event["type"] == "radian.due" and event["data"].get("emits")
            told.setdefault(event["job_id"], set()).add("due" if is_ours else str(event["data"].get("event_code")))
    return sum("due" in words and bool(words & LAST_WORDS_OF_BUYERS) for words in told.values())


def _account(evidence: Evidence, account: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = evidence.report["accounts"].get(account, {})
    return found
