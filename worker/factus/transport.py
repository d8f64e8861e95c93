"""
How a request goes over the network: aiohttp's engine behind httpx's interface.

httpx's own engine takes 1.2 ms of processor time for a call, this one 0.4 (docs/decisions/0025). What this module owes
to the rest is one fact, exact in each error: that nothing can have been sent, or that it may have been.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import AsyncIterator
from functools import cache, partial
from typing import TYPE_CHECKING, Final, cast

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ConnectionKey
    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader
    from aiohttp.tracing import Trace

_KEEP_ALIVE_S: Final = 30.0
_LONGEST_LINE: Final = 64 * 1024
"""Bytes of the status line, and of one header. aiohttp's own bound is 8 KiB: a proxy's policy header may be longer."""

_MOST_INTERIM: Final = 20
"""Answers of the kind 1xx before the one that counts. aiohttp has no bound, and keeps what it has not looked at yet."""

_READ_BYTES: Final = 64 * 1024
"""What is read ahead of whoever reads the body."""


@cache
def tls_context() -> ssl.SSLContext:
    """One for all accounts of the process: loading the certificates takes 26 ms and half a megabyte each time."""
    return httpx.create_ssl_context(trust_env=False)


def translate_engine_error(error: Exception) -> httpx.TransportError:
    """
    An error of the engine as one of httpx.

    Only what fails before there is a connection is a ``ConnectError`` or ``ConnectTimeout``: nothing was sent. Whatever
    else happens may have happened after the first byte, and is told as an answer that was lost.
    """
    text = f"{type(error).__name__}: {error}"
    match error:
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(text)
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(text)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return httpx.UnsupportedProtocol(text)
        case aiohttp.SocketTimeoutError() | TimeoutError():
            return httpx.ReadTimeout(text)
        case aiohttp.ClientResponseError() | aiohttp.ServerDisconnectedError():
            return httpx.RemoteProtocolError(text)
        case _:
            return httpx.ReadError(text)


_ERRORS: Final = (aiohttp.ClientError, TimeoutError, OSError)


class _Body(httpx.AsyncByteStream):
    """The bytes of a body as they come, packed as they are."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.content.iter_any():
                yield part
        except _ERRORS as exc:
            raise translate_engine_error(exc) from exc

    async def aclose(self) -> None:
        # One that was read to its end has given its connection back; any other ends with its connection.
        self._response.close()


class _Protocol(ResponseHandler):
    """The engine's side of one connection. What comes while nothing was asked ends it, and hints without an end do."""

    is_idle = False
    _n_interim = 0

    def begin(self) -> None:
        """A call is made on this connection."""
        self.is_idle = False
        self._n_interim = 0

    def data_received(self, data: bytes) -> None:
        if not self.is_idle:
            super().data_received(data)
        elif data:  # nothing at all is how the engine looks whether it held something back
            self.close()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        if 100 <= data[0].code < 200:
            self._n_interim += 1
        if self._n_interim <= _MOST_INTERIM:
            super().feed_data(data, size)
        else:
            self.abort()


class _Connector(aiohttp.TCPConnector):
    """
    Keeps connections, but none on which something came unasked: a proxy's 408, an answer that comes twice.

    aiohttp would give it to the next call, as the answer to that.
    """

    def __init__(self, *, limit: int, verify: ssl.SSLContext, keep_alive_s: float) -> None:
        super().__init__(limit=limit, keepalive_timeout=keep_alive_s, ssl=verify)
        self._factory = cast("partial[ResponseHandler]", partial(_Protocol, loop=asyncio.get_running_loop()))

    def _release(self, key: ConnectionKey, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        assert isinstance(protocol, _Protocol)
        protocol.is_idle = True
        super()._release(key, protocol, should_close=should_close)

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while (connection := await super()._get(key, traces)) is not None:
            protocol = connection.protocol
            assert isinstance(protocol, _Protocol)
            if not _has_word(connection):
                protocol.begin()
                return connection
            connection.close()
        return None


def _has_word(connection: Connection) -> bool:
    """Whether bytes, or the other side's end, have come and wait to be read."""
    assert connection.transport is not None
    poll = select.poll()
    poll.register(connection.transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Transport(httpx.AsyncBaseTransport):
    """The connections of one account, a few at a time. Nothing is repeated, redirected or remembered here."""

    def __init__(self, *, most_connections: int, verify: ssl.SSLContext | None = None) -> None:
        self._most_connections = most_connections
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send, and read the head of the answer.

        Raises:
            httpx.TransportError: As :func:`translate_engine_error` says.
        """
        timeout = request.extensions["timeout"]
        try:
            response = await self._of_this_loop().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=request.headers,
                data=request.content or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=timeout["connect"], sock_read=timeout["read"]),
            )
        except _ERRORS as exc:
            raise translate_engine_error(exc) from exc
        return httpx.Response(
            response.status, headers=list(response.raw_headers), stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _of_this_loop(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = hardened_session(self._most_connections, self._verify or tls_context())
        return self._session


def hardened_session(
    most_connections: int, verify: ssl.SSLContext, *, keep_alive_s: float = _KEEP_ALIVE_S
) -> aiohttp.ClientSession:
    """
    A session of the engine for whoever speaks to a server that may do anything: no cookies, no proxy, no answer that
    came unasked, no call sent twice, bounds on heads and hints.

    Args:
        most_connections: 0 for no bound.
    """
    session = aiohttp.ClientSession(
        connector=_Connector(limit=most_connections, verify=verify, keep_alive_s=keep_alive_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=_READ_BYTES,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    )
    # aiohttp sends a GET, PUT or DELETE once more by itself when the other side had closed the connection. Each call
    # has a permit of its own, and a DELETE that is sent again may take what came in between: never below us.
    session._retry_connection = False
    return session
