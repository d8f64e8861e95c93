"""RADIAN events: each of a watched bill told once, by one job, and nobody else's."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.simulation.history import Evidence, Finals, Jobs, Verdict, kind_of


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
