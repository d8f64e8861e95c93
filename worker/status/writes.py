"""
Whether Redis takes writes, seen without writing: for the page, which only reads.

Most of it INFO says. That too few replicas follow, or that a snapshot has failed, is no state there: but whoever is
refused is counted, and the workers try every two seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from worker.store.connection import command

_FRESH_MS: Final = 10_000
"""For so long a refusal that was counted is told: heartbeats are refused more often than that."""

_WORDS: Final = ("READONLY", "MISCONF", "OOM", "NOREPLICAS", "MASTERDOWN")


class Refused(NamedTuple):
    """Why writes are refused: the first word that Redis answers them with, and how it is known."""

    word: str
    words: str


@dataclass(slots=True)
class WritesSeen:
    """What was counted at the look before; one for all looks of a process."""

    _counts: Mapping[str, int] | None = None
    _run_id: str = ""
    _told: dict[str, int] = field(default_factory=dict)

    async def refused(self, redis: Redis, now_ms: int) -> Refused | None:
        """Why writes are refused; None when they are taken, or this user may not see it."""
        try:
            info = await command(redis, "INFO")
        except NoPermissionError:
            return None
        return self.look(info, now_ms) if isinstance(info, Mapping) else None

    def look(self, info: Mapping[str, Any], now_ms: int) -> Refused | None:
        """The same of an answer to INFO."""
        self._note(info, now_ms)
        if by_state := state_refuses(info):
            return by_state
        recent = [word for word, at_ms in self._told.items() if now_ms - at_ms < _FRESH_MS]
        return Refused(recent[0], recent[0]) if recent else None

    def _note(self, info: Mapping[str, Any], now_ms: int) -> None:
        counts = {word: _count(info, word) for word in _WORDS}
        run_id = str(info.get("run_id", ""))
        before = self._counts if run_id == self._run_id else None
        if before is not None:
            self._told |= {word: now_ms for word in _WORDS if counts[word] > before[word]}
        self._counts, self._run_id = counts, run_id


def state_refuses(info: Mapping[str, Any]) -> Refused | None:
    """What INFO says outright: a replica, a disk that takes nothing more, memory that is full."""
    if info.get("role") == "slave" and str(info.get("slave_read_only", 1)) == "1":
        return Refused("READONLY", "READONLY (role:slave)")
    if str(info.get("aof_enabled")) == "1" and info.get("aof_last_write_status") == "err":
        return Refused("MISCONF", "MISCONF (aof_last_write_status:err)")
    most = _whole(info.get("maxmemory"))
    used = _whole(info.get("used_memory")) - _whole(info.get("mem_not_counted_for_evict"))
    if most and used > most and info.get("maxmemory_policy") == "noeviction":
        return Refused("OOM", f"OOM (used_memory {used}, maxmemory {most})")
    return None


def _count(info: Mapping[str, Any], word: str) -> int:
    """How often Redis has answered with a word since it started."""
    found = info.get(f"errorstat_{word}")
    return _whole(found.get("count")) if isinstance(found, Mapping) else 0


def _whole(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return 0
