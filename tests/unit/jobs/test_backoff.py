"""Pauses grow, stay within their bounds, and are not lopsided."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.backoff import BackoffPolicy

POLICY = BackoffPolicy(base_s=5.0, max_s=300.0)


def test_pauses_double_from_the_base_to_the_longest():
    assert [POLICY.delay_s(n) for n in range(1, 9)] == [5, 10, 20, 40, 80, 160, 300, 300]


@given(st.integers(min_value=-5, max_value=10_000))
def test_a_pause_never_shrinks_and_never_overflows(n_failures):
    assert 5.0 <= POLICY.delay_s(n_failures) <= POLICY.delay_s(n_failures + 1) <= 300.0


@given(st.integers(min_value=1, max_value=50), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_jitter_stays_in_the_upper_half(n_failures, draw):
    delay_s = POLICY.delay_s(n_failures)
    assert delay_s / 2 <= POLICY.jittered_s(n_failures, lambda: draw) <= delay_s


def test_jitter_is_even_over_its_range():
    """A size and a sign from one draw would lean; the mean of an even spread is three quarters of the delay."""
    draws = [(n + 0.5) / 1000 for n in range(1000)]
    mean_s = sum(POLICY.jittered_s(1, lambda d=d: d) for d in draws) / 1000
    assert abs(mean_s - 3.75) < 0.01
