"""
An inquiry that is made again and again, in one round trip: what it asked the last time goes out with its first step.

Only the questions are kept, never what Redis said to them. What the inquiry asks beyond them costs a round trip, and
goes along the next time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from worker.store.exchange import Command
from worker.store.inquiry import Inquiry, T


class Foresight:
    """
    Sends the questions of an inquiry's last run with the first step of the next. They must be reads: one may be asked
    in vain, and one that the inquiry repeats has the reply that it had.
    """

    def __init__(self) -> None:
        self._steps: list[Sequence[Command]] = []
        """What was asked the last time, step by step; without the first step, which is known by itself."""

    def of(self, inquiry: Inquiry[T]) -> Inquiry[T]:
        """The same inquiry, in fewer steps."""
        asked: list[Sequence[Command]] = []
        try:
            first = next(inquiry)
            came = yield [*first, *chain.from_iterable(self._steps)]
            known = _Replies(self._steps, came[len(first) :])
            replies = came[: len(first)]
            while True:
                commands = inquiry.send(replies)
                asked.append(commands)
                replies = yield from known.to(commands)
        except StopIteration as done:
            self._steps = asked
            found: T = done.value
            return found


class _Replies:
    """What was answered ahead."""

    def __init__(self, steps: Sequence[Sequence[Command]], came: Sequence[Any]) -> None:
        self._left = list(steps)
        self._came = came
        self._place = 0
        self._by_command: dict[Command, Any] | None = None

    def to(self, commands: Sequence[Command]) -> Inquiry[Sequence[Any]]:
        """The replies to a step; asked for where they are not there. Others have their turn at each step, as ever."""
        if self._by_command is None:
            if self._left and commands == self._left[0]:
                yield ()
                return self._next()
            left = [*chain.from_iterable(self._left)]
            self._by_command = dict(zip(left, self._came[self._place :], strict=True))
        told = self._by_command
        missing = [command for command in commands if command not in told]
        told.update(zip(missing, (yield missing), strict=True))
        return [told[command] for command in commands]

    def _next(self) -> Sequence[Any]:
        """To a step that is the one that was asked the last time."""
        began = self._place
        self._place += len(self._left.pop(0))
        return self._came[began : self._place]
