"""Each end of a job is one that was to come, and tells what Factus has."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.simulation.history import Evidence, Finals, Jobs, Verdict, codes_of, kind_of
from tests.simulation.workload import Push


def judge_outcomes(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    shelf = {
        (account, family, document["reference_code"]): document
        for (account, family), documents in evidence.documents.items()
        for document in documents
    }
    rivals: dict[tuple[str, str, str], list[Push]] = defaultdict(list)
    for push in evidence.pushes:
        if push.issues:
            rivals[push.document].append(push)
    for job_id, (push, must) in jobs.items():
        for event in finals.get(job_id, ())[:1]:
            codes, kind = codes_of(event), kind_of(event)
            if must:
                if kind != "refused" or not codes <= must:
                    verdict.blame("wrong outcome", f"{job_id} ({push.what}): {event['type']} {codes}", job_id)
            elif push.issues:
                _outcome(evidence, push, event, shelf.get(push.document), rivals[push.document], verdict)


def _outcome(
    evidence: Evidence,
    push: Push,
    event: dict[str, Any],
    stored: dict[str, Any] | None,
    rivals: list[Push],
    verdict: Verdict,
) -> None:
    job_id, codes, kind = push.job_id, codes_of(event), kind_of(event)
    has_rivals = len({rival.fingerprint for rival in rivals}) > 1
    match kind:
        case "validated":
            _validated(push, event, stored, verdict)
        case "refused":
            if codes != {"reference.conflict"} or not has_rivals:
                verdict.blame("wrong outcome", f"{job_id} ({push.what}) refused with {codes}", job_id)
        case "rejected":
            if not codes <= {"dian.rejected"}:
                verdict.blame("wrong outcome", f"{job_id} ({push.type}) rejected: {event['errors']}", job_id)
        case "failed":
            # A job that joined another's document shares its fate.
            allowed = evidence.may_fail | ({"job.expired"} if any(rival.has_expiry for rival in rivals) else set())
            allowed |= {"date.missed"} if any(rival.issue_on for rival in rivals) else set()
            allowed |= {"reference.conflict"} if has_rivals or (stored and stored["is_foreign"]) else set()
            if not codes <= allowed:
                verdict.blame("wrong outcome", f"{job_id} ({push.what}) failed with {codes}", job_id)
        case _:
            verdict.blame("wrong outcome", f"{job_id} ({push.type}) ended as {event['type']}", job_id)


def _validated(push: Push, event: dict[str, Any], stored: dict[str, Any] | None, verdict: Verdict) -> None:
    job_id, data = push.job_id, event["data"]
    if event["type"] != f"{push.family}.validated":
        verdict.blame("wrong outcome", f"{job_id} ({push.type}) ended as {event['type']}", job_id)
    if stored is None or stored["state"] != "validated":
        verdict.blame("silent", f"{job_id} is told as validated, Factus has {stored}", job_id)
        return
    # An elimination note has no total: nothing is told of it.
    has_total = bool(push.total)
    told = (data["number"], data["total"], data["reference_code"])
    if told != (stored["number"], stored["total"] if has_total else None, stored["reference_code"]):
        verdict.blame("wrong totals", f"{job_id}: told {told}, Factus has {stored}", job_id)
    asked = (push.total if has_total else stored["total"], push.party)
    if asked != (stored["total"], stored["customer"]) or push.reference != stored["reference_code"]:
        verdict.blame("wrong totals", f"{job_id}: asked {asked}, Factus has {stored}", job_id)
    if push.issue_on and push.issue_on not in stored.get("days", [push.issue_on]):
        verdict.blame("wrong totals", f"{job_id}: asked for {push.issue_on}, dated {stored['days']}", job_id)
