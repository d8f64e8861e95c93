"""
``status --watch``: the same look again and again, on a cleared screen where there is one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from worker.cli.console import emit

if TYPE_CHECKING:
    from worker.cli.speech import Speech

EVERY_S: Final = 2.0
_CLEAR: Final = "\x1b[2J\x1b[H"


async def watched(
    look: Callable[[], Awaitable[bool]], *, is_on: bool, speech: Speech, every_s: float = EVERY_S
) -> bool:
    """
    Look once; with *is_on* until Ctrl-C.

    Returns:
        What the last look returned.
    """
    if not is_on:
        return await look()
    is_terminal = sys.stdout.isatty()
    is_well = True
    try:
        while True:
            if is_terminal:
                sys.stdout.write(_CLEAR)
            is_well = await look()
            if is_terminal:
                emit(speech.say("Se mira cada 2 s; Ctrl-C termina.", "Looking every 2 s; Ctrl-C ends it."), "dim")
            await asyncio.sleep(every_s)
    except asyncio.CancelledError:
        return is_well
