"""
The jobs that joined a document: they end after the one that issued it, a few at a time.

The script that ends the owner (end_attempt.lua) puts their ids aside in a list of their own, with the owner's final
event, and names the list in a set. From there any worker goes on: at once the one that wrote the owner's end, and when
its lease in the set is over (it was killed) whoever looks next. A slice is one script that first checks that its ids
still stand at the head of the list, so that two workers never end one job twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from jobs.batches import tally_of
from jobs.events import joined_event
from jobs.follow_ups import follow_ups
from jobs.lesser_ends import plain
from schemas import strict_json
from schemas.contract.event import Event
from schemas.names import account_of, family_of, in_account, within_account
from schemas.records import JobRecord
from worker.guard import Guard, is_server_state
from worker.queue.ended_owners import EndedOwners
from worker.queue.job_script_arguments import JobScriptArguments
from worker.queue.own_due import OwnDue
from worker.queue.script_values import event_values, tally_values
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Arg, ScriptArgs, ScriptKeys, Scripts

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class JoinedPolicy:
    """How often what another worker left behind is looked for, and the lease of a worker that ends a list."""

    look_every_s: float = 2.0
    lease_ms: int = 5000


JOINED: Final = JoinedPolicy()

_SLICE: Final = 50
_SLICE_BYTES: Final = 512 * 1024
_MOST_DUE: Final = 100


@dataclass(frozen=True, slots=True)
class _Owner:
    """The job whose document the others joined. ``data`` is that of its final event, as JSON."""

    account: str
    job_id: str
    event: dict[str, Any]
    data: str
    n_bytes: int


@dataclass(frozen=True, slots=True)
class _Ended:
    """One of those that joined: its record (as far as there is one) and its final event."""

    job: JobRecord
    event: Event


class Joined:
    """Ends the jobs that joined documents; the part of one process in it."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        of_jobs: JobScriptArguments,
        owners: EndedOwners,
        guard: Guard,
        policy: JoinedPolicy = JOINED,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._of_jobs = of_jobs
        self._guard = guard
        self._owners = owners
        self._policy = policy
        self._due = OwnDue(redis, keys.ended_due(), of_jobs.accounts)

    async def run(self, stopping: asyncio.Event) -> None:
        """End those that joined until *stopping*."""
        while not stopping.is_set():
            with self._guard.iteration() as iteration:
                await self._round(stopping)
            if iteration.pause_s is not None:
                await _first_of(stopping, timeout_s=iteration.pause_s)
            elif not self._owners.members:
                await _first_of(stopping, self._owners.woken, timeout_s=self._policy.look_every_s)
            self._owners.woken.clear()

    async def rest(self, within_s: float) -> None:
        """End what is left in our hands before the process stops; what does not fit is another worker's."""
        with self._guard.iteration():
            try:
                async with asyncio.timeout(within_s):
                    await self._drain_wanted(asyncio.Event())
            except TimeoutError:
                return

    async def _round(self, stopping: asyncio.Event) -> None:
        await self._drain_wanted(stopping)
        seconds, micros = await self._redis.time()
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        for raw in await self._due.next(now_ms, _MOST_DUE):
            with self._guard.member(raw):
                self._owners.members[raw.decode()] = None
                continue
            # It failed, and keeps nobody behind it from being reached.
            pause_ms = round(self._guard.rest_s(raw) * 1000)
            await self._redis.zadd(self._keys.ended_due(), {raw: now_ms + pause_ms}, xx=True)

    async def _drain_wanted(self, stopping: asyncio.Event) -> None:
        while self._owners.members and not stopping.is_set():
            member = next(iter(self._owners.members))
            with self._guard.member(member):
                await self._drain(member, stopping)
            del self._owners.members[member]
            if rest_s := self._guard.rest_s(member):
                seconds, _ = await self._redis.time()
                at_ms = int(seconds) * 1000 + round(rest_s * 1000)
                await self._redis.zadd(self._keys.ended_due(), {member: at_ms}, xx=True)

    async def _drain(self, member: str, stopping: asyncio.Event) -> None:
        account, job_id = account_of(member), within_account(member)
        owner = await self._owner(account, job_id)
        n_ended = 0
        while owner and not stopping.is_set():
            n_done, n_left = await self._slice(owner)
            n_ended += n_done
            if n_left <= 0:
                break
        if n_ended:
            log.info("joined.ended", account=account, job_id=job_id, n_joined=n_ended)

    async def _owner(self, account: str, job_id: str) -> _Owner | None:
        """
        None when nobody is left to end.

        Raises:
            ValueError: Its event is gone or cannot be read.
        """
        stored = await command(self._redis, "GET", self._keys.ended_event(account, job_id))
        if stored is None:
            if await command(self._redis, "EXISTS", self._keys.ended_ids(account, job_id)):
                raise ValueError("the event of an owner is gone")
            await self._redis.zrem(self._keys.ended_due(), in_account(account, job_id))
            return None
        event = strict_json.parse_written(stored)
        return _Owner(account, job_id, event, strict_json.dump(event["data"]), len(stored))

    async def _slice(self, owner: _Owner) -> tuple[int, int]:
        """
        End the next few.

        Returns:
            How many ended, and how many are left: 0 also when another worker is at it.
        """
        list_key = self._keys.ended_ids(owner.account, owner.job_id)
        n = max(min(_SLICE, _SLICE_BYTES // owner.n_bytes), 1)
        ids = await command(self._redis, "LRANGE", list_key, 0, n - 1)
        if not ids:
            # Somebody took them out by hand, or another worker was quicker.
            await self._redis.delete(self._keys.ended_event(owner.account, owner.job_id))
            await self._redis.zrem(self._keys.ended_due(), in_account(owner.account, owner.job_id))
            return 0, 0
        ended = [
            self._end(owner, raw, stored) for raw, stored in zip(ids, await self._records(owner, ids), strict=True)
        ]
        keys, args = self._arguments(owner, ids, ended)
        n_left = int(await self._scripts.run("end_joined", keys, args))
        return (0, 0) if n_left < 0 else (len(ids), n_left)

    async def _records(self, owner: _Owner, ids: list[bytes]) -> list[Mapping[bytes, bytes]]:
        """The records as stored; nothing for what is none."""
        prefix = self._keys.job(owner.account, "").encode()
        async with self._redis.pipeline(transaction=False) as pipe:
            for id_ in ids:
                pipe.hgetall(prefix + id_)  # type: ignore[arg-type]  # redis-py types keys as text only
            replies = await pipe.execute(raise_on_error=False)
        for reply in replies:
            if isinstance(reply, Exception) and is_server_state(reply):
                raise reply
        return [reply if isinstance(reply, dict) else {} for reply in replies]

    def _end(self, owner: _Owner, raw: bytes, stored: Mapping[bytes, bytes]) -> _Ended:
        job = self._read(owner, raw, stored)
        now = datetime.now(self._of_jobs.accounts[owner.account].zone)
        try:
            return _Ended(job, joined_event(job, owner.event, now=now))
        except ValueError:  # its metadata cannot be read
            job = plain(job)
            return _Ended(job, joined_event(job, owner.event, now=now))

    def _read(self, owner: _Owner, raw: bytes, stored: Mapping[bytes, bytes]) -> JobRecord:
        """The record, or what is known of a job whose record cannot be read: its consumer waits for its event."""
        id_ = raw.decode(errors="replace")
        try:
            try:
                return JobRecord.from_hash(stored)
            except ValueError:
                job, damaged = JobRecord.from_damaged(stored)
        except ValueError:
            damaged = []
            first = owner.event
            job = JobRecord(
                account=owner.account,
                id=id_,
                type=first["job_type"],
                family=family_of(first["job_type"]),
                lane="",
                entry="",
                reference_code=first["reference_code"] or "",
            )
        log.error("record.damaged", account=owner.account, job_id=id_, variables=damaged)
        return replace(plain(job), id=id_)

    def _arguments(self, owner: _Owner, ids: list[bytes], ended: list[_Ended]) -> tuple[ScriptKeys, ScriptArgs]:
        document = self._keys.document(owner.account, ended[0].job.family, owner.event["reference_code"])
        jobs = [self._keys.job(owner.account, one.job.id) for one in ended]
        rows = [row for one in ended for row in _following(one)]
        keys: ScriptKeys = {
            "ids": self._keys.ended_ids(owner.account, owner.job_id),
            "event": self._keys.ended_event(owner.account, owner.job_id),
            "ended_due": self._keys.ended_due(),
            "results": self._of_jobs.results_of(owner.account),
            "batches_due": self._keys.batches_due(),
            "lanes_due": self._keys.lanes_due(),
            "lanes": self._keys.lanes(),
            "deadlines": self._keys.deadlines(),
            "document": document,
            "rest": jobs + [key for row in rows for key in self._of_jobs.follow_up_keys(row)],
        }
        rest: list[Arg] = []
        for raw, one in zip(ids, ended, strict=True):
            data = owner.data if _tells_the_same(one.event.data, owner.event["data"]) else None
            rest += [raw, one.event.place, *tally_values(tally_of(one.event)), *event_values(one.event, data)]
        args: ScriptArgs = {
            "member": in_account(owner.account, owner.job_id),
            "lease_ms": self._policy.lease_ms,
            "retention_ms": self._of_jobs.policy.retention_ms,
            "maxlen": self._of_jobs.policy.results_maxlen,
            "batch_prefix": self._keys.batch(""),
            "n_jobs": len(ids),
            "n_follow_ups": len(rows),
            "rest": rest + [value for row in rows for value in self._of_jobs.follow_up_values(row)],
        }
        return keys, args


def _tells_the_same(data: Mapping[str, Any] | None, first: Mapping[str, Any] | None) -> bool:
    """Whether the owner's data, written once for all, are this one's too: only their warnings may differ."""
    return data is None or first is None or data.get("warnings") == first.get("warnings")


def _following(one: _Ended) -> list[JobRecord]:
    """The jobs that follow the document for one that joined."""
    if not one.event.success or one.event.data is None:
        return []
    return follow_ups(one.job, one.event.data, seq=one.event.place)


async def _first_of(*events: asyncio.Event, timeout_s: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
