"""The problems that a scrape counts are those that ``status`` tells."""

from __future__ import annotations

import pytest

from tests.contract.metrics.readers import everything_wrong, told
from tests.service_in_process import an_account
from worker.metrics import catalog, samples
from worker.metrics.reader import ScrapeReader
from worker.status.reader import StatusReader
from worker.store import connection
from worker.store.keys import Keys


async def test_a_scrape_finds_the_problems_that_status_tells(redis, namespace):
    accounts = {name: an_account(name) for name in ("acme", "b", "c", "slow")}
    keys = Keys(namespace)
    await everything_wrong(redis, keys)
    status = StatusReader(redis, keys, accounts, limit=80, window_s=60.0, results_maxlen=9)
    wanted = told(await status.overview())
    assert len(wanted) >= 16, wanted
    seen = await ScrapeReader(redis, keys, accounts, "test", results_maxlen=9).read()
    assert told(seen.overview) == wanted
    assert (seen.n_workers, seen.n_lost) == (2, 1)
    shown = [one for one in samples.of_service(seen, "0") if one.metric is catalog.PROBLEMS]
    assert sum(one.value for one in shown) == wanted.total()
    assert [one.labels[0] for one in shown][-1] == "other"


@pytest.mark.parametrize("given", [False, True])
async def test_entries_in_hand_for_long_are_told_by_both(real_redis, namespace, given):
    keys = Keys(namespace)
    await real_redis.xadd(keys.results(), {"event": "{}"})
    await real_redis.xgroup_create(keys.results(), "erp", id="0")
    if given:
        await real_redis.xreadgroup("erp", "c", {keys.results(): ">"})
        await real_redis.xclaim(
            keys.results(), "erp", "c", 0, [(await real_redis.xrange(keys.results()))[0][0]], idle=10**7
        )
    status = StatusReader(real_redis, keys, {}, limit=80, window_s=60.0, results_maxlen=9)
    seen = await ScrapeReader(real_redis, keys, {}, "test", results_maxlen=9).read()
    assert told(seen.overview) == told(await status.overview())
    assert (("group.stale", "warning") in told(seen.overview)) is given


async def test_who_may_not_see_workers_says_nothing_of_them(real_redis, valkey_url, namespace):
    await real_redis.execute_command(
        "ACL", "SETUSER", "blind", "on", ">x", f"~{namespace}:*", "+@all", "-zrange", "-zcount"
    )
    client = connection.connect(valkey_url.replace("://", "://blind:x@", 1))
    try:
        seen = await ScrapeReader(client, Keys(namespace), {}, "test").read()
    finally:
        await connection.close(client)
        await real_redis.execute_command("ACL", "DELUSER", "blind")
    shown = {one.metric.name for one in samples.of_service(seen, "0")}
    assert seen.is_read
    assert not shown & {"factus_problems", "factus_workers"}
