"""
Ten faults, planted one after the other on a running set of processes. Of each the page, ``status``, ``doctor``, the
metrics and the alert say the same and the right thing, with the mend, and none of them when it is over.
"""

from __future__ import annotations

import time

import pytest

from tests.integration.ten_faults.eyes import EYES, what_is_left
from tests.integration.ten_faults.plants import PLANTS
from tests.integration.ten_faults.running_set import RunningSet
from tests.patience import PATIENCE_S
from tests.service_processes import ROOT
from tests.ten_faults import FAULTS, table

pytestmark = pytest.mark.timeout(900)


def test_each_of_ten_faults_is_told_by_all_with_the_mend(running_set: RunningSet) -> None:
    """One set for all of them, which has to be well again after each."""
    until_well(running_set, "the start")
    for fault, plant in zip(FAULTS, PLANTS.values(), strict=True):
        with plant(running_set):
            ends_at = time.monotonic() + PATIENCE_S
            for name, eye in EYES.items():
                while wrong := eye(running_set, fault):
                    assert time.monotonic() < ends_at, f"{fault.name}, in {name}: {wrong}"
                    time.sleep(0.2)
        until_well(running_set, fault.name)


def until_well(at: RunningSet, after: str) -> None:
    """Nothing needs a person any more: the first signs of life come a moment after a process has started."""
    ends_at = time.monotonic() + PATIENCE_S
    while left := what_is_left(at):
        assert time.monotonic() < ends_at, f"after {after}: {left}"
        time.sleep(0.2)


def test_the_table_of_the_page_is_this_list() -> None:
    """``python -m tests.ten_faults`` writes it."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
