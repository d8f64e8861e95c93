"""What the door told and what webhooks brought, against what stands in the streams."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, Final

from jobs.webhooks.signing import message_id
from tests.simulation.history import Verdict, is_final

_SLACK: Final = timedelta(seconds=1)
"""Clocks of several processes, and the time between an event's making and its publication."""


def deliverable(events: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """By message: what an endpoint that takes all has to get. It is not told of itself."""
    return {message_id(event["id"]): event for event in events if not event["type"].startswith("webhook.")}


def _is_passed(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """
    Whether an event was delivered before one of a smaller number that had been published by then. The number of
    ``X.archived`` is kept free for it: RADIAN's events, which have the next ones, may be published before it.
    """
    return earlier["seq"] < later["seq"] and _at(earlier) + _SLACK < _at(later)


def _at(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])


def judge_outside(
    events: Sequence[Mapping[str, Any]],
    received: Mapping[str, bytes],
    told: Mapping[str, Mapping[str, Any]],
    verdict: Verdict,
) -> None:
    """
    Each event was delivered, those of a job in the order of ``seq``, and the door told ends that are ends.

    Args:
        events: Those of all streams.
        received: Bodies by message, in the order in which they came first.
        told: By job: the event that the door answered with.
    """
    wanted = deliverable(events)
    for message in wanted.keys() - received.keys():
        event = wanted[message]
        verdict.blame("outside amiss", f"{event['id']} was never delivered", event["job_id"] or "")
    for message in received.keys() - wanted.keys():
        verdict.blame("outside amiss", f"{message} was delivered, and stands in no stream")
    of_jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for body in received.values():
        event = json.loads(body)
        if event["job_id"]:
            of_jobs[event["job_id"]].append(event)
    for job_id, found in of_jobs.items():
        if any(_is_passed(earlier, later) for later, earlier in combinations(found, 2)):
            text = f"{job_id}: delivered as {[event['seq'] for event in found]}"
            verdict.blame("outside amiss", text, job_id)
    finals = {event["id"] for event in events if is_final(event)}
    for job_id, event in told.items():
        if event["id"] not in finals:
            verdict.blame("outside amiss", f"{job_id}: the door told {event['id']}, which is no end", job_id)
