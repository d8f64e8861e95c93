"""
A door on a socket: where it may listen, over TLS or not, and how it ends.

On another address than this machine's own it stands only behind TLS, its own or that of a proxy: tokens and passwords
travel in each request.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.routing import BaseRoute

from jobs.errors import ConfigurationError, ServiceError
from worker.guard import pause
from worker.http.app import DoorApp
from worker.http.door import Documents, Door, opened
from worker.http.policy import POLICY, DoorPolicy
from worker.http.protocol import protocol_of
from worker.metrics import endpoint as metrics
from worker.settings.model import Settings
from worker.store import connection

log = structlog.get_logger()

_BACKLOG: Final = 2048
_CERTIFICATE_LOOK_S: Final = 60.0


async def run_door(
    settings: Settings, documents: Documents, *, policy: DoorPolicy = POLICY, pages: Sequence[BaseRoute] = ()
) -> None:
    """
    Serve until SIGTERM or SIGINT: what is open is answered then, and listeners are sent away.

    Raises:
        ConfigurationError: A setting or a file cannot be used.
        ServiceError: The address is taken.
    """
    certificate = Certificate.of(settings)
    check_address(settings, certificate)
    with _stopping_on_signals() as stopping:
        async with (
            connection.server(settings.redis_url) as redis,
            opened(settings, policy, redis.url) as door,
            serving(door, documents, certificate, pages=pages) as url,
            metrics.serving(settings, redis.url, f"door-{os.getpid()}"),
        ):
            log.info("door.started", url=url, namespace=settings.namespace)
            if door.trust is None and door.users is None:
                log.warning("door.nobody", detail="nobody can come in: set FACTUS_JOBS_KEYS, or FACTUS_USERS_FILE")
            tasks = [asyncio.create_task(door.run(), name="door")]
            if certificate:
                tasks.append(asyncio.create_task(certificate.follow(stopping), name="certificate"))
            if redis.keeper:
                tasks.append(asyncio.create_task(redis.keeper.run(stopping), name="server"))
            ending = asyncio.create_task(stopping.wait())
            try:
                done, _ = await asyncio.wait([*tasks, ending], return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                stopping.set()
                door.stopping.set()
                for task in (*tasks, ending):
                    task.cancel()
                await asyncio.gather(*tasks, ending, return_exceptions=True)
    log.info("door.stopped")


@asynccontextmanager
async def serving(
    door: Door,
    documents: Documents,
    certificate: Certificate | None = None,
    *,
    pages: Sequence[BaseRoute] = (),
) -> AsyncIterator[str]:
    """
    A door in this event loop, for as long as the block lasts; its own tasks (``Door.run``) are somebody else's.

    Yields:
        Its address, once connections are accepted.

    Raises:
        ServiceError: The address cannot be listened on.
    """
    listener = _listen(door.settings.http_host, door.settings.http_port)
    server = _Server(_config(door, documents, certificate, pages))
    # Not `serve`, which takes over the signal handlers of the program around it.
    task = asyncio.create_task(server._serve([listener]))
    try:
        await server.is_listening.wait()
        yield _url(listener, "https" if certificate else "http")
    finally:
        door.stopping.set()
        server.should_exit = True
        await task
        listener.close()


@dataclass(slots=True)
class Certificate:
    """The certificate of a door: read again when its file changes, so that one that is renewed needs no restart."""

    cert: Path
    key: Path
    context: ssl.SSLContext
    _seen: tuple[float, float]

    @classmethod
    def of(cls, settings: Settings) -> Certificate | None:
        """
        What the settings name; None where they name none.

        Raises:
            ConfigurationError: It cannot be used, or one of the two files is not named.
        """
        cert, key = settings.http_cert, settings.http_cert_key
        if cert is None and key is None:
            return None
        if cert is None or key is None:
            raise ConfigurationError("FACTUS_HTTP_CERT and FACTUS_HTTP_CERT_KEY go together")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(cert, key, password=_no_password)
            seen = (cert.stat().st_mtime, key.stat().st_mtime)
        except (OSError, ValueError) as exc:  # ssl.SSLError is the first
            words = exc.strerror if isinstance(exc, OSError) else None
            raise ConfigurationError(f"FACTUS_HTTP_CERT={cert}: certificate and key cannot be used: {words}") from None
        return cls(cert, key, context, seen)

    async def follow(self, stopping: asyncio.Event, *, every_s: float = _CERTIFICATE_LOOK_S) -> None:
        """Look again and again until *stopping*."""
        while not stopping.is_set():
            await pause(stopping, every_s)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Take a new certificate; what cannot be used is told, and the one before goes on."""
        try:
            seen = (self.cert.stat().st_mtime, self.key.stat().st_mtime)
            if seen == self._seen:
                return
            self._seen = seen
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key, password=_no_password)
            self.context.load_cert_chain(self.cert, self.key, password=_no_password)
        except (OSError, ValueError) as exc:
            log.error("door.certificate_not_taken", path=str(self.cert), error=type(exc).__name__)
            return
        log.info("door.certificate_taken", path=str(self.cert))


def _no_password() -> str:
    """Without it OpenSSL would ask the terminal for the password of an encrypted key, and wait."""
    raise ValueError("the key is encrypted")


def check_address(settings: Settings, certificate: Certificate | None) -> None:
    """
    Refuse an address of others without TLS.

    Raises:
        ConfigurationError: Names what to set.
    """
    if certificate or settings.http_behind_proxy or _is_loopback(settings.http_host):
        return
    raise ConfigurationError(
        f"FACTUS_HTTP_HOST={settings.http_host}: other machines reach it, and tokens would travel in the clear: set "
        "FACTUS_HTTP_CERT and FACTUS_HTTP_CERT_KEY, or FACTUS_HTTP_BEHIND_PROXY=true behind a proxy that speaks TLS"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(uvicorn.Server):
    """uvicorn's server, with an event for "connections are accepted"."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()


def _config(
    door: Door, documents: Documents, certificate: Certificate | None, pages: Sequence[BaseRoute]
) -> uvicorn.Config:
    policy = door.policy
    config = uvicorn.Config(
        DoorApp(door, documents, pages),
        http=protocol_of(policy),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=policy.idle_timeout_s,
        timeout_graceful_shutdown=policy.drain_s,
        h11_max_incomplete_event_size=policy.most_head,
    )
    config.load()
    # What is no HTTP is answered and forgotten: whoever sends it could fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    if certificate:
        config.ssl = certificate.context
    return config


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as exc:
        raise ServiceError(f"FACTUS_HTTP_HOST={host}: {exc.strerror}") from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise ServiceError(f"FACTUS_HTTP_PORT={port}: cannot listen on {host}: {exc.strerror}") from exc
    listener.setblocking(False)
    return listener


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def _stopping_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set while the block lasts."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
