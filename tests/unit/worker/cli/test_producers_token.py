"""The token with which our own commands push."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.errors import ConfigurationError
from worker.cli.producers_token import entry_of, producers_token
from worker.settings.model import Settings


def test_it_comes_from_the_option_or_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "t"
    file.write_text(" a.b.c\n")
    assert producers_token(Settings(), None) == ""
    assert producers_token(Settings(jobs_token="x.y.z"), None) == "x.y.z"
    assert producers_token(Settings(jobs_token_file=file), None) == "a.b.c"
    assert producers_token(Settings(jobs_token="x.y.z"), str(file)) == "a.b.c"


def test_signed_jobs_without_one_are_not_pushed() -> None:
    with pytest.raises(ConfigurationError, match="--token-file"):
        producers_token(Settings(jobs_signed=True, lang="en"), None)


@pytest.mark.parametrize("content", [None, ""])
def test_a_file_without_one_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "t"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError, match=str(file)):
        producers_token(Settings(), str(file))


def test_it_goes_beside_the_job_unless_the_job_brings_its_own() -> None:
    assert entry_of('{"a": 1}', "t") == {"job": '{"a": 1}', "token": "t"}
    assert entry_of('{"a": 1}', "") == {"job": '{"a": 1}'}
    assert entry_of('{"token": "u"}', "t") == {"job": '{"token": "u"}'}
    assert entry_of('{"token": null}', "t")["token"] == "t"
    nested = json.dumps({"payload": {"token": "u"}})
    assert entry_of(nested, "t")["token"] == "t"
