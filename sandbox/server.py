"""Serving the application over real sockets: as a process, or inside a test."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sandbox.app import create_app
from sandbox.routes.request_log import RequestLog
from sandbox.state.config import SandboxConfig

# Longer than the pause between two calls of any client, so that the sandbox is not the one who hangs up.
_KEEP_ALIVE_S: Final = 75
_SHUTDOWN_S: Final = 2


class AbortableProtocol(H11Protocol):
    """uvicorn's protocol, with its transport's `abort` in the state of every request: faults that drop need it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's signature allows for pipes; of TCP it is a whole transport, which uvicorn takes as given.
        connection = cast("asyncio.Transport", transport)
        super().connection_made(connection)
        self.app_state = {**self.app_state, "abort_connection": connection.abort}


class _AnnouncingServer(uvicorn.Server):
    """uvicorn's server, with an event for "connections are accepted"."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()


def _server(config: SandboxConfig) -> _AnnouncingServer:
    return _AnnouncingServer(
        uvicorn.Config(
            _logged(create_app(config), config),
            http=AbortableProtocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )


def _logged(app: ASGIApp, config: SandboxConfig) -> ASGIApp:
    return app if config.log is None else RequestLog(app, config.log)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only where the protocol is named: without it each answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serve(config: SandboxConfig, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """
    A sandbox in this event loop, for as long as the block lasts.

    Args:
        port: 0 for a free one.

    Yields:
        The base URL, once connections are accepted.
    """
    server, listener = _server(config), _listen(host, port)
    # Not `serve`, which takes over the signal handlers of the program around it.
    serving = asyncio.create_task(server._serve([listener]))
    try:
        await server.is_listening.wait()
        yield _url(listener)
    finally:
        server.should_exit = True
        await serving
        listener.close()


def run(config: SandboxConfig, host: str = "127.0.0.1", port: int = 8400) -> None:
    """Serve until SIGINT or SIGTERM. Prints one line on standard output when ready."""
    asyncio.run(_run(config, host, port))


async def _run(config: SandboxConfig, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with serve(config, host, port) as url:
        sys.stdout.write(f"sandbox listening on {url}\n")
        sys.stdout.flush()
        await stop.wait()
