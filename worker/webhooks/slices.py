"""
What becomes of some entries of the streams: bodies, and a delivery for each endpoint that wants one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from jobs.webhooks.bodies import EventHead, UnreadableEvent, body_of, read_event
from jobs.webhooks.endpoint import Endpoint, rank_of
from jobs.webhooks.places import entry_id
from jobs.webhooks.signing import message_id
from worker.webhooks.book import DeliveryValues, packed_body
from worker.webhooks.streams import Entry

log = structlog.get_logger()


def _all(_head: EventHead) -> bool:
    return True


@dataclass(slots=True)
class Slice:
    """Bodies by name, each once, and the deliveries that have them."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    deliveries: list[DeliveryValues] = field(default_factory=list)

    def add(self, entry: Entry, endpoints: Iterable[Endpoint], is_wanted: Callable[[EventHead], bool] = _all) -> None:
        """The event of an entry, for those of the endpoints that take it; an entry without one is told and passed."""
        try:
            head, event = read_event(entry.raw)
        except UnreadableEvent as exc:
            log.error("webhooks.entry_unreadable", stream=entry.stream, entry=entry.id, detail=str(exc))
            return
        message = message_id(head.id)
        for endpoint in endpoints:
            if not endpoint.takes(head) or not is_wanted(head):
                continue
            name = f"{message}:{endpoint.body_form}"
            if name not in self.bodies:
                self.bodies[name] = packed_body(body_of(entry.raw, event, endpoint.omit))
            self.deliveries.append(
                DeliveryValues(
                    endpoint=endpoint.name,
                    id=message,
                    body=name,
                    rank=rank_of(head, message),
                    made_at=str(entry_id(entry.id)[0]),
                    type=head.type,
                    account=head.account,
                    reference=head.reference_code,
                    size=len(self.bodies[name]),
                )
            )


def slice_of(entries: Iterable[Entry], endpoints: Iterable[Endpoint]) -> Slice:
    """All of the entries."""
    made, known = Slice(), tuple(endpoints)
    for entry in entries:
        made.add(entry, known)
    return made
