"""Failures are told for ten minutes, and counted for ever."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from worker.failures import LATELY_S, Failures

STEPS = st.lists(st.tuples(st.floats(0, 900), st.sampled_from(["sweep", "take"])), max_size=40)


@given(STEPS, st.floats(0, 1500))
def test_what_failed_within_ten_minutes_is_told_and_nothing_much_older(
    steps: list[tuple[float, str]], wait_s: float
) -> None:
    now = [1000.0]
    failures, noted = Failures(lambda: now[0]), []
    for pause_s, task in steps:
        now[0] += pause_s
        failures.note(task)
        noted.append((now[0], task))
    now[0] += wait_s
    lately = failures.lately()
    sure = Counter(task for at, task in noted if now[0] - at <= LATELY_S)
    perhaps = Counter(task for at, task in noted if now[0] - at <= LATELY_S + 10)
    assert sure <= lately <= perhaps
    assert failures.total == Counter(task for _, task in noted)
    assert lately or failures.for_s() == 0
    assert len(failures._steps) <= LATELY_S / 10 + 2


def test_since_when_is_from_the_first_after_ten_quiet_minutes() -> None:
    now = [0.0]
    failures = Failures(lambda: now[0])
    assert failures.for_s() == 0
    failures.note("sweep")
    for now[0] in (500.0, 1000.0, 1500.0):
        failures.note("take")
    assert failures.for_s() == 1500
    now[0] = 2200.0
    assert (failures.for_s(), failures.lately()) == (0, Counter())
    failures.note("sweep")
    now[0] = 2300.0
    assert (failures.for_s(), failures.lately()) == (100, Counter({"sweep": 1}))
    assert failures.total == {"sweep": 2, "take": 3}
