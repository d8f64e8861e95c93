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
from worker.queue.load_reader import Courses, LoadReader, Reading, issuing_lanes, without_unseen
from worker.settings.account import Account
from worker.store.connection import command
from worker.store.inquiry import Inquiry, answered, asked, each
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

    async def load(self, account: Account, now_ms: int) -> tuple[Reading, Courses]:
        """The load of an account, and what will become of it: nobody is alarmed by a pace that was never seen."""
        reading = without_unseen(await self._loads.read(account, now_ms))
        return reading, forecast(reading.load)

    async def day(
        self, account: Account, day: str, reading: Reading, courses: Mapping[str, Course], *, slack: float = 0.0
    ) -> AccountDay:
        """As :func:`day_of`."""
        return await answered(self._redis, day_of(self._keys, account, day, reading, courses, slack=slack))

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


# -- inquiries ---------------------------------------------------------------------------------------------------------
def day_of(
    keys: Keys, account: Account, day: str, reading: Reading, courses: Mapping[str, Course], *, slack: float = 0.0
) -> Inquiry[AccountDay]:
    """
    What will become of a day.

    Args:
        slack: The share of what the estimate promises that is not counted upon.
    """
    lanes = issuing_lanes(account.name)
    counts = yield from asked(*(("ZCARD", keys.day_jobs(lane, day)) for lane in lanes))
    found = yield from each(
        _LaneOfDay(keys, lane, day, n).look(account, reading, courses[lane], slack)
        for lane, n in zip(lanes, counts, strict=True)
        if n
    )
    return AccountDay(tuple(found), sum(courses[one.lane].pace_per_minute for one in found))


def batch_at_risk(keys: Keys, lane_day: LaneDay, day: str, batch: str) -> Inquiry[int]:
    """How many jobs of a batch will miss their day in a lane."""
    if not lane_day.from_score:
        return 0
    (n,) = yield from asked(("ZCOUNT", keys.batch_jobs(lane_day.lane, day, batch), lane_day.from_score, "+inf"))
    return int(n)


@dataclass(frozen=True, slots=True)
class _LaneOfDay:
    """The jobs of a lane that must go out on a day."""

    keys: Keys
    lane: str
    day: str
    n_day: int

    @property
    def jobs(self) -> str:
        return self.keys.day_jobs(self.lane, self.day)

    def look(self, account: Account, reading: Reading, course: Course, slack: float) -> Inquiry[LaneDay]:
        starts_ms, ends_ms = day_bounds_ms(self.day, account.zone)
        if starts_ms > reading.load.now_ms:
            return self._to_come(starts_ms, ends_ms, reading, course, slack)
        return self._begun(ends_ms, reading, course, slack)

    def _to_come(
        self, starts_ms: int, ends_ms: int, reading: Reading, course: Course, slack: float
    ) -> Inquiry[LaneDay]:
        load = reading.lane(self.lane)
        n_before = load.n_waiting + sum(one.n for one in load.releases if one.at_ms < starts_ms)
        left = max(n_before - course.started_by(starts_ms), 0.0)
        on_day = (course.started_by(ends_ms) - course.started_by(starts_ms)) * (1 - slack)
        n_over = math.ceil(left + self.n_day - on_day - 0.5)
        return self._tail(n_over, course.done_with(min(n_before + self.n_day, course.n_all)))

    def _begun(self, ends_ms: int, reading: Reading, course: Course, slack: float) -> Inquiry[LaneDay]:
        keys, lane = self.keys, self.lane
        in_time = math.floor(course.started_by(ends_ms) * (1 - slack) + 0.5)
        n_later, last, place = yield from asked(
            ("ZCOUNT", keys.later(lane), "-inf", f"({ends_ms}"),
            ("ZRANGE", self.jobs, -1, -1, "WITHSCORES"),
            ("ZRANGE", keys.waiting(lane), in_time, in_time, "WITHSCORES"),
        )
        expected_ms = None
        if last:  # when the last job of the day is done
            (n_before,) = yield from asked(("ZCOUNT", keys.waiting(lane), "-inf", last[1]))
            expected_ms = course.done_with(min(n_before + n_later, course.n_all))
        n_waiting = reading.lane(lane).n_waiting
        if in_time >= n_waiting + n_later:
            return LaneDay(lane, self.n_day, expected_ms=expected_ms)
        if not place:
            found = yield from self._tail(n_waiting + n_later - in_time, expected_ms)
            return found
        score = place[1].decode()
        n_behind, under_way = yield from asked(
            ("ZCOUNT", self.jobs, score, "+inf"), ("ZRANGE", keys.in_flight(lane), 0, -1)
        )
        # Those that stand behind the place and are under way already, out of their turn.
        own = yield from asked(*(("ZSCORE", self.jobs, job_id) for job_id in under_way))
        n_under_way = sum(one is not None and float(one) >= float(score) for one in own)
        will_miss = max(int(n_behind) - n_under_way, 0)
        return LaneDay(lane, self.n_day, will_miss, score if will_miss else "", expected_ms)

    def _tail(self, n_over: int, expected_ms: float | None) -> Inquiry[LaneDay]:
        """The last *n_over* jobs of the day are late."""
        will_miss = min(max(n_over, 0), self.n_day)
        if not will_miss:
            return LaneDay(self.lane, self.n_day, expected_ms=expected_ms)
        (first,) = yield from asked(("ZRANGE", self.jobs, -will_miss, -will_miss, "WITHSCORES"))
        return LaneDay(self.lane, self.n_day, will_miss, first[1].decode() if first else "", expected_ms)
