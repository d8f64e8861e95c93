"""One turn of a watch: what each answer to a 034 means, and that no answer makes a second one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobs import answers
from jobs.outcomes import Retry
from jobs.radian.clock import Clock
from jobs.radian.seen_events import read_events
from jobs.radian.state import ClockState
from jobs.radian.watch import heard_of
from jobs.radian_policy import DAY_MS, RadianPolicy, instant, ms, rfc3339
from schemas.factus import Remark
from schemas.records import SendState
from tests.fakes import FakeFactus
from tests.records import NOW_MS
from tests.unit.jobs.radian.lives import bogota
from tests.unit.jobs.test_calls import PERSON, turn

EVENTS, ACCEPT = "GET /v2/bills/SETP1/radian/events", "POST /v2/bills/SETP1/radian/events/034"
PAYLOAD = json.dumps({"number": "SETP1", "day": "2026-11-25", "tacit_acceptance": True})
RECEIPT = {"event_code": "032", "cude": "c32", "number": "A1", "effective_date": "2026-11-25"}


def is_due() -> str:
    """The progress of a watch over a bill that was told to be due."""
    clock = Clock(RadianPolicy(60.0), NOW_MS, emits=True)
    state, _ = clock.after_look(ClockState("SETP1"), read_events([RECEIPT]), NOW_MS - 60_000)
    assert state.due_at_ms
    return state.to_json()


async def emitting(answer: answers.Answer, monkeypatch: Any, **job: Any) -> tuple[Any, FakeFactus]:
    monkeypatch.setattr("jobs.radian_policy.RadianPolicy.is_emitting", lambda *_: True)
    factus = FakeFactus(replies={EVENTS: [answers.Replied({"data": [RECEIPT]})], ACCEPT: [answer]})
    given = {"payload": PAYLOAD, "progress": is_due(), **job}
    return (await turn("invoice.track", factus, **given)).ending, factus


async def test_it_looks_and_sends_the_person_of_the_account(monkeypatch):
    ending, factus = await emitting(answers.Replied({"data": []}), monkeypatch)
    assert [f"{one.method} {one.path}" for one in factus.requests] == [EVENTS, ACCEPT]
    assert factus.requests[1].body == PERSON
    told = json.loads(ending.progress)
    assert [one["answer"] for one in told["sends"]] == ["Factus la recibió"]
    assert ending.sent == SendState.NOTHING


@pytest.mark.parametrize(
    "seen",
    [
        answers.Unknown("timeout"),
        answers.Conflicted("ya está"),
        answers.RulesRefused((Remark("Evento registrado previamente", "LGC01"),)),
        answers.FieldsRefused("Regla: LGC01", ()),
    ],
    ids=repr,
)
async def test_what_may_be_registered_is_looked_for_and_not_sent_again_for_an_hour(seen, monkeypatch):
    ending, factus = await emitting(seen, monkeypatch)
    assert isinstance(ending, Retry)
    again, factus = await emitting(seen, monkeypatch, progress=ending.progress)
    assert factus.calls[ACCEPT] == 0
    assert json.loads(again.progress)["sends"] == json.loads(ending.progress)["sends"]


@pytest.mark.parametrize(
    "seen", [answers.NotSent("x"), answers.NoPermit(1.0), answers.Throttled(2.0), answers.CredentialsRefused("x")]
)
async def test_what_surely_did_not_go_out_is_no_sending(seen, monkeypatch):
    ending, _ = await emitting(seen, monkeypatch)
    assert isinstance(ending, Retry)
    assert "sends" not in json.loads(ending.progress)


@pytest.mark.parametrize("sent", ["sending", "unknown"])
async def test_a_crash_while_it_was_sent_counts_as_sent(sent, monkeypatch):
    ending, factus = await emitting(answers.Replied({}), monkeypatch, sent=sent, sending_at=NOW_MS - 5)
    assert factus.calls[ACCEPT] == 0
    (one,) = json.loads(ending.progress)["sends"]
    assert one["at_ms"] == NOW_MS - 5


async def test_a_crash_is_not_forgotten_when_the_look_after_it_fails(monkeypatch):
    monkeypatch.setattr("jobs.radian_policy.RadianPolicy.is_emitting", lambda *_: True)
    for seen in (answers.Unknown("x"), answers.NotFound("no"), answers.NoPermit(1.0)):
        factus = FakeFactus(replies={EVENTS: [seen]})
        given = {"payload": PAYLOAD, "progress": is_due(), "sent": "sending", "sending_at": NOW_MS - 5}
        ending = (await turn("invoice.track", factus, **given)).ending
        assert len(json.loads(ending.progress)["sends"]) == 1, seen


async def test_a_422_for_want_of_a_person_names_what_to_mend(monkeypatch):
    wanted = answers.FieldsRefused("Error de validación", (Remark(key="identification", text="persona natural"),))
    ending, _ = await emitting(wanted, monkeypatch)
    refusal = json.loads(ending.progress)["refusal"]
    assert "persona natural" in refusal
    assert "[accounts.acme.radian_person]" in refusal
    assert ending.pause_s == 0.0, "one more look, and it is told"
    again, factus = await emitting(wanted, monkeypatch, progress=ending.progress)
    assert [news.type for news in again.news] == ["radian.unconfirmed"]
    assert again.news[0].data["reason"] == refusal
    assert factus.calls[ACCEPT] == 0


async def test_outside_the_hours_nothing_goes_out():
    assert not 8 <= instant(NOW_MS).hour < 18
    factus = FakeFactus(replies={EVENTS: [answers.Replied({"data": [RECEIPT]})]})
    await turn("invoice.track", factus, payload=PAYLOAD, progress=is_due())
    assert factus.calls[ACCEPT] == 0


def test_every_answer_says_something_of_a_034():
    assert heard_of(answers.Denied("product", "x"), "acme")[1]
    assert heard_of(answers.Denied("version", "x"), "acme") is None
    assert heard_of(answers.NotFound("x"), "acme")[1]
    assert heard_of(answers.Done(), "acme") == ("Factus la recibió", "")


def test_a_record_of_the_release_before_the_clock_is_read():
    state = ClockState.from_progress({"number": "SETP1", "seen": ["c30", "c32"], "n_looks": 3})
    clock = Clock(RadianPolicy(), ms(bogota("2026-11-23T10:00")))
    state, news = clock.after_look(state, read_events([RECEIPT]), ms(bogota("2026-11-26T10:00")))
    assert [one.type for one in news] == ["radian.clock"]


@pytest.mark.parametrize(
    ("told", "since"),
    [
        ({"validated_at": rfc3339(instant(NOW_MS - 20 * DAY_MS))}, rfc3339(instant(NOW_MS - 20 * DAY_MS))),
        ({"validated_at": rfc3339(instant(NOW_MS - 9 * DAY_MS))}, None),
        ({}, None),
    ],
)
async def test_the_silence_of_a_bill_counts_from_its_validation_not_from_a_later_push(told, since):
    """A second push, answered from the ledger, may be the one that asks for the watch."""
    payload = json.dumps({"number": "SETP1", "day": "2026-11-25", **told})
    factus = FakeFactus(replies={EVENTS: [answers.Replied({"data": []})]})
    ending = (await turn("invoice.track", factus, payload=payload, accepted_at=NOW_MS)).ending
    assert [news.data["since"] for news in ending.news if news.type == "radian.silent"] == [since] * (since is not None)
