"""Who holds the event loop is seen, with the place and without a value."""

from __future__ import annotations

import asyncio
import threading
import time

import structlog

from worker.watchdog import Watchdog


def hold_it(seconds: float) -> None:
    """By the thread's own clock: however little of the machine there is, others of this process look on meanwhile."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def test_a_hold_is_measured_and_its_place_is_told():
    with structlog.testing.capture_logs() as lines:
        async with Watchdog(limit_ms=100.0) as watchdog:
            # A busy machine may hold the loop as well, and at other places.
            while not (held := [one for one in lines if any("hold_it" in place for place in one.get("places", ()))]):
                hold_it(0.4)
                n_before = watchdog.holds.n
                while watchdog.holds.n == n_before:
                    await asyncio.sleep(0.01)
    line = held[0]
    assert line["event"] == "loop.held"
    assert line["duration_ms"] > 100
    assert line["log_level"] == "warning"
    assert any("hold_it" in place and "test_watchdog.py" in place for place in line["places"])
    assert watchdog.holds.longest_ms >= line["duration_ms"] - 1
    assert 0 < watchdog.holds.longest_busy_ms <= watchdog.holds.longest_ms


async def test_a_call_that_blocks_is_no_work_of_the_processor():
    async with Watchdog(limit_ms=100.0) as watchdog:
        time.sleep(0.3)
        while not watchdog.holds.n:
            await asyncio.sleep(0.01)
    assert watchdog.holds.longest_busy_ms < watchdog.holds.longest_ms / 2


async def test_a_loop_that_is_left_alone_is_not_held_and_the_thread_ends():
    async with Watchdog(limit_ms=60_000.0) as watchdog:
        await asyncio.sleep(0.1)
        assert any(thread.name == "watchdog" for thread in threading.enumerate())
    assert watchdog.holds.n == 0
    assert not any(thread.name == "watchdog" for thread in threading.enumerate())
