"""Clients that die in the middle of a request."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from sandbox.routes import middleware
from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from tests.service_processes import get_json


async def test_a_client_that_hangs_up_in_its_body_leaves_nothing_behind(capfd, monkeypatch):
    """A worker killed by -9: half a body arrived, so Factus has nothing, and the sandbox logs no exception."""
    is_reading, is_given_up = asyncio.Event(), asyncio.Event()
    read_body = middleware.read_body

    async def seen_reading(request):
        is_reading.set()
        try:
            return await read_body(request)
        except ClientDisconnect:
            is_given_up.set()
            raise

    monkeypatch.setattr(middleware, "read_body", seen_reading)
    form = "grant_type=password&client_id=x&client_secret=x&username=acme&password=x"
    async with serve(SandboxConfig()) as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            f"POST /oauth/token HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form}".encode()
        )
        token = (await reader.read()).split(b'"access_token":"')[1].split(b'"')[0].decode()
        writer.close()
        _, writer = await asyncio.open_connection(host, port)
        head = f"POST /v2/bills/validate HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\nAuthorization: Bearer {token}\r\n"
        writer.write(f'{head}Content-Length: 5000\r\n\r\n{{"reference_code":'.encode())
        await writer.drain()
        await asyncio.wait_for(is_reading.wait(), 40)
        writer.transport.abort()
        await asyncio.wait_for(is_given_up.wait(), 40)
        report = await asyncio.to_thread(get_json, f"{url}/_sandbox/report")
    # Leaving the block waits for the request to end, so whatever it logs has been logged.
    assert report["totals"]["stored"] == 0
    assert "Traceback" not in "".join(capfd.readouterr())
