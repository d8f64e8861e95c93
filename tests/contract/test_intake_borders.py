"""Nothing that can be pushed stops the intake, costs more than its bound, or is silently lost."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from datetime import date, timedelta

import pytest
import structlog
from structlog.testing import capture_logs

from jobs.rights.traces import without_token
from tests.builders import a_bill
from tests.service_in_process import an_account, quick, running, services_on
from worker.intake import commands
from worker.store.bounded_connection import LARGEST_REPLY

JOB = {"type": "invoice.issue", "account": "acme"}


def a_job(reference, **envelope):
    return {**JOB, "payload": a_bill(reference_code=reference), **envelope}


async def letters_of(built):
    return [fields for _, fields in await built.redis.xrange(built.keys.dead())]


def seen_in(logs):
    return {entry["event"] for entry in logs}


DAY = timedelta(days=1)
NEVER = {
    "the customary never": {"issue_on": "9999-12-31"},
    "its instant": {"not_before": "9999-12-31T23:59:59-12:00"},
    "its end": {"expires_at": "9999-12-31T23:59:59Z"},
    "both, west of everything": {"not_before": "9999-12-31T00:00:00-23:59", "expires_at": "9999-12-31T23:59:59-23:59"},
    "401 days": {"issue_on": str(date.today() + 402 * DAY)},
    "a fraction without end": {"not_before": "2026-11-30T08:00:00." + "1" * 5000 + "Z"},
}


@pytest.mark.parametrize("when", NEVER.values(), ids=NEVER)
async def test_days_and_instants_have_a_horizon(redis, namespace, factus, when):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(a_job("far", id="far", **when))
        await rig.push_bill("A")
        refused, validated = await rig.events(2)
    assert (refused["type"], refused["job_id"]) == ("job.refused", "far")
    assert {error["code"] for error in refused["errors"]} == {"envelope.invalid"}
    assert {error["field"] for error in refused["errors"]} == {f"envelope.{name}" for name in when}
    assert validated["reference_code"] == "A"


LONG_AGO = {
    "year one": {"expires_at": "0001-01-01T00:00:00+23:59"},
    "before 1970": {"expires_at": "1969-12-31T23:59:59Z"},
}


@pytest.mark.parametrize("when", LONG_AGO.values(), ids=LONG_AGO)
async def test_what_expired_long_ago_has_expired(redis, namespace, factus, when):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(a_job("old", **when))
        (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "job.expired")


async def test_a_day_of_the_past_is_missed_however_long_ago(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push(a_job("old", issue_on="0001-01-01", not_before="0001-01-01T00:00:00-23:59"))
        (event,) = await rig.events(1)
    assert (event["type"], event["errors"][0]["code"]) == ("invoice.failed", "date.missed")


SIZES = [10**99, 10**7 + 1, 2**53, 2**63, 1e300, -1, 0, True, "12", [], {}]


@pytest.mark.parametrize("size", SIZES, ids=repr)
async def test_no_stated_size_stops_the_sweep(redis, namespace, factus, size):
    """Two refused jobs of one batch, one of which says that it has more jobs than a number can hold."""
    built = services_on(redis, namespace, gateway=factus)
    bad = {**JOB, "payload": {}, "batch": "L"}
    async with running(built) as rig:
        await rig.push({**bad, "id": "one", "batch_size": 2})
        await rig.push({**bad, "id": "two", "batch_size": size})
        *refused, completed = await rig.events(3)
    assert [event["type"] for event in refused] == ["job.refused"] * 2
    assert (completed["type"], completed["data"]["size"]) == ("batch.completed", 2)


async def test_what_refused_jobs_state_counts_only_where_no_accepted_one_has_stated_any(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push({**JOB, "payload": {}, "id": "bad", "batch": "L", "batch_size": 10_000_000})
        await rig.push(a_job("A", batch="L", batch_size=2))
        events = await rig.events(3)
    assert [event["type"] for event in events if event["type"] == "batch.completed"] == ["batch.completed"]


IDS = {
    "1795622400000-0": False,
    "18446744073709551615-18446744073709551615": False,
    "2026-001": True,
    "1795622400000": True,
    "179562240000-0": True,
    "x1795622400000-0": True,
    "1795622400000-0.r1": True,
}


@pytest.mark.parametrize(("id_", "may_be"), IDS.items())
async def test_an_id_that_looks_like_an_entry_s_is_refused(redis, namespace, factus, id_, may_be):
    """It would take the place of a job without an id that somebody else pushes later."""
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        entry = await rig.push(a_job("A", id=id_))
        (event,) = await rig.events(1)
    if may_be:
        assert (event["type"], event["job_id"]) == ("invoice.validated", id_)
    else:
        assert (event["type"], event["job_id"]) == ("job.refused", entry)
        assert event["errors"][0]["field"] == "envelope.id"


async def test_an_entry_s_id_that_is_taken_costs_nobody_a_job(redis, namespace, factus):
    """A clock that was set back gives ids twice; whoever pushes without an id cannot help it."""
    built = services_on(redis, namespace, gateway=factus)
    stream = built.keys.jobs()
    async with running(built) as rig:
        for code in ("A", "B", "C"):
            await redis.xadd(stream, {"job": json.dumps(a_job(code))}, id="1795622400000-7")
            (event,) = await rig.events(1)
            assert (event["type"], event["reference_code"]) == ("invoice.validated", code)
            await redis.delete(stream)
            await redis.xgroup_create(stream, "intake", id="0", mkstream=True)


async def test_two_fields_job_are_refused_and_both_are_kept(redis, namespace, factus):
    built = services_on(redis, namespace, gateway=factus)
    first, second = json.dumps(a_job("A")), json.dumps(a_job("B"))
    async with running(built) as rig:
        await redis.execute_command("XADD", built.keys.jobs(), "*", "job", first, "job", second)
        await redis.execute_command("XADD", built.keys.jobs(), "*", "data", first)
        await rig.push_bill("C")
        two, none, validated = await rig.events(3)
    assert [event["errors"][0]["code"] for event in (two, none)] == ["envelope.invalid"] * 2
    assert validated["reference_code"] == "C"
    both, other = await letters_of(built)
    assert first.encode() in both[b"raw"]
    assert second.encode() in both[b"raw"]
    assert first.encode() in other[b"raw"]


class TestLargeEntries:
    """Redis takes fields of half a gigabyte; this process does not."""

    async def test_a_letter_keeps_the_beginning_the_size_and_the_digest(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        large = json.dumps(a_job("A", metadata={"x": "y" * 1_100_000})).encode()
        async with running(built) as rig:
            await rig.push(large)
            await rig.push_bill("B")
            refused, validated = await rig.events(2)
        assert (refused["type"], refused["errors"][0]["field"]) == ("job.refused", "envelope.job")
        assert str(len(large)) in refused["message"]
        assert validated["reference_code"] == "B"
        (letter,) = await letters_of(built)
        assert letter[b"raw"] == large[: 64 * 1024]
        assert int(letter[b"size"]) == len(large)
        assert letter[b"sha256"].decode() == hashlib.sha256(large).hexdigest()

    async def test_what_lies_there_at_the_start_is_read_within_bounds(self, real_redis, namespace, factus):
        built = services_on(real_redis, namespace, gateway=factus)
        large = b"x" * (6 * 1024 * 1024)
        for _ in range(6):
            await real_redis.xadd(built.keys.jobs(), {"job": large})
        await real_redis.xadd(built.keys.jobs(), {"job": json.dumps(a_job("A"))})
        async with running(built) as rig:
            events = await rig.events(7)
        assert [event["type"] for event in events] == ["job.refused"] * 6 + ["invoice.validated"]
        assert {letter[b"sha256"].decode() for letter in await letters_of(built)} == {hashlib.sha256(large).hexdigest()}

    async def test_one_that_comes_while_the_intake_waits_ends_the_wait_and_not_the_worker(
        self, valkey_url, namespace, factus
    ):
        from worker.store import connection

        redis, blocking = connection.connect(valkey_url), connection.connect(valkey_url, blocking=True)
        built = services_on(redis, namespace, gateway=factus, blocking=blocking)
        async with running(built) as rig:
            await rig.push_bill("A")
            await rig.events(1)
            await redis.execute_command(
                "XADD", built.keys.jobs(), "*", "a", b"x" * (LARGEST_REPLY // 2), "b", b"y" * LARGEST_REPLY
            )
            await rig.push_bill("B")
            refused, validated = await rig.events(2)
        assert (refused["type"], validated["reference_code"]) == ("job.refused", "B")
        for client in (redis, blocking):
            await connection.close(client)


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

    async def test_in_calm_weather_nothing_is_missed(self, redis, namespace, factus):
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


OF_ONE_ID = {
    "rubbish": ([b"job", b"{"], [b"job", b"["]),
    "large, of one beginning": ([b"job", b"x" * 2_000_000], [b"job", b"x" * 2_000_001]),
    "two fields, joined and not": ([b"job", b"a\nb"], [b"job", b"a", b"job", b"b"]),
    "two fields, of one beginning": ([b"job", b"x" * 70_000, b"job", b"a"], [b"job", b"x" * 70_000, b"job", b"b"]),
    "no job": ([b"work", b"x" * 70_000, b"n", b"1"], [b"work", b"x" * 70_000, b"n", b"2"]),
}


class TestIdsOfTheFuture:
    """One XADD with the largest id there is, and nobody can push any more: until somebody makes the stream anew."""

    LAST = "18446744073709551615-18446744073709551615"

    async def test_the_stream_is_made_anew_once_it_is_empty(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        with capture_logs() as logs:
            async with running(built) as rig:
                await redis.xadd(built.keys.jobs(), {"job": json.dumps(a_job("A"))}, id=self.LAST)
                (event,) = await rig.events(1)
                assert event["reference_code"] == "A"
                await rig.rest()
                await built.intake._watch.look()
                await rig.push_bill("B")
                (event,) = await rig.events(1)
                assert event["reference_code"] == "B"
        (told,) = [entry for entry in logs if entry["event"] == "intake.stream_renewed"]
        assert told["log_level"] == "error"

    @pytest.mark.parametrize("pair", OF_ONE_ID.values(), ids=OF_ONE_ID)
    async def test_each_entry_that_is_refused_under_one_id_has_its_answer(self, redis, namespace, factus, pair):
        """The stream is made anew in between: Redis takes the id once more, for another entry."""
        built, answered = services_on(redis, namespace, gateway=factus), set()
        async with running(built) as rig:
            for fields in pair:
                await redis.execute_command("XADD", built.keys.jobs(), self.LAST, *fields)
                (event,) = await rig.events(1)
                answered.add(event["id"])
                await rig.rest()
                await built.intake._watch.look()
        assert len(answered) == 2
        assert len(await letters_of(built)) == 2

    async def test_while_something_is_in_it_it_stays_and_is_told(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        await redis.xadd(built.keys.jobs(), {"job": b"{}"}, id=self.LAST)
        with capture_logs() as logs:
            await built.intake._watch.look()
        assert await redis.xlen(built.keys.jobs()) == 1
        assert "intake.id_ahead" in seen_in(logs)
        assert await redis.hget(built.keys.intake_facts(), f"ahead:{built.keys.jobs()}") == self.LAST.encode()

    async def test_who_comes_later_does_not_stand_behind_it(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        await redis.set(built.keys.leader("intake"), built.worker_id)
        future = str(int((time.time() + 86_400) * 1000))
        await redis.xadd(built.keys.jobs(), {"job": json.dumps(a_job("A"))}, id=f"{future}-0")
        entry = (await redis.xrange(built.keys.jobs()))[0][0].decode()
        await built.intake._reader.create_groups()
        entries = await built.intake._reader.next()
        await built.intake._take_in(entries, lambda: None)
        record = await built.reader.job("acme", entry)
        now = int(time.time() * 1000)
        from schemas.records import queue_score

        assert record.score <= queue_score("normal", f"{now}-2047", now)


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
            (refused,) = await rig.events(1, timeout_s=40)
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
            events = await rig.events(3, timeout_s=20)
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
        patient = quick(intake={"absence_ms": 1500, "lease_ms": 300, "look_ms": 100})
        built = services_on(redis, namespace, an_account("a"), gateway=factus, policies=patient)
        await redis.zadd(built.keys.served_accounts(), {"gone": time.time() * 1000})
        async with running(built) as rig:
            await rig.push(a_job("X", account="gone"))
            await rig.push_bill("A", account="a")
            first, second = await rig.events(2, timeout_s=40)
        assert (first["reference_code"], second["reference_code"]) == ("A", "X")
        assert second["errors"][0]["code"] == "account.unknown"


class TestLetters:
    async def test_the_oldest_go_when_there_are_too_many_and_it_is_told(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus, policies=quick(intake={"letters": 5}))
        async with running(built) as rig:
            for n in range(9):
                await rig.push(f"no json {n}".encode())
            await rig.events(9)
        with capture_logs() as logs:
            await built.intake._watch.look()
        raws = [letter[b"raw"] for letter in await letters_of(built)]
        assert raws == [f"no json {n}".encode() for n in range(4, 9)]
        gone = sum(entry["n_trimmed"] for entry in logs if entry["event"] == "letters.trimmed")
        facts = await redis.hgetall(built.keys.intake_facts())
        assert int(facts[b"letters_gone"]) >= gone
        assert int(facts[b"letters_gone"]) == 4

    async def test_their_bytes_are_bounded_together(self, real_redis, namespace, factus):
        built = services_on(real_redis, namespace, gateway=factus, policies=quick(intake={"letters_bytes": 2_000_000}))
        async with running(built) as rig:
            for n in range(8):
                await rig.push(b"%d" % n + b"x" * 900_000)
            await rig.events(8)
        await built.intake._watch.look()
        raws = [letter[b"raw"] for letter in await letters_of(built)]
        assert 0 < sum(map(len, raws)) < 2_000_000
        assert raws[-1].startswith(b"7")

    JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJlcnAifQ.c2lnbmF0dXJl"

    @pytest.mark.parametrize(
        "raw",
        [
            b'{"type":"x","token":"' + JWT + b'"}',
            b'{"type":"x","\\u0074oken":"secret"}',
            b'{"type":"x","token":{"a":"' + JWT + b'"}}',
            b'{"type":"x","token":"' + JWT + b'"',
            JWT,
            b"\xff" + JWT + b"\xff",
        ],
    )
    def test_they_hold_no_token(self, raw):
        kept = without_token(raw)
        assert self.JWT not in kept
        assert b"secret" not in kept

    @pytest.mark.parametrize("raw", [b'{"type":"x"}', b'{"token": 1', b"", b'{"a":"token"}', b'{"a":"\\u00e1"}'])
    def test_all_else_stays_to_the_byte(self, raw):
        assert without_token(raw) == raw


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


class TestOneEndForEachId:
    """Also where the job could not be read: an id that has ended ends no second time."""

    UNREADABLE = b'{"id":"x-1","account":"acme","type":"invoice.issue","payload":{"a":1e300000000}}'

    async def test_an_unreadable_push_of_an_id_that_has_a_job_is_answered_under_its_own(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        async with running(built) as rig:
            await rig.push(a_job("A", id="x-1"))
            await rig.events(1)
            entry = await rig.push(self.UNREADABLE)
            (event,) = await rig.events(1)
        assert (event["job_id"], event["errors"][0]["code"]) == (entry, "id.conflict")

    async def test_pushed_again_to_the_byte_it_is_the_same_job(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        async with running(built) as rig:
            for _ in range(3):
                await rig.push(self.UNREADABLE)
            await rig.push_bill("B")
            refused, validated = await rig.events(2)
        assert (refused["job_id"], refused["errors"][0]["code"]) == ("x-1", "envelope.invalid")
        assert validated["reference_code"] == "B"

    async def test_a_job_pushed_after_it_with_the_same_id_conflicts(self, redis, namespace, factus):
        built = services_on(redis, namespace, gateway=factus)
        async with running(built) as rig:
            await rig.push(self.UNREADABLE)
            entry = await rig.push(a_job("A", id="x-1"))
            _, event = await rig.events(2)
        assert (event["job_id"], event["errors"][0]["code"]) == (entry, "id.conflict")

    async def test_unreadable_or_not_nobody_names_an_account_with_own_streams_elsewhere(self, redis, namespace, factus):
        built = services_on(redis, namespace, an_account("acme", own_streams=True), an_account("b"), gateway=factus)
        async with running(built) as rig:
            await rig.push(self.UNREADABLE)
            (event,) = await rig.events(1)
            assert event["errors"][0]["code"] == "auth.denied"
            await rig.push(a_job("A", id="x-1"), stream=built.keys.jobs("acme"))
            own = json.loads((await redis.xread({built.keys.results("acme"): "0"}, block=5_000))[0][1][0][1][b"event"])
        assert own["type"] == "invoice.validated"
        assert own["id"] != event["id"]


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
