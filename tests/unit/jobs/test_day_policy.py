"""Which day a document carries that says none: the one on which it was pushed, or any."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobs.entry import Accepted, Entry
from jobs.fiscal_day import day_bounds_ms, start_window_ms, told_if_moved
from jobs.intake import EntryValidator
from jobs.outcomes import Finished
from schemas import strict_json
from schemas.records import JobRecord
from tests.builders import a_bill
from tests.records import a_job

BOGOTA = ZoneInfo("America/Bogota")
SANTIAGO = ZoneInfo("America/Santiago")
"""A zone with daylight saving: on 2026-09-06 its clocks go from 00:00 to 01:00, and on 2026-04-05 back at 24:00."""


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def taken_in(
    entry_at: str, *, now: str = "", zone: ZoneInfo = BOGOTA, is_push: bool = True, **fields: Any
) -> JobRecord:
    """The record that the intake makes of an entry of that instant."""
    now_ms = ms(now or entry_at)
    policy = frozenset({"acme"} if is_push else ())
    validator = EntryValidator({"acme": zone}, lambda: now_ms, day_of_push=policy)
    pushed = {"type": "invoice.issue", "payload": a_bill(), **fields}
    found = validator.validate(Entry("", f"{ms(entry_at)}-0", strict_json.dump(pushed).encode()))
    assert isinstance(found, Accepted), found
    return found.record


@pytest.mark.parametrize(
    ("entry_at", "zone", "day"),
    [
        ("2026-11-30T23:59:59.999-05:00", BOGOTA, "2026-11-30"),
        ("2026-12-01T00:00:00-05:00", BOGOTA, "2026-12-01"),
        ("2026-11-30T19:00:00-05:00", BOGOTA, "2026-11-30"),
        ("2026-12-31T23:59:59-05:00", BOGOTA, "2026-12-31"),
        ("2027-01-01T00:00:00-05:00", BOGOTA, "2027-01-01"),
        ("2028-02-29T23:59:59-05:00", BOGOTA, "2028-02-29"),
        ("2026-11-30T23:30:00-05:00", ZoneInfo("Europe/Madrid"), "2026-12-01"),
        ("2026-09-05T23:59:59-04:00", SANTIAGO, "2026-09-05"),
        ("2026-09-06T01:00:00-03:00", SANTIAGO, "2026-09-06"),
        ("2026-04-04T23:30:00-03:00", SANTIAGO, "2026-04-04"),
        ("2026-04-04T23:30:00-04:00", SANTIAGO, "2026-04-04"),
        ("2026-11-30T12:00:00+00:00", ZoneInfo("Pacific/Kiritimati"), "2026-12-01"),
    ],
)
def test_a_document_carries_the_day_on_which_it_was_pushed(entry_at, zone, day):
    assert taken_in(entry_at, zone=zone).issue_on == day


@pytest.mark.parametrize(
    ("not_before", "day"),
    [("2026-12-03T08:00:00-05:00", "2026-12-03"), ("2026-11-29T08:00:00-05:00", "2026-11-30")],
)
def test_one_that_may_not_go_before_a_day_carries_that_day(not_before, day):
    assert taken_in("2026-11-30T12:00:00-05:00", not_before=not_before).issue_on == day


def test_what_the_producer_says_counts():
    assert taken_in("2026-11-30T12:00:00-05:00", issue_on="2026-12-24").issue_on == "2026-12-24"


def test_one_that_waited_in_the_stream_over_midnight_carries_the_day_of_its_push():
    """The service was down in the evening: it never goes out on another day."""
    record = taken_in("2026-11-30T22:00:00-05:00", now="2026-12-01T06:00:00-05:00")
    assert record.issue_on == "2026-11-30"
    assert start_window_ms(record, BOGOTA)[1] == ms("2026-12-01T00:00:00-05:00")


@pytest.mark.parametrize("entry_at", ["1970-01-01T00:00:00.007+00:00", "2031-01-01T00:00:00+00:00"])
def test_an_invented_id_counts_as_of_now(entry_at):
    """Also where the server's clock has jumped ahead and come back: nobody's document is for 2031."""
    assert taken_in(entry_at, now="2026-11-30T12:00:00-05:00").issue_on == "2026-11-30"


def test_the_day_of_the_push_is_no_content_of_the_job():
    first, second = taken_in("2026-11-30T12:00:00-05:00"), taken_in("2026-12-01T12:00:00-05:00")
    assert (first.content, first.fingerprint) == (second.content, second.fingerprint)
    assert first.content == taken_in("2026-11-30T12:00:00-05:00", is_push=False).content
    assert first.issue_on != second.issue_on


def test_what_issues_nothing_has_no_day():
    validator = EntryValidator(
        {"acme": BOGOTA}, lambda: ms("2026-11-30T12:00:00-05:00"), day_of_push=frozenset(["acme"])
    )
    found = validator.validate(Entry("", "7-0", strict_json.dump({"type": "company.get", "payload": {}}).encode()))
    assert isinstance(found, Accepted)
    assert found.record.issue_on == ""


def test_another_account_is_free():
    validator = EntryValidator(
        {"acme": BOGOTA}, lambda: ms("2026-11-30T12:00:00-05:00"), day_of_push=frozenset(["other"])
    )
    pushed = {"type": "invoice.issue", "payload": a_bill()}
    found = validator.validate(Entry("", "7-0", strict_json.dump(pushed).encode()))
    assert isinstance(found, Accepted)
    assert found.record.issue_on == ""


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-11-30", BOGOTA, 24),
        ("2026-09-06", SANTIAGO, 23),
        ("2026-04-04", SANTIAGO, 25),
        ("2026-12-31", BOGOTA, 24),
    ],
)
def test_a_day_lasts_as_long_as_its_zone_says(day, zone, hours):
    starts_ms, ends_ms = day_bounds_ms(day, zone)
    assert ends_ms - starts_ms == hours * 3_600_000


# -- date.moved --------------------------------------------------------------------------------------------------------
VALIDATED = Finished("validated", "x", data={"warnings": [{"code": "payload.warning"}], "issued_at": None})


def sent(job: JobRecord, *instants: str, zone: ZoneInfo = BOGOTA, issued_at: str | None = None) -> list[Any]:
    assert VALIDATED.data is not None
    ending = replace(VALIDATED, data={**VALIDATED.data, "issued_at": issued_at})
    first, last = ms(instants[0]), ms(instants[-1])
    found = told_if_moved(job, ending, (first, last), zone)
    assert isinstance(found, Finished)
    assert found.data is not None
    warnings = found.data["warnings"]
    assert warnings[0] == {"code": "payload.warning"}
    return list(warnings[1:])


def pushed_at(text: str, **fields: Any) -> JobRecord:
    return a_job(entry=f"{ms(text)}-0", accepted_at=ms(text) + 5, **fields)


def test_a_document_that_is_sent_on_a_later_day_names_both():
    (warning,) = sent(pushed_at("2026-11-30T23:50:00-05:00"), "2026-12-01T00:10:00-05:00")
    assert warning["code"] == "date.moved"
    assert "2026-11-30" in warning["message"]
    assert "2026-12-01" in warning["message"]


@pytest.mark.parametrize(
    ("pushed", "sent_at", "zone", "is_moved"),
    [
        ("2026-11-30T00:00:00-05:00", "2026-11-30T23:59:59-05:00", BOGOTA, False),
        ("2026-11-30T23:59:59-05:00", "2026-12-01T00:00:00-05:00", BOGOTA, True),
        ("2026-12-31T23:59:59-05:00", "2027-01-01T00:00:00-05:00", BOGOTA, True),
        ("2026-11-30T18:59:59-05:00", "2026-11-30T19:00:01-05:00", BOGOTA, False),
        ("2026-11-30T18:59:59-05:00", "2026-11-30T19:00:01-05:00", ZoneInfo("UTC"), True),
        ("2026-09-05T23:59:59-04:00", "2026-09-06T01:00:00-03:00", SANTIAGO, True),
        ("2026-04-04T23:30:00-03:00", "2026-04-04T23:30:00-04:00", SANTIAGO, False),
        ("2026-12-01T08:00:00-05:00", "2026-11-30T12:00:00-05:00", BOGOTA, False),
    ],
)
def test_the_day_moves_at_midnight_of_the_account(pushed, sent_at, zone, is_moved):
    """The last one: the clock was set back in between."""
    assert bool(sent(pushed_at(pushed), sent_at, zone=zone)) is is_moved


def test_one_that_waited_for_its_not_before_has_not_moved():
    job = pushed_at("2026-11-30T12:00:00-05:00", start_at=ms("2026-12-02T08:00:00-05:00"))
    assert not sent(job, "2026-12-02T08:00:01-05:00")
    assert sent(job, "2026-12-03T00:00:01-05:00")


def test_one_that_carries_the_day_that_it_had_to_has_not_moved():
    assert not sent(pushed_at("2026-11-30T12:00:00-05:00", issue_on="2026-12-24"), "2026-12-24T09:00:00-05:00")


def test_one_that_came_in_behind_its_midnight_says_so():
    job = pushed_at("2026-11-30T12:00:00-05:00", issue_on="2026-12-24")
    around = ("2026-12-24T23:59:57-05:00", "2026-12-25T00:00:01-05:00")
    assert not sent(job, *around, issued_at="2026-12-24T23:59:59-05:00")
    (warning,) = sent(job, *around, issued_at="2026-12-25T00:00:00-05:00")
    assert warning["code"] == "date.moved"
    assert "2026-12-24 (issue_on), pero llegó a Factus el 2026-12-25" in warning["message"]


@pytest.mark.parametrize(
    ("issued_at", "is_moved"),
    [
        ("2026-11-30T23:59:59-05:00", False),
        ("2026-12-01T00:00:00-05:00", True),
        (None, True),
        ("2020-01-01T00:00:00-05:00", False),
    ],
)
def test_where_midnight_falls_into_the_sending_factus_decides(issued_at, is_moved):
    job = pushed_at("2026-11-30T23:00:00-05:00")
    around = ("2026-11-30T23:59:59-05:00", "2026-12-01T00:00:02-05:00")
    assert bool(sent(job, *around, issued_at=issued_at)) is is_moved


def test_what_somebody_else_has_sent_is_not_spoken_of():
    assert told_if_moved(pushed_at("2026-11-30T23:00:00-05:00"), VALIDATED, (0, 0), BOGOTA) is VALIDATED


def test_a_rejection_has_no_warnings():
    ending = Finished("rejected", "x")
    day_ms = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert told_if_moved(pushed_at("2026-11-30T23:00:00-05:00"), ending, (day_ms, day_ms), BOGOTA) is ending
