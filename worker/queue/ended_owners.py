"""Owners that have ended while others had joined them: ``ledger.py`` adds them, ``joined_jobs.py`` takes them."""

from __future__ import annotations

import asyncio


class EndedOwners:
    """``account/job id`` of each, in the order in which they ended, and the signal that there is one."""

    def __init__(self) -> None:
        self.members: dict[str, None] = {}
        self.woken = asyncio.Event()

    def add(self, member: str) -> None:
        """The owner ``account/job id`` has ended, and others joined it."""
        self.members[member] = None
        self.woken.set()
