"""Files that settings come from: secrets, accounts and ``.env``, and what is said of one that cannot be read."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from jobs.errors import ConfigurationError
from tests.unit.worker.settings.examples import ACCOUNTS, CREDENTIALS
from worker.settings.environment import load_settings

UTF16 = "FACTUS_NAMESPACE=x\n".encode("utf-16")


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
