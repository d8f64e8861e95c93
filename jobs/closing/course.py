"""
How far a closing is: which list, which page, and what comes next. Small, kept in the job's record over its turns.

Lists of payrolls can be asked for no days, and nobody has written down in which order they come: they are walked from
the side on which the newest stand, until a page lies before the day.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from jobs.day_facts import Day
from jobs.families import FAMILIES, Family

PER_PAGE: Final = 100
"""Rows that are asked for; Factus documents no most, and may give fewer."""

MOST_PAGES: Final = 3_000
MOST_WALKED: Final = 500
"""Pages of one list; of one that can be asked for no days."""

_NAMES: Final = tuple(FAMILIES)
TOO_LONG: Final = "tiene más páginas de las que se leen."
UNDATED: Final = "no dice la fecha de sus documentos."


@dataclass(slots=True)
class ClosingProgress:
    """
    Where a closing stands.

    Attributes:
        at: Which family is read; beyond the last when all are.
        per_page: Rows asked for; 0 where Factus wants no such filter.
        step: 1 to read on to the next page, -1 for a list whose newest rows stand at its end.
        n_walked: Pages read of the family.
        passes: How often a family was begun anew, because what it lists moved while it was read.
        began: When the list of a family began to be read, server ms.
        unread: Families whose list is not, or not wholly, read, and why; denied: those that the account may not read.
        unpriced: Foreign documents (family, number) whose amounts are still to be asked for.
        has_asked: Whether those were looked for.
        certificate: Made and in the chain; only its event is still to be published.
    """

    at: int = 0
    page: int = 1
    per_page: int = PER_PAGE
    step: int = 1
    n_walked: int = 0
    calls: int = 0
    passes: dict[str, int] = field(default_factory=dict)
    began: dict[str, int] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    denied: list[str] = field(default_factory=list)
    unpriced: list[list[str]] = field(default_factory=list)
    has_asked: bool = False
    certificate: dict[str, Any] | None = None

    @classmethod
    def of(cls, progress: Mapping[str, Any]) -> ClosingProgress:
        return cls(**copy.deepcopy(dict(progress)))  # what a record has parsed is not to be changed

    def to_progress(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def family(self) -> Family | None:
        """The family whose list is read; None when all are."""
        return FAMILIES[_NAMES[self.at]] if self.at < len(_NAMES) else None

    def name_of_page(self, family: str) -> str:
        return f"{family}/{self.passes.get(family, 0)}/{self.page}"

    def is_current(self, name: str) -> bool:
        """Whether a page that was put aside is of the last reading of its family."""
        family, n, _ = name.split("/")
        return int(n) == self.passes.get(family, 0)

    def params(self, family: Family, day: Day) -> dict[str, str]:
        found = {"page": str(self.page)}
        if family.has_day_filter:
            found["filter[created_at][start_date]"] = day.first_in_bogota
            found["filter[created_at][end_date]"] = day.last_in_bogota
            if self.per_page:
                found["filter[per_page]"] = str(self.per_page)
        return found

    def skip(self, family: Family, why: str) -> None:
        self.unread[family.name] = why
        self._next_family()

    def read_again(self, family: str) -> None:
        """Begin a family anew; what comes after it is read already, and stays."""
        self.at, self.page, self.step, self.n_walked = _NAMES.index(family), 1, 1, 0
        self.passes[family] = self.passes.get(family, 0) + 1

    def has_read(self, family: Family, created_ms: Sequence[int], last_page: int | None, day: Day) -> None:
        """
        Go on from a page.

        Args:
            created_ms: When the rows of the page were made, 0 where it is not told; empty for an empty page.
            last_page: As Factus tells it; None where it does not.
        """
        self.n_walked += 1
        if not created_ms or self.n_walked >= (MOST_PAGES if family.has_day_filter else MOST_WALKED):
            if created_ms:
                self.unread[family.name] = TOO_LONG
            self._next_family()
            return
        if not family.has_day_filter and self._is_past(created_ms, day):
            self._next_family()
            return
        if self._turns_around(family, created_ms, last_page):
            self.step, self.page = -1, last_page or 1
            return
        self.page += self.step
        is_over = self.page < 2 if self.step < 0 else last_page is not None and self.page > last_page
        if is_over:
            self._next_family()

    def _turns_around(self, family: Family, created_ms: Sequence[int], last_page: int | None) -> bool:
        """Whether the first page shows that the oldest rows come first."""
        told = [at for at in created_ms if at]
        is_first = self.page == 1 and self.step == 1 and not family.has_day_filter
        return bool(is_first and told and told[0] < told[-1] and last_page and last_page > 1)

    def _is_past(self, created_ms: Sequence[int], day: Day) -> bool:
        """Whether what is still to be walked lies before the day; of a first page, only where newer rows come first."""
        told = [at for at in created_ms if at]
        if not told or (self.step > 0 and told[0] < told[-1]):
            return False
        return min(told) < day.starts_ms

    def _next_family(self) -> None:
        done = _NAMES[self.at]
        self.at, self.page, self.step, self.n_walked = self.at + 1, 1, 1, 0
        # A family that was read again is followed by those that were not read yet.
        while self.family is not None and self.passes.get(done) and self.family.name in self.began:
            self.at += 1
