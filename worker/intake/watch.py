"""
What became of the intake streams and the dead letters beside what the intake itself did, seen by its leader each
second.

An entry that somebody trimmed or deleted unread is a job without an event: nobody else would ever tell. A last id of
the future stops every producer. Letters that go unread are lost work. What is pushed to the own stream of an account
that no worker reads waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.asyncio import Redis

from worker.intake.policy import IntakePolicy
from worker.intake.reader import GROUP
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

log = structlog.get_logger()

_TOLD_EVERY: Final = 60
"""Looks between two log lines of a stream whose last id stays in the future."""

_UNREAD_EVERY: Final = 30
"""Looks between two of those at streams that this process does not read."""


@dataclass(slots=True)
class StreamWatch:
    """The looks of one process."""

    redis: Redis
    scripts: Scripts
    keys: Keys
    streams: Sequence[str]
    policy: IntakePolicy
    strays: Callable[[], Collection[str]]
    """Accounts whose own stream nobody reads, as far as this process knows."""

    _n_ahead: dict[str, int] = field(default_factory=dict, init=False)
    _n_looks: int = field(default=0, init=False)
    _unread: set[str] = field(default_factory=set, init=False)

    async def look(self) -> None:
        """
        Look once, and log what a person has to know; ``status`` reads the same from the facts in Redis.

        Raises:
            RedisError: No answer, or keys that hold something else.
        """
        await self._look_at_streams()
        await self._look_at_letters()
        if self._n_looks % _UNREAD_EVERY == 0:
            await self._look_at_strays()
        self._n_looks += 1

    async def _look_at_strays(self) -> None:
        """``unread:STREAM`` among the facts: how many entries, and when that was seen."""
        streams = [self.keys.jobs(name) for name in sorted(self.strays())]
        read_again, self._unread = self._unread.difference(streams), set()
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for stream in streams:
                pipe.xlen(stream)
            (seconds, _), *lengths = await pipe.execute(raise_on_error=False)
        async with self.redis.pipeline(transaction=False) as pipe:
            for stream, n in zip(streams, lengths, strict=True):
                fact = f"unread:{stream}"
                if isinstance(n, int) and n:
                    log.error("intake.stream_unread", stream=stream, n_entries=n)
                    self._unread.add(stream)
                    pipe.hset(self.keys.intake_facts(), fact, f"{n} {int(seconds) * 1000}")
                else:
                    pipe.hdel(self.keys.intake_facts(), fact)
            for stream in read_again:
                pipe.hdel(self.keys.intake_facts(), f"unread:{stream}")
            await pipe.execute()

    async def _look_at_streams(self) -> None:
        keys = {"facts": self.keys.intake_facts(), "streams": self.streams}
        args: ScriptArgs = {"group": GROUP, "ahead_ms": self.policy.ahead_ms}
        rows = await self.scripts.run("look_at_streams", keys, args)
        for stream, (n_gone, ahead_ms, was_renewed) in zip(self.streams, rows, strict=True):
            if int(n_gone):
                log.error("intake.entries_gone", stream=stream, n_entries=int(n_gone))
            if was_renewed:
                log.error("intake.stream_renewed", stream=stream, duration_ms=int(ahead_ms))
            elif int(ahead_ms):
                n = self._n_ahead[stream] = self._n_ahead.get(stream, -1) + 1
                if n % _TOLD_EVERY == 0:
                    log.error("intake.id_ahead", stream=stream, duration_ms=int(ahead_ms))
                continue
            self._n_ahead.pop(stream, None)

    async def _look_at_letters(self) -> None:
        keys = {"dead": self.keys.dead(), "denied": self.keys.denied(), "facts": self.keys.intake_facts()}
        bounds = self.policy
        args = {"most": bounds.letters, "most_bytes": bounds.letters_bytes, "most_denied": bounds.denied_letters}
        n_gone, n_denied = await self.scripts.run("trim_letters", keys, args)
        if n_gone:
            log.error("letters.trimmed", n_trimmed=int(n_gone))
        if n_denied:
            log.warning("letters.denied_trimmed", n_trimmed=int(n_denied))
