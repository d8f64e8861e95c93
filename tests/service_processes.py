"""
Real processes for tests, fuzzing, simulation and benchmarks: a server that can be killed, the sandbox, workers; all
stopped by process id.

Each test gets a folder of its own, so a killed server takes nobody else's data with it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from tests import processes
from tests.patience import PATIENCE_S
from tests.processes import Process
from worker.settings.environment import environment_for_child
from worker.store import embedded_server
from worker.store.embedded_binary import find_binary

ROOT = Path(__file__).parents[1]
_LISTENING = re.compile(r"sandbox listening on (http://\S+)\n")
SECRETS = {
    "FACTUS_CLIENT_ID": "client-id-7f3a",
    "FACTUS_CLIENT_SECRET": "client-secret-91bd",
    "FACTUS_USERNAME": "contador-secreto@example.com",
    "FACTUS_PASSWORD": "clave-muy-secreta-55",
}


@dataclass
class Plant:
    """A server, a sandbox, and the workers that were started on them."""

    folder: Path
    env: dict[str, str]
    sandbox_url: str
    server: embedded_server.EmbeddedServer
    workers: list[Process] = field(default_factory=list)

    @property
    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.server.socket_path), socket_timeout=PATIENCE_S)

    def start_worker(self, *arguments: str) -> Process:
        return self.start("worker", "run", "--log-level", "debug", *arguments)

    def start(self, module: str, *arguments: str) -> Process:
        """A process that counts as a worker; see :meth:`log_of`."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        process = start_process(module, *arguments, folder=self.folder, log=log, env=self.env)
        self.workers.append(process)
        return process

    def log_of(self, n: int) -> str:
        return (self.folder / f"worker-{n}.log").read_text()

    def push(self, payload: dict[str, Any], **envelope: Any) -> None:
        job = {"type": "invoice.issue", "payload": payload, **envelope}
        self.redis.xadd("factus:jobs", {"job": json.dumps(job)})

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(fields[b"event"]) for _, fields in self.redis.xrange("factus:results")]

    def wait_for_events(self, n: int) -> list[dict[str, Any]]:
        """Waits as long as new ones come: how quick a busy machine is, is not the matter of a test."""
        while (n_seen := len(self.events())) < n:
            until(
                lambda n_seen=n_seen: len(self.events()) > n_seen,  # type: ignore[misc]
                what=lambda n_seen=n_seen: f"{n_seen} of {n} events\n{self.tail()}",  # type: ignore[misc]
            )
        return self.events()

    def tail(self) -> str:
        return "\n".join(self.log_of(n)[-1500:] for n in range(len(self.workers)))

    def report(self) -> dict[str, Any]:
        return get_json(f"{self.sandbox_url}/_sandbox/report")

    def documents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = get_json(f"{self.sandbox_url}/_sandbox/documents")
        return found

    def add_fault(self, rule: dict[str, Any]) -> None:
        post_json(f"{self.sandbox_url}/_sandbox/faults", {"rules": [rule]})

    def kill_server(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        embedded_server.stop(self.server)

    def restart_server(self) -> None:
        self.server = embedded_server.start(self.folder / "data")


@contextmanager
def plant(folder: Path, *sandbox_arguments: str, **env: str) -> Iterator[Plant]:
    """Start a server and a sandbox in *folder*; stop everything at the end, workers first."""
    server = embedded_server.start(folder / "data")
    sandbox, url = start_sandbox(folder, *sandbox_arguments)
    settings = {
        "FACTUS_REDIS_URL": server.url(),
        "FACTUS_BASE_URL": url,
        "FACTUS_BACKOFF_BASE": "100ms",
        "FACTUS_BACKOFF_MAX": "1s",
        **SECRETS,
        **env,
    }
    found = Plant(folder, environment_for_child(PYTHONPATH=str(ROOT), **settings), url, server)
    try:
        yield found
    finally:
        stop_processes([*found.workers, sandbox])
        embedded_server.stop(found.server)


def start_process(
    module: str, *arguments: str, folder: Path, log: Path, env: Mapping[str, str] | None = None
) -> Process:
    """
    ``python -m module`` in *folder*, where no ``.env`` of the project is read.

    Args:
        log: What it says is added to this file.
        env: All of its environment; ours without a setting of the service unless given.
    """
    env = environment_for_child(PYTHONPATH=str(ROOT)) if env is None else env
    with log.open("ab") as out:
        if processes.are_forked():
            return processes.start(module, *arguments, folder=folder, env=env, out=out)
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # Ctrl-C is for whoever started it, who ends it in order
        )


def start_sandbox(folder: Path, *arguments: str) -> tuple[Process, str]:
    """A local Factus with its log in *folder*, and its address, once it listens."""
    log = folder / f"sandbox-{sum(1 for _ in folder.glob('sandbox-*.log'))}.log"
    process = start_process("sandbox", "--port", "0", *arguments, folder=folder, log=log)

    def is_up() -> bool:
        return bool(_LISTENING.search(log.read_text())) or process.poll() is not None

    try:
        until(is_up, what=log.read_text)
        found = _LISTENING.search(log.read_text())
        assert found, f"the sandbox ended with {process.returncode}: {log.read_text()}"
    except BaseException:
        stop_processes([process])
        raise
    return process, found[1]


@contextmanager
def a_valkey(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """
    A server with its data and its log in *folder*, and a client of it: for who wants it otherwise than the bundled one
    is, or spoils it.

    It leaves alone the signals that Python ignores, as it inherits them: that of a file that may not grow, too.
    """
    command = [find_binary(), "--port", "0", "--dir", folder, "--unixsocket", folder / "s", "--logfile", "log"]
    process = subprocess.Popen([*command, "--appendonly", "yes", "--save", "", *options], restore_signals=False)
    client = redis.Redis(unix_socket_path=str(folder / "s"), decode_responses=True, socket_timeout=PATIENCE_S)

    def answers_now() -> bool:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False

    try:
        until(answers_now)
        with client:
            yield process, client
    finally:
        process.kill()  # one that was spoilt may not end in order, and nothing of it is kept
        process.wait(PATIENCE_S)


def stop_processes(processes: Sequence[Process], *, grace_s: float = 10.0) -> None:
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(
    condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S, what: Callable[[], str] = lambda: ""
) -> None:
    gives_up_at = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > gives_up_at:
            raise AssertionError(f"not within {timeout_s} s: {what()}")
        time.sleep(0.02)


def get_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def post_json(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S):
        pass
