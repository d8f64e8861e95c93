"""
The accounts that this process does not serve, as far as it has met them in lanes or in arq's queue.

Workers of one namespace may serve different accounts. What a process has met it passes over from then on, and moves
nothing of it: another worker looks at the same lane at the same instant.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

MOST_FOREIGN: Final = 10_000


class ForeignAccounts:
    """
    Remembered as long as the process lives, which serves the same accounts all the time. There is room for 10,000;
    with more of them it may be that what stands behind theirs is not reached.
    """

    def __init__(self, own: Collection[str], most: int = MOST_FOREIGN) -> None:
        self._own = frozenset(name.encode() for name in own)
        self._most = most
        self._met: dict[bytes, None] = {}

    @property
    def names(self) -> list[bytes]:
        """What the scripts are to pass over; nearly always nothing."""
        return list(self._met)

    @property
    def is_full(self) -> bool:
        """Whether no more can be remembered."""
        return len(self._met) >= self._most

    def are_own(self, account: bytes) -> bool:
        """Whether this process serves an account."""
        return account in self._own

    def meet(self, account: bytes) -> bool:
        """Remember one that is not served here; whether it is new."""
        if account in self._met or self.is_full:
            return False
        self._met[account] = None
        return True
