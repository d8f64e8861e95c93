"""Who reads the results, and how far each is behind."""

from __future__ import annotations

from collections.abc import Sequence

from worker.queue.consumer_lag import GroupLag, group_lags
from worker.status.stored import Asker
from worker.store.inquiry import Inquiry


def groups_seen(asker: Asker, streams: Sequence[str], maxlen: int) -> Inquiry[tuple[GroupLag, ...]]:
    """The consumer groups of the streams, with what they have not acknowledged."""
    lengths = yield from asker.ask(*(("XLEN", stream) for stream in streams))
    readable = [stream for stream, length in zip(streams, lengths, strict=True) if length is not None]
    groups = yield from group_lags(readable, maxlen, with_pending=True)
    return groups
