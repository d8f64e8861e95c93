"""
What a scrape has read, as values. No I/O; ``reader.py`` fills them in, ``samples.py`` makes series of them.

Instants are milliseconds since 1970 on the Redis server's clock; None where there is none. What there are hundreds of
is a tuple, which is made in a fifth of a frozen class's time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from worker.status.facts import Overview


class LaneState(NamedTuple):
    """One lane with work. ``queue`` is its family, ``calls`` or ``control``; ``blocked`` the reason of a hold."""

    queue: str
    n_waiting: int = 0
    n_delayed: int = 0
    n_in_flight: int = 0
    oldest_ms: int | None = None
    done_ms: float | None = None
    blocked: str = ""

    @property
    def n_open(self) -> int:
        return self.n_waiting + self.n_delayed + self.n_in_flight


class RangeState(NamedTuple):
    """One numbering range in use. ``is_ending``: somebody has to act, by the rule of ``jobs/range_ends.py``."""

    family: str
    prefix: str
    n_left: int | None = None
    expires_ms: int | None = None
    is_ending: bool = False


class AccountState(NamedTuple):
    """One account. ``limit`` is None where this process has not its configuration."""

    name: str
    lanes: tuple[LaneState, ...] = ()
    blocked: str = ""
    n_used: int | None = None
    limit: int | None = None
    token_expires_ms: int | None = None
    ranges: tuple[RangeState, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupState:
    """One consumer group of a result stream (``results``, or ``results:acme``)."""

    stream: str
    group: str
    n_unread: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    The service at a glance. ``redis_fault`` is why Redis is of no use (``redis.unavailable``, ``redis.disk`` ...); with
    ``redis.unavailable`` nothing else was read. ``n_dead`` and ``n_at_risk`` are None where they could not be.
    """

    redis_fault: str = ""
    redis_words: str = ""
    has_leader: bool = False
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    accounts: tuple[AccountState, ...] = ()
    n_dead: int | None = None
    n_at_risk: int | None = None
    groups: tuple[GroupState, ...] = ()
    hooks: dict[str, int] = field(default_factory=dict)
    n_workers: int | None = None
    n_lost: int | None = None
    """Workers that ended a moment ago without a goodbye; None, as above, where this user may not see who is there."""
    overview: Overview | None = None
    """The same as ``status`` sees it, for its problems."""
    is_read: bool = True
