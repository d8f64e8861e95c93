"""
The application of the door: its routes, and around all of them one shape for refusals, headers, and a line in the log.

The line has method, route, status and time: no query, no token, nothing that a path names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Final

import structlog
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import Message, Receive, Scope, Send

from worker.guard import log_unavailable
from worker.http.answers import Refusal, not_found, refusal, unavailable
from worker.http.docs_page import DocsPage
from worker.http.door import Documents, Door
from worker.http.listening import Listening
from worker.http.login import LoggingIn
from worker.http.looking import Looking
from worker.http.page.routes import page_routes
from worker.http.pushing import Pushing
from worker.http.requests import ROUTE
from worker.http.routes import PREFIX, ROUTES, Kind

log = structlog.get_logger()

_GONE: Final = 499
"""In the log: whoever asked has not waited for the answer."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DEFAULTS: Final = (
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")

Answerer = Callable[[Request], Awaitable[Response]]


class DoorApp:
    """An ASGI application."""

    def __init__(self, door: Door, documents: Documents, pages: Sequence[BaseRoute] = ()) -> None:
        """
        Args:
            pages: Further routes, for people: they come behind those of the table.
        """
        self._door = door
        self._router = Router(
            [*routes(door, documents), *page_routes(door), *pages], redirect_slashes=False, default=_nowhere
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = perf_counter()
        answering = _Answering(scope, send, self._door.policy.send_timeout_s)
        # So that the router raises for a wrong method, and does not answer in words of its own.
        scope["app"] = self
        try:
            if _has_two_lengths(scope):
                await _TWO_LENGTHS.answer()(scope, receive, answering.send)
                return
            answer = await self._answer(scope, receive, answering)
            if answer is not None and not answering.status:
                await answer(scope, receive, answering.send)
        except (ClientDisconnect, OSError):
            answering.status = answering.status or _GONE
        finally:
            self._tell(scope, answering.status, perf_counter() - began)

    async def _answer(self, scope: Scope, receive: Receive, answering: _Answering) -> Response | None:
        """Let a route answer; what is to be answered where it has refused or failed."""
        try:
            await self._router(scope, receive, answering.send)
        except Refusal as refused:
            return refused.answer()
        except HTTPException as exc:
            return _of_status(exc).answer()
        except (RedisError, ConnectionError, TimeoutError) as exc:
            if answering.status or isinstance(exc, ClientGone):
                raise
            log_unavailable("door", exc)
            return unavailable().answer()
        except (ClientDisconnect, OSError, asyncio.CancelledError):
            raise
        except Exception as exc:
            log.exception("door.defect", error=type(exc).__name__)
            if answering.status:
                raise
            return refusal(500, "service.defect", "Un defecto del servicio. Quedó en su registro.").answer()
        return None

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else "other"
        log.info(
            "door.answered",
            method=method,
            route=scope.get(ROUTE, "unknown"),
            status=status,
            duration_ms=round(seconds * 1000, 1),
        )


class ClientGone(ConnectionError):
    """Whoever asked does not take the answer."""


class _Answering:
    """Sends an answer: with the headers that all have, and not for ever to somebody who does not read it."""

    def __init__(self, scope: Scope, send: Send, timeout_s: float) -> None:
        self.status = 0
        self._scope = scope
        self._send = send
        self._timeout_s = timeout_s

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._more(message["headers"])]
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._send(message)
        except TimeoutError:
            if abort := self._scope.get("state", {}).get("abort"):
                abort()
            raise ClientGone from None

    def _more(self, given: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in given}
        more = [*_HEADERS, *(pair for pair in _DEFAULTS if pair[0] not in names)]
        return [*more, _STRICT_TRANSPORT] if self._scope.get("scheme") == "https" else more


def routes(door: Door, documents: Documents) -> list[BaseRoute]:
    """The routes of the table."""
    pushing, looking, docs = Pushing(door), Looking(door), DocsPage(documents)
    answerers: dict[Kind, Answerer] = {
        "login": LoggingIn(door).login,
        "push": pushing.push,
        "push_type": pushing.push_type,
        "job": looking.job,
        "story": looking.document,
        "file": looking.document,
        "events": Listening(door).events,
        "catalog": looking.catalog,
        "docs": docs.page,
    }
    shown = {"/openapi.json": docs.openapi, "/asyncapi.json": docs.asyncapi}
    found: list[BaseRoute] = []
    for row in ROUTES:
        # References hold slashes: what is below /documents/ is taken apart where it is answered.
        path = row.path.replace("{reference_code}", "{reference_code:path}").replace("{id}", "{id:path}")
        answerer = shown[row.path] if row.kind == "document" else answerers[row.kind]
        if row.kind != "file":
            found.append(Route(PREFIX + path, _named(row.path, answerer), methods=[row.method]))
    found.append(Route(f"{PREFIX}/docs/{{name}}", _named("/docs/{name}", docs.file), methods=["GET"]))
    return found


def _named(route: str, answerer: Answerer) -> Answerer:
    async def answer(request: Request) -> Response:
        request.scope[ROUTE] = route
        return await answerer(request)

    return answer


def _has_two_lengths(scope: Scope) -> bool:
    """Whether a body states its length in two ways: where a proxy takes the other one, one request becomes two."""
    return len({name for name, _ in scope["headers"] if name in (b"content-length", b"transfer-encoding")}) == 2


_TWO_LENGTHS: Final = refusal(
    400, "request.invalid", "Content-Length y Transfer-Encoding no van juntos.", headers={"Connection": "close"}
)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise not_found("Esta dirección no existe.")


def _of_status(exc: HTTPException) -> Refusal:
    if exc.status_code == 405:
        return refusal(405, "request.invalid", "Este método no va con esta dirección.", headers=dict(exc.headers or {}))
    return refusal(exc.status_code, "request.invalid", "La solicitud no se puede atender.")
