"""From one XADD to one event, on the imitation and on the real server: idempotency, order, conflicts, bad input."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from jobs import answers
from schemas.factus import Remark
from tests.builders import a_bill, changed, fiscal_day
from tests.fakes import FakeFactus, lost
from tests.families import a_document_payload
from tests.service_in_process import an_account, running, services_on


async def test_one_push_one_call_one_event(rig, factus):
    code = await rig.push_bill(id="my-id", metadata={"till": 7, "rate": "1.10"})
    (event,) = await rig.events(1)
    assert (event["type"], event["job_id"], event["reference_code"]) == ("invoice.validated", "my-id", code)
    assert (event["seq"], event["attempts"], event["success"], event["errors"]) == (1, 1, True, None)
    assert event["metadata"] == {"till": 7, "rate": "1.10"}
    assert event["data"]["number"] == factus.documents[code].number
    assert factus.calls == {"create": 1}


async def test_the_event_has_every_field_and_its_filters(rig):
    await rig.push_bill("FV/1")
    await rig.events(1)
    ((_, fields),) = await rig.services.redis.xrange(rig.services.keys.results())
    assert {name: fields[name] for name in (b"type", b"account", b"reference_code")} == {
        b"type": b"invoice.validated",
        b"account": b"acme",
        b"reference_code": b"FV/1",
    }
    assert set(json.loads(fields[b"event"])) == {
        *("id", "seq", "type", "time", "job_id", "job_type", "account", "reference_code", "batch", "metadata"),
        *("attempts", "success", "message", "data", "errors"),
    }


async def test_documents_of_a_lane_go_one_at_a_time_in_order_of_arrival(rig, factus):
    factus.gate = asyncio.Event()
    codes = [await rig.push_bill() for _ in range(5)]
    await factus.called("create")
    await rig.taken_in()
    assert factus.calls["create"] == 1, "the second waits for the first"
    factus.gate.set()
    await rig.events(5)
    assert factus.order == codes


async def test_priority_goes_first_and_a_tenth_goes_to_the_waiting(rig, factus):
    factus.gate = asyncio.Event()
    await rig.push_bill("first")
    await factus.called("create")
    for n in range(20):
        await rig.push_bill(f"low-{n}", priority="low")
    for n in range(20):
        await rig.push_bill(f"high-{n}", priority="high")
    await rig.taken_in()
    factus.gate.set()
    await rig.events(41)
    first_twenty = factus.order[1:21]
    n_low = sum(code.startswith("low") for code in first_twenty)
    assert n_low == 2, first_twenty
    assert [code for code in factus.order if code.startswith("high")] == [f"high-{n}" for n in range(20)]


class TestSameJobAgain:
    async def test_the_same_id_and_content_is_dropped(self, rig, factus):
        code = await rig.push_bill(id="one")
        await rig.events(1)
        await rig.push_bill(code, id="one", metadata={"again": True})
        await rig.push_bill("other")
        (event,) = await rig.events(1)
        assert event["reference_code"] == "other"
        assert factus.calls["create"] == 2

    async def test_the_spelling_of_numbers_and_the_order_of_keys_do_not_count(self, rig, factus):
        payload = a_bill(reference_code="A")
        await rig.push({"type": "invoice.issue", "id": "one", "payload": payload})
        await rig.events(1)
        shuffled = json.loads(json.dumps(payload), parse_float=float)
        shuffled = dict(reversed(shuffled.items()))
        shuffled["items"][0]["price"] = float(payload["items"][0]["price"])
        await rig.push({"payload": shuffled, "id": "one", "type": "invoice.issue"})
        await rig.push_bill("B")
        (event,) = await rig.events(1)
        assert event["reference_code"] == "B"

    async def test_the_same_id_with_other_content_is_refused_under_the_entry_s_id(self, rig):
        await rig.push_bill("A", id="one")
        await rig.events(1)
        entry = await rig.push({"type": "invoice.issue", "id": "one", "payload": a_bill(reference_code="B")})
        (event,) = await rig.events(1)
        assert (event["type"], event["job_id"]) == ("job.refused", entry)
        assert (event["errors"][0]["code"], event["errors"][0]["field"]) == ("id.conflict", "envelope.id")

    async def test_an_open_document_is_joined_and_each_job_gets_its_result(self, rig, factus):
        factus.gate = asyncio.Event()
        await rig.push_bill("A", id="one")
        await factus.called("create")
        await rig.push_bill("A", id="two", metadata={"who": "second"})
        await rig.push_bill("A", id="three")
        await rig.taken_in()
        factus.gate.set()
        events = await rig.events(3)
        assert {event["job_id"]: event["attempts"] for event in events} == {"one": 1, "two": 0, "three": 0}
        assert len({event["data"]["number"] for event in events}) == 1
        assert factus.calls == {"create": 1}

    @pytest.mark.parametrize("word", ["joined", "removals", "joined:"])
    async def test_no_reference_names_what_the_service_keeps_beside_another(self, rig, factus, word):
        """``A:joined`` was the key of the list beside ``A``: while that list stood, nothing more was taken in."""
        factus.gate = asyncio.Event()
        await rig.push_bill("A")
        await factus.called("create")
        await rig.push_bill("A")
        await rig.push_bill(f"A:{word}")
        await rig.push_bill(f"A:{word}")
        await rig.taken_in()
        factus.gate.set()
        events = await rig.events(4)
        assert sorted(event["reference_code"] for event in events) == ["A", "A", f"A:{word}", f"A:{word}"]

    async def test_a_validated_document_is_answered_from_the_ledger(self, rig, factus):
        await rig.push_bill("A", id="one")
        (first,) = await rig.events(1)
        await rig.push_bill("A", id="two")
        (second,) = await rig.events(1)
        assert (second["job_id"], second["type"], second["attempts"]) == ("two", "invoice.validated", 0)
        assert second["data"] == {**first["data"], "replayed": True}
        assert factus.calls == {"create": 1}

    async def test_another_payload_under_a_validated_reference_is_refused(self, rig, factus):
        await rig.push_bill("A")
        await rig.events(1)
        changed = a_bill(reference_code="A")
        changed["observation"] = "otra"
        await rig.push_bill("A", payload=changed, id="two")
        (event,) = await rig.events(1)
        assert (event["type"], event["job_id"]) == ("job.refused", "two")
        assert event["errors"][0]["code"] == "reference.conflict"
        assert factus.calls == {"create": 1}

    async def test_after_a_rejection_the_reference_is_a_new_attempt_that_looks_first(self, rig, factus):
        factus.script = [answers.FieldsRefused("Error de validación", (Remark("El DV es malo", "customer.dv"),))]
        await rig.push_bill("A", id="one")
        (first,) = await rig.events(1)
        assert first["type"] == "invoice.rejected"
        await rig.push_bill("A", id="two")
        (second,) = await rig.events(1)
        assert second["type"] == "invoice.validated"
        assert factus.calls == {"create": 2, "find": 1}

    async def test_of_two_pushed_together_the_first_in_the_stream_wins(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        first, second = a_bill(reference_code="A"), a_bill(reference_code="A")
        second["observation"] = "otra"
        for name, payload in (("one", first), ("two", second)):
            await redis.xadd(
                built.keys.jobs(), {"job": json.dumps({"type": "invoice.issue", "id": name, "payload": payload})}
            )
        async with running(built) as rig:
            events = {event["job_id"]: event["type"] for event in await rig.events(2)}
        assert events == {"one": "invoice.validated", "two": "job.refused"}


class TestRefusals:
    async def test_a_payload_fault_names_field_and_rule_and_costs_no_call(self, rig, factus):
        payload = a_bill(reference_code="A", municipality_id=980)
        await rig.push({"type": "invoice.issue", "id": "one", "payload": payload, "metadata": {"k": 1}, "batch": "b"})
        (event,) = await rig.events(1)
        assert (event["type"], event["success"], event["attempts"], event["data"]) == ("job.refused", False, 0, None)
        assert (event["batch"], event["metadata"], event["reference_code"]) == ("b", {"k": 1}, "A")
        (error,) = event["errors"]
        assert (error["code"], error["field"], error["rule"]) == ("payload.invalid", "municipality_id", "GEN-003")
        assert factus.calls == {}

    async def test_a_refusal_is_a_dead_letter_with_the_original_bytes(self, rig):
        await rig.push(b'{"type":"invoice.issue",\xff')
        await rig.events(1)
        ((_, fields),) = await rig.services.redis.xrange(rig.services.keys.dead())
        assert fields[b"raw"] == b'{"type":"invoice.issue",\xff'
        assert fields[b"reason"] == b"envelope.invalid"

    async def test_an_unknown_account_is_told_with_the_account_it_named(self, rig):
        await rig.push_bill("A", account="nobody")
        (event,) = await rig.events(1)
        assert (event["account"], event["errors"][0]["code"]) == ("nobody", "account.unknown")

    async def test_the_intake_stream_is_empty_afterwards(self, rig):
        await rig.push(b"nonsense")
        await rig.push_bill("A")
        await rig.events(2)
        assert await rig.services.redis.xlen(rig.services.keys.jobs()) == 0
        assert (await rig.services.redis.xpending(rig.services.keys.jobs(), "intake"))["pending"] == 0


class TestTrouble:
    async def test_a_lost_answer_is_found_and_issued_once(self, rig, factus):
        factus.script = [lost]
        await rig.push_bill("A")
        (event,) = await rig.events(1)
        assert event["type"] == "invoice.validated"
        assert factus.documents["A"].n_creates == 1

    async def test_a_failing_factus_is_tried_again_until_it_answers(self, rig, factus):
        factus.script = [answers.NotSent("sin conexión"), answers.Unknown("500"), answers.NotSent("sin conexión")]
        await rig.push_bill("A")
        (event,) = await rig.events(1)
        assert (event["type"], event["attempts"]) == ("invoice.validated", 2)

    async def test_waiting_for_dian_is_told_once_and_then_ends(self, rig, factus):
        factus.script = [answers.Acknowledged(), answers.Acknowledged(), answers.Acknowledged()]
        await rig.push_bill("A")
        pending, final = await rig.events(2)
        assert (pending["type"], pending["seq"], pending["success"]) == ("invoice.pending", 1, True)
        assert (final["type"], final["seq"], final["attempts"]) == ("invoice.validated", 2, 4)
        assert factus.deleted == []

    async def test_a_rejection_frees_the_lane_for_the_next(self, rig, factus):
        from schemas.factus import Remark

        factus.script = [answers.RulesRefused((Remark("Regla: FAK24, Rechazo: sin DV", "FAK24"),))]
        await rig.push_bill("A")
        await rig.push_bill("B")
        rejected, validated = await rig.events(2)
        assert (rejected["type"], rejected["errors"][0]["rule"]) == ("invoice.rejected", "FAK24")
        assert (validated["type"], factus.deleted) == ("invoice.validated", ["A"])

    async def test_a_defect_of_ours_neither_loses_the_job_nor_stops_the_worker(self, rig, factus):
        async def explode(_job):
            factus.before_create = None
            raise KeyError("defect")

        factus.before_create = explode
        await rig.push_bill("A", id="a")
        await rig.push_bill("B", id="b")
        events = {event["job_id"]: event["type"] for event in await rig.events(2)}
        assert events == {"a": "invoice.validated", "b": "invoice.validated"}
        await rig.rest()
        counted = await rig.services.redis.hget(rig.services.keys.job("acme", "a"), "defects")
        assert counted == b"0", "they are counted in a row"


async def test_an_own_stream_names_no_other_account(redis, namespace, factus):
    built = services_on(redis, namespace, an_account("a", own_streams=True), an_account("b"), gateway=factus)
    async with running(built) as rig:
        await rig.push({"type": "invoice.issue", "payload": a_bill(reference_code="1")}, stream=built.keys.jobs("a"))
        await rig.push(
            {"type": "invoice.issue", "account": "b", "payload": a_bill(reference_code="2")},
            stream=built.keys.jobs("a"),
        )
        events = {e["reference_code"]: e for e in await rig.events(2, stream=built.keys.results("a"))}
    assert (events["1"]["type"], events["1"]["account"]) == ("invoice.validated", "a")
    assert events["2"]["errors"][0]["code"] == "auth.denied"


async def test_an_account_with_own_streams_finds_all_its_results_there(redis, namespace, factus):
    """Also a replay and a refusal: they must not go where nobody reads."""
    built = services_on(redis, namespace, an_account("a", own_streams=True), an_account("b"), gateway=factus)
    stream = built.keys.jobs("a")
    job = {"type": "invoice.issue", "payload": a_bill(reference_code="1")}
    async with running(built) as rig:
        await rig.push(job, stream=stream)
        await rig.events(1, stream=built.keys.results("a"))
        await rig.push(job, stream=stream)
        await rig.push({**job, "payload": {}}, stream=stream)
        types = {event["type"] for event in await rig.events(2, stream=built.keys.results("a"))}
    assert types == {"invoice.validated", "job.refused"}


async def test_nobody_acts_for_an_account_with_own_streams_through_the_common_one(redis, namespace, factus):
    """The refusal goes to whoever pushed, and uses up nothing of the account's: no id, reference, batch or event."""
    built = services_on(redis, namespace, an_account("a", own_streams=True), an_account("b"), gateway=factus)
    stolen = {"type": "invoice.issue", "account": "a", "id": "one", "batch": "L", "batch_size": 1}
    async with running(built) as rig:
        await rig.push({**stolen, "payload": a_bill(reference_code="1")})
        await rig.push({**stolen, "id": "two", "payload": {}})
        denied = await rig.events(2)
        await rig.push({**stolen, "payload": a_bill(reference_code="1")}, stream=built.keys.jobs("a"))
        own = await rig.events(2, stream=built.keys.results("a"))
    assert [event["errors"][0]["code"] for event in denied] == ["auth.denied", "auth.denied"]
    assert [event["type"] for event in own] == ["invoice.validated", "batch.completed"]
    assert own[1]["data"]["counts"] == {"invoice.validated": 1}
    assert len({event["id"] for event in (*denied, *own)}) == 4


async def test_accounts_do_not_wait_for_each_other(redis, namespace):
    """One account's outage delays no other."""

    class OneIsDown(FakeFactus):
        async def create(self, job, *, latest_ms):
            if job.account == "down":
                self._note("down")
                return answers.NotSent("sin conexión")
            return await super().create(job, latest_ms=latest_ms)

    pauses = {"backoff_base": 3600.0, "backoff_max": 3600.0}
    factus = OneIsDown()
    built = services_on(redis, namespace, an_account("down"), an_account("up"), gateway=factus, **pauses)
    async with running(built) as rig:
        for _ in range(3):
            await rig.push_bill(account="down")
        await factus.called("down")
        while not await redis.hexists(built.keys.account("down"), "hold_until"):
            await redis.ping()  # what is pushed before the hold stands is no witness
        await rig.push_bill("A", account="up")
        (event,) = await rig.events(1)
    assert event["account"] == "up"


async def test_two_workers_share_the_work_and_issue_nothing_twice(redis, namespace, factus):
    first = services_on(redis, namespace, an_account("a"), an_account("b"), gateway=factus)
    second = services_on(redis, namespace, an_account("a"), an_account("b"), gateway=factus)
    async with running(first) as rig, running(second):
        for n in range(40):
            await rig.push_bill(f"R{n}", account="ab"[n % 2])
        events = await rig.events(40)
    assert {event["type"] for event in events} == {"invoice.validated"}
    assert len({event["job_id"] for event in events}) == 40
    assert all(stored.n_creates == 1 for stored in factus.documents.values())


async def test_where_nothing_fails_the_sweep_finds_nothing(rig):
    for _ in range(10):
        await rig.push_bill()
    await rig.events(10)
    assert not await rig.services.sweep.sweep()


async def test_an_option_that_is_not_served_is_told(rig):
    """RADIAN events happen to bills on credit only; this one is paid at once."""
    await rig.push_bill("A", options={"track_radian": True})
    (event,) = await rig.events(1)
    told = [(warning["code"], warning["field"]) for warning in event["data"]["warnings"]]
    assert ("option.unavailable", "envelope.options.track_radian") in told


async def test_what_waited_past_the_day_that_it_was_judged_on_is_judged_again(rig, factus):
    """A weekly purchase of six days ago may go out today and not tomorrow: no call is spent on finding out."""
    today = fiscal_day()
    factus.gate = asyncio.Event()
    factus.script = [answers.FieldsRefused("no", ())]
    await rig.push({"type": "support_document.issue", "payload": a_document_payload("support_document")})
    await factus.called("create")
    await rig.push({"type": "support_document.issue", "id": "weekly", "payload": a_weekly_purchase(today, days_ago=6)})
    await rig.taken_in()
    # As if a day had gone by: it came yesterday, and its purchase is one day older.
    key = rig.services.keys.job("acme", "weekly")
    accepted_at = int(await rig.services.redis.hget(key, "accepted_at"))
    await rig.services.redis.hset(key, "accepted_at", accepted_at - 86_400_000)
    await rig.services.redis.hset(key, "payload", json.dumps(a_weekly_purchase(today, days_ago=7)))
    factus.gate.set()
    _, event = await rig.events(2)
    assert (event["type"], event["job_id"], event["attempts"]) == ("job.refused", "weekly", 0)
    assert [(error["code"], error["rule"]) for error in event["errors"]] == [("payload.invalid", "DS-016")]
    assert factus.calls["create"] == 1
    ((_, letter),) = await rig.services.redis.xrange(rig.services.keys.dead())
    assert (letter[b"job_id"], letter[b"reason"]) == (b"weekly", b"payload.invalid")


def a_weekly_purchase(today, *, days_ago):
    day = (today - timedelta(days=days_ago)).isoformat()
    period = {"generation_mode": "2", "start_date": day}
    return changed(a_document_payload("support_document"), {"reference_code": "WEEKLY", "items.0.period": period})
