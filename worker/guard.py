"""
What every loop has around it: no failure ends it, none spins, each is logged with its place and counted.

A loop works on members: lanes, batches, entries, rows. Each runs in :meth:`Guard.member`, so that one that fails keeps
no other from its turn; it rests for a pause that grows while it goes on failing. What is no matter of one member (Redis
is out of reach, or takes no writes) passes through to :meth:`Guard.iteration`, where the whole loop pauses.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self

import structlog
from redis import exceptions

from worker.failures import Failures

log = structlog.get_logger()

LONGEST_REST_S: Final = 60.0
"""How long a member that goes on failing is left alone at most."""

_FIRST_REST_S: Final = 1.0
_OUTAGE_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 10.0
"""How long a whole loop pauses at most when an iteration of it fails."""

_LONGEST_NAME: Final = 200

SERVER_WORDS: Final = frozenset(
    {
        "BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOAUTH", "NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM",
        "READONLY", "TRYAGAIN", "UNBLOCKED", "UNKILLABLE", "WRONGPASS",
    }
)  # fmt: skip
"""First words of answers that tell how the server stands, whatever it was asked."""

_LASTING_WORDS: Final = frozenset({"NOAUTH", "NOPERM", "NOSCRIPT", "WRONGPASS"})
"""Of those, what no outage is: it stays until somebody mends it, and nothing else would tell of it."""

_WORD_OF_CLASS: Final = (
    # redis-py takes the word off where it has a class for it.
    (exceptions.OutOfMemoryError, "OOM"),
    (exceptions.ReadOnlyError, "READONLY"),
    (exceptions.NoPermissionError, "NOPERM"),
    (exceptions.NoScriptError, "NOSCRIPT"),
    (exceptions.ExecAbortError, "EXECABORT"),
    (exceptions.BusyLoadingError, "LOADING"),
    (exceptions.AuthenticationError, "NOAUTH"),
)
_OF_PIPELINE: Final = "of pipeline caused error: "
_TUPLE: Final = re.compile(r"\((['\"])(.*)\1,\)", re.DOTALL)
_FIRST_WORD: Final = re.compile(r"-?([A-Z]{2,})\b")
_IN_SCRIPT: Final = re.compile(r"user_script: ?[\d?]*:? -?([A-Z]{3,}) ")
"""Before Redis 7 a script's error begins with ``ERR Error running script``, and has the word further back."""

_KEY: Final = re.compile(r"WRONGTYPE the key (.+) holds no [a-z]+\Z")
"""As ``lib/types.lua`` words it; Redis itself does not tell the key."""


def said_in_pipeline(text: str) -> str:
    """What Redis said, of the text of an error in a pipeline: redis-py writes it as a tuple behind the command."""
    said = text.rpartition(_OF_PIPELINE)[2]
    quoted = _TUPLE.fullmatch(said)
    return quoted[2] if quoted else said


def redis_word(exc: BaseException) -> str:
    """
    The first word of Redis's answer (``OOM``, ``WRONGTYPE``), which holds no value; empty when there was no answer.
    """
    for kind, word in _WORD_OF_CLASS:
        if isinstance(exc, kind):
            return word
    if not isinstance(exc, exceptions.ResponseError):
        return ""
    text = said_in_pipeline(str(exc))
    first = _FIRST_WORD.match(text)
    if first and first[1] != "ERR":
        return first[1]
    inner = _IN_SCRIPT.search(text)
    return inner[1] if inner else "ERR"


def redis_key(exc: BaseException) -> str:
    """The key that holds another type than a script of ours expects; empty when that was not it."""
    found = _KEY.search(str(exc)) if isinstance(exc, exceptions.ResponseError) else None
    return shown(found[1]) if found else ""


def is_server_state(exc: BaseException) -> bool:
    """
    Whether Redis failed for a reason of its own: out of reach, out of memory, no writes, no right. Trying again later
    helps, whatever was asked. False for what lies in the request or in the keys that it touches.
    """
    if isinstance(exc, exceptions.DataError):
        return False  # a value that the client cannot send
    if isinstance(exc, exceptions.ResponseError):
        return redis_word(exc) in SERVER_WORDS
    return isinstance(exc, exceptions.RedisError | OSError)


def shown(name: str | bytes) -> str:
    """A member's name as a log may have it: printable, of bounded length, whatever its bytes are."""
    text = name.decode(errors="backslashreplace") if isinstance(name, bytes) else name
    text = text[:_LONGEST_NAME]
    return text if text.isprintable() else ascii(text)[1:-1]


def log_unavailable(task: str, exc: BaseException, *, level: Literal["warning", "debug"] = "warning") -> None:
    """The one form of ``redis.unavailable``: Redis's first word in ``detail``, where it gave one."""
    facts = {"task": task, **_facts(exc)}
    if level == "debug":
        log.debug("redis.unavailable", **facts)
    else:
        log.warning("redis.unavailable", **facts)


@dataclass(slots=True)
class Iteration:
    """One iteration of a loop. ``pause_s`` is None when it went well, else for how long the loop has to pause."""

    guard: Guard
    pause_s: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if exc is not None and not isinstance(exc, Exception):
            return False  # a cancellation, or the end of the process
        self.pause_s = self.guard.ended_iteration(exc)
        return True


@dataclass(slots=True)
class Member:
    """The work of a loop on one of its members."""

    guard: Guard
    name: str | bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if exc is None:
            self.guard.worked(self.name)
            return True
        if not isinstance(exc, Exception) or is_server_state(exc):
            return False
        self.guard.failed_member(self.name, exc)
        return True


@dataclass(slots=True)
class _Rest:
    n_failures: int = 0
    until: float = 0.0


@dataclass(slots=True)
class Guard:
    """
    The guard of one loop of this process.

    ``failed`` counts what has failed in all loops, by task; they share the counter, and the heartbeat publishes it.
    """

    task: str
    failed: Failures = field(default_factory=Failures)
    clock: Callable[[], float] = time.monotonic
    most_remembered: int = 10_000
    """Members that have failed, of which it is known until when they rest."""
    _rests: dict[str | bytes, _Rest] = field(default_factory=dict, init=False)
    _n_failed_iterations: int = field(default=0, init=False)

    def member(self, name: str | bytes) -> Member:
        """
        Around the work on one member: a failure of it ends there.

        Raises:
            RedisError: The server's state (:func:`is_server_state`): no matter of this member.
        """
        return Member(self, name)

    def failed_member(self, name: str | bytes, exc: Exception) -> None:
        """Log and count a failure; the member rests from now on."""
        rest_s = self._note(name)
        log.error("loop.member_failed", task=self.task, member=shown(name), hold_s=rest_s, exc_info=exc, **_facts(exc))

    def worked(self, name: str | bytes) -> None:
        """Forget the failures of a member."""
        self._rests.pop(name, None)

    def fails(self, name: str | bytes, why: str) -> float:
        """Note a failure that is no exception; seconds for which the member rests now."""
        rest_s = self._note(name)
        log.error("loop.member_failed", task=self.task, member=shown(name), reason=why, hold_s=rest_s)
        return rest_s

    def rest_s(self, name: str | bytes) -> float:
        """For how many seconds a member that failed is still to be left alone; 0 for all others."""
        rest = self._rests.get(name)
        return max(rest.until - self.clock(), 0.0) if rest else 0.0

    def _note(self, name: str | bytes) -> float:
        self.failed.note(self.task)
        rest = self._rests.pop(name, None) or _Rest()
        rest_s = growing_s(rest.n_failures, LONGEST_REST_S)
        self._rests[name] = _Rest(rest.n_failures + 1, self.clock() + rest_s)
        if len(self._rests) > self.most_remembered:
            del self._rests[next(iter(self._rests))]  # the one that failed longest ago
        return rest_s

    def iteration(self) -> Iteration:
        """Around one iteration of the loop: whatever fails in it, the loop goes on, after a pause."""
        return Iteration(self)

    def ended_iteration(self, exc: Exception | None) -> float | None:
        """Log and count an iteration that failed; for how long the loop has to pause."""
        if exc is None:
            self._n_failed_iterations = 0
            return None
        is_outage = is_server_state(exc)
        if not is_outage or redis_word(exc) in _LASTING_WORDS:
            # An outage is no failure of the loop: counted, it would be told as one long after it is over.
            self.failed.note(self.task)
        if is_outage:
            log_unavailable(self.task, exc)
            return _OUTAGE_PAUSE_S
        self._n_failed_iterations += 1
        pause_s = growing_s(self._n_failed_iterations - 1, _LONGEST_PAUSE_S)
        log.error("loop.turn_failed", task=self.task, hold_s=pause_s, exc_info=exc, **_facts(exc))
        return pause_s


class Guards:
    """The guards of one process, and what has failed in all of its loops: published by the heartbeat."""

    def __init__(self) -> None:
        self.failed = Failures()

    def of(self, task: str) -> Guard:
        """The guard of a loop."""
        return Guard(task, self.failed)


def growing_s(n_failures: int, longest_s: float) -> float:
    """The pause after so many failures before this one: doubled each time, seconds."""
    return min(_FIRST_REST_S * 2.0 ** min(n_failures, 16), longest_s)


def _facts(exc: BaseException) -> dict[str, str]:
    facts = {"error": type(exc).__name__, "detail": redis_word(exc), "key": redis_key(exc)}
    return {name: value for name, value in facts.items() if value}


async def pause(stopping: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until *stopping*."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
