"""Notes about bills that have been accepted: refused by what is known, after one look at most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

import pytest

from jobs import answers
from jobs.attempt_policy import AttemptPolicy
from jobs.backoff import BackoffPolicy
from jobs.issue import BeforeSend, issue
from jobs.issue_policy import IssuePolicy
from jobs.outcomes import AccountState, AttemptResult, Finished, Retry
from jobs.radian.notes import bill_note, guarded, is_guarded
from schemas.contract.event import ErrorDetail
from tests.fakes import FakeFactus, Stored, a_document
from tests.records import NOW_MS, a_job

EVENTS = "GET /v2/bills/SETP1/radian/events"
ACCEPTED = {
    "event_code": "034",
    "cude": "c34",
    "number": "A1",
    "effective_date": "2026-07-15",
    "effective_time": "08:00:00",
}


def a_note(**changes):
    about = {"family": "credit_note", "type": "credit_note.issue", "lane": "acme/credit_note"}
    return a_job(**{**about, "payload": json.dumps({"reference_code": "N-1", "bill_number": "SETP1"}), **changes})


class Known:
    """The port ``Bills``."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self.facts = facts

    async def bill(self, account: str, number: str) -> Mapping[str, str]:
        return self.facts if (account, number) == ("acme", "SETP1") else {}


class Issuing:
    def __init__(self, ending=None) -> None:
        self.n = 0
        self.ending = ending or Finished("validated", "x", data={"number": "NC1"})

    async def __call__(self, before_send: BeforeSend) -> AttemptResult:
        if ending := await before_send():
            return AttemptResult(ending, 0)
        self.n += 1
        return AttemptResult(self.ending, 1, 1)


async def attempt(job, factus: FakeFactus, issuing: Issuing, **facts: str) -> AttemptResult:
    policy = AttemptPolicy(job, BackoffPolicy(5.0, 300.0), lambda: 0.0, AccountState(now_ms=NOW_MS))
    return await guarded(policy, factus, Known(facts), issuing)


async def test_what_the_watch_has_seen_refuses_without_a_call_and_says_what_it_was():
    factus, issuing = FakeFactus(), Issuing()
    known = {"form": "credit", "accepted": "033", "occurred_at": "2026-07-14T10:00:00-05:00", "cude": "c33"}
    ending = (await attempt(a_note(), factus, issuing, **known)).ending
    assert (ending.state, issuing.n, factus.requests) == ("refused", 0, [])
    (error,) = ending.errors
    assert (error.code, error.field) == ("radian.accepted", "bill_number")
    assert all(word in error.message for word in ("SETP1", "expresa (033)", "2026-07-14", "c33", "after_acceptance"))


async def test_of_a_bill_that_is_not_known_factus_is_asked_once():
    factus, issuing = FakeFactus(replies={EVENTS: [answers.Replied({"data": [ACCEPTED]})]}), Issuing()
    attempted = await attempt(a_note(), factus, issuing)
    assert (attempted.ending.state, attempted.n_calls, issuing.n) == ("refused", 1, 0)
    assert "tácita (034) del 2026-07-15, CUDE c34" in attempted.ending.errors[0].message


async def test_a_bill_that_is_paid_at_once_is_not_looked_up():
    factus, issuing = FakeFactus(), Issuing()
    await attempt(a_note(), factus, issuing, form="cash")
    assert (issuing.n, factus.requests) == (1, [])


async def test_one_look_is_enough_for_all_attempts():
    busy = Retry("lane", 1.0, ErrorDetail(code="factus.conflict", message="409"))
    factus, issuing = FakeFactus(replies={EVENTS: [answers.Replied({"data": []})]}), Issuing(busy)
    first = await attempt(a_note(), factus, issuing, form="credit")
    await attempt(a_note(progress=first.ending.progress), factus, issuing, form="credit")
    assert (issuing.n, factus.calls[EVENTS]) == (2, 1)


@pytest.mark.parametrize(
    "seen",
    [
        answers.NotFound("no"),
        answers.BadRequest(400, "x"),
        answers.Denied("permission", "x"),
        answers.Misrouted(404),
        answers.Replied(None),
        answers.Replied({"data": "x"}),
    ],
    ids=repr,
)
async def test_a_look_that_brings_nothing_stops_no_note(seen):
    issuing = Issuing()
    await attempt(a_note(), FakeFactus(replies={EVENTS: [seen]}), issuing)
    assert issuing.n == 1


@pytest.mark.parametrize("seen", [answers.Unknown("x"), answers.NotSent("x"), answers.NoPermit(1.0)], ids=repr)
async def test_while_factus_is_out_of_reach_the_note_waits(seen):
    issuing = Issuing()
    ending = (await attempt(a_note(), FakeFactus(replies={EVENTS: [seen]}), issuing)).ending
    assert isinstance(ending, Retry)
    assert (issuing.n, ending.sent) == (0, "")


async def issued(job, factus: FakeFactus, **facts: str) -> AttemptResult:
    """The attempt as a whole."""
    standing = AccountState(now_ms=NOW_MS)
    policy = IssuePolicy(job, BackoffPolicy(5.0, 300.0), lambda: 0.0, standing, 120_000)
    issuing = partial(issue, policy, factus, NoJournal(), now_ms=NOW_MS, day_ends_ms=0)
    return await guarded(policy, factus, Known(facts), lambda ask: issuing(before_send=ask))


class NoJournal:
    """The port ``Journal`` with nobody else in it."""

    async def is_being_removed(self, job) -> bool:
        return False

    async def record_rejection(self, job, verdict, number) -> None:
        pass


async def test_a_note_whose_time_is_up_ends_though_its_bill_could_not_be_looked_at():
    """It waited for its look for ever: no attempt came to the check of the deadline."""
    ended = await issued(a_note(deadline_at=NOW_MS), FakeFactus(replies={EVENTS: [answers.Unknown("sin respuesta")]}))
    assert isinstance(ended.ending, Finished)
    assert (ended.ending.state, ended.n_sent) == ("failed", 0)


async def test_a_note_that_is_refused_by_what_is_known_says_nothing_of_factus():
    """The account may be held: that it is refused is no news of its mend."""
    ended = await issued(a_note(), FakeFactus(), accepted="033")
    assert (ended.ending.state, ended.n_calls, ended.health) == ("refused", 0, "unknown")


REJECTED = {"is_validated": False, "errors": ["Regla: CAK24, Rechazo: No está informado el DV del NIT"]}


@pytest.mark.parametrize("left", [None, REJECTED], ids=["nothing", "what DIAN rejected"])
@pytest.mark.parametrize("known", [{"accepted": "033"}, {"form": "credit"}], ids=["known", "asked for"])
async def test_a_note_whose_reference_was_tried_before_is_guarded_as_any(left, known):
    """The refusal itself was such a try: pushed again as it was, the note went out."""
    factus = FakeFactus(replies={EVENTS: [answers.Replied({"data": [ACCEPTED]})]})
    job = a_note(sent="unknown", reference_code="N-1")
    if left:
        factus.documents["N-1"] = Stored("NC7", a_document(job, number="NC7", **left))
    ended = await issued(job, factus, **known)
    assert (ended.ending.state, ended.ending.errors[0].code) == ("refused", "radian.accepted")
    assert ended.n_calls == sum(factus.calls.values())
    assert (factus.calls["create"], factus.deleted) == (0, ["N-1"] if left else [])


async def test_a_note_that_factus_has_is_told_whatever_has_become_of_its_bill():
    factus, job = FakeFactus(), a_note(sent="unknown", reference_code="N-1")
    factus.documents["N-1"] = Stored("NC7", a_document(job, number="NC7"))
    ended = await issued(job, factus, accepted="034")
    assert (ended.ending.state, ended.ending.number) == ("validated", "NC7")


async def test_a_note_about_no_bill_goes_out():
    factus, issuing = FakeFactus(), Issuing()
    await attempt(a_note(payload='{"reference_code":"N-1"}'), factus, issuing)
    assert (issuing.n, factus.requests) == (1, [])


def test_only_notes_that_were_never_sent_and_do_not_insist_are_guarded():
    assert is_guarded(a_note())
    assert not is_guarded(a_note(options='{"after_acceptance": true}'))
    assert not is_guarded(a_job())
    sent = {"sending_at": NOW_MS}
    for fields in ({"attempts": 1}, {"sent": "unknown", **sent}, {"sent": "sending", **sent}, {"pending_since": 1}):
        assert not is_guarded(a_note(**fields)), "what may be at Factus is never refused"
    for fields in ({"sent": "unknown"}, {"sent": "deleting"}, sent):
        assert is_guarded(a_note(**fields)), "what stands at the reference is another job's"


@pytest.mark.parametrize(("form", "told"), [("1", "cash"), ("2", "credit")])
def test_a_validated_bill_is_remembered_by_its_number(form, told):
    job = a_job(payload=json.dumps({"payment_details": [{"payment_form": form}]}))
    note = bill_note(job, Finished("validated", "x", data={"number": "SETP1"}))
    assert (note.number, note.facts, note.term_ms) == ("SETP1", {"form": told}, None)


def test_nothing_is_remembered_of_other_ends():
    assert bill_note(a_job(), Finished("rejected", "x")) is None
    assert bill_note(a_note(), Finished("validated", "x", data={"number": "NC1"})) is None
    assert bill_note(a_job(), Finished("validated", "x", data={"number": None})) is None
    huge = a_job(payload="x" * 70_000)
    assert bill_note(huge, Finished("validated", "x", data={"number": "SETP1"})) is None
