"""Everything that a seed of the full form decides before it runs; what happens while it runs is drawn on the way."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Final

from sandbox.state.bill_life import CONFLICT, REGISTERED, REGISTERS, WANTS_PERSON
from tests.simulation.fault_plan import Rule, full_plan
from tests.simulation.workload import KEPT

ACCOUNTS: Final = ("norte", "centro", "sur")
OWN_STREAMS: Final = frozenset({"sur"})
RATE_LIMIT: Final = 400
_TIMEOUT_S: Final = 2.0
_EMITS_SHARE: Final = 0.3
_ODD_LIST_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Life:
    """
    How Factus is about the bills on credit of an account (``sandbox/state/bill_life.py``).

    Attributes:
        answers: To whoever declares the tacit acceptance.
        emits: Factus declares it itself.
        is_doubled, is_reversed: Events are listed twice, and the newest first.
    """

    answers: str
    emits: bool
    is_doubled: bool
    is_reversed: bool

    def to_json(self) -> dict[str, Any]:
        """As the sandbox takes it."""
        return {
            "answers": self.answers,
            "emits": self.emits,
            "doubled": self.is_doubled,
            "reversed": self.is_reversed,
        }


@dataclass(frozen=True, slots=True)
class FullOptions:
    """
    What a run is.

    Attributes:
        n_jobs: Pushes that are planned; people push some more.
        n_workers: Worker processes.
        rate_limit: Requests of an account in *rate_window_s*; raised, so that thousands of invoices take minutes.
        timeout_s: How long the service waits for an answer of Factus.
        latency: How long Factus takes where no fault makes it slow.
        lane_width: How many creates of a family an account tries at once.
        takes_at_once: How many Factus takes.
        keep_share: Share of the documents that are rejected and kept.
        spoil_share: Share of Factus's answers that are spoilt.
        persons: The accounts that have somebody who declares tacit acceptances: two of the three.
        lives: How Factus is about the bills of each account: whether it declares the tacit acceptance by itself, how it
            answers who does, and how it lists what has happened.
        rules: The faults of Factus.
    """

    seed: int
    n_jobs: int
    n_workers: int
    rate_limit: int
    rate_window_s: float
    timeout_s: float
    latency: str
    lane_width: int
    takes_at_once: int
    keep_share: float
    spoil_share: float
    persons: frozenset[str]
    lives: Mapping[str, Life]
    rules: tuple[Rule, ...]

    @classmethod
    def draw(
        cls, seed: int, n_jobs: int, *, rate_limit: int = RATE_LIMIT, lane_width: int = 1, takes_at_once: int = 1
    ) -> FullOptions:
        """The options of a seed, always the same. What came later is drawn apart: all else that a seed means stays."""
        return cls(
            seed=seed,
            n_jobs=n_jobs,
            n_workers=3,
            rate_limit=rate_limit,
            rate_window_s=10.0,
            timeout_s=_TIMEOUT_S,
            latency="5ms-30ms",
            lane_width=lane_width,
            takes_at_once=takes_at_once,
            keep_share=0.008,
            spoil_share=0.02,
            persons=frozenset(random.Random(f"persons of {seed}").sample(ACCOUNTS, 2)),
            lives=_lives(random.Random(f"lives of {seed}")),
            rules=_planned(seed)[0],
        )

    def chance(self) -> random.Random:
        """What is drawn on the way is drawn from this. It begins behind the draws of the rules, as it always did."""
        return _planned(self.seed)[1]

    def repeat(self) -> str:
        """The command that repeats the run, as far as processes can repeat one."""
        more = [("rate-limit", self.rate_limit, RATE_LIMIT), ("lane-width", self.lane_width, 1)]
        more += [("takes", self.takes_at_once, 1)]
        words = " ".join(f"--{name} {value}" for name, value, usual in more if value != usual)
        return f"make simulate SEED={self.seed} JOBS={self.n_jobs}" + (f" ARGS='{words}'" if words else "")

    def tell(self) -> Sequence[str]:
        """One line for each."""
        many = ("persons", "lives", "rules")
        told = [f"{one.name} = {getattr(self, one.name)}" for one in fields(self) if one.name not in many]
        told += [
            f"persons = {sorted(self.persons)}",
            *(f"life of {name}: {life.to_json()}" for name, life in self.lives.items()),
        ]
        return [*told, *(f"rule {rule}" for rule in self.rules)]


def _planned(seed: int) -> tuple[tuple[Rule, ...], random.Random]:
    """The rules of a seed, and the chance that drew them."""
    chance = random.Random(seed)
    return tuple(full_plan(chance, _TIMEOUT_S, kept=KEPT)), chance


def _lives(chance: random.Random) -> Mapping[str, Life]:
    return MappingProxyType(
        {
            name: Life(
                answers=chance.choice([REGISTERS, REGISTERS, WANTS_PERSON, CONFLICT, REGISTERED]),
                emits=chance.random() < _EMITS_SHARE,
                is_doubled=chance.random() < _ODD_LIST_SHARE,
                is_reversed=chance.random() < _ODD_LIST_SHARE,
            )
            for name in ACCOUNTS
        }
    )
