"""An upgrade: the version before and this one work side by side on one Redis, and each document is issued once."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.builders import a_bill
from tests.service_processes import ROOT, plant, start_process, until

BEFORE: Final = "c0331f1e745dd84da35dafbc20bddef3a953759e"
"""The commit of the version before: the last one before fences went by the clock. Moves on with each release."""


@pytest.fixture(scope="module")
def version_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of that commit, unpacked."""
    folder = tmp_path_factory.mktemp("before")
    archive = subprocess.run(["git", "archive", "--format=tar", BEFORE], cwd=ROOT, capture_output=True)
    if archive.returncode:
        pytest.skip("the history of this clone does not reach back to the version before")
    (folder / "source").mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder / "source")], input=archive.stdout, check=True)
    builder = next(path for path in (ROOT / ".tools/bin/uv", Path("uv")) if path.exists() or path.name == str(path))
    subprocess.run([builder, "build", "--quiet", "--wheel", "--out-dir", folder, folder / "source"], check=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(folder / "wheel")], check=True)
    return folder / "wheel"


@pytest.mark.deep
def test_old_and_new_take_jobs_and_each_document_is_issued_once(tmp_path: Path, version_before: Path) -> None:
    """Also what one of them had in hand when it was killed, and taken up by the other."""
    with plant(tmp_path, "--latency", "20ms") as works:
        for n in range(30):
            works.push(a_bill(reference_code=f"A{n}"), id=f"a{n}")
        old = start_process(
            *("worker", "run"),
            folder=tmp_path,
            log=tmp_path / "worker-0.log",
            env=works.env | {"PYTHONPATH": str(version_before)},
        )
        works.workers.append(old)
        works.wait_for_events(10, timeout_s=60)
        new = works.start_worker()
        for n in range(30):
            works.push(a_bill(reference_code=f"B{n}"), id=f"b{n}")
        until(lambda: who_issued(works.log_of(1)) > 0, timeout_s=60, what=works.tail)
        assert who_issued(works.log_of(0)) > 0
        # What the new one had in hand goes to the old one, with the new one's fence in its record.
        new.kill()
        new.wait()
        works.wait_for_events(50, timeout_s=60)
        works.start_worker()
        old.terminate()
        assert old.wait(45) == 0
        for n in range(10):
            works.push(a_bill(reference_code=f"C{n}"), id=f"c{n}")
        events = works.wait_for_events(70, timeout_s=60)
        expected = Counter(f"{name}{n}" for name, most in (("A", 30), ("B", 30), ("C", 10)) for n in range(most))
        assert Counter(event["reference_code"] for event in events) == expected
        assert {event["type"] for event in events} == {"invoice.validated"}
        assert Counter(document["reference_code"] for document in works.documents()) == expected
        assert "defect" not in works.log_of(0) + works.log_of(1) + works.log_of(2)


def who_issued(log: str) -> int:
    """How many attempts a worker has finished."""
    return log.count("attempt.finished")
