"""
The folder of an embedded server: ours alone, the same one as long as we use it, and the locks in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from jobs.errors import ConfigurationError

_LONGEST_SOCKET_PATH: Final = 100  # the kernel takes 107 bytes, macOS 103
_LEAST_FREE: Final = 1024 * 1024
"""Bytes. One job may need as many; a server that syncs every write ends at the first one that does not fit."""

_OPEN_TO_OTHERS: Final = 0o077


def disk_trouble(folder: Path) -> str:
    """Why nothing can be written in the folder, as far as its file system tells; empty when it can."""
    try:
        disk = os.statvfs(folder)
    except OSError as exc:
        return exc.strerror or type(exc).__name__
    if disk.f_flag & os.ST_RDONLY:
        return "its file system is read-only"
    return "its disk is full" if disk.f_bavail * disk.f_frsize < _LEAST_FREE else ""


def choose_socket_path(folder: Path) -> Path:
    """In the folder; in the temp folder under a hashed name where the path is too long or would need quoting."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH and re.fullmatch(r"[A-Za-z0-9/._-]+", str(path)):
        return path
    private = Path(tempfile.gettempdir()) / f"factus-{os.geteuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if found.st_uid != os.geteuid() or found.st_mode & _OPEN_TO_OTHERS:
        raise ConfigurationError(f"{private} is needed for the embedded server's socket and is not private to us")
    return private / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:24]}.sock"


def socket_path_of_living(folder: Path) -> Path | None:
    written = (folder / "server.lock").read_bytes()
    return Path(os.fsdecode(written)) if written else None


def make_private(folder: Path) -> None:
    """
    Have the folder, entered by nobody but us.

    What is in other hands is refused: whoever owns the folder, or a file that the server would open in it, reads every
    payload, or decides what our server writes to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(folder, folder)
        for entry in folder.iterdir():
            with suppress(FileNotFoundError):  # a living server has replaced it just now
                _close_to_others(entry, folder)
                for inner in entry.iterdir() if entry.is_dir() and not entry.is_symlink() else ():
                    with suppress(FileNotFoundError):
                        _close_to_others(inner, folder)
    except OSError as exc:
        raise ConfigurationError(unusable(folder, exc)) from exc


def _close_to_others(path: Path, folder: Path) -> None:
    """A link has to be ours or the administrator's, what it leads to has to be ours."""
    us, found, target = os.geteuid(), path.lstat(), path.stat()
    if found.st_uid not in (us, 0) or target.st_uid != us:
        what = "" if path == folder else f": {path.name}"
        raise ConfigurationError(f"The folder {folder} of FACTUS_REDIS_URL belongs to another user{what}")
    if target.st_mode & _OPEN_TO_OTHERS and not stat.S_ISSOCK(target.st_mode):
        path.chmod(stat.S_IMODE(target.st_mode) & ~_OPEN_TO_OTHERS)


def identity_of(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def unusable(folder: Path, error: OSError) -> str:
    return f"The folder {folder} of FACTUS_REDIS_URL cannot be used: {error.strerror or type(error).__name__}"


def open_lock(folder: Path, name: str) -> BinaryIO:
    try:
        return open(folder / name, "ab", opener=_private_opener)  # Path.open takes no opener
    except OSError as exc:
        raise ConfigurationError(unusable(folder, exc)) from exc


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def write_socket_path(folder: Path, server_lock: BinaryIO, socket_path: Path) -> None:
    """Adopters read it here: the fallback depends on the temp folder, which is not the same for every process."""
    if socket_path_of_living(folder) == socket_path:
        return  # also where the disk is full by now
    try:
        server_lock.truncate(0)
        server_lock.write(os.fsencode(socket_path))
        server_lock.flush()
    except OSError as exc:
        raise ConfigurationError(unusable(folder, exc)) from exc


def try_lock(file: BinaryIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
