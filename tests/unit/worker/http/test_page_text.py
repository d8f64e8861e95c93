"""Texts of others on a page: what is shown of them, and what a viewer reads in a sentence."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.factus import BOGOTA
from worker.http.page.text import long_day, minutes, moment, pieces, shown


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FV-1", "FV-1"),
        ("<b>x</b>", "<b>x</b>"),  # escaped by the templates, and nowhere twice
        ("a\n\t b\r\nc", "a b c"),
        ("pagó\u202e987", "pagó�987"),
        ("a\u2066b\u2069\u200f", "a�b��"),
        ("a\x00b\x1b[31m", "a�b�[31m"),
        ("\ud800", "�"),
        ("e" + "\u0301" * 50, "e\u0301\u0301"),
        ("x" * 41, "x" * 39 + "…"),
        ("", ""),
        (7, "7"),
    ],
)
def test_a_text_is_one_line_that_shows_what_stands_in_it(text: object, told: str) -> None:
    assert shown(text, 40) == told


@settings(max_examples=40)
@given(st.text(alphabet=st.characters(), max_size=100), st.integers(1, 60))
def test_whatever_stands_in_it_it_has_its_length_and_can_be_written(text: str, most: int) -> None:
    told = shown(text, most)
    assert len(told) <= most
    assert told.encode().decode() == told
    assert told.isprintable()


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("nada: se reenvía igual", []),
        ("inicie uno: factus-worker run", ["factus-worker run"]),
        ("pruébelo: factus-worker webhooks test a.b-c; luego webhooks enable", ["factus-worker webhooks test a.b-c"]),
        ("factus-worker dead list; corrija", ["factus-worker dead list"]),
        ("otro proceso factus-worker webhooks, o suba", ["factus-worker webhooks"]),
        ("y 3 más: factus-worker status.", ["factus-worker status"]),
        ("luego factus-worker resume <b>", ["factus-worker resume <b>"]),
        ("", []),
    ],
)
def test_what_is_typed_is_told_apart(text: str, commands: list[str]) -> None:
    assert [part for is_typed, part in pieces(text) if is_typed] == commands
    assert "".join(part for _, part in pieces(text)) == text


def test_instants_are_hours_of_today_and_days_of_others() -> None:
    now = datetime(2026, 11, 30, 23, 40, tzinfo=BOGOTA)
    now_ms = now.timestamp() * 1000
    assert moment(now_ms, BOGOTA, now_ms) == "23:40"
    assert moment(now_ms - 86_400_000, BOGOTA, now_ms) == "29 nov 23:40"
    assert moment(now_ms - 366 * 86_400_000, BOGOTA, now_ms) == "29 nov 2025 23:40"
    assert moment(0, BOGOTA, now_ms) == ""
    assert long_day(now_ms, BOGOTA) == "lunes 30 de noviembre de 2026"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-1, "nada"), (0, "nada"), (59, "menos de 1 min"), (61, "2 min"), (2820, "47 min"), (7500, "2 h 5 min"),
     (7200, "2 h"), (273_600, "3 d 4 h"), (172_800, "2 d")],
)  # fmt: skip
def test_durations_are_whole_minutes_and_what_is_begun_counts(seconds: float, told: str) -> None:
    assert minutes(seconds) == told
