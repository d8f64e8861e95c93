"""RADIAN's clock over any course of events: none early, none twice, none silent."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.radian_policy import RadianPolicy, instant
from schemas.factus import BOGOTA
from schemas.radian.calendar import Calendar
from schemas.radian.term import term_of
from tests.unit.jobs.radian.lives import AtFactus, live

COURSES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
validated = st.datetimes(datetime(2025, 1, 1), datetime(2030, 12, 31), timezones=st.just(BOGOTA))
codes = st.sampled_from(["030", "031", "032", "032", "033", "034"])
after = st.integers(-3 * 86_400, 30 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
delay = st.one_of(st.just(timedelta(0)), st.integers(0, 5 * 86_400).map(lambda seconds: timedelta(seconds=seconds)))
events = st.lists(st.tuples(codes, after, delay), max_size=7)
shows = st.sampled_from([None, timedelta(seconds=5), timedelta(minutes=50), timedelta(hours=30)])
intervals = st.sampled_from([900.0, 3600.0, 4 * 3600.0, 30 * 86_400.0])


def course(begins: datetime, drawn: list) -> AtFactus:
    factus = AtFactus()
    for n, (code, at, late) in enumerate(drawn):
        factus.has(code, begins + at, seen=max(begins + at, begins) + late, n=n)
    return factus


@COURSES
@given(validated, events, shows, intervals, st.booleans())
def test_every_course(begins, drawn, shows_after, interval_s, emits):
    factus = course(begins, drawn)
    factus.shows_after = shows_after
    # A short interval makes a long life of many looks.
    lasts_ms = (90 if interval_s >= 3600 else 12) * 86_400_000
    life = live(factus, begins, emits=emits, policy=RadianPolicy(interval_s=interval_s), lasts_ms=lasts_ms)

    assert all(n == 1 for type_, n in life.told.items() if type_ != "radian.event"), "none twice"
    told = [one.data["cude"] for _, one in life.news if one.type == "radian.event"]
    assert len(told) == len(set(told))

    if life.told["radian.clock"]:
        term = term_of(datetime.fromisoformat(life.data("radian.clock")["received_at"]), Calendar())
        assert all(instant(at_ms) >= term.accepts_from for at_ms in factus.sent_ms), "none early"
        if life.told["radian.due"]:
            assert life.at("radian.due") >= term.accepts_from
        elif life.state.last_word is None:
            last_look = instant(life.looks_ms[-1])
            assert last_look < term.accepts_from, "none silent"
    else:
        assert factus.sent_ms == []
    assert all(8 <= instant(at_ms).hour < 18 for at_ms in factus.sent_ms)
    assert all(b - a >= 3_600_000 for a, b in zip(factus.sent_ms, factus.sent_ms[1:], strict=False))
    assert len(factus.sent_ms) <= 3
    if interval_s >= 3600:
        assert all(6 <= instant(at_ms).hour < 20 for at_ms in life.looks_ms)


@COURSES
@given(validated, st.integers(0, 25 * 86_400), intervals)
def test_a_receipt_that_is_shown_at_once_is_due_by_nine_of_its_day(begins, seconds, interval_s):
    factus = AtFactus().has("032", begins + timedelta(seconds=seconds))
    lasts_ms = (60 if interval_s >= 3600 else 3 + seconds // 86_400 + 12) * 86_400_000
    life = live(factus, begins, policy=RadianPolicy(interval_s=interval_s), lasts_ms=lasts_ms)
    accepts_from = datetime.fromisoformat(life.data("radian.clock")["accepts_from"])
    assert accepts_from <= life.at("radian.due") <= accepts_from + timedelta(hours=9)
