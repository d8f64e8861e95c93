"""
Time limits for whatever may hang: a server that accepts and never answers, a disk over the network.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

ASK_S: Final = 4.0
"""For one question to a server."""

PART_S: Final = 15.0
"""For a part of the examination that asks many."""


async def in_thread(work: Callable[[], T], timeout_s: float = ASK_S) -> T:
    """
    What blocks, in a thread that nobody waits for longer than *timeout_s*.

    Not in asyncio's pool: a thread of it that hangs on a disk would keep the process from ending.

    Raises:
        TimeoutError: It has not ended in time, and goes on alone.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Exception as exc:  # noqa: BLE001 - it goes to whoever waits
            error = exc
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result, error)

    threading.Thread(target=run, daemon=True).start()
    async with asyncio.timeout(timeout_s):
        found: T = await done
    return found
