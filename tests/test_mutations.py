"""The list of spoilt lines cannot rot: each stands in the code, and each of its tests exists."""

from __future__ import annotations

import pytest

from tests.mutations import BEYOND, BREAKS, ROOT


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.guarantee}-{broken.what}")
def test_the_line_to_spoil_stands_once_and_its_test_exists(broken):
    assert (ROOT / broken.path).read_text().count(broken.old) == 1
    path, *names = broken.test.partition("[")[0].split("::")
    source = (ROOT / path).read_text()
    assert all(name in source for name in names)


def test_every_guarantee_is_broken_once():
    assert {broken.guarantee for broken in BREAKS} == {BEYOND, *(f"G{n}" for n in range(1, 11))}
