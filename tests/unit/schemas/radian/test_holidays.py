"""The holidays of Colombia: what others have printed for these years, and that the tables are whole."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from importlib import resources
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.radian import tables
from schemas.radian.calendar import Calendar, easter, holidays_of

PRINTED = {
    2025: "01-01 01-06 03-24 04-17 04-18 05-01 06-02 06-23 06-30 07-20 08-07 08-18 10-13 11-03 11-17 12-08 12-25",
    2026: "01-01 01-12 03-23 04-02 04-03 05-01 05-18 06-08 06-15 06-29 07-13 07-20 08-07 08-17 10-12 11-02 11-16 12-08 "
    "12-25",
    2027: "01-01 01-11 03-22 03-25 03-26 05-01 05-10 05-31 06-07 07-05 07-12 07-20 08-07 08-16 10-18 11-01 11-15 12-08 "
    "12-25",
    2028: "01-01 01-10 03-20 04-13 04-14 05-01 05-29 06-19 06-26 07-03 07-10 07-20 08-07 08-21 10-16 11-06 11-13 12-08 "
    "12-25",
    2029: "01-01 01-08 03-19 03-29 03-30 05-01 05-14 06-04 06-11 07-02 07-09 07-20 08-07 08-20 10-15 11-05 11-12 12-08 "
    "12-25",
    2030: "01-01 01-07 03-25 04-18 04-19 05-01 06-03 06-24 07-01 07-15 07-20 08-07 08-19 10-14 11-04 11-11 12-08 12-25",
}
"""As the package ``holidays`` 0.109 prints them (``holidays.Colombia``), which reads the same laws."""

SLOW_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
EASTERS = {1999: "04-04", 2000: "04-23", 2008: "03-23", 2011: "04-24", 2024: "03-31", 2025: "04-20", 2038: "04-25"}

DIGESTS = {"co-2026-11-30": "7f4ad91eda228c01"}
"""Of both tables by their version: who changes a row gives the tables a new version, and adds a line here."""


@pytest.mark.parametrize("year", PRINTED)
def test_the_holidays_of_a_year(year):
    assert [f"{day:%m-%d}" for day in sorted(holidays_of(year))] == PRINTED[year].split()


def test_13_july_2026_is_the_first_of_its_kind():
    """Ley 2578/2026 came into force in June; in 2025 the ninth of July was an ordinary day, moved or not."""
    assert "Chiquinquirá" in holidays_of(2026)[date(2026, 7, 13)]
    assert not {day for day in holidays_of(2025) if day.month == 7} - {date(2025, 7, 20)}


def test_two_holidays_on_one_day_are_both_named():
    assert holidays_of(2025)[date(2025, 6, 30)] == "Sagrado Corazón, San Pedro y San Pablo"


@pytest.mark.parametrize("year", EASTERS)
def test_easter(year):
    assert f"{easter(year):%m-%d}" == EASTERS[year]


@SLOW_MACHINE
@given(st.integers(1984, 2400))
def test_moved_holidays_are_mondays_and_easter_is_a_sunday(year):
    assert easter(year).weekday() == 6
    names = {holiday.name: holiday for holiday in tables.holidays()}
    for day, told in holidays_of(year).items():
        is_moved = any(names[name].is_moved for name in told.split(", "))
        assert not is_moved or day.weekday() == 0 or told.count(",")


def test_every_row_has_its_source_and_validity():
    for row in (*tables.rules(), *tables.holidays()):
        assert row.source
        assert row.valid_until is None or row.valid_from <= row.valid_until


def test_rules_follow_each_other_without_a_gap():
    found = tables.rules()
    for one, following in pairwise(found):
        assert one.valid_until is not None
        assert following.valid_from == one.valid_until + timedelta(days=1)
    assert found[-1].valid_until is None
    assert tables.rule_for(date(1950, 1, 1)) == found[0]
    assert tables.rule_for(date(2026, 7, 9)) == found[-1]


def test_a_version_names_one_edition_of_the_tables():
    folder = resources.files("schemas") / "radian"
    content = b"".join((folder / name).read_bytes() for name in ("rules.json", "holidays.json"))
    assert DIGESTS.get(tables.version()) == hashlib.sha256(content).hexdigest()[:16]


class TestCorrected:
    DAY = date(2026, 7, 13)

    def test_a_holiday_can_be_taken_out_and_any_day_put_in(self):
        assert Calendar().why_left_out(self.DAY)
        assert Calendar(removed=frozenset({self.DAY})).why_left_out(self.DAY) is None
        day = date(2026, 12, 31)
        assert Calendar().why_left_out(day) is None
        assert Calendar(added=frozenset({day})).why_left_out(day) == "festivo (FACTUS_HOLIDAYS_ADD)"

    def test_saturday_counts_when_the_operator_or_the_rule_says_so(self):
        day = date(2026, 7, 11)
        assert Calendar().why_left_out(day) == "sábado"
        assert Calendar(saturday=True).why_left_out(day) is None
        assert Calendar().why_left_out(day, counts_saturday=True) is None
        holiday = date(2026, 12, 26)
        assert Calendar(saturday=True, added=frozenset({holiday})).why_left_out(holiday), "a holiday on a Saturday"

    def test_no_correction_makes_a_sunday_a_business_day(self):
        assert Calendar(saturday=True, removed=frozenset({date(2026, 7, 12)})).why_left_out(date(2026, 7, 12))

    def test_the_version_tells_corrections_apart(self):
        plain = Calendar().version
        others = {
            Calendar(saturday=True).version,
            Calendar(added=frozenset({self.DAY})).version,
            Calendar(removed=frozenset({self.DAY})).version,
        }
        assert len(others) == 3
        assert all(one.startswith(f"{plain}+") for one in others)
        assert Calendar(added=frozenset({self.DAY})).version == Calendar(added=frozenset({self.DAY})).version
