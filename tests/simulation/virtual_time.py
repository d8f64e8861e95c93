"""
A loop whose time passes only when nobody has anything to do: minutes of pauses and leases cost nothing.

Every clock that the service and the imitation of the server read (``time.time``, ``time.monotonic``,
``datetime.now``, the loop's own) shows the same virtual time, so one seed gives one course of events.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, TypeVar
from unittest import mock

import time_machine

T = TypeVar("T")


class Stuck(AssertionError):
    """Nothing runs and nothing is planned: every task waits for something that cannot happen."""


class VirtualClock:
    """The time of one run. *start* is what the wall clocks show at the beginning."""

    def __init__(self, start: datetime, travel: time_machine.Coordinates) -> None:
        self._travel = travel
        self.elapsed_s = 0.0
        self.start = start

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed_s

    def advance(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self._travel.move_to(self.start.timestamp() + self.elapsed_s)


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: what would have been a wait moves the clock."""

    clock: VirtualClock

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if timeout is None:
            raise Stuck("every task waits and no timer is set")
        self.clock.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on the virtual clock."""

    def __init__(self, clock: VirtualClock) -> None:
        selector = _JumpingSelector()
        selector.clock = clock
        super().__init__(selector)
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.monotonic()


def run_virtual(main: Coroutine[Any, Any, T], start: datetime) -> T:
    """Run *main* to its end in virtual time that begins at *start*."""
    with ExitStack() as stack:
        travel = stack.enter_context(time_machine.travel(start.astimezone(UTC), tick=False))
        clock = VirtualClock(start, travel)
        stack.enter_context(mock.patch.object(time, "monotonic", clock.monotonic))
        stack.enter_context(mock.patch.object(time, "perf_counter", clock.monotonic))
        loop = VirtualLoop(clock)
        try:
            return loop.run_until_complete(main)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
