"""
The rows of a table, packed: two hundred thousand of them as objects would take more memory than a file may.

They are packed in blocks, and unpacked again for who reads them; a few blocks stay unpacked, because rows are read in
order or from a few places at once. What is packed is counted, so that a reader can refuse what is too large.
"""

from __future__ import annotations

import marshal
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from schemas.sheets.cells import Broken, Row, Value

_MOST_OF_BLOCK: Final = 128
_LARGEST_BLOCK: Final = 256 * 1024
_MOST_UNPACKED: Final = 16
_MOST_KEPT: Final = 10_000
_LONGEST_KEPT: Final = 40
_WIDE: Final = 256
_MOST_OF_ROW: Final = 1024 * 1024
_TOO_LONG: Final = Broken("error", "demasiado texto en la fila")
_QUICK: Final = 1


class _Packed:
    """Things that can be marshalled, by their positions. Only blocks of them are objects."""

    def __init__(self) -> None:
        self.n_bytes = 0
        self._packed: list[bytes] = []
        self._starts = array("L")
        self._unpacked: dict[int, list[Any]] = {}
        self._last: list[Any] = []
        self._size = self._n_closed = 0

    def __len__(self) -> int:
        return self._n_closed + len(self._last)

    def __iter__(self) -> Iterator[Any]:
        for packed in self._packed:
            yield from _unpack(packed)
        yield from self._last

    def append(self, one: Any, size: int) -> None:
        """Enter one more, of about so many characters."""
        self._last.append(one)
        self._size += size
        if len(self._last) >= _MOST_OF_BLOCK or self._size >= _LARGEST_BLOCK:
            packed = zlib.compress(marshal.dumps(self._last), _QUICK)
            self.n_bytes += len(packed)
            self._packed.append(packed)
            self._starts.append(self._n_closed)
            self._n_closed += len(self._last)
            self._last, self._size = [], 0

    def __getitem__(self, position: int) -> Any:
        if position >= self._n_closed:
            return self._last[position - self._n_closed]
        block = bisect_right(self._starts, position) - 1
        return self._block(block)[position - self._starts[block]]

    def _block(self, number: int) -> list[Any]:
        found = self._unpacked.get(number)
        if found is None:
            if len(self._unpacked) >= _MOST_UNPACKED:
                del self._unpacked[next(iter(self._unpacked))]
            found = self._unpacked[number] = _unpack(self._packed[number])
        return found


def _unpack(packed: bytes) -> list[Any]:
    found: list[Any] = marshal.loads(zlib.decompress(packed))  # noqa: S302 - of our own making, and never stored
    return found


class PackedTexts:
    """Texts by their numbers, from 0; None where there is none."""

    def __init__(self) -> None:
        self._texts = _Packed()

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def n_bytes(self) -> int:
        """How much is packed."""
        return self._texts.n_bytes

    def append(self, text: str | None) -> None:
        self._texts.append(text, len(text) if text else 0)

    def get(self, number: int) -> str | None:
        """The text of a number; None also beyond the last."""
        found: str | None = self._texts[number] if number < len(self._texts) else None
        return found


class PackedRows:
    """
    Rows in the order of the file.

    A whole number among the values that are appended stands for a text of which only the number is known yet:
    *text_of* tells it when the row is read.
    """

    def __init__(self, text_of: Callable[[int], Value] = lambda _: None, packed: _Packed | None = None) -> None:
        self._text_of = text_of
        self._rows = _Packed() if packed is None else packed
        self._kept: dict[bytes | int, Value] = {}

    @classmethod
    def of(cls, rows: Iterable[Row]) -> PackedRows:
        """The same rows."""
        found = cls()
        for number, cells in rows:
            found.append(number, cells)
        return found

    def with_texts(self, text_of: Callable[[int], Value]) -> PackedRows:
        """The same rows, not packed again, with the texts of which only the number was known."""
        return PackedRows(text_of, self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, self._rows)

    def __getitem__(self, position: int) -> Row:
        return self._row(self._rows[position])

    def picked(self, columns: Sequence[int], first: int = 0) -> Iterator[Row]:
        """Some columns of all rows from a position on: much quicker than whole rows."""
        return ((number, self._of(cells, columns)) for number, cells in islice(self._rows, first, None))

    def at(self, position: int, columns: Sequence[int]) -> Row:
        """Some columns of one row."""
        number, cells = self._rows[position]
        return number, self._of(cells, columns)

    def number(self, position: int) -> int:
        """The number of a row in its file."""
        found: int = self._rows[position][0]
        return found

    @property
    def n_bytes(self) -> int:
        """How much is packed."""
        return self._rows.n_bytes

    def append(self, number: int, cells: Sequence[Value | int], size: int = 0) -> None:
        """Enter a row; *size* is the number of characters in its texts, where there may be many."""
        row = [cell if type(cell) is str or cell is None else _packed(cell) for cell in cells]
        self._rows.append((number, row), size + len(row))

    def _row(self, packed: tuple[int, list[Any]]) -> Row:
        number, cells = packed
        return number, tuple(self._bounded(cells) if len(cells) > _WIDE else map(self._value, cells))

    def _of(self, cells: list[Any], columns: Sequence[int]) -> tuple[Value, ...]:
        n_cells = len(cells)
        return tuple(
            [
                (cell if type(cell := cells[column]) is str or cell is None else self._value(cell))
                if column < n_cells
                else None
                for column in columns
            ]
        )

    def _bounded(self, cells: Sequence[Any]) -> Iterator[Value]:
        """The values of a wide row: of a thousand texts, each as long as a cell can be, only the first are shown."""
        n_text = 0
        for cell in cells:
            value = self._value(cell)
            n_text += len(value) if isinstance(value, str) else 0
            yield value if n_text <= _MOST_OF_ROW else _TOO_LONG

    def _value(self, cell: Any) -> Value:
        if type(cell) is str or cell is None:
            return cell
        kept = self._kept
        if cell in kept:
            return kept[cell]
        found: Value
        if type(cell) is int:
            found = self._text_of(cell)
        elif type(cell) is bytes:
            found = Decimal(cell.decode())
        else:
            return date.fromordinal(cell[0]) if len(cell) == 1 else Broken(*cell)
        if not isinstance(found, str) or len(found) <= _LONGEST_KEPT:
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            kept[cell] = found
        return found


def _packed(cell: Value | int) -> Any:
    """A value as something that can be marshalled."""
    if cell is None or isinstance(cell, str | int):
        return cell
    if isinstance(cell, Decimal):
        return str(cell).encode()
    return (cell.toordinal(),) if isinstance(cell, date) else tuple(cell)
