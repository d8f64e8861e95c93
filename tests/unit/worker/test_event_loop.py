"""Which event loop a worker process runs on."""

from __future__ import annotations

import asyncio
import builtins
import gc
import signal

import pytest
import uvloop

from worker import event_loop


def test_it_is_uvloop_where_that_is_installed():
    async def kind():
        return type(asyncio.get_running_loop())

    assert event_loop.run(kind()) is uvloop.Loop


def test_it_is_the_standard_one_elsewhere(monkeypatch):
    found = builtins.__import__

    def without_uvloop(name, *args, **kwargs):
        if name == "uvloop":
            raise ModuleNotFoundError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_uvloop)
    assert event_loop.loop_factory() is asyncio.new_event_loop


def test_a_failure_comes_out_as_it_is():
    async def fails():
        raise LookupError("planned")

    with pytest.raises(LookupError, match="planned"):
        event_loop.run(fails())


def test_signals_reach_the_loop():
    async def told():
        heard = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, heard.set)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(heard.wait(), 40)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
        return True

    assert event_loop.run(told())


def test_what_was_there_before_is_not_looked_through_for_garbage_and_is_again_afterwards():
    async def heap():
        return gc.get_freeze_count(), gc.get_threshold()[0]

    before = gc.get_threshold()
    frozen, threshold = event_loop.run(heap())
    assert frozen > 10_000
    assert threshold > before[0]
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)
