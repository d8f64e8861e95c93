"""
The ledger on Redis: what every job and document has come to. The only truth about progress.

Every change is one Lua script, fenced: whoever lost a job to another worker is refused and writes nothing. Events are
published by the script that changes the record, so neither exists without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from arq.constants import in_progress_key_prefix, job_key_prefix
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.batches import NO_TALLY, Tally, tally_of
from jobs.closing.day_index import member_of
from jobs.errors import LeaseLost, LedgerError, LedgerRefused, LedgerUnavailable
from jobs.event_counts import count_field
from jobs.issue_policy import verdict_to_json
from jobs.outcomes import BillNote, FactusHealth, Finished, Retry
from jobs.ports import Known, LockState
from schemas.contract.event import ErrorDetail, Event, stream_fields
from schemas.records import DocumentRecord, JobRecord, JobState
from worker.guard import is_server_state
from worker.queue.claims import ClaimedJob, Claimer
from worker.queue.dispatcher import LaneScriptArguments
from worker.queue.ended_owners import EndedOwners
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Arg, ScriptArgs, Scripts

_DAY_MS: Final = 86_400_000
_MOST_LIKE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Notice:
    """An operator's event. Published when it changes what is known: a block once, a resumption once."""

    kind: Literal["blocked", "resumed"]
    scope: str
    """What is blocked (``jobs.outcomes.scope_of``)."""
    event: Event
    since_ms: int
    """Since when it is, or was, blocked: not when somebody is told."""


@dataclass(frozen=True, slots=True)
class AttemptWrite:
    """What the end of an attempt writes beside its ending: fields of the record, events, a letter, Factus's health."""

    fields: dict[str, Arg]
    health: FactusHealth
    goes_on: bool
    events: tuple[Event, ...] = ()
    dead: dict[str, Arg] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    mend: str = ""
    """What a person does about the pause, where its code does not say."""
    bill: BillNote | None = None


@dataclass(frozen=True, slots=True)
class LedgerPolicy:
    """How long final records are kept, and how long the result streams may grow."""

    retention_days: int
    results_maxlen: int
    deadline_ms: int = 0
    """How long a job is tried."""
    radian_interval_ms: int = 0

    @property
    def retention_ms(self) -> int:
        return self.retention_days * _DAY_MS

    def follow_up_ms(self, job: JobRecord) -> tuple[int, int]:
        """When a job that follows a document begins, and how long it is tried; ms from its final event."""
        if job.is_tracking:
            # As long as the document is remembered: what happens to it later, nobody could tell apart from news.
            return self.radian_interval_ms, self.retention_ms
        return 0, self.deadline_ms


class TallyValues(NamedTuple):
    """How a job counts in its batch, in the order of ``TALLY`` (``lib/batches.lua``)."""

    member: str
    cents: int
    number: str
    failure: str
    document: str


class EventValues(NamedTuple):
    """An event in the order of ``EVENT`` (``lib/events.lua``)."""

    event: str
    type: str
    account: str
    job_id: str
    reference_code: str
    counts: str


class FollowUpKeys(NamedTuple):
    """The keys of a job that follows a document, in the order of ``FOLLOW_UP_KEYS`` (``lib/ends.lua``)."""

    job: str
    waiting: str
    later: str


class FollowUpValues(NamedTuple):
    """What else the scripts take of one, in the order of ``FOLLOW_UP``; its record's fields stand behind."""

    id: str
    lane: str
    account: str
    score: int
    delay_ms: int
    life_ms: int
    watches: int


_OF_DOCUMENT: Final = ("document", "joined", "ended_ids", "ended_event", "ended_due")


class Ledger:
    """Reads and writes of the records of jobs and documents."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        book: LaneScriptArguments,
        policy: LedgerPolicy,
        claimer: Claimer,
        ended_owners: EndedOwners,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._book = book
        self._policy = policy
        self._claimer = claimer
        self._ended_owners = ended_owners

    @property
    def policy(self) -> LedgerPolicy:
        return self._policy

    async def job(self, account: str, job_id: str) -> JobRecord | None:
        """The record of a job, or None when it is not (or no longer) known."""
        stored = await self._hash(self._keys.job(account, job_id))
        return JobRecord.from_hash(stored) if stored else None

    async def document(self, account: str, family: str, reference_code: str) -> DocumentRecord | None:
        """The record of a document, or None."""
        stored = await self._hash(self._keys.document(account, family, reference_code))
        return DocumentRecord.from_hash(stored) if stored else None

    async def acquire_change_lock(self, job: JobRecord, thing: str) -> LockState:
        """
        Whether a job may change something of its account at Factus now: once those that came before it are final.

        Raises:
            LeaseLost: The job is another worker's by now.
        """
        return await self._acquire(job, {"line": self._keys.changes(job.account, thing)})

    async def acquire_removal_lock(self, job: JobRecord, reference_code: str) -> LockState:
        """
        The same for what bears a reference code; ``issuing`` while an attempt to issue that document is under way.

        A job that waits to issue it looks at Factus before it sends, and waits until the removal is over.

        Raises:
            LeaseLost: As :meth:`acquire_change_lock`.
        """
        document = self._keys.document(job.account, job.family, reference_code)
        return await self._acquire(job, {"line": self._keys.pending_deletes(document), "document": document})

    async def _acquire(self, job: JobRecord, lock: Mapping[str, str]) -> LockState:
        args: ScriptArgs = {
            "fence": job.fence,
            "id": job.id,
            "job_prefix": self._keys.job(job.account, ""),
            "keep_ms": self._policy.deadline_ms + _DAY_MS,
        }
        try:
            word = await self._scripts.run(
                "acquire_change_lock", {"job": self._keys.job(job.account, job.id), **lock}, args
            )
        except RedisError as exc:
            raise _failure(exc, "a job could not acquire a change lock") from exc
        match word:
            case b"held":
                return "held"
            case b"issuing":
                return "issuing"
            case b"queued":
                return "queued"
            case _:
                raise LeaseLost(f"job {job.id} is another worker's by now")

    async def has_company(self, job: JobRecord, n_lane_starts: int) -> bool:
        """See :class:`jobs.ports.Journal`."""
        try:
            n_under_way = await command(self._redis, "ZCARD", self._keys.in_flight(job.lane))
            n_starts = await command(self._redis, "HGET", self._keys.lane(job.lane), "starts")
        except RedisError as exc:
            raise _failure(exc, "the lane could not be looked at") from exc
        return int(n_under_way) > 1 or int(n_starts or 0) != n_lane_starts

    async def is_being_removed(self, job: JobRecord) -> bool:
        """See :class:`jobs.ports.Journal`."""
        line = self._keys.pending_deletes(self._keys.document(job.account, job.family, job.reference_code))
        try:
            ids = await command(self._redis, "LRANGE", line, 0, -1)
            states = [
                await command(self._redis, "HGET", self._keys.job(job.account, id_.decode()), "state") for id_ in ids
            ]
        except RedisError as exc:
            raise _failure(exc, "a removal could not be looked for") from exc
        return any(state not in (None, JobState.FINAL.encode()) for state in states)

    async def n_waiting(self, account: str, lane: str | None) -> int:
        """How many jobs wait in the account, or in one lane of it."""
        lanes = [lane] if lane else await self._lanes_of(account)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for lane in lanes:
                    pipe.zcard(self._keys.waiting(lane))
                    pipe.zcard(self._keys.later(lane))
                return sum(await pipe.execute()) if lanes else 0
        except RedisError as exc:
            raise _failure(exc, "the jobs of a lane could not be counted") from exc

    async def n_waiting_like(self, job: JobRecord) -> int:
        """
        How many other jobs of the same type wait in a job's lane.

        The lane holds jobs of all types that issue nothing, and only a record tells the type: the first few thousand
        are looked at.
        """
        keys = (self._keys.waiting(job.lane), self._keys.later(job.lane))
        try:
            ids = [id_.decode() for key in keys for id_ in await command(self._redis, "ZRANGE", key, 0, _MOST_LIKE - 1)]
            async with self._redis.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    pipe.hget(self._keys.job(job.account, id_), "type")
                types = await pipe.execute() if ids else []
        except RedisError as exc:
            raise _failure(exc, "the jobs of a lane could not be counted") from exc
        return sum(found == job.type.encode() for found in types)

    async def _lanes_of(self, account: str) -> list[str]:
        found = self._redis.sscan_iter(self._keys.lanes(), match=f"{account}/*")
        try:
            return [name.decode(errors="replace") async for name in found]
        except RedisError as exc:
            raise _failure(exc, "the lanes of an account could not be read") from exc

    async def known(self, job: JobRecord, reference_code: str) -> Known | None:
        """See :class:`jobs.ports.Journal`."""
        document = await self.document(job.account, job.family, reference_code)
        owner = await self.job(job.account, document.job) if document else None
        if document is None or owner is None:
            return None
        return Known(document.is_open, owner.deletes_rejected)

    async def bill(self, account: str, number: str) -> Mapping[str, str]:
        """See :class:`jobs.ports.Bills`."""
        try:
            stored = await self._hash(self._keys.bill(account, number))
        except LedgerRefused:
            return {}  # the key is of another kind: then nothing is known, and Factus is asked
        return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in stored.items()}

    async def begin_removal(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> bool:
        """See :class:`jobs.ports.Journal`."""
        document = self._keys.document(job.account, job.family, reference_code)
        keys = {
            "job": self._keys.job(job.account, job.id),
            "document": document,
            "line": self._keys.pending_deletes(document),
        }
        args: ScriptArgs = {
            "fence": job.fence,
            "settle_ms": settle_ms,
            "job_prefix": self._keys.job(job.account, ""),
        }
        try:
            word = await self._scripts.run("begin_removal", keys, args)
        except RedisError as exc:
            raise LedgerUnavailable("a removal could not be claimed") from exc
        if word == b"lost":
            raise LeaseLost(f"job {job.id} is another worker's by now")
        return bool(word == b"held")

    async def record_rejection(self, job: JobRecord, verdict: tuple[ErrorDetail, ...], number: str) -> None:
        """See :class:`jobs.ports.Journal`."""
        keys = {"job": self._keys.job(job.account, job.id)}
        args: ScriptArgs = {"fence": job.fence, "verdict": verdict_to_json(verdict), "number": number}
        try:
            noted = await self._scripts.run("mark_deleting", keys, args)
        except RedisError as exc:
            raise _failure(exc, "a rejection could not be noted") from exc
        if not noted:
            raise LeaseLost(f"job {job.id} is another worker's by now")

    async def pause(self, claimed: ClaimedJob, ending: Retry, page: AttemptWrite) -> int:
        """
        The attempt ends and the job stays open; what was started in its place is run.

        Returns:
            How many jobs of the lane were started.

        Raises:
            LeaseLost: Another worker has the job; nothing was written.
            LedgerUnavailable: No answer from Redis; it may have been written.
            LedgerRefused: It cannot be written; nothing was.
        """
        end: dict[str, Arg] = {
            "ending": ending.waits,
            "pause_ms": round(ending.pause_s * 1000),
            "reason": ending.reason.code,
            "document_state": "",
            "narrows": int(ending.narrows),
        }
        return await self._finish(claimed, end, page, ())

    async def close(
        self, claimed: ClaimedJob, final: Finished, page: AttemptWrite, following: Sequence[JobRecord] = ()
    ) -> int:
        """
        The job is final; what was started in its place is run. Jobs that joined its document end after it
        (``joined.py``).

        Args:
            following: The jobs that this document starts.

        Returns, raises:
            As :meth:`pause`.
        """
        end: dict[str, Arg] = {
            "ending": "final",
            "pause_ms": round(final.free_in_s * 1000),
            "reason": _left(final),
            "document_state": final.state,
            "narrows": 0,
        }
        return await self._finish(claimed, end, page, following)

    async def last_word(self, claimed: ClaimedJob, final: Finished, page: AttemptWrite) -> None:
        """
        The job is final although a key beside it keeps :meth:`close` from saying so: its event, and of the rest what
        can be done.

        Raises:
            As :meth:`pause`.
        """
        job = claimed.job
        member = f"{job.account}/{job.id}"
        keys = {
            "job": self._keys.job(job.account, job.id),
            "results": self.results_stream(job),
            "dead": self._keys.dead(),
            "deadlines": self._keys.deadlines(),
            "batches_due": self._keys.batches_due(),
            "flight": self._keys.in_flight(job.lane),
            "queue": self._keys.arq_queue(),
            "lanes_due": self._keys.lanes_due(),
            **self._document_keys(job),
        }
        args: ScriptArgs = {
            "id": job.id,
            "arq_id": claimed.arq_id,
            "fence": job.fence,
            "document_state": final.state,
            "retention_ms": self._policy.retention_ms,
            "maxlen": self._policy.results_maxlen,
            "batch_prefix": self._keys.batch(""),
            "arq_job_prefix": job_key_prefix,
            "mark_prefix": in_progress_key_prefix,
            "lane": job.lane,
            "number": final.number,
            "error": page.fields.get("last_error", ""),
            "member": member,
            **self.end_noted(job),
            "n_events": len(page.events),
            "n_dead": len(page.dead),
            "rest": [*self._own_tally(job, page), *_events(page), *_pairs(page.dead)],
        }
        try:
            word, *rest = await self._scripts.run("last_word", keys, args)
        except RedisError as exc:
            raise _failure(exc, "the last word of a job could not be written") from exc
        if word == b"lost":
            raise LeaseLost(f"job {job.id} is another worker's by now")
        if rest[0]:
            self._ended_owners.add(member)

    async def _finish(
        self, claimed: ClaimedJob, end: Mapping[str, Arg], page: AttemptWrite, follow_ups: Sequence[JobRecord]
    ) -> int:
        job = claimed.job
        lane_keys, lane_values = self._book.arguments(job.lane)
        keys = {
            "lane": lane_keys,
            "job": self._keys.job(job.account, job.id),
            "results": self.results_stream(job),
            "notices": self._keys.results(self._owner(job)),
            "dead": self._keys.dead(),
            "deadlines": self._keys.deadlines(),
            "batches_due": self._keys.batches_due(),
            **self._document_keys(job),
            **self._bill_keys(job, page.bill),
            "follow_ups": [key for row in follow_ups for key in self.follow_up_keys(row)],
        }
        args: ScriptArgs = {
            "lane": lane_values,
            "taker": self._claimer.arguments(),
            "id": job.id,
            "arq_id": claimed.arq_id,
            "fence": job.fence,
            **end,
            "retention_ms": self._policy.retention_ms,
            "maxlen": self._policy.results_maxlen,
            "goes_on": int(page.goes_on),
            "health": page.health,
            "n_events": len(page.events),
            "n_fields": len(page.fields),
            "n_dead": len(page.dead),
            "n_notices": len(page.notices),
            "n_facts": len(page.bill.facts) if page.bill else 0,
            "term": _term(page.bill),
            "n_follow_ups": len(follow_ups),
            "batch_prefix": self._keys.batch(""),
            **self.end_noted(job),
            "mend": page.mend,
            "rest": [
                *_pairs(page.fields),
                *_pairs(page.dead),
                *(self._own_tally(job, page) if end["ending"] == "final" else ()),
                *_events(page),
                *_notices(page),
                *(_pairs(page.bill.facts) if page.bill else ()),
                *(value for row in follow_ups for value in self.follow_up_values(row)),
            ],
        }
        try:
            word, *rest = await self._scripts.run("end_attempt", keys, args)
        except RedisError as exc:
            raise _failure(exc, "the end of an attempt could not be written") from exc
        if word == b"lost":
            raise LeaseLost(f"job {job.id} is another worker's by now")
        n_joined, n_started, *rows = rest
        if n_joined:
            self._ended_owners.add(f"{job.account}/{job.id}")
        self._claimer.receive(n_started, rows)
        return int(n_started)

    def end_noted(self, job: JobRecord) -> dict[str, Arg]:
        """How the end of a job is noted for whoever closes its day (``lib/day_index.lua``)."""
        return {"ends_prefix": self._keys.ends(job.account), "ends_member": member_of(job.type, job.id)}

    def _own_tally(self, job: JobRecord, page: AttemptWrite) -> TallyValues:
        # A job that follows another is no member of its batch: that one has been counted.
        return tally_values(NO_TALLY if job.parent or not page.events else tally_of(page.events[-1]))

    def _bill_keys(self, job: JobRecord, note: BillNote | None) -> dict[str, str]:
        """What is remembered of the job's bill, its own key for none; and from when bills are due."""
        own = self._keys.job(job.account, job.id)
        bill = self._keys.bill(job.account, note.number) if note and note.facts else own
        return {"bill": bill, "terms": self._keys.terms()}

    def _document_keys(self, job: JobRecord) -> dict[str, str]:
        """The document, who joined it, and where these stand when it has ended; the job's own key when it issues
        nothing."""
        if not job.issues:
            return dict.fromkeys(_OF_DOCUMENT, self._keys.job(job.account, job.id))
        document = self._keys.document(job.account, job.family, job.reference_code)
        return {
            "document": document,
            "joined": self._keys.joined(document),
            "ended_ids": self._keys.ended_ids(job.account, job.id),
            "ended_event": self._keys.ended_event(job.account, job.id),
            "ended_due": self._keys.ended_due(),
        }

    async def _hash(self, key: str) -> dict[bytes, bytes]:
        try:
            reply = await command(self._redis, "HGETALL", key)
        except RedisError as exc:
            raise _failure(exc, "a record could not be read") from exc
        return dict(reply)

    def knows(self, account: str) -> bool:
        """Whether this process serves an account."""
        return account in self._book.accounts

    def now(self, account: str) -> datetime:
        """This process's clock, in the zone of an account."""
        return datetime.now(self._book.accounts[account].zone)

    def zone(self, account: str) -> ZoneInfo:
        """The time zone of an account."""
        return self._book.accounts[account].zone

    def results_of(self, account: str) -> str:
        """The stream of an account's results."""
        return self._keys.results(account if self._book.accounts[account].own_streams else None)

    def results_stream(self, job: JobRecord) -> str:
        """Where the events of a job go."""
        owner = self._owner(job)
        return self._keys.radian(owner) if job.is_tracking else self._keys.results(owner)

    def _owner(self, job: JobRecord) -> str | None:
        return job.account if self._book.accounts[job.account].own_streams else None

    def follow_up_keys(self, row: JobRecord) -> FollowUpKeys:
        """The keys of a job that follows a document."""
        return FollowUpKeys(
            job=self._keys.job(row.account, row.id),
            waiting=self._keys.waiting(row.lane),
            later=self._keys.later(row.lane),
        )

    def follow_up_values(self, row: JobRecord) -> list[Arg]:
        """What else ``read_follow_up`` (lib/ends.lua) takes of it."""
        delay_ms, life_ms = self._policy.follow_up_ms(row)
        fields = _pairs(row.to_hash())
        head = FollowUpValues(
            id=row.id,
            lane=row.lane,
            account=row.account,
            score=row.score,
            delay_ms=delay_ms,
            life_ms=life_ms,
            watches=int(row.is_tracking),
        )
        return [*head, len(fields) // 2, *fields]


def _failure(exc: RedisError, what: str) -> LedgerError:
    """What a failure of Redis is for an attempt: a pause of the service, or a job that cannot be written."""
    return LedgerUnavailable(what) if is_server_state(exc) else LedgerRefused(what)


def _term(note: BillNote | None) -> str:
    return "" if note is None or note.term_ms is None else str(note.term_ms)


def _left(final: Finished) -> str:
    return "stays" if final.leaves_a_document else ""


def tally_values(tally: Tally) -> TallyValues:
    """A tally as the scripts take it."""
    return TallyValues(tally.member, tally.cents, tally.number, tally.failure, tally.document)


def event_values(event: Event, data: str | None = None) -> EventValues:
    """An event as the scripts take it; *data* as :meth:`Event.to_json` has it."""
    return EventValues(**stream_fields(event, data), counts=count_field(event))


def _events(page: AttemptWrite) -> list[Arg]:
    return [value for event in page.events for value in event_values(event)]


def _notices(page: AttemptWrite) -> list[Arg]:
    found: list[Arg] = []
    for notice in page.notices:
        found += [notice.kind, notice.scope, notice.since_ms, *event_values(notice.event)]
    return found


def _pairs(fields: Mapping[str, Arg] | Mapping[str, str]) -> list[Arg]:
    return [part for pair in fields.items() for part in pair]
