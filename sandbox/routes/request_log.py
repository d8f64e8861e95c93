"""
A line for each request: when, who, what, how it ended and what disturbed it. For whoever develops against the sandbox.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTE: Final = "sandbox_note"
"""Member of a request's state in which a handler leaves what the log should tell: account, reference, faults."""


class RequestLog:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, write: Callable[[str], None]) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_a_look(scope):
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            self._write(_line(scope, status, time.monotonic() - begun))


def _is_a_look(scope: Scope) -> bool:
    """At the sandbox itself: health checks and tests look all the time."""
    return bool(scope["method"] == "GET" and scope["path"].startswith("/_sandbox/"))


def _line(scope: Scope, status: int, took_s: float) -> str:
    query = scope["query_string"].decode("ascii", "replace")
    target = f"{scope['path']}?{query}" if query else scope["path"]
    told = f"{status} {HTTPStatus(status).phrase}" if status else "no answer"
    note = scope.get("state", {}).get(NOTE, "")
    line = f"{_clock()} {scope['method']} {target} -> {told}, {took_s * 1000:.0f} ms {note}"
    # A path may hold anything: what would move the cursor is written as a number.
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line.rstrip())


def _clock() -> str:
    """The time of day, to the millisecond: a till's wait is told from the line before it."""
    now = time.time()
    return f"{time.strftime('%H:%M:%S', time.localtime(now))}.{int(now * 1000) % 1000:03}"
