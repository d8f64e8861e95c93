"""One value: its spellings, and the line that says what is wrong with it."""

from __future__ import annotations

import pytest

from jobs.errors import ConfigurationError
from tests.unit.worker.settings.examples import CREDENTIALS
from worker.settings.values import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("60s", 60), ("5m", 300), ("4h", 14400), ("2d", 172800), ("1.5s", 1.5)]
)
def test_durations(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FACTUS_TIMEOUT", "sixty"),
        ("FACTUS_TIMEOUT", "60"),
        ("FACTUS_RATE_LIMIT", "0"),
        ("FACTUS_CONCURRENCY", "x"),
        ("FACTUS_NAMESPACE", "a:b"),
        ("FACTUS_LOG_FORMAT", "xml"),
    ],
)
def test_a_bad_value_is_refused_with_the_variable_s_name(load, name, value):
    with pytest.raises(ConfigurationError, match=name):
        load(**{name: value})


COUNTS = ("RATE_LIMIT", "CONCURRENCY", "LEDGER_DAYS", "RESULTS_MAXLEN")
HUGE = "9" * 5000
NUMBERS = ("0", "-1", "1.5", "nan", "inf", "-inf", "1e400", "1_000", "０", "٣", "true", HUGE, "80 requests", "0x10")
DURATIONS = (
    "0s",
    "-1s",
    "60",
    "nan",
    "inf",
    "infs",
    "1e400s",
    "1e3s",
    "s",
    "60 sec",
    "٣s",
    HUGE + "d",
    "1.s",
    "1 h 2 m",
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in COUNTS for value in NUMBERS),
        *(("METRICS_PORT", value) for value in ("0", "65536", "-1", "x")),
        *(
            (name, value)
            for name in ("RATE_WINDOW", "TIMEOUT", "BACKOFF_BASE", "BACKOFF_MAX", "JOB_DEADLINE", "RADIAN_INTERVAL")
            for value in DURATIONS
        ),
        *(("NAMESPACE", value) for value in ("a:b", "a b", "x" * 65, "ñ", "{x}", "*")),
        *(("LOG_FORMAT", value) for value in ("xml", "JSON", "1")),
        *(("JOBS_SIGNED", value) for value in ("si", "2", "maybe")),
        *(("BASE_URL", value) for value in ("https://api.factus.com.co/v1", "http://api.factus.com.co", "x", "https://a\nb")),
        *(("REDIS_URL", value) for value in ("http://x", "redis://", "redis://:p/w@h", "embedded:", "redis://h:x")),
        ("TIMEOUT", "601s"),
        ("RATE_WINDOW", "25h"),
        ("JOB_DEADLINE", "401d"),
        ("NAMESPACE", "a\nb"),
        ("ACCOUNTS_FILE", "a\x07b"),
        ("REDIS_URL", "redis://\udcff"),
        ("CLIENT_ID", "\udcff"),
        ("CLIENT_SECRET", "in\ntwo lines"),
        ("PASSWORD", "x" * 70_000),
        ("RATE_LIMIT", "x" * 70_000),
    ],
)  # fmt: skip
def test_each_wrong_value_is_one_line_that_names_its_variable(load, name, value):
    with pytest.raises(ConfigurationError) as raised:
        load(**(CREDENTIALS | {f"FACTUS_{name}": value})).accounts()
    told = str(raised.value)
    assert f"FACTUS_{name}" in told
    assert told.isprintable()
    assert len(told) < 400
    assert not any(secret in told for secret in ("s3cr3t", "p4ssw0rd", "two lines"))


@pytest.mark.parametrize(
    ("name", "value", "used"),
    [
        ("RATE_LIMIT", " 40\n", 40),
        ("TIMEOUT", "\t30s\r\n", 30.0),
        ("BASE_URL", "https://api.factus.com.co/\n", "https://api.factus.com.co"),
        ("NAMESPACE", " invoices ", "invoices"),
        ("NAMESPACE", "", "factus"),
        ("NAMESPACE", "  \n", "factus"),
        ("RATE_LIMIT", "", 80),
        ("METRICS_PORT", "off", None),
        ("JOBS_SIGNED", "FALSE", False),
    ],
)
def test_blanks_around_a_value_do_not_count_and_empty_is_unset(load, name, value, used):
    assert getattr(load(**{f"FACTUS_{name}": value}), name.lower()) == used
