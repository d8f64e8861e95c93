"""One attempt: the order of its calls, and what is left behind wherever it dies."""

from __future__ import annotations

import asyncio
import json

import pytest

from jobs import answers
from jobs.backoff import BackoffPolicy
from jobs.issue import issue
from jobs.issue_policy import IssuePolicy
from jobs.outcomes import AccountState, Finished, Retry
from schemas.factus import DocumentView, Remark
from tests.fakes import FakeFactus, Stored, a_document, lost
from tests.records import NOW_MS, a_job
from worker.queue.record_fields import record_fields

REJECTION = Remark("Regla: FAK24, Rechazo: No está informado el DV del NIT", "FAK24")


class Notes:
    """The port ``Journal``, remembered."""

    def __init__(self, *, is_being_removed=False):
        self.verdicts = []
        self.documents, self.claimed, self.is_free = {}, [], True
        self._is_being_removed = is_being_removed

    async def is_being_removed(self, job):
        return self._is_being_removed

    async def record_rejection(self, job, verdict, number):
        self.verdicts.append(verdict)

    async def known(self, job, reference_code):
        return self.documents.get(reference_code)

    async def begin_removal(self, job, reference_code, *, settle_ms):
        self.claimed.append(reference_code)
        return self.is_free


async def attempt(factus, *, now_ms=NOW_MS, day_ends_ms=0, notes=None, settle_ms=0, standing=None, **job):
    policy, standing = BackoffPolicy(5.0, 300.0), standing or AccountState(now_ms)
    policy = IssuePolicy(a_job(**job), policy, lambda: 0.0, standing, settle_ms)
    return await issue(policy, factus, notes or Notes(), now_ms=now_ms, day_ends_ms=day_ends_ms)


async def test_a_calm_day_costs_one_call():
    factus = FakeFactus()
    ended = await attempt(factus)
    assert ended.ending.state == "validated"
    assert (factus.calls, ended.n_sent) == ({"create": 1}, 1)


async def test_a_lost_answer_is_looked_up_before_resending():
    """The worst case is the commonest: DIAN accepted, and the answer was lost."""
    factus = FakeFactus(script=[lost])
    ended = await attempt(factus)
    assert ended.ending.state == "validated"
    assert factus.calls == {"create": 1, "find": 1}


@pytest.mark.parametrize("sent", ["sending", "unknown"])
async def test_a_record_found_in_sending_is_looked_up_first(sent):
    factus = FakeFactus()
    factus.documents["FV-1"] = Stored("SETP5", a_document(a_job(), number="SETP5"))
    ended = await attempt(factus, sent=sent)
    assert (ended.ending.number, ended.n_sent) == ("SETP5", 0)
    assert factus.calls == {"find": 1}


async def test_what_is_surely_not_there_is_sent():
    factus = FakeFactus()
    ended = await attempt(factus, sent="unknown")
    assert ended.ending.state == "validated"
    assert factus.calls == {"find": 1, "create": 1}


async def test_a_lost_answer_that_is_not_found_is_not_resent_at_once():
    factus = FakeFactus(script=[answers.Unknown("timeout")])
    ended = await attempt(factus)
    assert isinstance(ended.ending, Retry)
    assert (ended.ending.sent, factus.calls["create"]) == ("unknown", 1)


async def test_a_rejection_is_noted_then_deleted_then_told():
    factus, notes = FakeFactus(script=[answers.RulesRefused((REJECTION,))]), Notes()
    ended = await attempt(factus, notes=notes)
    assert (ended.ending.state, ended.ending.errors[0].rule) == ("rejected", "FAK24")
    assert (factus.calls, len(notes.verdicts)) == ({"create": 1, "find": 1, "delete": 1}, 1)


async def test_a_rejected_document_is_looked_at_for_the_number_that_it_has_used_up():
    """The answer of 422 names none: the gap in the numbers could be explained to nobody."""
    factus = FakeFactus(script=[answers.RulesRefused((REJECTION,))])
    raw = a_document(a_job(), number="SETP338", is_validated=False, errors={"FAK24": REJECTION.text})
    factus.documents["FV-1"] = Stored("SETP338", raw)
    ended = await attempt(factus)
    assert (ended.ending.state, ended.ending.number, ended.ending.data) == (
        "rejected",
        "SETP338",
        {"number": "SETP338"},
    )
    assert factus.deleted == ["FV-1"]


async def test_a_document_that_turns_out_validated_is_never_removed():
    factus = FakeFactus(script=[answers.RulesRefused((REJECTION,))])
    factus.documents["FV-1"] = Stored("SETP338", a_document(a_job(), number="SETP338"))
    ended = await attempt(factus)
    assert (ended.ending.state, factus.deleted) == ("validated", [])


@pytest.mark.parametrize("seen", [answers.Absent(), answers.Unknown("timeout"), answers.NoPermit(1.0)])
async def test_what_keeps_the_number_from_being_seen_keeps_nothing_from_being_removed(seen):
    factus = FakeFactus(script=[answers.RulesRefused((REJECTION,))], finds=[seen])
    ended = await attempt(factus)
    assert (ended.ending.state, factus.calls["delete"]) == ("rejected", 1)


async def test_a_removal_that_was_begun_is_finished_without_a_new_create():
    factus = FakeFactus()
    verdict = json.dumps(
        [{"code": "dian.rejected", "message": "x", "field": None, "rule": "FAK24", "retryable": False}]
    )
    ended = await attempt(factus, sent="deleting", verdict=verdict, attempts=1)
    assert (ended.ending.state, ended.ending.errors[0].rule) == ("rejected", "FAK24")
    assert factus.calls == {"find": 1}


async def test_a_removal_that_did_not_happen_is_repeated():
    factus, notes = FakeFactus(), Notes()
    raw = a_document(a_job(), is_validated=False, errors={"FAK24": REJECTION.text})
    factus.documents["FV-1"] = Stored("SETP5", raw)
    ended = await attempt(factus, notes=notes, sent="deleting", attempts=1)
    assert ended.ending.state == "rejected"
    assert (factus.calls, len(notes.verdicts)) == ({"find": 1, "delete": 1}, 1)


async def test_a_corrected_document_goes_out_where_the_rejected_one_was():
    factus = FakeFactus()
    raw = a_document(a_job(), is_validated=False, errors={"FAK24": REJECTION.text})
    factus.documents["FV-1"] = Stored("SETP5", raw)
    ended = await attempt(factus, sent="unknown")
    assert (ended.ending.state, ended.n_sent) == ("validated", 1)
    assert factus.calls == {"find": 1, "delete": 1, "create": 1}


async def test_nothing_is_asked_or_sent_while_a_job_removes_what_bears_the_reference():
    factus = FakeFactus()
    for sent, still in (("unknown", "unknown"), ("sending", "unknown"), ("deleting", "deleting")):
        ended = await attempt(factus, notes=Notes(is_being_removed=True), sent=sent)
        assert isinstance(ended.ending, Retry)
        assert (ended.ending.waits, ended.ending.sent, ended.health) == ("job", still, "unknown")
    assert factus.calls == {}


async def test_found_rejected_after_a_crash_it_is_removed():
    factus = FakeFactus()
    raw = a_document(a_job(), is_validated=False, errors={"FAK24": REJECTION.text})
    factus.documents["FV-1"] = Stored("SETP5", raw)
    ended = await attempt(factus, sent="sending", attempts=1)
    assert ended.ending.state == "rejected"
    assert factus.deleted == ["FV-1"]


async def test_found_waiting_it_is_sent_again_and_never_deleted():
    factus = FakeFactus()
    factus.documents["FV-1"] = Stored("SETP5", a_document(a_job(), is_validated=False))
    ended = await attempt(factus, sent="unknown")
    assert isinstance(ended.ending, Retry)
    assert (ended.ending.pending, factus.calls, factus.deleted) == (True, {"find": 1, "create": 1}, [])


async def test_our_own_pending_document_behind_a_409_is_asked_for_again():
    factus = FakeFactus(script=[answers.Conflicted("409"), answers.Acknowledged()])
    factus.finds = [answers.DocumentSeen(DocumentView(a_document(a_job(), is_validated=False)))]
    ended = await attempt(factus)
    assert isinstance(ended.ending, Retry)
    assert ended.ending.pending or ended.ending.reason.code == "dian.pending"


async def test_somebody_else_s_409_waits_and_counts_no_attempt():
    factus = FakeFactus(script=[answers.Conflicted("409")])
    ended = await attempt(factus)
    assert (ended.ending.reason.code, ended.n_sent, factus.deleted) == ("factus.conflict", 0, [])


async def test_nothing_is_sent_after_the_day():
    factus = FakeFactus()
    ended = await attempt(factus, issue_on="2027-01-15", day_ends_ms=NOW_MS)
    assert (ended.ending.errors[0].code, factus.calls) == ("date.missed", {})


@pytest.mark.parametrize(("fields", "latest"), [({}, NOW_MS + 3000), ({"pending_since": 1}, 0)])
async def test_what_must_carry_a_day_leaves_before_its_last_seconds(fields, latest):
    """Factus dates it when it comes in; what it has keeps its date."""
    factus = Dated()
    await attempt(factus, issue_on="2027-01-15", day_ends_ms=NOW_MS + 5000, **fields)
    assert factus.latest == [latest]


async def test_after_the_day_an_unknown_outcome_is_still_looked_up():
    """It may have gone out in time, and then it is issued."""
    factus = FakeFactus()
    factus.documents["FV-1"] = Stored("SETP5", a_document(a_job(), number="SETP5"))
    ended = await attempt(factus, sent="sending", issue_on="2027-01-15", day_ends_ms=NOW_MS)
    assert ended.ending.state == "validated"


async def test_past_the_deadline_what_would_wait_is_final():
    factus = FakeFactus(finds=[answers.Unknown("timeout")])
    ended = await attempt(factus, sent="unknown", now_ms=NOW_MS, deadline_at=NOW_MS)
    assert isinstance(ended.ending, Finished)
    assert (ended.ending.state, ended.ending.errors[0].code) == ("failed", "factus.unavailable")


@pytest.mark.parametrize("call", ["create", "find", "delete", "note"])
async def test_cancellation_passes_through_every_await(call):
    """A shutdown in the middle leaves what was written before the call, and nothing after it."""
    factus, notes = FakeFactus(), Notes()

    is_there = asyncio.Event()

    async def hang(*_args, **_kwargs):
        is_there.set()
        await asyncio.Event().wait()

    if call == "note":
        factus.script = [answers.RulesRefused((REJECTION,))]
        notes.record_rejection = hang
    elif call == "delete":
        factus.script = [answers.RulesRefused((REJECTION,))]
        factus.delete = hang
    elif call == "find":
        factus.find = hang
    else:
        factus.create = hang
    task = asyncio.create_task(attempt(factus, notes=notes, sent="unknown" if call == "find" else ""))
    await is_there.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert factus.deleted == []


@pytest.mark.parametrize("late", [{"issue_on": "2027-01-15", "day_ends_ms": NOW_MS}, {"deadline_at": NOW_MS}])
async def test_time_is_not_called_while_a_document_may_still_appear(late):
    """Factus stores what nobody waited for: `failed` today and a validated document tomorrow would be a lie."""
    job = {**late, "sent": "unknown", "sending_at": NOW_MS - 1000, "attempts": 1}
    ended = await attempt(FakeFactus(), settle_ms=120_000, **job)
    assert isinstance(ended.ending, Retry)
    assert (ended.ending.sent, ended.n_sent) == ("unknown", 0)
    ended = await attempt(FakeFactus(), settle_ms=120_000, **{**job, "sending_at": NOW_MS - 120_000})
    assert ended.ending.state == "failed"


NOT_TAKEN = (
    answers.Conflicted("409"),
    answers.NoPermit(1.0),
    answers.Throttled(1.0),
    answers.NotSent("sin conexión"),
    answers.NoToken("503"),
    answers.Misrouted(404),
    answers.PaymentRequired("402"),
    answers.Denied("product", "403"),
    answers.CredentialsRefused("401"),
)
SENT = {"sent": "unknown", "sending_at": NOW_MS - 1000, "attempts": 1}
DAY = {"issue_on": "2027-01-15", "day_ends_ms": NOW_MS + 1}


class TestAnEarlierSendMayBeOnItsWay:
    """Nobody waited for the answer to the first create, and Factus may be at work on it."""

    @pytest.mark.parametrize("seen", NOT_TAKEN, ids=repr)
    async def test_what_keeps_the_second_from_being_taken_says_nothing_of_the_first(self, seen):
        """Called unsent, the job is cancelled, or ends with its day, and then its document comes."""
        for settle_ms, kept in ((120_000, "unknown"), (1000, "")):
            ended = await attempt(FakeFactus(script=[seen]), settle_ms=settle_ms, **SENT)
            assert isinstance(ended.ending, Retry)
            assert ended.ending.sent == kept

    @pytest.mark.parametrize("blocker", [*NOT_TAKEN[1:], answers.Absent()], ids=repr)
    async def test_nor_does_what_keeps_us_from_asking_who_bars_the_family(self, blocker):
        factus = FakeFactus(script=[answers.Conflicted("409")], blocker=blocker)
        barred = AccountState(NOW_MS, conflict_since_ms=NOW_MS - 1000)
        ended = await attempt(factus, settle_ms=120_000, standing=barred, **SENT)
        assert isinstance(ended.ending, Retry)
        assert (ended.ending.sent, factus.calls["find_unvalidated"]) == ("unknown", 1)

    async def test_a_send_that_is_answered_each_time_puts_off_nothing(self):
        """Else the job would stand at the head of its lane for as long as it is barred."""
        at_ms, fields = NOW_MS, dict(SENT)
        while fields["sent"] == "unknown" and at_ms < NOW_MS + 600_000:
            at_ms += 30_000
            factus, standing = FakeFactus(script=[answers.Conflicted("409")]), AccountState(at_ms)
            ended = await attempt(factus, now_ms=at_ms, settle_ms=120_000, standing=standing, **fields)
            assert factus.calls["create"] == 1
            noted = record_fields(a_job(**fields), ended.ending, (), 1, at_ms, 0)
            fields |= {"sending_at": at_ms} | {name: noted[name] for name in noted.keys() & {"sent", "sending_at"}}
        assert at_ms == NOW_MS + 120_000

    async def test_a_permit_that_comes_after_the_day_ends_no_job_before_that_is_settled(self):
        ended = await attempt(FakeFactus(script=[answers.TooLate()]), settle_ms=120_000, **DAY, **SENT)
        assert isinstance(ended.ending, Retry)
        assert ended.ending.sent == "unknown"
        ended = await attempt(FakeFactus(script=[answers.TooLate()]), settle_ms=1000, **DAY, **SENT)
        assert ended.ending.errors[0].code == "date.missed"

    async def test_a_job_that_has_sent_nothing_knows_of_nothing(self):
        """An earlier job has tried the reference: its own end waited until that was settled."""
        ended = await attempt(FakeFactus(script=[answers.NoPermit(1.0)]), settle_ms=120_000, sent="unknown")
        assert ended.ending.sent == ""


class TestFoundWaitingForDian:
    """A look has shown the document, without a word of DIAN's: it is there, and keeps its date."""

    @staticmethod
    def waiting(*script):
        factus = Dated(script=list(script))
        factus.documents["FV-1"] = Stored("SETP5", a_document(a_job(), number="SETP5", is_validated=False))
        return factus

    @pytest.mark.parametrize("sent", ["sending", "unknown"])
    async def test_it_is_asked_for_whatever_the_day_is(self, sent):
        """``date.missed`` would be a lie: DIAN may validate it the next moment."""
        factus = self.waiting()
        job = {"issue_on": "2027-01-15", "day_ends_ms": NOW_MS - 3_600_000, "sending_at": NOW_MS - 3_700_000}
        ended = await attempt(factus, sent=sent, settle_ms=1000, **job)
        assert (ended.ending.pending, ended.ending.reason.code) == (True, "dian.pending")
        assert (factus.calls, factus.latest) == ({"find": 1, "create": 1}, [0])

    @pytest.mark.parametrize("seen", NOT_TAKEN[1:], ids=repr)
    async def test_what_keeps_it_from_being_asked_for_is_no_reason_to_forget_it(self, seen):
        ended = await attempt(self.waiting(seen), sent="unknown", sending_at=NOW_MS - 3_700_000, settle_ms=1000)
        assert isinstance(ended.ending, Retry)
        assert (ended.ending.sent, ended.ending.pending) == ("unknown", False)

    async def test_it_keeps_the_instant_of_its_first_sending(self):
        """By that its day is judged (``date.moved``)."""
        ended = await attempt(self.waiting(), sent="sending", sending_at=NOW_MS - 3_700_000, settle_ms=1000)
        assert (ended.ending.pending, ended.ending.sent_at_ms) == (True, NOW_MS - 3_700_000)

    async def test_a_job_that_expired_before_it_began_asks_for_no_document_of_another(self):
        ended = await attempt(self.waiting(), sent="unknown", expires_at=NOW_MS - 1)
        assert (ended.ending.errors[0].code, ended.n_sent) == ("job.expired", 0)

    @pytest.mark.parametrize("seen", [answers.Conflicted("409"), answers.Unknown("timeout")], ids=repr)
    async def test_seen_once_more_it_is_pending(self, seen):
        ended = await attempt(self.waiting(seen), sent="unknown", sending_at=NOW_MS - 3_700_000, settle_ms=1000)
        assert ended.ending.pending


async def test_what_got_no_permit_has_asked_factus_nothing():
    """It says nothing of an account that is held."""
    ended = await attempt(FakeFactus(script=[answers.TooLate()]), **DAY)
    assert (ended.ending.errors[0].code, ended.n_calls, ended.health) == ("date.missed", 0, "unknown")


class Dated(FakeFactus):
    """Notes until when each create may go out."""

    latest: list[int]

    async def create(self, job, *, latest_ms):
        self.latest = [*getattr(self, "latest", []), latest_ms]
        return await super().create(job, latest_ms=latest_ms)
