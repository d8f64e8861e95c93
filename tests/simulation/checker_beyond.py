"""The comparison, beyond issuing: archived files, RADIAN events, and jobs that issue nothing."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.simulation.bodies import AT_FACTUS
from tests.simulation.calls import ALWAYS_COMPLETED, MAY_BE_UNSURE
from tests.simulation.history import Evidence, Finals, Jobs, Verdict, codes_of, kind_of
from tests.simulation.workload import Push

ONCE = {
    **{f"{family}.email": f"{name}.email" for family, name in AT_FACTUS.items()},
    "invoice.accept": "bills.accept",
    "reception.emit_event": "receptions.emit",
    "numbering_range.set_status": "numbering-ranges.toggle",
}
"""Job types of which one job may reach Factus's books once, and what the report calls them."""

_OF_DELETES = frozenset({"factus.not_found", "factus.conflict"})


# -- files -------------------------------------------------------------------------------------------------------------
def judge_files(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    """One ``X.archived`` for each job that asked and whose document is valid; and every file is the one at Factus."""
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in evidence.events:
        if kind_of(event) == "archived":
            told[event["job_id"]].append(event)
    for job_id, (push, must) in jobs.items():
        final = next(iter(finals.get(job_id, ())), None)
        if final is None or must:
            continue
        if push.issues:
            is_due = bool(push.archives) and kind_of(final) == "validated"
            events = told.pop(job_id, [])
            if len(events) != is_due:
                verdict.blame("archived amiss", f"{job_id}: {len(events)} of {int(is_due)} archived events", job_id)
            for event in events:
                _archived(evidence, push, event, final["data"]["number"], verdict)
        elif push.archives and kind_of(final) == "completed":
            _files(evidence, push, final["data"], final["data"]["number"], verdict)
    for job_id in told:
        verdict.blame("archived amiss", f"{job_id} has an archived event, and should have none", job_id)


def _archived(evidence: Evidence, push: Push, event: dict[str, Any], number: str, verdict: Verdict) -> None:
    if event["success"]:
        _files(evidence, push, event["data"], number, verdict)
    elif not evidence.has_deadline:
        verdict.blame("archived amiss", f"{push.job_id}: not archived, {codes_of(event)}", push.job_id)


def _files(evidence: Evidence, push: Push, data: Mapping[str, Any], number: str, verdict: Verdict) -> None:
    job_id, documents = push.job_id, data["documents"]
    kinds = [row["kind"] for row in documents]
    if data["number"] != number or sorted(kinds) != sorted(push.archives):
        verdict.blame("archived amiss", f"{job_id}: {kinds} of {data['number']}, asked {set(push.archives)}", job_id)
    for row in documents:
        held = evidence.files.get(row["uri"])
        if held is None:
            verdict.blame("files differ", f"{job_id}: {row['uri']} is not in the archive", job_id)
            continue
        if (row["sha256"], row["bytes"]) != (hashlib.sha256(held).hexdigest(), len(held)):
            verdict.blame("files differ", f"{job_id}: {row['uri']} is not what was told", job_id)
        if held != evidence.served(push.account, push.family, number, row["kind"]):
            verdict.blame("files differ", f"{job_id}: {row['uri']} is not what Factus serves", job_id)
        verdict.counts["files"] += 1


# -- RADIAN ------------------------------------------------------------------------------------------------------------
def judge_radian(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    """Each event of a bill that somebody tracks is told once, all by one job that asked; nobody else tells any."""
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in evidence.radian:
        told[event["job_id"]].append(event)
    askers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for job_id, (push, must) in jobs.items():
        final = next(iter(finals.get(job_id, ())), None)
        if not must and push.tracks and final is not None and kind_of(final) == "validated":
            askers[push.account, final["data"]["number"]].append(job_id)
    for (account, number), job_ids in askers.items():
        tellers = [job_id for job_id in job_ids if job_id in told]
        found = [event for job_id in tellers for event in told.pop(job_id)]
        wanted = evidence.radian_at_factus.get((account, number), ())
        if sorted(event["data"]["cude"] for event in found) != sorted(wanted):
            text = f"{job_ids}: told {[event['data']['event_code'] for event in found]}, {len(wanted)} are at Factus"
            verdict.blame("RADIAN amiss", text, job_ids[0])
        if len(tellers) > 1 or any(event["data"]["number"] != number for event in found):
            verdict.blame("RADIAN amiss", f"{tellers}: two watches, or an event of another bill", job_ids[0])
        if tellers:
            push, final = jobs[tellers[0]][0], finals[tellers[0]][0]
            first = final["seq"] + 1 + bool(push.archives)
            if [event["seq"] for event in found] != list(range(first, first + len(found))):
                text = f"{tellers[0]}: RADIAN {[event['seq'] for event in found]} from {first}"
                verdict.blame("gaps in seq", text, tellers[0])
    for job_id in told:
        verdict.blame("RADIAN amiss", f"{job_id} has RADIAN events, and should have none", job_id)


# -- calls -------------------------------------------------------------------------------------------------------------
def judge_calls(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    """How the jobs ended that issue nothing, and whether what they changed was changed once."""
    calls = {job_id: push for job_id, (push, must) in jobs.items() if push.what == "call" and not must}
    for job_id, push in calls.items():
        verdict.counts["calls"] += 1
        for event in finals.get(job_id, ())[:1]:
            verdict.counts[f"call {kind_of(event)}"] += 1
            _call_outcome(evidence, push, event, verdict)
    _done_once(evidence, list(calls.values()), finals, verdict)


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
    if push.reference and verb == "get":
        allowed.add("factus.not_found")
    if not codes <= allowed:
        word = "always ends well" if verb in ALWAYS_COMPLETED else "failed"
        verdict.blame("wrong outcome", f"{push.job_id} ({push.type}) {word}: {event['errors']}", push.job_id)


def _done_once(evidence: Evidence, calls: Sequence[Push], finals: Finals, verdict: Verdict) -> None:
    n_jobs: Counter[tuple[str, str]] = Counter()
    for push in calls:
        operation = ONCE.get(push.type)
        if operation is None:
            continue
        n_jobs[push.account, operation] += 1
        done = _account(evidence, push.account).get("changes", {}).get(operation, {}).get(push.target, 0)
        final = next(iter(finals.get(push.job_id, ())), None)
        if done > 1:
            verdict.blame("done twice", f"{push.job_id} ({push.type}): {push.target}, {done} times", push.job_id)
        if final is not None and kind_of(final) == "completed" and not done:
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


def _account(evidence: Evidence, account: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = evidence.report["accounts"].get(account, {})
    return found
