"""Nothing that can be pushed stops the intake, costs more than its bound, or is silently lost."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
import structlog
from structlog.testing import capture_logs

from tests.builders import a_bill
from tests.contract.pushed import a_job, letters_of, seen_in
from tests.service_in_process import an_account, quick, running, services_on
from worker.intake import commands


class TestRemovedUnread:
    """What a producer, or a hand, removed from the stream before it was read has no event: somebody must be told."""

    async def gone(self, built):
        facts = await built.redis.hgetall(built.keys.intake_facts())
        return int(facts.get(f"gone:{built.keys.jobs()}".encode(), 0))

    async def looked(self, built):
        await built.intake._watch.look()

    @pytest.mark.parametrize("how", ["trimmed", "deleted", "before the first start"])
    async def test_it_is_counted_and_told(self, redis, namespace, factus, how):
        built = services_on(redis, namespace, gateway=factus)
        stream = built.keys.jobs()
        if how != "before the first start":
            async with running(built) as rig:
                await rig.push_bill("A")
                await rig.events(1)
                await self.looked(built)
        ids = [await redis.xadd(stream, {"job": json.dumps(a_job(f"L{n}"))}) for n in range(5)]
        if how == "deleted":
            await redis.xdel(stream, ids[1], ids[2], ids[3])
        else:
            await redis.xtrim(stream, maxlen=2, approximate=False)
        again = services_on(redis, namespace, gateway=factus)
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
            async with running(again) as rig:
                await rig.rest()
                await self.looked(again)
        (told,) = [entry for entry in logs if entry["event"] == "intake.entries_gone"]
        assert (told["n_entries"], told["log_level"]) == (3, "error")
        assert await self.gone(again) == 3
        assert len(factus.documents) == (2 if how == "before the first start" else 3)

    async def test_where_nobody_trims_nothing_is_missed(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        with capture_logs() as logs:
            async with running(built) as rig:
                for n in range(30):
                    await rig.push_bill(f"R{n}")
                await rig.push(b"no json")
                await rig.events(31)
                await self.looked(built)
        assert not {"intake.entries_gone", "loop.member_failed", "loop.turn_failed"} & seen_in(logs)
        assert not await self.gone(built)


class TestWhatTripsUs:
    """A script that fails for one entry of a slice: that one is refused, and the others go on in their order."""

    @pytest.mark.parametrize("key", ["job", "document", "joined", "batch"])
    async def test_a_key_of_the_wrong_type_costs_its_own_entry_only(self, redis, namespace, factus, key):
        built = services_on(redis, namespace, gateway=factus)
        document = built.keys.document("acme", "invoice", "R5")
        spoilt = {
            "job": built.keys.job("acme", "j5"),
            "document": document,
            "joined": built.keys.joined(document),
            "batch": built.keys.batch("acme/L"),
        }[key]
        await redis.set(spoilt, "a hand was here")
        for n in range(10):
            job = a_job(f"R{n}", id=f"j{n}", **({"batch": "L", "batch_size": 1} if n == 5 and key == "batch" else {}))
            await redis.xadd(built.keys.jobs(), {"job": json.dumps(job)})
        async with running(built) as rig:
            events = await rig.events(10)
        by_id = {event["job_id"]: event for event in events}
        if key == "batch":  # counting is no reason to lose a job
            assert by_id["j5"]["type"] == "invoice.validated"
        else:
            (refused,) = [event for event in events if event["type"] == "job.refused"]
            # Where its own record cannot be written its id is not used up either: it answers to the entry's.
            assert (refused["job_id"] == "j5") is (key != "job")
            assert refused["errors"][0]["code"] == "internal"
            (letter,) = await letters_of(built)
            assert b'"R5"' in letter[b"raw"]
        others = [event["reference_code"] for event in events if event["type"] == "invoice.validated"]
        others = [code for code in others if code != "R5"]
        assert others == [f"R{n}" for n in range(10) if n != 5]
        assert not rig.task.done() or not rig.task.exception()

    @pytest.mark.parametrize("trap", ["validate", "arguments"])
    async def test_a_defect_keeps_what_can_be_read(self, redis, namespace, factus, monkeypatch, trap):
        from jobs.intake import EntryValidator

        validate, lay_out = EntryValidator.validate, commands.lay_out

        def trip(self, entry):
            if b"tripwire" in (entry.raw or b""):
                raise OverflowError("defect")
            return validate(self, entry)

        def trip_late(entry, account, record, keys, values, **more):
            if b"tripwire" in (entry.raw or b"") and values.kind == "accept":
                raise OverflowError("defect")
            return lay_out(entry, account, record, keys, values, **more)

        if trap == "validate":
            monkeypatch.setattr(EntryValidator, "validate", trip)
        else:
            monkeypatch.setattr(commands, "lay_out", trip_late)
        built = services_on(redis, namespace, gateway=factus)
        async with running(built) as rig:
            await rig.push(a_job("tripwire", id="mine", batch="L", metadata={"a": 1}))
            await rig.push_bill("A")
            refused, validated = await rig.events(2)
        assert (refused["type"], refused["job_id"], refused["batch"]) == ("job.refused", "mine", "L")
        assert refused["errors"][0]["code"] == "internal"
        assert validated["reference_code"] == "A"

    async def test_where_not_even_the_refusal_can_be_written_the_others_go_on(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        await redis.set(built.keys.dead(), "a hand was here")
        async with running(built) as rig:
            await rig.push(b"no json")
            await rig.push_bill("A")
            (event,) = await rig.events(1)
            assert event["reference_code"] == "A"
            await redis.delete(built.keys.dead())
            (refused,) = await rig.events(1)
        assert refused["type"] == "job.refused"


class TestTwoConfigurations:
    """Workers that serve different accounts: a job is left to whoever can serve it."""

    async def test_each_job_is_taken_in_by_a_worker_that_serves_its_account(self, redis, namespace, factus):
        policies = quick(intake={"rotation_ms": 200, "look_ms": 100, "grace_ms": 5000})
        one = services_on(redis, namespace, an_account("a"), gateway=factus, policies=policies)
        two = services_on(
            redis, namespace, an_account("b"), an_account("c", own_streams=True), gateway=factus, policies=policies
        )
        async with running(one) as rig, running(two):
            for code in ("A", "B"):
                await rig.push(a_job(f"{code}-{code}", account=code.lower()))
            await rig.push(a_job("C-C", account="c"), stream=two.keys.jobs("c"))
            await rig.push(a_job("none", account="z"))
            events = await rig.events(3)
            own = json.loads((await redis.xread({two.keys.results("c"): "0"}, block=10_000))[0][1][0][1][b"event"])
        found = {event["reference_code"]: event["type"] for event in (*events, own)}
        assert found == {
            "A-A": "invoice.validated",
            "B-B": "invoice.validated",
            "C-C": "invoice.validated",
            "none": "job.refused",
        }

    async def test_a_job_without_an_account_is_no_worker_s_own_to_guess(self, redis, namespace, factus):
        policies = quick(intake={"rotation_ms": 200, "look_ms": 100})
        one = services_on(redis, namespace, an_account("a"), gateway=factus, policies=policies)
        two = services_on(redis, namespace, an_account("b"), gateway=factus, policies=policies)
        async with running(one) as rig, running(two):
            await asyncio.wait_for(self.both_known(one, two), 40)
            await rig.push({"type": "invoice.issue", "payload": a_bill(reference_code="A")})
            (event,) = await rig.events(1)
        assert event["errors"][0]["code"] == "account.unknown"

    @staticmethod
    async def both_known(one, two):
        while not (one.intake._peers.elsewhere() and two.intake._peers.elsewhere()):
            await asyncio.sleep(0.02)

    async def test_it_is_refused_when_those_who_served_the_account_stay_away(self, redis, namespace, factus):
        patient = quick(intake={"absence_ms": 1000, "lease_ms": 300, "look_ms": 100})
        built = services_on(redis, namespace, an_account("a"), gateway=factus, policies=patient)
        await redis.zadd(built.keys.served_accounts(), {"gone": time.time() * 1000})
        async with running(built) as rig:
            began = time.monotonic()
            await rig.push(a_job("X", account="gone"))
            await rig.push_bill("A", account="a")
            first, second = await rig.events(2)
            assert time.monotonic() - began >= 1.0
        assert (first["reference_code"], second["reference_code"]) == ("A", "X")
        assert second["errors"][0]["code"] == "account.unknown"

    async def test_however_many_wait_for_another_worker_none_is_refused(self, real_redis, namespace, factus):
        leads_on = quick(intake={"rotation_ms": 3_600_000})
        built = services_on(real_redis, namespace, an_account("a"), gateway=factus, policies=leads_on)
        now_ms = time.time() * 1000
        await real_redis.hset(built.keys.worker("other"), mapping={"accounts": "b"})
        await real_redis.zadd(built.keys.workers(), {"other": now_ms + 3_600_000})
        n, job = 10_200, json.dumps({"type": "invoice.issue", "account": "b", "payload": {}})
        async with running(built) as rig:
            async with real_redis.pipeline(transaction=False) as pipe:
                for _ in range(n):
                    pipe.xadd(built.keys.jobs(), {"job": job})
                await pipe.execute()
            await rig.push_bill("A", account="a")
            (event,) = await rig.events(1)
            assert event["reference_code"] == "A"
            assert await real_redis.xlen(built.keys.jobs()) == n, "they wait for the worker that serves their account"


HOSTILE = {
    "more exponent than a number has": b'{"id":"x","batch":"L","payload":{"a":1E+999999999999999999999}}',
    "a long number": b'{"id":"x","batch":"L","type":"invoice.issue","payload":{"a":' + b"9" * 5000 + b"}}",
    "a repeated key": b'{"id":"x","batch":"L","payload":{"a":1,"a":2}}',
    "a lone surrogate": b'{"id":"x","batch":"L","payload":{"a":"\\ud800"}}',
    "too deep": b'{"id":"x","batch":"L","payload":' + b"[" * 40 + b"]" * 40 + b"}",
    "too much": b'{"id":"x","batch":"L","options":{"archive":[' + b",".join([b"{}"] * 60_000) + b"]}}",
    "many unknown fields": json.dumps({"id": "x", "batch": "L", **{f"k{n}": 1 for n in range(5000)}}).encode(),
    "many unknown options": json.dumps(
        {"id": "x", "batch": "L", "options": {f"k{n}": 1 for n in range(5000)}}
    ).encode(),
    "a long list of an option": json.dumps({"id": "x", "batch": "L", "options": {"archive": ["pdf"] * 11}}).encode(),
    "metadata beyond its size": json.dumps(
        {"id": "x", "batch": "L", "metadata": {f"k{n}": 1 for n in range(30_000)}}
    ).encode(),
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
async def test_what_is_beyond_a_bound_is_refused_with_what_can_be_read_of_it(redis, namespace, factus, raw):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(raw)
        await rig.push_bill("A")
        refused, validated = await rig.events(2)
    assert (refused["type"], refused["job_id"], refused["batch"]) == ("job.refused", "x", "L")
    assert {error["code"] for error in refused["errors"]} == {"envelope.invalid"}
    assert all(error["field"] for error in refused["errors"])
    assert validated["reference_code"] == "A"


class TestDenied:
    """A denied job uses up nothing of the account that it names, and has one answer all the same."""

    @pytest.mark.parametrize("account", ["b", "x" * 500, "own"])
    async def test_pushed_again_it_has_one_answer(self, redis, namespace, factus, account):
        built = services_on(redis, namespace, an_account("own", own_streams=True), an_account("b"), gateway=factus)
        stream = "" if account == "own" else built.keys.jobs("own")
        results = built.keys.results(None if account == "own" else "own")
        async with running(built) as rig:
            for reference in ("A", "A", "B"):
                await rig.push(a_job(reference, account=account, id="one"), stream=stream)
            await rig.rest()
        entries = [json.loads(fields[b"event"]) for _, fields in await redis.xrange(results)]
        assert [event["errors"][0]["code"] for event in entries] == ["auth.denied"] * 2
        assert len({event["id"] for event in entries}) == 2
        assert entries[0]["job_id"] == "one"
        assert entries[1]["job_id"] != "one"
        assert entries[0]["message"] == entries[1]["message"]


async def test_a_byte_order_mark_says_nothing(redis, namespace, factus):
    """Some languages write one before every text; ``check`` takes such a file, and so does the service."""
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(b"\xef\xbb\xbf" + json.dumps(a_job("A")).encode())
        (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
