"""
Which accounts there are, as far as a door knows: those of its own settings, and those that living workers serve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final
from zoneinfo import ZoneInfo

from jobs.intake import DEFAULT_ACCOUNT
from worker.settings.account import Account
from worker.status.reader import StatusReader

_FRESH_S: Final = 2.0


@dataclass(slots=True)
class KnownAccounts:
    """The accounts of this service."""

    configured: Mapping[str, Account]
    reader: StatusReader
    _served: frozenset[str] = field(default=frozenset(), init=False)
    _read_at: float = field(default=float("-inf"), init=False)

    @property
    def own_streams(self) -> frozenset[str]:
        return frozenset(name for name, account in self.configured.items() if account.own_streams)

    @property
    def zones(self) -> dict[str, ZoneInfo]:
        return {name: account.zone for name, account in self.configured.items()}

    async def default(self) -> str | None:
        """Whose job one is that names no account: the only one, or that named ``default``. As the intake has it."""
        names = await self.names()
        if len(names) == 1:
            return next(iter(names))
        return DEFAULT_ACCOUNT if DEFAULT_ACCOUNT in names else None

    async def names(self) -> frozenset[str]:
        if monotonic() - self._read_at > _FRESH_S:
            workers = await self.reader.workers(await self.reader.now_ms())
            self._served = frozenset(name for worker in workers for name in worker.accounts)
            self._read_at = monotonic()
        return self._served | self.configured.keys()
