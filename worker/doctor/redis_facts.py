"""What ``doctor`` has seen of Redis, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """Where Redis is, by the settings: as people may see it, and what follows from it."""

    address: str
    is_sentinel: bool = False
    is_own: bool = False
    """Reached on this machine only: a socket, the embedded server, loopback."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No server that can be asked."""

    words: str
    is_login: bool = False
    """It answers, and refuses user or password."""

    is_loading: bool = False
    mend: str = ""
    """What helps, where the words do not say it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Redis's first word, and all of them, when a write would be refused."""

    word: str
    words: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What this user may do. ``missing``: commands of a worker that it may not."""

    user: str = ""
    missing: tuple[str, ...] = ()
    may_flush: bool = False
    is_known: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class RedisSeen:
    """A server that answers. None: this user may not ask."""

    info: Mapping[str, Any] | None
    clock_off_ms: float | None
    appendfsync: str | None
    min_replicas: str | None
    refusal: Refusal | None
    rights: Rights
