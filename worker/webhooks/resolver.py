"""
The addresses of a name, asked for afresh in each attempt.

The system's resolver can take half a minute, and cannot be stopped. So each question has a thread of its own, and each
endpoint a few at most: one whose name servers are dead keeps nobody else's questions waiting, nor the end of the
process.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

_MOST_AT_ONCE: Final = 8
"""Questions of one endpoint that have no answer yet."""

Resolve = Callable[[str, str, int], Awaitable[list[str]]]
"""Endpoint, host and port to the host's addresses. Raises OSError where there are none."""


class Resolver:
    """The system's resolver."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()

    async def __call__(self, endpoint: str, host: str, port: int) -> list[str]:
        if self._under_way[endpoint] >= _MOST_AT_ONCE:
            raise OSError("its name servers do not answer")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()
        self._under_way[endpoint] += 1

        def done(addresses: list[str], error: OSError | None) -> None:
            self._under_way[endpoint] -= 1
            if found.done():
                return  # whoever asked has given up
            if error:
                found.set_exception(error)
            else:
                found.set_result(addresses)

        def ask() -> None:
            addresses, error = _ask(host, port)
            try:
                loop.call_soon_threadsafe(done, addresses, error)
            except RuntimeError:
                return  # the process has ended meanwhile

        try:
            threading.Thread(target=ask, name=f"resolve-{endpoint}", daemon=True).start()
        except RuntimeError as exc:  # the process may have no more of them
            self._under_way[endpoint] -= 1
            raise OSError("no thread to ask for its addresses") from exc
        return await found


def _ask(host: str, port: int) -> tuple[list[str], OSError | None]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        return [], exc
    except (UnicodeError, ValueError):
        return [], OSError("no name that can be asked for")
    return list(dict.fromkeys(str(row[4][0]) for row in rows)), None
