"""What the intake keeps of what it cannot take: bounded, without credentials, and to the byte otherwise."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from jobs.rights.traces import without_token
from tests.contract.pushed import a_job, letters_of
from tests.service_in_process import an_account, quick, running, services_on
from worker.store.bounded_connection import LARGEST_REPLY


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

    @pytest.fixture
    async def with_denied(self, redis, namespace, factus):
        """Two letters of jobs, six of denied pushes between and after them."""
        own = an_account("own", own_streams=True)
        built = services_on(redis, namespace, own, gateway=factus, policies=quick(intake={"denied_letters": 100}))
        async with running(built) as rig:
            for n, raw in enumerate([b"no json 1", *[b""] * 3, b"no json 2", *[b""] * 3]):
                await rig.push(raw or a_job(f"R{n}", account="own"))
            await rig.events(8)
        return built

    async def reasons(self, built):
        return [letter[b"reason"].decode() for letter in await letters_of(built)]

    async def trimmed(self, built, **bounds):
        """What is left, and what was told: of denied ones, and of others."""
        watch = replace(built.intake._watch, policy=replace(built.intake._watch.policy, **bounds))
        with capture_logs() as logs:
            await watch.look()
        told = {entry["event"]: entry["n_trimmed"] for entry in logs}
        facts = await built.redis.hget(built.keys.intake_facts(), "letters_gone")
        assert int(facts or 0) == told.get("letters.trimmed", 0), "what `status` tells of"
        return await self.reasons(built), told.get("letters.denied_trimmed", 0), told.get("letters.trimmed", 0)

    async def test_denied_pushes_go_before_all_others(self, with_denied):
        assert (await self.reasons(with_denied)).count("auth.denied") == 6
        left, *told = await self.trimmed(with_denied, letters=4)
        assert (left, told) == (["envelope.invalid"] * 2 + ["auth.denied"] * 2, [4, 0])
        left, *told = await self.trimmed(with_denied, letters=1)
        assert (left, told) == (["envelope.invalid"], [2, 1])

    async def test_fewer_denied_ones_are_kept(self, with_denied):
        left, *told = await self.trimmed(with_denied, denied_letters=1)
        assert (left, told) == (["envelope.invalid"] * 2 + ["auth.denied"], [5, 0])

    async def test_those_that_a_person_has_dropped_are_no_longer_counted(self, with_denied):
        ids = [entry for entry, fields in await self.entries(with_denied) if fields[b"reason"] == b"auth.denied"]
        await with_denied.redis.xdel(with_denied.keys.dead(), *ids[:5])
        left, *told = await self.trimmed(with_denied, letters=1)
        assert (left, told) == (["envelope.invalid"], [1, 1])
        assert not await with_denied.redis.exists(with_denied.keys.denied())

    async def test_nor_do_others_go_for_them(self, with_denied):
        ids = [entry for entry, fields in await self.entries(with_denied) if fields[b"reason"] == b"auth.denied"]
        await with_denied.redis.xdel(with_denied.keys.dead(), *ids[:4])
        left, *told = await self.trimmed(with_denied, denied_letters=2)
        assert (left, told) == (["envelope.invalid"] * 2 + ["auth.denied"] * 2, [0, 0])

    async def entries(self, built):
        return await built.redis.xrange(built.keys.dead())

    async def test_where_the_list_is_no_list_a_denied_push_is_refused_all_the_same(self, redis, namespace, factus):
        built = services_on(redis, namespace, an_account("own", own_streams=True), gateway=factus)
        await redis.set(built.keys.denied(), "wrong")
        async with running(built) as rig:
            await rig.push(a_job("R", account="own"))
            (event,) = await rig.events(1)
        assert event["errors"][0]["code"] == "auth.denied"
        assert await self.reasons(built) == ["auth.denied"]

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
