"""
Places: how many may wait or listen at once, all together and for each caller.

A place is given back when the block ends, however it ends: a client that goes away frees it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Places:
    """So many places; for one event loop."""

    most: int
    most_each: int
    _taken: Counter[str] = field(default_factory=Counter, init=False)

    @property
    def n_taken(self) -> int:
        return self._taken.total()

    @contextmanager
    def place(self, caller: str) -> Iterator[bool]:
        """A place while the block lasts; False where none is free, and then nothing is taken."""
        is_free = self.n_taken < self.most and self._taken[caller] < self.most_each
        if not is_free:
            yield False
            return
        self._taken[caller] += 1
        try:
            yield True
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]


@dataclass(slots=True)
class Room:
    """So many bytes, for all that is held at once."""

    most: int
    _taken: int = field(default=0, init=False)

    @contextmanager
    def of(self, n_bytes: int) -> Iterator[bool]:
        """Room for so many bytes while the block lasts; False where there is not so much."""
        if self._taken + n_bytes > self.most:
            yield False
            return
        self._taken += n_bytes
        try:
            yield True
        finally:
            self._taken -= n_bytes
