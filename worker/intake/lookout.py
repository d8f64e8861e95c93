"""
Looks ahead in an intake stream that has a backlog, for sales that may be taken in before it (``jobs/overtaking.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from redis.exceptions import RedisError

from jobs.entry import Entry
from jobs.overtaking import LookAhead, Outline, Outlined, outline_of, texts_of, wanted_of
from worker.intake.policy import IntakePolicy
from worker.intake.reader import EntryReader

_YIELD_S: Final = 0.01
_NEAR_S: Final = 1.0
"""How long the slices wait at most for a look that has found what may be a sale."""

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
    _near_until: float = field(default=0.0, init=False)

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

    async def has_looked(self) -> bool:
        """
        Whether a look that was begun is over, and nobody has asked yet what it has found. Where it knows of what may be
        a sale and asks what is in its way, this waits for it, a second at most: it costs some 5 us for each entry, on
        the server, and the sale does not have to wait there behind slices.
        """
        looking, left_s = self._looking, self._near_until - time.monotonic()
        if looking is not None and left_s > 0:
            await asyncio.wait([looking], timeout=left_s)
        return looking is not None and looking.done()

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
        """Over some entries. Those of them that may be sales are read, and what may be in their way."""
        ahead = self._ahead.setdefault(stream, LookAhead(self.bounds.ahead_entries))
        if not ahead.undecided(1) and not ahead.is_full:
            last, n, sales = await self.reader.look_over(stream, ahead.looked_over)
            if not last:
                self._rests_until[stream] = time.monotonic() + _REST_S
            ahead.look_over(last, n, sales)
        found: list[Found] = []
        self._near_until = time.monotonic() + _NEAR_S
        try:
            while not found and (ids := ahead.undecided(self.bounds.look_entries)):
                found = await self._decide(stream, ahead, ids)
        finally:
            self._near_until = 0.0
        return found

    async def _decide(self, stream: str, ahead: LookAhead, ids: Sequence[str]) -> list[Found]:
        """The next that may be sales are read, as many as go into one read; those of them that may pass."""
        # What is taken in while we read is not in the way any more; to take it for such errs on the right side.
        after = ahead.taken_to
        n, entries = await self.reader.claimed(stream, [id_.encode() for id_ in ids])
        read = await self._outlined(stream, [(entry.id, _job_of(entry)) for entry in entries])
        others = await self._others(stream, after, read)
        passing = set(ahead.decide(read, others))
        ahead.reached(ids[n - 1])
        return [(entry, outline) for entry, (id_, outline) in zip(entries, read, strict=True) if id_ in passing]

    async def _others(self, stream: str, after: str, read: Sequence[Outlined]) -> list[Outlined]:
        """What stands before these, is none of them, and is in the way of at least one."""
        documents = [id_ for id_, outline in read if outline.is_document]
        if not documents:
            return []
        up_to, own = documents[-1], {id_ for id_, _ in read}
        wanted = wanted_of(outline for _, outline in read)
        texts = texts_of(wanted)
        others: list[Outlined] = []
        while after != up_to:
            after, rows = await self.reader.in_the_way(stream, after, up_to, texts)
            if not after:
                break
            outlined = await self._outlined(stream, [(id_, raw) for id_, raw in rows if id_ not in own])
            others += [(id_, outline) for id_, outline in outlined if not wanted.isdisjoint(outline.uses)]
        return others

    async def _outlined(self, stream: str, rows: Sequence[tuple[str, bytes | None]]) -> list[Outlined]:
        owner, default = self.reader.owner_of(stream), self.default_account()
        outlined: list[Outlined] = []
        yielded_at = time.perf_counter()
        for id_, raw in rows:
            if time.perf_counter() - yielded_at > _YIELD_S:
                await asyncio.sleep(0)
                yielded_at = time.perf_counter()
            outlined.append((id_, outline_of(raw, owner, default)))
        return outlined


def _job_of(entry: Entry) -> bytes | None:
    """Its field ``job``; None for an entry that has another form, or a larger one than a job may have."""
    return entry.raw if entry.n_jobs == 1 and not entry.size else None


def forget(task: asyncio.Task[Any]) -> None:
    """Nobody asks any more what became of it: its failure is no news."""
    if not task.cancelled():
        task.exception()
