"""
Who stands outside in a run of the full form: producers that push through the door, and one who is told by webhooks.

Door and webhooks are processes of their own, which the run kills like its workers. A push that had no answer is pushed
again, as a producer does; each answer that has an event is kept. The receiver verifies every message as it comes.
"""

from __future__ import annotations

import json
import queue
import random
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.processes import Process
from tests.service_processes import Plant
from tests.simulation.checks.outside import deliverable, judge_outside
from tests.simulation.history import Verdict
from tests.simulation.workload import Push
from tests.tokens import PRIVATE, PUBLIC, key_set
from tests.webhooks_rig import SECRET
from worker.rights.signatures import sign

_SHARE: Final = 0.3
"""Of the documents that nothing else in the run speaks of."""

_N_PRODUCERS: Final = 4
_AGAIN_S: Final = 1.0
_PATIENCE_S: Final = 15.0
_ENDPOINT: Final = "shop"
_LEASE_S: Final = 16.0
"""What a killed process had under way comes again after it: the endpoint's time-out and 15 s."""


class Draws(Protocol):
    """Where chances come from."""

    def random(self) -> float: ...


def chosen(pushes: Sequence[Push], chance: Draws) -> set[int]:
    """The places of those that go through the door: their order among the others is nobody's matter."""
    ids = Counter((push.account, push.id) for push in pushes)
    documents = Counter(push.document for push in pushes)
    alone = [
        n
        for n, push in enumerate(pushes)
        if push.what == "document" and push.id and ids[push.account, push.id] == 1 and documents[push.document] == 1
    ]
    return {n for n in alone if chance.random() < _SHARE}


@dataclass
class Outside:
    """Door, webhooks, and those who use them."""

    works: Plant
    chance: random.Random
    facts: Counter[str]
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By job: the event that the door answered with."""
    faults: list[str] = field(default_factory=list)
    received: dict[str, bytes] = field(default_factory=dict)
    """By message, in the order in which they came first."""
    _to_push: queue.Queue[Push | None] = field(default_factory=queue.Queue)
    _living: dict[str, Process] = field(default_factory=dict)
    _is_over: bool = False

    def __post_init__(self) -> None:
        folder = self.works.folder
        (folder / "keys.jwks").write_bytes(key_set(PUBLIC))
        self._port = _free_port()
        self._receiver = ThreadingHTTPServer(("127.0.0.1", 0), _receiving(self))
        hooks = folder / "webhooks.toml"
        hooks.write_text(
            f'[endpoints.{_ENDPOINT}]\nurl = "http://127.0.0.1:{self._receiver.server_address[1]}/"\n'
            f'secrets = ["{SECRET}"]\ntimeout = "1s"\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\n'
            'start = "all"\n'
        )
        hooks.chmod(0o600)
        self.works.env |= {
            "FACTUS_JOBS_KEYS": str(folder / "keys.jwks"),
            "FACTUS_HTTP_PORT": str(self._port),
            "FACTUS_WEBHOOKS_FILE": str(hooks),
        }
        now_s = int(time.time())
        claims = {"iss": "erp", "aud": "factus", "exp": now_s + 86_400, "accounts": ["*"], "types": ["*"]}
        self._token = sign(PRIVATE, claims)
        threads = [threading.Thread(target=self._receiver.serve_forever, args=(0.05,), daemon=True)]
        threads += [threading.Thread(target=self._produce, daemon=True) for _ in range(_N_PRODUCERS)]
        for thread in threads:
            thread.start()

    # -- processes -------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Whoever of the two does not run."""
        for command in ("serve", "webhooks"):
            process = self._living.get(command)
            if process is None or process.poll() is not None:
                if process is not None and process.returncode not in (0, -signal.SIGKILL):
                    self.faults.append(f"{command} ended by itself with {process.returncode}")
                self._living[command] = self.works.start("worker", command)

    def disturb(self) -> None:
        """kill -9 of one of them; it is started again at once."""
        command = self.chance.choice(sorted(self._living))
        self._living[command].kill()
        self._living[command].wait()
        self.facts[f"kill {command}"] += 1
        self.start()

    # -- producers -------------------------------------------------------------------------------------------------
    def push(self, push: Push) -> None:
        self._to_push.put(push)

    def _produce(self) -> None:
        wait_s = random.Random(self.chance.random())
        while (push := self._to_push.get()) is not None:
            while not self._is_over and not self._is_pushed(push, wait_s.choice([0, 0, 2, 10])):
                time.sleep(_AGAIN_S)
            self.facts["pushed by HTTP"] += 1

    def _is_pushed(self, push: Push, wait_s: int) -> bool:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": push.id}
        headers |= {"Prefer": f"wait={wait_s}"} if wait_s else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/api/v1/jobs", push.raw, headers)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
                status, body = answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            status, body = refused.code, json.loads(refused.read())
        except (OSError, ValueError):  # killed, away, or cut in the middle: nobody knows whether it is in the stream
            self.facts["pushed by HTTP again"] += 1
            return False
        if status in (429, 503):
            self.facts["pushed by HTTP again"] += 1
            return False
        if status != 202 and not (status in (200, 422, 502) and body["data"]):
            self.faults.append(f"{push.id}: the door answered {status}: {body['errors']}")
        elif status != 202:
            self.told[push.id] = body["data"]
        return True

    # -- the end ---------------------------------------------------------------------------------------------------
    def finish(self, events: Sequence[Mapping[str, Any]], verdict: Verdict) -> None:
        """Wait until everything was delivered, and compare. *events*: those of all streams."""
        wanted = deliverable(events)
        gives_up_at = time.monotonic() + 6 * _LEASE_S
        while wanted.keys() - self.received.keys() and time.monotonic() < gives_up_at:
            self.start()
            time.sleep(0.1)
        self._is_over = True
        for _ in range(_N_PRODUCERS):
            self._to_push.put(None)
        self._receiver.shutdown()
        self._receiver.server_close()
        for fault in self.faults:
            verdict.blame("outside amiss", fault)
        judge_outside(events, self.received, self.told, verdict)
        verdict.counts["delivered"] = len(self.received)
        verdict.counts["told by the door"] = len(self.told)

    def came(self, headers: Mapping[str, str], body: bytes) -> bool:
        """A message; whether it is good."""
        try:
            Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
        except WebhookVerificationError as exc:
            self.faults.append(f"{headers.get('webhook-id')}: {exc}")
            return False
        known = self.received.setdefault(headers["webhook-id"], body)
        if known is not body:
            self.facts["delivered again"] += 1
            if known != body:
                self.faults.append(f"{headers['webhook-id']} came again with other bytes")
        return True


def _receiving(outside: Outside) -> type[BaseHTTPRequestHandler]:
    class Receives(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if outside.came(dict(self.headers), body) else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Receives


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
