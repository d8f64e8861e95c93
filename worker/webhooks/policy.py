"""
The times and numbers of delivering that are no settings: frozen values, which tests replace and nobody patches.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.webhooks.schedule import SchedulePolicy


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """Of one process. Times end in their unit."""

    schedule: SchedulePolicy = field(default_factory=SchedulePolicy)

    page: int = 100
    """Entries of a stream that are read at once."""
    block_ms: int = 1000
    """How long a look at the streams waits for the next entry."""
    lead_ms: int = 5000
    """After this time without a sign another process reads the streams."""
    streams_s: float = 10.0
    """How often it is asked which accounts have streams of their own."""
    most_aside: int = 1000
    """Streams that are gone, of which an endpoint's place is kept all the same."""
    seen_s: float = 60.0
    """How often it is written down which endpoints a file has."""
    file_s: float = 2.0
    """How often the file is looked at."""

    most_waiting: int = 200_000
    """Deliveries of one endpoint that wait. With more, its place in the streams stands still, and events wait there."""
    most_bytes: int = 512 * 1024 * 1024
    """Of the bodies of these, as they are kept."""

    look_s: float = 1.0
    """How often a process asks which endpoints have something to do that it was not woken for."""
    spare_s: float = 15.0
    """By how much a lease is longer than an attempt may take."""
    batch_bytes: int = 4 * 1024 * 1024
    """Of bodies that are given out at once."""
    pace_after: int = 10
    pace_ms: int = 250
    """An endpoint that has failed so often in a row is asked once in so long: what waits for it costs nobody else."""
    quiet_s: float = 3600.0
    """For how long ``webhook.failing``, and ``.exhausted``, of one endpoint are not told again."""
    most_failed: int = 10_000
    failed_s: float = 30 * 86_400.0
    """Deliveries of an endpoint that have had their last attempt: how many are kept for a replay, and for how long."""

    forget_s: float = 7 * 86_400.0
    """What is kept of an endpoint that no file has had for so long is dropped."""
    drain_s: float = 30.0
    """How long attempts under way have when the process ends."""
