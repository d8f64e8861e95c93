"""
The names of what a script is given: declared once in the header of its file, put into their places when it is loaded.

Text in, text out: a script that is loaded has positions only, so names cost nothing where it runs. See
``docs/decisions/0024-script-arguments-have-names.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, Literal

Record = tuple[str, ...]
"""The names of values that stand in a row, wherever the row stands: ``TALLY``, ``LANE_KEYS``."""

_DECLARED: Final = re.compile(r"^-- ([A-Z_]+): (.+(?:\n--   .+)*)$", re.MULTILINE)
_VALUE: Final = re.compile(r"([a-z][a-z0-9_]*)(\?|\.\.\.|\[([A-Z_]+)\])?")
_USED: Final = re.compile(r"\b([A-Z_]+)\.(\w+)|#([A-Z_]+)\b(?!\.)")
_TABLES: Final = ("KEYS", "ARGV")


class DeclarationError(ValueError):
    """A script and its header do not agree: a defect of ours, found before the script can run."""


@dataclass(frozen=True, slots=True)
class Value:
    """
    What one name stands for.

    ``one`` is a value, ``maybe`` one that may be left out, ``group`` a record's values in a row (``width`` of them),
    ``rest`` whatever follows.
    """

    name: str
    kind: Literal["one", "maybe", "group", "rest"] = "one"
    width: int = 1


class Layout:
    """
    The order of KEYS or ARGV of one script.

    Raises:
        DeclarationError: A name stands twice, or what may be missing or is of any number stands before what is not.
    """

    def __init__(self, where: str, values: Sequence[Value] = ()) -> None:
        self.where = where
        self.values = tuple(values)
        self.names = tuple(value.name for value in values)
        kinds = [value.kind for value in values]
        if len(set(self.names)) < len(values):
            raise DeclarationError(f"{where}: a name is declared twice")
        if "rest" in kinds[:-1] or (kinds[-1:] == ["rest"] and "maybe" in kinds):
            raise DeclarationError(f"{where}: nothing follows what is of any number, and nothing before it is left out")
        least = kinds.index("maybe") if "maybe" in kinds else len(kinds)
        if any(kind != "maybe" for kind in kinds[least:]):
            raise DeclarationError(f"{where}: only what stands last may be left out")
        self._groups = [(value.name, value.width) for value in values if value.kind == "group"]
        self._of_count = {n: _Packer(self.values[:n]) for n in range(least, len(values) + 1)}

    def place_of(self, name: str) -> str | None:
        """What stands for a name in the script as it is loaded; None for one that is not declared."""
        at = 0
        for value in self.values:
            if value.name == name:
                table = self.where.rpartition(" ")[2]
                return f"{table}[{at + 1}]" if value.kind in ("one", "maybe") else f"{table}, {at}"
            at += value.width
        return None

    def pack(self, given: Mapping[str, Any]) -> list[Any]:
        """
        Values by name, in the order in which the script takes them.

        Raises:
            TypeError: A name is missing or unknown, or a group has another width.
        """
        packer = self._of_count.get(len(given))
        try:
            # As many as are declared, and each of these is there: then there is no other.
            packed = packer.pack(given) if packer else None
        except KeyError:
            packed = None
        if packed is None:
            unknown = sorted(given.keys() - set(self.names))
            missing = [value.name for value in self.values if value.kind != "maybe" and value.name not in given]
            raise TypeError(f"{self.where}: unknown {unknown}, missing {missing}; declared are {', '.join(self.names)}")
        for name, width in self._groups:
            if len(given[name]) != width:
                raise TypeError(f"{self.where}: {name} is a row of {width}, not of {len(given[name])}")
        return packed


class _Packer:
    """Packs the first so many values of a layout: those that stand in a row at once."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._parts: list[Callable[[Mapping[str, Any]], Sequence[Any]]] = []
        row: list[str] = []
        for value in values:
            if value.kind in ("group", "rest"):
                self._add_row(row)
                row = []
                self._parts.append(itemgetter(value.name))
            else:
                row.append(value.name)
        self._add_row(row)

    def _add_row(self, names: Sequence[str]) -> None:
        if len(names) == 1:
            (name,) = names
            self._parts.append(lambda given: (given[name],))
        elif names:
            self._parts.append(itemgetter(*names))

    def pack(self, given: Mapping[str, Any]) -> list[Any]:
        """KeyError for a name that is missing."""
        packed: list[Any] = []
        for part in self._parts:
            packed += part(given)
        return packed


@dataclass(frozen=True, slots=True)
class Header:
    """What a file declares: the layouts of a script, and records for itself and whoever includes it."""

    keys: Layout
    args: Layout
    records: Mapping[str, Record]


def read_header(script: str, text: str, included: Mapping[str, Record]) -> Header:
    """
    What the header of a file declares.

    Args:
        included: The records of the files that it includes.

    Raises:
        DeclarationError: It cannot be read, or names a record that is not declared.
    """
    found: dict[str, str] = {}
    for name, listed in _DECLARED.findall(text):
        if name in found or name in included:
            raise DeclarationError(f"{script}: {name} is declared twice")
        found[name] = listed.replace("\n--   ", " ")
    records = {name: _record(script, name, listed) for name, listed in found.items() if name not in _TABLES}
    known = {**included, **records}
    keys, args = (
        Layout(f"{script} {table}", [_value(script, one, known) for one in _split(found.get(table, ""))])
        for table in _TABLES
    )
    return Header(keys, args, records)


def resolve(script: str, text: str, header: Header, included: Mapping[str, Record]) -> str:
    """
    The text with positions in place of names: ``KEYS.job`` becomes ``KEYS[3]``; of a group and of what is of any
    number, the table and the place before its first value, as library functions take them. ``TALLY.cents`` becomes the
    place in a row, ``#TALLY`` its length.

    Raises:
        DeclarationError: A name is used and not declared, or declared and not used.
    """
    known = {**included, **header.records}
    layouts = {"KEYS": header.keys, "ARGV": header.args}
    used: set[tuple[str, str]] = set()

    def place(match: re.Match[str]) -> str:
        table, name, counted = match.groups()
        if counted:
            return str(len(known[counted])) if counted in known else match[0]
        if table not in layouts and table not in known:
            return match[0]
        used.add((table, name))
        if table in layouts:
            found = layouts[table].place_of(name)
        else:
            found = str(known[table].index(name) + 1) if name in known[table] else None
        if found is None:
            raise DeclarationError(f"{script}: {table}.{name} is not declared")
        return found

    lines = (line if line.startswith("--") else _USED.sub(place, line) for line in text.split("\n"))
    resolved = "\n".join(lines)
    declared = {(table, name) for table, layout in layouts.items() for name in layout.names}
    declared |= {(table, name) for table, record in header.records.items() for name in record}
    if unused := sorted(declared - used):
        raise DeclarationError(f"{script}: declared and not used: {', '.join('.'.join(one) for one in unused)}")
    return resolved


def _split(listed: str) -> list[str]:
    return [one.strip() for one in listed.split(",")] if listed else []


def _record(script: str, name: str, listed: str) -> Record:
    names = tuple(_split(listed))
    if len(set(names)) < len(names) or not all(one.isidentifier() for one in names):
        raise DeclarationError(f"{script}: {name} cannot be read, or names something twice")
    return names


def _value(script: str, listed: str, known: Mapping[str, Record]) -> Value:
    match = _VALUE.fullmatch(listed)
    if not match:
        raise DeclarationError(f"{script}: {listed!r} cannot be read")
    name, mark, record = match.groups()
    if record:
        if record not in known:
            raise DeclarationError(f"{script}: the record {record} is not declared")
        return Value(name, "group", len(known[record]))
    if mark == "...":
        return Value(name, "rest", 0)
    return Value(name, "maybe" if mark else "one")
