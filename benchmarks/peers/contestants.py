"""
Those who run the evening: the service, and each peer of this folder, started, fed, killed and asked in one way.

A peer runs in an environment of its own (``make peers`` makes it) and in processes of its own, each with what it
started in one group, so that a ``kill -9`` takes all of it as a machine that stops would.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import lab
import redis

from tests.service_processes import stop_processes, until

HERE: Final = Path(__file__).parent
COMPANIES: Final = ("norte", "centro", "sur")
LIMIT: Final = 80
WINDOW_S: Final = 12.0
_READY_S: Final = 120.0
_KNOWN: Final = "issued"  # pushing.KNOWN, which needs the peers' environment


@dataclass(frozen=True)
class Job:
    """One invoice to be pushed."""

    account: str
    reference: str
    is_urgent: bool = False


@dataclass(frozen=True)
class Peer:
    """
    How a peer is run.

    Attributes:
        name: In the table.
        packages: Whose releases are told.
        program: Its file here.
        workers: Arguments after the interpreter, for each of its processes.
        is_up: What such a process says when it takes jobs.
        is_at_home: Runs in the service's environment, whose arq it is.
    """

    name: str
    packages: tuple[str, ...]
    program: str
    workers: tuple[tuple[str, ...], ...]
    is_up: str
    is_at_home: bool = False


def _celery(company: str) -> tuple[str, ...]:
    queue = ("-Q", company, "-n", f"{company}@%h", "--loglevel", "INFO")
    return ("-m", "celery", "-A", "celery_rate_limit", "worker", *queue)


PEERS: Final = (
    Peer("asyncio loop", ("httpx",), "plain_loop", (("plain_loop.py", "work"),), "working"),
    Peer(
        "arq, tutorial",
        ("arq", "httpx"),
        "arq_tutorial",
        (("-m", "arq", "arq_tutorial.WorkerSettings"),),
        "Starting worker",
        is_at_home=True,
    ),
    Peer("Celery, rate_limit", ("celery",), "celery_rate_limit", tuple(map(_celery, COMPANIES)), r"ready\."),
    Peer(
        "taskiq, retries",
        ("taskiq", "taskiq-redis"),
        "taskiq_retry",
        (
            ("-m", "taskiq", "worker", "taskiq_retry:broker"),
            ("-m", "taskiq", "scheduler", "taskiq_retry:scheduler", "--update-interval", "1"),
        ),
        "Listening started|Startup completed",
    ),
    Peer("DBOS, SQLite", ("dbos",), "dbos_queue", (("dbos_queue.py", "work"),), "working"),
)


class Ours:
    """The service, two worker processes."""

    name = "factus-worker"

    def __init__(self, bench: lab.Lab, url: str) -> None:
        self._bench, self._redis = bench, redis.Redis.from_url(bench.redis_url)
        self._accounts = bench.accounts_file(COMPANIES, url, limit=LIMIT, window=f"{WINDOW_S:g}s")
        self._workers: list[int] = []

    def start(self) -> None:
        self._workers = [self._bench.worker(self._accounts) for _ in range(2)]

    def kill_and_start(self) -> None:
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        self.start()

    def push(self, jobs: Sequence[Job]) -> dict[str, float]:
        """The instants of ``time.time()`` just before each was pushed, by reference."""
        sent_at = {}
        for job in jobs:
            told = {"priority": "high"} if job.is_urgent else {}
            text = lab.job(job.reference, job.account, **told)
            sent_at[job.reference] = time.time()
            self._redis.xadd(lab.KEYS.jobs(), {"job": text})
        return sent_at

    def known(self) -> set[str]:
        """What it has told to be issued."""
        events = self._redis.xrange(lab.KEYS.results())
        return {fields[b"reference_code"].decode() for _, fields in events if fields[b"type"] == b"invoice.validated"}

    def stop(self) -> None:
        self._redis.close()  # the lab stops the workers


@dataclass
class Program:
    """A peer while it runs."""

    peer: Peer
    python: Path
    bench: lab.Lab
    url: str
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _pushers: dict[bool, subprocess.Popen[str]] = field(default_factory=dict)
    _n_logs: int = 0

    @property
    def name(self) -> str:
        return self.peer.name

    def start(self) -> None:
        logs = []
        for arguments in self.peer.workers:
            self._n_logs += 1
            logs.append(self.bench.folder / f"peer-{self._n_logs}.log")
            with logs[-1].open("ab") as out:
                self._running.append(self._popen(arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=out))
        for log in logs:
            until(lambda log=log: re.search(self.peer.is_up, log.read_text()), timeout_s=_READY_S, what=log.read_text)
        for is_urgent in (False, True):  # the till pushes beside the backlog, so it has a producer of its own
            if is_urgent not in self._pushers:
                self._pushers[is_urgent] = self._popen(
                    (f"{self.peer.program}.py", "push"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
                )
                _line(self._pushers[is_urgent].stdout)

    def kill_and_start(self) -> None:
        self._signal(signal.SIGKILL)
        self._running.clear()
        self.start()

    def push(self, jobs: Sequence[Job]) -> dict[str, float]:
        """The instants of ``time.time()`` just before each was pushed, by reference."""
        pusher = self._pushers[jobs[0].is_urgent]
        assert pusher.stdin is not None
        sent_at = {}
        for job in jobs:
            told = {**job.__dict__, "payload": lab.bill(job.reference)}
            pusher.stdin.write(json.dumps(told) + "\n")
            pusher.stdin.flush()
            reference, at = _line(pusher.stdout).split()
            sent_at[reference] = float(at)
        return sent_at

    def known(self) -> set[str]:
        """What it has written down as issued."""
        with redis.Redis.from_url(self.bench.redis_url) as server:
            return {reference.decode() for reference in server.hkeys(_KNOWN)}

    def stop(self) -> None:
        self._signal(signal.SIGTERM)
        for pusher in self._pushers.values():
            pusher.stdin.close()
        stop_processes([*self._running, *self._pushers.values()], grace_s=5)
        self._signal(signal.SIGKILL)  # children that outlive their parent

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running:
            try:
                os.killpg(process.pid, number)  # started as leaders of groups of their own
            except ProcessLookupError:
                continue
            if number is signal.SIGKILL:
                process.wait()

    def _popen(self, arguments: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FACTUS_", "CELERY", "DBOS"))}
        told = {
            "PEER_FACTUS_URL": self.url,
            "PEER_REDIS_URL": self.bench.redis_url,
            "PEER_FOLDER": str(self.bench.folder),
            "PEER_COMPANIES": " ".join(COMPANIES),
            "PEER_LIMIT": str(LIMIT),
            "PEER_WINDOW_S": str(WINDOW_S),
            "PYTHONPATH": str(HERE),
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [
                sys.executable if self.peer.is_at_home else str(self.python),
                *(str(HERE / part) if part.endswith(".py") else part for part in arguments),
            ],
            cwd=self.bench.folder,
            env=kept | told,
            start_new_session=True,
            **options,
        )


def _line(stream: IO[str] | None) -> str:
    assert stream is not None
    found = stream.readline()
    if not found:
        raise SystemExit("a peer's producer ended before its time")
    return found
