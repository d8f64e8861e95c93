"""
What became of the intake streams and the dead letters beside what the intake itself did, seen by its leader each
second.

An entry that somebody trimmed or deleted unread is a job without an event: nobody else would ever tell. A last id of
the future stops every producer. Letters that go unread are lost work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from worker.intake.policy import IntakePolicy
from worker.intake.reader import GROUP
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

log = structlog.get_logger()

_TOLD_EVERY: Final = 60
"""Looks between two log lines of a stream whose last id stays in the future."""


@dataclass(slots=True)
class StreamWatch:
    """The looks of one process."""

    scripts: Scripts
    keys: Keys
    streams: Sequence[str]
    policy: IntakePolicy
    _n_ahead: dict[str, int] = field(default_factory=dict, init=False)

    async def look(self) -> None:
        """
        Look once, and log what a person has to know; ``status`` reads the same from the facts in Redis.

        Raises:
            RedisError: No answer, or keys that hold something else.
        """
        await self._look_at_streams()
        await self._look_at_letters()

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
