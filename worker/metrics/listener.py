"""
The least of HTTP that a scrape and a health check need: GET and HEAD of three paths, one answer a connection.

Bounded in everything that a peer decides: how many connections, how long a head is, how long it takes to come and the
answer to go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import structlog

from worker.guard import shown

log = structlog.get_logger()

_MOST_HEAD: Final = 16 * 1024
_MOST_CONNECTIONS: Final = 64
_TIMEOUT_S: Final = 10.0
_PLAIN: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    content_type: str = _PLAIN


Route = Callable[[Mapping[str, str]], Awaitable[Reply]]
"""Answers a request; its argument is the header fields, names in small letters."""


@asynccontextmanager
async def listening(host: str, port: int, routes: Mapping[str, Route]) -> AsyncIterator[int | None]:
    """
    Answer on an address while the block lasts.

    Yields:
        The port; None when the address cannot be listened on. The log says so, and the process goes on without.
    """
    handler = _Handler(routes)
    try:
        server = await asyncio.start_server(handler.serve, host, port, limit=_MOST_HEAD, backlog=_MOST_CONNECTIONS)
    except OSError as exc:
        # Most often another worker of this machine has it: that one answers for the service.
        log.warning("metrics.port_taken", url=_url(host, port), detail=shown(exc.strerror or str(exc)))
        yield None
        return
    found: int = server.sockets[0].getsockname()[1]
    log.info("metrics.listening", url=_url(host, found))
    try:
        yield found
    finally:
        server.close()
        handler.close()
        await asyncio.sleep(0)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}/metrics" if ":" in host else f"http://{host}:{port}/metrics"


class _Handler:
    """Serves connections, and ends those that are open when it is closed."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes
        self._open: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._exchange(reader, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()  # nobody is there any more, or nobody who speaks HTTP
        except Exception as exc:  # a defect of ours ends this answer, and neither the listener nor the worker
            log.exception("metrics.defect", error=type(exc).__name__)
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, target = head[0].partition(" ")
        path = target.partition(" ")[0].partition("?")[0]
        reply = await self._reply(method, path, head[1:])
        body = b"" if method == "HEAD" else reply.body
        writer.write(_head(reply) + body)
        await writer.drain()

    async def _reply(self, method: str, path: str, fields: list[str]) -> Reply:
        route = self._routes.get(path)
        if route is None:
            return Reply(404, b"There are /metrics, /healthz and /readyz.\n")
        if method not in ("GET", "HEAD"):
            return Reply(405, b"GET and HEAD only.\n")
        named = (field.partition(":") for field in fields)
        return await route({name.strip().casefold(): value.strip() for name, _, value in named})


def _head(reply: Reply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {len(reply.body)}",
        *(["Allow: GET, HEAD"] if reply.status == 405 else []),
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
