"""
A Redis that answers and takes no writes: told once with Redis's own word and what mends it, and again when it is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from redis.exceptions import RedisError

from worker.guard import redis_word
from worker.store.connection import words_of

log = structlog.get_logger()

_MENDS: Final = {
    "OOM": "its memory is full: raise maxmemory, or remove what is not needed; nothing is evicted",
    "MISCONF": "it cannot write to its disk: make room, or mend the disk; its log says more",
    "READONLY": "it is a replica: point FACTUS_REDIS_URL at the primary, or at the sentinels",
    "NOREPLICAS": "too few replicas follow it (min-replicas-to-write): bring them back",
    "MASTERDOWN": "it is a replica without its primary: bring the primary back",
    "NOPERM": "its user lacks a right: see deploy/users.acl",
    "NOAUTH": "it does not know user and password: set them in FACTUS_REDIS_URL",
    "WRONGTYPE": "a key of the service holds something else: see factus-worker status",
    "LOADING": "it is loading its data: wait",
    "BUSY": "a script runs for long: its log says which",
}


_SILENCE_TOLD: Final = 2
_UNREACHABLE: Final = (
    "it does not answer: see that it runs, and FACTUS_REDIS_URL; nothing is lost, work goes on with it"
)


def mend_of(word: str) -> str:
    """What helps against a refusal."""
    return _MENDS.get(word, "see the log of Redis")


class RefusalWatch:
    """Tells of the writes of one process as they begin to be refused, and as they are taken again."""

    def __init__(self) -> None:
        self._word = ""
        self._n_silent = 0

    @contextmanager
    def told(self) -> Iterator[None]:
        """Around a write: what came of it is told, and an error goes on."""
        try:
            yield
        except RedisError as exc:
            self.failed(exc)
            raise
        self.succeeded()

    def failed(self, error: RedisError) -> None:
        """A write had an error. Silence is told once it has lasted for two writes: a failover is shorter."""
        word = redis_word(error)
        self._n_silent = 0 if word else self._n_silent + 1
        if self._n_silent == _SILENCE_TOLD:
            log.error("redis.unreachable", error=type(error).__name__, detail=_UNREACHABLE)
        if word and word != self._word:
            self._word = word
            log.error("redis.writes_refused", error=word, reason=words_of(error), detail=mend_of(word))

    def succeeded(self) -> None:
        if self._n_silent >= _SILENCE_TOLD:
            log.warning("redis.reachable")
        self._n_silent = 0
        if self._word:
            log.warning("redis.writes_taken", error=self._word)
            self._word = ""
