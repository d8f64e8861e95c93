"""
One batch as the ledger has counted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from redis.asyncio import Redis

from jobs.batches import completed_event
from jobs.estimate.course import Course
from jobs.fiscal_day import day_bounds_ms
from schemas.factus import BOGOTA
from worker.cli.speech import iso
from worker.cli.status.reader import StatusReader
from worker.queue.day_reader import DayReader
from worker.queue.load_reader import Reading
from worker.store.connection import command
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """A batch of one account; ``size`` and ``left`` are None where no job has stated how many there are."""

    batch: str
    account: str
    size: int | None
    counts: dict[str, int]
    n_final: int
    left: int | None
    total: Decimal
    first_number: str | None
    last_number: str | None
    is_closed: bool
    failures: tuple[dict[str, Any], ...] = ()
    pace_per_minute: float = 0.0
    done_ms: float | None = None
    """When the last of its jobs will be done, by the estimate; None where none waits, or nobody knows."""
    at_risk: int = 0
    """How many of its jobs will miss the day that they must carry."""
    zone: tzinfo = BOGOTA

    def to_json(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "account": self.account,
            "size": self.size,
            "counts": self.counts,
            "left": self.left,
            "pace_per_minute": round(self.pace_per_minute, 1),
            "done_at": None if self.done_ms is None else iso(round(self.done_ms), self.zone),
            "at_risk": self.at_risk,
            "total": f"{self.total:.2f}",
            "first_number": self.first_number,
            "last_number": self.last_number,
            "is_closed": self.is_closed,
            "failures": list(self.failures),
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """The open jobs of a batch that stand in one lane and must carry one day (``day``; empty for any)."""

    lane: str
    day: str


class BatchReader:
    """Reads batches as the ledger counts them, with what will become of them. Nothing is searched."""

    def __init__(self, redis: Redis, keys: Keys, reader: StatusReader) -> None:
        self._redis = redis
        self._keys = keys
        self._reader = reader
        self._days = DayReader(redis, keys)

    async def named(
        self, batch: str, accounts: Iterable[str], now_ms: int, *, has_workers: bool = True
    ) -> list[BatchSeen]:
        """The batch of that name in each of the accounts that has one; accounts that could not be read are ``?``."""
        found = []
        for account in accounts:
            member = f"{account}/{batch}"
            stored = dict(await command(self._redis, "HGETALL", self._keys.batch(member)))
            if stored:
                failures = await command(self._redis, "LRANGE", self._keys.batch_failures(member), 0, -1)
                held = {_text(name): _text(value) for name, value in stored.items()}
                seen = batch_seen(account, batch, held, [_text(failure) for failure in failures])
                seen = await self._with_estimate(seen, _parts(account, held), now_ms)
                found.append(seen if has_workers else replace(seen, done_ms=None))
        return found

    async def _with_estimate(self, seen: BatchSeen, parts: list[_Part], now_ms: int) -> BatchSeen:
        if not parts:
            return seen
        settings = self._reader.account_settings(seen.account)
        reading, courses = await self._reader.courses(seen.account, now_ms)
        feared, fears = await self._days.load(settings, now_ms)
        done: list[float] = []
        lanes: set[str] = set()
        is_held, at_risk = False, 0
        for part in parts:
            if part.lane not in courses:
                continue
            done_ms = await self._done_ms(part, seen.batch, reading, courses[part.lane])
            if done_ms is not None:
                done.append(done_ms)
                lanes.add(part.lane)
                is_held = is_held or part.lane in reading.held
            if part.day and done_ms is not None and day_bounds_ms(part.day, settings.zone)[1] > now_ms:
                days = await self._days.day(settings, part.day, feared, fears)
                at_risk += sum(
                    [
                        await self._days.batch_at_risk(one, part.day, seen.batch)
                        for one in days.lanes
                        if one.lane == part.lane
                    ]
                )
        return replace(
            seen,
            pace_per_minute=0.0 if is_held else sum(courses[lane].pace_per_minute for lane in lanes),
            done_ms=None if is_held else max(done, default=None),
            at_risk=at_risk,
            zone=settings.zone,
        )

    async def _done_ms(self, part: _Part, batch: str, reading: Reading, course: Course) -> float | None:
        """When the last job of a part will be done; None where none of it waits."""
        key = self._keys.batch_jobs(part.lane, part.day, batch)
        last = await command(self._redis, "ZRANGE", key, -1, -1, "WITHSCORES")
        if not last:
            return None
        later = await command(self._redis, "ZSCORE", self._keys.later(part.lane), last[0])
        n_waiting = reading.lane(part.lane).n_waiting
        if later is None:
            n_before = await command(self._redis, "ZCOUNT", self._keys.waiting(part.lane), "-inf", last[1])
            return course.done_with(max(min(n_before, course.n_all), min(1, course.n_all)))
        n_before = n_waiting + int(await command(self._redis, "ZCOUNT", self._keys.later(part.lane), "-inf", later))
        if part.day:
            behind = await command(
                self._redis, "ZCOUNT", self._keys.day_jobs(part.lane, part.day), f"({last[1].decode()}", "+inf"
            )
            n_before -= int(behind)
        done_ms = course.done_with(max(min(n_before, course.n_all), min(1, course.n_all)))
        return None if done_ms is None else max(done_ms, float(later) + course.service_ms)


def _parts(account: str, held: Mapping[str, str]) -> list[_Part]:
    """Of a batch: in which lanes its jobs have come, and for which days."""
    rows = [name.split(":") for name in held if name.startswith("part:") and name.count(":") == 2]
    return [_Part(f"{account}/{queue}", day) for _, queue, day in rows]


def batch_seen(account: str, batch: str, held: Mapping[str, str], failures: list[str]) -> BatchSeen:
    """What the counts of a batch say. Pure."""
    from datetime import datetime

    data = completed_event(f"{account}/{batch}", held, failures, now=datetime.now(BOGOTA)).data or {}
    n_final = sum(data["counts"].values())
    size = data["size"] if held.get("size", "0") != "0" else None
    return BatchSeen(
        batch=batch,
        account=account,
        size=size,
        counts=data["counts"],
        n_final=n_final,
        left=None if size is None else max(size - n_final, 0),
        total=Decimal(data["total"]),
        first_number=data["first_number"],
        last_number=data["last_number"],
        is_closed="closed" in held,
        failures=tuple(data["failures"]),
    )


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")
