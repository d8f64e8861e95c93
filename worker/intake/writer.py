"""
Writing what entries become, in their order, and never stopping at one.

A slice is one script. When it fails for a reason that lies in an entry, the slice is halved until the entry is found,
and that one is refused as a defect of ours; what lies with the server passes through, and everything stays pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.follow_ups import archive_job
from jobs.intake import Entry
from schemas import strict_json
from worker.guard import Guard, is_server_state
from worker.intake.items import IntakeItems, Item, log_refusal
from worker.intake.script_arguments import IntakeArguments, Prepared
from worker.queue.claims import Claimer
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Scripts

log = structlog.get_logger()


class LeadLost(Exception):
    """Another worker leads by now. Nothing more was written."""


class EntryWriter:
    """Writes for one process."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        items: IntakeItems,
        arguments: IntakeArguments,
        claimer: Claimer,
        guard: Guard,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._items = items
        self._arguments = arguments
        self._claimer = claimer
        self._guard = guard
        self.n_taken = 0

    def prepare(self, entry: Entry) -> list[Prepared]:
        """What becomes of an entry, laid out for the script, whatever it does to us; empty when nothing can be."""
        try:
            return [self._arguments.prepare(self._items.validate(entry))]
        except Exception as exc:  # noqa: BLE001  # whatever a producer found to trip us, those behind it go on
            return self._refused(entry, exc)

    async def write(self, slice_: Sequence[Prepared]) -> None:
        """
        Write these, in order.

        Raises:
            LeadLost: The lead is another worker's.
            RedisError: The server is out of reach, or takes no writes. What was not written is pending.
        """
        items = list(slice_)
        while items:
            try:
                n_done, code, extra, n_started, *claimed = await self._scripts.run("intake", *self._arguments.of(items))
            except RedisError as exc:
                if is_server_state(exc):
                    raise
                await self._write_parts(items, exc)
                return
            self.n_taken += n_done
            items = items[n_done:]
            self._claimer.receive(n_started, claimed)
            match code:
                case b"done":
                    return
                case b"leader":
                    log.warning("intake.lead_lost", n_entries=len(items))
                    raise LeadLost
                case b"replay":
                    items[:1] = await self._replayed(items[0].item, extra)
                case _:
                    items[:1] = self._conflicting(items[0].item, code.decode())

    async def _write_parts(self, items: list[Prepared], error: RedisError) -> None:
        """What could not be written together: in halves, and what is left alone at last in another form."""
        first = items[0].item.entry
        rest = next((n for n, one in enumerate(items) if one.item.entry is not first), 0)
        if rest:
            middle = max(rest, len(items) // 2)
            while items[middle].item.entry is items[middle - 1].item.entry:
                middle -= 1
            await self.write(items[:middle])
            await self.write(items[middle:])
            return
        refusal = self._refused(first, error, after=items[0].refusal)
        if refusal:
            await self.write(refusal)
        else:
            # Not even its refusal can be written: it stays pending, is tried again at a growing pause, and the entries
            # behind it go on.
            self._guard.fails(first.id, "the refusal of the entry cannot be written")

    def _conflicting(self, item: Item, code: str) -> list[Prepared]:
        try:
            prepared = self._arguments.prepare(self._items.conflict(item, code))
            log_refusal(prepared.item)
            return [prepared]
        except Exception as exc:  # noqa: BLE001  # as in prepare
            return self._refused(item.entry, exc)

    async def _replayed(self, item: Item, stored: bytes) -> list[Prepared]:
        """The answer from the ledger: with what has been archived since."""
        try:
            assert item.record is not None
            first = strict_json.parse(stored)
            key = self._keys.job(item.record.account, archive_job(first["job_id"]))
            progress = await command(self._redis, "HGET", key, "progress")
            documents = strict_json.parse(progress)["documents"] if progress else []
            return [self._arguments.prepare(one) for one in self._items.replay(item, first, documents)]
        except Exception as exc:  # a record that cannot be read is a matter of this entry; an outage is not
            if is_server_state(exc):
                raise
            return self._refused(item.entry, exc)

    def _refused(self, entry: Entry, error: Exception, *, after: int = 0) -> list[Prepared]:
        """
        The refusal of an entry that tripped us.

        Args:
            after: Which refusal has failed already; a barer one follows.

        Returns:
            Empty when there is none that could be written.
        """
        log.exception("intake.defect", entry=entry.id, error=type(error).__name__, exc_info=error)
        self._guard.failed[self._guard.task] += 1
        for n, make in enumerate((self._items.defect, self._items.bare_defect), 1):
            if n > after:
                try:
                    return [replace(self._arguments.prepare(make(entry, error)), refusal=n)]
                except Exception as exc:  # the refusal trips us too
                    log.exception("intake.defect", entry=entry.id, error=type(exc).__name__)
        return []
