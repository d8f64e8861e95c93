"""The programs of docs/clients.md, run as they stand: they push, read, acknowledge, and go on after a crash."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.service_processes import until
from worker.store import embedded_server

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    """A server of the test's own: the programs speak of the namespace `factus`."""
    running = embedded_server.start(tmp_path / "data")
    with redis.Redis(unix_socket_path=str(running.socket_path), decode_responses=True) as client:
        client.execute_command("CONFIG", "SET", "port", str(_free_port()))
        yield client
    embedded_server.stop(running)


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def program(language: str) -> str:
    (text,) = re.findall(rf"(?ms)^```{language}\n(.*?)^```", PAGE)
    return str(text)


def command_of(language: str, folder: Path) -> list[str]:
    if language == "python":
        (folder / "client.py").write_text(program("python"))
        return [sys.executable, "-u", "client.py"]
    if language == "php":
        if (
            shutil.which("php") is None
            or "redis" not in subprocess.run(["php", "-m"], capture_output=True, text=True).stdout
        ):
            pytest.skip("php with the extension redis is not here")
        (folder / "client.php").write_text(program("php"))
        return ["php", "client.php"]
    if shutil.which("npm") is None:
        pytest.skip("npm is not here")
    (folder / "package.json").write_text('{"type": "module", "dependencies": {"redis": "5.12.1"}}')
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm cannot install redis here: {done.stderr[-200:]}")
    (folder / "client.js").write_text(program("js"))
    return ["node", "client.js"]


class Run:
    """A program that reads for ever, until it is killed."""

    def __init__(self, command: list[str], folder: Path, url: str) -> None:
        self.lines: list[str] = []
        self.said = ""
        self._process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "REDIS_URL": url}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._hear)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.strip())

    def _hear(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said += line

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()


def publish(server: redis.Redis, n: int) -> None:
    event: dict[str, Any] = {"type": "invoice.validated", "job_id": f"job-{n}", "success": True}
    server.xadd("factus:results", {"event": json.dumps(event)})


@pytest.mark.parametrize(
    "language", ["python", pytest.param("js", marks=pytest.mark.deep), pytest.param("php", marks=pytest.mark.deep)]
)
def test_a_program_pushes_reads_each_event_once_and_goes_on_after_a_kill(
    server: redis.Redis, tmp_path: Path, language: str
) -> None:
    command = command_of(language, tmp_path)
    url = f"redis://127.0.0.1:{server.config_get('port')['port']}"
    first = Run(command, tmp_path, url)
    try:
        for n in range(3):
            publish(server, n)
        wanted = [f"invoice.validated job-{n} true" for n in range(3)]
        until(lambda: len(first.lines) >= 3, timeout_s=30, what=lambda: first.said)
        assert [line.lower() for line in first.lines] == wanted
        until(lambda: server.xpending("factus:results", "erp")["pending"] == 0, timeout_s=10, what=lambda: first.said)
    finally:
        first.kill()
    (job,) = [json.loads(fields["job"]) for _, fields in server.xrange("factus:jobs")]
    assert (job["id"], job["type"], job["payload"]) == ("erp-1001", "invoice.get", {"reference_code": "FV-0001"})
    # What it had got and not acknowledged when it was killed, and what came while it was dead.
    publish(server, 3)
    server.xreadgroup("erp", "erp-1", {"factus:results": ">"}, count=1)
    publish(server, 4)
    second = Run(command, tmp_path, url)
    try:
        until(lambda: len(second.lines) >= 2, timeout_s=30, what=lambda: second.said)
        assert [line.split()[1] for line in second.lines] == ["job-3", "job-4"]
        until(lambda: server.xpending("factus:results", "erp")["pending"] == 0, timeout_s=10, what=lambda: second.said)
    finally:
        second.kill()
