"""
Reading the intake streams within bounds, whatever lies in them.

Scripts measure each entry on the server before anything of it goes over the connection: of one that is larger than a
job may be only the beginning, its size and its digest reach this process. The wait for new entries is the one command
that carries entries along as they are, so that a job that comes alone costs one round trip; its connection ends when
they are too large together, and what they were is read by their ids, measured.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from jobs.entry import Entry
from jobs.rights.admission import TokenBeside
from schemas.contract.envelope import MAX_JOB_BYTES
from worker.guard import Guard
from worker.intake.policy import IntakePolicy
from worker.store.bounded_connection import ReplyTooLarge
from worker.store.connection import command
from worker.store.scripts import Arg, Scripts

log = structlog.get_logger()

GROUP: Final = "intake"
_AT_ONCE: Final = 4
"""How many entries of a stream the wait may bring. Where it brings so many there are more, which a script reads."""

_XREADGROUP: Final = b"XREADGROUP"
"""In bytes: redis-py then gives the reply as it came. The dict that it makes of the fields loses one of two `job`."""

_PART_BYTES: Final = 4 * 1024 * 1024
_MOST_PARTS: Final = 128
"""Of an entry of more than half a gigabyte no digest is made: Redis takes no such field."""


class EntryReader:
    """Reads for one process. *owners*: the streams, and the account to which each belongs (empty: the common one)."""

    def __init__(
        self,
        blocking: Redis,
        owners: Mapping[str, str],
        worker_id: str,
        policy: IntakePolicy,
        guard: Guard,
        *,
        operators: str = "",
    ) -> None:
        """
        Args:
            blocking: A client that does not repeat what had no answer: what a lost answer held is pending, and taken up
                from there.
            operators: The stream among them that only the operator writes. Its entries name their owner themselves.
        """
        self._blocking = blocking
        self._scripts = Scripts(blocking)
        self._owners = owners
        self._operators = operators
        self._accounts = frozenset(owners.values())
        self._streams = list(owners)
        self._worker_id = worker_id
        self._policy = policy
        self._guard = guard
        self._has_more = True
        self._seen: dict[str, str] = {}
        self._owed: list[tuple[str, list[bytes]]] = []

    @property
    def streams(self) -> Sequence[str]:
        """Those that can be read."""
        return tuple(self._streams)

    async def begin(self) -> None:
        """This worker leads from now on. What is pending is taken up by whoever leads: here what is new is read."""
        self._owed = []
        self._has_more = True
        await self.create_groups()

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
            await asyncio.sleep(self._policy.block_ms / 1000)
            return []
        return await self.more() or await self._wait()

    async def more(self) -> list[Entry]:
        """
        What is there already, where there may be something.

        Raises:
            RedisError: As with :meth:`next`.
        """
        if self._owed:
            return await self._read_owed()
        if not self._has_more:
            return []
        entries = await self._read()
        self._has_more = bool(entries)
        return entries

    async def _read(self) -> list[Entry]:
        streams = [*self._streams]
        # Who was first is last in the next read: a full stream takes no other's share of the bytes.
        self._streams.append(self._streams.pop(0))
        args = {
            "group": GROUP,
            "worker": self._worker_id,
            "most": self._policy.read_entries,
            "most_bytes": self._policy.read_bytes,
            **self._sizes(),
        }
        rows = await self._scripts.run("read_entries", {"streams": streams}, args)
        entries = [await self._entry(streams[row[0] - 1], row) for row in rows]
        self._seen |= {entry.stream: entry.id for entry in entries}
        return entries

    async def _wait(self) -> list[Entry]:
        """What is pushed, or empty after a moment."""
        try:
            reply = await command(
                self._blocking, _XREADGROUP, "GROUP", GROUP, self._worker_id, "COUNT", _AT_ONCE,
                "BLOCK", self._policy.block_ms,
                "STREAMS", *self._streams, *[">"] * len(self._streams),
            )  # fmt: skip
        except ReplyTooLarge:
            log.debug("intake.entry_large")
            # What the reply held is pending now, behind what was read before. Where a stream was made anew and its ids
            # are lower, the next look at what is pending finds it (Intake._reclaim).
            self._owed = [
                (stream, ids)
                for stream in self._streams
                if (ids := await self.pending(stream, since=self._seen.get(stream, "0-0")))
            ]
            return await self._read_owed()
        found: list[Entry] = []
        for stream, rows in reply or ():
            self._has_more = self._has_more or len(rows) == _AT_ONCE
            found += await self._came(stream.decode(), rows)
        return found

    async def _came(self, stream: str, rows: Sequence[Any]) -> list[Entry]:
        """Entries as the wait brought them; those that have another form than a job's are read again, measured."""
        found: list[Entry] = []
        for id_, fields in rows:
            entry = self._small_entry(stream, id_.decode(), fields)
            found += [entry] if entry else (await self.claimed(stream, [id_]))[1]
        self._seen[stream] = rows[-1][0].decode()
        return found

    def _small_entry(self, stream: str, id_: str, fields: Sequence[bytes]) -> Entry | None:
        """An entry of the form that nearly all have; None for one that has to be measured."""
        names, values = fields[::2], dict(zip(fields[::2], fields[1::2], strict=True))
        is_small = names.count(b"job") == 1 and len(values[b"job"]) <= MAX_JOB_BYTES
        if not is_small or names.count(b"token") > 1:
            return None
        owner, is_operators = self._owner(stream, values.get(b"owner", b""))
        beside = TokenBeside(1, values[b"token"]) if b"token" in values else None
        return Entry(stream, id_, values[b"job"], owner, beside=beside, is_operators=is_operators)

    async def _read_owed(self) -> list[Entry]:
        """Entries that were given to us in a reply that was too large, oldest first in each stream."""
        while self._owed:
            stream, ids = self._owed[0]
            n, entries = await self.claimed(stream, ids[: self._policy.read_entries])
            self._seen[stream] = ids[n - 1].decode()
            self._owed[:1] = [(stream, ids[n:])] if ids[n:] else []
            if entries:
                return entries
        return []

    async def pending(self, stream: str, *, since: str = "0-0") -> list[bytes]:
        """
        The ids of all that was read of a stream and not written, oldest first; this worker has them now.

        Args:
            since: Only this id and those that follow it.
        """
        found: list[bytes] = []
        start: Any = since
        while True:
            start, ids = await self._scripts.run(
                "claim_pending",
                {"stream": stream},
                {"group": GROUP, "worker": self._worker_id, "start": start, "most": 1000},
            )
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
            "read_claimed",
            {"stream": stream},
            {"most_bytes": self._policy.read_bytes, **self._sizes(), "ids": ids},
        )
        if gone:
            await self._blocking.xack(stream, GROUP, *gone)
        return n, [await self._entry(stream, row) for row in rows]

    async def look_over(self, stream: str, after: str) -> tuple[str, int, list[str]]:
        """
        Look over the next entries that are not taken in yet, on the server: nothing of them comes over the connection.

        Args:
            after: The entry behind which to begin; empty for the first.

        Returns:
            The last one looked over (empty: there is none), how many there were, and those that may have priority
            ``high``.
        """
        bounds = self._bounds_of(after, self._policy.over_entries)
        last, n, sales = await self._scripts.run("look_over", {"stream": stream}, bounds)
        return last.decode(), n, [id_.decode() for id_ in sales]

    async def in_the_way(
        self, stream: str, after: str, up_to: str, texts: Sequence[bytes]
    ) -> tuple[str, list[tuple[str, bytes]]]:
        """
        Of the next entries those that may be in the way of jobs which want to pass them: looked at on the server, and
        left where they are.

        Args:
            after: The entry behind which to begin; empty for the first.
            up_to: The last one that is wanted.
            texts: The ids and references of these jobs.

        Returns:
            The last one looked at (empty: there is none); of those that may be in the way ids and fields ``job``; of an
            entry that has another form, or a larger one than a job may have, no bytes.
        """
        args = {**self._bounds_of(after, self._policy.look_entries), "up_to": up_to, "texts": texts}
        last, rows = await self._scripts.run("in_the_way", {"stream": stream}, args)
        return last.decode(), [(id_.decode(), raw) for id_, raw in rows]

    def _bounds_of(self, after: str, most: int) -> dict[str, Arg]:
        return {"after": after, "most": most, "most_bytes": self._policy.over_bytes, "largest": MAX_JOB_BYTES}

    def owner_of(self, stream: str) -> str:
        """The account to which a stream belongs; empty for the common one."""
        return self._owners[stream]

    def is_operators(self, stream: str) -> bool:
        """Whether only the operator writes to it."""
        return stream == self._operators

    def _sizes(self) -> dict[str, Arg]:
        return {"largest": MAX_JOB_BYTES, "beginning": self._policy.letter_bytes}

    async def _entry(self, stream: str, row: Sequence[Any]) -> Entry:
        _, entry_id, n_jobs, n_bytes, raw, n_tokens, token, named = row
        owner, is_operators = self._owner(stream, named)
        is_whole = len(raw) >= n_bytes
        return Entry(
            stream,
            entry_id.decode(),
            raw,
            owner,
            n_jobs,
            size=0 if is_whole else n_bytes,
            sha256="" if is_whole else await self._digest(stream, entry_id, n_bytes),
            beside=TokenBeside(n_tokens, token) if n_tokens else None,
            is_operators=is_operators,
        )

    def _owner(self, stream: str, named: bytes) -> tuple[str, bool]:
        """By whose own stream an entry came (empty: the common one), and whether the operator has pushed it again."""
        if stream != self._operators:
            return self._owners[stream], False
        # An account whose own stream is not served here any more is reached through the common one.
        account = named.decode("ascii", "replace")
        return (account if account in self._accounts else ""), True

    async def _digest(self, stream: str, entry_id: bytes, n_bytes: int) -> str:
        digest = hashlib.sha256()
        for n in range(min(-(-n_bytes // _PART_BYTES), _MOST_PARTS)):
            part = await self._scripts.run(
                "entry_part",
                {"stream": stream},
                {"entry": entry_id, "first": n * _PART_BYTES, "n_bytes": _PART_BYTES},
            )
            if part is None:
                return ""
            digest.update(part)
        return digest.hexdigest()
