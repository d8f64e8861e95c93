"""
The first pages, followed as they stand in a fresh folder: what a new user copies works, and shows what the page says.

Bringing the program (apt, git, make) is left out, and the port is a free one.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.service_processes import until

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = ("apt ", "git clone", "make ", "cd factus-worker", "redis-cli", "XADD")


def blocks_of(page: str, section: str) -> list[str]:
    """The commands of a section, with the lines that bring the program left out."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.search(rf"(?ms)^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text)
    assert found, f"{page} has no section {section!r}"
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", found[1])
    kept = [
        "".join(line for line in block.splitlines(keepends=True) if not any(word in line for word in _LEFT_OUT))
        for block in blocks
    ]
    return [block for block in kept if block.strip()]


class Reader:
    """A folder in which somebody follows a page."""

    def __init__(self, folder: Path, *ports: str) -> None:
        """
        Args:
            ports: Those of the page beside the sandbox's: each becomes a free one.
        """
        self.folder = folder
        self.ports = {port: _free_port() for port in ("8400", *ports)}
        (folder / ".venv").symlink_to(sys.prefix)
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("FACTUS_")}

    def types(self, commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", self._here(commands)],
            cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=90,
        )  # fmt: skip

    @contextmanager
    def leaves_running(self, command: str, sign: str) -> Iterator[None]:
        """A command in a terminal of its own, until the block ends."""
        log = self.folder / f"{sign}.log"
        with log.open("w") as out, subprocess.Popen(
            ["sh", "-c", f"exec {self._here(command).strip()}"],
            cwd=self.folder, env=self._environment, stdout=out, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                until(lambda: sign in log.read_text(), what=log.read_text)
                yield
            finally:
                process.terminate()

    def _here(self, commands: str) -> str:
        # All at once: the digits of a free port may be another port of the page, or begin with it.
        commands = re.sub(rf"\b({'|'.join(self.ports)})\b", lambda found: self.ports[found[0]], commands)
        return re.sub(r"(factus-worker sandbox)$", rf"\1 --port {self.ports['8400']}", commands, flags=re.M)


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


@pytest.mark.deep
def test_primeros_pasos_leads_to_a_validated_invoice_its_pdf_and_a_refused_mistake(reader: Reader) -> None:
    page = "docs/primeros-pasos.md"
    (files,) = blocks_of(page, "3. Los datos de la prueba")
    sandbox, worker = blocks_of(page, "4. Encender")
    assert reader.types(files).returncode == 0
    with reader.leaves_running(sandbox, "sandbox listening"), reader.leaves_running(worker, "worker.started"):
        (issue,) = blocks_of(page, "5. Emitir")
        issued = reader.types(issue)
        assert (issued.returncode, "SETP990000001" in issued.stdout) == (0, True), issued
        (look,) = blocks_of(page, "6. Mirar")
        looked = reader.types(look)
        assert looked.returncode == 0, looked
        assert "Todo en orden." in looked.stdout
        assert "local, sin validez fiscal" in looked.stdout
        (archive,) = blocks_of(page, "7. El PDF")
        archived = reader.types(archive)
        assert archived.returncode == 0, archived
        assert {Path(line).suffix for line in archived.stdout.splitlines() if line.startswith("archive/")} == {
            ".pdf",
            ".xml",
        }
        again, mistake = blocks_of(page, "8. Equivocarse a propósito")
        repeated = reader.types(again)
        assert (repeated.returncode, "SETP990000001" in repeated.stdout) == (0, True), repeated
        wrong = reader.types(mistake)
        assert wrong.returncode == 1, wrong
        assert "payment_details" in wrong.stdout + wrong.stderr
        (sheet,) = blocks_of(page, "9. Desde una hoja de cálculo")
        issued = reader.types(sheet)
        assert issued.returncode == 0, issued
        assert (reader.folder / "ventas.resultado.xlsx").is_file()


def test_the_readme_leads_to_a_validated_invoice_without_redis_cli(reader: Reader) -> None:
    files, sandbox, worker, push = blocks_of("README.md", "Push your first job")
    assert reader.types(files).returncode == 0
    with reader.leaves_running(sandbox, "sandbox listening"), reader.leaves_running(worker, "worker.started"):
        pushed = reader.types(push)
        assert pushed.returncode == 0, pushed
        assert "SETP990000001" in pushed.stdout
        assert '"type":"invoice.validated"' in pushed.stdout
