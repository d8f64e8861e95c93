"""One seed, played: what came of it, and everything needed to understand a failure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.history import Verdict
from tests.simulation.options import SimOptions
from tests.simulation.workload import Push


@dataclass
class Story:
    """One seed, played."""

    seed: int
    verdict: Verdict
    events: Sequence[dict[str, Any]]
    pushes: Sequence[Push]
    documents: Mapping[tuple[str, str], Sequence[dict[str, Any]]]
    records: Mapping[str, Mapping[str, str]]
    options: SimOptions
    course: Sequence[str]
    is_real: bool
    """Played in real time on a real server: repeated, it may take another course."""
    virtual_s: float = 0.0
    facts: Counter[str] = field(default_factory=Counter)

    def tell(self) -> str:
        """A failure in words: what was violated, and the history of the jobs concerned."""
        lines = [f"seed {self.seed}: {len(self.verdict.violations)} violations"]
        lines += [f"  {violation.column}: {violation.text}" for violation in self.verdict.violations]
        subjects = {violation.subject for violation in self.verdict.violations if violation.subject}
        for subject in sorted(subjects)[:6]:
            lines += self._history(subject)
        lines += ["  options:", *(f"    {line}" for line in self.options.tell())]
        lines += [f"  repeat with: {how_to_repeat(self)}"]
        return "\n".join(lines)

    def _history(self, subject: str) -> list[str]:
        pushes = [push for push in self.pushes if subject in (push.job_id, push.reference, push.entry)]
        names = {subject} | {push.reference for push in pushes if push.reference}
        ids = {push.job_id for push in self.pushes if push.reference in names} | {subject}
        lines = [f"  -- {subject}"]
        lines += [
            f"    pushed at {p.at_s:.2f} s: {p.what} {p.type} {p.account} {p.job_id} {p.reference} {p.target}"
            for p in self.pushes
            if p.job_id in ids
        ]
        for event in self.events:
            if event["job_id"] in ids:
                codes = [error["code"] for error in event["errors"] or ()]
                lines.append(f"    event {event['id']} {event['type']} attempts={event['attempts']} {codes}")
        for (account, family), found in self.documents.items():
            lines += [f"    Factus {account}/{family}: {row}" for row in found if row["reference_code"] in names]
        lines += [
            f"    ledger {key}: {record}"
            for key, record in self.records.items()
            if key.rpartition(":")[2].partition("~")[0] in ids
        ]
        lines += [f"    {line}" for line in self.course if any(name in line for name in ids | names)]
        return lines


def how_to_repeat(story: Story) -> str:
    """The command that plays this seed again."""
    real_time = ' ARGS="--real 1"' if story.is_real else ""
    return f"make simulate SEED={story.seed} SEEDS=1{real_time}"
