"""
Which entries this process has left to another worker, for which account, and since when.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from jobs.entry import Entry


@dataclass(slots=True)
class LeftEntries:
    """Instants of this process's own clock, in seconds. It holds no more than what is pending in the group."""

    _left: defaultdict[str, dict[str, tuple[str, float]]] = field(default_factory=lambda: defaultdict(dict))

    def __contains__(self, entry: Entry) -> bool:
        return entry.id in self._left[entry.stream]

    def note(self, entry: Entry, account: str) -> float:
        """
        Note that an entry is left to whoever serves an account.

        Returns:
            For how long it has been left, in seconds; 0 the first time.
        """
        now = time.monotonic()
        _, since = self._left[entry.stream].setdefault(entry.id, (account, now))
        return now - since

    def forget(self, entry: Entry) -> None:
        self._left[entry.stream].pop(entry.id, None)

    def keep_only(self, stream: str, pending: Collection[bytes]) -> None:
        """Forget the entries of a stream that are not pending any more: another worker has taken them in."""
        if known := self._left[stream]:
            ids = known.keys() & {id_.decode() for id_ in pending}
            self._left[stream] = {id_: known[id_] for id_ in ids}

    def still(self, stream: str, id_: bytes, is_awaited: Callable[[str, float], bool]) -> bool:
        """
        Whether an entry of which nothing but the id is at hand stays left.

        Args:
            is_awaited: Says it of an account, and of the seconds for which the entry has been left.
        """
        known = self._left[stream].get(id_.decode())
        return known is not None and is_awaited(known[0], time.monotonic() - known[1])
