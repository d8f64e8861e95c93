"""The course of a load, where it can be reckoned by hand."""

from __future__ import annotations

import time

import pytest

from jobs.estimate.course import Course
from jobs.estimate.forecast import forecast
from jobs.estimate.load import UNSEEN, AccountLoad, LaneLoad, Pace, Release, Seen, others_per_ms, pace_of

NOW = 1_790_000_000_000
SECOND = 1000
MINUTE = 60 * SECOND


def taking(ms: float) -> Pace:
    return Pace(ms, ms, ms, 100)


def an_account(*lanes: LaneLoad, limit: int = 80, **given) -> AccountLoad:
    return AccountLoad(NOW, limit, MINUTE, lanes, **given)


def done_s(load: AccountLoad, lane: str = "invoice") -> float:
    """Seconds until a lane is done."""
    done_ms = forecast(load)[lane].done_ms
    assert done_ms is not None
    return (done_ms - NOW) / 1000


def test_one_lane_goes_as_fast_as_its_creates():
    load = an_account(LaneLoad("invoice", 100, pace=taking(2000)))
    assert done_s(load) == pytest.approx(200, abs=0.1)
    assert forecast(load)["invoice"].pace_per_minute == pytest.approx(30)


def test_the_allowance_comes_back_as_it_was_used():
    """80 at once, and the last 70 when these have left the window."""
    load = an_account(LaneLoad("invoice", 150, pace=taking(100)))
    assert done_s(load) == pytest.approx(60 + 7, abs=0.2)


def test_a_long_backlog_is_spread():
    """The first 40 evenly: what is left then fits into two windows."""
    load = an_account(LaneLoad("invoice", 200, pace=taking(100)))
    course = forecast(load)["invoice"]
    assert course.started_by(NOW + 15 * SECOND) == pytest.approx(20, abs=2)
    assert 120 <= done_s(load) <= 180


def test_what_has_been_used_already_counts():
    grants = tuple(NOW - n * 100 for n in range(80))
    assert done_s(an_account(LaneLoad("invoice", 80, pace=taking(100)), grants=grants)) == pytest.approx(60.1, abs=0.2)


def test_families_share_and_the_last_goes_alone():
    load = an_account(
        LaneLoad("invoice", 300, pace=taking(2000)), LaneLoad("credit_note", 10, pace=taking(2000)), limit=1000
    )
    assert done_s(load, "credit_note") == pytest.approx(20, abs=2)
    assert done_s(load) == pytest.approx(600, abs=3)


def test_what_others_take_is_missing():
    """Twenty of the eighty of each minute."""
    load = an_account(LaneLoad("invoice", 600, pace=taking(100)), others_per_ms=20 / MINUTE)
    assert done_s(load) == pytest.approx(10 * 60, abs=62)
    assert forecast(load)["invoice"].pace_per_minute == pytest.approx(60)


def test_calls_take_one_in_ten_while_documents_wait_and_all_after_them():
    load = an_account(
        LaneLoad("invoice", 720, pace=taking(100)), LaneLoad("calls", 400, pace=taking(100), width=4, is_calls=True)
    )
    assert done_s(load) == pytest.approx(10 * 60, abs=62)
    assert done_s(load, "calls") == pytest.approx(14 * 60, abs=62)


def test_calls_of_low_priority_wait_for_the_last_document():
    calls = LaneLoad("calls", 40, pace=taking(100), width=4, is_calls=True, n_low=40)
    load = an_account(LaneLoad("invoice", 160, pace=taking(100)), calls)
    assert done_s(load) == pytest.approx(68, abs=1)
    assert done_s(load, "calls") > 68


@pytest.mark.parametrize("where", ["lane", "account"])
def test_a_hold_with_an_end_is_waited_for(where):
    until = NOW + 5 * MINUTE
    lane = LaneLoad("invoice", 10, pace=taking(2000), hold_until_ms=until if where == "lane" else 0)
    assert done_s(an_account(lane, hold_until_ms=until if where == "account" else 0)) == pytest.approx(320, abs=0.1)


def test_what_is_delayed_comes_when_its_day_begins():
    lane = LaneLoad("invoice", 10, releases=(Release(NOW + 60 * MINUTE, 30),), pace=taking(2000))
    course = forecast(an_account(lane))["invoice"]
    assert course.done_ms == pytest.approx(NOW + 61 * MINUTE, abs=100)
    assert course.started_by(NOW + 59 * MINUTE) == pytest.approx(10)
    assert course.started_by(NOW + 60.5 * MINUTE) == pytest.approx(25, abs=1.5)
    assert course.done_with(10) == pytest.approx(NOW + 20 * SECOND, abs=2100)


def test_nothing_that_waits_is_never_done():
    course = forecast(an_account(LaneLoad("invoice", 0, n_in_flight=1, pace=taking(2000))))["invoice"]
    assert course.done_ms is None
    assert course.pace_per_minute == pytest.approx(30)
    assert (course.started_by(NOW + MINUTE), course.done_with(1)) == (0, None)


def test_a_lane_of_some_width_goes_as_many_times_as_fast():
    assert done_s(an_account(LaneLoad("invoice", 100, pace=taking(2000), width=4), limit=1000)) == pytest.approx(
        50, abs=2
    )


@pytest.mark.parametrize("limit", [1, 2, 80, 399, 401, 100_000])
def test_an_allowance_of_any_size(limit):
    load = an_account(LaneLoad("invoice", 50, pace=taking(1000)), limit=limit)
    expected_s = max(50.0, (50 - 1) // limit * 60 + (49 % limit) + 1)
    assert done_s(load) == pytest.approx(expected_s, abs=1.1 + (60 / limit if limit < 25 else 0))


def test_the_cost_does_not_grow_with_what_waits():
    def cost_s(n: int) -> float:
        lanes = [LaneLoad(name, n, pace=taking(300)) for name in ("invoice", "credit_note", "payroll")]
        load, best = an_account(*lanes), 1.0
        for _ in range(5):
            began = time.process_time()
            forecast(load)
            best = min(best, time.process_time() - began)
        return best

    assert cost_s(3_000_000) < 10 * cost_s(300)


# -- pace and use ------------------------------------------------------------------------------------------------------
def test_before_anything_was_seen_a_create_takes_a_second():
    assert pace_of([]) == UNSEEN
    assert UNSEEN.mean_ms == 1000


def test_one_create_that_hung_says_nothing_of_the_next_hundred():
    seen = [Seen(NOW, 1000, 10)] * 99
    assert pace_of([*seen, Seen(NOW, 600_000, 10)]).mean_ms < 1.1 * pace_of(seen).mean_ms


def test_a_wait_for_the_allowance_is_no_part_of_the_pace():
    seen = [Seen(NOW, 1000, 10)] * 40 + [Seen(NOW, 1000, 2000)] * 60
    assert pace_of(seen).mean_ms == pytest.approx(1010)


def test_median_and_the_slow_ones_are_known():
    found = pace_of([Seen(NOW, 100 * n, 0) for n in range(1, 12)])
    assert (found.median_ms, found.p90_ms, found.n_seen) == (600, 1000, 11)


def test_others_are_what_is_not_documents():
    grants = [NOW - n * 1000 for n in range(50)]
    assert others_per_ms(grants, grants[:40], NOW, MINUTE) == pytest.approx(10 / MINUTE)
    assert others_per_ms(grants, grants, NOW, MINUTE) == 0
    assert others_per_ms([], grants, NOW, MINUTE) == 0


def test_a_clock_that_was_set_back_shows_requests_of_the_future():
    """They keep their places in the ring until the clock has come there: so the allowance is counted as well."""
    grants = tuple(NOW + 10 * MINUTE for _ in range(80))
    assert done_s(an_account(LaneLoad("invoice", 1, pace=taking(100)), grants=grants)) == pytest.approx(660, abs=1)


def test_a_course_knows_when_so_many_are_done():
    course = Course(((NOW, 0.0), (NOW + 100.0, 10.0), (NOW + 200.0, 10.0), (NOW + 300.0, 20.0)), 1.0, NOW + 305.0, 5.0)
    assert course.started_by(NOW - 1) == 0
    assert course.started_by(NOW + 150) == 10
    assert course.started_by(NOW + 1e9) == 20
    assert course.done_with(10) == NOW + 105
    assert course.done_with(15) == NOW + 255
    assert course.done_with(21) is None
