"""
RADIAN: each event of a watched bill told once, by one job, and nobody else's; and what its clock says: none early, none
twice, none silent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any, Final

from tests.simulation.history import Evidence, Finals, Jobs, Verdict, kind_of

_LAST_WORDS: Final = {"031": "radian.claimed", "033": "radian.accepted", "034": "radian.accepted"}


def judge_radian(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    """What was told of each bill that somebody tracks is what Factus has, all by one job that asked."""
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
        rows = [event for event in found if event["type"] == "radian.event"]
        wanted = evidence.radian_at_factus.get((account, number), ())
        if sorted(event["data"]["cude"] for event in rows) != sorted(wanted):
            text = f"{job_ids}: told {[event['data']['event_code'] for event in rows]}, {len(wanted)} are at Factus"
            verdict.blame("RADIAN amiss", text, job_ids[0])
        if len(tellers) > 1 or any(event["data"]["number"] != number for event in found):
            verdict.blame("RADIAN amiss", f"{tellers}: two watches, or an event of another bill", job_ids[0])
        if tellers:
            push, final = jobs[tellers[0]][0], finals[tellers[0]][0]
            first = final["seq"] + 1 + bool(push.archives)
            if [event["seq"] for event in found] != list(range(first, first + len(found))):
                text = f"{tellers[0]}: RADIAN {[event['seq'] for event in found]} from {first}"
                verdict.blame("gaps in seq", text, tellers[0])
            by_factus = account in evidence.emitting
            for fault in clock_faults(found, _files_of(evidence, account, number), by_factus=by_factus):
                verdict.blame("RADIAN amiss", f"{tellers[0]} ({number}): {fault}", tellers[0])
            verdict.counts.update(event["type"] for event in found if event["type"] != "radian.event")
            verdict.counts["tacit acceptances"] += sum(event["data"].get("kind") == "tacit" for event in found)
    for job_id in told:
        verdict.blame("RADIAN amiss", f"{job_id} has RADIAN events, and should have none", job_id)


def clock_faults(found: list[dict[str, Any]], evidence_files: int, *, by_factus: bool = False) -> list[str]:
    """
    What is wrong with what the clock of one bill has told, once its last word was told.

    Args:
        found: In the order of their numbers.
        evidence_files: How many files the archive has of its acceptance.
        by_factus: Factus may declare 034 itself, whenever it thinks that it is time.
    """
    types = Counter(event["type"] for event in found)
    codes = Counter(event["data"]["event_code"] for event in found if event["type"] == "radian.event")
    faults = [f"{type_} {n} times" for type_, n in types.items() if n > 1 and type_ != "radian.event"]
    if codes["034"] > 1:
        faults.append(f"034 {codes['034']} times at Factus")
    if types["radian.clock"] != bool(codes["032"]):
        faults.append(f"the receipt was seen {codes['032']} times, the clock told {types['radian.clock']} times")
    last_words = {_LAST_WORDS[code] for code in codes if code in _LAST_WORDS}
    if last_words and not last_words & types.keys():
        faults.append(f"{last_words} is silent")
    if types["radian.accepted"] != evidence_files:
        faults.append(f"{types['radian.accepted']} acceptances with {evidence_files} files of evidence")
    due = next((event for event in found if event["type"] == "radian.due"), None)
    if due and due["data"].get("emits") and not last_words and not types["radian.unconfirmed"]:
        faults.append("due, to be accepted by the service, and silent")
    faults += [] if by_factus else _early(found)
    if due and _at(due["time"]) < _at(due["data"]["accepts_from"]):
        faults.append(f"due at {due['time']}, before {due['data']['accepts_from']}")
    if due and types["radian.clock"] and found.index(due) < [event["type"] for event in found].index("radian.clock"):
        faults.append("due before the clock began")
    return faults


def _early(found: list[dict[str, Any]]) -> list[str]:
    """Nobody but the service declares 034 here: one of before its day is the service's fault."""
    clock = next((event for event in found if event["type"] == "radian.clock"), None)
    accepted = [event["data"] for event in found if event["data"].get("event_code") == "034"]
    if clock is None:
        return ["034 without a receipt" for _ in accepted]
    starts_at = clock["data"]["accepts_from"]
    return [
        f"034 at {row['occurred_at']}, before {starts_at}"
        for row in accepted
        if _at(row["occurred_at"]) < _at(starts_at)
    ]


def _files_of(evidence: Evidence, account: str, number: str) -> int:
    return sum(f"/{account}/" in uri and uri.endswith(f"/{number}-radian.json") for uri in evidence.files)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
