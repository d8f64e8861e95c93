"""
Whose page it is, and what he may be told of a look. Pure.

He sees the accounts that he is granted. What concerns the service as a whole and names others is for those who may see
all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jobs.families import FAMILIES
from schemas.factus import BOGOTA
from schemas.names import account_of
from worker.http.masking import unsaid
from worker.http.page.seen import Looked
from worker.http.page.shown import BOUNDS, Bounds, Reference
from worker.http.page.text import shown
from worker.speech import SPANISH
from worker.status.facts import LettersSeen, Overview
from worker.status.problems import Problem, problems

_OF_ALL: Final = frozenset({"redis.writes", "workers.none"})
"""Problems of the whole service that name nobody."""


class Sight(Protocol):
    """What somebody may see."""

    @property
    def is_masked(self) -> bool: ...
    def sees(self, account: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Eyes:
    """Whose page it is: what he sees, in which zones, and how much room there is."""

    sight: Sight
    zones: Mapping[str, ZoneInfo]
    bounds: Bounds = BOUNDS

    @property
    def sees_all(self) -> bool:
        return self.sight.sees("")

    def zone(self, account: str) -> ZoneInfo:
        return self.zones.get(account, BOGOTA)

    def name(self, text: str) -> str:
        return shown(text, self.bounds.name)

    def sentence(self, text: str) -> str:
        return shown(unsaid(text) if self.sight.is_masked else text, self.bounds.sentence)

    def reference(self, account: str, family: str, reference_code: str, otherwise: str = "") -> Reference:
        """A reference with the address of its story, where it has one."""
        if not reference_code or family not in FAMILIES:
            return Reference(self.name(reference_code or otherwise), "")
        return Reference(self.name(reference_code), story_path(account, family, reference_code))


def story_path(account: str, family: str, reference_code: str) -> str:
    """The address of the story of a document."""
    # What JSON can hold and UTF-8 cannot leads nowhere, and breaks nothing.
    code = quote(reference_code.encode("utf-8", "replace"), safe="")
    return f"/documents/{quote(family, safe='')}/{code}" + (f"?account={quote(account, safe='')}" if account else "")


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody may be told of the whole, with its problems: the same however much of it has room."""

    overview: Overview
    problems: tuple[Problem, ...]


def told_to(looked: Looked, eyes: Eyes) -> Told:
    """What is left of a look for one person."""
    seen = visible(looked.overview, eyes.sight)
    return Told(seen, tuple(one for one in problems(seen, SPANISH) if _may_be_told(one, eyes)))


def visible(seen: Overview, sight: Sight) -> Overview:
    """What somebody may see of the whole; accounts that he may not see are as if they were not there."""
    if sight.sees(""):
        return seen
    return replace(
        seen,
        workers=tuple(
            replace(
                worker,
                accounts=tuple(filter(sight.sees, worker.accounts)),
                own_streams=None,
                environments={name: one for name, one in worker.environments.items() if sight.sees(name)},
                failed="",
                failed_lately="",
                keys_fault="",
            )
            for worker in seen.workers
        ),
        intakes=(),
        unread_streams=(),
        lanes=tuple(lane for lane in seen.lanes if sight.sees(lane.account)),
        accounts=tuple(account for account in seen.accounts if sight.sees(account.name)),
        n_dead=0,
        groups=(),
        damaged=(),
        n_letters_gone=0,
        letters=LettersSeen(),
        endpoints=(),
        n_delivering=None,
        failing_deliverers=(),
        complete_batches=tuple(member for member in seen.complete_batches if sight.sees(account_of(member))),
        ranges=tuple(one for one in seen.ranges if sight.sees(one.account)),
    )


def _may_be_told(one: Problem, eyes: Eyes) -> bool:
    return eyes.sees_all or one.id in _OF_ALL or eyes.sight.sees(account_of(one.subject))
