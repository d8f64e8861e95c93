"""A worker on an embedded server that ends: it comes again with its data, or the worker ends and says why."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import structlog

from jobs.errors import ConfigurationError
from tests.builders import a_bill
from tests.patience import PATIENCE_S
from tests.service_processes import Plant, plant, until
from worker.store import embedded_binary, embedded_server
from worker.store.embedded_keeper import Keeper, ServerGone
from worker.store.embedded_server import EmbeddedServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    found = embedded_server.start(tmp_path / "data")
    yield found
    embedded_server.stop(found)
    if (tmp_path / "data").is_dir():
        embedded_server.stop(embedded_server.start(tmp_path / "data"))


def client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(server.socket_path), decode_responses=True)


def kill(server: EmbeddedServer) -> None:
    with client(server) as connection:
        os.kill(connection.info("server")["process_id"], signal.SIGKILL)
    until(lambda: embedded_server.has_ended(server))


def test_a_server_that_was_killed_comes_again_with_its_data(server: EmbeddedServer) -> None:
    with client(server) as connection:
        connection.xadd("jobs", {"job": "{}"})
    assert not embedded_server.has_ended(server)
    kill(server)
    again = embedded_server.start_again(server)
    assert again.socket_path == server.socket_path
    with client(again) as connection:
        assert connection.xlen("jobs") == 1
        pid = connection.info("server")["process_id"]
    embedded_server.stop(again)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_of_several_users_one_starts_it_and_all_go_on(server: EmbeddedServer) -> None:
    others = [embedded_server.start(server.folder) for _ in range(3)]
    kill(server)

    async def all_at_once() -> list[EmbeddedServer]:
        return await asyncio.gather(*(asyncio.to_thread(embedded_server.start_again, one) for one in [server, *others]))

    found = asyncio.run(all_at_once())
    assert len({one.pid for one in found}) == 1
    assert sorted(one.adopted for one in found) == [False, True, True, True]
    for one in found[1:]:
        embedded_server.stop(one)
    with client(server) as connection:
        assert connection.ping()
    embedded_server.stop(found[0])


def remove_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def remove_data(folder: Path) -> None:
    shutil.rmtree(folder / "appendonlydir")


def replace_folder(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))
    folder.mkdir(mode=0o700)


def damage_data(folder: Path) -> None:
    for name in folder.glob("appendonlydir/*.manifest"):
        name.write_text("nonsense\n")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (remove_folder, "cannot be used: No such file"),
        (remove_data, "data of the embedded server are gone"),
        (replace_folder, "was replaced by another one"),
        (damage_data, "did not start"),
    ],
)
async def test_what_cannot_be_had_again_ends_the_watch_with_the_reason(
    tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    """Above all it does not start empty: that would forget every job without a word."""
    server = embedded_server.start(tmp_path / "data")
    os.kill(server.pid, signal.SIGKILL)
    harm(server.folder)
    with pytest.raises(ServerGone, match=told) as raised:
        await asyncio.wait_for(Keeper(server).run(asyncio.Event()), PATIENCE_S)
    assert str(raised.value).isprintable()
    embedded_server.stop(server)
    assert harm is not remove_folder or not server.folder.exists()


async def test_a_folder_that_goes_while_the_server_lives_is_noticed(tmp_path: Path) -> None:
    server = embedded_server.start(tmp_path / "data")
    shutil.rmtree(server.folder)
    with pytest.raises(ServerGone, match="cannot be used"):
        await asyncio.wait_for(Keeper(server).run(asyncio.Event()), PATIENCE_S)
    embedded_server.stop(server)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


async def test_without_a_binary_the_watch_ends(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(server)
    with monkeypatch.context() as patch:
        patch.setattr(embedded_binary, "_candidates", lambda: iter([Path("/gone")]))
        with pytest.raises(ServerGone, match="does not run"):
            await Keeper(server).run(asyncio.Event())


@pytest.mark.parametrize(
    ("n_free", "flags", "told"), [(0, 0, "its disk is full"), (10, 0, "full"), (10**6, os.ST_RDONLY, "read-only")]
)
async def test_a_server_that_ended_of_its_disk_is_not_started_again(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, n_free: int, flags: int, told: str
) -> None:
    """It would end at its first write, after it has loaded all of its data."""
    kill(server)
    disk = os.statvfs_result((4096, 4096, 10**6, n_free, n_free, 1, 1, 1, flags, 255))
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda path: disk)
        with pytest.raises(ServerGone, match=told):
            await Keeper(server).run(asyncio.Event())
    assert embedded_server.has_ended(server)


@pytest.mark.parametrize("words", ["No space left on device", "Read-only file system", "Permission denied\x1b[2J"])
async def test_a_server_that_refuses_says_why_in_one_line(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    binary = tmp_path / "refusing"
    binary.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "Redis server v=7.0.15 sha=0" && exit\n'
        f'echo "1:M 29 Nov 2026 11:37:19.978 # Can\'t open the append-only file: {words}"\nexit 1\n'
    )
    binary.chmod(0o755)
    kill(server)
    with monkeypatch.context() as patch:
        patch.setattr(embedded_binary, "_candidates", lambda: iter([binary]))
        with pytest.raises(ServerGone, match=r"did not start.*append-only file") as raised:
            await Keeper(server).run(asyncio.Event())
    assert str(raised.value).isprintable()


async def test_a_server_that_ends_again_and_again_ends_the_watch(server: EmbeddedServer) -> None:
    """A full disk ends it at its first write, however often it is started."""
    keeper = Keeper(server, look_s=0.02)
    with structlog.testing.capture_logs() as lines:
        watch = asyncio.create_task(keeper.run(asyncio.Event()))
        while not watch.done():
            try:
                os.kill(keeper.server.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # between two lives
            await asyncio.sleep(0.01)
    with pytest.raises(ServerGone, match="again and again"):
        await watch
    assert [line["event"] for line in lines].count("redis.ended") == 4
    embedded_server.stop(keeper.server)


# -- a folder of others ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", [0o755, 0o777, 0o710])
def test_a_folder_that_others_may_enter_is_closed_with_all_in_it(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "valkey.log").touch(0o666)
    folder.chmod(mode)
    before = os.umask(0)
    try:
        server = embedded_server.start(folder)
    finally:
        os.umask(before)
    with client(server) as connection:
        connection.set("token", "x")
    embedded_server.stop(server)
    for path in [folder, *folder.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize("name", ["", "valkey.log", "appendonlydir", "users.lock", "server.lock"])
@pytest.mark.parametrize("how", ["owned", "link"])
def test_a_folder_or_file_in_other_hands_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    """Another user of the machine could read what is written there, or choose what our server writes to."""
    folder, foreign = tmp_path / "data", tmp_path / "foreign"
    folder.mkdir(mode=0o700)
    foreign.mkdir()
    planted = folder / name if name else folder
    if how == "link":
        if not name:
            folder.rmdir()
        planted.symlink_to(foreign)
    elif name:
        planted.touch()
    theirs = (foreign if how == "link" else planted).stat().st_ino
    real = Path.stat

    def as_if_owned_by_another(path: Path, **options: bool) -> os.stat_result:
        found = real(path, **options)
        changed = list(found)
        changed[4] = 12345 if found.st_ino == theirs else found.st_uid
        return os.stat_result(changed)

    monkeypatch.setattr(Path, "stat", as_if_owned_by_another)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        embedded_server.start(folder)
    assert not (foreign / "appendonlydir").exists()


def test_the_server_takes_no_value_and_no_query_beyond_its_bounds(server: EmbeddedServer) -> None:
    with client(server) as connection:
        config = connection.config_get("proto-max-bulk-len", "client-query-buffer-limit")
        assert config == {"proto-max-bulk-len": str(16 * 2**20), "client-query-buffer-limit": str(64 * 2**20)}
        assert connection.xadd("jobs", {"job": "x" * (15 * 2**20)})
        with pytest.raises(redis.RedisError):
            connection.xadd("jobs", {"job": "x" * (17 * 2**20)})


# -- whole workers -----------------------------------------------------------------------------------------------------
@pytest.fixture
def works(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path, "--rate-limit", "0", FACTUS_REDIS_URL=f"embedded:{tmp_path / 'data'}") as found:
        yield found


def test_workers_go_on_after_their_server_was_killed(works: Plant) -> None:
    works.start_worker()
    works.start_worker()
    works.push(a_bill(reference_code="A"))
    works.wait_for_events(1)
    # One that comes up later finds the server dead and starts it, without a word of an end.
    until(lambda: works.redis.zcard("factus:workers") == 2, what=works.tail)
    with works.redis as connection:
        os.kill(connection.info("server")["process_id"], signal.SIGKILL)

    def is_back() -> bool:
        try:
            return bool(works.redis.ping())
        except redis.RedisError:
            return False

    until(is_back, what=works.tail)
    works.push(a_bill(reference_code="B"))
    found = works.wait_for_events(2)
    assert [event["type"] for event in found] == ["invoice.validated"] * 2
    assert all(worker.poll() is None for worker in works.workers)
    told = works.log_of(0) + works.log_of(1)
    assert "redis.ended" in told
    assert "redis.started_again" in told


def test_a_worker_ends_with_1_and_the_reason_when_its_folder_is_gone(works: Plant) -> None:
    worker = works.start_worker()
    works.push(a_bill(reference_code="A"))
    works.wait_for_events(1)
    with works.redis as connection:
        os.kill(connection.info("server")["process_id"], signal.SIGKILL)
    (works.folder / "data").rename(works.folder / "gone")
    try:
        assert worker.wait(PATIENCE_S) == 1
    except subprocess.TimeoutExpired:
        pytest.fail(works.tail())
    last = works.log_of(0).splitlines()[-1]
    assert last.startswith("factus-worker: The folder")
    assert "cannot be used: No such file" in last
    assert "Traceback" not in works.log_of(0)
    (works.folder / "gone").rename(works.folder / "data")
