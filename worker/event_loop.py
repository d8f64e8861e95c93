"""
The event loop of a worker process: uvloop where it is installed (CPython on Linux and macOS), asyncio's own elsewhere.

Nothing but the time that a step takes depends on which one it is (docs/decisions/0018). Tests in virtual time bring a
loop of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop of this platform."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """As :func:`asyncio.run`, on the loop of :func:`loop_factory`."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main)
