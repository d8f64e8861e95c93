"""
Deliveries made once more, under the same ids: from the streams, or of those that have had their last attempt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from jobs.webhooks.bodies import EventHead
from jobs.webhooks.endpoint import Endpoint
from jobs.webhooks.places import EntryId, Place, entry_id
from worker.webhooks.book import DeliveryValues, WebhookBook
from worker.webhooks.slices import Slice
from worker.webhooks.streams import in_order, read_page

_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events. ``since`` is the first entry that counts, ``until`` the first that does not."""

    since: str
    until: str | None = None
    type_glob: str | None = None
    reference: str | None = None

    def takes(self, type_: str, reference: str) -> bool:
        if self.reference is not None and reference != self.reference:
            return False
        return self.type_glob is None or fnmatchcase(type_, self.type_glob)

    def is_over(self, entry: EntryId) -> bool:
        return self.until is not None and entry >= entry_id(self.until)


@dataclass(frozen=True, slots=True)
class Replayed:
    """So far: how many deliveries were asked for and made. One that waits already is not made once more."""

    n_asked: int = 0
    n_made: int = 0
    is_full: bool = False
    """Whether as many wait for the endpoint as may: nothing more was made."""


async def replay_events(
    book: WebhookBook, endpoint: Endpoint, streams: Sequence[str], before: str, wanted: Wanted
) -> AsyncIterator[Replayed]:
    """
    The events of the streams that the endpoint takes; what has come about after each page.

    Args:
        before: The entry before ``wanted.since``.
    """
    places = {stream: Place(before) for stream in streams}
    done = Replayed()

    def is_wanted(head: EventHead) -> bool:
        return wanted.takes(head.type, head.reference_code)

    while True:
        page = await read_page(book.redis, places, _PAGE)
        taken = page.taken()
        made = Slice()
        for entry in in_order(taken):
            if not wanted.is_over(entry_id(entry.id)):
                made.add(entry, (endpoint,), is_wanted)
        done = await _make(book, endpoint, made.deliveries, made.bodies, done)
        yield done
        horizon = page.horizon
        if horizon is None or done.is_full or wanted.is_over(horizon):
            return
        places |= {stream: Place(rows[-1].id) for stream, rows in taken.items() if rows}


async def replay_failed(book: WebhookBook, endpoint: Endpoint, wanted: Wanted) -> AsyncIterator[Replayed]:
    """The deliveries of the endpoint that have had their last attempt, while they are kept: no stream is read."""
    done, since_ms = Replayed(), entry_id(wanted.since)[0]
    ids = await book.failed(endpoint.name)
    for start in range(0, len(ids), _PAGE):
        rows = await book.records(endpoint.name, ids[start : start + _PAGE])
        deliveries = [
            DeliveryValues(endpoint.name, row.id, "", row.rank, "0", row.type, row.account, row.reference, 0)
            for row in rows
            if row.made_at_ms >= since_ms
            and not wanted.is_over((row.made_at_ms, 0))
            and wanted.takes(row.type, row.reference)
        ]
        done = await _make(book, endpoint, deliveries, {}, done)
        yield done
        if done.is_full:
            return


async def _make(
    book: WebhookBook,
    endpoint: Endpoint,
    deliveries: Sequence[DeliveryValues],
    bodies: dict[str, bytes],
    done: Replayed,
) -> Replayed:
    if not deliveries:
        return done
    state = (await book.states([endpoint.name]))[endpoint.name]
    if state.n_waiting >= book.policy.most_waiting or state.n_bytes >= book.policy.most_bytes:
        return Replayed(done.n_asked, done.n_made, is_full=True)
    n_made = await book.take([], bodies, deliveries) or 0
    return Replayed(done.n_asked + len(deliveries), done.n_made + n_made)
