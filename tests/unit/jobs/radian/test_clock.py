"""RADIAN's clock: each thing once, nothing early, nothing silent, and few looks."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from jobs.radian.clock import Clock
from jobs.radian.state import ClockState
from jobs.radian_policy import HOUR_MS, RadianPolicy, instant, ms
from schemas.radian.calendar import Calendar
from schemas.radian.term import term_of
from tests.unit.jobs.radian.lives import AtFactus, bogota, live

MONDAY = "2026-11-23T10:00"


def received(at: str = "2026-11-24T15:00", **given) -> AtFactus:
    return AtFactus().has("030", at, **given).has("032", at, **given)


class TestTerm:
    def test_the_receipt_starts_the_clock_with_its_dates_and_the_days_left_out(self):
        life = live(received("2026-04-01T15:00"), "2026-03-31T09:00")
        assert life.data("radian.clock") == {
            "number": "SETP1",
            "cude": "cude-032-1",
            "rules_version": Calendar().version,
            "received_at": "2026-04-01T15:00:00-05:00",
            "claim_until": "2026-04-08T18:00:00-05:00",
            "accepts_from": "2026-04-09T00:00:00-05:00",
            "calendar": [
                {"date": "2026-04-02", "reason": "festivo: Jueves Santo"},
                {"date": "2026-04-03", "reason": "festivo: Viernes Santo"},
                {"date": "2026-04-04", "reason": "sábado"},
                {"date": "2026-04-05", "reason": "domingo"},
            ],
        }

    @pytest.mark.parametrize(
        ("calendar", "accepts_from"),
        [
            (Calendar(), "2026-07-16"),
            (Calendar(removed=frozenset({date(2026, 7, 13)})), "2026-07-15"),
            (Calendar(saturday=True), "2026-07-15"),
            (Calendar(added=frozenset({date(2026, 7, 14)})), "2026-07-17"),
        ],
    )
    def test_what_is_unsettled_is_corrected_by_the_operator(self, calendar, accepts_from):
        life = live(received("2026-07-09T16:00"), "2026-07-08T09:00", policy=RadianPolicy(calendar=calendar))
        assert life.data("radian.clock")["accepts_from"][:10] == accepts_from
        assert life.data("radian.clock")["rules_version"] == calendar.version
        assert life.at("radian.due").date().isoformat() == accepts_from

    def test_a_receipt_counts_from_its_own_time_not_from_when_it_is_shown(self):
        life = live(received("2026-11-23T11:00", seen="2026-11-25T11:00"), MONDAY)
        assert life.data("radian.clock")["received_at"] == "2026-11-23T11:00:00-05:00"
        assert life.at("radian.due").date() == date(2026, 11, 27)

    def test_a_receipt_of_long_ago_is_due_in_the_look_that_finds_it(self):
        life = live(received("2026-11-02T11:00", seen="2026-11-24T12:00"), MONDAY)
        assert life.at("radian.due") == life.at("radian.clock")

    @pytest.mark.parametrize("odd", ["9999-12-31T23:59", "2030-01-01T10:00"])
    def test_a_receipt_far_in_the_future_counts_from_when_it_was_seen(self, odd):
        life = live(AtFactus().has("032", odd, seen="2026-11-23T12:00"), MONDAY)
        seen_at = instant(life.looks_ms[0])
        assert life.data("radian.clock")["received_at"][:10] == seen_at.date().isoformat()

    def test_of_two_receipts_in_one_look_the_later_one_counts(self):
        factus = AtFactus().has("032", "2026-11-23T09:00").has("032", "2026-11-24T09:00", seen=MONDAY, n=2)
        life = live(factus, MONDAY)
        assert life.data("radian.clock")["received_at"][:10] == "2026-11-24"
        assert life.told["radian.clock"] == 1

    def test_a_calendar_that_never_ends_has_no_date_and_is_no_defect(self):
        every_day = frozenset(date(2026, 11, 24) + timedelta(days=n) for n in range(2000))
        life = live(received(), MONDAY, policy=RadianPolicy(calendar=Calendar(added=every_day)), emits=True)
        assert (life.told["radian.due"], life.factus.sent_ms) == (0, [])


class TestDue:
    def test_it_is_told_in_the_morning_when_nobody_has_spoken(self):
        life = live(received(), MONDAY)
        assert life.at("radian.due") == bogota("2026-11-28T06:00")
        assert life.data("radian.due")["cude"] == "cude-032-1"
        assert life.data("radian.due")["emits"] is False

    @pytest.mark.parametrize(("code", "type_"), [("031", "radian.claimed"), ("033", "radian.accepted")])
    def test_a_word_of_the_last_minute_keeps_it_from_being_due(self, code, type_):
        life = live(received().has(code, "2026-11-27T17:59"), MONDAY, emits=True)
        assert (life.told["radian.due"], life.told[type_], life.factus.sent_ms) == (0, 1, [])

    def test_the_look_is_fresh(self):
        """Nothing that an earlier look did not show is a reason to call a bill due."""
        life = live(received().has("031", "2026-11-28T05:59"), MONDAY)
        assert life.told["radian.due"] == 0


class TestAcceptance:
    def test_it_goes_out_on_the_day_itself_between_eight_and_six(self):
        life = live(received(), MONDAY, emits=True)
        (sent_ms,) = life.factus.sent_ms
        assert instant(sent_ms) == bogota("2026-11-28T08:00")
        assert life.data("radian.accepted") | {"occurred_at": None} == {
            "number": "SETP1",
            "cude": "cude-034-1",
            "rules_version": Calendar().version,
            "kind": "tacit",
            "occurred_at": None,
        }
        assert life.told["radian.due"] == 1

    def test_factus_that_declares_it_by_itself_gets_no_second_one(self):
        life = live(received().has("034", "2026-11-28T03:00"), MONDAY, emits=True)
        assert (life.factus.sent_ms, life.told["radian.accepted"], life.told["radian.due"]) == ([], 1, 0)

    def test_one_that_does_not_show_is_sent_three_times_an_hour_apart_and_then_told(self):
        factus = received()
        factus.shows_after = None
        life = live(factus, MONDAY, emits=True)
        first, second, third = factus.sent_ms
        assert second - first >= HOUR_MS
        assert third - second >= HOUR_MS
        unconfirmed = life.at("radian.unconfirmed")
        assert unconfirmed - instant(first) >= timedelta(hours=24)
        assert unconfirmed - instant(first) < timedelta(hours=25)
        assert "Factus la recibió" in life.data("radian.unconfirmed")["reason"]

    def test_one_that_shows_after_it_was_given_up_is_an_acceptance_all_the_same(self):
        factus = received()
        factus.shows_after = timedelta(days=3)
        life = live(factus, MONDAY, emits=True)
        assert (life.told["radian.unconfirmed"], life.told["radian.accepted"]) == (1, 1)

    def test_one_that_takes_half_an_hour_is_not_sent_again(self):
        factus = received()
        factus.shows_after = timedelta(minutes=30)
        life = live(factus, MONDAY, emits=True)
        assert (len(factus.sent_ms), life.told["radian.unconfirmed"]) == (1, 0)

    def test_a_refusal_is_told_after_one_more_look_and_nothing_is_sent_any_more(self):
        factus = received()
        factus.refusal = "Factus respondió 422: falta la persona"
        life = live(factus, MONDAY, emits=True)
        (sent_ms,) = factus.sent_ms
        assert life.data("radian.unconfirmed")["reason"] == factus.refusal
        assert life.at("radian.unconfirmed") - instant(sent_ms) < timedelta(seconds=1)

    def test_a_refusal_because_somebody_has_just_spoken_is_no_failure(self):
        factus = received().has("033", "2026-11-28T08:00:00.001")
        factus.refusal = "Factus respondió 422: La factura ya tiene un evento de aceptación o reclamo"
        life = live(factus, MONDAY, emits=True)
        assert (life.told["radian.unconfirmed"], life.told["radian.accepted"]) == (0, 1)

    @pytest.mark.parametrize("hour", [0, 5, 7, 18, 19, 23])
    def test_a_turn_that_comes_at_any_hour_sends_at_none_but_the_right_ones(self, hour):
        life = live(
            received("2026-11-10T10:00", seen=f"2026-11-24T{hour:02}:30"),
            f"2026-11-24T{hour:02}:29",
            emits=True,
            policy=RadianPolicy(interval_s=60),
        )
        (sent_ms,) = life.factus.sent_ms
        assert 8 <= instant(sent_ms).hour < 18


class TestSilence:
    def test_no_receipt_in_ten_days_is_told_once_and_watching_goes_on(self):
        life = live(AtFactus().has("030", "2026-11-24T15:00").has("032", "2026-12-20T09:00"), MONDAY)
        assert life.told["radian.silent"] == 1
        assert life.at("radian.silent") - bogota(MONDAY) >= timedelta(days=10)
        assert life.at("radian.silent") - bogota(MONDAY) < timedelta(days=10, hours=11)
        assert life.told["radian.clock"] == life.told["radian.due"] == 1

    def test_a_receipt_in_the_same_look_is_no_silence(self):
        life = live(received("2026-11-30T09:00", seen="2026-12-03T09:59"), MONDAY)
        assert life.told["radian.silent"] == 0


class TestLateEvents:
    def test_a_receipt_that_shows_after_the_acceptance_is_told_as_well(self):
        factus = AtFactus().has("033", "2026-11-24T16:00").has("032", "2026-11-24T15:00", seen="2026-11-25T06:00")
        life = live(factus, MONDAY)
        assert [one.data["event_code"] for _, one in life.news if one.type == "radian.event"] == ["033", "032"]
        assert life.told["radian.accepted"] == life.told["radian.clock"] == 1
        assert life.told["radian.due"] == 0

    def test_one_that_never_shows_keeps_no_watch_open(self):
        life = live(AtFactus().has("033", "2026-11-24T16:00"), MONDAY)
        assert len(life.looks_ms) < 8
        assert life.clock.is_over(life.state)

    def test_what_is_listed_twice_and_in_another_order_is_told_once(self):
        factus = received().has("034", "2026-11-28T03:00")
        factus.shown = [*reversed(factus.shown), *factus.shown]
        life = live(factus, MONDAY)
        assert set(life.told.values()) <= {1, 6}
        assert life.told["radian.clock"] == life.told["radian.accepted"] == 1


class TestFrugality:
    def test_ten_days_in_which_nothing_happens_cost_eight_calls_at_most_and_none_at_night(self):
        for hour in range(24):
            life = live(AtFactus(), f"2026-11-23T{hour:02}:17", lasts_ms=10 * 24 * HOUR_MS + 12 * HOUR_MS)
            assert life.told["radian.silent"] == 1
            assert life.n_calls <= 8, hour
            assert all(6 <= instant(at_ms).hour < 20 for at_ms in life.looks_ms)

    def test_a_whole_course_is_cheap(self):
        assert live(received(), MONDAY, emits=True).n_calls <= 9
        assert live(received().has("033", "2026-11-26T10:00"), MONDAY).n_calls <= 6

    def test_somebody_who_looks_every_second_gets_that_day_and_night(self):
        life = live(AtFactus(), "2026-11-23T22:00", policy=RadianPolicy(interval_s=1), lasts_ms=20_000)
        assert len(life.looks_ms) == 19

    def test_no_pause_is_longer_than_a_term(self):
        """A receipt of just after a look is seen before its date, whatever the interval that was asked for."""
        for interval_s in (3600, 4 * 3600, 24 * 3600, 30 * 24 * 3600):
            life = live(AtFactus(), MONDAY, policy=RadianPolicy(interval_s=interval_s))
            longest = max(b - a for a, b in zip(life.looks_ms, life.looks_ms[1:], strict=False))
            assert longest <= 58 * HOUR_MS + 1


class TestOrder:
    def test_the_nearest_date_goes_first(self):
        life = live(received(), MONDAY, lasts_ms=3 * 24 * HOUR_MS)
        clock, state = life.clock, life.state
        assert state.received
        assert not state.due_at_ms
        latest = clock.latest_ms(state, clock.next_ms(state, state.looked_at_ms))
        accepts_from = term_of(bogota("2026-11-24T15:00"), Calendar()).accepts_from
        assert instant(latest) == accepts_from + timedelta(hours=9)
        idle = live(AtFactus(), "2026-11-27T10:00", lasts_ms=24 * HOUR_MS)
        assert idle.clock.latest_ms(idle.state, idle.clock.next_ms(idle.state, idle.state.looked_at_ms)) > latest

    @pytest.mark.parametrize(
        ("looked", "latest"),
        [
            ("2026-11-23T10:00", "2026-11-27T10:00"),
            ("2026-11-26T10:00", "2026-12-02T10:00"),
            ("2026-04-01T15:00", "2026-04-09T10:00"),
        ],
        ids=["monday", "thursday", "the eve of Easter"],
    )
    def test_a_bill_without_receipt_has_the_date_of_a_receipt_that_came_after_the_last_look(self, looked, latest):
        clock = Clock(RadianPolicy(), 0)
        state = ClockState(number="SETP1", looked_at_ms=ms(bogota(looked)))
        assert instant(clock.latest_ms(state, ms(bogota(looked)) + 1)) == bogota(latest)
        later = ms(bogota(latest)) + 1
        assert clock.latest_ms(state, later) == later

    def test_where_looks_are_few_most_due_dates_are_told_by_nine(self):
        """
        400 bills ask every two days, and there are 168 looks a day; 20 bills are received each day. In the order of
        their asking 75 of 400 were told by nine.
        """
        clock, start_ms, day_ms = Clock(RadianPolicy(), 0), ms(bogota("2026-11-02T00:00")), 24 * HOUR_MS
        states = [
            ClockState(number=str(n), n_looks=9, silent_at_ms=1, looked_at_ms=start_ms - day_ms) for n in range(400)
        ]
        receipts = [start_ms + n * 7 % 20 * day_ms + n % 24 * HOUR_MS for n in range(400)]
        planned = [start_ms + n % 48 * HOUR_MS for n in range(400)]
        after_ms = []
        for hour in range(40 * 24):
            now_ms = start_ms + hour * HOUR_MS
            if clock.policy.awake_ms(now_ms) > now_ms:
                continue
            waiting = sorted((clock.latest_ms(states[n], at), n) for n, at in enumerate(planned) if at <= now_ms)
            for _, n in waiting[:12]:
                shown = AtFactus().has("032", instant(receipts[n])) if receipts[n] <= now_ms else AtFactus()
                states[n], news = clock.after_look(states[n], shown.look(now_ms), now_ms)
                after_ms += [now_ms - clock.accepts_from_ms(states[n]) for one in news if one.type == "radian.due"]
                planned[n] = max(clock.next_ms(states[n], now_ms), now_ms + 1)
        assert len(after_ms) == 400
        assert sum(ms_ <= 9 * HOUR_MS for ms_ in after_ms) >= 340
        assert max(after_ms) < 20 * HOUR_MS, "all others on their day"
