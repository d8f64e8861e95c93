"""
The bundled Valkey behind ``FACTUS_REDIS_URL=embedded:FOLDER``: one server per folder, shared by all processes of it.

Two locks in the folder carry the whole protocol. ``server.lock`` belongs to the server itself, which inherits the
descriptor: held means that a server lives, even when whoever launched it was killed. ``users.lock`` is shared by every
process that works on the server: the last one to leave stops it. All calls block (a start takes about 50 ms).
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import redis

from jobs.errors import ConfigurationError
from worker.store.embedded_binary import find_binary
from worker.store.embedded_folder import (
    choose_socket_path,
    identity_of,
    make_private,
    open_lock,
    socket_path_of_living,
    try_lock,
    unusable,
    write_socket_path,
)

_POLL_S: Final = 0.01
_STOP_S: Final = 10.0
_LAST_LINES: Final = 30
_LONGEST_WORDS: Final = 500
_MOST_OF_LOG: Final = 64 * 1024
_OPTIONS: Final = (
    ("--port", "0"),
    ("--unixsocketperm", "700"),
    ("--appendonly", "yes"),
    # An answer to XADD means that the job is on the disk, also if the power fails: invoices are worth the fsync.
    ("--appendfsync", "always"),
    ("--save", ""),
    ("--maxmemory-policy", "noeviction"),
    # A job has 1 MiB at most. What is larger is cut off by the server, before anybody has to read it.
    ("--proto-max-bulk-len", "16mb"),
    ("--client-query-buffer-limit", "64mb"),
    ("--daemonize", "no"),
    ("--logfile", "valkey.log"),
)


@dataclass(frozen=True)
class EmbeddedServer:
    """A living server, and this process's right to use it until :func:`stop`."""

    socket_path: Path
    pid: int
    adopted: bool
    """Another process launched it: one that works beside us, or one that was killed and left it behind."""
    folder: Path
    identity: tuple[int, int]
    """Device and inode of the folder: another folder of that name is another one's data, or none."""
    _users: BinaryIO = field(repr=False, compare=False)
    _process: subprocess.Popen[bytes] | None = field(repr=False, compare=False)

    def url(self) -> str:
        return f"unix://{self.socket_path}"


def start(folder: Path, *, wait_s: float = 10.0) -> EmbeddedServer:
    """
    Return a running server on the data of *folder*; launch one unless one runs there already.

    Returns when the server has loaded its data and answers. Safe to call from several processes at once: one launches,
    the others adopt.

    Args:
        folder: Created with mode 700 when missing; holds AOF, log, locks and the socket. One that others may enter is
            closed to them: payloads and tokens are in it.
        wait_s: Seconds, > 0. How long to wait for a server that gives no sign of life. One that is still loading
            is waited for without limit.

    Raises:
        ConfigurationError: No binary runs, the folder cannot be written or is in other hands, the server refuses to
            start (its last words are in the message), or the folder is locked and nothing answers.
    """
    folder = folder.absolute()
    make_private(folder)
    users = open_lock(folder, "users.lock")
    try:
        return _start(folder, users, wait_s)
    except BaseException:
        users.close()
        raise


def has_ended(server: EmbeddedServer) -> bool:
    """
    Whether no server lives in the folder any more, whoever launched it. Asks the lock, not the server: one that is slow
    or loading lives.

    Raises:
        ConfigurationError: The folder is gone, or another one is in its place.
    """
    _check_identity(server)
    if server._process is not None and server._process.poll() is not None:
        return True
    try:
        with (server.folder / "server.lock").open("rb") as lock:
            # Shared: probes of several workers do not stand in each other's way.
            return try_lock(lock, fcntl.LOCK_SH)
    except OSError as exc:
        raise ConfigurationError(unusable(server.folder, exc)) from exc


def start_again(server: EmbeddedServer, *, wait_s: float = 8.0) -> EmbeddedServer:
    """
    Launch a server again after it ended, on its data and at the same socket, unless another of its users has.

    The old one's right of use goes over to the new one; on an error it stays with the old one, for :func:`stop`.

    Raises:
        ConfigurationError: As :func:`start`; also where the folder or its data are gone: a server that starts empty in
            their place would have forgotten every job without a word.
    """
    _check_identity(server)
    if not (server.folder / "appendonlydir").is_dir():
        raise ConfigurationError(f"The data of the embedded server are gone from {server.folder}")
    if server._process is not None:
        server._process.poll()  # or it stays a zombie as long as we live
    found = _start(server.folder, server._users, wait_s, socket_path=server.socket_path)
    if found.socket_path != server.socket_path:
        raise ConfigurationError(
            f"The embedded server in {server.folder} was started anew at another socket; start again"
        )
    return found


def stop(server: EmbeddedServer) -> None:
    """
    Leave the server; the last process to leave stops it, whoever launched it.

    So a starter that ends before its adopters leaves them a working server, and the last of them takes it down. A user
    killed with -9 counts as gone: the kernel drops its lock. Returns when the server has ended and the folder is free.
    Calling it twice does nothing.
    """
    if server._users.closed:
        return
    with server._users as users:
        # Held exclusively until the server is gone: a newcomer waits here and then launches its own, instead of
        # adopting a server that is about to end.
        if try_lock(users, fcntl.LOCK_EX):
            _shut_down(server)
        elif server._process is not None:
            # It outlives us by intent; without this, Popen's finaliser warns of a child left running.
            server._process.returncode = 0


def last_words(server: EmbeddedServer) -> str:
    """Why the server ended, by its own log."""
    return _last_words(server.folder)


def _start(folder: Path, users: BinaryIO, wait_s: float, *, socket_path: Path | None = None) -> EmbeddedServer:
    deadline = time.monotonic() + wait_s
    while not try_lock(users, fcntl.LOCK_SH):  # the last user is stopping the server just now
        _pause(deadline, f"The embedded server in {folder} is being stopped by another process and does not end.")

    with open_lock(folder, "server.lock") as server_lock:
        while not try_lock(server_lock, fcntl.LOCK_EX):
            living = socket_path_of_living(folder)
            state = _ask(living) if living else None
            if isinstance(state, int) and living:
                return EmbeddedServer(living, state, True, folder, identity_of(folder), users, None)
            if state == "loading":
                deadline = time.monotonic() + wait_s
            _pause(
                deadline,
                f"The folder {folder} of FACTUS_REDIS_URL is locked by another server, which does not answer. "
                "End that process, or choose another folder; see valkey.log there.",
            )
        return _launch(folder, server_lock, users, wait_s, socket_path or choose_socket_path(folder))


def _launch(folder: Path, server_lock: BinaryIO, users: BinaryIO, wait_s: float, socket_path: Path) -> EmbeddedServer:
    """Run the server with *server_lock* inherited, and wait until it answers."""
    binary = find_binary()
    write_socket_path(folder, server_lock, socket_path)
    command = [str(binary), "--dir", str(folder), "--unixsocket", str(socket_path)]
    for option in _OPTIONS:
        command += option
    with _first_words() as said:
        process = _run(command, folder, said, server_lock)
        deadline = time.monotonic() + wait_s
        try:
            while not isinstance(state := _ask(socket_path), int):
                if process.poll() is not None:
                    words = _last_words(folder, said)
                    raise ConfigurationError(f"The embedded server did not start in {folder}: {words}")
                if state == "loading":
                    deadline = time.monotonic() + wait_s
                _pause(deadline, f"The embedded server in {folder} does not answer: {_last_words(folder, said)}")
        except BaseException:
            process.kill()
            process.wait()
            raise
    return EmbeddedServer(socket_path, process.pid, False, folder, identity_of(folder), users, process)


def _run(command: list[str], folder: Path, said: BinaryIO | None, server_lock: BinaryIO) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=said or subprocess.DEVNULL,
        stderr=said or subprocess.DEVNULL,
        # What it writes is for us alone, whatever the folder allows.
        umask=0o077,
        # From here on the server lives by itself: if we die before anybody knows of it, the next start adopts it.
        pass_fds=(server_lock.fileno(),),
        # Its own session: Ctrl-C in the terminal reaches the workers, which then still need the server to drain.
        start_new_session=True,
    )


def _shut_down(server: EmbeddedServer) -> None:
    """End the server as its last user. Asked over the socket: a process id may belong to a stranger by now."""
    client = _client(server.socket_path, timeout_s=_STOP_S)
    try:
        client.shutdown(nosave=True)  # nosave is about RDB; the AOF is synced in any case
    except redis.RedisError:
        pass  # gone already, or too ill to hear us; told apart below
    finally:
        client.close()

    deadline = time.monotonic() + _STOP_S
    try:
        with (server.folder / "server.lock").open("rb") as server_lock:
            while not try_lock(server_lock, fcntl.LOCK_EX) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
    except OSError:
        pass  # the folder is gone, and must not come again by our leaving it
    if server._process is not None:
        # Killing loses nothing: what the server acknowledged is synced. A foreign one we leave, it keeps its lock.
        server._process.kill()
        server._process.wait()


def _ask(socket_path: Path) -> int | Literal["loading"] | None:
    """The process id of the server that answers at *socket_path*; ``loading``; or None when nothing answers."""
    client = _client(socket_path, timeout_s=1.0)
    try:
        client.ping()
        info: Any = client.info("server")
        return int(info["process_id"])
    except redis.BusyLoadingError:
        return "loading"
    except redis.RedisError:
        return None
    finally:
        client.close()


def _client(socket_path: Path, *, timeout_s: float) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket_path), socket_timeout=timeout_s, socket_connect_timeout=timeout_s)


def _check_identity(server: EmbeddedServer) -> None:
    try:
        is_same = identity_of(server.folder) == server.identity
    except OSError as exc:
        raise ConfigurationError(unusable(server.folder, exc)) from exc
    if not is_same:
        raise ConfigurationError(f"The folder {server.folder} of FACTUS_REDIS_URL was replaced by another one")


@contextmanager
def _first_words() -> Iterator[BinaryIO | None]:
    """Where a server speaks that cannot even open its log. None where there is no place for that either."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
        except OSError:
            file = None
        yield file


def _pause(deadline: float, message: str) -> None:
    if time.monotonic() >= deadline:
        raise ConfigurationError(message)
    time.sleep(_POLL_S)


def _last_words(folder: Path, said: BinaryIO | None = None) -> str:
    """The end of the server's log: what it warned of, if it did, without time and process."""
    text = b""
    if said is not None:
        said.seek(0)
        text = said.read(_MOST_OF_LOG)
    if not text.strip():
        try:
            with (folder / "valkey.log").open("rb") as log:
                log.seek(max(log.seek(0, os.SEEK_END) - _MOST_OF_LOG, 0))
                text = log.read(_MOST_OF_LOG)
        except OSError:
            return "it wrote no valkey.log"
    run = text.decode(errors="replace").splitlines()[-_LAST_LINES:]
    warnings = [line for line in run if " # " in line and "WARNING" not in line]
    told = [re.sub(r"^\d+:[A-Z] .{20,30}? [#*.-] ", "", line) for line in (warnings or run)[-3:]]
    return clean_line(" / ".join(told)) or "its valkey.log is empty"


def clean_line(text: str) -> str:
    """One line that a terminal can show."""
    return "".join(char if char.isprintable() else " " for char in text)[:_LONGEST_WORDS]
