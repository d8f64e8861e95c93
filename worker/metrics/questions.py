"""Questions to Redis in pipelines, and what is done with the answers: the ways of reading that scrapes have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis

from worker.guard import redis_word

_SLICE: Final = 500


@dataclass(slots=True)
class Questions:
    """
    Pipelines: each question with what is to be done with its answer.

    In slices, because the answers to one pipeline are read in one go: a thousand accounts would hold the loop of a
    worker for a second.
    """

    redis: Redis
    asked: list[tuple[Callable[[Any], None], tuple[str | int, ...], dict[str, Any]]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    """Keys that hold something else than they should."""

    def ask(self, taker: Callable[[Any], None], *parts: str | int, **options: Any) -> None:
        """
        Ask with the next :meth:`run`.

        Args:
            options: How redis-py reads the answer.
        """
        self.asked.append((taker, parts, options))

    async def run(self) -> None:
        for first in range(0, len(self.asked), _SLICE):
            some = self.asked[first : first + _SLICE]
            pipe = self.redis.pipeline(transaction=False)
            for _, parts, options in some:
                pipe.execute_command(*parts, **options)
            for (taker, parts, _), answer in zip(some, await pipe.execute(raise_on_error=False), strict=True):
                if not isinstance(answer, Exception):
                    taker(answer)
                elif redis_word(answer) == "WRONGTYPE":
                    self.damaged.append(str(parts[1]))
            await asyncio.sleep(0)


# -- the shape of answers --------------------------------------------------------------------------------------------
def about(flat: Any) -> dict[str, Any]:
    """A reply of names and values; redis-py has read some of them already."""
    if isinstance(flat, Mapping):
        return {text(name): value for name, value in flat.items()}
    return {text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def rows(reply: Any) -> list[tuple[bytes, bytes]]:
    if isinstance(reply, Mapping):
        return list(reply.items())
    flat = listed(reply)
    return list(zip(flat[::2], flat[1::2], strict=False))


def listed(reply: Any) -> list[Any]:
    """Members of a set or list; none where the reply is an error."""
    return list(reply) if isinstance(reply, list | tuple | set | frozenset) else []


def whole(value: Any) -> int:
    try:
        return int(float(value or 0))
    except (ValueError, OverflowError):
        return 0


# -- what is done with an answer ---------------------------------------------------------------------------------------
def attribute(of: object, name: str) -> Callable[[Any], None]:
    return lambda answer: setattr(of, name, answer)


def into(place: Any, key: Any) -> Callable[[Any], None]:
    def take(answer: Any) -> None:
        place[key] = answer

    return take


def scored(answer: Any) -> list[tuple[bytes, float]]:
    """Members with their scores: in pairs where redis-py has read them, one after the other where it has not."""
    if answer and isinstance(answer[0], tuple | list):
        return [(member, float(score)) for member, score in answer]
    return [(member, float(score)) for member, score in zip(answer[::2], answer[1::2], strict=True)]
