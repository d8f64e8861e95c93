"""
The files of keys and revocations, read again when they change.

What turned bad is not taken: the last good content stays, and it is told. A process never starts with bad ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog

from jobs.errors import ConfigurationError
from jobs.rights.keys import KeyInvalid, KeySet, key_set_of
from jobs.rights.revocations import Revocations, RevocationsInvalid, revocations_of
from worker.bounded_files import FileUnusable, read_whole
from worker.guard import Guard, pause
from worker.rights.trust import Trust

log = structlog.get_logger()

LOOK_S: Final = 3.0
"""How often the files are looked at: a change counts within ten seconds."""

_MOST_BYTES: Final = 4 * 1024 * 1024
_KEYS: Final = "FACTUS_JOBS_KEYS"
_REVOKED: Final = "FACTUS_JOBS_REVOKED"

_T = TypeVar("_T")


@dataclass(slots=True)
class _File:
    """One file: its content when it was read last, and what is wrong with that."""

    variable: str
    path: Path
    raw: bytes | None = None
    fault: str = ""

    def changed(self) -> bytes | None:
        """
        The content where it is another one than at the last look, else None.

        Raises:
            FileUnusable: It cannot be read.
        """
        raw = read_whole(self.path, most=_MOST_BYTES)
        if raw == self.raw:
            return None
        self.raw = raw
        return raw


class TrustFiles:
    """What two files say: ``trust`` counts now, ``fault`` is why the newest content does not, or empty."""

    def __init__(self, keys: Path, revoked: Path | None = None) -> None:
        """
        Read both.

        Raises:
            ConfigurationError: One cannot be used; names the setting, the file and what is wrong.
        """
        self._keys = _File(_KEYS, keys)
        self._revoked = _File(_REVOKED, revoked) if revoked else None
        self.trust = Trust(
            _first(self._keys, key_set_of), _first(self._revoked, revocations_of) if self._revoked else Revocations()
        )

    @property
    def fault(self) -> str:
        return "; ".join(file.fault for file in (self._keys, self._revoked) if file and file.fault)

    def look(self) -> None:
        """Take what has changed and is good. Never raises for what stands in a file, or for one that is gone."""
        keys = _next(self._keys, key_set_of)
        revoked = _next(self._revoked, revocations_of) if self._revoked else None
        if keys is not None or revoked is not None:
            self.trust = Trust(
                self.trust.keys if keys is None else keys, self.trust.revoked if revoked is None else revoked
            )
            warn_of_private_keys(self.trust.keys)

    async def follow(self, stopping: asyncio.Event, guard: Guard, *, every_s: float = LOOK_S) -> None:
        """Look again and again until *stopping*."""
        while not stopping.is_set():
            with guard.iteration():
                await asyncio.to_thread(self.look)  # a file may lie on a disk that answers late
            await pause(stopping, every_s)


def warn_of_private_keys(keys: KeySet) -> None:
    """Say which keys have their private part in the verifiers' file, where whoever reads it could sign."""
    if kids := sorted(key.kid for key in keys.values() if key.is_private):
        log.warning("keys.private", kids=kids)


def _first(file: _File, read: Callable[[bytes], _T]) -> _T:
    where = f"{file.variable}: {file.path}"
    try:
        return read(file.changed() or b"")
    except FileUnusable as exc:
        raise ConfigurationError(f"{where}: {exc}") from exc
    except (KeyInvalid, RevocationsInvalid) as exc:
        raise ConfigurationError(f"{where}: {exc}") from None


def _next(file: _File, read: Callable[[bytes], _T]) -> _T | None:
    """New content that is good; None where there is none, or what there is cannot be used."""
    try:
        raw = file.changed()
        if raw is None:
            return None
        found = read(raw)
    except (FileUnusable, KeyInvalid, RevocationsInvalid) as exc:
        if isinstance(exc, FileUnusable):
            file.raw = None  # the same content, once it is back, is read again: the fault is over then
        fault = f"{file.variable}: {exc}"
        if fault != file.fault:
            log.error("keys.not_taken", setting=file.variable, path=str(file.path), reason=str(exc))
        file.fault = fault
        return None
    log.info("keys.taken", setting=file.variable, path=str(file.path))
    file.fault = ""
    return found
