"""
The least Factus: a token, and a create that answers a recorded body after a fixed time.

It keeps when the first byte of each create came and when the answer's last byte was handed to the kernel, which the
sandbox does not. No limits, no lock, no checks: a benchmark that needs those uses the sandbox.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_EXAMPLE: Final = Path(__file__).parent.parent / "sandbox/facts/examples/bills/estandar.response.json"
_TOKEN: Final = {"token_type": "Bearer", "expires_in": 3600, "access_token": "t", "refresh_token": "r"}


@dataclass(frozen=True, slots=True)
class Create:
    """One create as the server saw it; instants of ``time.perf_counter``, which all processes of a machine share."""

    reference_code: str
    began_at: float
    ended_at: float


@dataclass
class StubFactus:
    """What the stub has seen. ``latency_s`` is how long a create takes."""

    latency_s: float = 0.0
    creates: list[Create] = field(default_factory=list)
    n_tokens: int = 0
    url: str = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve on a free port of this machine while the block lasts; yields the base URL."""
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0)
        try:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield self.url
        finally:
            server.close()

    def answer(self, path: str, body: bytes) -> tuple[int, Any, str]:
        """Status, body and reference code (empty for what is no create)."""
        if path == "/oauth/token":
            self.n_tokens += 1
            return 200, _TOKEN, ""
        if path != "/v2/bills/validate":
            return 404, {"message": "the stub knows tokens and creates"}, ""
        bill = json.loads(body)
        answer = json.loads(_EXAMPLE.read_text(encoding="utf-8"))
        customer = {**answer["data"]["customer"], "identification": bill["customer"]["identification"]}
        answer["data"] |= {
            "reference_code": bill["reference_code"],
            "number": f"SETP{990000000 + len(self.creates) + 1}",
            "customer": customer,
        }
        return 201, answer, bill["reference_code"]


class _Connection(asyncio.Protocol):
    """One connection of a client that waits for each answer before it asks again."""

    def __init__(self, stub: StubFactus) -> None:
        self._stub = stub
        self._received = b""
        self._began_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._received:
            self._began_at = time.perf_counter()
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < _length(head):
            return
        self._received = b""
        status, answer, reference_code = self._stub.answer(head.split(b" ", 2)[1].decode(), body)
        text = json.dumps(answer, ensure_ascii=False).encode()
        start = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        # From the first byte on, so that reading the request is part of the fixed time.
        delay_s = self._stub.latency_s - (time.perf_counter() - self._began_at) if reference_code else 0.0
        asyncio.get_running_loop().call_later(max(delay_s, 0.0), self._send, start.encode() + text, reference_code)

    def _send(self, answer: bytes, reference_code: str) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(answer)
        if reference_code:
            self._stub.creates.append(Create(reference_code, self._began_at, time.perf_counter()))


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
