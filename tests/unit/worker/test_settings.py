"""Settings: read once, refused early, and never telling a secret."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs.errors import ConfigurationError
from worker.settings.environment import environment_for_child, load_settings, nearest_variables, unknown_variables
from worker.settings.model import FACTUS_SANDBOX_URL, Settings
from worker.settings.values import parse_duration

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


# -- one line for whatever is wrong ------------------------------------------------------------------------------------
UTF16 = "FACTUS_NAMESPACE=x\n".encode("utf-16")
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


def test_secrets_are_trimmed_alike_from_the_environment_files_and_accounts(load, tmp_path):
    (tmp_path / "secret").write_bytes(b"\xef\xbb\xbf  p4ssw0rd \r\n\n")
    variables = {name: f" {value}\r\n" for name, value in CREDENTIALS.items() if name != "FACTUS_PASSWORD"}
    (tmp_path / "accounts.toml").write_text(ACCOUNTS.replace('"hidden"', '"  hidden\\n"'))
    found = load(
        **variables,
        FACTUS_PASSWORD=" ",
        FACTUS_PASSWORD_FILE=str(tmp_path / "secret"),
        FACTUS_ACCOUNTS_FILE=str(tmp_path / "accounts.toml"),
    ).accounts()
    values = [getattr(found["default"], name).get_secret_value() for name in ("client_id", "client_secret", "username")]
    assert values == ["id", "s3cr3t", "user@example.com"]
    assert found["default"].password.get_secret_value() == "p4ssw0rd"
    assert found["beta"].password.get_secret_value() == "hidden"


def test_an_empty_file_variable_is_unset_and_the_message_names_what_is_missing(load):
    """FACTUS_PASSWORD_FILE= was read as the folder ".", and the message said nothing of it."""
    with pytest.raises(ConfigurationError, match=r"lacks FACTUS_PASSWORD$"):
        load(**(CREDENTIALS | {"FACTUS_PASSWORD": "", "FACTUS_PASSWORD_FILE": ""})).accounts()


def make_folder(path):
    path.mkdir()


def make_fifo(path):
    os.mkfifo(path)


def make_link_to_nowhere(path):
    path.symlink_to("nowhere")


def make_link_to_dev_zero(path):
    path.symlink_to("/dev/zero")


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def containing(content):
    return lambda path: path.write_bytes(content)


NO_FILES = [
    (make_folder, "folder"),
    (make_fifo, "pipe"),
    (make_link_to_nowhere, "No such file"),
    (make_link_to_dev_zero, "device"),
    (make_socket, "socket"),
    (containing(b"x" * 2_000_000), "larger than"),
    (containing("clave=contraseña\n".encode("latin-1")), "not UTF-8"),
    (containing(UTF16), "UTF-16"),
    (containing(b"\xfe\xff\x00x"), "UTF-16"),
    (containing(b"a = 1\0"), "NUL"),
    (containing(b"\x7fELF\x02\x01\x01\0\0"), "NUL"),
    (containing(b"\x80\x81\x82"), "not UTF-8"),
]


@pytest.mark.parametrize(("make", "told"), NO_FILES, ids=[f"{n} {told}" for n, (_, told) in enumerate(NO_FILES)])
@pytest.mark.parametrize("variable", ["FACTUS_ACCOUNTS_FILE", "FACTUS_PASSWORD_FILE", ".env"])
def test_a_file_that_cannot_be_read_is_one_line_that_names_it(load, tmp_path, variable, make, told):
    path = tmp_path / (".env" if variable == ".env" else "given")
    make(path)
    with pytest.raises(ConfigurationError, match=told) as raised:
        load(**({} if variable == ".env" else {**CREDENTIALS, "FACTUS_PASSWORD": "", variable: str(path)})).accounts()
    assert variable in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["a\0b", "\udcff", "x" * 5000, "/", "."])
def test_a_path_that_is_none_is_one_line(load, name, monkeypatch):
    with pytest.raises(ConfigurationError, match="FACTUS_ACCOUNTS_FILE"):
        load_settings(accounts_file=Path(name)).accounts()


def test_an_unreadable_file_is_named(load, tmp_path, monkeypatch):
    """Without rights; tests may run as root, to whom every file is readable."""

    def refuse(*_arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("worker.bounded_files.os.open", refuse)
    with pytest.raises(ConfigurationError, match="FACTUS_ACCOUNTS_FILE: /x: Permission denied"):
        load(FACTUS_ACCOUNTS_FILE="/x").accounts()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FACTUS_PASSWORD: p4ssw0rd\n", "line 1"),
        ("# fine\nFACTUS_PASSWORD='p4ssw0rd\n", "line 2"),
        ("A=1\n= p4ssw0rd\n", "line 2"),
        ("FACTUS_RATE_LIMIT=x\n", "FACTUS_RATE_LIMIT"),
    ],
)
def test_a_line_of_the_env_file_that_cannot_be_read_is_told_by_its_number(load, tmp_path, text, told):
    (tmp_path / ".env").write_text(text)
    with pytest.raises(ConfigurationError, match=told) as raised:
        load()
    assert "p4ssw0rd" not in str(raised.value)


def test_the_env_file_may_have_a_mark_and_any_line_ends(load, tmp_path):
    (tmp_path / ".env").write_bytes(b'\xef\xbb\xbfFACTUS_NAMESPACE=mine\r\nexport FACTUS_RATE_LIMIT="7"\r\n')
    assert (load().namespace, load().rate_limit) == ("mine", 7)
    assert load(FACTUS_NAMESPACE="other").namespace == "other"
    assert load(FACTUS_NAMESPACE=" ").namespace == "mine"  # empty is unset, here as well


def test_names_that_mean_nothing_are_told_with_the_nearest(load, tmp_path):
    (tmp_path / ".env").write_text("FACTUS_RATELIMIT=1\nOTHER=2\nFACTUS-TIMEOUT=3s\n")
    load(FACTUS_REDIS_ULR="x", FACTUS_ZZZ="y")
    found = unknown_variables()
    assert found == ["FACTUS-TIMEOUT", "FACTUS_RATELIMIT", "FACTUS_REDIS_ULR", "FACTUS_ZZZ"]
    assert nearest_variables(found) == [
        "FACTUS-TIMEOUT is no setting; did you mean FACTUS_TIMEOUT?",
        "FACTUS_RATELIMIT is no setting; did you mean FACTUS_RATE_LIMIT?",
        "FACTUS_REDIS_ULR is no setting; did you mean FACTUS_REDIS_URL?",
        "FACTUS_ZZZ is no setting",
    ]


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


def test_no_password_shows_in_a_repr_or_an_error_of_pydantic(load):
    settings = load(FACTUS_REDIS_URL="redis://u:s3cr3t@h/0?password=p4ssw0rd", FACTUS_ARCHIVE_URL="s3://k:s3cr3t@b/p")
    assert "s3cr3t" not in repr(settings)
    assert "p4ssw0rd" not in repr(settings)
    with pytest.raises(ValidationError) as raised:
        Settings(redis_url="redis://u:s3c/r3t@h")
    assert "r3t" not in str(raised.value)


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
