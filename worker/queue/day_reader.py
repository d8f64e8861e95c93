"""
What will become of an account's day: how many of the jobs that must go out on it will not, and which.

Nothing here is searched: the jobs of a day stand in an order of their own (``lib/days.lua``), and the estimate says
which place in the lane is the last to go out in time. What stands behind that place is counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from jobs.day_notices import MOST_REFERENCES, DayOutlook
from jobs.estimate.course import Course
from jobs.estimate.forecast import forecast
from jobs.fiscal_day import day_bounds_ms
from schemas.names import account_of
from worker.queue.load_reader import LoadReader, Reading, issuing_lanes, without_unseen
from worker.settings.account import Account
from worker.store.connection import command
from worker.store.keys import Keys

_MOST_NAMED: Final = 1000
"""So many of the jobs that will miss their day are read for the names of their batches."""


@dataclass(frozen=True, slots=True)
class LaneDay:
    """The jobs of a lane that must go out on a day. ``from_score``: the first place that will miss; '' for none."""

    lane: str
    n_waiting: int
    will_miss: int = 0
    from_score: str = ""
    expected_ms: float | None = None


@dataclass(frozen=True, slots=True)
class AccountDay:
    """The same of all lanes of an account."""

    lanes: tuple[LaneDay, ...]
    pace_per_minute: float

    @property
    def n_waiting(self) -> int:
        return sum(one.n_waiting for one in self.lanes)

    @property
    def will_miss(self) -> int:
        return sum(one.will_miss for one in self.lanes)


class DayReader:
    """Reads the days of accounts. Reading only."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._loads = LoadReader(redis, keys)

    async def load(self, account: Account, now_ms: int) -> tuple[Reading, dict[str, Course]]:
        """The load of an account, and what will become of it: nobody is alarmed by a pace that was never seen."""
        reading = without_unseen(await self._loads.read(account, now_ms))
        return reading, forecast(reading.load)

    async def day(
        self, account: Account, day: str, reading: Reading, courses: Mapping[str, Course], *, slack: float = 0.0
    ) -> AccountDay:
        """
        What will become of a day.

        Args:
            slack: The share of what the estimate promises that is not counted upon.
        """
        found = [
            await self._lane_day(account, lane, day, reading, courses[lane], slack)
            for lane in issuing_lanes(account.name)
        ]
        lanes = tuple(one for one in found if one.n_waiting)
        return AccountDay(lanes, sum(courses[one.lane].pace_per_minute for one in lanes))

    async def outlook(self, account: Account, day: str, seen: AccountDay) -> DayOutlook:
        """The same with the names that an event has: of the first that will miss their day, in the order of sending."""
        references: list[tuple[float, str]] = []
        batches: dict[str, None] = {}
        for lane in seen.lanes:
            if lane.will_miss:
                for score, reference, batch in await self._named(lane, day):
                    references.append((score, reference))
                    if batch:
                        batches[batch] = None
        references.sort(key=lambda one: one[0])
        expected = [one.expected_ms for one in seen.lanes if one.expected_ms is not None]
        return DayOutlook(
            account.name,
            day,
            day_bounds_ms(day, account.zone)[1],
            seen.n_waiting,
            seen.will_miss,
            max(expected, default=None),
            seen.pace_per_minute,
            tuple(reference for _, reference in references[:MOST_REFERENCES]),
            tuple(batches),
        )

    async def batch_at_risk(self, lane_day: LaneDay, day: str, batch: str) -> int:
        """How many jobs of a batch will miss their day in a lane."""
        if not lane_day.from_score:
            return 0
        key = self._keys.batch_jobs(lane_day.lane, day, batch)
        return int(await command(self._redis, "ZCOUNT", key, lane_day.from_score, "+inf"))

    # -- one lane --------------------------------------------------------------------------------------------------
    async def _lane_day(
        self, account: Account, lane: str, day: str, reading: Reading, course: Course, slack: float
    ) -> LaneDay:
        n_day = await self._n_waiting(lane, day)
        if not n_day:
            return LaneDay(lane, 0)
        starts_ms, ends_ms = day_bounds_ms(day, account.zone)
        load, now_ms = reading.lane(lane), reading.load.now_ms
        if starts_ms > now_ms:
            n_before = load.n_waiting + sum(one.n for one in load.releases if one.at_ms < starts_ms)
            left = max(n_before - course.started_by(starts_ms), 0.0)
            on_day = (course.started_by(ends_ms) - course.started_by(starts_ms)) * (1 - slack)
            n_over = math.ceil(left + n_day - on_day - 0.5)
            expected_ms = course.done_with(min(n_before + n_day, course.n_all))
            return await self._tail(lane, day, n_day, n_over, expected_ms)
        in_time = math.floor(course.started_by(ends_ms) * (1 - slack) + 0.5)
        n_later = int(await command(self._redis, "ZCOUNT", self._keys.later(lane), "-inf", f"({ends_ms}"))
        expected_ms = await self._expected(lane, day, course, n_later)
        if in_time >= load.n_waiting + n_later:
            return LaneDay(lane, n_day, expected_ms=expected_ms)
        place = await command(self._redis, "ZRANGE", self._keys.waiting(lane), in_time, in_time, "WITHSCORES")
        if not place:
            return await self._tail(lane, day, n_day, load.n_waiting + n_later - in_time, expected_ms)
        score = place[1].decode()
        n_behind = int(await command(self._redis, "ZCOUNT", self._keys.day_jobs(lane, day), score, "+inf"))
        will_miss = max(n_behind - await self._n_under_way(lane, day, float(score)), 0)
        return LaneDay(lane, n_day, will_miss, score if will_miss else "", expected_ms)

    async def _tail(self, lane: str, day: str, n_day: int, n_over: int, expected_ms: float | None) -> LaneDay:
        """The last *n_over* jobs of the day are late."""
        will_miss = min(max(n_over, 0), n_day)
        if not will_miss:
            return LaneDay(lane, n_day, expected_ms=expected_ms)
        key = self._keys.day_jobs(lane, day)
        first = await command(self._redis, "ZRANGE", key, -will_miss, -will_miss, "WITHSCORES")
        return LaneDay(lane, n_day, will_miss, first[1].decode() if first else "", expected_ms)

    async def _n_waiting(self, lane: str, day: str) -> int:
        return int(await command(self._redis, "ZCARD", self._keys.day_jobs(lane, day)))

    async def _expected(self, lane: str, day: str, course: Course, n_later: int) -> float | None:
        """When the last job of a day that has begun is done."""
        last = await command(self._redis, "ZRANGE", self._keys.day_jobs(lane, day), -1, -1, "WITHSCORES")
        if not last:
            return None
        n_before = int(await command(self._redis, "ZCOUNT", self._keys.waiting(lane), "-inf", last[1]))
        return course.done_with(min(n_before + n_later, course.n_all))

    async def _n_under_way(self, lane: str, day: str, score: float) -> int:
        """Jobs of the day that stand behind the place and are under way already, out of their turn."""
        n = 0
        for job_id in await command(self._redis, "ZRANGE", self._keys.in_flight(lane), 0, -1):
            own = await command(self._redis, "ZSCORE", self._keys.day_jobs(lane, day), job_id)
            n += own is not None and float(own) >= score
        return n

    async def _named(self, lane: LaneDay, day: str) -> list[tuple[float, str, str]]:
        """Place, reference and batch of the first jobs of a lane that will miss their day."""
        key = self._keys.day_jobs(lane.lane, day)
        under_way = set(await command(self._redis, "ZRANGE", self._keys.in_flight(lane.lane), 0, -1))
        flat = await command(
            self._redis, "ZRANGEBYSCORE", key, lane.from_score, "+inf", "WITHSCORES", "LIMIT", 0, _MOST_NAMED
        )
        found = [(one, float(score)) for one, score in zip(flat[::2], flat[1::2], strict=True) if one not in under_way]
        pipe: Any = self._redis.pipeline(transaction=False)
        for job_id, _ in found:
            record = self._keys.job(account_of(lane.lane), job_id.decode(errors="surrogateescape"))
            pipe.hmget(record, ["reference_code", "batch"])
        rows = await pipe.execute(raise_on_error=False) if found else []
        named: list[tuple[float, str, str]] = []
        for (job_id, score), row in zip(found, rows, strict=True):
            if isinstance(row, Exception) or row[0] is None:
                await command(self._redis, "ZREM", key, job_id)  # its record is gone: nobody will end it
                continue
            named.append((score, row[0].decode(errors="replace"), (row[1] or b"").decode(errors="replace")))
        return named
