"""
Connections to Redis: from ``FACTUS_REDIS_URL`` to a pool that survives a short outage.

``embedded:FOLDER`` starts (or joins) the bundled server. Replies are bytes. A command whose answer was lost is sent
again by redis-py, so every script of ours is safe to run twice. Blocking reads are not: XREADGROUP sent again would
leave what the lost answer held in the group's pending list, where nobody looks as long as the leader stays.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from arq.connections import ArqRedis
from redis import exceptions
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import ExponentialBackoff
from redis.connection import HiredisRespSerializer

from jobs.errors import ConfigurationError
from worker import embedded_redis
from worker.bounded_connection import bounded

EMBEDDED: Final = "embedded:"
_TRIES: Final = 8
_SOCKET_TIMEOUT_S: Final = 5.0
_BLOCKING_TIMEOUT_S: Final = 30.0
_CANCEL_AGAIN_S: Final = 0.5


def _options(*, blocking: bool) -> dict[str, Any]:
    return {
        "socket_connect_timeout": _SOCKET_TIMEOUT_S,
        "socket_timeout": _BLOCKING_TIMEOUT_S if blocking else _SOCKET_TIMEOUT_S,
        "retry": Retry(ExponentialBackoff(cap=1.0, base=0.05), 0 if blocking else _TRIES),
        "retry_on_error": [exceptions.ConnectionError, exceptions.TimeoutError, OSError],
        "health_check_interval": 0,
    }


@asynccontextmanager
async def server_url(url: str) -> AsyncIterator[str]:
    """
    The address to connect to, with the embedded server running while the context is open.

    A signal that ends the process stops the server first, if nobody else uses it (:func:`_leaving_in_order`).
    """
    if not url.startswith(EMBEDDED):
        yield url
        return
    with _leaving_in_order():
        server = embedded_redis.start(Path(url.removeprefix(EMBEDDED)))
        # No signal strikes between these lines: those that are listened to wait for the loop. What cannot be listened
        # to (kill -9, or a second Ctrl-C, which Python raises on the spot) may leave the server running, here as
        # anywhere. Nothing is lost by that: it holds its lock, whoever starts next in the folder adopts it with its
        # data, and the last to leave stops it.
        try:
            yield server.url()
        finally:
            embedded_redis.stop(server)


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


def connect(url: str, *, blocking: bool = False) -> ArqRedis:
    """
    A client with a pool of its own; nothing is sent yet.

    Args:
        blocking: For reads that wait for the server (XREADGROUP BLOCK, SUBSCRIBE): a longer read timeout, and an
            error for a lost answer: the intake then takes up what it may have held. No reply grows beyond a bound
            (``bounded_connection.py``).

    Raises:
        ConfigurationError: The URL cannot be understood.
    """
    options = _options(blocking=blocking)
    if url.startswith("sentinel://"):
        return _through_sentinel(url, options)
    try:
        pool: ConnectionPool = ConnectionPool.from_url(url, **options)
    except ValueError as exc:
        raise ConfigurationError(
            "FACTUS_REDIS_URL starts with redis://, rediss://, unix://, sentinel:// or embedded:"
        ) from exc
    pool.connection_class = _packing_in_c(pool.connection_class)
    if blocking:
        pool.connection_class = bounded(pool.connection_class)
    return ArqRedis(pool_or_conn=pool)


def _packing_in_c(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The same connection with hiredis's packer, ten times as quick; redis-py has it for synchronous ones only."""

    class QuickConnection(kind):  # type: ignore[misc, valid-type]  # the class depends on the URL's scheme
        _packer = HiredisRespSerializer()

        def pack_command(self, *args: Any) -> list[bytes]:
            packed: list[bytes] = self._packer.pack(*args)
            return packed

    return QuickConnection


def _through_sentinel(url: str, options: dict[str, Any]) -> ArqRedis:
    """``sentinel://[user:password@]host1:26379,host2:26379/SERVICE[/DB]``; the master is asked for each time."""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    if not hosts or not service or (db and not db.isdigit()):
        raise ConfigurationError("FACTUS_REDIS_URL: sentinel://host1:26379,host2:26379/SERVICE_NAME[/DB]")
    nodes = []
    for host in hosts.split(","):
        name, _, port = host.partition(":")
        nodes.append((name, int(port) if port.isdigit() else 26379))
    user, _, password = credentials.partition(":")
    login = {"username": unquote(user) or None, "password": unquote(password) or None} if credentials else {}
    sentinel_login = {name: values[0] for name, values in parse_qs(parts.query).items() if name.startswith("sentinel_")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py 5 types none of its keyword arguments
        nodes,
        sentinel_kwargs={
            "socket_timeout": _SOCKET_TIMEOUT_S,
            "username": sentinel_login.get("sentinel_username"),
            "password": sentinel_login.get("sentinel_password"),
        },
    )
    options |= {"db": int(db or 0), **login}
    found: ArqRedis = sentinel.master_for(service, redis_class=ArqRedis, **options)
    return found


async def command(client: Redis, *parts: str | int) -> Any:
    """
    The answer to any command, as the server gave it.

    Raises:
        RedisError: No answer, or a refusal.
    """
    return await client.execute_command(*parts)  # type: ignore[no-untyped-call]  # redis-py 5 leaves this one untyped


async def close(client: Redis) -> None:
    """Close a client and its pool."""
    await client.aclose(close_connection_pool=True)
