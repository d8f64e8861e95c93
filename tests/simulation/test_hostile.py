"""The simulation's hostility is what it says: entries that nobody may take, answers that lie about nothing."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from zoneinfo import ZoneInfo

import pytest

from jobs.entry import Entry, Refused
from jobs.intake import EntryValidator
from tests.simulation.hostile import SpoilingProxy, a_named_entry, a_nameless_entry, spoil

DESK = EntryValidator({"acme": ZoneInfo("America/Bogota")}, lambda: round(time.time() * 1000))
BODY = b'{"status":"Created","data":{"number":"SETP1","is_validated":true}}'


@pytest.mark.parametrize("seed", range(60))
def test_an_entry_with_a_name_is_refused_under_it(seed):
    raw = json.dumps(a_named_entry("bad-1", "acme", random.Random(seed))).encode()
    found = DESK.validate(Entry("s", "1-0", raw))
    assert isinstance(found, Refused)
    assert found.remains.id == "bad-1"
    assert found.errors[0].code in ("envelope.invalid", "payload.invalid")


@pytest.mark.parametrize("seed", range(30))
def test_one_without_is_refused_under_its_entry_s(seed):
    found = DESK.validate(Entry("s", "1-0", a_nameless_entry(random.Random(seed))))
    assert isinstance(found, Refused)
    assert found.remains.id == "1-0"


@pytest.mark.parametrize("path", ["/v2/bills/validate", "/oauth/token"])
def test_no_spoilt_answer_tells_another_story(path):
    for seed in range(60):
        found = spoil(path, 201, BODY, random.Random(seed))
        assert b"SETP2" not in found.body
        assert spoil(path, 404, b'{"message":"no"}', random.Random(seed)).status == 404


def test_the_proxy_spoils_until_it_is_calm(http_stub):
    proxy = SpoilingProxy(http_stub, 1, 1.0)
    try:
        assert _get(proxy.url) != (200, b"plain")
        proxy.calm()
        assert _get(proxy.url) == (200, b"plain")
        assert proxy.n_spoilt == 1
    finally:
        proxy.close()


@pytest.fixture
def http_stub() -> Iterator[str]:
    class Plain(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-length", "5")
            self.end_headers()
            self.wfile.write(b"plain")

        def log_message(self, *_args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Plain)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()
