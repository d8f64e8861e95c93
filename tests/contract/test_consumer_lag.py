"""Consumers that lag are told of before their results are trimmed, and what was trimmed unread is never silent."""

from __future__ import annotations

import pytest
import structlog

from tests.service_in_process import an_account, services_on
from worker.queue.consumer_lag import group_seen
from worker.status.reader import StatusReader

MAXLEN = 100


@pytest.fixture
def built(redis, namespace):
    accounts = (an_account(), an_account("own", own_streams=True))
    return services_on(redis, namespace, *accounts, results_maxlen=MAXLEN)


async def publish(built, n: int, *, stream: str = "", maxlen: int | None = None) -> None:
    for _ in range(n):
        await built.redis.xadd(stream or built.keys.results(), {"event": "{}"}, maxlen=maxlen, approximate=False)


async def read(built, group: str, n: int, *, stream: str = "") -> None:
    await built.redis.xreadgroup(group, "c", {stream or built.keys.results(): ">"}, count=n, noack=True)


async def looked(built) -> list[dict[str, object]]:
    with structlog.testing.capture_logs() as lines:
        await built.sweep.report_consumer_lag()
    return lines


async def test_without_groups_or_streams_there_is_nothing_to_tell(built):
    assert await looked(built) == []
    await publish(built, 3 * MAXLEN, maxlen=MAXLEN)
    assert await looked(built) == []


async def test_a_group_that_keeps_up_is_not_told_of_though_what_it_read_is_trimmed(built):
    await built.redis.xgroup_create(built.keys.results(), "erp", id="$", mkstream=True)
    for _ in range(6):
        await publish(built, 50, maxlen=MAXLEN)
        assert await looked(built) == []
        await read(built, "erp", 50)
    assert await looked(built) == []


@pytest.mark.parametrize("name", ["results", "radian"])
async def test_a_group_that_lags_is_told_of_before_it_loses_anything(built, name):
    stream = getattr(built.keys, name)("own")
    await built.redis.xgroup_create(stream, "erp", id="0", mkstream=True)
    await publish(built, 90, stream=stream)
    await read(built, "erp", 10, stream=stream)
    assert await looked(built) == [], "80 of 100 wait: not more than 80 %"
    await publish(built, 5, stream=stream)
    assert await looked(built) == [
        {
            "event": "results.group_lagging",
            "log_level": "warning",
            "stream": stream,
            "group": "erp",
            "n_unread": 85,
        }
    ]


async def test_entries_that_were_trimmed_unread_are_counted(built):
    await built.redis.xgroup_create(built.keys.results(), "erp", id="0", mkstream=True)
    await publish(built, 60)
    await read(built, "erp", 40)
    await publish(built, 110, maxlen=MAXLEN)
    (line,) = await looked(built)
    assert (line["event"], line["log_level"]) == ("results.entries_trimmed", "error")
    assert (line["n_unread"], line["n_trimmed"]) == (100, 30)


async def test_a_group_whose_next_entry_is_the_first_one_left_has_lost_nothing(built):
    """All that was trimmed it had read: close, and no loss."""
    await built.redis.xgroup_create(built.keys.results(), "erp", id="0", mkstream=True)
    await publish(built, 60)
    await read(built, "erp", 60)
    await publish(built, 100, maxlen=MAXLEN)
    assert [line["event"] for line in await looked(built)] == ["results.group_lagging"]


async def test_a_group_that_never_read_has_lost_all_that_was_trimmed(built):
    await built.redis.xgroup_create(built.keys.results(), "erp", id="0", mkstream=True)
    await publish(built, 130, maxlen=MAXLEN)
    assert [(line["event"], line["n_trimmed"]) for line in await looked(built)] == [("results.entries_trimmed", 30)]


async def test_what_was_given_out_and_never_acknowledged_counts_when_it_is_trimmed(built):
    """A consumer that died with entries in hand, whom nobody replaced."""
    await built.redis.xgroup_create(built.keys.results(), "erp", id="0", mkstream=True)
    await publish(built, 60)
    await built.redis.xreadgroup("erp", "died", {built.keys.results(): ">"}, count=60)
    await publish(built, 90, maxlen=MAXLEN)
    (line,) = await looked(built)
    assert (line["event"], line["n_unread"], line["n_trimmed"]) == ("results.entries_trimmed", 90, 50)


async def test_status_shows_the_groups(built):
    await built.redis.xgroup_create(built.keys.results(), "erp", id="0", mkstream=True)
    await publish(built, 90)
    reader = StatusReader(built.redis, built.keys, built.accounts, limit=80, window_s=60.0, results_maxlen=MAXLEN)
    (group,) = (await reader.overview()).groups
    assert (group.name, group.n_unread, group.is_lagging, group.has_lost) == ("erp", 90, True, False)


@pytest.mark.parametrize(
    ("delivered", "length", "n_unread", "n_trimmed"),
    [
        ("9000-0", 100, 0, 0),
        ("1-0", 100, 100, None),
        ("1-0", 99, 99, 0),
        ("2000-0", 100, 88, 0),
        ("8999-0", 100, 1, 0),
    ],
)
def test_redis_6_2_counts_nothing_and_is_understood_by_ids(delivered, length, n_unread, n_trimmed):
    """No ``lag``, no ``entries-added``: ids are times, and a stream below its largest length was never cut."""
    info = {"length": length, "last-generated-id": b"9000-0", "first-entry": (b"1000-0", {})}
    group = {"name": b"erp", "last-delivered-id": delivered.encode(), "pending": 0}
    seen = group_seen("s", info, group, MAXLEN)
    assert (seen.n_unread, seen.n_trimmed) == (n_unread, n_trimmed)
