"""
Many things read with few round trips: each reader is written one step after the other, and all of them go in step.

An inquiry is a generator: it yields commands, is sent their replies in the same order, and returns what it has found
out. It does no I/O itself, and needs none to be tested. A step of all that go together is one pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Sequence
from typing import Any, TypeVar, overload

from redis.asyncio import Redis

from worker.store.exchange import Command, exchange

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

Inquiry = Generator[Sequence[Command], Sequence[Any], T]
"""What yields commands, is sent a reply for each (an error where it was refused), and returns a value."""


async def answered(redis: Redis, inquiry: Inquiry[T]) -> T:
    """
    What an inquiry finds out.

    Raises:
        RedisError: No answer; what a single command was refused with is the inquiry's own matter.
    """
    try:
        commands = next(inquiry)
        while True:
            commands = inquiry.send(await exchange(redis, commands) if commands else await _breath())
    except StopIteration as done:
        found: T = done.value
        return found


async def _breath() -> Sequence[Any]:
    """Whoever asks nothing lets others have their turn."""
    await asyncio.sleep(0)
    return ()


def asked(*commands: Command) -> Inquiry[list[Any]]:
    """
    The replies to commands none of which may be refused.

    Raises:
        ResponseError: One was.
    """
    replies = yield commands
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return list(replies)


def each(inquiries: Iterable[Inquiry[T]]) -> Inquiry[list[T]]:
    """All of them in step: as many round trips as the longest of them needs."""
    started = list(inquiries)
    found: dict[int, T] = {}
    open_: dict[int, Sequence[Command]] = {}
    replies: dict[int, Sequence[Any] | None] = dict.fromkeys(range(len(started)))
    while True:
        for n, reply in replies.items():
            try:
                open_[n] = started[n].send(reply)  # type: ignore[arg-type]  # None starts a generator
            except StopIteration as done:
                found[n] = done.value
                open_.pop(n, None)
        if not open_:
            return [found[n] for n in range(len(started))]
        came = yield [command for commands in open_.values() for command in commands]
        first = 0
        replies = {}
        for n, commands in open_.items():
            replies[n] = came[first : first + len(commands)]
            first += len(commands)


@overload
def together(a: Inquiry[A], b: Inquiry[B], /) -> Inquiry[tuple[A, B]]: ...
@overload
def together(a: Inquiry[A], b: Inquiry[B], c: Inquiry[C], /) -> Inquiry[tuple[A, B, C]]: ...
@overload
def together(a: Inquiry[A], b: Inquiry[B], c: Inquiry[C], d: Inquiry[D], /) -> Inquiry[tuple[A, B, C, D]]: ...
def together(*inquiries: Inquiry[Any]) -> Inquiry[Any]:
    """The same of a few that return different things."""
    return tuple((yield from each(inquiries)))
