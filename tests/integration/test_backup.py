"""deploy/backup.sh on a server that is written to and rewrites its file: it ends with 0, and what it saves is whole."""

from __future__ import annotations

import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.service_processes import until
from worker.store import embedded_server

BACKUP = Path(__file__).resolve().parents[2] / "deploy" / "backup.sh"


def back_up(data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(BACKUP), str(data), str(out)], capture_output=True, text=True, timeout=60)


@contextmanager
def server_in(folder: Path) -> Iterator[redis.Redis]:
    server = embedded_server.start(folder)
    try:
        with redis.Redis(unix_socket_path=str(server.socket_path)) as client:
            yield client
    finally:
        embedded_server.stop(server)


class BusyWriter:
    """Counts up in a list, and has the file rewritten again and again, until it is told to stop."""

    def __init__(self, client: redis.Redis) -> None:
        self.n_written = 0
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> BusyWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stop.is_set():
            self._client.rpush("list", self.n_written, *["x" * 1000] * 20)
            self.n_written += 1
            if self.n_written % 50 == 0:
                try:
                    self._client.bgrewriteaof()
                except redis.ResponseError:
                    pass  # one is under way


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[BusyWriter]:
    with server_in(tmp_path / "data") as client, BusyWriter(client) as writer:
        yield writer


def test_each_backup_of_a_busy_server_ends_with_0_and_holds_what_was_written_before(
    busy: BusyWriter, tmp_path: Path
) -> None:
    known = []
    for n in range(8):
        until(lambda wanted=60 * (n + 1): busy.n_written >= wanted, what=lambda: str(busy.n_written))
        known.append(busy.n_written)
        done = back_up(tmp_path / "data", tmp_path / f"{n}.tar.gz")
        assert (done.returncode, done.stderr) == (0, "")
    for n, n_known in enumerate(known):
        restored = tmp_path / f"restored-{n}"
        restored.mkdir(mode=0o700)
        with tarfile.open(tmp_path / f"{n}.tar.gz") as archive:
            archive.extractall(restored, filter="data")
        with server_in(restored) as client:
            assert int(client.llen("list")) >= n_known * 21


def test_it_switches_nothing_off_and_leaves_nothing_behind(busy: BusyWriter, tmp_path: Path) -> None:
    """A backup that is killed must not leave a server that never rewrites its file: so it never tells it not to."""
    assert back_up(tmp_path / "data", tmp_path / "a.tar.gz").returncode == 0
    assert "CONFIG" not in BACKUP.read_text()
    assert not list((tmp_path / "data").glob("backup.*"))
    assert not (tmp_path / "a.tar.gz.part").exists()
    assert (tmp_path / "a.tar.gz").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_saved_ends_with_1_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f"sleep() {{ :; }}; . {BACKUP}", "backup.sh", str(tmp_path), str(tmp_path / "a.tar.gz")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be linked" in done.stderr
    assert not (tmp_path / "a.tar.gz").exists()
    assert back_up(tmp_path, tmp_path / "nowhere" / "a.tar.gz").returncode == 1
