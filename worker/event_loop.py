"""
The event loop of a worker process: uvloop where it is installed (CPython on Linux and macOS), asyncio's own elsewhere.

Nothing but the time that a step takes depends on which one it is (docs/decisions/0018). Tests in virtual time bring a
loop of their own. The collector of cycles is told what a worker is like: much that stays, and little garbage with
cycles in it (docs/decisions/0039).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

_T = TypeVar("_T")

_NEW_OBJECTS: Final = 10_000
"""How many containers are made, beyond those that are gone again, before the youngest are looked at for cycles. Two
jobs of a slice reach Python's 700; these are a few megabytes at most."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the loop of this platform."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """As :func:`asyncio.run`, on the loop of :func:`loop_factory`, in a process that goes on for long."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner, _long_lived():
        return runner.run(main)


@contextmanager
def _long_lived() -> Iterator[None]:
    before = gc.get_threshold()
    # Modules and models stay to the end: no look for garbage needs to go through their hundred thousand objects.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
