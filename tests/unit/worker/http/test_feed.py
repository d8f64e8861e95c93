"""One reader for all: in order, within bounds, and with nothing missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from arq.connections import ArqRedis

from tests.patience import PATIENCE_S
from worker.guard import Guards
from worker.http.feed import Feed, Published


def streams(namespace: str) -> list[str]:
    return [f"{namespace}:results", f"{namespace}:radian"]


async def publish(
    redis: ArqRedis,
    stream: str,
    job_id: str,
    *,
    kind: str = "invoice.validated",
    account: str = "acme",
    entry: str = "*",
) -> None:
    event = json.dumps({"type": kind, "job_id": job_id})
    await redis.xadd(stream, {"event": event, "type": kind, "account": account, "job_id": job_id}, id=entry)


async def an_hour_on(redis: ArqRedis, *, more_ms: int = 0) -> str:
    """An id as a clock leaves it behind that is set back by an hour."""
    return f"{int((await redis.time())[0]) * 1000 + 3_600_000 + more_ms}-0"


@asynccontextmanager
async def running(redis: ArqRedis, namespace: str, *, kind: type[Feed] = Feed, **bounds: int) -> AsyncIterator[Feed]:
    feed = kind(redis, streams(namespace), Guards().of("feed"), **bounds)
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
        places = [row.place for row in kept]
        assert places == sorted(places)
        assert {row.one.job_id for row in kept} == {f"j-{n}" for n in range(50)}


async def test_what_is_kept_has_a_bound_and_says_where_it_ends(real_redis: ArqRedis, namespace: str) -> None:
    async with running(real_redis, namespace, most_kept=10) as feed:
        start = feed.seen
        for n in range(30):
            await publish(real_redis, streams(namespace)[0], f"j-{n}")
        while len(feed._kept) < 10 or feed._kept[-1].one.job_id != "j-29":
            await asyncio.sleep(0.005)
        assert feed.kept_since(start) is None
        assert [row.one.job_id for row in feed.kept_since(20) or ()] == [f"j-{n}" for n in range(20, 30)]
        assert feed.kept_since(19) is None


class TestAheadOfTheClock:
    """A clock that was set back leaves streams that lie ahead of it, for as long as it was set back."""

    @pytest.mark.parametrize("ahead", [(0,), (1,), (0, 1)], ids=["results", "radian", "both"])
    async def test_what_is_published_is_passed_on_at_once(
        self, real_redis: ArqRedis, namespace: str, ahead: tuple[int, ...]
    ) -> None:
        for n in ahead:
            entry = await an_hour_on(real_redis, more_ms=1000 * n)
            await publish(real_redis, streams(namespace)[n], "old", entry=entry)
        async with running(real_redis, namespace) as feed:
            for n in range(20):
                with feed.expect("acme", {f"j-{n}"}, feed.seen) as found:
                    await publish(real_redis, streams(namespace)[n % 2], f"j-{n}")
                    await asyncio.wait_for(found, PATIENCE_S)
            assert [row.one.job_id for row in feed.kept_since(0) or ()] == [f"j-{n}" for n in range(20)]

    async def test_it_begins_to_lie_ahead_while_others_listen(self, real_redis: ArqRedis, namespace: str) -> None:
        async with running(real_redis, namespace) as feed:
            results, radian = streams(namespace)
            entry = await an_hour_on(real_redis)
            for n, (stream, id_) in enumerate([(results, "*"), (results, entry), (radian, "*"), (results, "*")]):
                await publish(real_redis, stream, f"j-{n}", entry=id_)
                while feed.seen <= n:
                    await asyncio.sleep(0.005)
            rows = feed.kept_since(0) or []
            assert [row.one.job_id for row in rows] == ["j-0", "j-1", "j-2", "j-3"]
            for n, row in enumerate(rows):
                assert feed.kept_behind(row.mark) == rows[n + 1 :]

    async def test_nothing_is_read_twice(self, real_redis: ArqRedis, namespace: str) -> None:
        """Read again every millisecond, twenty large entries kept a core and a network busy for an hour."""
        n_looks = 0

        class Counted(Feed):
            async def _look(self) -> bool:
                nonlocal n_looks
                n_looks += 1
                return await super()._look()

        async with running(real_redis, namespace, kind=Counted) as feed:
            entry = await an_hour_on(real_redis)
            for n in range(20):
                await publish(real_redis, streams(namespace)[0], f"j-{n}", entry=entry if not n else "*")
            while feed.seen < 20:
                await asyncio.sleep(0.005)
            n_looks = 0
            now_ms = feed.now_ms
            while feed.now_ms < now_ms + 1000:
                await asyncio.sleep(0.05)
        assert n_looks <= 5, "twice a second, as of an idle door"

    async def test_what_was_published_before_an_instant_is_waited_for(
        self, real_redis: ArqRedis, namespace: str
    ) -> None:
        async with running(real_redis, namespace) as feed:
            await publish(real_redis, streams(namespace)[0], "j-1", entry=await an_hour_on(real_redis))
            seconds, micros = await real_redis.time()
            assert await feed.reached(int(seconds) * 1000 + int(micros) // 1000, PATIENCE_S)
            assert feed.seen == 1
            feed.now_ms += 3_600_000  # as it was before the clock was set back
            while feed.now_ms > int(seconds) * 1000 + 3_000_000:
                await asyncio.sleep(0.05)


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
