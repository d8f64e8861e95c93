"""Sandboxes for tests: in process, where nothing needs a socket, and on a free loopback port, where something does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from sandbox.app import create_app
from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from tests.patience import PATIENCE_S
from tests.sandbox.api import Api, Clock

Start = Callable[..., Awaitable[Api]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def start(clock: Clock) -> AsyncIterator[Start]:
    """Starts a sandbox in process, without limit and notices unless told so, and logs in."""
    async with AsyncExitStack() as stack:

        async def begin(user: str = "acme", **settings: Any) -> Api:
            config = SandboxConfig(**{"rate_limit": 0, "notice_share": 0.0, "now": clock, **settings})
            transport = httpx.ASGITransport(app=create_app(config))
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://factus"))
            api = Api(http, user)
            await api.login()
            return api

        yield begin


@pytest.fixture
async def api(start: Start) -> Api:
    return await start()


@pytest.fixture
async def start_served() -> AsyncIterator[Start]:
    """As start, but behind uvicorn on a real socket and with the real clock."""
    async with AsyncExitStack() as stack:

        async def begin(user: str = "acme", **settings: Any) -> Api:
            config = SandboxConfig(**{"rate_limit": 0, "notice_share": 0.0, **settings})
            url = await stack.enter_async_context(serve(config))
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=PATIENCE_S))
            api = Api(http, user)
            await api.login()
            return api

        yield begin
