"""Who buys, in a run of the full form: what buyers say of the bills that are watched, and who says nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.state.radian import ACCEPTANCES, LAST_WORDS
from tests.simulation.factus_side import OverHttp

Bill = tuple[str, str]
"""Account and reference."""

_STEPS: Final = (("030",), ("032",), ("033", "031", "030"))
_LONG_AGO_DAYS: Final = 9.0
_SILENT_SHARE: Final = 0.5


@dataclass
class Buyers:
    """
    Each acts on his bill step by step. Some have received the goods long ago and say nothing more: such a bill is due
    the moment that shows, and either the service accepts it or, at the very end, he does.
    """

    side: OverHttp
    chance: random.Random
    facts: Counter[str]
    _steps: dict[Bill, int] = field(default_factory=dict)
    _ended: set[Bill] = field(default_factory=set)
    _silent: set[Bill] = field(default_factory=set)

    def buy(self, tracked: Iterable[Bill]) -> None:
        """One step of one buyer."""
        bills = sorted(set(tracked) - self._ended - self._silent)
        if not bills:
            return
        bill = self.chance.choice(bills)
        n = self._steps.get(bill, 0)
        if n < len(_STEPS):
            self._steps[bill] = n + 1
            self._act(bill, self.chance.choice(_STEPS[n]))

    def hear(self, told: Iterable[Mapping[str, Any]]) -> None:
        """What the service has told of the bills: whom it accepts for, and which of them it has."""
        for event in told:
            bill = (event["account"], event["reference_code"])
            match event["type"]:
                case "radian.accepted" | "radian.claimed":
                    self._ended.add(bill)
                case "radian.due" if not event["data"]["emits"]:
                    self._silent.discard(bill)
                case "radian.unconfirmed" if not ACCEPTANCES & self.side.codes(*bill):
                    # It has given up, and nothing of what it sent has arrived.
                    self._silent.discard(bill)
                    self.facts["034 given up"] += 1
                case _:
                    pass

    def accept_all(self, tracked: Iterable[Bill]) -> bool:
        """An end for each watched bill that has none yet and is not the service's to accept; whether one is open."""
        left = sorted(set(tracked) - self._ended)
        for bill in left:
            if bill in self._silent:
                continue
            if self._steps.get(bill, 0) < len(_STEPS) - 1 and self.chance.random() < _SILENT_SHARE:
                self._steps[bill] = len(_STEPS)
                self._act(bill, "032", is_silent=True)
            else:
                self._act(bill, "033")
        return bool(left)

    def _act(self, bill: Bill, code: str, *, is_silent: bool = False) -> None:
        days_ago = 0.0
        if is_silent or (code == "032" and self.chance.random() < _SILENT_SHARE):
            days_ago = _LONG_AGO_DAYS
            self._silent.add(bill)
        self.side.event(*bill, code, days_ago)
        self.facts["buyers' events"] += 1
        if code in LAST_WORDS:
            self._ended.add(bill)
