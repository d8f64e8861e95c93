"""Ids: one end for each, and no id of a stream's that costs anybody a job."""

from __future__ import annotations

import json
import time

import pytest
from structlog.testing import capture_logs

from tests.contract.pushed import a_job, letters_of, seen_in
from tests.service_in_process import an_account, running, services_on

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
