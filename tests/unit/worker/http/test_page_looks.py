"""Looks are shared, never is more than one being made, and who would wait long is shown the one before for a while."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from worker.http.page import look
from worker.http.page.look import Looks
from worker.http.page.look_policy import LookPolicy


class Scene:
    """Looks over which the test decides: when they end, and what the clock says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **policy: float) -> None:
        self.now_s = 100.0
        self.n_made = self.n_at_once = self.most_at_once = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.fails = False
        door: Any = SimpleNamespace(redis=None, reads=asyncio.Semaphore(8), policy=SimpleNamespace(read_queue_s=5.0))
        self.looks = Looks(door, LookPolicy(**{"hurry_s": 0.01, **policy}))
        monkeypatch.setattr(look, "seen_now", self.made)
        monkeypatch.setattr(Looks, "_clock", lambda _: self.now_s)

    async def made(self, *_: object) -> int:
        self.n_made += 1
        self.n_at_once += 1
        self.most_at_once = max(self.most_at_once, self.n_at_once)
        try:
            n = self.n_made
            await self.go_on.wait()
            if self.fails:
                raise ConnectionError("away")
            return n
        finally:
            self.n_at_once -= 1

    async def newest(self) -> int:
        found: Any = await self.looks.newest()
        return int(found)


async def test_several_who_ask_at_once_get_one_and_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(monkeypatch)
    assert await asyncio.gather(*(scene.newest() for _ in range(20))) == [1] * 20
    scene.now_s += 0.5
    assert await scene.newest() == 1
    scene.now_s += 1.0
    assert await scene.newest() == 2


async def test_while_the_next_is_made_the_one_before_is_shown_until_it_is_ten_seconds_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(monkeypatch)
    assert await scene.newest() == 1
    scene.go_on.clear()
    for seconds in (2.0, 5.0, 9.9):
        scene.now_s = 100.0 + seconds
        assert await asyncio.gather(scene.newest(), scene.newest()) == [1, 1]
    scene.now_s = 110.1
    waiting = [asyncio.create_task(scene.newest()) for _ in range(3)]
    done, _ = await asyncio.wait(waiting, timeout=0.05)
    assert not done, "what is too old is shown to nobody"
    scene.go_on.set()
    assert await asyncio.gather(*waiting) == [2, 2, 2]
    assert (scene.n_made, scene.most_at_once) == (2, 1)


async def test_a_look_that_takes_long_is_counted_from_where_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times its time it would be good for; but it is eight seconds old when it ends."""
    scene = Scene(monkeypatch)
    scene.go_on.clear()
    first = asyncio.create_task(scene.newest())
    await asyncio.sleep(0)
    while not scene.n_made:
        await asyncio.sleep(0)
    scene.now_s += 8.0
    scene.go_on.set()
    assert await first == 1
    scene.now_s += 1.9
    assert await scene.newest() == 1
    scene.now_s += 0.2
    assert await scene.newest() == 2


async def test_an_error_is_told_and_the_next_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis that does not answer is no reason to show what was: the page says that it does not."""
    scene = Scene(monkeypatch)
    assert await scene.newest() == 1
    scene.now_s += 5.0
    scene.fails = True
    with pytest.raises(ConnectionError):
        await scene.newest()
    scene.fails = False
    assert await scene.newest() == 3
