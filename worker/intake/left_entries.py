"""
Which entries this process has left to another worker, and since when.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from jobs.entry import Entry


@dataclass(slots=True)
class LeftEntries:
    """Instants of this process's own clock, in seconds. It holds no more than what is pending in the group."""

    _since: defaultdict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))

    def __contains__(self, entry: Entry) -> bool:
        return entry.id in self._since[entry.stream]

    def note(self, entry: Entry) -> float:
        """
        Note that an entry is left.

        Returns:
            For how long it has been left, in seconds; 0 the first time.
        """
        now = time.monotonic()
        return now - self._since[entry.stream].setdefault(entry.id, now)

    def forget(self, entry: Entry) -> None:
        self._since[entry.stream].pop(entry.id, None)

    def keep_only(self, stream: str, pending: Collection[bytes]) -> None:
        """Forget the entries of a stream that are not pending any more: another worker has taken them in."""
        if known := self._since[stream]:
            ids = known.keys() & {id_.decode() for id_ in pending}
            self._since[stream] = {id_: known[id_] for id_ in ids}
