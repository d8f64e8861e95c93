"""When an operator is told that documents will miss their day: at once, again when it has doubled, once a minute."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from jobs.day_notices import AGAIN_AFTER_MS, DayOutlook, Told, day_event, notice_due

BOGOTA = ZoneInfo("America/Bogota")
ENDS = int(datetime(2027, 1, 1, tzinfo=BOGOTA).timestamp() * 1000)
NOW = ENDS - 3_600_000


def told(will_miss: int, seconds_ago: float = 3600, *, is_at_risk: bool = True) -> Told:
    return Told(1, is_at_risk, will_miss, round(NOW - seconds_ago * 1000))


@pytest.mark.parametrize(
    ("known", "will_miss", "due"),
    [
        (Told(), 0, None),
        (Told(), 1, "at_risk"),
        (told(10), 19, None),
        (told(10), 20, "at_risk"),
        (told(10), 5, None),
        (told(10), 0, "safe"),
        (told(10, 59), 1000, None),
        (told(10, 60), 1000, "at_risk"),
        (told(10, 1), 0, "safe"),
        (told(0, 59, is_at_risk=False), 3, None),
        (told(0, 60, is_at_risk=False), 3, "at_risk"),
        (told(0, is_at_risk=False), 0, None),
    ],
)
def test_what_is_news(known, will_miss, due):
    assert notice_due(known, will_miss, NOW, ENDS) == due


@pytest.mark.parametrize("now_ms", [ENDS, ENDS + 1, ENDS + 86_400_000])
def test_a_day_that_is_over_is_not_spoken_of(now_ms):
    """New Year's midnight: what missed it ends by itself, and nothing is safe any more."""
    assert notice_due(told(10), 0, now_ms, ENDS) is None
    assert notice_due(Told(), 10, now_ms, ENDS) is None


def test_to_the_last_millisecond_it_is():
    assert notice_due(Told(), 10, ENDS - 1, ENDS) == "at_risk"


def test_a_clock_that_was_set_back_does_not_silence_it():
    """It was told "tomorrow": that counts as long ago, and doubling still bounds how often."""
    assert notice_due(told(10, -86_400), 20, NOW, ENDS) == "at_risk"
    assert notice_due(told(10, -86_400), 19, NOW, ENDS) is None


def test_it_is_told_so_often_as_it_doubles():
    """All day long, whatever comes: a few times, not each minute."""
    known, n_told = Told(), 0
    for minute in range(24 * 60):
        now_ms = ENDS - 86_400_000 + minute * AGAIN_AFTER_MS
        if notice_due(known, 1 + 7 * minute, now_ms, ENDS):
            n_told += 1
            known = Told(n_told, True, 1 + 7 * minute, now_ms)
    assert n_told <= 14


def an_outlook(**changes) -> DayOutlook:
    base = {
        "account": "acme",
        "day": "2026-12-31",
        "ends_ms": ENDS,
        "waiting": 40,
        "will_miss": 3,
        "expected_ms": ENDS + 90_000.0,
        "pace_per_minute": 12.345,
        "references": ("A", "B", "C"),
        "batches": ("cierre",),
    }
    return DayOutlook(**{**base, **changes})


def test_the_event_has_no_job_and_says_what_when_and_how_many():
    event = day_event("at_risk", an_outlook(), Told(), BOGOTA, datetime(2026, 12, 31, 23, tzinfo=BOGOTA))
    assert (event.type, event.success, event.account, event.job_id, event.batch) == (
        "day.at_risk",
        False,
        "acme",
        None,
        None,
    )
    assert event.errors is not None
    assert [error.code for error in event.errors] == ["day.at_risk"]
    assert event.data == {
        "day": "2026-12-31",
        "ends_at": "2027-01-01T00:00:00-05:00",
        "expected_at": "2027-01-01T00:01:30-05:00",
        "waiting": 40,
        "will_miss": 3,
        "references": ["A", "B", "C"],
        "batches": ["cierre"],
        "pace_per_minute": 12.3,
    }


def test_in_a_zone_with_daylight_saving_the_day_ends_when_it_ends_there():
    """Santiago, 2026-04-04: the day of 25 hours."""
    zone = ZoneInfo("America/Santiago")
    ends_ms = int(datetime(2026, 4, 5, tzinfo=zone).timestamp() * 1000)
    event = day_event("at_risk", an_outlook(day="2026-04-04", ends_ms=ends_ms), Told(), zone, datetime.now(zone))
    assert event.data is not None
    assert event.data["ends_at"] == "2026-04-05T00:00:00-04:00"


def test_each_time_of_telling_has_an_id_of_its_own_and_always_the_same():
    now = datetime(2026, 12, 31, 23, tzinfo=BOGOTA)
    first = day_event("at_risk", an_outlook(), Told(), BOGOTA, now)
    assert first == day_event("at_risk", an_outlook(), Told(), BOGOTA, now)
    assert first.id != day_event("at_risk", an_outlook(), told(3), BOGOTA, now).id


def test_when_it_is_safe_it_is_a_success():
    event = day_event("safe", an_outlook(will_miss=0, references=(), batches=()), told(3), BOGOTA, datetime.now(BOGOTA))
    assert (event.type, event.success, event.errors) == ("day.safe", True, None)
    assert event.data is not None
    assert (event.data["will_miss"], event.data["references"]) == (0, [])
