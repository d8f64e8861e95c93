"""The load of an account as it stands in Redis: what comes later, what a lane has seen of late."""

from __future__ import annotations

import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st

from jobs.estimate.load import Seen
from tests.service_in_process import an_account
from worker.queue.load_reader import _seen, load_asked, load_of
from worker.store import inquiry
from worker.store.exchange import exchange
from worker.store.inquiry import answered
from worker.store.keys import Keys

NOW_MS = 1_796_000_000_000
LANE = "acme/invoice"


@pytest.mark.parametrize("n_later", [1, 2, 15, 16, 17, 31, 32, 33, 300])
async def test_every_delayed_job_is_released_by_its_instant_and_few_are_looked_at(
    redis: ArqRedis, namespace: str, n_later: int
) -> None:
    keys, instants = Keys(namespace), [NOW_MS + 1000 * n for n in range(n_later)]
    await redis.zadd(keys.later(LANE), {f"j{at_ms}": at_ms for at_ms in instants})
    reading = await answered(redis, load_of(keys, an_account("acme"), NOW_MS))
    releases = reading.lane(LANE).releases
    assert len(releases) <= 16
    n = 0
    for one in releases:
        n += one.n
        assert one.at_ms == instants[n - 1], "the last of those that are released with it"
    assert n == n_later


@pytest.mark.parametrize(("n_known", "n_trips"), [(0, 2), (33, 1), (40, 1), (64, 1), (32, 2), (65, 2), (5000, 2)])
async def test_who_knows_about_how_many_come_later_asks_once(
    redis: ArqRedis, namespace: str, monkeypatch: pytest.MonkeyPatch, n_known: int, n_trips: int
) -> None:
    keys, account, n_asked = Keys(namespace), an_account("acme"), 0
    await redis.zadd(keys.later(LANE), {f"j{n}": NOW_MS + n for n in range(40)})
    wanted = await answered(redis, load_of(keys, account, NOW_MS))

    async def counted(client, commands):
        nonlocal n_asked
        n_asked += 1
        return await exchange(client, commands)

    monkeypatch.setattr(inquiry, "exchange", counted)
    asked = await answered(redis, load_asked(keys, account, n_later={LANE: n_known}))
    assert asked.reading(NOW_MS) == wanted
    assert n_asked == n_trips


ROWS = [b"1796000000000:1500:20", b"1796000002000:400:0", b"0:0:0", b"99999999999999999999:1:1"]
STRANGE = [b"", b":", b"::", b"1:2", b"1:2:3:4", b"1:-2:3", b"01:2:3", b"1: 2:3", b"1:1_0:3", b"x", b"1:2:\xff"]


@given(st.lists(st.sampled_from(ROWS)) | st.lists(st.sampled_from(ROWS + STRANGE), max_size=8))
def test_what_a_lane_has_seen_is_read_together_as_it_is_one_by_one(stored: list[bytes]) -> None:
    def alone(row: bytes) -> list[Seen]:
        parts = row.split(b":")
        return [Seen(*map(int, parts))] if len(parts) == 3 and all(part.isdigit() for part in parts) else []

    assert _seen(stored) == [one for row in stored for one in alone(row)]
