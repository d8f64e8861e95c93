"""
What stands in Redis, as text and numbers; and the one place that notes which keys hold something else than they should.

A hand may have written there: what cannot be read is missing, and the rest is still worth a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import ResponseError

from worker.guard import redis_word
from worker.store.exchange import Command
from worker.store.inquiry import Inquiry


class Asker:
    """Asks on behalf of one look."""

    def __init__(self) -> None:
        self._damaged: dict[str, None] = {}

    @property
    def damaged(self) -> tuple[str, ...]:
        """Keys that hold something else than they should, in the order in which they were met."""
        return tuple(self._damaged)

    def ask(self, *commands: Command) -> Inquiry[list[Any]]:
        """
        The replies; None, and noted, for a command whose key is of another kind.

        Raises:
            ResponseError: Redis refuses a command for any other reason.
        """
        replies = yield commands
        return [self.settled(command, reply) for command, reply in zip(commands, replies, strict=True)]

    def settled(self, command: Command, reply: Any) -> Any:
        """A reply to a command, as :meth:`ask` has it."""
        found = self.noted(command, reply)
        if isinstance(reply, Exception) and not _is_of_another_kind(reply):
            raise reply
        return found

    def noted(self, command: Command, reply: Any) -> Any:
        """The same for whoever goes on without what was refused: None for any error."""
        if not isinstance(reply, Exception):
            return reply
        if _is_of_another_kind(reply):
            self._damaged[str(command[2 if command[0] == "XINFO" else 1])] = None
        return None

    def all_noted(self, commands: Sequence[Command], replies: Sequence[Any]) -> Sequence[Any]:
        """The same of many."""
        if _PLAIN.issuperset(map(type, replies)):
            return replies  # as ever: there are thousands
        return [self.noted(*one) for one in zip(commands, replies, strict=True)]


_PLAIN: Final = frozenset({int, bytes, list, type(None)})
"""What no refusal is."""


def _is_of_another_kind(error: Exception) -> bool:
    return isinstance(error, ResponseError) and redis_word(error) == "WRONGTYPE"


def text(stored: bytes | None) -> str:
    return (stored or b"").decode(errors="replace")


def texts(members: Sequence[bytes] | None) -> list[str]:
    return [text(member) for member in members or ()]


def text_hash(flat: Sequence[bytes] | None) -> dict[str, str]:
    """A hash, from names and values one after the other."""
    found = flat or ()
    return {text(name): text(value) for name, value in zip(found[::2], found[1::2], strict=True)}


def scored(flat: Sequence[bytes] | None) -> list[tuple[bytes, float]]:
    """Members with their scores, from one after the other."""
    found = flat or ()
    return [(member, float(score)) for member, score in zip(found[::2], found[1::2], strict=True)]


def whole(value: Any) -> int:
    """A stored number; 0 for what is none."""
    try:
        return int(float(value or 0))
    except (ValueError, OverflowError):
        return 0
