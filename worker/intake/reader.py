"""
Reading the intake streams within bounds, whatever lies in them.

Scripts measure each entry on the server before anything of it goes over the connection: of one that is larger than a
job may be only the beginning, its size and its digest reach this process. The wait for new entries is the one command
that must carry an entry along; its connection ends when that is too large, and a script reads what came.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.intake import Entry
from schemas.contract.envelope import MAX_JOB_BYTES
from worker.guard import Guard
from worker.intake.policy import IntakePolicy
from worker.store.bounded_connection import ReplyTooLarge
from worker.store.scripts import Arg, Scripts

log = structlog.get_logger()

GROUP: Final = "intake"
_BLOCK_MS: Final = 400
_PART_BYTES: Final = 4 * 1024 * 1024
_MOST_PARTS: Final = 128
"""Of an entry of more than half a gigabyte no digest is made: Redis takes no such field."""


class EntryReader:
    """Reads for one process. *owners*: the streams, and the account to which each belongs (empty: the common one)."""

    def __init__(
        self, blocking: Redis, owners: Mapping[str, str], worker_id: str, policy: IntakePolicy, guard: Guard
    ) -> None:
        """
        Args:
            blocking: A client that does not repeat what had no answer: what a lost answer held is pending, and taken up
                from there.
        """
        self._blocking = blocking
        self._scripts = Scripts(blocking)
        self._owners = owners
        self._streams = list(owners)
        self._worker_id = worker_id
        self._policy = policy
        self._guard = guard

    @property
    def streams(self) -> Sequence[str]:
        """Those that can be read."""
        return tuple(self._streams)

    async def create_groups(self) -> None:
        """
        Make what is not there yet: the streams and the group on each.

        A key that holds something else is told, and left out until it is a stream again: the others are read on.
        """
        sound: list[str] = []
        for stream in self._owners:
            if not self._guard.rest_s(stream):
                with self._guard.member(stream):
                    await self._create_group(stream)
                    sound.append(stream)
        self._streams = sound

    async def look_again(self) -> None:
        """Try those that were left out."""
        if len(self._streams) < len(self._owners):
            await self.create_groups()

    async def _create_group(self, stream: str) -> None:
        try:
            await self._blocking.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    async def next(self) -> list[Entry]:
        """
        What came, oldest first in each stream; empty when nothing did for a while.

        Raises:
            RedisError: No answer; what it may have held is pending.
        """
        if not self._streams:
            await asyncio.sleep(_BLOCK_MS / 1000)
            return []
        entries, last_ids = await self._read()
        if entries:
            return entries
        await self._wait(last_ids)
        entries, _ = await self._read()
        return entries

    async def _read(self) -> tuple[list[Entry], dict[str, str]]:
        """The entries, or where nothing was found the id of the last one that each stream gave us."""
        streams = [*self._streams]
        # Who was first is last in the next read: a full stream takes no other's share of the bytes.
        self._streams.append(self._streams.pop(0))
        args: list[Arg] = [GROUP, self._worker_id, self._policy.read_entries, self._policy.read_bytes, *self._sizes()]
        rows, last_ids = await self._scripts.run("read_entries", streams, args)
        entries = [await self._entry(streams[row[0] - 1], row) for row in rows]
        return entries, dict(zip(streams, (last.decode() for last in last_ids), strict=False))

    async def _wait(self, last_ids: Mapping[str, str]) -> None:
        """Until something is pushed, or a moment has passed. What came is read afterwards, within its bounds."""
        try:
            await self._blocking.xread(dict(last_ids.items()), count=1, block=_BLOCK_MS)
        except ReplyTooLarge:
            log.debug("intake.entry_large")

    async def pending(self, stream: str) -> list[bytes]:
        """The ids of all that was read of a stream and not written, oldest first; this worker has them now."""
        found: list[bytes] = []
        start: Any = "0-0"
        while True:
            start, ids = await self._scripts.run("claim_pending", [stream], [GROUP, self._worker_id, start, 1000])
            found += ids
            if start in (b"0-0", "0-0"):
                return found

    async def claimed(self, stream: str, ids: Sequence[bytes]) -> tuple[int, list[Entry]]:
        """
        Entries by their ids, as many as go into one read.

        Returns:
            How many ids were looked at, and the entries; what is not there any more was removed by somebody else.
        """
        n, rows, gone = await self._scripts.run(
            "read_claimed", [stream], [self._policy.read_bytes, *self._sizes(), *ids]
        )
        if gone:
            await self._blocking.xack(stream, GROUP, *gone)
        return n, [await self._entry(stream, row) for row in rows]

    def _sizes(self) -> list[Arg]:
        return [MAX_JOB_BYTES, self._policy.letter_bytes]

    async def _entry(self, stream: str, row: Sequence[Any]) -> Entry:
        _, entry_id, n_jobs, n_bytes, raw = row
        id_ = entry_id.decode()
        if n_jobs != 1 or len(raw) >= n_bytes:
            return Entry(stream, id_, raw, self._owners[stream], n_jobs)
        return Entry(stream, id_, raw, self._owners[stream], 1, n_bytes, await self._digest(stream, entry_id, n_bytes))

    async def _digest(self, stream: str, entry_id: bytes, n_bytes: int) -> str:
        digest = hashlib.sha256()
        for n in range(min(-(-n_bytes // _PART_BYTES), _MOST_PARTS)):
            part = await self._scripts.run("entry_part", [stream], [entry_id, n * _PART_BYTES, _PART_BYTES])
            if part is None:
                return ""
            digest.update(part)
        return digest.hexdigest()
