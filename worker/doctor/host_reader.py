"""What ``doctor`` sees on this machine: modes of files, the archive's folder. Nothing is written or made."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from jobs.errors import ArchiveUnavailable, ConfigurationError
from worker.addresses import redis_address
from worker.archive.archive import Folder, folder_of, open_archive
from worker.doctor.host_facts import ArchiveSeen, SecretFile
from worker.doctor.patience import ASK_S, in_thread
from worker.settings.environment import ENV_FILE, env_file_holds_secrets
from worker.settings.model import Settings

_NAMED: Final = (
    "client_id_file", "client_secret_file", "username_file", "password_file", "accounts_file", "jobs_token_file",
    "webhooks_file", "http_key", "http_cert_key", "users_file",
)  # fmt: skip
"""Settings that name files with secrets in them."""

_NOTHING: Final = "doctor/nothing"


async def read_secret_files(settings: Settings, private_keys: bool) -> list[SecretFile]:
    """
    Every file with secrets that the settings name, ``.env`` where it holds some.

    Args:
        private_keys: Whether ``FACTUS_JOBS_KEYS`` holds keys that sign.
    """
    named = [(f"FACTUS_{name.upper()}", getattr(settings, name)) for name in _NAMED]
    if private_keys:
        named.append(("FACTUS_JOBS_KEYS", settings.jobs_keys))
    if key := redis_address(settings.redis_url).tls_files.get("ssl_keyfile"):
        named.append(("FACTUS_REDIS_URL ssl_keyfile", Path(key)))
    if env_file_holds_secrets():
        named.append((ENV_FILE, Path(ENV_FILE)))
    return [await _mode_of(name, path) for name, path in named if path is not None]


async def _mode_of(name: str, path: Path) -> SecretFile:
    try:
        found = await in_thread(path.stat)
    except TimeoutError:
        return SecretFile(name, str(path), fault=f"{ASK_S:g} s")
    except OSError as exc:
        return SecretFile(name, str(path), fault=exc.strerror or type(exc).__name__)
    return SecretFile(name, str(path), stat.S_IMODE(found.st_mode))


async def read_archive(url: str, *, may_call: bool) -> ArchiveSeen:
    """
    The archive as it is now.

    Args:
        may_call: Whether storage over the network is asked for a file that is not there.
    """
    try:
        folder = folder_of(url)
        archive = open_archive(url)
    except ConfigurationError as exc:
        return ArchiveSeen("", fault=str(exc))
    if folder is not None:
        try:
            return await in_thread(lambda: _folder(folder))
        except TimeoutError:
            return ArchiveSeen(str(folder), fault=f"no responde en {ASK_S:g} s")
        except OSError as exc:
            return ArchiveSeen(str(folder), fault=exc.strerror or type(exc).__name__)
    if not may_call:
        return ArchiveSeen(url, is_remote=True)
    try:
        # In a thread with a loop of its own there is no way to leave it alone; obstore's own time-out bounds it.
        await archive.get(_NOTHING)
    except ArchiveUnavailable as exc:
        return ArchiveSeen(url, is_remote=True, was_asked=True, fault=str(exc))
    return ArchiveSeen(url, is_remote=True, was_asked=True)


def _folder(path: Path) -> ArchiveSeen:
    """A folder, or the nearest one above it in which it would be made."""
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    disk = os.statvfs(there)
    return ArchiveSeen(
        Folder(path).uri("").rstrip("/"),
        is_there=there == path,
        is_writable=there.is_dir() and os.access(there, os.W_OK | os.X_OK),
        n_free=disk.f_bavail * disk.f_frsize,
        n_whole=disk.f_blocks * disk.f_frsize,
    )
