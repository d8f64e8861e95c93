"""
Rows of values that several scripts take, in the order in which their libraries declare them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jobs.batches import Tally
from jobs.event_counts import count_field
from schemas.contract.event import Event, stream_fields
from worker.store.scripts import Arg


class TallyValues(NamedTuple):
    """How a job counts in its batch, in the order of ``TALLY`` (``lib/batches.lua``)."""

    member: str
    cents: int
    number: str
    failure: str
    document: str


class EventValues(NamedTuple):
    """An event in the order of ``EVENT`` (``lib/events.lua``)."""

    event: str
    type: str
    account: str
    job_id: str
    reference_code: str
    counts: str


def tally_values(tally: Tally) -> TallyValues:
    """A tally as the scripts take it."""
    return TallyValues(tally.member, tally.cents, tally.number, tally.failure, tally.document)


def event_values(event: Event, data: str | None = None) -> EventValues:
    """An event as the scripts take it; *data* as :meth:`Event.to_json` has it."""
    return EventValues(**stream_fields(event, data), counts=count_field(event))


def pairs(fields: Mapping[str, Arg] | Mapping[str, str]) -> list[Arg]:
    """A hash as the scripts take it: name, value, name, value."""
    return [part for pair in fields.items() for part in pair]
