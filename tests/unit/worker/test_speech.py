"""Two languages, Colombian numbers, one form of time."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from jobs.errors import ConfigurationError
from worker.settings.environment import load_settings, spoken_language
from worker.settings.model import Settings
from worker.speech import ENGLISH, SPANISH, clock, iso, span

BOGOTA = ZoneInfo("America/Bogota")
AT = 1_795_938_190_512


def test_numbers_are_colombian_in_spanish() -> None:
    assert (SPANISH.count(1_234_567), SPANISH.money(Decimal("162090220.11"))) == ("1.234.567", "162.090.220,11")
    assert (ENGLISH.count(1_234_567), ENGLISH.money(Decimal("162090220.11"))) == ("1,234,567", "162,090,220.11")


def test_one_thing_and_many() -> None:
    assert [SPANISH.jobs(n) for n in (0, 1, 2000)] == ["0 trabajos", "1 trabajo", "2.000 trabajos"]
    assert ENGLISH.documents(1) == "1 document"


def test_time_has_one_form_with_its_offset() -> None:
    assert clock(AT, BOGOTA) == "2026-11-29 02:43:10 -05:00"
    assert (clock(0, BOGOTA), iso(0, BOGOTA)) == ("-", None)


@pytest.mark.parametrize(("value", "language"), [("es", "es"), ("EN", "en"), ("es_CO.UTF-8", "es"), ("en-US", "en")])
def test_the_language_is_a_setting(value: str, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTUS_LANG", value)
    assert spoken_language() == language == load_settings().lang


def test_without_it_people_are_spoken_to_in_spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACTUS_LANG", raising=False)
    assert (spoken_language(), Settings().lang) == ("es", "es")


def test_a_language_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTUS_LANG", "fr")
    with pytest.raises(ConfigurationError, match="FACTUS_LANG"):
        spoken_language()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (273_600, "3 d 4 h")]
)
def test_spans_are_read_at_a_glance(seconds: float, text: str) -> None:
    assert span(seconds) == text
