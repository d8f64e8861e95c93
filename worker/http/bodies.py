"""
The body of a request, read within bounds: its size, the time that it may take, and what all of them may hold together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from starlette.requests import Request

from worker.http.answers import Refusal, refusal, unavailable
from worker.http.places import Room
from worker.http.policy import DoorPolicy

_CLOSE: Final = {"Connection": "close"}


@asynccontextmanager
async def body_of(request: Request, room: Room, policy: DoorPolicy, most: int) -> AsyncIterator[bytes]:
    """
    The body, while the block lasts.

    Args:
        most: Bytes that it may have.

    Raises:
        Refusal: 413, 408 or 503. Of what is too large so much is read and thrown away that its sender hears the answer.
        ClientDisconnect: Its sender has gone away.
    """
    stated = _stated(request)
    with room.of(min(stated, most) if stated is not None else most) as is_free:
        if not is_free:
            raise unavailable()
        try:
            async with asyncio.timeout(policy.body_timeout_s):
                found = await _read(request, most, stated, policy.most_drained)
        except TimeoutError:
            raise refusal(408, "request.invalid", "La solicitud no llegó completa a tiempo.", headers=_CLOSE) from None
        yield found


def too_large(most: int) -> Refusal:
    return refusal(413, "envelope.invalid", f"Pesa más de {most} bytes.", field="envelope.job", headers=_CLOSE)


def _stated(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


async def _read(request: Request, most: int, stated: int | None, most_drained: int) -> bytes:
    if stated is not None and stated > most_drained:
        raise too_large(most)
    parts: list[bytes] = []
    n_bytes = 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes <= most:
            parts.append(part)
        elif n_bytes > most_drained:
            break
    if n_bytes > most:
        raise too_large(most)
    return b"".join(parts)
