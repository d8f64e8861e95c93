"""
A tiny server that answers as it is told: any bytes, at any speed. On a socket of its own, in this process's loop.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.patience import PATIENCE_S

Writer = asyncio.StreamWriter
Reply = bytes | Callable[[Writer], Awaitable[None]]

TOKEN = {"token_type": "Bearer", "expires_in": 3600, "access_token": "a-token-of-ours", "refresh_token": "r"}
EMPTY_LIST = {"status": "OK", "message": "ok", "data": {"data": [], "pagination": {"total": 0, "last_page": 1}}}


def whole(status: int, body: bytes | object = b"", *headers: str, content_type: str = "application/json") -> bytes:
    """A complete answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {content_type}", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def page(status: int) -> bytes:
    return whole(status, f"<html><h1>{status}</h1><hr>nginx</html>".encode(), content_type="text/html")


def stream(head: bytes, part: bytes, n: int, pause_s: float = 0.0) -> Reply:
    """A head, then the same part *n* times, a pause of *pause_s* after each."""

    async def send(writer: Writer) -> None:
        writer.write(head)
        for _ in range(n):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return send


async def silence(writer: Writer) -> None:
    """No answer for longer than anybody waits (``LATE_S`` of ``tests/patience.py``)."""
    await asyncio.sleep(60)


async def hang_up(writer: Writer) -> None:
    """The connection is reset without an answer."""
    writer.transport.abort()


@dataclass
class Hostile:
    """``replies``: by ``METHOD /path`` (without its query, or ``METHOD`` alone): what is answered, again and again."""

    replies: dict[str, Reply] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""
    _awaited: list[tuple[str, int, asyncio.Future[None]]] = field(default_factory=list)

    def reply_to(self, method: str, path: str) -> Reply:
        defaults: dict[str, Reply] = {"POST /oauth/token": whole(200, TOKEN), "GET": whole(200, EMPTY_LIST)}
        for held in (self.replies, defaults):
            for name in (f"{method} {path}", method):
                if name in held:
                    return held[name]
        return page(502)

    async def was_asked(self, name: str, n: int = 1, *, timeout_s: float = PATIENCE_S) -> None:
        """Wait until ``METHOD /path`` has been asked *n* times."""
        if self.asked[name] < n:
            found: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._awaited.append((name, n, found))
            async with asyncio.timeout(timeout_s):
                await found

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split(" ", 2)
                length = 0
                while (header := await reader.readline()).strip():
                    name, _, value = header.decode().partition(":")
                    length = int(value) if name.casefold() == "content-length" else length
                await reader.readexactly(length)
                path = target.partition("?")[0]
                self._note(f"{method} {path}")
                reply = self.reply_to(method, path)
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                else:
                    await reply(writer)
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    def _note(self, name: str) -> None:
        self.asked[name] += 1
        for awaited, n, found in self._awaited:
            if awaited == name and self.asked[name] >= n and not found.done():
                found.set_result(None)


@asynccontextmanager
async def hostile() -> AsyncIterator[Hostile]:
    """The server while the block lasts."""
    told = Hostile()
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0)
    told.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield told
    finally:
        server.close()
