"""
Looks ahead in an intake stream that has a backlog, for sales that may be taken in before it (``jobs/overtaking.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import RedisError

from jobs.entry import Entry
from jobs.overtaking import LookAhead, Outline, outline_of
from worker.intake.policy import IntakePolicy
from worker.intake.reader import EntryReader

_YIELD_S: Final = 0.01
_STEPS: Final = 12
"""How often one look reads on before a sale, while the slices wait for it: a second at most."""

_REST_S: Final = 0.05
"""How long after a look that found nothing new the next one begins: a look costs a round trip."""

Found = tuple[Entry, Outline]


@dataclass(slots=True)
class Lookout:
    """
    What the leader of the intake knows of its streams beyond what it has read.

    Args:
        default_account: The account of a job that names none; None where there is no such one.
    """

    reader: EntryReader
    bounds: IntakePolicy
    default_account: Callable[[], str | None]
    _ahead: dict[str, LookAhead] = field(default_factory=dict, init=False)
    _looking: asyncio.Task[list[Found]] | None = field(default=None, init=False)
    _rests_until: dict[str, float] = field(default_factory=dict, init=False)
    _is_near: bool = field(default=False, init=False)

    def clear(self) -> None:
        """
        Nothing is known any more: the next look begins with the first entry that is not taken in.

        What a look has found and nobody has taken waits for its turn. It may be forgotten only together with all else:
        those of its lane that stand behind it would pass it.
        """
        self._ahead.clear()
        self._rests_until.clear()
        if self._looking:
            self._looking.cancel()
            self._looking.add_done_callback(forget)
        self._looking = None

    def begin(self, stream: str) -> None:
        """Look on in a stream, beside what this process does meanwhile; unless a look is under way, or was just now."""
        if self._looking is not None or self.reader.is_operators(stream):
            return
        if time.monotonic() >= self._rests_until.get(stream, 0):
            self._looking = asyncio.create_task(self._look(stream))

    @property
    def nears_a_sale(self) -> bool:
        """
        Whether the look under way reads what stands before a sale. To wait for it costs nothing in all, and the sale
        does not have to share the process with a thousand others until it is found.
        """
        return self._looking is not None and self._is_near

    @property
    def has_looked(self) -> bool:
        """Whether a look that was begun is over, and nobody has asked yet what it has found."""
        return self._looking is not None and self._looking.done()

    async def found(self) -> list[Found]:
        """
        What the look that was begun has found: each may be taken in before what was pushed earlier, in this order.
        Waits for it. What was taken in meanwhile may be among it; nothing is where it had no answer, and all waits for
        its turn: whatever is wrong with the server, the slices meet it too.
        """
        if self._looking is None:
            return []
        looking, self._looking = self._looking, None
        try:
            return await looking
        except RedisError:
            self.clear()
            return []

    def taken(self, stream: str, up_to: str) -> None:
        """All that was read of a stream up to this entry has been written, or was left to others."""
        if stream in self._ahead:
            self._ahead[stream].taken(up_to)

    def stays(self, entry: Entry, outline: Outline) -> None:
        """One that a look has found waits for its turn after all."""
        if entry.stream in self._ahead:
            self._ahead[entry.stream].stays(entry.id, outline)

    async def _look(self, stream: str) -> list[Found]:
        """Over some entries; where one of them may be a sale, through what stands before it."""
        ahead = self._ahead.setdefault(stream, LookAhead(self.bounds.ahead_entries))
        if not ahead.newest_sale:
            last, sales = await self.reader.look_over(stream, ahead.looked_over)
            if not last:
                self._rests_until[stream] = time.monotonic() + _REST_S
            ahead.look_over(last, sales)
        found: list[Found] = []
        try:
            for _ in range(_STEPS):
                self._is_near = bool(ahead.newest_sale) and not ahead.is_full
                if found or not self._is_near:
                    break
                found = await self._read(stream, await self._outlines(stream, ahead))
        finally:
            self._is_near = False
        return found

    async def _outlines(self, stream: str, ahead: LookAhead) -> dict[str, Outline]:
        """The next entries up to the newest that may be a sale are outlined; those of them that may pass."""
        up_to = ahead.newest_sale
        rows = await self.reader.ahead(stream, ahead.outlined, up_to)
        if not rows:
            ahead.reached(up_to)  # somebody has removed them
        owner, default = self.reader.owner_of(stream), self.default_account()
        passing: dict[str, Outline] = {}
        yielded_at = time.perf_counter()
        for id_, raw in rows:
            if time.perf_counter() - yielded_at > _YIELD_S:
                await asyncio.sleep(0)
                yielded_at = time.perf_counter()
            outline = outline_of(raw, owner, default)
            if ahead.may_pass(id_, outline):
                passing[id_] = outline
        return passing

    async def _read(self, stream: str, passing: Mapping[str, Outline]) -> list[Found]:
        found: list[Found] = []
        ids = [id_.encode() for id_ in passing]
        while ids:
            n, entries = await self.reader.claimed(stream, ids)
            ids = ids[n:]
            found += [(entry, passing[entry.id]) for entry in entries]
        return found


def forget(task: asyncio.Task[Any]) -> None:
    """Nobody asks any more what became of it: its failure is no news."""
    if not task.cancelled():
        task.exception()
