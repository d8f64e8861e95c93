"""Accounts: the common one, those of a file, and who declares for them."""

from __future__ import annotations

import pytest

from jobs.errors import ConfigurationError
from tests.unit.worker.settings.examples import ACCOUNTS, CREDENTIALS
from worker.settings.model import FACTUS_SANDBOX_URL


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


BETA = ACCOUNTS.rpartition("[accounts.beta]")[2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (ACCOUNTS.replace("rate_limit", "ratelimit"), r"ratelimit is no setting; did you mean rate_limit\?"),
        (ACCOUNTS.replace("client_secret", "cliente_secreto"), r"cliente_secreto is no setting"),
        (ACCOUNTS + "name = 'x'\n", "name is no setting"),
        (ACCOUNTS.replace('password = "hidden"', ""), "accounts.beta lacks password"),
        (ACCOUNTS.replace('"hidden"', '" "'), "accounts.beta lacks password"),
        (ACCOUNTS.replace('"hidden"', "7"), "password"),
        (ACCOUNTS.replace('"hidden"', '"hid\\nden"'), "beta: password: holds a line break"),
        (ACCOUNTS.replace("40", "true"), "rate_limit"),
        (ACCOUNTS.replace("40", "nan"), "rate_limit"),
        (ACCOUNTS.replace("40", "9" * 30), "rate_limit"),
        (ACCOUNTS.replace("40", "9" * 6000), "is not TOML"),
        (ACCOUNTS.replace('"30s"', "inf"), "rate_window"),
        (ACCOUNTS.replace('"30s"', "-1"), "rate_window"),
        (ACCOUNTS + "timezone = '../../../etc/passwd'\n", "timezone"),
        (ACCOUNTS + "timezone = '/etc/localtime'\n", "timezone"),
        (ACCOUNTS + "timezone = 'America'\n", "timezone"),
        (ACCOUNTS + "timezone = 'zone.tab'\n", "timezone"),
        (ACCOUNTS + "timezone = 'America/Bogot\\u00e1'\n", "timezone"),
        (ACCOUNTS + "base_url = 'https://api.factus.com.co/v1'\n", "the right value is https://api.factus.com.co"),
        (ACCOUNTS + "own_streams = 'perhaps'\n", "own_streams"),
        ("x = " + "[" * 5000, "is not TOML"),
        ("[accounts.acme]\npassword = hidden\n", "line 2, column 12"),
        ("accounts = 1", "accounts.NAME"),
        ("[accounts]\nacme = 1", "is not a table"),
        ('[accounts."a\\u001bb"]\n' + BETA, "accounts"),
        ("", "accounts.NAME"),
    ],
)
def test_what_is_wrong_in_the_accounts_file_is_told_with_file_account_and_key(load, tmp_path, text, told):
    path = tmp_path / "accounts.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as raised:
        load(FACTUS_ACCOUNTS_FILE=str(path)).accounts()
    assert f"FACTUS_ACCOUNTS_FILE: {path}" in str(raised.value)
    assert "hid" not in str(raised.value)


def test_an_accounts_file_may_have_a_mark(load, tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_bytes(b"\xef\xbb\xbf" + ACCOUNTS.encode())
    assert sorted(load(FACTUS_ACCOUNTS_FILE=str(path)).accounts()) == ["acme", "beta"]


def test_an_account_says_which_factus_it_is(load):
    for url, environment in (
        ("https://api.factus.com.co", "production"),
        (FACTUS_SANDBOX_URL, "sandbox"),
        ("http://127.0.0.1:1", "local"),
    ):
        assert load(**CREDENTIALS, FACTUS_BASE_URL=url).accounts()["default"].environment == environment


PERSON = """
[accounts.acme.radian_person]
identification_document_code = "31"
identification = "900100200"
first_name = "Ana"
last_name = "Gómez"
"""


def test_who_declares_tacit_acceptances_stands_with_its_account(load, tmp_path):
    file = tmp_path / "accounts.toml"
    file.write_text(ACCOUNTS + PERSON.replace("31", "13", 1), encoding="utf-8")
    account = load(FACTUS_ACCOUNTS_FILE=str(file)).accounts()["acme"]
    assert account.radian_person == {
        "identification_document_code": "13",
        "identification": "900100200",
        "first_name": "Ana",
        "last_name": "Gómez",
    }
    assert "900100200" not in repr(account)


@pytest.mark.parametrize(
    ("person", "told"),
    [
        (PERSON, "dv"),
        (PERSON.replace('first_name = "Ana"', ""), "first_name"),
        (PERSON + 'number = "SETP1"\n', "number"),
        (PERSON + 'surname = "X"\n', "surname"),
        ("radian_person = 5\n", "radian_person"),
    ],
)
def test_a_person_that_factus_would_not_take_is_refused_at_the_start(load, tmp_path, person, told):
    file = tmp_path / "accounts.toml"
    file.write_text(ACCOUNTS + person, encoding="utf-8")
    with pytest.raises(ConfigurationError) as found:
        load(FACTUS_ACCOUNTS_FILE=str(file)).accounts()
    assert told in str(found.value)
    assert "900100200" not in str(found.value)
