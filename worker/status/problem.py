"""
A problem as everybody tells it: ``status``, the page, ``doctor`` and alerts. The kinds are a closed table. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, Literal, NamedTuple

from worker.speech import Speech, clock, iso, span

Severity = Literal["failure", "warning"]
"""``failure``: it stands until a person acts. ``warning``: a person has to know, and most often it passes."""


class Kind(NamedTuple):
    """What all problems of one kind have in common; a lower rank is told first."""

    rank: int
    severity: Severity


KINDS: Final[dict[str, Kind]] = {
    "redis.writes": Kind(0, "failure"),
    "redis.key": Kind(1, "failure"),
    "workers.none": Kind(2, "failure"),
    "workers.accounts": Kind(3, "failure"),
    "workers.signing": Kind(3, "failure"),
    "account.unserved": Kind(3, "failure"),
    "account.held": Kind(4, "failure"),
    "account.blocked": Kind(4, "failure"),
    "lane.held": Kind(4, "failure"),
    "type.blocked": Kind(5, "failure"),
    "jobs.keys": Kind(5, "failure"),
    "intake.entries_gone": Kind(5, "failure"),
    "intake.id_ahead": Kind(5, "failure"),
    "group.lost": Kind(5, "failure"),
    "webhooks.none": Kind(5, "failure"),
    "webhook.disabled": Kind(5, "failure"),
    "webhook.lost": Kind(5, "failure"),
    "webhook.failing": Kind(5, "failure"),
    "range.ended": Kind(4, "failure"),
    "range.ending": Kind(7, "warning"),
    "group.lagging": Kind(7, "warning"),
    "group.stale": Kind(7, "warning"),
    "webhook.behind": Kind(7, "warning"),
    "letters.operator": Kind(8, "failure"),
    "letters.trimmed": Kind(8, "warning"),
    "worker.failures": Kind(9, "warning"),
    "webhooks.failures": Kind(9, "warning"),
    "intake.stream_renewed": Kind(9, "warning"),
}
"""Every kind by its id, which never changes its meaning. The words stand where it is found (``problems.py``)."""

_PASSING: Final = 2
"""By how much a problem that may pass by itself is told later than its kind."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One problem; empty and 0 where there is nothing to say. ``what`` is a sentence, ``mend`` what a person does,
    ``next`` what happens without one, and ``next_ms`` when.
    """

    id: str
    subject: str
    what: str
    mend: str = ""
    since_ms: int = 0
    holder: str = ""
    next: str = ""
    next_ms: int = 0
    is_passing: bool = False
    """It may be over by itself: an outage, a document that waits for the DIAN."""

    @property
    def severity(self) -> Severity:
        return "warning" if self.is_passing else KINDS[self.id].severity

    @property
    def rank(self) -> int:
        return KINDS[self.id].rank + (_PASSING if self.is_passing else 0)

    def to_json(self, zone: tzinfo) -> dict[str, str | None]:
        return {
            "id": self.id,
            "severity": self.severity,
            "subject": self.subject,
            "message": self.what,
            "since": iso(self.since_ms, zone),
            "holder": self.holder or None,
            "mend": self.mend or None,
            "next": self.next or None,
            "next_at": iso(self.next_ms, zone),
        }


def problem_lines(one: Problem, zone: tzinfo, now_ms: int, speech: Speech) -> list[str]:
    """A problem as lines for a person: what, the mend, since when, who holds it, and what goes on by itself."""
    lines = [one.what]
    if one.mend:
        lines.append(speech.say("qué hacer: ", "mend: ") + one.mend)
    if one.since_ms:
        ago = span(max(now_ms - one.since_ms, 0) / 1000)
        lines.append(speech.say("desde: ", "since: ") + f"{clock(one.since_ms, zone)} ({ago})")
    if one.holder:
        lines.append(speech.say("lo detiene: ", "held by: ") + one.holder)
    if one.next:
        at = f", {clock(one.next_ms, zone)}" if one.next_ms else ""
        lines.append(speech.say("sigue: ", "next: ") + one.next + at)
    return lines
