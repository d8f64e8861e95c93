"""The settings as a whole: defaults, what must fit together, and that no secret shows."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jobs.errors import ConfigurationError
from tests.unit.worker.settings.examples import CREDENTIALS
from worker.settings.model import FACTUS_SANDBOX_URL, Settings


def test_the_defaults_are_those_of_the_contract(load):
    settings = load()
    assert (settings.redis_url, settings.namespace) == ("redis://127.0.0.1:6379/0", "factus")
    assert (settings.base_url, settings.rate_limit, settings.rate_window) == (FACTUS_SANDBOX_URL, 80, 60.0)
    assert (settings.timeout, settings.backoff_base, settings.backoff_max) == (60.0, 5.0, 300.0)
    assert (settings.concurrency, settings.job_deadline, settings.ledger_days) == (8, 172800.0, 90)
    assert settings.results_maxlen == 1_000_000


def test_backoff_must_be_in_order(load):
    with pytest.raises(ConfigurationError, match="FACTUS_BACKOFF_MAX"):
        load(FACTUS_BACKOFF_BASE="10s", FACTUS_BACKOFF_MAX="1s")


def test_secrets_do_not_show_in_a_repr(load):
    settings = load(**CREDENTIALS)
    assert "s3cr3t" not in repr(settings) + repr(settings.accounts())
    assert "p4ssw0rd" not in repr(settings) + repr(settings.accounts())


def test_no_password_shows_in_a_repr_or_an_error_of_pydantic(load):
    settings = load(FACTUS_REDIS_URL="redis://u:s3cr3t@h/0?password=p4ssw0rd", FACTUS_ARCHIVE_URL="s3://k:s3cr3t@b/p")
    assert "s3cr3t" not in repr(settings)
    assert "p4ssw0rd" not in repr(settings)
    with pytest.raises(ValidationError) as raised:
        Settings(redis_url="redis://u:s3c/r3t@h")
    assert "r3t" not in str(raised.value)


def test_the_calendar_of_the_term_is_corrected_by_settings(load):
    settings = load(
        FACTUS_RADIAN_SATURDAY="true",
        FACTUS_HOLIDAYS_ADD="2026-12-24, 2026-12-31",
        FACTUS_HOLIDAYS_REMOVE="2026-07-13",
        FACTUS_RADIAN_SILENT_AFTER="5d",
    )
    calendar = settings.calendar
    assert calendar.saturday
    assert sorted(map(str, calendar.added)) == ["2026-12-24", "2026-12-31"]
    assert sorted(map(str, calendar.removed)) == ["2026-07-13"]
    assert settings.radian_silent_after == 5 * 86_400


@pytest.mark.parametrize("value", ["13 julio", "2026-7-13", "2026-02-30", "2026-07-13;2026-07-20"])
def test_a_holiday_that_is_no_date_names_its_variable(load, value):
    with pytest.raises(ConfigurationError, match="FACTUS_HOLIDAYS_ADD: dates with commas"):
        load(FACTUS_HOLIDAYS_ADD=value)
