"""
A receiver of webhooks on a socket of its own, in this process's loop: remembers what came, answers as it is told.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.hostile import Reply, Writer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answered(status: int, *headers: str, body: bytes = b"") -> bytes:
    """A complete answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Request:
    """One request as it came."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """``replies`` are given one after the other; the last one stays."""

    replies: list[Reply] = field(default_factory=lambda: [OK])
    requests: list[Request] = field(default_factory=list)
    n_connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.n_connections += 1
        try:
            while line := await reader.readline():
                target = line.decode().split(" ")[1]
                headers = {}
                while field_line := (await reader.readline()).decode().strip():
                    name, _, value = field_line.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.requests.append(Request(target, headers, body))
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if isinstance(reply, bytes):
                    writer.write(reply)
                    await writer.drain()
                else:
                    await reply(writer)
                    return
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sender has left
        finally:
            writer.close()


@asynccontextmanager
async def receiver(
    *replies: Reply, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """One that listens while the block lasts."""
    found = Receiver([*replies] or [OK])
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await found.serve(reader, writer)
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
