"""The verdict about the door and webhooks sees each kind of harm, planted in the evidence of a calm run."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobs.webhooks.signing import message_id
from tests.simulation.checks.outside import judge_outside
from tests.simulation.history import Verdict
from tests.simulation.outside import chosen
from tests.simulation.workload import Push


class Always:
    def random(self) -> float:
        return 0.0


def an_event(seq: int, type_: str, job_id: str | None = "one") -> dict[str, Any]:
    time = f"2026-11-30T10:00:{10 * seq}-05:00"
    return {"id": f"a/{job_id}/{seq}", "seq": seq, "type": type_, "job_id": job_id, "time": time}


EVENTS = [
    an_event(1, "invoice.validated"),
    an_event(2, "invoice.archived"),
    an_event(3, "account.blocked", None),
    an_event(4, "webhook.failing", None),
]
Evidence = tuple[list[dict[str, Any]], dict[str, bytes], dict[str, dict[str, Any]]]


def calm() -> Evidence:
    received = {message_id(event["id"]): json.dumps(event).encode() for event in EVENTS[:3]}
    return [*EVENTS], received, {"one": EVENTS[0]}


def harms(evidence: Evidence) -> list[str]:
    verdict = Verdict()
    judge_outside(*evidence, verdict)
    return [violation.text for violation in verdict.violations]


def test_nothing_in_a_calm_run():
    assert harms(calm()) == []


def swapped(found: Evidence) -> None:
    (first, second, *_) = found[1]
    found[1][first], found[1][second] = found[1][second], found[1][first]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda found: found[1].pop(message_id("a/one/2")), "never delivered"),
        (lambda found: found[1].pop(message_id("a/None/3")), "never delivered"),
        (lambda found: found[1].update({"msg_other": b'{"job_id": null}'}), "stands in no stream"),
        (swapped, "delivered as [2, 1]"),
        (lambda found: found[2].update({"one": EVENTS[1]}), "is no end"),
        (lambda found: found[2].update({"two": {"id": "a/two/1"}}), "is no end"),
    ],
    ids=["lost", "an operator's lost", "uncalled for", "out of order", "no final", "of no stream"],
)
def test_it_sees(harm: Callable[[Evidence], Any], told: str):
    found = calm()
    harm(found)
    (said,) = harms(found)
    assert told in said


def test_what_is_published_late_may_come_late():
    """The number of an archived event is kept free: RADIAN's may be told before it."""
    found = calm()
    late = EVENTS[0] | {"time": "2026-11-30T10:05:00-05:00"}
    found[1].pop(message_id("a/one/1"))
    found[1][message_id("a/one/1")] = json.dumps(late).encode()
    assert harms(found) == []


def test_what_goes_through_the_door_is_spoken_of_by_nothing_else():
    def a_push(id_: str, reference: str, what: str = "document") -> Push:
        return Push(b"{}", 0.0, what, "a", id_, reference)

    pushes = [
        *(a_push("j1", "R1"), a_push("j2", "R2"), a_push("j2", "R3", "other content"), a_push("", "R4")),
        *(a_push("j5", "R5"), a_push("j6", "R5", "same document"), a_push("j7", "R7", "call")),
    ]
    assert chosen(pushes, Always()) == {0}
