"""A process reads its scripts and tables once: what stands in its place later is another version's."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from schemas.catalogs import tables
from worker import process
from worker.settings.model import Settings
from worker.store import scripts
from worker.store.installation import read_installation
from worker.webhooks import process as webhooks

ROOT = Path(scripts.__file__).parents[2]


class Reached(Exception):
    """The installation is read."""


def test_all_scripts_and_tables_are_known_without_the_installation(monkeypatch):
    read_installation()

    def gone(_package):
        raise FileNotFoundError("replaced")

    monkeypatch.setattr(scripts, "files", gone)
    monkeypatch.setattr(resources, "files", gone)
    found = sorted(path.stem for path in (ROOT / "worker" / "store" / "lua").glob("*.lua"))
    assert len([scripts.source(name) for name in found]) == len(found) > 30
    found = sorted(path.stem for path in (ROOT / "schemas" / "catalogs").glob("*.json"))
    assert len([tables.codes(name) for name in found]) == len(found) > 30


@pytest.mark.parametrize(("module", "run"), [(process, process.run_worker), (webhooks, webhooks.run_webhooks)])
async def test_who_runs_them_reads_them_before_anything_else(monkeypatch, module, run):
    def reached():
        raise Reached

    monkeypatch.setattr(module, "read_installation", reached)
    with pytest.raises(Reached):
        await run(Settings())
