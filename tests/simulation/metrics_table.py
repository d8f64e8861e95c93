"""What a run of the full form came to, as a table; and who waited for whom, read from the workers' logs."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.simulation.bodies import AT_FACTUS
from tests.simulation.full_options import FullOptions
from tests.simulation.history import Verdict

_SLACK_S: Final = 0.05
"""Clocks of several processes, and the time between a log line and what it tells of."""

_LOW: Final = (".archive", ".track")


@dataclass(frozen=True)
class Waits:
    """
    Who waited for whom.

    Attributes:
        n_low: Turns of low calls: those that follow a document (archive, RADIAN).
        n_beside: Of these, begun while an invoice of the account waited for its first attempt.
        n_before: Of these, while no pause held that invoice back: it should have gone first.
        n_passed: Invoices beside whose waiting a low call began; of ``n_invoices``.
    """

    n_low: int = 0
    n_beside: int = 0
    n_before: int = 0
    n_passed: int = 0
    n_invoices: int = 0


Stretch = tuple[float, float]


def waits_in(logs: Iterable[Path]) -> Waits:
    """From the canonical lines of attempts."""
    low: list[tuple[str, float]] = []
    waiting: dict[str, list[Stretch]] = defaultdict(list)
    held: dict[str, list[Stretch]] = defaultdict(list)
    for line in _attempts(logs):
        account, is_invoice = line["account"], line["job_type"] == "invoice.issue"
        ended = datetime.fromisoformat(line["timestamp"]).timestamp()
        began = ended - line["duration_ms"] / 1000
        if line["job_type"].endswith(_LOW):
            low.append((account, began))
        if is_invoice and line["queue_wait_ms"] is not None:
            waiting[account].append((began - line["queue_wait_ms"] / 1000 + _SLACK_S, began - _SLACK_S))
        if line["outcome"] == "again" and (line["waits"] == "account" or (is_invoice and line["waits"] == "lane")):
            held[account].append((ended - _SLACK_S, ended + line["next_attempt_in_s"] + 2 * _SLACK_S))
    beside = [(account, at) for account, at in low if _is_within(at, waiting[account])]
    before = [(account, at) for account, at in beside if not _is_within(at, held[account])]
    passed = [
        stretch
        for account, stretches in waiting.items()
        for stretch in stretches
        if any(other == account and _is_within(at, [stretch]) for other, at in beside)
    ]
    return Waits(len(low), len(beside), len(before), len(passed), sum(map(len, waiting.values())))


def _attempts(logs: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in logs:
        for line in path.read_text(errors="replace").splitlines():
            if '"attempt.finished"' in line:
                yield json.loads(line)


def _is_within(at: float, stretches: Iterable[Stretch]) -> bool:
    return any(first < at < last for first, last in stretches)


@dataclass
class Figures:
    """What a run came to."""

    options: FullOptions
    folder: Path
    verdict: Verdict
    facts: Counter[str]
    takeovers_s: list[float]
    waits: Waits
    seconds: float

    @property
    def is_clean(self) -> bool:
        return not any(self.verdict.forbidden.values())

    def table(self) -> str:
        """The figures as a text to print."""
        counts, facts, waits = self.verdict.counts, self.facts, self.waits
        takeovers, lost = sorted(self.takeovers_s), facts["answers lost after commit"]
        rows: list[tuple[str, Any]] = [
            ("pushed", counts["pushed"]),
            ("jobs (repeated ids count once)", counts["jobs"]),
            ("validated", counts["validated"]),
            ("  of these joined or replayed", counts["joined or replayed"]),
            *((f"  {family}", counts[f"{family} validated"]) for family in AT_FACTUS),
            ("rejected", counts["rejected"]),
            ("failed", counts["failed"]),
            ("refused", counts["refused"]),
            ("calls completed / failed", f"{counts['call completed']} / {counts['call failed']}"),
            ("archived events / files compared", f"{counts['archived']} / {counts['files']}"),
            ("RADIAN events", counts["RADIAN events"]),
            ("  due / accepted by us (034)", f"{counts['radian.due']} / {counts['tacit acceptances']}"),
            ("pushed by HTTP / pushed again", f"{facts['pushed by HTTP']} / {facts['pushed by HTTP again']}"),
            ("  told by the door at once", counts["told by the door"]),
            ("delivered by webhook / again", f"{counts['delivered']} / {facts['delivered again']}"),
            ("kill -9 of the door, of webhooks", f"{facts['kill serve']}, {facts['kill webhooks']}"),
            ("documents validated at Factus", counts["documents"]),
            ("calls per document", f"{counts['requests'] / max(counts['documents'], 1):.2f}"),
            ("answers spoilt", facts["answers spoilt"]),
            ("answers lost after commit", f"{lost} ({100 * lost / max(facts['creates'], 1):.0f} % of the creates)"),
            ("kill -9 of workers", facts["kill"]),
            ("SIGTERM of workers", facts["term"]),
            ("kill -9 of the server", facts["server"]),
            ("token revocations", facts["revoke"]),
            ("accounts shut: 402, 403, login", f"{facts['unpaid']}, {facts['product']}, {facts['refused']}"),
            ("kept rejections deleted by a job", facts["deletes"]),
            ("429 (planned)", counts["429"]),
            ("takeovers seen", len(takeovers)),
            ("takeover p50 / max", f"{statistics.median(takeovers):.1f} / {takeovers[-1]:.1f} s" if takeovers else "-"),
            ("low calls", waits.n_low),
            ("  begun while an invoice waited", waits.n_beside),
            ("  ... that no pause held back", waits.n_before),
            ("invoices beside whose wait one began", f"{waits.n_passed} of {waits.n_invoices}"),
            ("longest hold of a loop", f"{counts['longest hold, ms']} ms (0: none beyond 250 ms)"),
            ("time", f"{self.seconds:.0f} s"),
            ("documents per second", f"{counts['documents'] / self.seconds:.1f}"),
        ]
        lines = [f"  {name:<36} {value}" for name, value in rows]
        lines.append("  -- must be zero " + "-" * 24)
        lines += [f"  {name:<36} {value}" for name, value in self.verdict.forbidden.items()]
        lines += [f"  {violation.column}: {violation.text}"[:400] for violation in self.verdict.violations[:20]]
        if not self.is_clean:
            lines += ["  options:", *(f"    {line}" for line in self.options.tell())]
        lines += [f"  logs and plan: {self.folder}", f"  repeat with: {self.options.repeat()}"]
        return "\n".join(lines)
