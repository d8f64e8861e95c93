"""
From the intake streams into the ledger and the lanes.

One worker at a time does it, for all streams, so that the order of a stream is the order of its jobs, also where two
entries name one reference. The lead is a lease; the script that writes a batch checks it, so a leader that was
replaced can write nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.following import archive_job
from jobs.intake import Entry, IntakeDesk
from schemas import strict_json
from worker.intake.script_arguments import IntakeArguments
from worker.intake.items import IntakeItems, Item
from worker.keys import Keys
from worker.lanes import LaneBook
from worker.ledger import LedgerPolicy
from worker.lua import Scripts
from worker.redis_connection import command
from worker.settings import Account
from worker.taking import Taker

log = structlog.get_logger()

GROUP: Final = "intake"
LEASE_MS: Final = 5000
_BATCH: Final = 100
_SLICE: Final = 25
_SLICE_BYTES: Final = 4 * 1024 * 1024
_BLOCK_MS: Final = 400
_RETRY_S: Final = 1.0


class Intake:
    """The intake of one process; idle while another process leads."""

    def __init__(
        self,
        redis: Redis,
        blocking: Redis,
        scripts: Scripts,
        keys: Keys,
        desk: IntakeDesk,
        accounts: Mapping[str, Account],
        policy: LedgerPolicy,
        book: LaneBook,
        taker: Taker,
    ) -> None:
        self._redis = redis
        self._blocking = blocking
        self._scripts = scripts
        self._keys = keys
        self._taker = taker
        self._items = IntakeItems(keys, desk, accounts)
        self._arguments = IntakeArguments(keys, accounts, policy, book, taker, group=GROUP, lease_ms=LEASE_MS)
        self._worker_id = taker.worker_id
        self._owners = {keys.jobs(): ""} | {
            keys.jobs(name): name for name, account in accounts.items() if account.own_streams
        }
        self.is_leader = False
        self._next_take_over = 0.0
        self.n_taken = 0

    async def run(self, on_work: Callable[[], None], stopping: asyncio.Event) -> None:
        """Take in what is pushed until *stopping*; *on_work* is called after each batch: a lane may be due."""
        try:
            while not stopping.is_set():
                try:
                    await self._turn(on_work, stopping)
                except RedisError as exc:
                    # What was read stays pending in the group and is taken up again by whoever leads next.
                    log.warning("redis.unavailable", task="intake", error=type(exc).__name__)
                    self.is_leader = False
                    await _pause(stopping, _RETRY_S)
        finally:
            await self._resign()

    async def _turn(self, on_work: Callable[[], None], stopping: asyncio.Event) -> None:
        lead = await self._scripts.run("lead", [self._keys.leader("intake")], [self._worker_id, LEASE_MS])
        if lead == 0:
            self.is_leader = False
            await _pause(stopping, LEASE_MS / 1000 / 3)
            return
        if lead == 2 or not self.is_leader:
            await self._create_groups()
            self._next_take_over = 0.0
            self.is_leader = True
        now = asyncio.get_running_loop().time()
        if now >= self._next_take_over:
            # Again and again: an earlier leader that stood still may wake and read before it learns that it lost.
            self._next_take_over = now + LEASE_MS / 1000
            await self._take_over(on_work)
        entries = await self._read()
        if entries and await self._process(entries):
            on_work()

    async def _create_groups(self) -> None:
        for stream in self._owners:
            try:
                await self._redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
            except ResponseError as exc:
                if "BUSYGROUP" not in str(exc):
                    raise

    async def _take_over(self, on_work: Callable[[], None]) -> None:
        """What an earlier leader had read and not written, oldest first. The fence stops it: no idle time is needed."""
        for stream in self._owners:
            start: str | bytes = "0-0"
            while True:
                reply = await self._redis.xautoclaim(stream, GROUP, self._worker_id, 0, start, _BATCH)
                start, found = reply[0], reply[1]
                entries = [self._entry(stream, entry_id, fields) for entry_id, fields in found if fields is not None]
                if entries:
                    log.info("intake.taken_over", n_entries=len(entries))
                    if await self._process(entries):
                        on_work()
                if start in (b"0-0", "0-0"):
                    break

    async def _read(self) -> list[Entry]:
        reply = await self._blocking.xreadgroup(
            GROUP, self._worker_id, dict.fromkeys(self._owners, ">"), count=_BATCH, block=_BLOCK_MS
        )
        return [
            self._entry(stream.decode(), entry_id, fields)
            for stream, found in reply or []
            for entry_id, fields in found
            if fields is not None
        ]

    def _entry(self, stream: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Entry:
        return Entry(stream, entry_id.decode(), fields.get(b"job"), self._owners[stream])

    async def _process(self, entries: Sequence[Entry]) -> bool:
        """
        Examine and write entries, in order; False when the lead was lost and nothing more was written.

        In slices: while the server writes one, the next is examined, and calls under way in this process go on.
        """
        writing: asyncio.Task[bool] | None = None
        try:
            for slice_ in _slices(entries):
                items = [self._items.examine(entry) for entry in slice_]
                if writing and not await writing:
                    return False
                writing = asyncio.create_task(self._write(items))
                await asyncio.sleep(0)  # lets it send, and others run
            return await writing if writing else True
        finally:
            if writing and not writing.done():
                writing.cancel()

    async def _write(self, items: list[Item]) -> bool:
        while items:
            n_done, code, extra, n_started, *taken = await self._scripts.run("intake", *self._arguments.of(items))
            self._taker.receive(n_started, taken)
            self.n_taken += n_done
            items = items[n_done:]
            match code:
                case b"done":
                    return True
                case b"leader":
                    self.is_leader = False
                    log.warning("intake.lead_lost", n_entries=len(items))
                    return False
                case b"replay":
                    items[:1] = await self._replay(items[0], extra.decode())
                case _:
                    items[0] = self._items.conflict(items[0], code.decode())
        return True

    async def _replay(self, item: Item, stored: str) -> list[Item]:
        """The answer from the ledger: with what has been archived since."""
        assert item.record is not None
        first = strict_json.parse(stored)
        key = self._keys.job(item.record.account, archive_job(first["job_id"]))
        told = await command(self._redis, "HGET", key, "progress")
        documents = strict_json.parse(told)["documents"] if told else []
        return self._items.replay(item, first, documents)

    async def _resign(self) -> None:
        try:
            await self._scripts.run("resign", [self._keys.leader("intake")], [self._worker_id])
        except RedisError as exc:
            log.info("intake.not_resigned", error=type(exc).__name__)  # the lease ends by itself


def _slices(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """A few entries at a time, fewer where they are large."""
    found: list[Entry] = []
    n_bytes = 0
    for entry in entries:
        found.append(entry)
        n_bytes += len(entry.raw or b"")
        if len(found) == _SLICE or n_bytes >= _SLICE_BYTES:
            yield found
            found, n_bytes = [], 0
    if found:
        yield found


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
