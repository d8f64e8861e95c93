"""Settings: read once, refused early, and never telling a secret."""

from __future__ import annotations

import pytest

from jobs.errors import ConfigurationError
from worker.settings import FACTUS_SANDBOX_URL, environment_for_child, load_settings, parse_duration, unknown_variables

CREDENTIALS = {
    "FACTUS_CLIENT_ID": "id",
    "FACTUS_CLIENT_SECRET": "s3cr3t",
    "FACTUS_USERNAME": "user@example.com",
    "FACTUS_PASSWORD": "p4ssw0rd",
}


@pytest.fixture
def load(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def with_variables(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return with_variables


def test_the_defaults_are_those_of_the_contract(load):
    settings = load()
    assert (settings.redis_url, settings.namespace) == ("redis://127.0.0.1:6379/0", "factus")
    assert (settings.base_url, settings.rate_limit, settings.rate_window) == (FACTUS_SANDBOX_URL, 80, 60.0)
    assert (settings.timeout, settings.backoff_base, settings.backoff_max) == (60.0, 5.0, 300.0)
    assert (settings.concurrency, settings.job_deadline, settings.ledger_days) == (8, 172800.0, 90)
    assert settings.results_maxlen == 1_000_000


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


def test_backoff_must_be_in_order(load):
    with pytest.raises(ConfigurationError, match="FACTUS_BACKOFF_MAX"):
        load(FACTUS_BACKOFF_BASE="10s", FACTUS_BACKOFF_MAX="1s")


def test_the_default_account_comes_from_the_environment_or_from_files(load, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("from-file\n")
    variables = {**CREDENTIALS, "FACTUS_PASSWORD_FILE": str(secret)}
    del variables["FACTUS_PASSWORD"]
    account = load(**variables).accounts()["default"]
    assert account.password.get_secret_value() == "from-file"


def test_an_incomplete_account_names_what_is_missing(load):
    with pytest.raises(ConfigurationError, match="FACTUS_PASSWORD"):
        load(**{name: value for name, value in CREDENTIALS.items() if name != "FACTUS_PASSWORD"}).accounts()


ACCOUNTS = """
[accounts.acme]
client_id = "a"
client_secret = "b"
username = "c"
password = "d"
rate_limit = 40
rate_window = "30s"
own_streams = true

[accounts.beta]
client_id = "a"
client_secret = "b"
username = "c"
password = "hidden"
"""


def test_accounts_of_a_file_fall_back_on_the_common_settings(load, tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_text(ACCOUNTS)
    accounts = load(FACTUS_ACCOUNTS_FILE=str(path), FACTUS_RATE_LIMIT="70", **CREDENTIALS).accounts()
    assert sorted(accounts) == ["acme", "beta", "default"]
    assert (accounts["acme"].rate_limit, accounts["acme"].rate_window, accounts["acme"].own_streams) == (40, 30.0, True)
    assert accounts["beta"].rate_limit == 70


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[accounts.acme]\nclient_id='a'", "acme"),
        (ACCOUNTS + "typo = 1\n", "typo"),
        (ACCOUNTS.replace("40", "-1"), "rate_limit"),
        (ACCOUNTS + "timezone = 'Mars/Phobos'\n", "timezone"),
        (ACCOUNTS + "base_url = 'ftp://x'\n", "base_url"),
        (ACCOUNTS.replace("accounts.acme", "accounts.ACME"), "name"),
        ("not toml", "TOML"),
        ("x = 1", "accounts.NAME"),
    ],
)
def test_a_bad_accounts_file_is_refused_and_tells_no_secret(load, tmp_path, text, told):
    path = tmp_path / "accounts.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as raised:
        load(FACTUS_ACCOUNTS_FILE=str(path)).accounts()
    assert "hidden" not in str(raised.value)


def test_secrets_do_not_show_in_a_repr(load):
    settings = load(**CREDENTIALS)
    assert "s3cr3t" not in repr(settings) + repr(settings.accounts())
    assert "p4ssw0rd" not in repr(settings) + repr(settings.accounts())


def test_a_misspelt_variable_is_found(load):
    assert unknown_variables({"FACTUS_REDIS_ULR": "x", "FACTUS_TIMEOUT": "1s", "PATH": "/"}) == ["FACTUS_REDIS_ULR"]


def test_a_child_gets_the_given_settings_and_none_of_ours(monkeypatch):
    """Production credentials of the caller must not reach a demo's worker."""
    monkeypatch.setenv("FACTUS_PASSWORD", "p4ssw0rd")
    monkeypatch.setenv("FACTUS_TYPO", "x")
    monkeypatch.setenv("PATH", "/bin")
    found = environment_for_child(FACTUS_REDIS_URL="embedded:x")
    assert (found["PATH"], found["FACTUS_REDIS_URL"]) == ("/bin", "embedded:x")
    assert [name for name in found if name.startswith("FACTUS_")] == ["FACTUS_REDIS_URL"]
