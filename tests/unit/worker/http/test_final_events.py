"""The final event of a job is found where it was published, also where the clock was set back."""

from __future__ import annotations

import json

import pytest
from arq.connections import ArqRedis

from schemas.records import JobRecord, JobState
from worker.status.final_events import FinalEvents
from worker.status.lookup import JobLookup
from worker.status.reader import StatusReader
from worker.store.keys import Keys

HOUR_MS = 3_600_000


async def publish(redis: ArqRedis, stream: str, job_id: str, entry: str) -> None:
    event = {"type": "invoice.validated", "account": "acme", "job_id": job_id}
    await redis.xadd(stream, {"event": json.dumps(event), **event}, id=entry)


@pytest.mark.parametrize("n_others", [0, 200])
@pytest.mark.parametrize(
    ("of_the_last", "ended"),
    [(0, 0), (HOUR_MS, 0), (24 * HOUR_MS, 0), (-HOUR_MS // 2, -HOUR_MS), (-1, -HOUR_MS)],
    ids=["by the clock", "an hour ahead", "a day ahead", "the clock has caught up", "just caught up"],
)
async def test_it_is_found_where_the_stream_went_on(
    real_redis: ArqRedis, namespace: str, of_the_last: int, ended: int, n_others: int
) -> None:
    """
    Args:
        of_the_last: Of the last id as it was when the job ended, against now.
        ended: When that was.
    """
    keys = Keys(namespace)
    now_ms = int((await real_redis.time())[0]) * 1000
    last_ms = now_ms + of_the_last
    await publish(real_redis, keys.results(), "before", f"{now_ms - 2 * HOUR_MS}-0")
    for n in range(n_others):
        await publish(real_redis, keys.results(), f"other-{n}", f"{last_ms}-{n}")
    await publish(real_redis, keys.results(), "j-1", f"{last_ms}-{n_others}")
    for n in range(n_others):
        await publish(real_redis, keys.results(), f"later-{n}", "*")
    record = JobRecord(
        account="acme", id="j-1", type="invoice.issue", family="invoice", lane="acme/invoice", entry="1-1",
        state=JobState.FINAL, final_at=now_ms + ended,
    )  # fmt: skip
    found = await FinalEvents(real_redis, keys).of_job(record)
    assert found is not None
    assert json.loads(found)["job_id"] == "j-1"


def ended(at_ms: int) -> JobRecord:
    """The record of ``j-1``, whose final event was published at that instant."""
    return JobRecord(
        account="acme", id="j-1", type="invoice.issue", family="invoice", lane="acme/invoice", entry="1-1",
        state=JobState.FINAL, final_at=at_ms,
    )  # fmt: skip


@pytest.mark.parametrize("ahead_ms", [0, HOUR_MS])
@pytest.mark.parametrize(
    "denial", ['{"id": "acme/77-0/1"}', '{"id": 5}', "no event"], ids=["a denial", "no id", "no JSON"]
)
async def test_the_denial_of_somebody_else_s_push_is_not_it(
    real_redis: ArqRedis, namespace: str, ahead_ms: int, denial: str
) -> None:
    keys = Keys(namespace)
    now_ms = int((await real_redis.time())[0]) * 1000
    refused = {"type": "job.refused", "account": "acme", "job_id": "j-1"}
    await real_redis.xadd(keys.results(), {"event": denial, **refused}, id=f"{now_ms + ahead_ms - 1}-0")
    await publish(real_redis, keys.results(), "j-1", f"{now_ms + ahead_ms}-0")
    await real_redis.xadd(keys.results(), {"event": denial, **refused}, id=f"{now_ms + ahead_ms}-1")
    found = await FinalEvents(real_redis, keys).of_job(ended(now_ms))
    assert found is not None
    assert json.loads(found)["type"] == "invoice.validated"


async def test_an_entry_without_an_event_is_neither_an_end_nor_the_last_of_a_job(
    real_redis: ArqRedis, namespace: str
) -> None:
    """Somebody else wrote it, with fields as ours have them."""
    keys = Keys(namespace)
    now_ms = int((await real_redis.time())[0]) * 1000
    foreign = {"type": "invoice.validated", "account": "acme", "job_id": "j-1"}
    await real_redis.xadd(keys.results(), foreign, id=f"{now_ms}-0")
    await publish(real_redis, keys.results(), "j-1", f"{now_ms}-1")
    await real_redis.xadd(keys.results(), {**foreign, "account": b"\xff"}, id=f"{now_ms}-2")
    await real_redis.xadd(keys.results(), {**foreign, "account": b"\xff", "event": "{}"}, id=f"{now_ms}-3")
    found = await FinalEvents(real_redis, keys).of_job(ended(now_ms))
    assert found is not None
    assert json.loads(found)["job_id"] == "j-1"
    reader = StatusReader(real_redis, keys, {}, limit=80, window_s=60, results_maxlen=1000)
    assert await JobLookup(real_redis, keys, reader, ()).last_event("j-1", "acme") == json.loads(found)


@pytest.mark.parametrize("named", ["acme/j-1/1", "acme/1-1/1"])
async def test_its_own_refusal_is(real_redis: ArqRedis, namespace: str, named: str) -> None:
    keys = Keys(namespace)
    now_ms = int((await real_redis.time())[0]) * 1000
    refused = {"type": "job.refused", "account": "acme", "job_id": "j-1"}
    await real_redis.xadd(keys.results(), {"event": json.dumps({"id": named}), **refused}, id=f"{now_ms}-0")
    record = JobRecord(
        account="acme", id="j-1", type="invoice.issue", family="", lane="", entry="1-1",
        state=JobState.FINAL, final_at=now_ms,
    )  # fmt: skip
    assert await FinalEvents(real_redis, keys).of_job(record) is not None


async def test_what_was_trimmed_is_not_looked_for(real_redis: ArqRedis, namespace: str) -> None:
    """A look at an old job must not go through all that has come since."""
    keys = Keys(namespace)
    for n in range(300):
        await publish(real_redis, keys.results(), f"j-{n}", "*")
    record = JobRecord(
        account="acme", id="gone", type="catalog.search", family="", lane="acme/other", entry="1-1",
        state=JobState.FINAL, final_at=int((await real_redis.time())[0]) * 1000 - HOUR_MS,
    )  # fmt: skip
    before = (await real_redis.info("commandstats"))["cmdstat_xrange"]["calls"]
    assert await FinalEvents(real_redis, keys).of_job(record) is None
    after = (await real_redis.info("commandstats"))["cmdstat_xrange"]["calls"]
    assert after - before <= 3
