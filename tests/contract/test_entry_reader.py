"""What is read of the intake streams, in which order, and by how many commands."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager

import pytest

from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, running, services_on
from worker.guard import Guard
from worker.intake.policy import IntakePolicy
from worker.intake.reader import EntryReader
from worker.store import connection
from worker.store.bounded_connection import LARGEST_REPLY
from worker.store.keys import Keys

BODY = b'{"type":"invoice.issue"}'


LARGE = bytes(range(256)) * 20_000
CUT = {
    "one large job": (b"job", LARGE),
    "two jobs": (b"job", b"a" * 80, b"job", b"b" * 80),
    "two large jobs": (b"job", LARGE, b"other", b"x", b"job", LARGE),
    "a line end where it is cut": (b"job", b"a" * 100, b"job", b"b"),
    "a part that ends where one is read": (b"job", b"a" * 4 * 1024 * 1024, b"job", b"b" * 80),
    "no job": (b"work", b"a" * 200),
    "many fields": (b"work", b"a" * 200) * 50,
    "nothing in them": (b"", b"") * 200,
}


@asynccontextmanager
async def reader_on(url, namespace, **bounds):
    client, stream = connection.connect(url, blocking=True), Keys(namespace).jobs()
    reader = EntryReader(client, {stream: ""}, "w1", IntakePolicy(**bounds), Guard("intake"))
    await reader.begin()
    assert await reader.next() == []  # what is there was asked for: from here on the reader waits
    yield client, reader, stream
    await connection.close(client)


class TestTheWait:
    async def test_a_job_that_comes_alone_costs_one_command(self, valkey_url, real_redis, namespace):
        """Whatever stands between the push and the job's first call is felt by whoever waits for an invoice."""
        async with reader_on(valkey_url, namespace) as (client, reader, stream):
            sent = []
            execute = client.execute_command

            async def noted(*args, **kwargs):
                sent.append(args[0])
                return await execute(*args, **kwargs)

            client.execute_command = noted
            for n in range(3):
                id_ = await real_redis.xadd(stream, {"job": BODY})
                (entry,) = await reader.next()
                assert (entry.id, entry.raw, entry.n_jobs) == (id_.decode(), BODY, 1)
                assert sent == [b"XREADGROUP"] * (n + 1)

    async def test_it_sees_two_fields_of_one_name(self, valkey_url, real_redis, namespace):
        async with reader_on(valkey_url, namespace) as (_, reader, stream):
            await real_redis.execute_command("XADD", stream, "*", "job", "first", "job", "second")
            (entry,) = await reader.next()
            assert entry.n_jobs == 2

    async def test_a_field_of_another_name_is_no_job(self, valkey_url, real_redis, namespace):
        async with reader_on(valkey_url, namespace) as (_, reader, stream):
            await real_redis.xadd(stream, {"work": BODY})
            (entry,) = await reader.next()
            assert entry.n_jobs == 0

    async def test_one_that_is_larger_than_a_job_comes_measured(self, valkey_url, real_redis, namespace):
        async with reader_on(valkey_url, namespace, letter_bytes=100) as (_, reader, stream):
            await real_redis.xadd(stream, {"job": b"x" * 2_000_000})
            (entry,) = await reader.next()
            assert (entry.size, len(entry.raw), len(entry.sha256)) == (2_000_000, 100, 64)

    @pytest.mark.parametrize("fields", CUT.values(), ids=CUT)
    async def test_whatever_is_cut_is_measured(self, valkey_url, real_redis, namespace, fields):
        """What is beyond the beginning is told by its size and digest, whatever form the entry has."""
        async with reader_on(valkey_url, namespace, letter_bytes=100) as (_, reader, stream):
            await real_redis.execute_command("XADD", stream, "*", *fields)
            (entry,) = await reader.next()
        jobs = [value for name, value in zip(fields[::2], fields[1::2], strict=True) if name == b"job"]
        whole = b"\n".join(jobs or fields)
        assert entry.n_jobs == len(jobs)
        assert entry.raw == whole[:100]
        assert (entry.size, entry.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())

    async def test_what_is_too_large_together_is_read_by_ids_and_before_what_follows(
        self, valkey_url, real_redis, namespace
    ):
        """The connection ends under such a reply: its entries were given to this worker all the same."""
        async with reader_on(valkey_url, namespace, read_bytes=1) as (_, reader, stream):
            id_ = await real_redis.xadd(stream, {"job": BODY})
            assert [entry.id for entry in await reader.next()] == [id_.decode()]  # left pending: not read again
            waiting = asyncio.create_task(reader.next())
            async with real_redis.pipeline(transaction=True) as pipe:
                for _ in range(3):
                    pipe.xadd(stream, {"job": b"x" * (LARGEST_REPLY // 2)})
                pipe.xadd(stream, {"job": BODY})
                pipe.xadd(stream, {"job": BODY})
                ids = [id_.decode() for id_ in await pipe.execute()]
            found = await waiting
            while len({entry.id for entry in found}) < 6 and (more := await reader.next()):
                found += more
            read = [entry.id for entry in found]
            assert [id_ for id_ in read if id_ in ids] == ids
            assert all(len(entry.raw) <= IntakePolicy().letter_bytes for entry in found)

    async def test_after_many_the_script_reads_on(self, valkey_url, real_redis, namespace):
        async with reader_on(valkey_url, namespace) as (_, reader, stream):
            async with real_redis.pipeline(transaction=True) as pipe:
                for n in range(50):
                    pipe.xadd(stream, {"job": json.dumps(n)})
                await pipe.execute()
            first, second = await reader.next(), await reader.next()
            assert [entry.raw for entry in [*first, *second]] == [str(n).encode() for n in range(50)]
            assert len(second) > len(first)


async def test_a_backlog_is_taken_in_in_its_order_while_the_next_part_is_read(redis, namespace):
    """Reading on overlaps with writing: neither may overtake the other, also where an entry is answered on the way."""
    factus = FakeFactus()
    bounds = IntakePolicy(read_entries=10, slice_entries=3)
    built = services_on(redis, namespace, an_account(concurrency=1), gateway=factus, intake=bounds)
    references = [f"R{n}" for n in range(45)]
    for n, reference in enumerate(references):
        payload = a_bill(reference_code=reference)
        job = {"type": "invoice.issue", "account": "acme", "id": f"j{n}", "payload": payload}
        await redis.xadd(built.keys.jobs(), {"job": json.dumps(job)})
        if n % 7 == 0:
            await redis.xadd(built.keys.jobs(), {"job": json.dumps({**job, "options": {"archive": ["pdf"]}})})
    seen = watch_reads(built.intake._reader)
    async with running(built) as rig:
        events = await rig.events(45 + 7)
    assert [event["reference_code"] for event in events if event["type"] == "invoice.validated"] == references
    assert sum(event["type"] == "job.refused" for event in events) == 7
    assert max(seen) >= bounds.read_entries
    assert await redis.xlen(built.keys.jobs()) == 0


def watch_reads(reader):
    """How many entries each read without a wait has brought."""
    seen, more = [], reader.more

    async def noted():
        found = await more()
        seen.append(len(found))
        return found

    reader.more = noted
    return seen
