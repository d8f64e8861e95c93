"""
What the demo does without Redis: one invoice through the HTTP door, and its event back as a signed webhook.

The receiver verifies as docs/clients show it, and shares no code with the service that signs.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from jobs.errors import ServiceError
from jobs.example_payloads import example
from schemas import strict_json
from worker.cli.demo.jobs import DemoJob, demo_job
from worker.rights.signatures import new_key, public_part, sign
from worker.webhooks import signer

REFERENCE: Final = "FV-PUERTA"
_ID: Final = "puerta"
_KEY: Final = "demo"
_TOKEN_S: Final = 3600
_WAIT_S: Final = 60
_TOLERANCE_S: Final = 300
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook as it came."""

    id: str
    type: str
    reference: str
    is_ours: bool
    """Whether its signature is of these bytes, with our secret, and of the last five minutes."""


@dataclass(slots=True)
class Receiver:
    """Who is told: a program of somebody else's on this machine, which answers 200 to what it could verify."""

    secret: str
    url: str = ""
    deliveries: list[Delivery] = field(default_factory=list)

    def take(self, headers: dict[str, str], body: bytes) -> bool:
        """Enter a message; whether it is ours."""
        is_ours = verified(headers, body, self.secret)
        event = strict_json.parse(body) if is_ours else {}
        self.deliveries.append(
            Delivery(headers.get("webhook-id", ""), event.get("type", ""), event.get("reference_code") or "", is_ours)
        )
        return is_ours

    @property
    def of_the_door(self) -> Delivery | None:
        """The webhook about the invoice that came through the door."""
        return next((one for one in self.deliveries if one.reference == REFERENCE), None)


def verified(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Whether a message is ours, unchanged and new: Standard Webhooks 1.0.0, ``v1``."""
    message, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (at.isascii() and at.isdigit()) or abs(time.time() - int(at)) > _TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message}.{at}.".encode() + body, hashlib.sha256)
    ours = b"v1," + base64.b64encode(digest)
    return any(hmac.compare_digest(ours, one.encode()) for one in headers.get("webhook-signature", "").split(" "))


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver on a free port of this machine, in a thread, while the block lasts."""
    receiver = Receiver(signer.new_secret("whsec_"))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            is_ours = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(200 if is_ours else 400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the screen is the demo's."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/factus"
        thread = threading.Thread(target=server.serve_forever, args=(_LOOK_S,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


# -- what the two processes are told -----------------------------------------------------------------------------------
def door_variables(folder: Path, account: str) -> tuple[dict[str, str], str]:
    """The settings of the door beside those of a worker; and the token with which a producer of *account* comes in."""
    key = new_key(_KEY, "EdDSA")
    keys_file = folder / "keys.jwks"
    keys_file.write_text(json.dumps({"keys": [public_part(key)]}), encoding="utf-8")
    now_s = int(time.time())
    claims = {"iss": _KEY, "aud": "factus", "iat": now_s, "exp": now_s + _TOKEN_S, "accounts": [account]}
    return {"FACTUS_JOBS_KEYS": str(keys_file), "FACTUS_HTTP_PORT": "0"}, sign(key, {**claims, "types": ["invoice.*"]})


def webhooks_variables(folder: Path, receiver: Receiver, account: str) -> dict[str, str]:
    """The settings of the process that delivers: one endpoint, what *account* has validated."""
    file = folder / "webhooks.toml"
    file.write_text(
        f'[endpoints.erp]\nurl = "{receiver.url}"\nsecrets = ["{receiver.secret}"]\ntypes = ["invoice.validated"]\n'
        f'accounts = ["{account}"]\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\nstart = "all"\n',
        encoding="utf-8",
    )
    file.chmod(0o600)
    return {"FACTUS_WEBHOOKS_FILE": str(file)}


# -- the push ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Answer:
    """What the door answered to the push that waits."""

    status: int
    event: dict[str, Any] | None
    """The final event, where it came in time."""
    seconds: float


def door_job(account: str) -> DemoJob:
    """The invoice that goes through the door."""
    payload = {**example("invoice.issue"), "reference_code": REFERENCE}
    return demo_job(_ID, account, payload, priority="high")


async def push(url: str, token: str, demo: DemoJob) -> Answer:
    """
    ``POST /api/v1/jobs``, waiting for the result.

    Raises:
        ServiceError: The door does not answer.
    """
    return await asyncio.to_thread(_push, url, token, demo.job.text)


def _push(url: str, token: str, job: str) -> Answer:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=_WAIT_S + 10)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Idempotency-Key": _ID,
        "Prefer": f"wait={_WAIT_S}",
    }
    began = monotonic()
    try:
        connection.request("POST", "/api/v1/jobs", job.encode(), headers)
        answer = connection.getresponse()
        told = strict_json.parse(answer.read())
    except (OSError, HTTPException) as exc:
        raise ServiceError(f"The door does not answer: {exc}") from exc
    finally:
        connection.close()
    is_event = answer.status in (200, 422, 502) and isinstance(told["data"], dict)
    return Answer(answer.status, told["data"] if is_event else None, monotonic() - began)


def surprises(answer: Answer | None, receiver: Receiver) -> list[str]:
    """What is not as it has to be."""
    found = []
    if answer is None or answer.status != 200:
        found.append(f"{REFERENCE}: the door answered {answer.status if answer else 'nothing'} instead of 200")
    if receiver.of_the_door is None:
        found.append(f"{REFERENCE}: no webhook came")
    n_others = sum(not one.is_ours for one in receiver.deliveries)
    return [*found, f"{n_others} webhooks without a good signature"] if n_others else found
