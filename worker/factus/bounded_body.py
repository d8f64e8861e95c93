"""
Bodies of answers, read with bounds: bytes counted as they come and as they unpack, and memory shared by all accounts.

A body of one megabyte of gzip may hold a gigabyte; eight downloads for each of ten accounts may come at once. What is
larger than most answers waits for its share of one allowance of memory in the process, and has it until the attempt
that asked for it is over.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterable, Iterator
from typing import Final

LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer, unpacked: a document of 5,000 lines has less."""

LARGEST_FILE: Final = 32 * 1024 * 1024
"""Bytes of an answer that brings a file, as base64."""

_SMALL: Final = 64 * 1024
"""Up to here an answer needs no share: as nearly all."""

_COPIES: Final = 4
"""How often a body lies in memory at most: as it came, as text, as a value of it, and as the file."""

_VALUES: Final = 24 * 1024 * 1024
"""What an answer of many small values takes beside that (schemas.strict_json.MOST_ANSWER_VALUES)."""

_MEMORY: Final = 200 * 1024 * 1024
_STEP: Final = 256 * 1024
_STEPS_AT_ONCE: Final = 100
"""A chunk may hold ten thousand members of gzip with nothing in them."""


class Room:
    """
    Memory for large answers: shares in the order in which they were asked for.

    A share belongs to the task that asked, and is given back when it ends: an attempt holds what it has read until its
    end is written. A task has one share, the largest that it asked for, and waits for the first only.
    """

    def __init__(self, size: int = _MEMORY) -> None:
        self._size = size
        self._used = 0
        self._shares: dict[asyncio.Task[object], int] = {}
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used(self) -> int:
        return self._used

    async def enter(self, limit: int) -> None:
        """Wait for the share of an answer of at most *limit* bytes."""
        owner = asyncio.current_task()
        assert owner is not None
        size = min(_COPIES * limit + min(_VALUES, 16 * limit), self._size)
        if owner in self._shares:
            more = max(size - self._shares[owner], 0)
            self._shares[owner] += more
            self._used += more  # beyond the allowance for a moment, rather than two that wait for each other
            return
        if self._waiting or self._used + size > self._size:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give_back(size)  # it came in the very moment in which nobody wanted it any more
                else:
                    self._admit()
                raise
        else:
            self._used += size
        self._shares[owner] = size
        owner.add_done_callback(self._leave)

    def _leave(self, owner: asyncio.Task[object]) -> None:
        self._give_back(self._shares.pop(owner))

    def _give_back(self, size: int) -> None:
        self._used -= size
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if turn.done():  # whoever waited has gone
                self._waiting.popleft()
            elif self._used + size <= self._size:
                self._waiting.popleft()
                self._used += size
                turn.set_result(None)
            else:
                return


async def read_bounded(
    stream: AsyncIterable[bytes], *, encoding: str, length: int | None, limit: int, room: Room
) -> tuple[bytes, bool]:
    """
    The bytes of a body, unpacked.

    Args:
        encoding: ``Content-Encoding``; one that is not ``gzip`` or ``deflate`` is not read.
        length: ``Content-Length``, where there is one.
        limit: Bytes, as they come and unpacked.

    Returns:
        The bytes, and whether they are all: not what is too large, or packed in a way that is none.
    """
    unpack = _unpacker(encoding)
    if unpack is None or (length is not None and length > limit):
        return b"", False
    share = limit if length is None or encoding else length
    held, n_raw, n_steps = bytearray(), 0, 0  # chunks of two bytes, kept one by one, would take twenty times the room
    async for chunk in stream:
        n_raw += len(chunk)
        if n_raw > limit:
            return b"", False
        try:
            for part in unpack.parts(chunk):
                if len(held) + len(part) > limit:
                    return b"", False
                if len(held) + len(part) > _SMALL:
                    await room.enter(share)
                held += part
                n_steps += 1
                if len(part) == _STEP or n_steps % _STEPS_AT_ONCE == 0:
                    await asyncio.sleep(0)  # unpacking must not hold up the others
        except zlib.error:
            return b"", False
    return bytes(held), unpack.is_whole


class _Plain:
    is_whole = True

    def parts(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


class _Packed:
    """gzip (several members too) or deflate (with and without its header), a step at a time."""

    def __init__(self, encoding: str) -> None:
        self._is_gzip = encoding == "gzip"
        self._begin()
        self._is_first = True

    def _begin(self) -> None:
        self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS if self._is_gzip else zlib.MAX_WBITS)

    @property
    def is_whole(self) -> bool:
        return self._unpack.eof

    def parts(self, chunk: bytes) -> Iterator[bytes]:
        left = chunk
        while left:
            if self._unpack.eof:
                if not self._is_gzip:
                    return  # what follows the end of a body is not of it
                self._begin()
            yield self._step(left)
            left = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail

    def _step(self, left: bytes) -> bytes:
        try:
            return self._unpack.decompress(left, _STEP)
        except zlib.error:
            if self._is_gzip or not self._is_first:
                raise
            self._unpack = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._unpack.decompress(left, _STEP)
        finally:
            self._is_first = False


def _unpacker(encoding: str) -> _Plain | _Packed | None:
    if encoding in ("", "identity"):
        return _Plain()
    return _Packed(encoding.removeprefix("x-")) if encoding.removeprefix("x-") in ("gzip", "deflate") else None
