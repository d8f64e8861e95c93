"""
uvicorn's protocol with bounds that it does not have: a time for the head of a request, a number of connections, and
answers in our shape to what is no HTTP.

A connection that sends a head byte by byte, or goes on sending after it was answered, is closed when its time is up.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from worker.http.answers import AWAY, JSON, body_of, error
from worker.http.policy import DoorPolicy

_UNREADABLE: Final = body_of(
    False, "La solicitud no es HTTP que se pueda leer.", "null",
    [error("request.invalid", "La solicitud no es HTTP que se pueda leer, o su cabecera es demasiado larga.")],
)  # fmt: skip
_FULL: Final = body_of(False, AWAY, "null", [error("service.unavailable", AWAY, retryable=True)])


def protocol_of(policy: DoorPolicy) -> type[H11Protocol]:
    """The protocol with the bounds of a policy."""

    class DoorProtocol(H11Protocol):
        def __init__(
            self,
            config: Config,
            server_state: ServerState,
            app_state: dict[str, Any],
            _loop: asyncio.AbstractEventLoop | None = None,
        ) -> None:
            super().__init__(config, server_state, app_state, _loop)
            self._head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # asyncio's signature allows for pipes; of TCP it is a whole transport, which uvicorn takes as given.
            connection = cast("asyncio.Transport", transport)
            super().connection_made(connection)
            self.app_state = {**self.app_state, "abort": connection.abort}
            if len(self.connections) > policy.most_connections:
                connection.write(_plain_answer(b"503 Service Unavailable", _FULL))
                connection.close()
                return
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._unwatch_head()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if not self.transport.is_closing():
                super().data_received(data)
                self._watch_head()

        def _watch_head(self) -> None:
            """From the first byte of a head, or of what nobody asked for any more, until the head is whole."""
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is not None and not cycle.response_complete:
                self._unwatch_head()
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(policy.head_timeout_s, self.transport.abort)

        def _unwatch_head(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def on_response_complete(self) -> None:
            self._unwatch_head()
            super().on_response_complete()

        def send_400_response(self, msg: str) -> None:
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.write(_plain_answer(b"400 Bad Request", _UNREADABLE))
            self.transport.close()

    return DoorProtocol


def _plain_answer(status: bytes, body: bytes) -> bytes:
    head = (
        b"HTTP/1.1 ", status, b"\r\nContent-Type: ", JSON.encode(), b"\r\nContent-Length: ", str(len(body)).encode(),
        b"\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n", body,
    )  # fmt: skip
    return b"".join(head)
