"""Numbers follow the order of the pushes."""

from __future__ import annotations

from collections import defaultdict

from tests.simulation.history import Evidence, Verdict


def judge_order(evidence: Evidence, verdict: Verdict) -> None:
    """What was pushed in calm weather, of one lane and priority, has its numbers in that order."""
    if not evidence.one_at_a_time:
        return
    lanes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for push in evidence.pushes:
        if push.what == "in order":
            lanes[push.account, push.family].append(push.reference)
    for lane, wanted in lanes.items():
        listed = [document["reference_code"] for document in evidence.documents.get(lane, ())]
        found = [reference for reference in listed if reference in wanted]
        if found != [reference for reference in wanted if reference in found]:
            verdict.blame("out of order", f"{lane}: pushed {wanted}, numbered {found}", wanted[0])
