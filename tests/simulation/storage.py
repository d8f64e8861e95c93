"""The storage behind the archive, with bad days: it fails before it has stored, or when it has and cannot say so."""

from __future__ import annotations

import asyncio
import errno
import random
from dataclasses import dataclass, field

from worker.archive.archive import ArchiveBackend


@dataclass
class Weather:
    """How often the storage fails, and how long it takes at most; the same for all workers."""

    chance: random.Random
    fail_share: float = 0.0
    slow_s: float = 0.0
    n_failures: int = 0

    def calm(self) -> None:
        self.fail_share = self.slow_s = 0.0

    def strikes(self) -> bool:
        found = self.chance.random() < self.fail_share
        self.n_failures += found
        return found


@dataclass
class MemoryShelf:
    """Files in memory, as :class:`worker.archive.archive.ArchiveBackend` wants them."""

    files: dict[str, bytes] = field(default_factory=dict)

    def uri(self, name: str) -> str:
        return f"memory:///{name}"

    async def create(self, name: str, content: bytes, *, content_type: str) -> bool:
        return self.files.setdefault(name, content) is content

    async def read(self, name: str) -> bytes:
        return self.files[name]


@dataclass
class StormyShelf:
    """Another shelf, in the weather. It takes its time before and after it has stored: there workers are killed."""

    inner: ArchiveBackend
    weather: Weather

    def uri(self, name: str) -> str:
        return self.inner.uri(name)

    async def create(self, name: str, content: bytes, *, content_type: str) -> bool:
        await self._pause()
        if self.weather.strikes():
            raise OSError(errno.ENOSPC, "no space left on device")
        is_new = await self.inner.create(name, content, content_type=content_type)
        await self._pause()
        if self.weather.strikes():
            raise OSError(errno.EIO, "input/output error")
        return is_new

    async def read(self, name: str) -> bytes:
        if self.weather.strikes():
            raise OSError(errno.EIO, "input/output error")
        return await self.inner.read(name)

    async def _pause(self) -> None:
        if self.weather.slow_s:
            await asyncio.sleep(self.weather.chance.uniform(0, self.weather.slow_s))
