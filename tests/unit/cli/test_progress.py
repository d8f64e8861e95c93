"""What a waiting submit shows: figures that add up, a pace that is the last minute's, lines that fit."""

from __future__ import annotations

from tests.unit.cli.test_submitting import a_job
from worker.cli.speech import ENGLISH, SPANISH
from worker.cli.submit.progress import Pace, Tally, bar_line, line_of, tally_of
from worker.cli.submit.push import Outcome, Pushed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def ended(type_: str) -> Pushed:
    return Pushed(a_job(), "1-0", Outcome(type_, type_.endswith(("validated", "completed"))))


def test_every_job_is_counted_once() -> None:
    types = ("invoice.validated", "invoice.rejected", "job.refused", "invoice.failed", "invoice.get.completed")
    tally = tally_of([*map(ended, types), Pushed(a_job(), "2-0")], 10)
    assert (tally.n_good, tally.n_rejected, tally.n_failed, tally.n_waiting) == (2, 2, 1, 5)


def test_pace_is_that_of_the_last_minute() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(0)
    assert (pace.per_minute, pace.left_s(10)) == (0.0, None)
    for second in range(1, 301):
        clock.now = float(second)
        pace.note(second if second <= 120 else 120 + (second - 120) // 2)
    assert 28 <= pace.per_minute <= 32
    assert pace.left_s(30) is not None
    assert 55 <= (pace.left_s(30) or 0) <= 65


def test_line_says_pace_and_time_left_in_both_languages() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(0)
    clock.now = 60.0
    pace.note(60)
    tally = Tally(1300, 58, 2, 0)
    assert line_of(tally, pace, SPANISH) == (
        "60 de 1.300: 58 validados, 2 rechazados, 1.240 en espera; 60 por minuto, faltan 20 min 40 s"
    )
    assert line_of(tally, pace, ENGLISH).endswith("1,240 waiting; 60 a minute, left 20 min 40 s")


def test_no_line_is_wider_than_the_terminal() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note(0)
    clock.now = 60.0
    pace.note(999)
    tally = Tally(200_000, 99_999, 11_111, 2_222)
    for columns in (80, 100, 140):
        assert max(map(len, bar_line(tally, pace, SPANISH, columns).splitlines())) <= columns
