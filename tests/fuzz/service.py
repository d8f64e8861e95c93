"""The service of a fuzzing run: a real server, a real worker process under watch, and Factus's side of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis

from tests.fuzz.actions import Answer
from tests.fuzz.entries import CALM, WILD
from tests.fuzz.factus_side import FactusSide
from tests.service_processes import ROOT, start_process
from worker.settings.environment import environment_for_child
from worker.store import embedded_server
from worker.store.keys import Keys

DEADLINE_S: Final = 8.0
SHORT_DEADLINE_S: Final = 3.0
"""For trials, which are many."""
MEMORY_BOUND: Final = 512 * 1024 * 1024
"""What a worker may hold (docs/contract.md); as a limit (``memory_limit``) what it cannot even ask for."""
_WINDOW: Final = "6s"
"""A header that says "none left" uses a window up, and what was sent is looked up after it, though its time be up."""

_READY_S: Final = 30.0
SECRETS: Final = {
    "client_id": "planted-client-id-7f3a",
    "client_secret": "planted-client-secret-91bd",
    "username": "planted-contador@example.com",
    "password": "planted-clave-muy-secreta-55",
}


@dataclass
class Service:
    """What a run starts, and stops by process id."""

    answers_seed: str | None
    script: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    deadline_s: float = DEADLINE_S
    memory_limit: int = 0
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="factus-fuzz-")))
    n_starts: int = 0
    _n_holds_read: int = 0
    _peak: int = 0
    _delays: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = Keys("fuzz")
        # What a server may echo is what every account has: another account's name is no secret of this one's.
        echoed = [value for name, value in SECRETS.items() if name != "username"]
        self.side = FactusSide(self.answers_seed, echoed, self.script)
        self.side.start()
        self.server = embedded_server.start(self.folder / "data")
        self.redis = redis.Redis(unix_socket_path=str(self.server.socket_path), socket_timeout=20)
        self.redis.config_set("slowlog-log-slower-than", 100_000)
        (self.folder / "accounts.toml").write_text("".join(self._account(name) for name in (CALM, *WILD)))
        self.worker = self._start_worker()
        self._until_ready()

    def _until_ready(self) -> None:
        """On a busy machine a start takes seconds, which are nobody's lateness."""
        gives_up_at = time.monotonic() + _READY_S
        while not self.redis.exists(self.keys.workers()) and self.worker.poll() is None:
            if time.monotonic() > gives_up_at:
                return
            wait_a_little()

    def _account(self, name: str) -> str:
        url = self.side.calm_url if name == CALM else self.side.wild_url
        # The user's name tells the accounts apart on Factus's side; all else is one for all.
        rows = {**SECRETS, "username": f"{SECRETS['username']}.{name}", "base_url": url, "rate_window": _WINDOW}
        told = "".join(f'{key} = "{value}"\n' for key, value in rows.items())
        return f"[accounts.{name}]\n{told}rate_limit = 100000\nown_streams = {str(name == 'own').lower()}\n\n"

    def _start_worker(self) -> subprocess.Popen[bytes]:
        env = environment_for_child(
            PYTHONPATH=str(ROOT),
            FACTUS_REDIS_URL=self.server.url(),
            FACTUS_NAMESPACE=self.keys.namespace,
            FACTUS_ACCOUNTS_FILE=str(self.folder / "accounts.toml"),
            FACTUS_ARCHIVE_URL=f"file://{self.folder}/archive",
            FACTUS_BACKOFF_BASE="50ms",
            FACTUS_BACKOFF_MAX="300ms",
            FACTUS_TIMEOUT=f"{min(1.5, self.deadline_s / 4):g}s",
            FACTUS_JOB_DEADLINE=f"{self.deadline_s:g}s",
            FACTUS_RESULTS_MAXLEN="100000",
            FACTUS_LOG_FORMAT="json",
            FUZZ_HOLDS=str(self.folder / "holds.jsonl"),
            FUZZ_MEMORY_LIMIT=str(self.memory_limit),
        )
        self.n_starts += 1
        return start_process("tests.fuzz.worker_process", folder=self.folder, log=self.log, env=env)

    @property
    def log(self) -> Path:
        return self.folder / "worker.log"

    def kill_worker(self) -> None:
        self.memory_peak()
        self.worker.kill()
        self.worker.wait()

    def restart_worker(self) -> None:
        self.worker = self._start_worker()

    def clock(self) -> float:
        """
        Seconds that went by, less those in which worker, server or Factus's side waited for a processor.

        A job is late by this clock: that the machine has more to do is not the service's fault. Where the kernel does
        not tell the waiting, it is the clock on the wall.
        """
        for pid in (os.getpid(), self.worker.pid, self.server.pid):
            with contextlib.suppress(OSError, IndexError, ValueError):
                waited_ns = int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
                self._delays[pid] = max(waited_ns / 1e9, self._delays.get(pid, 0.0))
        return time.monotonic() - sum(self._delays.values())

    def memory_peak(self) -> int:
        """Bytes: the most that the worker has held (VmHWM); of one that has ended, as last seen."""
        try:
            status = Path(f"/proc/{self.worker.pid}/status").read_text()
        except OSError:
            return self._peak
        rows = dict(row.split(":", 1) for row in status.splitlines() if ":" in row)
        if "VmHWM" in rows:
            self._peak = max(self._peak, int(rows["VmHWM"].split()[0]) * 1024)
        return self._peak

    def new_holds(self) -> list[dict[str, Any]]:
        """What held the loop since it was asked last."""
        path = self.folder / "holds.jsonl"
        if not path.exists():
            return []
        rows = path.read_text().splitlines()
        found = [json.loads(row) for row in rows[self._n_holds_read :]]
        self._n_holds_read = len(rows)
        return found

    def stop_worker(self, *, patience_s: float) -> int | None:
        """SIGTERM; the exit status, or None when it did not end in time and had to be killed."""
        if self.worker.poll() is None:
            self.memory_peak()
            self.worker.send_signal(signal.SIGTERM)
        try:
            return self.worker.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if self.worker.poll() is None:
                self.worker.kill()
                self.worker.wait()

    def close(self, *, keep: bool = False) -> None:
        self.stop_worker(patience_s=0.1)
        self.redis.close()
        embedded_server.stop(self.server)
        self.side.stop()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def wait_a_little() -> None:
    """Between two looks at a process of its own: nothing signals them."""
    time.sleep(0.02)
