"""
Reading .csv: whatever encoding and separator it has, told from the file itself where that can be done without a doubt.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from schemas.sheets.cells import Broken, Row, Value
from schemas.sheets.packed import PackedRows
from schemas.sheets.table import Table
from worker.cli.files.inert import is_guarded, without_guard
from worker.cli.files.limits import (
    LONGEST_TEXT,
    MOST_CELLS,
    MOST_PACKED,
    MOST_ROWS,
    FileRefused,
    too_many_cells,
    too_many_rows,
    too_much_content,
)
from worker.cli.files.number_formats import text_value
from worker.cli.files.tables import Score, SheetName

_SEPARATORS: Final = (";", ",", "\t", "|")
_PIECE: Final = 1024 * 1024
_HEAD_ROWS: Final = 20
_LONGEST_FIELD: Final = 1024 * 1024
_LONGEST_LINE: Final = 2 * 1024 * 1024
_QUOTED_TEXT: Final = re.compile(r'="(.*)"', re.DOTALL)
_OLD_ENCODINGS: Final = ("cp850", "mac_roman")
_TRACES: Final = re.compile(r"[A-Za-z][¢£¤¥‚¡‡Žœ—][A-Za-z]|[A-Za-z][¢£¤‚‡Ž](?![A-Za-z])")
_MOST_KEPT: Final = 10_000
_LONGEST_KEPT: Final = 40


class Delimited:
    """A text file of separated values: one sheet, called as the file."""

    def __init__(self, path: str, file: BinaryIO, encoding: str, score: Score) -> None:
        self.path = path
        self._file = file
        self._score = score
        _refuse_long_lines(path, file)
        self._encoding = encoding or _encoding_of(path, file)
        self._separator = ""
        self._skip = 0
        self._find_separator()

    def sheets(self) -> Sequence[SheetName]:
        return [SheetName(Path(self.path).stem)]

    def heads(self, names: Sequence[str], n_rows: int) -> dict[str, list[Row]]:
        return {name: self._head(self._separator, n_rows) for name in names}

    def read(self, name: str) -> Table:
        self._refuse_many_rows()
        rows = PackedRows()
        kept: dict[str, Value] = {}
        n_cells = 0
        has_traces = False
        for number, record in self._records(self._separator):
            cells = [kept[text] if text in kept else _value(text, kept) for text in record]
            while cells and cells[-1] is None:
                cells.pop()
            if not cells:
                continue
            n_cells += len(cells)
            if n_cells > MOST_CELLS:
                raise too_many_cells(self.path, n_cells)
            if rows.n_bytes > MOST_PACKED:
                raise too_much_content(self.path)
            if self._encoding == "cp1252" and not has_traces:
                has_traces = any(_TRACES.search(text) for text in record)
            rows.append(number, cells)
        return Table(self.path, name, rows, hints=[self._hint()] if has_traces else [])

    def _hint(self) -> str:
        """The encoding in which the headings mean more, or the words look like words."""
        best = max(_OLD_ENCODINGS, key=self._score_in)
        if self._score_in(best) <= self._score_in(self._encoding):
            self._file.seek(0)
            best = _by_letters(self._file.read(_PIECE))
        return f"Los acentos no se leen bien: el archivo parece estar en {best}. Pruebe --encoding {best}."

    def _score_in(self, encoding: str) -> int:
        rows = self._head(self._separator, _HEAD_ROWS, encoding)
        return max((self._score(cells) for _, cells in rows), default=0)

    def _find_separator(self) -> None:
        first = self._first_line()
        if first.lower().startswith("sep=") and len(first) >= 5:
            self._separator, self._skip = first[4], 1
            return
        found: list[tuple[int, int, str]] = []
        for separator in _SEPARATORS:
            rows = self._head(separator, _HEAD_ROWS)
            known = max((self._score(cells) for _, cells in rows), default=0)
            found.append((known, sum(len(cells) for _, cells in rows), separator))
        best = max(found, key=lambda one: one[:2])
        self._separator = best[2]

    def _first_line(self) -> str:
        with self._decoded() as text:
            return text.readline(1000).strip().strip('"')

    def _head(self, separator: str, n_rows: int, encoding: str = "") -> list[Row]:
        found: list[Row] = []
        for number, record in self._records(separator, encoding):
            if any(text.strip() for text in record):
                found.append((number, tuple(map(_read, record))))
            if len(found) >= n_rows or number > 10 * n_rows:
                break
        return found

    def _refuse_many_rows(self) -> None:
        """Counted before anything is kept, and only where the file has as many lines."""
        self._file.seek(0)
        n_lines = 0
        while piece := self._file.read(_PIECE):
            n_lines += max(piece.count(b"\n"), piece.count(b"\r"))
        if n_lines > MOST_ROWS:
            n_rows = sum(1 for _, record in self._records(self._separator) if record)
            if n_rows > MOST_ROWS + 1:
                raise too_many_rows(self.path, n_rows - 1)

    def _records(self, separator: str, encoding: str = "") -> Iterator[tuple[int, list[str]]]:
        """The records of the file with their numbers: those that a spreadsheet would show, not lines."""
        csv.field_size_limit(_LONGEST_FIELD)
        with self._decoded(encoding) as text:
            lines = _Lines(self.path, text)
            reader = csv.reader(lines, delimiter=separator)
            number = 0
            try:
                for record in reader:
                    number += 1
                    lines.n_held = 0
                    if number > self._skip:
                        yield number, record
            except csv.Error as exc:
                raise FileRefused(f"{self.path}: la fila {number + 1} no se puede leer ({_reason(exc)})") from exc

    @contextmanager
    def _decoded(self, encoding: str = "") -> Iterator[io.TextIOWrapper]:
        """The text of the file from its beginning. It is decoded some KiB at a time, so any line may be refused."""
        self._file.seek(0)
        name, errors = encoding or self._encoding, "replace" if encoding else "strict"
        try:
            with _Kept(self._file, encoding=name, errors=errors, newline="") as text:
                yield text
        except UnicodeError as exc:
            raise FileRefused(f"{self.path}: no está en {name}; indique otra con --encoding") from exc


class _Lines:
    """The lines of a text; those that a quoted field holds together are held in memory together."""

    def __init__(self, path: str, text: io.TextIOWrapper) -> None:
        self.n_held = 0
        self._path = path
        self._text = text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._text)
        self.n_held += len(line)
        if self.n_held > _LONGEST_LINE:
            raise _too_long(self._path)
        return line


class _Kept(io.TextIOWrapper):
    """Text over a file that outlives it."""

    def close(self) -> None:
        if not self.closed:
            self.detach()

    def __exit__(self, *_: object) -> None:
        self.detach()


def _value(text: str, kept: dict[str, Value]) -> Value:
    """The value of a field; short ones are looked at once."""
    found = _read(text)
    if len(text) <= _LONGEST_KEPT and len(kept) < _MOST_KEPT:
        kept[text] = found
    return found


def _read(text: str) -> Value:
    if not text.strip():
        return None
    if is_guarded(text):
        return text_value(without_guard(text)[:LONGEST_TEXT].replace("\0", ""))  # a text, also where it begins with =
    if text[0] == "=":
        quoted = _QUOTED_TEXT.fullmatch(text.strip())
        return text_value(quoted[1].replace('""', '"')) if quoted else Broken("formula", text[:60])
    return text_value(text[:LONGEST_TEXT].replace("\0", ""))


def _refuse_long_lines(path: str, file: BinaryIO) -> None:
    """A line is held in memory whole before anything is made of it."""
    file.seek(0)
    n_bytes = 0
    while piece := file.read(_PIECE):
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        n_bytes = n_bytes + len(piece) if end < 0 else len(piece) - end
        if n_bytes > _LONGEST_LINE:
            raise _too_long(path)


def _too_long(path: str) -> FileRefused:
    most = _LONGEST_LINE // 1024**2
    return FileRefused(f"{path}: una fila tiene más de {most} MB: no es un CSV de documentos, o falta una comilla")


def _encoding_of(path: str, file: BinaryIO) -> str:
    """UTF-8 where all of it is, UTF-16 by its mark, else Windows-1252."""
    file.seek(0)
    head = file.read(4)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(_PIECE):
            if b"\0" in piece:
                raise FileRefused(f"{path}: no es un archivo de texto ni un libro de Excel{_without_mark(piece)}")
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _windows(path, file)
    return "utf-8-sig"


def _without_mark(piece: bytes) -> str:
    """UTF-16 without its mark: every second byte of plain text is zero."""
    half = len(piece) // 4
    for name, zeros in (("utf-16-le", piece[1::2]), ("utf-16-be", piece[0::2])):
        if zeros.count(0) > half:
            return f"; parece texto en UTF-16 sin marca: pruebe --encoding {name}"
    return ""


def _windows(path: str, file: BinaryIO) -> str:
    file.seek(0)
    while piece := file.read(_PIECE):
        try:
            piece.decode("cp1252")
        except UnicodeDecodeError as exc:
            best = _by_letters(piece)
            text = f"{path}: no está en UTF-8 ni en Windows-1252; parece estar en {best}: pruebe --encoding {best}"
            raise FileRefused(text) from exc
    return "cp1252"


def _by_letters(data: bytes) -> str:
    """Of the old encodings the one in which the odd bytes are letters of Spanish."""
    odd = bytes(byte for byte in data if byte >= 0x80)
    return max(_OLD_ENCODINGS, key=lambda name: sum(char in "áéíóúñÁÉÍÓÚÑüÜ" for char in odd.decode(name)))


def _reason(error: csv.Error) -> str:
    return "un campo es demasiado largo: ¿falta una comilla?" if "limit" in str(error) else "no es un CSV"
