"""The proof in both forms (``make simulate``); see ``python -m tests.simulation --help`` for longer ones."""

from __future__ import annotations

import os

import pytest

from tests.simulation import full, quick
from tests.simulation.full_options import FullOptions

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(3600)]

SEED = int(os.environ.get("SIMULATION_SEED") or 1)


def test_many_seeds_in_process():
    tally = quick.run_quick(range(SEED, SEED + 100), real_share=0.1)
    assert not tally.failed, "\n".join(story.tell() for story in tally.failed)


def test_real_processes_under_kill_9():
    figures = full.run_full(FullOptions.draw(SEED, 1000), minutes=8, say=print)
    print(figures.table())
    assert figures.is_clean, figures.table()
