"""
How much the door lets happen at once, and for how long: every number that is no setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.contract.envelope import MAX_JOB_BYTES
from worker.store.connection import IMPATIENCE_S


@dataclass(frozen=True, slots=True)
class DoorPolicy:
    """Bounds of one door. Times in seconds, sizes in bytes; counts are for the whole process unless they say *each*."""

    most_connections: int = 1024
    most_head: int = 32 * 1024
    """Of a request's first line and its headers."""
    most_body: int = MAX_JOB_BYTES
    most_login_body: int = 4096
    most_drained: int = 16 * 1024 * 1024
    """What is read and thrown away of a body that is too large, so that its sender hears why."""
    most_bodies: int = 64 * 1024 * 1024
    """Of all bodies together that are being read."""
    head_timeout_s: float = 10.0
    body_timeout_s: float = 30.0
    send_timeout_s: float = 30.0
    """How long whoever does not read what he asked for holds it up."""
    idle_timeout_s: int = 30
    longest_wait_s: int = 60
    most_waits: int = 512
    most_waits_each: int = 128
    most_streams: int = 128
    most_streams_each: int = 16
    longest_stream_s: float = 3600.0
    comment_s: float = 15.0
    page_every_s: float = 2.0
    """How often what an open page shows is looked at again."""
    trust_s: float = 3.0
    """How often the token of an open stream is looked at again."""
    most_reads: int = 8
    """Looks at ledger and streams that take long, at once."""
    read_queue_s: float = 5.0
    redis_s: float = IMPATIENCE_S
    """For how long Redis is asked before a request is answered with 503."""
    drain_s: int = 10
    """How long open requests may take when the process is told to end."""


POLICY: Final = DoorPolicy()
