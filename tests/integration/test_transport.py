"""
The engine under the client on real sockets: what was surely not sent and what may have been, exactly, and nothing that
it does by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest

from jobs import answers
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account
from worker.factus.bounded_body import LARGEST_ANSWER
from worker.factus.client import FactusClient, translate
from worker.factus.rate_limit import Granted
from worker.factus.transport import Transport, translate_engine_error
from worker.settings.model import ApiLimits

METHODS = ("POST", "GET", "DELETE", "PUT", "PATCH")
TIMEOUT_S = 5.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Each connection is handled by the next of *handlers*, the last one again and again."""

    def __init__(self, *handlers) -> None:
        self.handlers = [*handlers]
        self.heads: list[bytes] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.current_task())
        handle = self.handlers.pop(0) if len(self.handlers) > 1 else self.handlers[0]
        try:
            await handle(self, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        for line in head.lower().splitlines():
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.partition(b":")[2]))
        return head


@asynccontextmanager
async def serving(*handlers, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    told = Server(*handlers)
    server = await asyncio.start_server(told.serve, "127.0.0.1", 0, ssl=tls)
    told.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield told
    finally:
        server.close()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*told.tasks)


@asynccontextmanager
async def engine(**changes) -> AsyncIterator[Transport]:
    transport = Transport(most_connections=4, **changes)
    try:
        yield transport
    finally:
        await transport.aclose()


async def call(transport, method, url, *, connect_s=TIMEOUT_S, read_s=TIMEOUT_S, **parts):
    """Status and body; or the fact that the client makes of what happened instead."""
    timeout = {"connect": connect_s, "pool": connect_s, "read": read_s, "write": read_s}
    content = parts.pop("content", None if method == "GET" else b'{"a": 1}')
    request = httpx.Request(method, url, content=content, extensions={"timeout": timeout}, **parts)
    try:
        response = await transport.handle_async_request(request)
        try:
            return response.status_code, b"".join([part async for part in response.stream])
        finally:
            await response.aclose()
    except httpx.HTTPError as exc:
        return translate(exc)


# -- every error is a fact ---------------------------------------------------------------------------------------------
def every_error() -> list[type[Exception]]:
    found, left = {TimeoutError, OSError, ConnectionResetError}, [aiohttp.ClientError]
    while left:
        found.add(one := left.pop())
        left += one.__subclasses__()
    return sorted(found, key=lambda error: error.__name__)


BEFORE_THE_FIRST_BYTE = {
    "ClientConnectorError",
    "ClientConnectorDNSError",
    "ClientConnectorSSLError",
    "ClientConnectorCertificateError",
    "ClientSSLError",
    "ClientProxyConnectionError",
    "UnixClientConnectorError",
    "ConnectionTimeoutError",
    "InvalidURL",
    "InvalidUrlClientError",
    "InvalidUrlRedirectClientError",
    "NonHttpUrlClientError",
    "NonHttpUrlRedirectClientError",
}
"""All that the engine can raise while there is no connection. What a later release adds is judged here first."""


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_each_error_of_the_engine_is_a_fact(error):
    """Only its class decides; what it says needs no more than that it can be written."""
    made = type(error.__name__, (error,), {"__init__": lambda self: None, "__str__": lambda self: "x"})()
    fact = translate(translate_engine_error(made))
    assert isinstance(fact, answers.NotSent if error.__name__ in BEFORE_THE_FIRST_BYTE else answers.Unknown)


# -- where it breaks ---------------------------------------------------------------------------------------------------
async def hang_up_at_once(server, reader, writer):
    writer.transport.abort()


async def hang_up_after_a_byte(server, reader, writer):
    await reader.readexactly(1)
    writer.transport.abort()


async def hang_up_when_all_is_read(server, reader, writer):
    await server.request(reader)
    writer.transport.abort()


async def close_in_order(server, reader, writer):
    await server.request(reader)


async def half_a_head(server, reader, writer):
    await server.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def half_a_body(server, reader, writer):
    await server.request(reader)
    writer.write(OK[:-1])
    await writer.drain()


async def never(server, reader, writer):
    await reader.read()


BREAKS = {
    "at once": hang_up_at_once,
    "after a byte": hang_up_after_a_byte,
    "when all is read": hang_up_when_all_is_read,
    "in order": close_in_order,
    "in the head": half_a_head,
    "in the body": half_a_body,
    "never": never,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
async def test_what_breaks_after_the_connection_is_unknown_and_not_repeated(method, breaks):
    async with serving(breaks) as server, engine() as transport:
        fact = await call(transport, method, server.url, read_s=0.3 if breaks is never else TIMEOUT_S)
        assert isinstance(fact, answers.Unknown), fact
        assert len(server.heads) <= 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
async def test_on_a_connection_that_was_used_before_likewise(method, breaks):
    """Where others send once more by themselves: the connection was kept, and the other side has gone."""

    async def first_well(server, reader, writer):
        await server.request(reader)
        writer.write(OK)
        await breaks(server, reader, writer)

    async def well(server, reader, writer):
        while True:
            await server.request(reader)
            writer.write(OK)

    async with serving(first_well, well) as server, engine() as transport:
        assert await call(transport, method, server.url) == (200, b"{}")
        fact = await call(transport, method, server.url, read_s=0.3 if breaks is never else TIMEOUT_S)
        # Where the engine has seen that the connection is gone it makes a new one, before anything is sent.
        assert fact == (200, b"{}") or isinstance(fact, answers.Unknown), fact
        assert len(server.heads) <= 2


SECOND = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"b":"c"}'
UNASKED = {
    "an answer": SECOND,
    "its head": SECOND.partition(b"{")[0],
    "half of its head": SECOND[:20],
    "half of its body": SECOND[:-3],
    "an idle connection's 408": b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    "a hint": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "rubbish": b"zz\r\n\r\n",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_read", [True, False], ids=["read before", "not read yet"])
@pytest.mark.parametrize("word", UNASKED.values(), ids=UNASKED)
async def test_what_comes_unasked_is_the_answer_to_nothing(word, is_read, method):
    """A connection that was kept, and on it a word that no call asked for: the next call is answered by its own."""
    kept: list[socket.socket] = []

    async def first_well(server, reader, writer):
        kept.append(writer.get_extra_info("socket"))
        await well(server, reader, writer)

    async def well(server, reader, writer):
        while True:
            await server.request(reader)
            writer.write(OK)

    async with asyncio.timeout(PATIENCE_S), serving(first_well, well) as server, engine() as transport:
        assert await call(transport, method, server.url) == (200, b"{}")
        os.write(kept[0].fileno(), word)
        if is_read:
            await asyncio.sleep(0.02)
        assert await call(transport, method, server.url) == (200, b"{}")
        assert await call(transport, method, server.url) == (200, b"{}")
        assert len(server.heads) == 3


HINT = b"HTTP/1.1 103 Early Hints\r\n\r\n"


async def test_a_few_hints_come_before_an_answer_on_each_call():
    async def hints(server, reader, writer):
        while True:
            await server.request(reader)
            writer.write(HINT * 15 + OK)

    async with serving(hints) as server, engine() as transport:
        for _ in range(3):
            assert await call(transport, "POST", server.url) == (200, b"{}")


async def test_hints_without_an_end_end_the_connection():
    """Not the deadline, until which all that comes would be kept."""

    async def hints(server, reader, writer):
        await server.request(reader)
        while True:
            writer.write(HINT * 1000)
            await writer.drain()

    async with asyncio.timeout(PATIENCE_S), serving(hints) as server, engine() as transport:
        assert isinstance(await call(transport, "POST", server.url, read_s=2 * PATIENCE_S), answers.Unknown)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_an_early_answer_to_a_large_body_is_taken_and_its_connection_ends():
    async def early(server, reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        await asyncio.sleep(0.05)
        await reader.read()

    async def well(server, reader, writer):
        await server.request(reader)
        writer.write(OK)

    async with serving(early, well) as server, engine() as transport:
        large = b"x" * 20_000_000
        assert await call(transport, "POST", server.url, content=large) == (413, b"{}")
        assert await call(transport, "POST", server.url) == (200, b"{}")


async def test_nobody_listens():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        async with engine() as transport:
            fact = await call(transport, "POST", f"http://127.0.0.1:{one.getsockname()[1]}")
    assert isinstance(fact, answers.NotSent)


async def test_a_name_that_nobody_has():
    async with engine() as transport:
        assert isinstance(await call(transport, "POST", "http://nobody.invalid"), answers.NotSent)


async def test_a_handshake_that_does_not_end():
    async with serving(never) as server, engine() as transport:
        url = server.url.replace("http://", "https://")
        assert isinstance(await call(transport, "POST", url, connect_s=0.3), answers.NotSent)
        assert server.heads == []


async def test_what_never_had_a_connection_was_not_sent_however_short_the_time_of_a_call():
    """The time for the connection is over before that of the whole call, after which nothing is known."""
    async with serving(never) as server:
        account = an_account(base_url=server.url.replace("http://", "https://"))
        client = FactusClient(account, ApiLimits(0.3, 0.3), None, None, None)
        try:
            request = client._request("POST", "/v2/bills/validate", 0.3, content=b"{}")
            assert isinstance(await client._transfer(request, 0.3, LARGEST_ANSWER, Granted(0, 1, 0.0)), answers.NotSent)
        finally:
            await client.close()
        assert server.heads == []


async def test_no_tls_where_it_is_expected():
    async def plain(server, reader, writer):
        writer.write(OK)
        await writer.drain()

    async with serving(plain) as server, engine() as transport:
        url = server.url.replace("http://", "https://")
        assert isinstance(await call(transport, "POST", url), answers.NotSent)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "mailto:x@y", "http://"])
async def test_no_address_of_the_web(url):
    async with engine() as transport:
        assert isinstance(await call(transport, "POST", url), answers.NotSent | answers.Unknown)


# -- nothing of its own ------------------------------------------------------------------------------------------------
async def test_what_is_sent_is_what_was_said():
    async def well(server, reader, writer):
        while True:
            await server.request(reader)
            writer.write(OK[:17] + b"Set-Cookie: a=b\r\n" + OK[17:])

    async with serving(well) as server, engine() as transport:
        url = httpx.URL(server.url).copy_with(raw_path=b"/v2/bills/show/A%2FB%20c?filter%5Bx%5D=1%2B1&y=%C3%B1")
        for _ in range(2):
            assert await call(transport, "GET", url, headers={"User-Agent": "ours/1", "Accept": "a/b"}) == (200, b"{}")
    for head in server.heads:
        line, *headers = head.strip().split(b"\r\n")
        assert line == b"GET /v2/bills/show/A%2FB%20c?filter%5Bx%5D=1%2B1&y=%C3%B1 HTTP/1.1"
        named = dict(header.split(b": ", 1) for header in headers)
        host = server.url.removeprefix("http://").encode()
        assert {name.lower(): value for name, value in named.items()} == {
            b"host": host,
            b"user-agent": b"ours/1",
            b"accept": b"a/b",
        }


async def test_a_redirect_is_an_answer():
    async def elsewhere(server, reader, writer):
        await server.request(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")

    async with serving(elsewhere) as server, engine() as transport:
        assert await call(transport, "GET", server.url) == (302, b"")
        assert len(server.heads) == 1


async def test_the_environment_names_no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def well(server, reader, writer):
        await server.request(reader)
        writer.write(OK)

    async with serving(well) as server, engine() as transport:
        assert await call(transport, "GET", server.url) == (200, b"{}")


async def test_an_answer_stays_packed_as_it_came():
    async def packed(server, reader, writer):
        await server.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")

    async with serving(packed) as server, engine() as transport:
        assert await call(transport, "GET", server.url) == (200, b"abc")


async def test_a_call_that_is_given_up_leaves_no_connection_behind():
    gone = asyncio.Event()

    async def waits(server, reader, writer):
        await server.request(reader)
        assert await reader.read() == b""
        gone.set()

    async with serving(waits) as server, engine() as transport:
        task = asyncio.create_task(call(transport, "POST", server.url, read_s=2 * PATIENCE_S))
        while not server.heads:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(PATIENCE_S):
            await gone.wait()
