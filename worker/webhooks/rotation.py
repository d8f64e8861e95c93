"""
A new secret without a gap: it goes first into the file and signs beside the older ones, which leave a day later.

Redis knows which are to leave by their digests alone, and only once the new one stands first in the file: whatever dies
in between, no secret leaves without a successor. The process that delivers stops signing with them at that time, also
where it may not write the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tomlkit
from redis.asyncio import Redis
from tomlkit.exceptions import TOMLKitError

from jobs.errors import ConfigurationError
from jobs.webhooks.endpoint import Endpoint
from worker.store.keys import Keys
from worker.webhooks.endpoints_file import endpoints_of
from worker.webhooks.signer import digest

STAYS_S: Final = 24 * 3600.0


class FileNotWritten(Exception):
    """The file could not be changed. Says why, without a secret."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One endpoint's: the secrets that were made, and when which others leave (ms). All by their digest."""

    new: frozenset[str] = frozenset()
    leave_at_ms: Mapping[str, int] = field(default_factory=dict)

    def made(self, secret: str, others: Sequence[str], now_ms: int) -> Rotation:
        """The same with one more secret, which the others leave to a day from now; who leaves already does then."""
        leave_at = {digest(one): now_ms + round(STAYS_S * 1000) for one in others}
        leave_at |= {one: at for one, at in self.leave_at_ms.items() if one in leave_at}
        return Rotation(self.new | {digest(secret)}, leave_at)

    def leaving(self, secrets: Sequence[str], now_ms: int) -> frozenset[str]:
        """Those of an endpoint's secrets whose time is up: none before a new one stands first, and never that one."""
        if not secrets or digest(secrets[0]) not in self.new:
            return frozenset()
        return frozenset(one for one in secrets[1:] if 0 < self.leave_at_ms.get(digest(one), 0) <= now_ms)

    def is_done(self, secrets: Sequence[str]) -> bool:
        """Whether none of these secrets is still to leave."""
        return not any(digest(one) in self.leave_at_ms for one in secrets)


@dataclass(frozen=True, slots=True)
class Rotations:
    """What Redis keeps of them."""

    redis: Redis
    keys: Keys

    async def all(self) -> dict[str, Rotation]:
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self.keys.hook_rotations())
            (kept,) = await pipe.execute()
        found = {name.decode(): _read(text) for name, text in kept.items()}
        return {name: rotation for name, rotation in found.items() if rotation}

    async def note(self, endpoint: str, rotation: Rotation) -> None:
        row = {"new": sorted(rotation.new), "leave_at": dict(rotation.leave_at_ms)}
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.hset(self.keys.hook_rotations(), endpoint, json.dumps(row))
            await pipe.execute()

    async def end(self, endpoint: str) -> None:
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.hdel(self.keys.hook_rotations(), endpoint)
            await pipe.execute()


def signing_secrets(endpoint: Endpoint, rotation: Rotation | None, now_ms: int) -> tuple[str, ...]:
    """The secrets that sign for an endpoint now, newest first."""
    leaving = rotation.leaving(endpoint.secrets, now_ms) if rotation else frozenset()
    return tuple(secret for secret in endpoint.secrets if secret not in leaving)


def put_first(path: Path, endpoint: str, secret: str) -> None:
    """
    Write a secret as the first of an endpoint's.

    Raises:
        FileNotWritten: Why it could not be; the file is as it was.
    """
    _edit(path, endpoint, lambda secrets: secrets.insert(0, secret))


def take_out(path: Path, endpoint: str, leaving: frozenset[str]) -> None:
    """
    Take secrets out of an endpoint's list; the first one always stays.

    Raises:
        FileNotWritten: As :func:`put_first`.
    """

    def remove(secrets: Any) -> None:
        for at in reversed(range(1, len(secrets))):
            if str(secrets[at]) in leaving:
                del secrets[at]

    _edit(path, endpoint, remove)


def _edit(path: Path, endpoint: str, change: Callable[[Any], object]) -> None:
    """Comments, order and mode of the file stay. It is replaced as a whole: whoever reads sees one of the two."""
    real = Path(os.path.realpath(path))
    try:
        with _locked(real) as content:
            document = tomlkit.parse(content.decode("utf-8-sig"))
            change(_secrets_in(document, endpoint))
            changed = tomlkit.dumps(document).encode()
            endpoints_of(changed, path)  # what was written is what will be read
            _replace(real, changed)
    except OSError as exc:
        raise FileNotWritten(exc.strerror or type(exc).__name__) from exc
    except ConfigurationError as exc:
        raise FileNotWritten(f"it would be refused ({exc})") from exc
    except (TOMLKitError, UnicodeDecodeError, KeyError, TypeError) as exc:
        raise FileNotWritten(f"its list of secrets cannot be edited ({type(exc).__name__})") from exc


def _secrets_in(document: Any, endpoint: str) -> Any:
    return document["endpoints"][endpoint]["secrets"]


@contextmanager
def _locked(path: Path) -> Iterator[bytes]:
    """The content, while nobody else of ours edits the file."""
    while True:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # Who waited has the lock of a file that may have been replaced meanwhile.
            if os.fstat(file.fileno()).st_ino != path.stat().st_ino:
                continue
            yield file.read()
            return


def _replace(path: Path, content: bytes) -> None:
    held = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), held.st_mode & 0o7777)
            if (held.st_uid, held.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), held.st_uid, held.st_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(text: bytes) -> Rotation | None:
    try:
        row = json.loads(text)
        return Rotation(frozenset(map(str, row["new"])), {str(one): int(at) for one, at in row["leave_at"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
