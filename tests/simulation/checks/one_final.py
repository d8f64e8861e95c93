"""One final event for each job, each event once, and numbers of events without a gap."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.simulation.history import Evidence, Finals, Jobs, Verdict


def judge_finals(jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    for job_id, (push, _) in jobs.items():
        n_finals = len(finals.get(job_id, ()))
        if n_finals == 1:
            continue
        column = "calls ended amiss" if push.what == "call" else "two finals" if n_finals else "lost"
        verdict.blame(column, f"{job_id} ({push.type}) has {n_finals} final events", job_id)
    for job_id in finals.keys() - jobs.keys():
        verdict.blame("uncalled for", f"an event for {job_id}, which should have none", job_id)


def judge_sequences(evidence: Evidence, verdict: Verdict) -> None:
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
