"""
Lua scripts: one file per atomic step, loaded once and called by name.

``-- include: NAME`` at the top of a file puts ``NAME.lua`` before it, so that the rule of the lanes stands in one place
and still runs inside the script that needs it. Its header declares what it is given, by name (``script_names.py``)::

    -- KEYS: grants, account, job?
    -- ARGV: claimer[CLAIMER], limit, ids...

``?`` may be left out, ``[CLAIMER]`` is a row of values that a library declares (``-- CLAIMER: worker, lease_ms, ...``),
and ``...`` is whatever follows.
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
from redis.exceptions import NoScriptError

from worker.store.auto_pipeline import AutoPipeline
from worker.store.confirmation import Confirmation, Unconfirmed
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


def names() -> list[str]:
    """All scripts; the libraries that they include are none."""
    found = files("worker.store").joinpath("lua").iterdir()
    return sorted(one.name.removesuffix(".lua") for one in found if one.name.endswith(".lua"))


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
    """
    The scripts on one connection pool. ``EVALSHA``; a script that the server does not know is loaded first.

    What is asked for at the same time goes together (docs/decisions/0045).
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pipeline = AutoPipeline(redis)
        self._confirmation = Confirmation(redis)
        self._loaded: dict[str, AsyncScript] = {}

    async def run(self, name: str, keys: ScriptKeys, args: ScriptArgs, *, confirmed: bool = False) -> Any:
        """
        Run one script; its header says what KEYS, ARGV and the reply are.

        Args:
            confirmed: For what must not be forgotten once it is answered: behind sentinels a replica has it by then.

        Raises:
            TypeError: As :func:`packed`.
            Unconfirmed: It is written, and may be lost with the primary: what depends on it must not be done.
        """
        script = self._script(name)
        in_order = packed(name, keys, args)
        if not (confirmed and self._confirmation):
            return await self._asked(script, *in_order)
        try:
            return await self._evaluated(script, *in_order)
        except NoScriptError:
            await self._redis.script_load(script.script)
        except Unconfirmed:
            # Written, and safe to be written again. Now the confirmation looks whether there is a replica at all.
            if not self._confirmation.is_in_doubt:
                raise
        return await self._evaluated(script, *in_order)

    async def _asked(self, script: AsyncScript, keys: list[Key], args: list[Arg]) -> Any:
        command = ("EVALSHA", script.sha, len(keys), *keys, *args)
        reply = await self._pipeline.run(command)
        if isinstance(reply, NoScriptError):
            await self._redis.script_load(script.script)
            reply = await self._pipeline.run(command)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _evaluated(self, script: AsyncScript, keys: list[Key], args: list[Arg]) -> Any:
        # On one connection: WAIT asks for what was written on its own.
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.execute_command("EVALSHA", script.sha, len(keys), *keys, *args)
            self._confirmation.ask(pipe)
            reply, *confirming = await pipe.execute(raise_on_error=False)
        if isinstance(reply, Exception):
            raise reply
        await self._confirmation.check(confirming)
        return reply

    def _script(self, name: str) -> AsyncScript:
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self._redis.register_script(source(name))
        return script
