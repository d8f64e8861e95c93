"""
One run of the demo: pushes, watches, and lets each event make possible what comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis

from schemas.names import ending_of, subject_of
from worker.cli.demo.factus_view import Key, Seen, send_radian_event
from worker.cli.demo.jobs import DemoJob
from worker.cli.demo.stage import Stage
from worker.cli.demo.story import TRACKED, Story, next_radian_code
from worker.cli.submit.push import Pushed, Watch, ends_of, is_final, outcome_of, push
from worker.store.connection import command
from worker.store.keys import Keys

KEYS: Final = Keys("factus")
_LOOK_S: Final = 0.05

Tell: TypeAlias = Callable[[dict[str, Any], Pushed], None]


async def workers_up(redis: Redis, stage: Stage, n_workers: int, stopping: asyncio.Event) -> None:
    """
    Wait until so many workers have said that they live: what is pushed before would seem slow.

    Raises:
        CancelledError: *stopping* is set.
        ServiceError: A process of the stage has ended by itself.
    """
    while await redis.zcard(KEYS.workers()) < n_workers:
        if stopping.is_set():
            raise asyncio.CancelledError
        stage.check()
        await asyncio.sleep(_LOOK_S)


@dataclass(slots=True)
class Run:
    """Everything that was pushed and has come of it."""

    redis: Redis
    base_url: str
    story: Story
    tell: Tell
    jobs: list[DemoJob] = field(default_factory=list)
    pushed: list[Pushed] = field(default_factory=list)
    finished: dict[str, datetime] = field(default_factory=dict)
    """When each job ended, by the id of its entry."""
    archived: list[dict[str, Any]] = field(default_factory=list)
    radian: list[dict[str, Any]] = field(default_factory=list)
    _fresh: list[tuple[dict[str, Any], Pushed]] = field(default_factory=list)

    async def play(self, stage: Stage, jobs: list[DemoJob], stopping: asyncio.Event, patience_s: float) -> None:
        """
        Push, and wait until all that was pushed has ended, and all that follows has come.

        Raises:
            CancelledError: *stopping* is set.
            ServiceError: A process of the stage has ended by itself.
        """
        places = await ends_of(self.redis, [KEYS.results(), KEYS.radian()])
        watch = Watch(self.redis, KEYS, [], places, lambda event, one: self._fresh.append((event, one)))
        await self._push(watch, jobs)
        gives_up_at = monotonic() + patience_s
        while (watch.n_open or self.story.awaited) and monotonic() < gives_up_at:
            # Asked as well as cancelled: redis-py can swallow a cancellation under Python 3.11.
            if stopping.is_set():
                raise asyncio.CancelledError
            await watch.turn()
            stage.check()
            while self._fresh:
                await self._go_on(watch, *self._fresh.pop(0))

    async def _push(self, watch: Watch, jobs: list[DemoJob]) -> None:
        # In the same task as the reading: the answer to a job cannot be read before its entry is known.
        pushed = await push(self.redis, KEYS, [one.job for one in jobs], frozenset())
        watch.follow(pushed)
        self.jobs += jobs
        self.pushed += pushed

    async def _go_on(self, watch: Watch, event: dict[str, Any], one: Pushed) -> None:
        if is_final(event["type"]):
            self.finished[one.entry] = datetime.fromisoformat(event["time"])
        if ending_of(event["type"]) == "archived":
            self.archived.append(event)
        if subject_of(event["type"]) == "radian":
            self.radian.append(event)
        self.tell(event, one)
        jobs = self.story.go_on(event)
        if jobs:
            await self._push(watch, jobs)
        code = next_radian_code(event)
        if code:
            await send_radian_event(self.base_url, event["account"], TRACKED, code)

    async def enter_by_http(self, demo: DemoJob, event: dict[str, Any]) -> None:
        """Enter a job that came through the door, with its final event: it counts as the others do."""
        record = KEYS.job(str(demo.job.account), str(demo.job.id))
        entry = await command(self.redis, "HGET", record, "entry")
        one = Pushed(demo.job, (entry or b"").decode(), outcome_of(event))
        self.jobs.append(demo)
        self.pushed.append(one)
        self.finished[one.entry] = datetime.fromisoformat(event["time"])
        self.tell(event, one)

    # -- at the end ------------------------------------------------------------------------------------------------
    def told(self) -> dict[Key, Seen]:
        """Every document that the service says is validated."""
        found: dict[Key, Seen] = {}
        for one in self.pushed:
            if one.outcome and ending_of(one.outcome.type) == "validated":
                family = subject_of(one.outcome.type)
                found[str(one.job.account), family, one.job.reference] = (one.outcome.number, one.outcome.total)
        return found

    def surprises(self) -> list[str]:
        """Ends that are not what they had to be, and what did not come."""
        found = []
        for demo, one in zip(self.jobs, self.pushed, strict=True):
            code = one.outcome.code if one.outcome else "no result"
            if code != demo.expected_code:
                name = one.job.reference or str(one.job.id)
                found.append(f"{name}: {code or 'success'} instead of {demo.expected_code or 'success'}")
        pushed = {one.job.id for one in self.pushed}
        found += [f"job {step.id} was never possible" for step in self.story.steps if step.id not in pushed]
        found += [f"job {job_id}: its {what} did not come" for job_id, what in sorted(self.story.awaited)]
        found += [
            f"{event['reference_code']}: not archived: {event['message']}"
            for event in self.archived
            if not event["success"]
        ]
        return found
