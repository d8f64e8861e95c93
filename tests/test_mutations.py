"""The list of spoilt lines cannot rot: each stands in the code, and each of its tests exists."""

from __future__ import annotations

import pytest

from tests.mutations import BEYOND, BREAKS, ROOT
from worker.store.script_names import resolve
from worker.store.scripts import _load, header


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: f"{broken.guarantee}-{broken.what}")
def test_the_line_to_spoil_stands_once_and_its_test_exists(broken):
    assert (ROOT / broken.path).read_text().count(broken.old) == 1
    path, *names = broken.test.partition("[")[0].split("::")
    source = (ROOT / path).read_text()
    assert all(name in source for name in names)


@pytest.mark.parametrize(
    "broken", [broken for broken in BREAKS if broken.path.endswith(".lua")], ids=lambda one: one.what
)
def test_a_spoilt_script_is_loaded_all_the_same(broken):
    """It must be noticed for what it does: one that no longer uses a name that it declares is refused unrun."""
    name = broken.path.removeprefix("worker/store/lua/").removesuffix(".lua")
    spoilt = (ROOT / broken.path).read_text().replace(broken.old, broken.new, 1)
    assert resolve(name, spoilt, header(name), _load(name).records)


def test_every_guarantee_is_broken_once():
    assert {broken.guarantee for broken in BREAKS} == {BEYOND, *(f"G{n}" for n in range(1, 11))}
