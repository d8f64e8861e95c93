"""
The used part of a sheet as a reader hands it over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.sheets.packed import PackedRows


class Block(NamedTuple):
    """Merged cells, from the first to the last row and column; rows from 1, columns from 0."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


@dataclass(slots=True)
class Table:
    """The used part of a sheet."""

    file: str
    sheet: str
    rows: PackedRows
    hidden_rows: frozenset[int] = frozenset()
    blocks: tuple[Block, ...] = ()
    hints: Sequence[str] = field(default=())
    """What the reader has noticed about the file as a whole, such as an encoding that it seems to have."""
