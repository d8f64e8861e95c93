"""The size of a batch: what refused jobs state counts only where no accepted one of it has stated any."""

from __future__ import annotations

import pytest

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
