"""
At half time of a backlog the estimate is within a tenth of the time then left: on a queue with a clock of its own.

Where the allowance is used up in bursts, the end of one family of several may fall into a window or into the next: to
within a tenth, or one window, for each family, and within a tenth for the last of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.estimate.forecast import forecast
from jobs.estimate.load import Seen, pace_of
from tests.simulated_queue import Family, Queue, errors_at_half_time, lognormal

WINDOW_MS = 60_000
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 10_000)
TAKES = st.sampled_from([120.0, 400.0, 650.0, 900.0, 2000.0, 5000.0])


def check(make: Callable[[], Queue]) -> None:
    errors = errors_at_half_time(make, forecast)
    last = max(errors.values(), key=lambda one: one[1])
    assert abs(last[0]) <= 0.1, errors
    for error, left_ms in errors.values():
        assert abs(error) <= max(0.1, WINDOW_MS / left_ms), errors


def backlog(takes_ms: Sequence[float], seed: int, n: int = 1200) -> list[Family]:
    return [
        Family(name, n, lognormal(one, 0.3, seed + place))
        for place, (name, one) in enumerate(zip("abc", takes_ms, strict=False))
    ]


@FEW
@given(TAKES, SEEDS)
def test_one_family(takes_ms, seed):
    check(lambda: Queue(backlog([takes_ms], seed)))


@FEW
@given(st.tuples(TAKES, TAKES, TAKES), SEEDS)
def test_three_families(takes_ms, seed):
    check(lambda: Queue(backlog(takes_ms, seed, 600)))


@FEW
@given(TAKES, SEEDS, st.integers(1, 30))
def test_calls_between(takes_ms, seed, calls_a_minute):
    gap_ms = WINDOW_MS / calls_a_minute
    check(lambda: Queue(backlog([takes_ms], seed), calls=[n * gap_ms for n in range(120 * calls_a_minute)]))


@FEW
@given(TAKES, SEEDS, st.integers(100, 600))
def test_a_line_of_calls_that_ends(takes_ms, seed, n_calls):
    check(lambda: Queue(backlog([takes_ms], seed), calls=[5000.0] * n_calls))


@FEW
@given(TAKES, SEEDS, st.floats(0.05, 0.9), st.floats(1, 30))
def test_a_hold_in_the_middle(takes_ms, seed, where, minutes):
    """Before half time, or over it: then its end is known, as Factus has said it."""
    alone_ms = 1200 * max(takes_ms * 1.05, WINDOW_MS / 80)
    since, lasts = where * alone_ms / 2, minutes * WINDOW_MS
    check(lambda: Queue(backlog([takes_ms], seed), holds=[(since, since + lasts)]))


@FEW
@given(TAKES, SEEDS, st.integers(0, 80))
def test_an_allowance_that_was_used_before(takes_ms, seed, n_used):
    check(lambda: Queue(backlog([takes_ms], seed), used_ms=[n * 700.0 for n in range(n_used)]))


@FEW
@given(TAKES, SEEDS)
def test_a_day_that_begins(takes_ms, seed):
    """As many again as wait now may go from an instant on that is known."""
    alone_ms = 600 * max(takes_ms * 1.05, WINDOW_MS / 80)

    def make() -> Queue:
        (family,) = backlog([takes_ms], seed, 600)
        family.delayed = [(1.5 * alone_ms, 600)]
        return Queue([family])

    check(make)


@FEW
@given(TAKES, SEEDS, st.sampled_from([8, 40, 300, 1000]))
def test_other_allowances(takes_ms, seed, limit):
    check(lambda: Queue(backlog([takes_ms], seed), limit=limit))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)), min_size=1, max_size=40))
def test_a_pace_counts_each_document_and_none_for_more_than_five_times_the_slow_ones(rows):
    seen = [Seen(n, service_ms, gap_ms) for n, (service_ms, gap_ms) in enumerate(rows)]
    services, gaps = sorted(one for one, _ in rows), sorted(one for _, one in rows)
    slow_ms = services[(len(rows) - 1) * 9 // 10]
    mean_ms = sum(min(one, 5 * max(slow_ms, 1)) for one in services) / len(rows)
    found = pace_of(seen)
    assert found.mean_ms == pytest.approx(max(gaps[len(rows) // 5] + mean_ms, 1.0))
    assert (found.p90_ms, found.n_seen) == (gaps[len(rows) // 5] + slow_ms, len(rows))
