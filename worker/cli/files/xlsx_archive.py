"""
The guard before an .xlsx: sizes and addresses are looked at before anything is built of them.

An archive of 5 KB can name a cell a million rows away or unpack to gigabytes. Its parts are handed out in pieces, each
with an end.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final
from xml.parsers import expat

from worker.cli.files.limits import (
    MOST_BYTES,
    MOST_CELLS,
    MOST_PARTS,
    MOST_ROWS,
    FileRefused,
    far_cell,
    too_many_bytes,
    too_many_cells,
    too_many_rows,
)

_PIECE: Final = 256 * 1024
_LONGEST_TAG: Final = 1024 * 1024
_MOST_SMALL: Final = 16 * 1024 * 1024
_READABLE: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_CELL: Final = re.compile(rb"<(?:\w{1,10}:)?c[\s/>]")
# Each begins with letters, which are looked for many times as quickly as a choice.
_ROW: Final = re.compile(rb"row[\s/>]")
_ROW_NUMBER: Final = re.compile(rb"row\s(?:[^>]{0,200}?\s)?r=\"([0-9]{1,10})\"")
_FAR_COLUMN: Final = re.compile(rb" r=\"([A-Z]{2,4})([0-9]{1,10})\"")
_LAST_ROW: Final = 1_048_576
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


class Archive:
    """The parts of an .xlsx."""

    def __init__(self, path: str, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._zip = archive
        self._names = {info.filename.lstrip("/").lower(): info for info in archive.infolist()}

    def names(self) -> frozenset[str]:
        """All parts, in small letters."""
        return frozenset(self._names)

    def has(self, name: str) -> bool:
        return name.lower() in self._names

    def size(self, name: str) -> int:
        return self._names[name.lower()].file_size

    def pieces(self, name: str) -> Iterator[bytes]:
        """
        A part in pieces.

        Raises:
            FileRefused: It is damaged, or is no XML: a tag without end would be held in memory whole.
        """
        since_tag = 0
        try:
            with self._zip.open(self._names[name.lower()]) as file:
                while piece := file.read(_PIECE):
                    end = piece.rfind(b">")
                    since_tag = since_tag + len(piece) if end < 0 else len(piece) - end
                    if since_tag > _LONGEST_TAG:
                        raise damaged(self.path)
                    yield piece
        except _DAMAGED as exc:
            raise damaged(self.path) from exc

    def whole(self, name: str) -> bytes:
        """A small part, such as the list of sheets."""
        if self.size(name) > _MOST_SMALL:
            raise damaged(self.path)
        return b"".join(self.pieces(name))


def damaged(path: str) -> FileRefused:
    return FileRefused(f"{path}: está dañado o no es un libro de Excel; ábralo en Excel y guárdelo otra vez como .xlsx")


def open_archive(path: str, file: object) -> Archive:
    """
    Look at an archive from outside.

    Raises:
        FileRefused: No workbook, a workbook of another kind, one with a password, or larger than is taken.
    """
    try:
        archive = zipfile.ZipFile(file)  # type: ignore[call-overload]
    except _DAMAGED as exc:
        raise damaged(path) from exc
    infos = archive.infolist()
    n_bytes = sum(info.file_size for info in infos)
    if n_bytes > MOST_BYTES:
        raise too_many_bytes(path, n_bytes)
    if len(infos) > MOST_PARTS:
        raise FileRefused(f"{path}: tiene {len(infos)} partes y el máximo es {MOST_PARTS}")
    if any(info.flag_bits & _ENCRYPTED for info in infos):
        raise FileRefused(f"{path}: tiene contraseña; guárdelo sin ella")
    if any(info.compress_type not in _READABLE for info in infos):
        raise damaged(path)
    found = Archive(path, archive)
    if found.has("xl/workbook.bin"):
        raise FileRefused(f"{path}: es un libro binario (.xlsb); guárdelo como .xlsx")
    if found.has("content.xml") and found.has("mimetype"):
        raise FileRefused(f"{path}: es una hoja de LibreOffice (.ods); guárdela como .xlsx")
    if not found.has("[Content_Types].xml"):
        raise FileRefused(f"{path}: es un archivo comprimido, no un libro de Excel; extráigalo primero")
    return found


def measure(archive: Archive, part: str, sheet: str) -> None:
    """
    Count the rows and cells of a sheet, and find the last column, without building anything.

    Raises:
        FileRefused: With its number, as soon as it is known.
    """
    n_rows = n_cells = last_row = last_column = 0
    far = (0, 0)
    kept = b""
    for piece in archive.pieces(part):
        text = kept + piece
        cut = text.rfind(b"<")
        # What follows the last tag may be cut: it is counted with the next piece.
        text, kept = (text[:cut], text[cut:]) if cut > 0 else (text, b"")
        n_cells += _n_cells(text)
        if n_cells > MOST_CELLS:
            raise too_many_cells(archive.path, n_cells)
        n_rows += len(_ROW.findall(text)) - text.count(b"</row>")
        for number in _ROW_NUMBER.findall(text):
            last_row = max(last_row, int(number))
        for letters, number in _FAR_COLUMN.findall(text):
            column = column_number(letters.decode())
            if column > last_column:
                last_column, far = column, (int(number), column)
            last_row = max(last_row, int(number))
        if n_rows > MOST_ROWS:
            raise too_many_rows(archive.path, n_rows)
        if last_row > _LAST_ROW or last_row > MOST_ROWS:
            raise far_cell(archive.path, sheet, last_row, last_column)
    if last_row * (last_column + 1) > MOST_CELLS:
        raise far_cell(archive.path, sheet, max(far[0], last_row), far[1])


def _n_cells(text: bytes) -> int:
    """Counting is ten times as quick as matching; no program writes the rarer forms."""
    if any(rare in text for rare in (b":c ", b":c>", b"<c\t", b"<c\n", b"<c\r")):
        return len(_CELL.findall(text))
    return text.count(b"<c ") + text.count(b"<c>") + text.count(b"<c/>")


def column_number(letters: str) -> int:
    """From 0: A is 0, XFD 16383."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    return found - 1


def target_of(base: str, target: str) -> str:
    """The part that a relation of another part names."""
    if target.startswith("/"):
        return target.lstrip("/")
    steps: list[str] = list(PurePosixPath(base).parent.parts)
    for step in PurePosixPath(target).parts:
        if step == "..":
            steps = steps[:-1]
        else:
            steps.append(step)
    return "/".join(steps)


def parser(path: str) -> expat.XMLParserType:
    """An XML parser that takes no declarations: no workbook has entities of its own, and bombs are made of them."""
    found = expat.ParserCreate()
    found.buffer_text = True
    found.buffer_size = 64 * 1024

    def refuse(*_: object) -> None:
        raise damaged(path)

    found.StartDoctypeDeclHandler = refuse
    found.EntityDeclHandler = refuse
    return found
