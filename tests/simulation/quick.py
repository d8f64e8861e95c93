"""
The quick form: the whole service and the real sandbox in one process, one seed after the other.

Most seeds run in virtual time on the imitation of the server, which makes a seed one repeatable course of events; a
share of them runs in real time, several at once, on a real Valkey, with shorter leases.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
from fakeredis import FakeServer

from jobs.patience import PatiencePolicy
from tests.simulation.network import current_owner, imitation, real, track_tasks
from tests.simulation.options import SimOptions
from tests.simulation.phases import play
from tests.simulation.radian_times import HURRIED
from tests.simulation.report import Story
from tests.simulation.sim import Pace, Sim
from tests.simulation.virtual_time import run_virtual
from worker.bootstrap import Policies
from worker.intake.policy import IntakePolicy
from worker.queue.claims import LeasePolicy
from worker.queue.sweep import SweepPolicy
from worker.store import embedded_server

_QUIET_S: Final = 240.0
"""Longest virtual time in which everything must have come to its end when the storm is over."""

_SIDE_BY_SIDE: Final = 16

# What a change without an answer is waited for stays the product's: a DELETE that comes three seconds late is a fault
# of the plan.
_PATIENCE: Final = PatiencePolicy(account_pause_s=2.0, foreign_ms=2000)
VIRTUAL: Final = Pace(
    # Threads have no virtual time: large entries are examined on the loop.
    Policies(patience=_PATIENCE, radian=HURRIED, intake=IntakePolicy(apart_bytes=10**9)),
    quiet_s=_QUIET_S,
    after_s=61.0,
)
REAL: Final = Pace(
    Policies(
        patience=_PATIENCE,
        radian=HURRIED,
        intake=IntakePolicy(lease_ms=1200),
        lease=LeasePolicy(lease_ms=1200),
        sweep=SweepPolicy(every_s=2.0, deadlines_every_s=0.5, lease_ms=2000),
    ),
    quiet_s=60.0,
    after_s=2.0,
    is_real=True,
)


@contextmanager
def logs_in_courses() -> Iterator[None]:
    """The service's log goes to the course of each seed."""

    def collect(_logger: Any, _method: str, event: dict[str, Any]) -> Any:
        owner = current_owner()
        if owner is not None and not owner.is_dead and owner.note is not None:
            what = event.pop("event")
            if event.pop("exc_info", None):
                event["exception"] = traceback.format_exc().strip().replace("\n", " | ")
            owner.note(what, **event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[collect], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def play_virtual(seed: int) -> Story:
    """One seed in virtual time on the imitation of the server."""
    random.seed(seed)  # the service's own jitter

    async def main() -> Story:
        track_tasks(asyncio.get_running_loop())
        server = FakeServer()
        sim = Sim(seed, "sim", VIRTUAL, lambda plug: (imitation(server, plug), imitation(server, plug, blocking=True)))
        return await play(sim)

    return run_virtual(main(), SimOptions.draw(seed).starts_at)


def play_real(seeds: Sequence[int], folder: Path) -> list[Story]:
    """Seeds in real time, side by side on a real server."""
    server = embedded_server.start(folder)

    async def main() -> list[Story]:
        track_tasks(asyncio.get_running_loop())
        url = server.url()

        def sim(seed: int) -> Sim:
            return Sim(seed, f"sim{seed}", REAL, lambda plug: (real(url, plug), real(url, plug, blocking=True)))

        return list(await asyncio.gather(*(play(sim(seed)) for seed in seeds)))

    try:
        return asyncio.run(main())
    finally:
        embedded_server.stop(server)


@dataclass
class Tally:
    """What many seeds came to."""

    n_seeds: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    forbidden: Counter[str] = field(default_factory=Counter)
    failed: list[Story] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)
    virtual_s: float = 0.0

    def add(self, story: Story) -> None:
        self.n_seeds += 1
        self.counts += story.verdict.counts
        self.facts += story.facts
        self.forbidden.update(violation.column for violation in story.verdict.violations)
        self.virtual_s += 0.0 if story.is_real else story.virtual_s
        if story.verdict.violations:
            self.failed.append(story)


def run_quick(
    seeds: Iterable[int],
    *,
    real_share: float = 0.0,
    on_story: Callable[[Story], None] = lambda _story: None,
) -> Tally:
    """
    Play *seeds*.

    Args:
        real_share: How many of them (from 0 to 1, evenly spread) run in real time on a real server.
    """
    tally = Tally()

    def count(story: Story) -> None:
        tally.add(story)
        on_story(story)

    virtual: list[int] = []
    on_valkey: list[int] = []
    for n, seed in enumerate(seeds):
        (on_valkey if int((n + 1) * real_share) > int(n * real_share) else virtual).append(seed)
    with logs_in_courses():
        for seed in virtual:
            count(play_virtual(seed))
        for first in range(0, len(on_valkey), _SIDE_BY_SIDE):
            batch = on_valkey[first : first + _SIDE_BY_SIDE]
            folder = Path(tempfile.mkdtemp(prefix="factus-sim-"))
            try:
                for story in play_real(batch, folder):
                    count(story)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return tally
