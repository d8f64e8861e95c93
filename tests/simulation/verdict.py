"""
The comparison at the end: what was pushed, what Factus stored, what the streams say. Knows nothing of how it ran.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.cargo import Push

FORBIDDEN = (
    "lost",
    "two finals",
    "uncalled for",
    "duplicated at Factus",
    "wrong totals",
    "silent",
    "wrong outcome",
    "forbidden deletes",
    "left behind",
    "gaps in seq",
    "unplanned 429",
    "left in Redis",
    "defects",
)
"""The columns that must be zero."""

_FINAL_KINDS = ("validated", "rejected", "failed")
_REFUSALS_OF_BAD = {"envelope.invalid", "payload.invalid", "account.unknown"}


@dataclass(frozen=True)
class Violation:
    """One broken promise, and the job or document it is about."""

    column: str
    text: str
    subject: str = ""


@dataclass
class Evidence:
    """
    Everything the verdict goes by.

    ``documents``: by account, as the sandbox lists them; ``events``: in the order of the stream. ``may_fail`` are the
    error codes with which a job may end as failed under this plan.
    """

    pushes: Sequence[Push]
    events: Sequence[dict[str, Any]]
    documents: Mapping[str, Sequence[dict[str, Any]]]
    report: dict[str, Any]
    may_fail: frozenset[str]
    has_deadline: bool = False
    """Jobs may run out of time: then documents may stay behind that wait for DIAN."""


@dataclass
class Verdict:
    """The table, and what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def blame(self, column: str, text: str, subject: str = "") -> None:
        self.violations.append(Violation(column, text, subject))

    @property
    def forbidden(self) -> dict[str, int]:
        found = Counter(violation.column for violation in self.violations)
        return {column: found[column] for column in FORBIDDEN}


def is_final(event: Mapping[str, Any]) -> bool:
    return event["job_id"] is not None and (
        event["type"] == "job.refused" or event["type"].partition(".")[2] in _FINAL_KINDS
    )


def expected_jobs(pushes: Iterable[Push]) -> dict[str, tuple[Push, frozenset[str]]]:
    """By the id under which its one final event must come: the push, and the codes it must be refused with (if so)."""
    owners: dict[tuple[str, str], Push] = {}
    found: dict[str, tuple[Push, frozenset[str]]] = {}
    for push in pushes:
        bad = frozenset(_REFUSALS_OF_BAD) if push.is_bad else frozenset()
        if not push.id:
            found[push.entry] = (push, bad)
            continue
        owner = owners.setdefault((push.account, push.id), push)
        if owner is push:
            found[push.id] = (push, bad)
        elif owner.content != push.content:
            found[push.entry] = (push, frozenset({"id.conflict"}))
    return found


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
    _sequences(evidence.events, verdict)
    _outcomes(evidence, jobs, finals, verdict)
    _documents(evidence, jobs, finals, verdict)
    _report(evidence, verdict)
    return verdict


def _count(evidence: Evidence, jobs: Mapping[str, Any], finals: Mapping[str, Any], verdict: Verdict) -> None:
    counts = verdict.counts
    counts["pushed"], counts["jobs"] = len(evidence.pushes), len(jobs)
    for events in finals.values():
        kind = events[0]["type"].partition(".")[2]
        counts[kind] += 1
        if kind == "validated" and not events[0]["attempts"]:
            counts["joined or replayed"] += 1


def _one_final_each(jobs: Mapping[str, Any], finals: Mapping[str, list[dict[str, Any]]], verdict: Verdict) -> None:
    for job_id in jobs:
        n_finals = len(finals.get(job_id, ()))
        if n_finals == 0:
            verdict.blame("lost", f"{job_id} has no final event", job_id)
        elif n_finals > 1:
            verdict.blame("two finals", f"{job_id} has {n_finals} final events", job_id)
    for job_id in finals.keys() - jobs.keys():
        verdict.blame("uncalled for", f"an event for {job_id}, which should have none", job_id)


def _sequences(events: Sequence[dict[str, Any]], verdict: Verdict) -> None:
    ids = Counter(event["id"] for event in events)
    for event_id, count in ids.items():
        if count > 1:
            verdict.blame("two finals", f"the event {event_id} was published {count} times", event_id)
    seqs: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    for event in events:
        if event["job_id"] is not None:
            seqs[event["account"], event["job_id"]].append(event["seq"])
    for (_, job_id), found in seqs.items():
        if found != list(range(1, len(found) + 1)):
            verdict.blame("gaps in seq", f"{job_id}: seq {found}", job_id)


def _outcomes(
    evidence: Evidence,
    jobs: Mapping[str, tuple[Push, frozenset[str]]],
    finals: Mapping[str, list[dict[str, Any]]],
    verdict: Verdict,
) -> None:
    shelf = {
        (account, document["reference_code"]): document
        for account, documents in evidence.documents.items()
        for document in documents
    }
    rivals: dict[tuple[str, str], list[Push]] = defaultdict(list)
    for push in evidence.pushes:
        if push.reference and not push.is_bad:
            rivals[push.account, push.reference].append(push)
    for job_id, (push, must) in jobs.items():
        for event in finals.get(job_id, ())[:1]:
            codes = {error["code"] for error in event["errors"] or ()}
            kind = event["type"].partition(".")[2]
            if must:
                if kind != "refused" or not codes <= must:
                    verdict.blame("wrong outcome", f"{job_id} ({push.what}): {event['type']} {codes}", job_id)
                continue
            stored = shelf.get((push.account, push.reference))
            _outcome(evidence, push, event, kind, codes, stored, rivals[push.account, push.reference], verdict)


def _outcome(
    evidence: Evidence,
    push: Push,
    event: dict[str, Any],
    kind: str,
    codes: set[str],
    stored: dict[str, Any] | None,
    rivals: list[Push],
    verdict: Verdict,
) -> None:
    job_id = push.job_id
    has_rivals = len({rival.fingerprint for rival in rivals}) > 1
    match kind:
        case "validated":
            _validated(push, event, stored, verdict)
        case "refused":
            if codes != {"reference.conflict"} or not has_rivals:
                verdict.blame("wrong outcome", f"{job_id} ({push.what}) refused with {codes}", job_id)
        case "rejected":
            if not codes <= {"dian.rejected", "factus.validation"}:
                verdict.blame("wrong outcome", f"{job_id} rejected with {codes}", job_id)
        case "failed":
            # A job that joined another's document shares its fate.
            allowed = evidence.may_fail | ({"job.expired"} if any(rival.has_expiry for rival in rivals) else set())
            allowed |= {"date.missed"} if any(rival.issue_on for rival in rivals) else set()
            allowed |= {"reference.conflict"} if has_rivals or (stored and stored["is_foreign"]) else set()
            if not codes <= allowed:
                verdict.blame("wrong outcome", f"{job_id} ({push.what}) failed with {codes}", job_id)


def _validated(push: Push, event: dict[str, Any], stored: dict[str, Any] | None, verdict: Verdict) -> None:
    job_id, data = push.job_id, event["data"]
    if stored is None or stored["state"] != "validated":
        verdict.blame("silent", f"{job_id} is told as validated, Factus has {stored}", job_id)
        return
    told, asked = (data["number"], data["total"], data["reference_code"]), (push.total, push.party)
    if told != (stored["number"], stored["total"], stored["reference_code"]):
        verdict.blame("wrong totals", f"{job_id}: told {told}, Factus has {stored}", job_id)
    if asked != (stored["total"], stored["customer"]) or push.reference != stored["reference_code"]:
        verdict.blame("wrong totals", f"{job_id}: asked {asked}, Factus has {stored}", job_id)
    if push.issue_on and push.issue_on not in stored.get("days", [push.issue_on]):
        verdict.blame("wrong totals", f"{job_id}: asked for {push.issue_on}, dated {stored['days']}", job_id)


def _documents(
    evidence: Evidence,
    jobs: Mapping[str, tuple[Push, frozenset[str]]],
    finals: Mapping[str, list[dict[str, Any]]],
    verdict: Verdict,
) -> None:
    told: Counter[tuple[str, str]] = Counter()
    issued: Counter[tuple[str, str]] = Counter()
    for job_id, events in finals.items():
        if job_id in jobs and events[0]["type"].endswith(".validated"):
            key = jobs[job_id][0].account, jobs[job_id][0].reference
            told[key] += 1
            issued[key] += not (events[0]["data"]["replayed"])
    for account, documents in evidence.documents.items():
        for document in documents:
            reference = document["reference_code"]
            if document["is_foreign"]:
                continue
            if document["state"] != "validated":
                # Rule 90 is a person's to clear up, and out of time is out of time.
                if not evidence.has_deadline and "90" not in document["errors"]:
                    verdict.blame("left behind", f"{account}: {document}", reference)
            elif not told[account, reference]:
                verdict.blame("silent", f"{account}: {reference} is validated at Factus and nobody was told", reference)


def _report(evidence: Evidence, verdict: Verdict) -> None:
    n_requests = n_validated = 0
    foreign = {
        document["reference_code"]
        for documents in evidence.documents.values()
        for document in documents
        if document["is_foreign"]
    }
    for account, found in evidence.report["accounts"].items():
        n_requests += sum(found["requests"].values())
        for family, facts in found["families"].items():
            n_validated += facts["validated"]
            for reference in facts["duplicates"]["references"]:
                verdict.blame("duplicated at Factus", f"{account}/{family}: {reference} validated twice", reference)
            for references in facts["duplicates"]["same_content"]:
                if foreign.issuperset(references):
                    continue
                verdict.blame("duplicated at Factus", f"{account}/{family}: the same content under {references}")
            for reference in facts["forbidden_deletes"]:
                verdict.blame("forbidden deletes", f"{account}/{family}: {reference}", reference)
        if found["limit"] and found["max_in_fixed_window"] > found["limit"]:
            verdict.blame("unplanned 429", f"{account}: {found['max_in_fixed_window']} requests in one window")
        verdict.counts["429"] += found["rate_limited"]
    verdict.counts["requests"], verdict.counts["documents"] = n_requests, n_validated


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
