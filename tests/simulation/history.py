"""What a verdict goes by, and what it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.simulation.workload import Push

FORBIDDEN: Final = (
    "lost",
    "two finals",
    "uncalled for",
    "duplicated at Factus",
    "wrong totals",
    "silent",
    "wrong outcome",
    "forbidden deletes",
    "left behind",
    "out of order",
    "gaps in seq",
    "archived amiss",
    "files differ",
    "RADIAN amiss",
    "outside amiss",
    "done twice",
    "calls ended amiss",
    "unplanned 429",
    "left in Redis",
    "defects",
    "loop held",
)
"""The columns that must be zero."""

_FINAL_KINDS: Final = ("validated", "rejected", "failed", "completed")
_REFUSALS_OF_BAD: Final = frozenset({"envelope.invalid", "payload.invalid", "account.unknown", "auth.denied"})


@dataclass(frozen=True)
class Violation:
    """One broken promise, and the job or document it is about."""

    column: str
    text: str
    subject: str = ""


def _nothing(*_names: str) -> bytes:
    return b""


@dataclass
class Evidence:
    """
    Everything the verdict goes by.

    Attributes:
        events: In the order of their stream, the results of all accounts.
        documents: By account and family, oldest first, as the sandbox lists them.
        may_fail: Error codes with which a job may end as failed under this plan.
        has_deadline: Jobs may run out of time: then documents may stay behind that wait for DIAN.
        stocked: Account, family and reference of what stood at Factus before.
        radian: The RADIAN events that were published.
        emitting: Accounts of which Factus declares tacit acceptances by itself, by a calendar of its own.
        refusing: Accounts of which Factus answers a tacit acceptance with a refusal, whether or not it registers it.
        radian_at_factus: By account and number of a bill: the CUDEs of its events.
        files: The archive, by URI.
        served: What Factus gives as a file: account, family, number, kind.
        active_ranges: By account and id.
        one_at_a_time: Documents of a family are created one after the other, so that their order can be judged.
    """

    pushes: Sequence[Push]
    events: Sequence[dict[str, Any]]
    documents: Mapping[tuple[str, str], Sequence[dict[str, Any]]]
    report: dict[str, Any]
    may_fail: frozenset[str]
    has_deadline: bool = False
    stocked: frozenset[tuple[str, str, str]] = frozenset()
    radian: Sequence[dict[str, Any]] = ()
    emitting: frozenset[str] = frozenset()
    refusing: frozenset[str] = frozenset()
    radian_at_factus: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    served: Callable[[str, str, str, str], bytes] = _nothing
    active_ranges: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    one_at_a_time: bool = True


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


def kind_of(event: Mapping[str, Any]) -> str:
    """``validated`` of ``invoice.validated``, ``completed`` of ``invoice.get.completed``."""
    kind: str = event["type"].rpartition(".")[2]
    return kind


def codes_of(event: Mapping[str, Any]) -> set[str]:
    return {error["code"] for error in event["errors"] or ()}


def is_final(event: Mapping[str, Any]) -> bool:
    return event["job_id"] is not None and (event["type"] == "job.refused" or kind_of(event) in _FINAL_KINDS)


Jobs = dict[str, tuple[Push, frozenset[str]]]
Finals = Mapping[str, list[dict[str, Any]]]


def expected_jobs(pushes: Iterable[Push]) -> Jobs:
    """By the id under which its one final event must come: the push, and the codes it must be refused with (if so)."""
    owners: dict[tuple[str, str], Push] = {}
    found: Jobs = {}
    for push in pushes:
        bad = _REFUSALS_OF_BAD if push.is_bad else frozenset()
        if not push.id:
            found[push.entry] = (push, bad)
            continue
        owner = owners.setdefault((push.account, push.id), push)
        if owner is push:
            found[push.id] = (push, bad)
        elif owner.content != push.content:
            found[push.entry] = (push, frozenset({"id.conflict"}))
    return found


def tracked_bills(jobs: Jobs, events: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Account and reference of the bills that are valid and watched by one job at least."""
    return {
        (event["account"], event["reference_code"])
        for event in events
        if kind_of(event) == "validated" and event["job_id"] in jobs and jobs[event["job_id"]][0].tracks
    }
