"""
One batch as the ledger has counted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from redis.asyncio import Redis

from jobs.batches import completed_event
from jobs.estimate.course import Course
from jobs.fiscal_day import day_bounds_ms
from schemas.factus import BOGOTA
from schemas.names import in_account
from worker.queue.day_reader import batch_at_risk, day_of
from worker.queue.load_reader import Loads, Reading
from worker.settings.account import Account
from worker.speech import iso
from worker.status.reader import StatusReader
from worker.status.stored import text_hash, texts
from worker.store.inquiry import Inquiry, answered, asked, each
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

    async def named(
        self, batch: str, accounts: Iterable[str], now_ms: int, *, has_workers: bool = True
    ) -> list[BatchSeen]:
        """The batch of that name in each of the accounts that has one; accounts that could not be read are ``?``."""
        settings = self._reader.account_settings
        loads = Loads(self._keys, settings, now_ms)
        found = await answered(
            self._redis,
            each(
                batch_of(self._keys, loads, settings(account), batch, now_ms, has_workers=has_workers)
                for account in accounts
            ),
        )
        return [one for one in found if one is not None]


def batch_of(
    keys: Keys, loads: Loads, account: Account, batch: str, now_ms: int, *, has_workers: bool
) -> Inquiry[BatchSeen | None]:
    """
    The batch of that name of an account; None where there is none.

    Raises:
        ResponseError, ValueError, KeyError: Its key holds something else.
    """
    member = in_account(account.name, batch)
    flat, failures = yield from asked(("HGETALL", keys.batch(member)), ("LRANGE", keys.batch_failures(member), 0, -1))
    held = text_hash(flat)
    if not held:
        return None
    now = datetime.fromtimestamp(now_ms / 1000, BOGOTA)
    seen = batch_seen(account.name, batch, held, texts(failures), now=now)
    parts = _parts(account.name, held)
    if parts:
        seen = yield from _with_estimate(keys, loads, account, seen, parts, now_ms)
    return seen if has_workers else replace(seen, done_ms=None)


def _with_estimate(
    keys: Keys, loads: Loads, account: Account, seen: BatchSeen, parts: Sequence[_Part], now_ms: int
) -> Inquiry[BatchSeen]:
    reading, courses = yield from loads.likely(account.name)
    known = [part for part in parts if part.lane in courses]
    ends = yield from each(_done_ms(keys, part, seen.batch, reading, courses[part.lane]) for part in known)
    open_ = [(part, done_ms) for part, done_ms in zip(known, ends, strict=True) if done_ms is not None]
    lanes = {part.lane for part, _ in open_}
    is_held = bool(lanes & reading.held)
    at_risk = yield from each(
        _at_risk(keys, loads, account, part, seen.batch)
        for part, _ in open_
        if part.day and day_bounds_ms(part.day, account.zone)[1] > now_ms
    )
    return replace(
        seen,
        pace_per_minute=0.0 if is_held else sum(courses[lane].pace_per_minute for lane in lanes),
        done_ms=None if is_held else max((done_ms for _, done_ms in open_), default=None),
        at_risk=sum(at_risk),
        zone=account.zone,
    )


def _at_risk(keys: Keys, loads: Loads, account: Account, part: _Part, batch: str) -> Inquiry[int]:
    """How many jobs of a part will miss their day."""
    reading, courses = yield from loads.feared(account.name)
    day = yield from day_of(keys, account, part.day, reading, courses)
    counts = yield from each(batch_at_risk(keys, one, part.day, batch) for one in day.lanes if one.lane == part.lane)
    return sum(counts)


def _done_ms(keys: Keys, part: _Part, batch: str, reading: Reading, course: Course) -> Inquiry[float | None]:
    """When the last job of a part will be done; None where none of it waits."""
    (last,) = yield from asked(("ZRANGE", keys.batch_jobs(part.lane, part.day, batch), -1, -1, "WITHSCORES"))
    if not last:
        return None
    later, n_waiting_before = yield from asked(
        ("ZSCORE", keys.later(part.lane), last[0]), ("ZCOUNT", keys.waiting(part.lane), "-inf", last[1])
    )
    if later is None:
        return course.done_with(max(min(n_waiting_before, course.n_all), min(1, course.n_all)))
    (n_later_before,) = yield from asked(("ZCOUNT", keys.later(part.lane), "-inf", later))
    n_before = reading.lane(part.lane).n_waiting + int(n_later_before)
    if part.day:
        day_jobs = keys.day_jobs(part.lane, part.day)
        (behind,) = yield from asked(("ZCOUNT", day_jobs, f"({last[1].decode()}", "+inf"))
        n_before -= int(behind)
    done_ms = course.done_with(max(min(n_before, course.n_all), min(1, course.n_all)))
    return None if done_ms is None else max(done_ms, float(later) + course.service_ms)


def _parts(account: str, held: Mapping[str, str]) -> list[_Part]:
    """Of a batch: in which lanes its jobs have come, and for which days."""
    rows = [name.split(":") for name in held if name.startswith("part:") and name.count(":") == 2]
    return [_Part(in_account(account, queue), day) for _, queue, day in rows]


def batch_seen(account: str, batch: str, held: Mapping[str, str], failures: list[str], *, now: datetime) -> BatchSeen:
    """What the counts of a batch say. Pure."""
    data = completed_event(in_account(account, batch), held, failures, now=now).data or {}
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
