"""Archived files: told once to whoever asked, kept as they were told, and the same as at Factus."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.simulation.history import Evidence, Finals, Jobs, Verdict, codes_of, kind_of
from tests.simulation.workload import Push


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
