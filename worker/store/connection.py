"""
Connections to Redis: from ``FACTUS_REDIS_URL`` to a pool that survives a short outage.

``embedded:FOLDER`` starts (or joins) the bundled server. Replies are bytes. A command whose answer was lost is sent
again by redis-py, so every script of ours is safe to run twice. Blocking reads are not: XREADGROUP sent again would
leave what the lost answer held in the group's pending list, where nobody looks as long as the leader stays.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from arq.connections import ArqRedis
from redis import exceptions
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    RedisSSLContext,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.connection import HiredisRespSerializer

from jobs.errors import ConfigurationError
from worker.addresses import RedisAddress, redis_address
from worker.guard import said_in_pipeline
from worker.store import embedded_server
from worker.store.bounded_connection import bounded
from worker.store.embedded_keeper import Keeper
from worker.store.exchange import Exchanging
from worker.store.failover import asking_each_time

EMBEDDED: Final = "embedded:"
_TRIES: Final = 8
_SOCKET_TIMEOUT_S: Final = 5.0
_BLOCKING_TIMEOUT_S: Final = 30.0
IMPATIENCE_S: Final = 3.0
_SENTINEL_TIMEOUT_S: Final = 1.0
_CANCEL_AGAIN_S: Final = 0.5
_LONGEST_WORDS: Final = 300
_IN_PIPELINE: Final = re.compile(r"Command # \d+ \(")


def _options(*, blocking: bool) -> dict[str, Any]:
    return {
        "socket_connect_timeout": _SOCKET_TIMEOUT_S,
        "socket_timeout": _BLOCKING_TIMEOUT_S if blocking else _SOCKET_TIMEOUT_S,
        "retry": Retry(ExponentialBackoff(cap=1.0, base=0.05), 0 if blocking else _TRIES),
        "retry_on_error": [exceptions.ConnectionError, exceptions.TimeoutError, OSError],
        "health_check_interval": 0,
        # CLIENT SETINFO is no right of the service's user (deploy/users.acl), and two more round trips.
        "lib_name": None,
        "lib_version": None,
    }


@dataclass(frozen=True, slots=True)
class Server:
    """Where Redis is. ``keeper`` is there for the embedded one: run beside the work, it has it live on."""

    url: str
    keeper: Keeper | None = None


@asynccontextmanager
async def server_url(url: str) -> AsyncIterator[str]:
    """The address of :func:`server`, for commands that are over before a server that ended is missed."""
    async with server(url) as found:
        yield found.url


@asynccontextmanager
async def server(url: str) -> AsyncIterator[Server]:
    """
    The server to connect to; the embedded one runs while the context is open.

    A signal that ends the process stops the server first, if nobody else uses it (:func:`_leaving_in_order`).
    """
    if not url.startswith(EMBEDDED):
        yield Server(url)
        return
    with _leaving_in_order():
        keeper = Keeper(embedded_server.start(Path(url.removeprefix(EMBEDDED))))
        # No signal strikes between these lines: those that are listened to wait for the loop. What cannot be listened
        # to (kill -9, or a second Ctrl-C, which Python raises on the spot) may leave the server running, here as
        # anywhere. Nothing is lost by that: it holds its lock, whoever starts next in the folder adopts it with its
        # data, and the last to leave stops it.
        try:
            yield Server(keeper.server.url(), keeper)
        finally:
            embedded_server.stop(keeper.server)


@contextmanager
def _leaving_in_order() -> Iterator[None]:
    """
    SIGTERM and SIGINT cancel the task while the block lasts, and end the process after it, as they would have at once.

    Where somebody listens to SIGTERM already (``run``, ``demo``) the end is theirs; outside of the main thread nobody
    can listen.
    """
    is_taken = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    if is_taken or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    told: list[signal.Signals] = []

    def cancel(number: signal.Signals) -> None:
        told.append(number)
        task.cancel()
        # Again until it is heard: redis-py sends through asyncio.wait_for, which can swallow a cancellation on Python
        # 3.11.
        loop.call_later(_CANCEL_AGAIN_S, cancel, number)

    numbers = [one for one in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(one) is not signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, cancel, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)  # back to the default, which ends the process
        if told:
            os.kill(os.getpid(), told[0])


def connect(
    url: str,
    *,
    blocking: bool = False,
    impatient: bool = False,
    impatience_s: float = IMPATIENCE_S,
    timed: bool = True,
) -> ArqRedis:
    """
    A client with a pool of its own; nothing is sent yet.

    Args:
        blocking: For reads that wait for the server (XREADGROUP BLOCK, SUBSCRIBE): a longer read timeout, and an
            error for a lost answer: the intake then takes up what it may have held. No reply grows beyond a bound
            (``bounded_connection.py``).
        impatient: For somebody who waits for an answer: an error within seconds, and nothing is ever sent again. A
            command that is not safe to run twice (XADD) may be sent with it.
        impatience_s: After how many seconds that error comes.
        timed: Each reply has a time. False for whoever puts one around a pipeline as a whole: of thousands of replies
            the clocks would cost as much as the reading.

    Raises:
        ConfigurationError: The URL cannot be understood.
    """
    options = _options(blocking=blocking)
    if impatient:
        options |= {
            "socket_connect_timeout": impatience_s,
            "socket_timeout": impatience_s,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
        }
    if not timed:
        options["socket_timeout"] = None
    try:
        address = redis_address(url)
    except ValueError as exc:
        raise ConfigurationError(f"FACTUS_REDIS_URL: {exc}") from exc
    options |= {"db": address.db, "username": address.username, "password": address.password}
    if address.uses_tls:
        options |= _tls(address)
    if address.scheme == "sentinel":
        return _through_sentinel(address, options, blocking=blocking)
    if address.scheme == "unix":
        kind: type[AbstractConnection] = UnixDomainSocketConnection
        options["path"] = address.path
    else:
        kind = SSLConnection if address.uses_tls else Connection
        ((options["host"], options["port"]),) = address.hosts
    packing = _packing_in_c(kind)
    return ArqRedis(pool_or_conn=ConnectionPool(connection_class=bounded(packing) if blocking else packing, **options))


def words_of(error: BaseException) -> str:
    """
    The class of a Redis error and Redis's own words, without what was sent: that may be an invoice.

    redis-py quotes the command in an error of a pipeline, and Redis the arguments of one that it does not know.
    """
    said = str(error)
    if _IN_PIPELINE.match(said):
        said = said_in_pipeline(said)
    said = said.partition(", with args beginning with")[0]
    said = "".join(char if char.isprintable() else " " for char in said)[:_LONGEST_WORDS].strip(" .")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _tls(address: RedisAddress) -> dict[str, Any]:
    """
    Certificate and host name are verified, always: without the name, any certificate of any host would do.

    Raises:
        ConfigurationError: A file of certificates cannot be used; names the option.
    """
    for name, path in address.tls_files.items():
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if name == "ssl_ca_certs":
                context.load_verify_locations(cafile=path)
            elif name == "ssl_certfile":
                context.load_cert_chain(path, address.tls_files.get("ssl_keyfile"))
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigurationError(f"FACTUS_REDIS_URL: {name}={path} cannot be used: {exc.strerror or exc}") from exc
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **address.tls_files}


def _packing_in_c(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """
    The same connection with hiredis's packer, ten times as quick (redis-py has it for synchronous ones only), and with
    an exchange of its own.
    """

    if issubclass(kind, SSLConnection):
        kind = _of_shared_tls(kind)

    class QuickConnection(Exchanging, kind):  # type: ignore[misc, valid-type]  # the class depends on the URL's scheme
        _packer = HiredisRespSerializer()

        def pack_command(self, *args: Any) -> list[bytes]:
            packed: list[bytes] = self._packer.pack(*args)
            return packed

    return QuickConnection


def _of_shared_tls(kind: type[SSLConnection]) -> type[SSLConnection]:
    """The same connection with a context that all share: redis-py makes one for each, and nothing runs meanwhile."""

    class SharedTlsConnection(kind):  # type: ignore[misc, valid-type]  # the class depends on the URL's scheme
        def _connection_arguments(self) -> Any:
            own = self.ssl_context
            files = (own.keyfile, own.certfile, own.ca_certs)
            own.context = _tls_context(*files, tuple(map(_changed_at, files)))
            return super()._connection_arguments()

    return SharedTlsConnection


@lru_cache(maxsize=8)
def _tls_context(
    keyfile: str | None, certfile: str | None, ca_certs: str | None, _changed: tuple[int, ...]
) -> ssl.SSLContext:
    """The context of these files as they are now. It reads all that the system trusts, which takes some 30 ms."""
    made = RedisSSLContext(
        keyfile=keyfile, certfile=certfile, ca_certs=ca_certs, cert_reqs="required", check_hostname=True
    )
    return made.get()


def _changed_at(path: str | None) -> int:
    """When a file was changed last, ns; 0 where there is none: what it is for says so."""
    try:
        return Path(path).stat().st_mtime_ns if path else 0
    except OSError:
        return 0


def _through_sentinel(address: RedisAddress, options: dict[str, Any], *, blocking: bool) -> ArqRedis:
    """
    ``sentinel://[user:password@]host1:26379,host2:26379/SERVICE[/DB]``; each new connection asks who the primary is.

    A sentinel on the host of a primary that is gone does not answer either: the next is asked soon.

    With ``?ssl=true`` both the sentinels and the master are spoken to over TLS, each under the name by which it is
    known: the sentinels have to announce host names then (``resolve-hostnames yes``, ``announce-hostnames yes``).
    """
    tls = {"ssl": True, **_tls(address)} if address.uses_tls else {}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py 5 types none of its keyword arguments
        list(address.hosts),
        sentinel_kwargs={
            "socket_timeout": _SENTINEL_TIMEOUT_S,
            "username": address.options.get("sentinel_username") or None,
            "password": address.options.get("sentinel_password") or None,
            **tls,
        },
    )
    kind = SentinelManagedSSLConnection if address.uses_tls else SentinelManagedConnection
    packing = _packing_in_c(asking_each_time(kind))
    found: ArqRedis = sentinel.master_for(
        address.path, redis_class=ArqRedis, connection_class=bounded(packing) if blocking else packing, **options
    )
    return found


async def command(client: Redis, *parts: str | bytes | int) -> Any:
    """
    The answer to any command, as the server gave it.

    Raises:
        RedisError: No answer, or a refusal.
    """
    return await client.execute_command(*parts)  # type: ignore[no-untyped-call]  # redis-py 5 leaves this one untyped


async def close(client: Redis) -> None:
    """Close a client and its pool; with Sentinel also the clients of the sentinels, which redis-py leaves open."""
    await client.aclose(close_connection_pool=True)
    pool = client.connection_pool
    for sentinel in pool.sentinel_manager.sentinels if isinstance(pool, SentinelConnectionPool) else ():
        await sentinel.aclose(close_connection_pool=True)
