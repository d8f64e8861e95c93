"""
A connection to Redis on which no reply may grow beyond a bound.

redis-py gathers a reply until it is whole. What a producer has pushed can be half a gigabyte; the connection that waits
for it ends instead, and whoever waited reads within bounds what came.
"""

from __future__ import annotations

from typing import Any, Final

from redis._parsers import _AsyncHiredisParser
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError

LARGEST_REPLY: Final = 16 * 1024 * 1024


class ReplyTooLarge(RedisConnectionError):
    """A reply went beyond the bound; the connection is closed, and nothing of the reply is left in memory."""


def bounded(kind: type[AbstractConnection], largest: int = LARGEST_REPLY) -> type[AbstractConnection]:
    """The same connection with a bound, in bytes, for each reply."""

    class BoundedParser(_AsyncHiredisParser):
        _n_read = 0

        async def read_response(self, disable_decoding: bool = False) -> Any:
            self._n_read = 0
            return await super().read_response(disable_decoding)

        async def read_from_socket(self) -> bool:
            # As redis-py 5.3 does it, and counted.
            assert self._stream is not None
            part = await self._stream.read(self._read_size)
            if not part:
                raise RedisConnectionError("connection closed by server")
            self._n_read += len(part)
            if self._n_read > largest:
                raise ReplyTooLarge(f"a reply of more than {largest} bytes")
            self._reader.feed(part)  # type: ignore[attr-defined]  # hiredis types none of it
            return True

    class BoundedConnection(kind):  # type: ignore[misc, valid-type]  # the class depends on the URL's scheme
        exchange = None
        """What takes many replies in one go (``exchange.py``) knows no bound for each."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**{**options, "parser_class": BoundedParser})

    return BoundedConnection
