"""Snapshots of a scrape: a service in which everything happens at once."""

from __future__ import annotations

from typing import Final

from jobs.event_counts import OUTCOMES
from jobs.families import FAMILIES
from jobs.registry import JOB_TYPES
from worker.figures import CAUSES, OPERATIONS, Figures
from worker.metrics.snapshot import AccountState, GroupState, LaneState, RangeState, Snapshot

NOW_MS: Final = 1_796_000_000_000
HOSTILE: Final = 'a"b\\c\nd{e="f"}' + "x" * 500 + "\u202e\x00"


def a_lane(queue: str, n: int = 3, *, blocked: str = "factus.conflict") -> LaneState:
    return LaneState(queue, n, n + 1, 1, NOW_MS - n * 1000, NOW_MS + 60_000, blocked)


def a_busy_account(name: str = "acme") -> AccountState:
    """Every lane has work of every kind and is blocked, a strange one too; a hundred ranges."""
    lanes = [a_lane(queue, n) for n, queue in enumerate([*FAMILIES, "calls", "control", HOSTILE], 1)]
    ranges = [RangeState("invoice", f"P{n}", n_left=n, expires_ms=NOW_MS + n, is_ending=n % 2 == 1) for n in range(100)]
    return AccountState(name, tuple(lanes), "factus.credentials", 79, 80, NOW_MS + 3_600_000, tuple(ranges))


def a_busy_snapshot(n_accounts: int = 2) -> Snapshot:
    """All that can be there, more of it than is shown."""
    types = [*JOB_TYPES, "unknown"]
    return Snapshot(
        redis_fault="redis.disk",
        counts={(name, outcome): n + 1 for n, name in enumerate(types) for outcome in OUTCOMES},
        accounts=tuple(a_busy_account(f"a{n}") for n in range(n_accounts)),
        n_dead=7,
        n_at_risk=12,
        groups=tuple(GroupState("results", f"{HOSTILE[:60]}{n}", n) for n in range(40)),
        hooks={f"{HOSTILE[:60]}{n}": n for n in range(40)},
        has_leader=True,
    )


def some_figures() -> Figures:
    figures = Figures(n_repairs=2)
    for operation in OPERATIONS:
        for status in (200, 409, 422, 429, 503, None):
            figures.called(operation, status, 0.3)
    assert set(figures.conflicts) == set(CAUSES)
    return figures
