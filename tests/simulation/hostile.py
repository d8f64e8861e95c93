"""
Hostility for the simulation: entries that must be refused whatever they do to a reader, and answers of Factus that are
spoilt on their way. What Factus did stands; only what it says of it cannot be used as it is.
"""

from __future__ import annotations

import gzip
import http.client
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit

from tests.builders import a_bill

_MIB: Final = 1024 * 1024
_JSON: Final = "application/json"
_PACKED: Final = (("content-type", _JSON), ("content-encoding", "gzip"))
_PAGE: Final = (("content-type", "text/html"),)


# -- entries -----------------------------------------------------------------------------------------------------------
def a_nameless_entry(chance: random.Random) -> bytes:
    """Bytes of which nothing can be read: the answer comes under the entry's own id."""
    return chance.choice(
        [
            b"",
            b"\x00" * 40,
            b"\xff\xfe{",
            b"[" * 50_000,
            b'{"a":' * 3000 + b"1" + b"}" * 3000,
            b"[" + b"1e999," * 5000 + b"1]",
            b"x" * (_MIB + 1),
            b'{"type":' + b"9" * 30_000 + b"}",
            b'{"payload":"\\ud800"}',
            b"null",
            b'"text"',
        ]
    )


def a_named_entry(id_: str, account: str, chance: random.Random) -> dict[str, Any]:
    """An envelope with an id that can be read, and something that nobody may take."""
    bill = a_bill(reference_code=id_)
    job = {"id": id_, "type": "invoice.issue", "account": account, "payload": bill}
    changes: tuple[dict[str, Any], ...] = (
        {"issue_on": "9999-12-31"},
        {"issue_on": "0001-01-01x"},
        {"not_before": "9999-12-31T23:59:59-12:00"},
        {"expires_at": "9999-12-31T23:59:59.999999999-23:59"},
        {"batch": "b", "batch_size": 10**99},
        {"batch": "b", "batch_size": 0},
        {"options": {"archive": ["pdf"] * 20_000}},
        {"options": [{}] * 20_000},
        {"metadata": {"x": "x" * 5000}},
        {"metadata": [[]] * 10_000},
        {"priority": ["high"] * 5000},
        {f"k{n}": n for n in range(5000)},
        {"payload": bill | {"items": [{}] * 3000}},
        {"payload": bill | {f"k{n}": [] for n in range(3000)}},
        {"type": "x" * 50_000},
        {"traceparent": "0" * 10_000},
    )
    return job | chance.choice(changes)


# -- answers -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Spoilt:
    """An answer as it arrives."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", _JSON),)


_NOT_REPEATED: Final = ("email", "events")
"""In the paths of e-mails and of events on received bills."""


def spoil(path: str, status: int, body: bytes, chance: random.Random) -> Spoilt:
    """
    Make an answer one that cannot be used as it is.

    A token that is spoilt is no token; of anything else the deed is done, and a look at Factus tells so. A refusal is
    only cut: nothing may turn it into a success.
    """
    if status >= 300:
        return Spoilt(status, body[:3])
    packed = gzip.compress(body)
    kinds: tuple[Callable[[], Spoilt], ...] = (
        lambda: Spoilt(status, _with(body, "[" * 900 + "1" + "]" * 900)),
        lambda: Spoilt(status, _with(body, "9" * 20_000)),
        lambda: Spoilt(status, b"[" * 100_000),
        lambda: Spoilt(status, body[: len(body) // 2] + b"\xff\xfe"),
        lambda: Spoilt(status, packed[:-12], (("content-type", _JSON), ("content-encoding", "gzip"))),
        lambda: Spoilt(
            status, gzip.compress(b" " * 80 * _MIB, 1), (("content-type", _JSON), ("content-encoding", "gzip"))
        ),
        lambda: Spoilt(200, b"", ()),
        lambda: Spoilt(chance.choice([408, 421, 425, 500, 502, 504, 599]), b"<html>", _PAGE),
        lambda: Spoilt(422, body[:3]),
    )
    if not any(word in path for word in _NOT_REPEATED):
        # It says that the request went nowhere. Of what is sent again after it, and cannot be done twice unseen, that
        # would be a lie that no service can see through: Factus would have done it.
        kinds = (*kinds, lambda: Spoilt(chance.choice([404, 405, 410]), b"<html>no route</html>", _PAGE))
    if path.endswith("/oauth/token"):
        lives = ("-1", "1e300000000", '"3600"', "9" * 400, "null", "true")
        kinds = (
            *kinds,
            lambda: Spoilt(200, json.dumps({"access_token": "ñ\u2603", "expires_in": 3600}).encode()),
            lambda: Spoilt(200, json.dumps({"access_token": "a\r\nb: c", "expires_in": 3600}).encode()),
            lambda: Spoilt(200, f'{{"access_token":"x","expires_in":{chance.choice(lives)}}}'.encode()),
        )
    return chance.choice(kinds)()


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * 64 * _MIB, 1)


def _with(body: bytes, value: str) -> bytes:
    """The same object with one more member; what is none is only what was asked for."""
    text = body.strip()
    return text[:-1] + b',"x":' + value.encode() + b"}" if text.endswith(b"}") and len(text) > 2 else value.encode()


class SpoilingProxy:
    """Stands between workers and the sandbox; spoils a share of the answers until it is calm."""

    def __init__(self, sandbox_url: str, seed: int, share: float) -> None:
        self.share = share
        self.n_spoilt = 0
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        address = urlsplit(sandbox_url)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _forward(self) -> None:
                length = int(self.headers.get("content-length", 0))
                asked = self.rfile.read(length)
                upstream = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
                try:
                    upstream.request(self.command, self.path, asked or None, dict(self.headers.items()))
                    answer = upstream.getresponse()
                    body = answer.read()
                except (OSError, http.client.HTTPException):
                    self.close_connection = True  # the sandbox hung up: so do we
                    return
                finally:
                    upstream.close()
                found = proxy._spoilt(self.path, answer.status, body)
                headers = found.headers if found else tuple(answer.getheaders())
                self._reply(found.status if found else answer.status, headers, found.body if found else body)

            def _reply(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
                self.send_response_only(status, "X")
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _forward  # noqa: N815 - names of the standard library

            def log_message(self, *_args: object) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    self.close_connection = True  # a killed worker

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, name="spoiling", daemon=True).start()

    def _spoilt(self, path: str, status: int, body: bytes) -> Spoilt | None:
        with self._lock:
            if self._chance.random() >= self.share:
                return None
            self.n_spoilt += 1
            return spoil(path.partition("?")[0], status, body, self._chance)

    def calm(self) -> None:
        self.share = 0.0

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
