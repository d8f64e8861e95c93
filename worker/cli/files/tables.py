"""
What every reader of tables gives: the names of its sheets, the first rows of each, and one sheet whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from schemas.sheets.cells import Row, Value
from schemas.sheets.table import Table

Score: TypeAlias = Callable[[Sequence[Value]], int]
"""How much a row looks like the headings of documents."""


@dataclass(frozen=True, slots=True)
class SheetName:
    """A sheet of a workbook."""

    name: str
    is_visible: bool = True


class Workbook(Protocol):
    """A file that holds tables."""

    def sheets(self) -> Sequence[SheetName]:
        """Its sheets, in order."""
        ...

    def heads(self, names: Sequence[str], n_rows: int) -> dict[str, list[Row]]:
        """The first used rows of some sheets."""
        ...

    def read(self, name: str) -> Table:
        """A sheet whole. Raises FileRefused for one that is too large or damaged."""
        ...
