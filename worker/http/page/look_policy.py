"""How much one look at the service reads, and how often one is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """Counts; times in seconds."""

    most_days: int = 500
    """Of ``account/day`` that are looked through; ``days_reckoned`` of them are reckoned."""
    days_reckoned: int = 20
    references: int = 8
    lanes_sampled: int = 40
    places_sampled: int = 24
    most_batches: int = 12
    events: int = 40
    own_streams: int = 100
    events_each: int = 4
    events_kept: int = 500
    letters: int = 20
    most_bytes: int = 8 * 1024 * 1024
    """Of a page of letters or events, beyond which no further one is read."""
    largest_parsed: int = 256 * 1024
    fresh_s: float = 1.0
    rest: float = 4.0
    """A look that takes long is good for so many times as long, and ``oldest_s`` at most."""
    hurry_s: float = 0.1
    """Whoever has waited so long for a look that is being made is shown the one before it."""
    oldest_s: float = 10.0
    """No older one is shown to anybody, counted from where it began."""
    patience_s: float = 15.0


POLICY: Final = LookPolicy()
