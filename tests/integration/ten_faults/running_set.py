"""
The processes on which the ten faults are planted: a worker, the door with its page, webhooks, Redis, and a Factus on a
socket.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx
import redis

from tests.builders import a_bill
from tests.commands import Typed, typed
from tests.door_in_process import PASSWORD
from tests.patience import PATIENCE_S
from tests.processes import Process
from tests.service_processes import a_valkey, post_json, start_process, until
from tests.webhooks_rig import SECRET
from worker.store.keys import Keys

ACCOUNTS: Final = ("password", "payment", "foreign", "dian", "webhook", "range", "worker")
"""An account for each fault that is one's: what one has met says nothing of the next."""

SIX_MIN_MS, TWELVE_MIN_MS = 360_000, 720_000

KEYS: Final = Keys("factus")
BILLS: Final = 389
"""The id of the sandbox's range of bills."""


class Receiver:
    """An endpoint of webhooks that answers as it is told."""

    def __init__(self) -> None:
        receiver = self
        self.status = 200
        self.n_received = 0

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.n_received += 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class RunningSet:
    """The processes, and the ways to each of them."""

    folder: Path
    env: dict[str, str]
    redis: redis.Redis
    server: subprocess.Popen[bytes]
    factus_url: str
    receiver: Receiver
    page: httpx.Client
    processes: dict[str, Process] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """A process of the service, scraped on a port of its own."""
        self.ports.setdefault(name, free_port())
        env = self.env | {"FACTUS_METRICS_PORT": str(self.ports[name])}
        log = self.folder / f"{name}.log"
        self.processes[name] = start_process("worker", *arguments, folder=self.folder, log=log, env=env)
        until(lambda: bool(self.scrape(name)), what=log.read_text)

    def scrape(self, name: str) -> str:
        """What a process exposes; empty where it does not answer, as Prometheus has it."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/metrics", timeout=PATIENCE_S, trust_env=False).text
        except httpx.HTTPError:
            return ""

    def typed(self, *arguments: str) -> Typed:
        return typed(*arguments, env=self.env, folder=self.folder)

    def control(self, path: str, **body: Any) -> None:
        post_json(f"{self.factus_url}/_sandbox/{path}", body)

    def push_bill(self, account: str) -> str:
        """The reference of a bill that is pushed."""
        n = self.references[account] = self.references.get(account, 0) + 1
        code = f"{account}-{n:04}"
        job = {"type": "invoice.issue", "account": account, "payload": a_bill(reference_code=code)}
        self.redis.xadd(KEYS.jobs(), {"job": json.dumps(job, default=str)})
        return code

    def until_validated(self, code: str) -> None:
        until(lambda: self._is_validated(code), what=lambda: f"{code} is not validated")

    def _is_validated(self, code: str) -> bool:
        return any(
            fields["type"] == "invoice.validated" and fields["reference_code"] == code
            for _, fields in self.redis.xrevrange(KEYS.results(), count=50)
            if "type" in fields
        )

    def until_held(self, place: str, field: str = "held_since") -> None:
        until(lambda: bool(self.redis.hget(place, field)), what=lambda: f"{place} is not held")

    def ago(self, place: str, *fields: str, ms: int = SIX_MIN_MS) -> None:
        for name in fields:
            self.redis.hincrby(place, name, -ms)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def a_server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """
    A server whose log may be stopped from growing. It leaves the signal of that limit alone, as it inherits, and does
    not end of a failing write: with ``appendfsync always`` it would (the fault is then "Redis does not answer").
    """
    folder.mkdir()
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    with a_valkey(folder, "--appendfsync", "everysec", "--auto-aof-rewrite-percentage", "0") as found:
        yield found


def write_accounts(file: Path, url: str) -> None:
    rows = (
        f'[accounts.{name}]\nclient_id = "c"\nclient_secret = "s"\nusername = "{name}"\npassword = "p"\n'
        f'base_url = "{url}"\n'
        for name in ACCOUNTS
    )
    file.write_text("".join(rows))


def write_endpoints(file: Path, port: int) -> None:
    file.write_text(
        f'[endpoints.tienda]\nurl = "http://127.0.0.1:{port}/hook"\nsecrets = ["{SECRET}"]\nallow_http = true\n'
        'allow_networks = ["127.0.0.0/8"]\n'
    )


def log_in(folder: Path) -> httpx.Client:
    """A browser of the operator's, once the door listens."""
    log = folder / "serve.log"
    until(lambda: '"door.started"' in log.read_text(), what=log.read_text)
    lines = [line for line in log.read_text().splitlines() if '"door.started"' in line]
    page = httpx.Client(base_url=json.loads(lines[-1])["url"], timeout=PATIENCE_S, trust_env=False)
    assert page.post("/login", data={"username": "olga", "password": PASSWORD, "next": "/"}).status_code == 303
    return page
