"""
The bounds of the intake: how much it reads, builds and keeps at once, and for how long it waits.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntakePolicy:
    """
    Sizes in bytes, times in milliseconds.

    A slice is what one script writes. It ends by number, by bytes and by time, so that neither the server nor this
    process's event loop is held for long, and the lead is renewed in between.
    """

    lease_ms: int = 5000
    block_ms: int = 400
    """How long one read waits for an entry. A worker that is asked to end waits for it; an idle one asks as often."""

    read_entries: int = 100
    read_bytes: int = 4 * 1024 * 1024
    slice_entries: int = 25
    slice_bytes: int = 1024 * 1024
    slice_ms: int = 50
    over_entries: int = 4000
    over_bytes: int = 4 * 1024 * 1024
    """How much of a backlog the server looks over at once (``worker/intake/lookout.py``): some 10 ms."""

    look_entries: int = 2000
    """How many entries are looked at closely at once: of those that may be sales, and of what stands before them."""

    ahead_entries: int = 50_000
    """How far a look goes beyond what is taken in: before each sale the server looks at all that it passes."""

    apart_bytes: int = 64 * 1024
    """From this size on an entry is examined beside the event loop: a bill of 2,000 lines takes a tenth of a second."""

    letter_bytes: int = 64 * 1024
    """What a letter keeps of an entry that is larger than a job may be, beside its size and digest."""

    letters: int = 10_000
    letters_bytes: int = 256 * 1024 * 1024
    """How many dead letters are kept, and how large all together; denied pushes go first, then the oldest."""

    denied_letters: int = 1000
    """How many of them may be denied pushes: whoever may write to the stream can make any number."""

    ahead_ms: int = 60_000
    """How far the last id of a stream may lie ahead of the clock before it is a matter of the operator's."""

    grace_ms: int = 10_000
    """How long a worker that just started waits for others before it says that nobody serves an account."""

    absence_ms: int = 60_000
    """How long a job waits for the workers of its account, where some have served it during the last day."""

    rotation_ms: int = 2000
    """How long one worker leads where others serve accounts that it does not."""

    look_ms: int = 1000
    """How often streams, letters and the other workers are looked at."""
