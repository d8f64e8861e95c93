"""
From the intake streams into the ledger and the lanes.

One worker at a time does it, for all streams, so that the order of a stream is the order of its jobs, also where two
entries name one reference. The lead is a lease; the script that writes a batch checks it, so a leader that was
replaced can write nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from jobs.batches import NO_TALLY, Tally, tally_of
from jobs.days import window_ms
from jobs.following import archive_job, follow_ups
from jobs.intake import Accepted, Entry, IntakeDesk, Refused, conflict_errors, remains_of
from jobs.results import final_event, refused_event, replayed_event
from schemas import strict_json
from schemas.envelope import Remains
from schemas.event import ErrorDetail, Event
from schemas.factus import BOGOTA
from schemas.records import JobRecord
from worker.keys import Keys
from worker.lanes import LaneBook
from worker.ledger import LedgerPolicy, event_values
from worker.lua import Arg, Scripts
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


@dataclass(frozen=True, slots=True)
class Item:
    """One entry as the script takes it."""

    entry: Entry
    kind: str
    job_key: str
    document_key: str
    lane: str
    record: JobRecord | None
    account: str | None
    content: str = ""
    event: Sequence[Arg] = ()
    dead: Sequence[Arg] = ()
    must_match: str = ""
    tally: Tally = NO_TALLY
    batch_size: int = 0


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
        self._desk = desk
        self._accounts = accounts
        self._policy = policy
        self._book = book
        self._taker = taker
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
                items = [self._examine(entry) for entry in slice_]
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
            n_done, code, extra, n_started, *taken = await self._scripts.run("intake", *self._script_arguments(items))
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
                    items[0] = self._conflict(items[0], code.decode())
        return True

    # -- items -----------------------------------------------------------------------------------------------------
    def _examine(self, entry: Entry) -> Item:
        match self._examined(entry):
            case Accepted(record, answer) if answer is None:
                document = (
                    self._keys.document(record.account, record.family, record.reference_code) if record.issues else ""
                )
                tally = Tally(f"{record.account}/{record.batch}") if record.batch else NO_TALLY
                return self._acceptance(entry, record, document, tally)
            case Accepted(record, answer):
                assert answer is not None
                event = final_event(record, answer, attempts=0, now=self._now(record.account))
                return self._closing(entry, record, event)
            case Refused(remains, errors, content):
                return self._refusal(entry, remains, errors, job_id=remains.id, content=content)

    def _examined(self, entry: Entry) -> Accepted | Refused:
        try:
            return self._desk.examine(entry)
        except Exception as exc:  # whatever a producer found to trip us, the entries behind it go on
            log.exception("intake.defect", entry=entry.id, error=type(exc).__name__)
            fault = ErrorDetail(
                code="internal", message=f"Defecto interno al revisar el trabajo: {type(exc).__name__}."
            )
            return Refused(Remains(None, entry_id=entry.id), (fault,))

    def _acceptance(self, entry: Entry, record: JobRecord, document: str = "", tally: Tally = NO_TALLY) -> Item:
        return Item(
            entry,
            "accept",
            self._keys.job(record.account, record.id),
            document,
            record.lane,
            record,
            record.account,
            record.content,
            tally=tally,
            batch_size=record.batch_size if tally.member else 0,
        )

    def _closing(self, entry: Entry, record: JobRecord, event: Event, document: str = "", must_match: str = "") -> Item:
        """A job that is final as soon as it is taken in: it was answered from what is known."""
        return Item(
            entry,
            "close",
            self._keys.job(record.account, record.id),
            document,
            record.lane,
            _final(record, event.type),
            record.account,
            record.content,
            event_values(event),
            must_match=must_match,
            tally=tally_of(event),
            batch_size=record.batch_size,
        )

    def _refusal(
        self, entry: Entry, remains: Remains, errors: tuple[ErrorDetail, ...], *, job_id: str, content: str
    ) -> Item:
        event = refused_event(remains, errors, job_id=job_id, now=self._now(remains.account))
        record = None
        if content:
            record = _closed_record(remains, entry, content, event.type, errors[0])
        dead: list[Arg] = ["reason", errors[0].code, "errors", event.to_json(), "raw", entry.raw or b""]
        dead += ["stream", entry.stream, "entry", entry.id, "account", remains.account or "", "job_id", job_id]
        log.info(
            "envelope.refused", entry=entry.id, account=remains.account, error=errors[0].code, n_errors=len(errors)
        )
        key = self._keys.job(remains.account or "?", job_id)
        return Item(
            entry,
            "close",
            key,
            "",
            "",
            record,
            remains.account,
            content,
            event_values(event),
            dead,
            tally=tally_of(event),
            batch_size=(remains.batch_size or 0) if remains.batch else 0,
        )

    def _conflict(self, item: Item, code: str) -> Item:
        entry = item.entry
        remains = remains_of(item.record, entry.raw or b"") if item.record else Remains(None, entry_id=entry.id)
        if code == "id.conflict":
            # The id belongs to another job: this entry's answer goes out under the entry's own id.
            return self._refusal(entry, remains, conflict_errors(code), job_id=entry.id, content="")
        content = item.content if remains.has_own_id else ""
        return self._refusal(entry, remains, conflict_errors(code), job_id=remains.id, content=content)

    async def _replay(self, item: Item, stored: str) -> list[Item]:
        """The answer from the ledger, and what this push asked to follow the document."""
        record = item.record
        assert record is not None
        first = strict_json.parse(stored)
        key = self._keys.job(record.account, archive_job(first["job_id"]))
        told = await command(self._redis, "HGET", key, "progress")
        documents = strict_json.parse(told)["documents"] if told else []
        event = replayed_event(record, first, documents, now=self._now(record.account))
        closing = self._closing(item.entry, record, event, item.document_key, must_match=record.fingerprint)
        following = follow_ups(record, event.data or {}, seq=event.seq)
        return [closing, *(self._following(item, row) for row in following)]

    def _following(self, item: Item, row: JobRecord) -> Item:
        kind = "watch" if row.is_tracking else "follow"
        return replace(self._acceptance(item.entry, row, item.document_key), kind=kind)

    def _now(self, account: str | None) -> datetime:
        known = self._accounts.get(account or "")
        return datetime.now(known.zone if known else BOGOTA)

    # -- script ----------------------------------------------------------------------------------------------------
    def _script_arguments(self, items: Sequence[Item]) -> tuple[list[str], list[Arg]]:
        keys = [self._keys.leader("intake"), self._keys.lanes_due(), self._keys.lanes(), self._keys.dead()]
        keys += [self._keys.deadlines(), self._keys.batches_due()]
        args: list[Arg] = [
            GROUP,
            self._worker_id,
            LEASE_MS,
            self._policy.results_maxlen,
            self._policy.retention_ms,
            len(items),
        ]
        lanes = [self._book.arguments(lane) for lane in {item.lane for item in items if item.kind != "close"}]
        args += [len(lanes), *self._taker.arguments(), self._keys.batch("")]
        for item in items:
            keys += self._item_keys(item)
        for lane_keys, lane_args in lanes:
            keys += lane_keys
            args += lane_args
        for item in items:
            args += self._item_args(item)
        return keys, args

    def _item_keys(self, item: Item) -> list[str]:
        results = self._keys.results(self._own_stream(item))
        # A key that is not there is the stream's own: the worker's Redis user may name keys of the namespace only.
        absent = item.entry.stream
        return [
            item.entry.stream,
            results,
            item.job_key or absent,
            item.document_key or absent,
            self._keys.joined(item.document_key) if item.document_key else absent,
            self._keys.waiting(item.lane),
            self._keys.later(item.lane),
        ]

    def _own_stream(self, item: Item) -> str | None:
        """Whose results these are: the stream's owner's, else the account's where it has streams of its own."""
        name = item.entry.owner or item.account
        account = self._accounts.get(name or "")
        return name if account and account.own_streams else None

    def _item_args(self, item: Item) -> list[Arg]:
        record = item.record
        start_at, end_at, score, deadline_ms = 0, 0, 0, 0
        fields: dict[str, Arg] = {}
        if record:
            if item.kind == "accept":
                start_at, end_at = window_ms(record, self._accounts[record.account].zone)
                deadline_ms = self._policy.deadline_ms
            if record.parent:
                delay_ms, deadline_ms = self._policy.follow_up_ms(record)
                start_at = round(time.time() * 1000) + delay_ms if delay_ms else 0
            score, fields = record.score, dict(record.to_hash())
            if start_at:
                fields["start_at"] = start_at
        fingerprint = item.must_match or (record.fingerprint if record and item.kind == "accept" else "")
        head: list[Arg] = [
            item.kind,
            item.entry.id,
            record.id if record else "",
            item.lane,
            item.content,
            fingerprint,
            start_at,
            end_at,
            score,
            deadline_ms,
            item.tally.member,
            item.batch_size,
            item.tally.cents,
            item.tally.number,
            item.tally.failure,
            item.tally.document,
        ]
        pairs = [part for pair in fields.items() for part in pair]
        dead = list(item.dead)
        return [*head, len(fields), *pairs, len(item.event), *item.event, len(dead) // 2, *dead]

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


def _closed_record(remains: Remains, entry: Entry, content: str, final_type: str, error: ErrorDetail) -> JobRecord:
    return JobRecord(
        account=remains.account or "?",
        id=remains.id,
        type=remains.job_type or "",
        family="",
        lane="",
        entry=entry.id,
        reference_code=remains.reference_code or "",
        batch=remains.batch or "",
        content=content,
        state="final",
        seq=1,
        last_error=error.model_dump_json(),
        final_type=final_type,
    )


def _final(record: JobRecord, final_type: str) -> JobRecord:
    return replace(record, state="final", seq=1, payload="", final_type=final_type)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
