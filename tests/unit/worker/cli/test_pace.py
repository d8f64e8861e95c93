"""How quickly jobs end: a pace that is the last minute's, and words that say it in both languages."""

from __future__ import annotations

from worker.cli.submit.pace import Pace, pace_words
from worker.speech import ENGLISH, SPANISH


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def a_pace(clock: Clock, *seen: tuple[float, int]) -> Pace:
    pace = Pace(clock)
    for now, n_final in seen:
        clock.now = now
        pace.note(n_final)
    return pace


def test_nothing_is_said_before_it_can_be_told() -> None:
    pace = a_pace(Clock(), (0.0, 0), (1.0, 5))
    assert (pace.per_minute, pace.left_s(10)) == (0.0, None)
    assert pace_words(10, pace, SPANISH) == "10 en espera"
    assert pace_words(0, pace, SPANISH) == ""


def test_pace_is_that_of_the_last_minute() -> None:
    seen = [(float(s), s if s <= 120 else 120 + (s - 120) // 2) for s in range(301)]
    pace = a_pace(Clock(), *seen)
    assert 28 <= pace.per_minute <= 32
    assert 55 <= (pace.left_s(30) or 0) <= 65


def test_words_say_pace_and_time_left_in_both_languages() -> None:
    pace = a_pace(Clock(), (0.0, 0), (60.0, 60))
    assert pace_words(1240, pace, SPANISH) == "1.240 en espera · 60 por minuto · faltan unos 20 min 40 s"
    assert pace_words(1240, pace, ENGLISH) == "1,240 waiting · 60 a minute · about 20 min 40 s left"
    assert "faltan" not in pace_words(1240, pace, SPANISH, is_left_told=True)
