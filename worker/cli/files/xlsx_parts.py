"""
The parts of an .xlsx that say what the others are: the sheets and where they stand, the formats of styles, the texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from worker.cli.files.number_formats import Format, format_of
from worker.cli.files.tables import SheetName
from worker.cli.files.xlsx_archive import Archive, damaged, parser, target_of

_MOST_STYLES: Final = 100_000
_MAIN: Final = frozenset(
    {
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://purl.oclc.org/ooxml/spreadsheetml/main",
    }
)


class Enough(Exception):
    """What was asked for has been read: the rest of a part may stay unread."""


@dataclass(slots=True)
class Parts:
    """What a workbook says of itself."""

    sheets: list[SheetName] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    """The part of each sheet, by its name."""
    texts: str = ""
    """The part of the shared texts; empty where there is none."""
    formats: list[Format] = field(default_factory=list)
    """What each style of a cell says about its number."""
    is_1904: bool = False


def parse(
    archive: Archive,
    part: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None] | None = None,
) -> None:
    """Hand the elements of a part to a reader, by their names without prefix."""
    reading = parser(archive.path)

    def prefixed_start(name: str, attributes: dict[str, str]) -> None:
        start(name.rpartition(":")[2], attributes)

    def prefixed_end(name: str) -> None:
        end(name.rpartition(":")[2])

    def start_root(name: str, attributes: dict[str, str]) -> None:
        # Nearly no program writes prefixes, and a call for each element counts: the first element declares them.
        has_prefix = ":" in name or any(
            key.startswith("xmlns:") and space in _MAIN for key, space in attributes.items()
        )
        reading.StartElementHandler = prefixed_start if has_prefix else start
        reading.EndElementHandler = prefixed_end if has_prefix else end
        reading.StartElementHandler(name, attributes)

    reading.StartElementHandler = start_root
    if text:
        reading.CharacterDataHandler = text
    try:
        for piece in archive.pieces(part):
            reading.Parse(piece, False)
        reading.Parse(b"", True)
    except Enough:
        return
    except (expat.ExpatError, ValueError, KeyError) as exc:
        raise damaged(archive.path) from exc


def read_parts(archive: Archive) -> Parts:
    """
    Read the lists of a workbook.

    Raises:
        FileRefused: It has none, or they are damaged.
    """
    book = Parts()
    main, relations = "xl/workbook.xml", {}
    if archive.has("_rels/.rels"):
        for kind, target in _relations(archive, "_rels/.rels", "").values():
            main = target if kind.endswith("/officeDocument") and archive.has(target) else main
    if not archive.has(main):
        raise damaged(archive.path)
    folder, _, name = main.rpartition("/")
    rels = f"{folder}/_rels/{name}.rels".lstrip("/")
    if archive.has(rels):
        relations = _relations(archive, rels, main)
    sheets: list[tuple[str, str, bool]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            link = next((value for key, value in attributes.items() if key.endswith(":id") or key == "id"), "")
            sheets.append((attributes.get("name", ""), link, attributes.get("state", "visible") == "visible"))
        elif name == "workbookPr":
            book.is_1904 = attributes.get("date1904", "") in ("1", "true")

    parse(archive, main, start, lambda _: None)
    for name, link, is_visible in sheets:
        _, part = relations.get(link, ("", ""))
        if part and archive.has(part) and name not in book.parts:
            book.sheets.append(SheetName(name, is_visible))
            book.parts[name] = part
    for kind, target in relations.values():
        if kind.endswith("/sharedStrings") and archive.has(target):
            book.texts = target
        elif kind.endswith("/styles") and archive.has(target):
            book.formats = _formats(archive, target)
    return book


def _relations(archive: Archive, part: str, base: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind, target = attributes.get("Type", ""), target_of(base, attributes.get("Target", ""))
            found[attributes.get("Id", "")] = (kind, target)

    parse(archive, part, start, lambda _: None)
    return found


def _formats(archive: Archive, part: str) -> list[Format]:
    """What each style of a cell says about its number."""
    codes: dict[int, str] = {}
    styles: list[int] = []
    inside: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if name == "numFmt":
            codes[whole(attributes.get("numFmtId", ""))] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            inside.append(name)
        elif name == "xf" and inside and len(styles) < _MOST_STYLES:
            styles.append(whole(attributes.get("numFmtId", "0")))

    def end(name: str) -> None:
        if name == "cellXfs":
            inside.clear()

    parse(archive, part, start, end)
    return [format_of(number, codes.get(number, "")) for number in styles]


def whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
