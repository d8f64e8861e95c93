"""The size of a batch: what refused jobs state counts only where no accepted one of it has stated any."""

from __future__ import annotations

import pytest

from tests.contract.pushed import JOB, a_job
from tests.service_in_process import running, services_on
from worker.store.scripts import source

STATE = (
    source("lib/batches")
    + "\nfor n = 1, #ARGV, 2 do"
    + " state_size(KEYS[1], KEYS[2], 'a/b', tonumber(ARGV[n]), ARGV[n + 1] == 'refused') end"
)


@pytest.mark.parametrize(
    ("stated", "size"),
    [
        ([(1, "accepted"), (7, "accepted"), (3, "accepted")], b"7"),
        ([(1, "accepted"), (10**7, "refused")], b"1"),
        ([(10**7, "refused"), (2, "accepted")], b"2"),
        ([(10**7, "refused"), (2, "accepted"), (3, "refused"), (5, "accepted")], b"5"),
        ([(4, "refused"), (9, "refused"), (2, "refused")], b"9"),
        ([(10**15, "accepted")], b"1000000000000000"),
        ([(5, "accepted"), (10**99, "accepted")], b"5"),
        ([(10**99, "refused")], None),
        ([(0, "accepted"), (-1, "refused")], None),
    ],
)
async def test_which_size_counts(redis, namespace, stated, size):
    keys = [f"{namespace}:b", f"{namespace}:due"]
    await redis.eval(STATE, 2, *keys, *[str(value) for pair in stated for value in pair])
    assert await redis.hget(keys[0], "size") == size


@pytest.mark.parametrize("before", ["1e+99", "abc", "-1", ""])
async def test_a_size_from_before_that_is_none_gives_way(redis, namespace, before):
    keys = [f"{namespace}:b", f"{namespace}:due"]
    await redis.hset(keys[0], mapping={"size": before, "n_final": "2"})
    await redis.eval(STATE, 2, *keys, "2", "accepted")
    assert await redis.hget(keys[0], "size") == b"2"
    assert await redis.smembers(keys[1]) == {b"a/b"}


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
    assert [event["data"]["size"] for event in events if event["type"] == "batch.completed"] == [2]
