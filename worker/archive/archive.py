"""
The archive: files of documents, written once, in a folder or in S3-compatible storage, through obstore.

A name never changes its content: the same bytes again are harmless, others are refused. Nothing is opened, created or
contacted before the first file. What a crash leaves:

Folder. obstore writes ``NAME#1`` and links it to its name (``link`` fails where the name exists), so a killed process
leaves no half file under a name that we asked for. It never calls fsync, and a power cut could leave an empty file
under a final name, written once and for ever. Therefore the bytes go to ``NAME.<random>.part`` first, are fsynced,
and only then linked to the final name; its folders are fsynced before ``put`` returns. Leftovers of a killed process
end in ``.part`` or ``.part#1``: no final name does, nobody reads them, and they can be deleted when they are a day old.
The disk must tell the truth about fsync, and the file system must have hard links (FAT and some network or FUSE mounts
have none: every put fails there).

S3. One conditional PUT (``If-None-Match: *``) with a SHA-256 checksum; the object is there as a whole or not at all.
Storage that does not know the condition must refuse it, or writing once is not guaranteed.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import stat
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote
from uuid import uuid4

from jobs.archive_names import Stored
from jobs.errors import ArchiveConflict, ArchiveUnavailable, ConfigurationError
from worker.archive.storage_errors import reason

# obstore is imported where it is used: 34 ms that no command without an archive should wait for.
if TYPE_CHECKING:
    from obstore.store import ObjectStore

_FORMS: Final = "file:./relative, file:///absolute or s3://bucket/prefix"
_NAME: Final = re.compile(r"(?:[A-Za-z0-9_%~-][A-Za-z0-9._%~-]*/)*[A-Za-z0-9_%~-][A-Za-z0-9._%~-]*")
_S3: Final = re.compile(
    r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9])(?P<prefix>(?:/[A-Za-z0-9._=-]+)*)/?"
)
_FOLDER_MODE: Final = 0o750
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Twice of what an answer of Factus may hold: more is other content in any case."""
TIMEOUT_S: Final = 20.0
"""How long storage over the network may take for an answer, and for its own repetitions all together."""


class ArchiveBackend(Protocol):
    """One kind of storage. Its methods raise whatever the storage raises; :class:`Archive` translates."""

    def uri(self, name: str) -> str:
        """Where a name is, absolute."""
        ...

    async def create(self, name: str, content: bytes, *, content_type: str) -> bool:
        """Store under a name that is free, as a whole or not at all; False when it is not free."""
        ...

    async def read(self, name: str) -> bytes:
        """
        The content of a name.

        Raises:
            FileNotFoundError: There is none.
        """
        ...


class Archive:
    """Files that are written once. Any number of workers may share the storage behind it."""

    def __init__(self, shelf: ArchiveBackend) -> None:
        self._shelf = shelf

    async def put(self, name: str, content: bytes, *, content_type: str) -> Stored:
        """
        Store a file, or find it stored already.

        Args:
            name: From :func:`jobs.archive_names.archive_name`.
            content_type: Kept by S3 as the object's ``Content-Type``; a folder has no place for it.

        Raises:
            ArchiveConflict: The name holds other content, which stays.
            ArchiveUnavailable: The storage failed or refused. Put again: if the file is there, it is found.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("not a name of archive_name")
        uri = self._shelf.uri(name)
        try:
            is_new = await self._shelf.create(name, content, content_type=content_type)
            held = content if is_new else await self._shelf.read(name)
        except _storage_errors() as exc:
            raise ArchiveUnavailable(f"No se pudo guardar {uri}: {reason(exc)}.") from exc
        if held != content:
            raise ArchiveConflict(_stored(uri, held))
        return _stored(uri, content)

    async def get(self, name: str) -> bytes | None:
        """
        The file of a name, or None where there is none.

        Args:
            name: From :func:`jobs.archive_names.archive_name`.

        Raises:
            ArchiveUnavailable: The storage failed or refused.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("not a name of archive_name")
        try:
            return await self._shelf.read(name)
        except FileNotFoundError:
            return None
        except _storage_errors() as exc:
            raise ArchiveUnavailable(f"No se pudo leer {self._shelf.uri(name)}: {reason(exc)}.") from exc


def open_archive(url: str, *, timeout_s: float = TIMEOUT_S) -> Archive:
    """
    The archive that ``FACTUS_ARCHIVE_URL`` names. Nothing is created or contacted yet.

    Args:
        url: ``file:./relative`` to the working directory of now, ``file:///absolute`` (both percent-decoded), or
            ``s3://bucket/prefix``. Credentials, region and endpoint are the usual ``AWS_…`` variables.
        timeout_s: How long storage over the network may take.

    Raises:
        ConfigurationError: Another form. The message does not repeat the value: it may hold a password.
    """
    if url.startswith("file:"):
        return Archive(Folder(_path_of(url)))
    if found := _S3.fullmatch(url):
        prefix = found["prefix"].strip("/")
        if not {".", ".."} & {*prefix.split("/")}:
            bucket, timeout = found["bucket"], timedelta(seconds=timeout_s)
            address = f"s3://{bucket}/{prefix}".rstrip("/")
            return Archive(Bucket(address, lambda: _open_s3(bucket, prefix, timeout)))
    raise ConfigurationError(f"FACTUS_ARCHIVE_URL must be {_FORMS}")


def folder_of(url: str) -> Path | None:
    """
    The folder that ``FACTUS_ARCHIVE_URL`` names; None for storage over the network.

    Raises:
        ConfigurationError: As :func:`open_archive`.
    """
    return _path_of(url) if url.startswith("file:") else None


class Folder:
    """Files below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._store: ObjectStore | None = None

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    async def create(self, name: str, content: bytes, *, content_type: str) -> bool:
        # A thread that cannot be cancelled halfway: at worst the file is there and nobody waits for the answer.
        return await asyncio.to_thread(self._create, name, content)

    async def read(self, name: str) -> bytes:
        return await asyncio.to_thread(self._read, name)

    def _read(self, name: str) -> bytes:
        self._refuse_links(name)
        # O_NOFOLLOW for the last part, a bound for what was put there by others: a file of ours is never so large.
        descriptor = os.open(self.root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EISDIR, "no regular file")
            return file.read(_MOST_BYTES)

    def _create(self, name: str, content: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        store = self._open()
        self._refuse_links(name)
        staged = f"{name}.{uuid4().hex}.part"
        obstore.put(store, staged, content, mode="create", use_multipart=False)
        is_new = False
        try:
            _sync(self.root / staged)
            # Swapped with the line above, a power cut could leave an empty file under the final name.
            obstore.rename(store, staged, name, overwrite=False)
            is_new = True
        except AlreadyExistsError:
            pass
        finally:
            if not is_new:
                (self.root / staged).unlink(missing_ok=True)
        self._settle(name)
        return is_new

    def _refuse_links(self, name: str) -> None:
        """
        No link below the archive's own folder is followed: whoever may put one there would choose which file of this
        machine gets our bytes, or is read as ours. The archive's folder itself may be one; its owner chose that.

        The look and the use are two steps. That is enough against what lies there; against somebody who changes the
        folder in between, the folder's rights are the answer (docs/operations.md).
        """
        path = self.root
        for part in name.split("/"):
            path /= part
            if path.is_symlink():
                raise OSError(errno.ELOOP, "a link in the archive is not followed")

    def _settle(self, name: str) -> None:
        """Put the name itself on the disk. Also one that was found: its writer may have died before this."""
        folder = (self.root / name).parent
        while folder != self.root:
            _sync_folder(folder)
            folder = folder.parent
        _sync_folder(self.root)

    def _open(self) -> ObjectStore:
        if self._store is None:
            from obstore.store import LocalStore

            new = [folder for folder in (self.root, *self.root.parents) if not folder.exists()]
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            for folder in new:
                _sync_folder(folder.parent)
            self._store = LocalStore(self.root)
        return self._store


class Bucket:
    """Objects below a prefix of a store of obstore's."""

    def __init__(self, address: str, open_store: Callable[[], ObjectStore]) -> None:
        self._address = address
        self._open_store = open_store
        self._store: ObjectStore | None = None

    def uri(self, name: str) -> str:
        return f"{self._address}/{name}"

    async def create(self, name: str, content: bytes, *, content_type: str) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            await obstore.put_async(
                self._opened(),
                name,
                content,
                attributes={"Content-Type": content_type},
                mode="create",
                # In parts the condition would not be checked until the last.
                use_multipart=False,
            )
        except AlreadyExistsError:
            return False
        return True

    async def read(self, name: str) -> bytes:
        import obstore

        found = await obstore.get_async(self._opened(), name)
        if found.meta["size"] > _MOST_BYTES:
            raise OSError(errno.EFBIG, "larger than any file of ours")
        return bytes(await found.bytes_async())

    def _opened(self) -> ObjectStore:
        if self._store is None:
            self._store = self._open_store()
        return self._store


def _path_of(url: str) -> Path:
    text = unquote(url.removeprefix("file:"))
    if text.startswith("//"):
        text = text.removeprefix("//")
        if not text.startswith("/"):
            raise ConfigurationError(f"FACTUS_ARCHIVE_URL names a host; it must be {_FORMS}")
    if not text or "\0" in text:
        raise ConfigurationError(f"FACTUS_ARCHIVE_URL names no folder; it must be {_FORMS}")
    return Path(os.path.abspath(text))  # noqa: PTH100  # resolve() would ask the disk, and put a link's target into URIs


def _open_s3(bucket: str, prefix: str, timeout: timedelta) -> ObjectStore:
    from obstore.store import S3Store

    return S3Store(
        bucket,
        prefix=prefix or None,
        # Buckets with Object Lock refuse what comes without a checksum.
        checksum_algorithm="SHA256",
        # Plain HTTP only happens where AWS_ENDPOINT_URL says http://; without it the endpoint is Amazon's, https.
        client_options={"allow_http": True, "connect_timeout": timedelta(seconds=5), "timeout": timeout},
        # The job is tried again anyway; the store's own three minutes would outlast a worker that is told to stop.
        retry_config={"max_retries": 2, "retry_timeout": timeout},
    )


def _storage_errors() -> tuple[type[Exception], ...]:
    # Only where obstore is at work it raises; to load it in the middle of another failure can fail as well.
    known = getattr(sys.modules.get("obstore.exceptions"), "BaseError", OSError)
    # obstore raises Python's own for missing files, permissions and what a store cannot do.
    return (known, OSError, NotImplementedError)


def _stored(uri: str, content: bytes) -> Stored:
    return Stored(uri=uri, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    try:
        _sync(folder)
    except OSError as exc:
        # Some network file systems have no such thing as syncing a folder.
        if exc.errno != errno.EINVAL:
            raise
