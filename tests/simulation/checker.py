"""
The comparison at the end: what was pushed, what Factus stored, what the streams say. Knows nothing of how it ran. Each
family of invariants has a file in ``checks``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from tests.simulation.checks.calls import judge_calls
from tests.simulation.checks.documents import judge_documents, judge_report
from tests.simulation.checks.files import judge_files
from tests.simulation.checks.one_final import judge_finals, judge_sequences
from tests.simulation.checks.order import judge_order
from tests.simulation.checks.outcomes import judge_outcomes
from tests.simulation.checks.radian import judge_radian
from tests.simulation.history import Evidence, Finals, Jobs, Verdict, expected_jobs, is_final, kind_of


def judge(evidence: Evidence) -> Verdict:
    """Compare, and say everything that does not fit."""
    verdict = Verdict()
    jobs = expected_jobs(evidence.pushes)
    finals: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in evidence.events:
        if is_final(event):
            finals[event["job_id"]].append(event)
    _count(evidence, jobs, finals, verdict)
    judge_finals(jobs, finals, verdict)
    judge_sequences(evidence, verdict)
    judge_outcomes(evidence, jobs, finals, verdict)
    judge_documents(evidence, jobs, finals, verdict)
    judge_order(evidence, verdict)
    judge_report(evidence, verdict)
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


def numbers_told(events: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By job id: the number of the document that was told as validated."""
    return {event["job_id"]: event["data"]["number"] for event in events if kind_of(event) == "validated"}
