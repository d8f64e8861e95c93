"""Rotation: what is written into the operator's file, and when which secret signs."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from tests.webhooks_rig import an_endpoint
from worker.webhooks.endpoints_file import read_endpoints
from worker.webhooks.rotation import FileNotWritten, Rotation, put_first, signing_secrets, take_out

A, B, C, NEW = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(4))
DAY_MS = 86_400_000
TEXT = f"""\
# The shop's people asked for this, 2026-10.
[endpoints.erp]   # first
url   = "https://erp.example/in"
secrets = ["{C}"]

[endpoints.shop]
secrets = [
    "{A}",  # since October
    '{B}',
]
# The order of these is ours.
url = "https://shop.example/hooks"
types = [ "invoice.*" ]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "webhooks.toml"
    found.write_text(TEXT)
    found.chmod(0o600)
    return found


def test_a_new_secret_goes_first_and_all_else_stays(path):
    put_first(path, "shop", NEW)
    assert read_endpoints(path)["shop"].secrets == (NEW, A, B)
    assert read_endpoints(path)["erp"].secrets == (C,)
    without = path.read_text().replace(f'"{NEW}",', "").split()
    assert without == TEXT.split(), "comments, order and spelling stay"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_its_mode_stays(path, mode):
    path.chmod(mode)
    put_first(path, "shop", NEW)
    assert path.stat().st_mode & 0o777 == mode


def test_old_ones_are_taken_out_and_the_first_never(path):
    put_first(path, "shop", NEW)
    take_out(path, "shop", frozenset({NEW, A, B}))
    assert read_endpoints(path)["shop"].secrets == (NEW,)
    assert "# The order of these is ours." in path.read_text()


def test_behind_a_link_the_file_is_written(path, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    put_first(link, "shop", NEW)
    assert link.is_symlink()
    assert read_endpoints(path)["shop"].secrets[0] == NEW


def test_inline_tables_and_dotted_keys_are_edited_too(path):
    path.write_text(f'endpoints.shop = {{ url = "https://s.example", secrets = ["{A}"] }}\n')
    put_first(path, "shop", NEW)
    assert read_endpoints(path)["shop"].secrets == (NEW, A)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_takes_no_file_is_told(path):
    path.parent.chmod(0o500)
    try:
        with pytest.raises(FileNotWritten, match="Permission denied"):
            put_first(path, "shop", NEW)
    finally:
        path.parent.chmod(0o700)
    assert path.read_text() == TEXT


def test_a_disk_that_is_full_leaves_the_file_as_it_was(path, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileNotWritten, match="No space left"):
        put_first(path, "shop", NEW)
    assert path.read_text() == TEXT
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_what_would_be_refused_is_not_written_and_told_without_a_secret(path):
    """Somebody may have filled the list since it was looked at."""
    secrets = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(10, 18)]
    for one in secrets:
        put_first(path, "shop", one)
    full = path.read_text()
    with pytest.raises(FileNotWritten, match="secrets") as told:
        put_first(path, "shop", NEW)
    assert path.read_text() == full
    assert not [one for one in (*secrets, A, B, NEW) if one in str(told.value)]


def test_what_cannot_be_edited_is_told_without_a_secret(path):
    with pytest.raises(FileNotWritten, match=r"KeyError|NonExistentKey") as raised:
        put_first(path, "gone", NEW)
    assert not any(secret in str(raised.value) for secret in (NEW, A, B))
    assert path.read_text() == TEXT


class TestWhoSigns:
    ROTATION = Rotation().made(NEW, (A, B), 1000)
    ENDPOINT = an_endpoint(secrets=(NEW, A, B))

    def test_for_a_day_all_sign_then_the_new_one_alone(self):
        assert signing_secrets(self.ENDPOINT, self.ROTATION, 1000) == (NEW, A, B)
        assert signing_secrets(self.ENDPOINT, self.ROTATION, 1000 + DAY_MS - 1) == (NEW, A, B)
        assert signing_secrets(self.ENDPOINT, self.ROTATION, 1000 + DAY_MS) == (NEW,)

    def test_none_leaves_before_the_new_one_stands_first(self):
        """Whatever dies between the note and the file."""
        assert signing_secrets(an_endpoint(secrets=(A, B)), self.ROTATION, 10 * DAY_MS) == (A, B)

    def test_a_second_rotation_within_the_day_keeps_the_first_ones_time(self):
        second = self.ROTATION.made(C, (NEW, A, B), 1000 + DAY_MS // 2)
        endpoint = an_endpoint(secrets=(C, NEW, A, B))
        assert signing_secrets(endpoint, second, 1000 + DAY_MS) == (C, NEW)
        assert signing_secrets(endpoint, second, 1000 + DAY_MS + DAY_MS // 2) == (C,)

    def test_one_that_an_operator_adds_by_hand_stays(self):
        endpoint = an_endpoint(secrets=(NEW, C, A))
        assert signing_secrets(endpoint, self.ROTATION, 2 * DAY_MS) == (NEW, C)

    def test_without_a_rotation_all_sign(self):
        assert signing_secrets(self.ENDPOINT, None, 10 * DAY_MS) == (NEW, A, B)

    def test_no_secret_stands_in_what_is_kept(self):
        kept = repr(self.ROTATION)
        assert not any(secret[6:20] in kept for secret in (A, B, NEW))
