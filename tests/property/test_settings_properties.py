"""Whatever stands in the environment or in a file of settings: values that can be used, or one line that names it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jobs.errors import ConfigurationError
from worker.addresses import factus_address, redis_address, shown
from worker.settings.environment import load_settings, nearest_variables, unknown_variables
from worker.settings.model import Settings
from worker.store import connection

NAMES = sorted(f"FACTUS_{name.upper()}" for name in Settings.model_fields)
# What the environment can hold: no NUL, and bytes that are no UTF-8 as lone surrogates.
TEXT = st.text(
    st.one_of(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), st.sampled_from("\udcff\udc80"))
)
PIECES = (
    "redis rediss unix sentinel embedded https http file s3 :// : / @ # ? & = % %zz [ ] ::1 h password s3cr3t ssl true "
    "0 6379 99999 1e400 nan - ms s d .. \\ , é \u202e \x1b api.factus.com.co"
)
NEARLY = st.lists(st.sampled_from([*PIECES.split(" "), " ", "\n", "\t"]), max_size=12).map("".join)
STARTS = ["redis://h", "rediss://u:p@h", "unix:///s", "sentinel://h/m"]


def refusal(call: Callable[[], object]) -> str:
    """Why it was refused, "" where it was not. Any other exception is a defect."""
    try:
        call()
    except ConfigurationError as exc:
        return str(exc)
    except ValueError as exc:
        if type(exc) is not ValueError:
            raise
        return str(exc)
    return ""


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("settings"))
        yield


@given(st.dictionaries(st.sampled_from(NAMES), TEXT | NEARLY, min_size=1, max_size=4))
@settings(max_examples=300)
def test_any_text_in_any_variable_is_used_or_refused_in_one_line(variables: dict[str, str]) -> None:
    with mock.patch.dict(os.environ, variables):
        told = refusal(lambda: load_settings().accounts())
    # Names of files are shown as they are, and made printable where the line is written (worker/__main__.py).
    assert not told or "FACTUS_" in told
    assert len(told) < 2500


@given(TEXT | NEARLY)
@settings(max_examples=500)
@example("redis://u:s3cr3t@h/0?password=s3cr3t")
@example("redis://[::1")
@example("http://[")
def test_any_address_is_used_or_refused_without_being_repeated(text: str) -> None:
    assert refusal(lambda: factus_address(text)).isprintable()
    assert refusal(lambda: redis_address(text)).isprintable()
    assert "\n" not in shown(text)


@given(st.builds("{}{}".format, st.sampled_from(["redis://", "rediss://", "unix://", "sentinel://"]), NEARLY))
@settings(max_examples=500)
def test_no_part_of_a_redis_url_before_an_at_sign_is_shown(text: str) -> None:
    assert "s3cr3t" not in shown(text) or "s3cr3t" in text.rpartition("@")[2]


@given(st.builds("{}{}".format, st.sampled_from(STARTS), NEARLY))
@settings(max_examples=200)
def test_a_client_is_made_or_the_url_is_refused(text: str) -> None:
    told = refusal(lambda: connection.connect(text))
    assert not told or told.startswith("FACTUS_REDIS_URL: ")


@given(st.binary() | TEXT.map(lambda text: text.encode(errors="surrogateescape")))
@settings(max_examples=200)
@example(b"FACTUS_NAMESPACE='")
@example(b"FACTUS_NAMESPACE=${FACTUS_NAMESPACE}")
@example("FACTUS_NAMESPACE=ñ\n".encode("utf-16"))
@example("# contraseña\n".encode("latin-1"))
def test_any_bytes_in_the_env_file_are_read_or_refused_in_one_line(content: bytes) -> None:
    path = Path(".env")
    path.write_bytes(content)
    try:
        told = refusal(lambda: load_settings() and nearest_variables(unknown_variables()))
    finally:
        path.unlink()
    assert not told or ".env" in told or "FACTUS_" in told


LINE = '[accounts.a]\nclient_id="a"\nclient_secret="b"\nusername="c"\npassword="d"\n'


@given(
    st.one_of(
        st.binary(),
        st.builds(
            lambda key, value: (LINE + f"{key} = {value}\n").encode(errors="surrogateescape"),
            st.sampled_from(["base_url", "timezone", "rate_limit", "rate_window", "concurrency", "own_streams", "x"]),
            st.one_of(
                NEARLY.map(lambda text: f'"{text}"'),
                st.integers().map(str),
                st.floats().map(str),
                st.sampled_from(["[]", "{}", "true", "1979-05-27", "07:32:00", "[[]]", "{a = 1}", "''", "1e400"]),
            ),
        ),
    )
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_any_accounts_file_is_used_or_refused_in_one_line(content: bytes) -> None:
    path = Path("accounts.toml").absolute()
    path.write_bytes(content)
    told = refusal(lambda: Settings(accounts_file=path).accounts())
    assert not told or told.startswith("FACTUS_ACCOUNTS_FILE: ")
    assert told.isprintable()
