"""
XADD for many at once: jobs that come while a round trip is under way go together with the next one.

Nothing is sent twice. Where an answer is lost, nobody knows whether the job is in the stream: its sender is told so,
and pushes again with the same id.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from arq.connections import ArqRedis
from redis.exceptions import RedisError

from worker.store.confirmation import Confirmation

_MOST_JOBS: Final = 64
_MOST_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Waiting:
    stream: str
    fields: dict[str, bytes | str]
    entry: asyncio.Future[str]

    @property
    def size(self) -> int:
        return sum(map(len, self.fields.values()))


@dataclass(slots=True)
class Pusher:
    """Pushes jobs into the streams of one Redis."""

    redis: ArqRedis
    """One that sends nothing twice (``connect(impatient=True)``)."""
    _waiting: deque[_Waiting] = field(default_factory=deque, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)
    _confirmation: Confirmation = field(init=False)

    def __post_init__(self) -> None:
        self._confirmation = Confirmation(self.redis)

    async def push(self, stream: str, fields: dict[str, bytes | str]) -> str:
        """
        The id of the entry. A caller that is cancelled has pushed all the same.

        Raises:
            RedisError: It may be in the stream, or not; behind sentinels, it is and no replica has confirmed it.
        """
        one = _Waiting(stream, fields, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        if self._task is None:
            self._task = asyncio.create_task(self._push_all(), name="pusher")
        return await one.entry

    async def _push_all(self) -> None:
        try:
            while self._waiting:
                together = self._next()
                try:
                    await self._push_together(together)
                except (RedisError, OSError) as exc:
                    for one in together:
                        if not one.entry.done():
                            one.entry.set_exception(exc)
        finally:
            self._task = None

    def _next(self) -> list[_Waiting]:
        found, n_bytes = [self._waiting.popleft()], 0
        while self._waiting and len(found) < _MOST_JOBS and n_bytes < _MOST_BYTES:
            found.append(self._waiting.popleft())
            n_bytes += found[-1].size
        return found

    async def _push_together(self, together: list[_Waiting]) -> None:
        async with self.redis.pipeline(transaction=False) as pipe:
            for one in together:
                pipe.xadd(one.stream, dict[Any, Any](one.fields))
            self._confirmation.ask(pipe)
            # Not the first error raised: redis-py writes the whole command into it, and that is the invoice.
            answers = await pipe.execute(raise_on_error=False)
        await self._confirmation.check(answers[len(together) :])
        del answers[len(together) :]
        for one, answer in zip(together, answers, strict=True):
            if one.entry.done():
                continue
            if isinstance(answer, Exception):
                one.entry.set_exception(answer)
            else:
                one.entry.set_result(answer.decode())
