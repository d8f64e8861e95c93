"""The files of keys and revocations: bad at the start, changed, turned bad, gone, good again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jobs.errors import ConfigurationError
from jobs.rights.denial import Check, Denied
from tests.patience import PATIENCE_S
from tests.tokens import NOW_S, PRIVATE, PUBLIC, SECRET, key_set, token
from worker.guard import Guards
from worker.rights.trust_files import LOOK_S, TrustFiles
from worker.rights.verifier import TokenVerifier


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(PUBLIC))
    return path


@pytest.fixture
def revoked(tmp_path: Path) -> Path:
    path = tmp_path / "revoked.json"
    path.write_text("{}")
    return path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "it is not JSON"),
        (b'{"keys": []}', "holds no key"),
        (key_set({**SECRET, "k": "c2hvcnQ"}), "the key hs-1: k must have at least 32 bytes"),
        (None, "No such file"),
    ],
)
def test_a_bad_key_set_stops_the_start_and_names_what_is_wrong(keys: Path, content: bytes | None, told: str) -> None:
    if content is None:
        keys.unlink()
    else:
        keys.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"FACTUS_JOBS_KEYS: .*keys\.json: ") as caught:
        TrustFiles(keys)
    assert told in str(caught.value)


@pytest.mark.parametrize("content", ["[", '{"kid": ["ed-1"]}', None])
def test_bad_revocations_stop_it_too(keys: Path, revoked: Path, content: str | None) -> None:
    """A file that says nothing would leave in what was taken back."""
    if content is None:
        revoked.unlink()
    else:
        revoked.write_text(content)
    with pytest.raises(ConfigurationError, match=r"FACTUS_JOBS_REVOKED: .*revoked\.json: "):
        TrustFiles(keys, revoked)


def test_what_changes_is_taken(keys: Path, revoked: Path) -> None:
    files = TrustFiles(keys, revoked)
    verifier = TokenVerifier(files, "factus", now_s=lambda: NOW_S)
    assert verifier.verify(token(), job=None)
    keys.write_bytes(key_set(SECRET))
    files.look()
    with pytest.raises(Denied):
        verifier.verify(token(), job=None)
    assert verifier.verify(token(SECRET), job=None)
    revoked.write_text('{"kids": ["hs-1"]}')
    files.look()
    with pytest.raises(Denied) as caught:
        verifier.verify(token(SECRET), job=None)
    assert caught.value.check is Check.KEY_REVOKED


def test_without_a_change_the_trust_stays_the_same(keys: Path, revoked: Path) -> None:
    """The verifier forgets what it remembers with each new trust."""
    files = TrustFiles(keys, revoked)
    before = files.trust
    files.look()
    assert files.trust is before


@pytest.mark.parametrize("content", [b"{", b'{"keys": []}', key_set(PUBLIC, PUBLIC), None])
def test_a_set_that_turned_bad_is_not_taken(keys: Path, content: bytes | None) -> None:
    files = TrustFiles(keys)
    before, good = files.trust, keys.read_bytes()
    if content is None:
        keys.unlink()
    else:
        keys.write_bytes(content)
    with capture_logs() as logs:
        for _ in range(3):
            files.look()
    assert files.trust is before
    assert "FACTUS_JOBS_KEYS" in files.fault
    assert [line["event"] for line in logs] == ["keys.not_taken"], "said once"
    keys.write_bytes(good)
    files.look()
    assert not files.fault
    assert files.trust.keys == before.keys


def test_revocations_that_turned_bad_stay_as_they_were(keys: Path, revoked: Path) -> None:
    revoked.write_text('{"kids": ["ed-1"]}')
    files = TrustFiles(keys, revoked)
    revoked.write_text('{"kids": [')
    files.look()
    assert files.trust.revoked.revokes_key("ed-1")
    assert "FACTUS_JOBS_REVOKED" in files.fault


def test_a_private_part_in_the_set_is_warned_of(keys: Path) -> None:
    files = TrustFiles(keys)
    keys.write_bytes(key_set(PRIVATE))
    with capture_logs() as logs:
        files.look()
    assert [line["kids"] for line in logs if line["event"] == "keys.private"] == [["ed-1"]]
    assert PRIVATE["d"] not in str(logs)


async def test_the_files_are_followed(keys: Path) -> None:
    assert LOOK_S <= 5, "a change counts within ten seconds"
    files, stopping = TrustFiles(keys), asyncio.Event()
    task = asyncio.create_task(files.follow(stopping, Guards().of("keys"), every_s=0.01))
    keys.write_bytes(key_set(SECRET))
    ends_at = time.monotonic() + PATIENCE_S
    while "hs-1" not in files.trust.keys:
        assert time.monotonic() < ends_at
        await asyncio.sleep(0.01)
    stopping.set()
    await task
