"""Everything that a seed of the quick form decides before it runs; what happens while it runs is drawn on the way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

from schemas.factus import BOGOTA
from tests.simulation.fault_plan import Rule, quick_plan
from tests.simulation.workload import KEPT

TIMEOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class SimOptions:
    """
    What is special about one seed.

    Attributes:
        accounts: Their names.
        own_streams: Those of them that have streams of their own.
        rate_limit: Requests of an account in *rate_window_s*.
        deadline_s: How long a job is tried.
        token_life_s: How long a token of Factus lives.
        keep_share: Share of the documents that are rejected and kept.
        n_jobs: Pushes of the storm.
        n_workers: Workers at its beginning.
        cut_share: Share of the commands whose connection is cut, before or after the server ran them.
        refuse_share: Share of the connections that the server refuses.
        spoil_share: Share of Factus's answers that are spoilt.
        storage_fail_share: Share of the writes at which the archive's storage fails.
        storage_slow_s: How long the storage takes at most.
        lane_width: How many creates of a family an account tries at once.
        takes_at_once: How many Factus takes.
        reads_at_once: How many entries the intake reads together; few make a backlog of what waits behind them, which
            a sale may pass.
        shared_from: From how many jobs on a worker leaves what it starts to the others.
        starts_at: What the clocks show at the beginning; in real time they show what they show.
        rules: The faults of Factus.
    """

    accounts: tuple[str, ...]
    own_streams: frozenset[str]
    rate_limit: int
    rate_window_s: float
    deadline_s: float
    token_life_s: int
    keep_share: float
    n_jobs: int
    n_workers: int
    cut_share: float
    refuse_share: float
    spoil_share: float
    storage_fail_share: float
    storage_slow_s: float
    lane_width: int
    takes_at_once: int
    reads_at_once: int
    shared_from: int
    starts_at: datetime
    rules: tuple[Rule, ...]

    @classmethod
    def draw(cls, seed: int) -> SimOptions:
        """The options of a seed, always the same."""
        chance = random.Random(f"options of {seed}")
        accounts = tuple(f"acct-{n}" for n in range(chance.randint(1, 3)))
        rate_limit, rate_window_s = chance.choice([(1000, 60.0), (1000, 60.0), (25, 5.0)])
        keep_share = chance.choice([0.0, 0.0, 0.08])
        of_lanes = random.Random(f"lanes of {seed}")  # their own: what else a seed means stays as it was
        lane_width = of_lanes.choice([1, 1, 2, 3, 4])
        return cls(
            accounts=accounts,
            own_streams=frozenset(accounts[-1:] if chance.random() < 0.3 else ()),
            rate_limit=rate_limit,
            rate_window_s=rate_window_s,
            deadline_s=chance.choice([3600.0] * 9 + [8.0]),
            token_life_s=chance.choice([3600, 3600, 15]),
            keep_share=keep_share,
            n_jobs=chance.randint(12, 18),
            n_workers=chance.randint(1, 2),
            cut_share=chance.choice([0.0, 0.003, 0.02]),
            refuse_share=chance.choice([0.0, 0.0, 0.05]),
            spoil_share=chance.choice([0.0, 0.02, 0.1]),
            storage_fail_share=chance.choice([0.0, 0.1, 0.3]),
            storage_slow_s=chance.choice([0.0, 0.3]),
            lane_width=lane_width,
            takes_at_once=of_lanes.choice([1, lane_width]),
            reads_at_once=random.Random(f"intake of {seed}").choice([100, 100, 3, 2]),
            shared_from=random.Random(f"slots of {seed}").choice([64, 64, 2, 1, 0]),
            starts_at=_start(random.Random(-seed - 1)),
            rules=tuple(quick_plan(chance, TIMEOUT_S, kept=KEPT if keep_share else "")),
        )

    def tell(self) -> Sequence[str]:
        """One line for each."""
        told = [f"{one.name} = {getattr(self, one.name)}" for one in fields(self) if one.name != "rules"]
        return [*told, *(f"rule {rule}" for rule in self.rules)]


def _start(chance: random.Random) -> datetime:
    """An instant of a morning; for some the edge of a day, and for a few of these that of a month."""
    start = datetime(2026, 11, 25, 10, 0, tzinfo=BOGOTA) + timedelta(days=chance.randrange(30))
    return start.replace(hour=23, minute=59, second=57) if chance.random() < 0.2 else start
