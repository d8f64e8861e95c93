"""
The comparison at the end: what was pushed, what Factus stored, what the streams say. Knows nothing of how it ran.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.simulation.bodies import AT_FACTUS
from tests.simulation.checker_beyond import judge_calls, judge_files, judge_radian
from tests.simulation.history import Evidence, Finals, Jobs, Verdict, codes_of, expected_jobs, is_final, kind_of
from tests.simulation.workload import Push


def judge(evidence: Evidence) -> Verdict:
    """Compare, and say everything that does not fit."""
    verdict = Verdict()
    jobs = expected_jobs(evidence.pushes)
    finals: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in evidence.events:
        if is_final(event):
            finals[event["job_id"]].append(event)
    _count(evidence, jobs, finals, verdict)
    _one_final_each(jobs, finals, verdict)
    _sequences(evidence, verdict)
    _outcomes(evidence, jobs, finals, verdict)
    _documents(evidence, jobs, finals, verdict)
    _order(evidence, verdict)
    _report(evidence, verdict)
    judge_files(evidence, jobs, finals, verdict)
    judge_radian(evidence, jobs, finals, verdict)
    judge_calls(evidence, jobs, finals, verdict)
    return verdict


def _count(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    counts = verdict.counts
    counts["pushed"], counts["jobs"] = len(evidence.pushes), len(jobs)
    for job_id, events in finals.items():
        kind = kind_of(events[0])
        counts[kind] += 1
        if kind == "validated" and not events[0]["attempts"]:
            counts["joined or replayed"] += 1
        if job_id in jobs and jobs[job_id][0].issues:
            counts[f"{jobs[job_id][0].family} {kind}"] += 1
    counts["archived"] = sum(kind_of(event) == "archived" for event in evidence.events)
    counts["RADIAN events"] = len(evidence.radian)


def _one_final_each(jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    for job_id, (push, _) in jobs.items():
        n_finals = len(finals.get(job_id, ()))
        if n_finals == 1:
            continue
        column = "calls ended amiss" if push.what == "call" else "two finals" if n_finals else "lost"
        verdict.blame(column, f"{job_id} ({push.type}) has {n_finals} final events", job_id)
    for job_id in finals.keys() - jobs.keys():
        verdict.blame("uncalled for", f"an event for {job_id}, which should have none", job_id)


def _sequences(evidence: Evidence, verdict: Verdict) -> None:
    """Each event once; the numbers of a job's, over both streams, are 1, 2, 3 ... and grow within each stream."""
    ids = Counter(event["id"] for event in (*evidence.events, *evidence.radian))
    for event_id, count in ids.items():
        if count > 1:
            verdict.blame("two finals", f"the event {event_id} was published {count} times", event_id)
    by_job: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    for events in (evidence.events, evidence.radian):
        in_stream: dict[tuple[str | None, str], list[int]] = defaultdict(list)
        for event in events:
            if event["job_id"] is not None:
                in_stream[event["account"], event["job_id"]].append(event["seq"])
        for key, seqs in in_stream.items():
            by_job[key] += seqs
            if seqs != sorted(seqs):
                verdict.blame("gaps in seq", f"{key[1]}: in the order {seqs}", key[1])
    for (_, job_id), seqs in by_job.items():
        if sorted(seqs) != list(range(1, len(seqs) + 1)):
            verdict.blame("gaps in seq", f"{job_id}: seq {seqs}", job_id)


def _outcomes(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
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


def _documents(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    told = {
        jobs[job_id][0].document
        for job_id, events in finals.items()
        if job_id in jobs and kind_of(events[0]) == "validated"
    }
    for (account, family), documents in evidence.documents.items():
        for document in documents:
            reference = document["reference_code"]
            if document["is_foreign"] or (account, family, reference) in evidence.stocked:
                continue
            where = f"{account}/{family}"
            if document["state"] != "validated":
                # Rule 90 is a person's to clear up, and out of time is out of time.
                if not evidence.has_deadline and "90" not in document["errors"]:
                    verdict.blame("left behind", f"{where}: {document}", reference)
            elif (account, family, reference) not in told:
                verdict.blame("silent", f"{where}: {reference} is validated at Factus and nobody was told", reference)


def _order(evidence: Evidence, verdict: Verdict) -> None:
    """What was pushed in calm weather, of one lane and priority, has its numbers in that order."""
    lanes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for push in evidence.pushes:
        if push.what == "in order":
            lanes[push.account, push.family].append(push.reference)
    for lane, wanted in lanes.items():
        listed = [document["reference_code"] for document in evidence.documents.get(lane, ())]
        found = [reference for reference in listed if reference in wanted]
        if found != [reference for reference in wanted if reference in found]:
            verdict.blame("out of order", f"{lane}: pushed {wanted}, numbered {found}", wanted[0])


def _report(evidence: Evidence, verdict: Verdict) -> None:
    n_requests = n_validated = 0
    foreign = {
        document["reference_code"]
        for documents in evidence.documents.values()
        for document in documents
        if document["is_foreign"]
    }
    ours = {name: family for family, name in AT_FACTUS.items()}
    for account, found in evidence.report["accounts"].items():
        n_requests += sum(found["requests"].values())
        for name, facts in found["families"].items():
            n_validated += facts["validated"]
            where = f"{account}/{ours[name]}"
            for reference in facts["duplicates"]["references"]:
                verdict.blame("duplicated at Factus", f"{where}: {reference} validated twice", reference)
            for references in facts["duplicates"]["same_content"]:
                if not foreign.issuperset(references):
                    verdict.blame("duplicated at Factus", f"{where}: the same content under {references}")
            for reference in facts["forbidden_deletes"]:
                verdict.blame("forbidden deletes", f"{where}: {reference}", reference)
        if found["limit"] and found["max_in_fixed_window"] > found["limit"]:
            verdict.blame("unplanned 429", f"{account}: {found['max_in_fixed_window']} requests in one window")
        verdict.counts["429"] += found["rate_limited"]
    verdict.counts["requests"] = n_requests
    verdict.counts["documents"] = n_validated - len(evidence.stocked)


_EMPTY_AT_THE_END = (
    ":waiting",
    ":later",
    ":flight",
    ":joined",
    ":lanes",
    ":lanes:due",
    ":deadlines",
    ":arq:queue",
    ":lock",
)


def leftover_keys(keys: Iterable[str], namespace: str) -> list[str]:
    """Keys that must be gone when all is done: lanes, deadlines, joined jobs, arq's books."""
    return [
        f"{key} still exists"
        for key in keys
        if (key.startswith(f"{namespace}:") and key.endswith(_EMPTY_AT_THE_END))
        # arq's count of tries of a killed worker's run ends by itself, after a day.
        or (key.startswith("arq:") and f":{namespace}:" in key and not key.startswith("arq:retry:"))
    ]


def numbers_told(events: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By job id: the number of the document that was told as validated."""
    return {event["job_id"]: event["data"]["number"] for event in events if kind_of(event) == "validated"}
