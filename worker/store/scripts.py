"""
Lua scripts: one file per atomic step, loaded once and called by name.

``-- include: NAME`` at the top of a file puts ``NAME.lua`` before it, so that the rule of the lanes stands in one place
and still runs inside the script that needs it. Its header declares what it is given, by name (``script_names.py``)::

    -- KEYS: grants, account, job?
    -- ARGV: taker[TAKER], limit, ids...

``?`` may be left out, ``[TAKER]`` is a row of values that a library declares (``-- TAKER: worker, lease_ms, ...``), and
``...`` is whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from worker.store.script_names import Header, Record, read_header, resolve

_INCLUDE: Final = re.compile(r"^-- include: ([\w/]+)$", re.MULTILINE)

Arg = str | bytes | int | float
ScriptArgs = Mapping[str, Arg | Sequence[Arg]]
"""ARGV by name; groups and what is of any number as sequences."""

Key = str | bytes
ScriptKeys = Mapping[str, Key | Sequence[Key]]
"""KEYS by name, likewise."""


@dataclass(frozen=True, slots=True)
class _File:
    header: Header
    parts: Mapping[str, str]
    """The texts of the file and of its includes as they are sent, by name, each before who needs it."""

    records: Mapping[str, Record]
    """What the file and its includes declare."""


@cache
def _load(name: str) -> _File:
    text = files("worker.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    parts: dict[str, str] = {}
    included: dict[str, Record] = {}
    for one in map(_load, _INCLUDE.findall(text)):
        parts |= one.parts
        included |= one.records
    header = read_header(name, text, included)
    parts[name] = resolve(name, text, header, included)
    return _File(header, parts, {**included, **header.records})


def source(name: str) -> str:
    """
    The text of a script as it is sent: with its includes, each once, and positions in place of names.

    Raises:
        DeclarationError: It uses other names than it declares.
    """
    return "\n".join(_load(name).parts.values())


def record(name: str, of: str) -> Record:
    """The names of a record, in order, as a script or library declares it."""
    return _load(name).records[of]


def header(name: str) -> Header:
    """What a script declares."""
    return _load(name).header


def packed(name: str, keys: ScriptKeys, args: ScriptArgs) -> tuple[list[Key], list[Arg]]:
    """
    KEYS and ARGV of a script in its order.

    Raises:
        TypeError: A name is missing or unknown, or a group has another width.
    """
    found = _load(name).header
    return found.keys.pack(keys), found.args.pack(args)


class Scripts:
    """The scripts on one connection pool. ``EVALSHA``, and ``EVAL`` when the server has forgotten them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._loaded: dict[str, AsyncScript] = {}

    async def run(self, name: str, keys: ScriptKeys, args: ScriptArgs) -> Any:
        """
        Run one script; its header says what KEYS, ARGV and the reply are.

        Raises:
            TypeError: As :func:`packed`.
        """
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self._redis.register_script(source(name))
        in_order = packed(name, keys, args)
        return await script(keys=in_order[0], args=in_order[1])
