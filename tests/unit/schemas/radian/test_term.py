"""The term: three business days after the receipt, early under no reading of the law, and no more than a doubt late."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import chain, combinations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.factus import BOGOTA
from schemas.radian.calendar import Calendar
from schemas.radian.term import Term, term_of

CASES = {
    "a plain week": ("2026-11-23T10:00", "2026-11-26"),
    "a weekend within": ("2026-11-26T10:00", "2026-12-01"),
    "a Saturday": ("2026-11-28T10:00", "2026-12-02"),
    "a Sunday": ("2026-11-29T10:00", "2026-12-02"),
    "the last second of a day": ("2026-11-23T23:59:59", "2026-11-26"),
    "the first second of a day": ("2026-11-23T00:00:00", "2026-11-26"),
    "the eve of Easter's weekend, 2025": ("2025-04-16T15:00", "2025-04-23"),
    "the eve of Easter's weekend, 2026": ("2026-04-01T15:00", "2026-04-08"),
    "the eve of Easter's weekend, 2027": ("2027-03-24T15:00", "2027-03-31"),
    "Easter's weekend in the middle": ("2026-03-31T15:00", "2026-04-07"),
    "before 13 July 2026": ("2026-07-09T16:00", "2026-07-15"),
    "the same days of 2025, no holiday yet": ("2025-07-10T16:00", "2025-07-15"),
    "before 12 July 2027": ("2027-07-08T16:00", "2027-07-14"),
    "on 13 July 2026 itself": ("2026-07-13T09:00", "2026-07-16"),
    "a holiday that is not moved, on a Tuesday": ("2026-12-04T09:00", "2026-12-10"),
    "year's end, 2025": ("2025-12-30T09:00", "2026-01-05"),
    "year's end, 2026": ("2026-12-30T09:00", "2027-01-05"),
    "Christmas, 2028": ("2028-12-22T09:00", "2028-12-28"),
    "Kings, moved, 2030": ("2030-01-03T09:00", "2030-01-09"),
    "two holidays on one Monday, 2025": ("2025-06-27T09:00", "2025-07-03"),
    "two long weekends, 2028": ("2028-07-01T09:00", "2028-07-06"),
    "All Saints, moved, 2029": ("2029-11-02T09:00", "2029-11-08"),
}
"""Receipt in Bogotá, and the last business day, counted by hand on a printed calendar."""

SLOW_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
OURS = Calendar()
READINGS = ("saturday", "13 July")


@pytest.mark.parametrize("name", CASES)
def test_the_last_business_day(name):
    received, last = CASES[name]
    found = term_of(datetime.fromisoformat(received).replace(tzinfo=BOGOTA), Calendar())
    day = date.fromisoformat(last)
    assert found.claim_until == datetime.combine(day, time(18), BOGOTA)
    assert found.accepts_from == datetime.combine(day + timedelta(days=1), time(0), BOGOTA)


def test_the_days_that_were_left_out_are_told_with_their_reason():
    found = term_of(datetime(2026, 4, 1, 15, tzinfo=BOGOTA), Calendar())
    assert [(f"{one.day:%m-%d}", one.reason) for one in found.left_out] == [
        ("04-02", "festivo: Jueves Santo"),
        ("04-03", "festivo: Viernes Santo"),
        ("04-04", "sábado"),
        ("04-05", "domingo"),
    ]


def test_taking_13_july_out_moves_the_date_by_one_day():
    received = datetime(2026, 7, 9, 16, tzinfo=BOGOTA)
    without = term_of(received, Calendar(removed=frozenset({date(2026, 7, 13)})))
    assert term_of(received, Calendar()).claim_until - without.claim_until == timedelta(days=1)


def test_the_day_is_that_of_bogota():
    """03:30 of Wednesday in London is 22:30 of Tuesday."""
    found = term_of(datetime.fromisoformat("2026-11-25T03:30:00+00:00"), Calendar())
    assert found.received_at.date() == date(2026, 11, 24)
    assert found.claim_until.date() == date(2026, 11, 27)


def calendars(received: date) -> dict[tuple[str, ...], Calendar]:
    """The same calendar under each reading of what is unsettled, by the doubts that are read the shorter way."""
    july = frozenset(date(year, 7, day) for year in (received.year, received.year + 1) for day in range(9, 16))
    every = chain.from_iterable(combinations(READINGS, n) for n in range(len(READINGS) + 1))
    return {
        read: Calendar(saturday="saturday" in read, removed=july if "13 July" in read else frozenset())
        for read in every
    }


instants = st.datetimes(datetime(2025, 1, 1), datetime(2030, 12, 31, 23, 59, 59))
dates = st.dates(date(2024, 12, 25), date(2031, 1, 15))


@SLOW_MACHINE
@given(instants)
def test_never_early_under_any_reading_and_only_the_doubts_late(received):
    """Whoever reads a doubt the other way has a shorter term; the difference are days about which there is a doubt."""
    received = received.replace(tzinfo=BOGOTA)
    ours = term_of(received, OURS)
    for theirs_calendar in calendars(received.date()).values():
        theirs = term_of(received, theirs_calendar)
        assert theirs.accepts_from <= ours.accepts_from
        in_theirs = _days(received.date(), theirs.claim_until.date())
        n_doubts = sum(not theirs_calendar.why_left_out(day) and bool(OURS.why_left_out(day)) for day in in_theirs)
        later = _days(theirs.claim_until.date(), ours.claim_until.date())
        assert sum(not OURS.why_left_out(day) for day in later) == n_doubts, "one business day for each day of doubt"


@SLOW_MACHINE
@given(instants, st.booleans(), st.frozensets(dates, max_size=5), st.frozensets(dates, max_size=5))
def test_whatever_is_corrected_the_term_holds_three_business_days(received, saturday, added, removed):
    calendar = Calendar(saturday, added, removed - added)
    received = received.replace(tzinfo=BOGOTA)
    found = term_of(received, calendar)
    days = _days(received.date(), found.claim_until.date())
    assert [day for day in days if calendar.why_left_out(day)] == [one.day for one in found.left_out]
    assert len(days) - len(found.left_out) == 3
    assert calendar.why_left_out(days[-1]) is None
    assert found.accepts_from.date() == days[-1] + timedelta(days=1)


@SLOW_MACHINE
@given(instants, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_who_receives_later_is_never_due_earlier(received, later):
    def due(at: datetime) -> Term:
        return term_of(at.replace(tzinfo=BOGOTA), Calendar())

    assert due(received).accepts_from <= due(received + later).accepts_from


def _days(after: date, until: date) -> list[date]:
    return [after + timedelta(days=n) for n in range(1, (until - after).days + 1)]
