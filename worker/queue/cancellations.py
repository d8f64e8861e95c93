"""
Cancelling open jobs: which ones are meant, and the end of each in one script.

A job that Factus may have is never cancelled: it ends by what becomes of its document. Of a document that several jobs
asked for, the first one that is left takes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from arq.constants import in_progress_key_prefix, job_key_prefix
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.batches import tally_of
from jobs.errors import LedgerUnavailable
from jobs.events import final_event
from jobs.fiscal_day import day_bounds_ms, start_window_ms
from jobs.outcomes import Finished
from jobs.ports import Cancellation, KeptJob
from schemas.contract.event import ErrorDetail, Event
from schemas.names import account_of, in_account
from schemas.records import JobRecord, JobState
from worker.queue.job_script_arguments import JobScriptArguments
from worker.queue.ledger_reader import LedgerReader
from worker.queue.script_values import event_values, tally_values
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

MOST_A_TURN: Final = 2_000
"""Jobs that one turn ends; a larger batch takes several."""

MOST_NAMED: Final = 20_000
"""Ids that the event of a cancellation names; each cancelled job has its own event all the same."""

_PAGE: Final = 500
_MOST_READS: Final = 20
"""How often a job that changes meanwhile is read again."""

_WHY: Final = {
    "sent": "Factus puede tenerlo: ya se envió, y su resultado llega por sí solo",
    "self": "es esta misma cancelación",
    "unknown": "no se conoce ningún trabajo abierto con ese id",
    "changed": "estaba cambiando mientras se cancelaba; inténtelo otra vez",
}


@dataclass(frozen=True, slots=True)
class _Heir:
    """Who takes a document over; ``id`` is empty when nobody waits for it."""

    id: str = ""
    starts_ms: int = 0
    ends_ms: int = 0
    day_ends_ms: int = 0


class Cancellations:
    """The port ``Canceller`` on Redis."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        reader: LedgerReader,
        of_jobs: JobScriptArguments,
        most_a_turn: int = MOST_A_TURN,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._reader = reader
        self._of_jobs = of_jobs
        self._most_a_turn = most_a_turn

    async def cancel(self, job: JobRecord, wanted: Mapping[str, Any]) -> Cancellation | None:
        """See :class:`jobs.ports.Canceller`."""
        try:
            ids = await self._meant(job, wanted)
            kept: list[KeptJob] = []
            for id_ in ids[: self._most_a_turn]:
                word = await self._end(job, id_)
                if word != "cancelled":
                    kept.append(KeptJob(id_, await self._why(job.account, id_, word)))
            if len(ids) > self._most_a_turn and len(kept) < self._most_a_turn:
                return None
            key = self._keys.cancelled(job.account, job.id)
            named = await command(self._redis, "LRANGE", key, 0, MOST_NAMED - 1)
            n_cancelled = await command(self._redis, "LLEN", key)
        except RedisError as exc:
            raise LedgerUnavailable("jobs could not be cancelled") from exc
        cancelled = tuple(id_.decode() for id_ in named)
        return Cancellation(cancelled, int(n_cancelled), tuple(one for one in kept if one.job_id not in cancelled))

    # -- which -----------------------------------------------------------------------------------------------------
    async def _meant(self, job: JobRecord, wanted: Mapping[str, Any]) -> list[str]:
        """Ids of the jobs that are meant: those that joined a document before the one that issues it."""
        if "job_id" in wanted:
            return [wanted["job_id"]]
        if "reference_code" in wanted:
            document = self._keys.document(job.account, wanted["family"], wanted["reference_code"])
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hget(document, "job")
                pipe.lrange(self._keys.joined(document), 0, -1)
                issuer, joined = await pipe.execute()
            return [id_.decode() for id_ in (*joined, *([issuer] if issuer else ()))]
        return await self._of_batch(job, wanted["batch"])

    async def _of_batch(self, job: JobRecord, batch: str) -> list[str]:
        found: list[str] = []
        for lane in await command(self._redis, "SMEMBERS", self._keys.lanes()):
            name = lane.decode(errors="replace")
            if account_of(name) == job.account:
                for page in _pages(await self._ids_of(name)):
                    found += await self._of_page(job, page, batch)
        return [id_ for id_ in dict.fromkeys(found) if id_ != job.id]

    async def _ids_of(self, lane: str) -> list[bytes]:
        # In one step: a job that moves between two of them would stand in neither reply.
        async with self._redis.pipeline(transaction=True) as pipe:
            for key in (self._keys.in_flight(lane), self._keys.waiting(lane), self._keys.later(lane)):
                pipe.zrange(key, 0, -1)
            return [id_ for ids in await pipe.execute() for id_ in ids]

    async def _of_page(self, job: JobRecord, ids: list[bytes], batch: str) -> list[str]:
        rows = await self._facts(job.account, ids)
        documents = [
            self._keys.joined(self._keys.document(job.account, family, reference))
            for _, (_, family, reference, _) in rows
            if reference
        ]
        async with self._redis.pipeline(transaction=False) as pipe:
            for key in documents:
                pipe.lrange(key, 0, -1)
            lists = await pipe.execute() if documents else []
        joined = await self._facts(job.account, [id_ for one in lists for id_ in one])
        return [id_ for id_, (its, _, _, parent) in (*joined, *rows) if its == batch and not parent]

    async def _facts(self, account: str, ids: list[bytes]) -> list[tuple[str, list[str]]]:
        """Batch, family, reference and parent of jobs."""
        prefix = self._keys.job(account, "").encode()
        async with self._redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hmget(prefix + id_, ["batch", "family", "reference_code", "parent"])  # type: ignore[arg-type]
            rows = await pipe.execute() if ids else []
        return [
            (id_.decode(), [(value or b"").decode(errors="replace") for value in row])
            for id_, row in zip(ids, rows, strict=True)
        ]

    # -- each ------------------------------------------------------------------------------------------------------
    async def _end(self, by: JobRecord, job_id: str) -> str:
        """Cancel one job; the word of the script."""
        if job_id == by.id:
            return "self"
        word = "changed"
        for _ in range(_MOST_READS):
            job = await self._reader.job(by.account, job_id)
            if job is None or job.parent:
                return "unknown"
            heir = await self._heir(job)
            if heir is not None:
                word = str((await self._run(by, job, heir)).decode())
            if word != "changed":
                break
        return word

    async def _heir(self, job: JobRecord) -> _Heir | None:
        """The first job that waits for the same document; None when it has just gone."""
        if not (job.issues and job.state in (JobState.WAITING, JobState.INFLIGHT)):
            return _Heir()
        joined = self._keys.joined(self._keys.document(job.account, job.family, job.reference_code))
        first = await command(self._redis, "LINDEX", joined, 0)
        if first is None:
            return _Heir()
        record = await self._reader.job(job.account, first.decode())
        if record is None:
            await command(self._redis, "LREM", joined, 1, first.decode())  # it waits for nothing any more
            return None
        zone = self._of_jobs.accounts[job.account].zone
        day_ends_ms = day_bounds_ms(record.issue_on, zone)[1] if record.issue_on else 0
        return _Heir(record.id, *start_window_ms(record, zone), day_ends_ms)

    async def _run(self, by: JobRecord, job: JobRecord, heir: _Heir) -> bytes:
        event, error = self._ending(by, job)
        document = self._keys.document(job.account, job.family, job.reference_code) if job.issues else ""
        own = self._keys.job(job.account, job.id)
        policy = self._of_jobs.policy
        keys = {
            "job": own,
            "results": self._of_jobs.results_stream(job),
            "deadlines": self._keys.deadlines(),
            "batches_due": self._keys.batches_due(),
            "lane": self._keys.lane(job.lane),
            "waiting": self._keys.waiting(job.lane),
            "later": self._keys.later(job.lane),
            "flight": self._keys.in_flight(job.lane),
            "account": self._keys.account(job.account),
            "queue": self._keys.arq_queue(),
            "lanes_due": self._keys.lanes_due(),
            "cancelled": self._keys.cancelled(by.account, by.id),
            "document": document or own,
            "joined": self._keys.joined(document) if document else own,
            "heir": self._keys.job(job.account, heir.id) if heir.id else own,
            "days": self._keys.days(),
        }
        args: ScriptArgs = {
            "id": job.id,
            "seq": job.seq,
            "retention_ms": policy.retention_ms,
            "maxlen": policy.results_maxlen,
            "batch_prefix": self._keys.batch(""),
            "arq_prefix": f"{self._keys.namespace}:{job.account}:{job.id}:",
            "arq_job_prefix": job_key_prefix,
            "mark_prefix": in_progress_key_prefix,
            "lane": job.lane,
            "member": in_account(job.account, job.id),
            "error": error.model_dump_json(),
            "heir": heir.id,
            "heir_starts_ms": heir.starts_ms,
            "heir_ends_ms": heir.ends_ms,
            "heir_day_ends_ms": heir.day_ends_ms,
            "deadline_ms": policy.deadline_ms,
            "heir_member": in_account(job.account, heir.id),
            **self._of_jobs.end_noted(job),
            "tally": tally_values(tally_of(event)),
            "event": event_values(event),
        }
        return bytes(await self._scripts.run("cancel_job", keys, args))

    def _ending(self, by: JobRecord, job: JobRecord) -> tuple[Event, ErrorDetail]:
        nothing = "; de él no se envió nada a Factus" if job.issues else ""
        error = ErrorDetail(code="job.cancelled", message=f"Cancelado por el trabajo {by.id}{nothing}.")
        final = Finished("failed", error.message, errors=(error,))
        now = datetime.now(self._of_jobs.accounts[job.account].zone)
        return final_event(job, final, attempts=job.attempts, now=now), error

    async def _why(self, account: str, job_id: str, word: str) -> str:
        if word != "final":
            return _WHY[word]
        stored = await command(self._redis, "HGET", self._keys.job(account, job_id), "final_type")
        return f"ya terminó ({(stored or b'').decode(errors='replace')})"


def _pages(ids: list[bytes]) -> Iterable[list[bytes]]:
    return (ids[at : at + _PAGE] for at in range(0, len(ids), _PAGE))
