"""One reader for all: in order, within bounds, and with nothing missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from arq.connections import ArqRedis

from worker.guard import Guards
from worker.http.feed import START, Feed, Published


def streams(namespace: str) -> list[str]:
    return [f"{namespace}:results", f"{namespace}:radian"]


async def publish(
    redis: ArqRedis, stream: str, job_id: str, *, kind: str = "invoice.validated", account: str = "acme"
) -> None:
    event = json.dumps({"type": kind, "job_id": job_id})
    await redis.xadd(stream, {"event": event, "type": kind, "account": account, "job_id": job_id})


@asynccontextmanager
async def running(redis: ArqRedis, namespace: str, **bounds: int) -> AsyncIterator[Feed]:
    feed = Feed(redis, streams(namespace), Guards().of("feed"), **bounds)
    stopping = asyncio.Event()
    task = asyncio.create_task(feed.run(stopping))
    try:
        while not feed.now_ms:
            await asyncio.sleep(0.005)
        yield feed
    finally:
        stopping.set()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_who_waits_gets_the_final_event_of_his_job_alone(real_redis: ArqRedis, namespace: str) -> None:
    results, _ = streams(namespace)
    async with running(real_redis, namespace) as feed:
        with feed.expect("acme", {"j-1", "1-1"}, feed.seen) as found:
            await publish(real_redis, results, "j-1", kind="invoice.pending")
            await publish(real_redis, results, "j-1", account="other")
            await publish(real_redis, results, "j-2")
            await publish(real_redis, results, "j-1")
            one = await asyncio.wait_for(found, 40)
        assert (one.job_id, one.account, one.type) == ("j-1", "acme", "invoice.validated")
        assert not feed._expected


async def test_the_denial_of_another_push_under_the_same_id_ends_no_wait(real_redis: ArqRedis, namespace: str) -> None:
    results, _ = streams(namespace)
    async with running(real_redis, namespace) as feed:
        with feed.expect("acme", {"j-1"}, feed.seen, entry="1-1") as found:
            for named in ("9-9", "1-1"):
                event = json.dumps({"id": f"acme/{named}/1", "n": named})
                fields = {"type": "job.refused", "account": "acme", "job_id": "j-1", "event": event}
                await real_redis.xadd(results, fields)
            one = await asyncio.wait_for(found, 40)
        assert json.loads(one.raw)["n"] == "1-1", "his own entry's"


async def test_what_names_no_account_is_his_by_its_entry_alone(real_redis: ArqRedis, namespace: str) -> None:
    """Another company may use the same id; nobody else's job has his entry."""
    results, _ = streams(namespace)
    async with running(real_redis, namespace) as feed:
        with feed.expect("acme", {"j-1"}, feed.seen, entry="1-1") as found:
            await publish(real_redis, results, "j-1", kind="job.refused", account="")
            await publish(real_redis, results, "1-1", kind="job.refused", account="")
            one = await asyncio.wait_for(found, 40)
        assert (one.job_id, one.account) == ("1-1", "")


async def test_what_came_between_the_push_and_the_wait_is_found(real_redis: ArqRedis, namespace: str) -> None:
    async with running(real_redis, namespace) as feed:
        before = feed.seen
        await publish(real_redis, streams(namespace)[0], "j-1")
        while feed.seen == before:
            await asyncio.sleep(0.005)
        with feed.expect("acme", {"j-1"}, before) as found:
            assert found.done()


async def test_several_streams_come_in_the_order_of_their_ids(real_redis: ArqRedis, namespace: str) -> None:
    results, radian = streams(namespace)
    async with running(real_redis, namespace) as feed:
        start = feed.seen
        for n in range(50):
            await publish(real_redis, (results, radian)[n % 2], f"j-{n}")
        while len(kept := feed.kept_since(start) or []) < 50:
            await asyncio.sleep(0.005)
        places = [one.place for one in kept]
        assert places == sorted(places)
        assert {one.job_id for one in kept} == {f"j-{n}" for n in range(50)}


async def test_what_is_kept_has_a_bound_and_says_where_it_ends(real_redis: ArqRedis, namespace: str) -> None:
    async with running(real_redis, namespace, most_kept=10) as feed:
        start = feed.seen
        for n in range(30):
            await publish(real_redis, streams(namespace)[0], f"j-{n}")
        while len(feed._kept) < 10 or feed._kept[-1].job_id != "j-29":
            await asyncio.sleep(0.005)
        assert feed.kept_since(start) is None
        assert [one.job_id for one in feed.kept_since(feed._first_kept) or ()] == [f"j-{n}" for n in range(20, 30)]
        assert feed.kept_since(START) is None


def test_only_an_end_is_an_end() -> None:
    ends = {
        type_: Published((1, 1), type_, "acme", "j", b"{}").is_final
        for type_ in (
            "invoice.validated",
            "invoice.get.completed",
            "job.refused",
            "invoice.pending",
            "invoice.archived",
        )
    }
    assert [type_ for type_, is_final in ends.items() if not is_final] == ["invoice.pending", "invoice.archived"]
