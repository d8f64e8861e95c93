"""``status --watch`` looks again until it is ended, and says with its exit status what it saw last."""

from __future__ import annotations

import asyncio

import pytest

from worker.cli.status.watching import watched
from worker.speech import SPANISH


async def test_without_it_one_look_is_all() -> None:
    n_looks = 0

    async def look() -> bool:
        nonlocal n_looks
        n_looks += 1
        return True

    assert await watched(look, is_on=False, speech=SPANISH)
    assert n_looks == 1


@pytest.mark.parametrize("is_well", [True, False])
async def test_it_looks_until_it_is_ended(is_well: bool, capsys: pytest.CaptureFixture[str]) -> None:
    n_looks = 0
    third = asyncio.Event()

    async def look() -> bool:
        nonlocal n_looks
        n_looks += 1
        if n_looks == 3:
            third.set()
        return is_well

    task = asyncio.create_task(watched(look, is_on=True, speech=SPANISH, every_s=0.001))
    await third.wait()
    task.cancel()
    assert await task is is_well
    assert "\x1b" not in capsys.readouterr().out, "what is no terminal is not cleared"
