"""
Lua scripts: one file per atomic step, loaded once and called by name.

``-- include: NAME`` at the top of a file puts ``NAME.lua`` before it, so that the rule of the lanes stands in one place
and still runs inside the script that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

_INCLUDE: Final = re.compile(r"^-- include: ([\w/]+)$", re.MULTILINE)

Arg = str | bytes | int | float


@cache
def source(name: str) -> str:
    """The text of a script with its includes, each once and before who needs it."""
    return "\n".join(_parts(name).values())


def _parts(name: str) -> dict[str, str]:
    text = files("worker.store").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for included in _INCLUDE.findall(text):
        found |= _parts(included)
    return {**found, name: text}


class Scripts:
    """The scripts on one connection pool. ``EVALSHA``, and ``EVAL`` when the server has forgotten them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._loaded: dict[str, AsyncScript] = {}

    async def run(self, name: str, keys: Sequence[str | bytes], args: list[Arg]) -> Any:
        """Run one script; its header says what KEYS, ARGV and the reply are."""
        script = self._loaded.get(name)
        if script is None:
            script = self._loaded[name] = self._redis.register_script(source(name))
        return await script(keys=keys, args=args)
