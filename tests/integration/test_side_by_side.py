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

N_DOCUMENTS: Final = 150


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
    """Each takes up what the other had in hand when it was killed: the records, the leases and arq's entries."""
    codes = [f"A{n}" for n in range(N_DOCUMENTS)]
    with plant(tmp_path, "--latency", "200ms") as works:
        for code in codes:
            works.push(a_bill(reference_code=code), id=code)

        def start_old() -> subprocess.Popen[bytes]:
            log = tmp_path / f"worker-{len(works.workers)}.log"
            env = works.env | {"PYTHONPATH": str(version_before)}
            works.workers.append(start_process("worker", "run", folder=tmp_path, log=log, env=env))
            return works.workers[-1]

        # Each begins beside the one before, which is killed with a create under way.
        last = start_old()
        for n, start in enumerate((works.start_worker, start_old, works.start_worker), start=1):
            until(lambda n=n: n_finished(works.log_of(n - 1)) >= 3, what=works.tail)
            following = start()
            until(lambda n=n: "worker.started" in works.log_of(n), what=works.tail)
            last.kill()
            last.wait()
            last = following
        events = works.wait_for_events(N_DOCUMENTS)
        assert Counter(event["reference_code"] for event in events) == Counter(codes)
        assert {event["type"] for event in events} == {"invoice.validated"}
        assert Counter(document["reference_code"] for document in works.documents()) == Counter(codes)
        assert works.report()["totals"]["creates_posted"] == N_DOCUMENTS
        assert not any("defect" in works.log_of(n) for n in range(4))


def n_finished(log: str) -> int:
    """How many attempts a worker has finished."""
    return log.count("attempt.finished")
