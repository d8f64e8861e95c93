"""Dead letters at the running service: pushed again as new jobs, once, and never as a second document."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC

import pytest

from jobs import answers
from tests.builders import a_bill
from tests.fakes import lost
from tests.service_in_process import an_account, running, services_on
from worker.cli.dead.letters import DeadLetters, Gone, Kept, Letter, Pushed, Wanted
from worker.speech import SPANISH
from worker.status.explain import explain
from worker.status.explain_follow_ups import Part
from worker.status.lookup import JobLookup
from worker.status.reader import StatusReader
from worker.store.scripts import Scripts

MISSED = "2020-01-01"
RETENTION_MS = 60_000


pytestmark = pytest.mark.service(an_account(), an_account("own", own_streams=True))


@pytest.fixture
def dead(rig):
    return desk_of(rig)


def desk_of(rig) -> DeadLetters:
    built = rig.services
    return DeadLetters(built.redis, built.keys, retention_ms=RETENTION_MS)


ANY = Wanted()


async def letters(dead: DeadLetters, wanted: Wanted = ANY) -> list[Letter]:
    return [letter async for letter in dead.letters(wanted)]


async def only(dead: DeadLetters) -> Letter:
    (letter,) = await letters(dead)
    return letter


class TestReading:
    async def test_a_refused_and_a_failed_job_tell_why_and_whose_they_are(self, rig, dead):
        await rig.push(b"\xff not JSON")
        await rig.events(1)
        await rig.push_bill("A", id="late", issue_on=MISSED)
        await rig.events(1)
        refused, failed = await letters(dead)
        assert (refused.reason, refused.account, refused.raw) == ("envelope.invalid", "", b"\xff not JSON")
        assert (refused.job_id, refused.is_of_accepted_job) == (refused.entry, False)
        assert (failed.reason, failed.account, failed.reference_code) == ("date.missed", "acme", "A")
        assert (failed.job_id, failed.is_of_accepted_job) == ("late", True)
        assert MISSED in failed.message

    async def test_letters_are_chosen_by_account_reason_and_time(self, rig, dead):
        await rig.push("broken")
        await rig.push({"type": "invoice.issue", "account": "nobody", "payload": a_bill()})
        await rig.events(2)
        first, second = await letters(dead)
        assert await letters(dead, Wanted(account="nobody")) == [second]
        assert await letters(dead, Wanted(reason_glob="envelope.*")) == [first]
        assert [one async for one in dead.letters(Wanted(), f"({first.id}")] == [second]

    async def test_the_history_holds_every_run_of_the_job_and_its_other_letters(self, rig, dead):
        await rig.push_bill("A", id="one", issue_on=MISSED)
        await rig.events(1)
        await rig.push_bill("A", id="other", issue_on=MISSED)
        await rig.events(1)
        first, other = await letters(dead)
        history = await dead.history(first)
        assert [(record.id, record.final_type, record.attempts) for record in history.records] == [
            ("one", "invoice.failed", 0)
        ]
        assert history.others == (other,)

    async def test_a_letter_that_a_hand_wrote_is_shown_as_far_as_it_goes(self, rig, dead):
        await rig.services.redis.xadd(rig.services.keys.dead(), {"note": "?"})
        letter = await only(dead)
        assert (letter.reason, letter.errors, letter.message, letter.job_id) == ("", [], "", letter.id)
        assert await dead.history(letter)
        assert isinstance(await dead.retry(letter), Kept)


class TestRetry:
    async def test_a_failed_job_goes_again_under_a_new_id_and_its_letter_is_gone(self, rig, dead, factus):
        await rig.push_bill("A", id="one", issue_on=MISSED, priority="high", metadata={"till": 7}, batch="b")
        await rig.events(1)
        pushed = await dead.retry(await only(dead))
        assert isinstance(pushed, Pushed)
        assert (pushed.job_id, pushed.stream) == ("one.r1", rig.services.keys.retry())
        assert pushed.goes_without == (f"issue_on {MISSED}", "priority high")
        (event,) = await rig.events(1)
        assert (event["type"], event["job_id"], event["metadata"]) == ("invoice.validated", "one.r1", {"till": 7})
        assert event["batch"] == "b"
        assert factus.calls == {"find": 1, "create": 1}, "it looked at Factus first"
        assert await letters(dead) == []

    async def test_a_document_that_is_validated_in_truth_is_found_and_not_issued_again(
        self, redis, namespace, factus, monkeypatch
    ):
        """The answer was lost and Factus silent until the job's time was up: it failed, and Factus has the document."""

        async def silent(_family: str, _reference: str):
            factus.calls["find"] += 1
            return answers.Unknown("500")

        monkeypatch.setattr(factus, "find", silent)
        factus.script = [lost]
        built = services_on(redis, namespace, gateway=factus, job_deadline=0.5)
        async with running(built) as rig:
            await rig.push_bill("A", id="one")
            (failed,) = await rig.events(1)
            assert (failed["type"], failed["errors"][0]["code"]) == ("invoice.failed", "factus.unavailable")
        monkeypatch.undo()
        async with running(services_on(redis, namespace, gateway=factus)) as rig:
            rig._last = "0-0"
            dead = desk_of(rig)
            assert isinstance(await dead.retry(await only(dead)), Pushed)
            _, event = await rig.events(2)
        assert (event["type"], event["job_id"], event["attempts"]) == ("invoice.validated", "one.r1", 0)
        assert event["data"]["number"] == factus.documents["A"].number
        assert (factus.calls["create"], factus.documents["A"].n_creates) == (1, 1)

    async def test_what_the_ledger_has_forgotten_is_looked_up_first(self, rig, dead, factus):
        """Letters outlive the records of their jobs."""
        built = rig.services
        await rig.push_bill("A", id="one")
        await rig.events(1)
        await rig.push_bill("A", id="two", payload=a_bill(total="5.00", reference_code="A"))
        await rig.events(1)
        letter = await only(dead)
        assert letter.reason == "reference.conflict"
        await built.redis.delete(built.keys.document("acme", "invoice", "A"), built.keys.job("acme", "two"))
        await dead.retry(letter)
        (event,) = await rig.events(1)
        assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "reference.conflict")
        assert (factus.calls["create"], len(factus.documents)) == (1, 1)

    async def test_a_document_validated_meanwhile_is_answered_from_the_ledger(self, rig, dead, factus):
        await rig.push_bill("A", id="one", issue_on=MISSED)
        await rig.events(1)
        await rig.push_bill("A", id="corrected")
        await rig.events(1)
        await dead.retry(await only(dead))
        (event,) = await rig.events(1)
        assert (event["job_id"], event["data"]["replayed"], factus.calls["create"]) == ("one.r1", True, 1)

    async def test_a_document_that_is_open_is_joined(self, rig, dead, factus):
        await rig.push_bill("A", id="one", issue_on=MISSED)
        await rig.events(1)
        factus.gate = asyncio.Event()
        await rig.push_bill("A", id="corrected")
        await factus.called("create")
        await dead.retry(await only(dead))
        factus.gate.set()
        events = await rig.events(2)
        assert {event["job_id"] for event in events} == {"corrected", "one.r1"}
        assert {event["data"]["number"] for event in events} == {factus.documents["A"].number}
        assert factus.documents["A"].n_creates == 1

    async def test_two_operators_push_it_once(self, rig, factus):
        await rig.push_bill("A", id="one", issue_on=MISSED)
        await rig.events(1)
        desks = [desk_of(rig) for _ in range(5)]
        letter = await only(desks[0])
        results = await asyncio.gather(*(desk.retry(letter) for desk in desks))
        assert sorted(type(result).__name__ for result in results) == ["Gone"] * 4 + ["Pushed"]
        await rig.events(1)
        assert factus.documents["A"].n_creates == 1

    async def test_a_lost_answer_is_not_a_second_push(self, rig, dead, factus, monkeypatch):
        """redis-py sends a script again when its connection breaks after the server ran it."""
        await rig.push_bill("A", id="one", issue_on=MISSED)
        await rig.events(1)
        letter = await only(dead)
        run = Scripts.run

        async def twice(self, name, keys, args):
            await run(self, name, keys, args)
            return await run(self, name, keys, args)

        with monkeypatch.context() as patched:
            patched.setattr(dead._scripts, "run", twice.__get__(dead._scripts))
            assert await dead.retry(letter) == Gone()
        (event,) = await rig.events(1)
        assert (event["job_id"], factus.documents["A"].n_creates) == ("one.r1", 1)
        assert await rig.services.redis.xlen(rig.services.keys.jobs()) == 0

    async def test_the_number_rises_with_each_time(self, rig, dead, factus):
        factus.script = [answers.NotFound("404")] * 3
        await rig.push_bill("A", id="one")
        ids = [(await rig.events(1))[0]["job_id"]]
        for _ in range(2):
            await dead.retry(await only(dead))
            ids.append((await rig.events(1))[0]["job_id"])
        assert ids == ["one", "one.r1", "one.r2"]
        history = await dead.history(await only(dead))
        assert [record.id for record in history.records] == ids

    async def test_an_id_that_another_job_has_is_passed_over(self, rig, dead):
        await rig.push_bill("A", id="one", issue_on=MISSED)
        await rig.push_bill("B", id="one.r1")
        await rig.events(2)
        pushed = await dead.retry(await only(dead))
        assert isinstance(pushed, Pushed)
        assert pushed.job_id == "one.r2"

    async def test_two_letters_of_one_id_get_two_new_ones_before_either_is_taken_in(self, redis, namespace):
        rig_less = services_on(redis, namespace)
        for _ in range(2):
            fields = {"reason": "x", "raw": json.dumps({"n": 1}), "account": "acme", "job_id": "one"}
            await redis.xadd(rig_less.keys.dead(), fields)
        dead = DeadLetters(redis, rig_less.keys, retention_ms=RETENTION_MS)
        pushed = [await dead.retry(letter) for letter in await letters(dead)]
        assert [one.job_id for one in pushed if isinstance(one, Pushed)] == ["one.r1", "one.r2"]

    async def test_a_refused_job_without_an_id_goes_again_under_its_entry_s(self, rig, dead):
        entry = await rig.push({"type": "invoice.issue", "account": "nobody", "payload": a_bill()})
        await rig.events(1)
        pushed = await dead.retry(await only(dead))
        assert isinstance(pushed, Pushed)
        assert (pushed.job_id, pushed.goes_without) == (f"{entry}.r1", ())
        (event,) = await rig.events(1)
        assert (event["type"], event["job_id"]) == ("job.refused", f"{entry}.r1")

    @pytest.mark.parametrize("raw", [b"not JSON", b"\xff\x00", b"[1]", b'{"a":1,"a":2}'])
    async def test_what_is_no_object_is_kept_with_a_word_why(self, rig, dead, raw):
        await rig.push(raw)
        await rig.events(1)
        letter = await only(dead)
        kept = await dead.retry(letter)
        assert isinstance(kept, Kept)
        assert "dead show --raw" in kept.why
        assert await letters(dead) == [letter]


class TestOwnStreams:
    async def test_a_job_goes_back_to_the_stream_it_came_by(self, rig, dead):
        keys = rig.services.keys
        bill = {"type": "invoice.issue", "payload": a_bill(reference_code="A"), "id": "one", "issue_on": MISSED}
        await rig.push(bill, stream=keys.jobs("own"))
        await rig.push({**bill, "id": "two", "payload": {}}, stream=keys.jobs("own"))
        await rig.events(2, stream=keys.results("own"))
        pushed = [await dead.retry(letter) for letter in await letters(dead)]
        assert {one.stream for one in pushed if isinstance(one, Pushed)} == {keys.retry()}
        events = await rig.events(2, stream=keys.results("own"))
        assert {(event["job_id"], event["type"]) for event in events} == {
            ("one.r1", "invoice.validated"),
            ("two.r1", "job.refused"),
        }

    async def test_a_letter_of_an_own_stream_does_not_reach_another_account(self, rig, dead, factus):
        """What the producer was denied must not happen by the operator's hand."""
        keys = rig.services.keys
        await rig.push({"type": "invoice.issue", "account": "acme", "payload": a_bill()}, stream=keys.jobs("own"))
        await rig.events(1, stream=keys.results("own"))
        letter = await only(dead)
        assert letter.reason == "auth.denied"
        for desk in (dead, DeadLetters(rig.services.redis, keys, retention_ms=RETENTION_MS)):
            assert isinstance(await desk.retry(letter), Kept)
        assert not factus.calls


async def test_a_letter_is_dropped_once(rig, dead):
    await rig.push_bill("A", issue_on=MISSED)
    await rig.events(1)
    letter = await only(dead)
    assert await dead.get(letter.id) == letter
    assert [await dead.drop(letter.id), await dead.drop(letter.id)] == [True, False]
    assert await dead.get(letter.id) is None
    assert isinstance(await dead.retry(letter), Gone)


class TestWhatFollows:
    async def test_a_failed_archive_is_made_good_by_a_retry(self, redis, namespace, factus):
        """Its letter holds a download; the document's status tells of the failure, then of what mended it."""
        path = "GET /v2/bills/SETP990000001/download-pdf"
        factus.replies[path] = [answers.NotFound("aún no")]
        async with running(services_on(redis, namespace, gateway=factus, job_deadline=0.4)) as rig:
            dead = desk_of(rig)
            await rig.push_bill("A", id="j", options={"archive": ["pdf"]})
            await rig.events(2)
            assert (await parts_of_document(rig, "A")).state == "failed"
            letter = await only(dead)
            factus.replies[path] = [answers.Replied({"data": {"pdf_base_64_encoded": "YQ=="}})]
            shown = {"number": "SETP990000001", "is_validated": True}
            factus.replies["GET /v2/bills/SETP990000001"] = [answers.Replied({"data": shown})]
            found = await dead.retry(letter)
            assert isinstance(found, Pushed)
            assert (found.job_id, found.goes_without) == ("j.archive.r1", ())
            (event,) = await rig.events(1)
            assert (event["type"], event["job_id"]) == ("invoice.download.completed", "j.archive.r1")
            part = await parts_of_document(rig, "j~archive")
            assert (part.state, "j.archive.r1" in part.why) == ("done", True)

    async def test_an_e_mail_of_unknown_outcome_asks_for_care_and_is_sent_again_when_told(self, rig, dead, factus):
        factus.replies["POST /v2/bills/SETP1/send-email"] = [answers.Unknown("cortado"), answers.Replied({})]
        await rig.push(
            {"type": "invoice.email", "id": "m", "account": "acme", "payload": {"number": "SETP1", "email": "a@b.co"}}
        )
        await rig.events(1)
        letter = await only(dead)
        assert letter.may_be_done == ("el correo pudo haber salido ya", "the e-mail may have been sent already")
        assert isinstance(await dead.retry(letter), Pushed)
        (event,) = await rig.events(1)
        assert (event["type"], event["job_id"]) == ("invoice.email.completed", "m.r1")


async def parts_of_document(rig, reference: str) -> Part:
    built = rig.services
    reader = StatusReader(built.redis, built.keys, built.accounts, limit=80, window_s=60.0, results_maxlen=1000)
    (found,) = await JobLookup(built.redis, built.keys, reader, []).find(reference)
    (part,) = explain(found, UTC, SPANISH).follows
    return part
