"""The demo from start to end, and stopped half-way: it agrees with Factus and leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.families import FAMILIES
from tests import processes
from tests.patience import PATIENCE_S
from tests.service_processes import until

pytestmark = pytest.mark.timeout(400)


def start(folder: Path) -> subprocess.Popen[str]:
    """As a person starts it: the start itself is tried here, so it is no fork (``tests/processes.py``)."""
    # A setting of the caller must not reach the demo's workers: this one would send them to the real Factus.
    surroundings = {**os.environ, "FACTUS_BASE_URL": "https://api.factus.com.co", "FACTUS_NAMESPACE": "mine"}
    return subprocess.Popen(
        [sys.executable, "-m", "worker", "demo", "--folder", str(folder)],
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(folder: Path) -> list[str]:
    """Command lines of living processes that work in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def test_demo_ends_well_and_can_be_looked_at(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = start(folder)
    shown, _ = demo.communicate(timeout=4 * PATIENCE_S)
    assert demo.returncode == 0, shown
    assert "Enviados 77: 66 validados, 4 llamadas hechas, 7 no aceptados antes de toda llamada." in shown
    assert re.search(r"66 emisiones: .* 66 guardadas, 0 duplicadas, 0 rechazadas,\s0 x 409, 0 x 429", shown)
    assert "Coinciden en cada número y cada total, en todas las clases de documento" in shown
    for family in FAMILIES:
        assert re.search(rf"^{family} +\d+ +\d+ .* sí$", shown, re.MULTILINE)
    assert re.search(r"^FV-CREDITO .* 033 ", shown, re.MULTILINE)
    assert re.search(r"^POST /api/v1/jobs +FV-PUERTA +200 invoice.validated SETP\d+, ", shown, re.MULTILINE)
    assert re.search(r"^msg_[0-9a-f]+… +FV-PUERTA +invoice.validated, firma verificada$", shown, re.MULTILINE)
    told = re.search(r"^Webhooks recibidos: (\d+), verificados: (\d+)\.$", shown, re.MULTILINE)
    assert told
    assert told[1] == told[2]
    named = re.findall(r"  (archive/\S+)$", shown, re.MULTILINE)
    assert len(named) == 8
    assert all((folder / name).stat().st_size for name in named)
    assert max(len(line) for line in shown.splitlines() if str(tmp_path) not in line) <= 100
    assert "\x1b" not in shown
    assert processes_of(folder) == []
    export = re.search(r"^  export (.*)$", shown, re.MULTILINE)
    assert export
    variables = dict(part.split("=", 1) for part in export[1].split())
    pasted = re.findall(r"^  \S+ (-m worker (?:results|status .+|dead).*)$", shown, re.MULTILINE)
    words = [
        "DEMO-0001",
        "Evento RADIAN 033",
        "archivo: hecho",
        "eventos vistos: 030, 032, 033",
        "MAL-NOTA-SIN-FACTURA",
    ]
    for command, word in zip(pasted, words, strict=True):
        env = {**os.environ, **variables}
        done = processes.run(*command.split()[1:], folder=tmp_path, env=env, timeout_s=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        assert word in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.deep), signal.SIGTERM])
def test_stopped_demo_stops_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "demo"
    demo = start(folder)
    try:
        until(lambda: len(processes_of(folder)) >= 6)  # server, sandbox, two workers, door, webhooks
        demo.send_signal(number)
        shown, _ = demo.communicate(timeout=PATIENCE_S)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 1, shown
    assert "está apagado" in shown
    assert processes_of(folder) == []
