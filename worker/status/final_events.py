"""
The final event of a job, looked up where it was published: the ledger knows that a job is final and since when, the
streams have what was said of it.

An event is published in the step that makes its job final, so its place in the stream is known to the millisecond. But
where the clock was set back: a stream gives no id below its last one, and what is published goes on from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from jobs.events import is_of_another_push
from jobs.intake import NO_ACCOUNT
from schemas import strict_json
from schemas.names import ending_of
from schemas.records import JobRecord
from worker.store.connection import command
from worker.store.entry_ids import is_whole_entry_id
from worker.store.keys import Keys

_WINDOWS_MS: Final = ((2, 20), (2_000, 10_000))
"""Before and after the moment that the ledger has: first what it always is, then what a clock that jumps may make."""

_PAGE: Final = 64
_MOST_PAGES: Final = 40
_MOST_BYTES: Final = 32 * 1024 * 1024
_ENTRY: Final = re.compile(r"[0-9]{13,20}-[0-9]{1,20}", re.ASCII)
_FINAL: Final = frozenset({"validated", "rejected", "failed", "completed", "refused"})

Page = Sequence[tuple[bytes, Mapping[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Of which job an event is looked for."""

    job_id: str
    known: frozenset[str]
    """The ids under which it may have been refused: its own and its entry's."""

    may_see: Callable[[str], bool]
    """Whether events of an account may be told of."""

    def takes(self, fields: Mapping[bytes, bytes]) -> bool:
        type_ = fields.get(b"type", b"").decode(errors="replace")
        if b"event" not in fields or fields.get(b"job_id") != self.job_id.encode() or ending_of(type_) not in _FINAL:
            return False
        if not self.may_see(fields.get(b"account", b"").decode(errors="replace")):
            return False
        return type_ != "job.refused" or self._is_its_refusal(fields)

    def _is_its_refusal(self, fields: Mapping[bytes, bytes]) -> bool:
        """Somebody else's push may have named the same id, and was denied."""
        try:
            return not is_of_another_push(str(strict_json.parse_written(fields[b"event"])["id"]), self.known)
        except (strict_json.JsonRefused, KeyError, TypeError):
            return False  # a hand wrote there


class FinalEvents:
    """Finds final events in the results streams of one namespace."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def of_job(self, job: JobRecord) -> bytes | None:
        """The final event (JSON) of a job that is final; None where its stream has it no more."""
        stream = self._keys.results(job.source or None)
        wanted = _Wanted(job.id, frozenset({job.id, job.entry}), _is_of(job))
        for before_ms, after_ms in _WINDOWS_MS:
            first, last = max(job.final_at - before_ms, 0), job.final_at + after_ms
            found = await self._within(stream, f"{first}-0", str(last), wanted)
            if found is not None:
                return found
        ahead = await self._ahead(stream, job.final_at + _WINDOWS_MS[-1][1], wanted)
        return ahead or await self._of_document(job)

    async def of_entry(self, entry: str, may_see: Callable[[str], bool], owner: str | None = None) -> bytes | None:
        """
        The event of a refused job that has no record, and the id of its entry for a name. Published after the entry.

        Args:
            may_see: Whether events of an account may be told of; of none that could be read: of an empty one.
            owner: Whose own stream is looked through; None for the common one.
        """
        if not (_ENTRY.fullmatch(entry) and is_whole_entry_id(entry)):
            return None
        wanted = _Wanted(entry, frozenset({entry}), may_see)
        return await self._within(self._keys.results(owner), f"{entry.partition('-')[0]}-0", "+", wanted)

    async def _ahead(self, stream: str, after_ms: int, wanted: _Wanted) -> bytes | None:
        """An event that lies ahead of the moment at which it was published, as long as that is found in a few pages."""
        newest = await self._redis.xrevrange(stream, count=1)
        if not newest or (last_ms := _ms_of(newest[0][0])) <= after_ms:
            return None
        seconds, _ = await self._redis.time()
        if last_ms > (int(seconds) + 1) * 1000:
            return await self._newest(stream, f"{after_ms + 1}-0", wanted)
        oldest = await self._redis.xrange(stream, count=1)
        # As long as the stream has what was published before, it has the event as well: somewhere behind.
        if not oldest or _ms_of(oldest[0][0]) > after_ms:
            return None
        return await self._within(stream, f"{after_ms + 1}-0", "+", wanted)

    async def _within(self, stream: str, first: str, last: str, wanted: _Wanted) -> bytes | None:
        n_bytes = 0
        for _ in range(_MOST_PAGES):
            page = await self._redis.xrange(stream, min=first, max=last, count=_PAGE)
            if (found := _final_in(page, wanted)) is not None:
                return found
            n_bytes += _bytes_of(page)
            if len(page) < _PAGE or n_bytes > _MOST_BYTES:
                return None
            first = f"({page[-1][0].decode()}"
        return None

    async def _newest(self, stream: str, first: str, wanted: _Wanted) -> bytes | None:
        """The same from the end."""
        last, n_bytes = "+", 0
        for _ in range(_MOST_PAGES):
            page = await self._redis.xrevrange(stream, max=last, min=first, count=_PAGE)
            if (found := _final_in(page, wanted)) is not None:
                return found
            n_bytes += _bytes_of(page)
            if len(page) < _PAGE or n_bytes > _MOST_BYTES:
                return None
            last = f"({page[-1][0].decode()}"
        return None

    async def _of_document(self, job: JobRecord) -> bytes | None:
        """What the ledger keeps of a validated document, where the job is the one that issued it."""
        if not (job.issues and job.reference_code):
            return None
        key = self._keys.document(job.account, job.family, job.reference_code)
        issuer, event = await command(self._redis, "HMGET", key, "job", "event")
        return bytes(event) if event and issuer == job.id.encode() else None


def _final_in(page: Page, wanted: _Wanted) -> bytes | None:
    return next((bytes(fields[b"event"]) for _, fields in page if wanted.takes(fields)), None)


def _bytes_of(page: Page) -> int:
    return sum(len(fields.get(b"event", b"")) for _, fields in page)


def _ms_of(entry: bytes) -> int:
    return int(entry.partition(b"-")[0])


def _is_of(job: JobRecord) -> Callable[[str], bool]:
    """Whether an event of an account is that of a job; of one whose account could not be read the event names none."""
    whose = "" if job.account == NO_ACCOUNT else job.account
    return lambda account: account == whose
