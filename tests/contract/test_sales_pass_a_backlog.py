"""A sale that is pushed behind a backlog is taken in before it, once, and nothing is lost, doubled or counted amiss."""

from __future__ import annotations

import asyncio
import gc
import json
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.builders import a_bill, fiscal_day
from tests.patience import PATIENCE_S
from tests.service_in_process import QUICK, quick, running, services_on
from worker.store.scripts import Scripts

BOUNDS = {"read_entries": 6, "slice_entries": 2, "over_entries": 20, "look_entries": 3}
N = 40


def waiting(n):
    """A backlog that is taken in and not issued today."""
    return [a_job(f"R{i}", not_before=f"{fiscal_day(2)}T00:00:00-05:00") for i in range(n)]


def a_job(reference, **envelope):
    payload = a_bill(reference_code=reference)
    return json.dumps({"type": "invoice.issue", "account": "acme", "payload": payload, **envelope})


async def push(built, *jobs):
    async with built.redis.pipeline(transaction=False) as pipe:
        for job in jobs:
            pipe.xadd(built.keys.jobs(), {"job": job})
        await pipe.execute()


def written_by(built):
    """The references in the order in which they are written into the ledger."""
    found, write = [], built.intake._writer.write

    async def noted(commands):
        found.extend(one.record.reference_code for one in commands if one.record)
        await write(commands)

    built.intake._writer.write = noted
    return found


async def until_all_is_taken_in(built):
    gives_up_at = time.monotonic() + PATIENCE_S
    while await built.redis.xlen(built.keys.jobs()):
        assert time.monotonic() < gives_up_at
        await asyncio.sleep(0.01)


async def nothing_is_missing(built):
    await built.intake._watch.look()
    facts = await built.redis.hgetall(built.keys.intake_facts())
    assert not [name for name in facts if name.startswith(b"gone:")]
    assert int(facts[f"missing:{built.keys.jobs()}".encode()]) == 0
    assert await built.redis.xlen(built.keys.jobs()) == 0


async def test_it_is_taken_in_before_them(real_redis, namespace):
    built = services_on(real_redis, namespace, policies=quick(intake=BOUNDS))
    n = 4 * N
    await push(built, *waiting(n), a_job("S1", priority="high"), a_job("S2", priority="high"))
    written = written_by(built)
    async with running(built) as rig:
        events = await rig.events(2)
        await until_all_is_taken_in(built)
        await nothing_is_missing(built)
    assert [(event["type"], event["reference_code"]) for event in events] == [
        ("invoice.validated", "S1"),
        ("invoice.validated", "S2"),
    ]
    # Nine looks reach it; one is begun for each slice of two, and no slice waits for one.
    assert written.index("S1") < n - N
    assert written.index("S1") < written.index("S2")
    others = [reference for reference in written if reference.startswith("R")]
    assert others == [f"R{n}" for n in range(n)]
    assert len(written) == n + 2


async def test_however_many_a_look_finds_a_script_gets_no_more_than_two_slices(real_redis, namespace):
    """A producer marks everything as urgent: neither the server nor this process's event loop is held for it."""
    bounds = {**BOUNDS, "look_entries": 100, "over_entries": 200}
    built = services_on(real_redis, namespace, policies=quick(intake=bounds))
    sales = [a_job(f"S{n}", priority="high", not_before=f"{fiscal_day(2)}T00:00:00-05:00") for n in range(N)]
    await push(built, *waiting(N), *sales)
    written, sizes, write = written_by(built), [], built.intake._writer.write

    async def measured(commands):
        sizes.append(len(commands))
        await write(commands)

    built.intake._writer.write = measured
    async with running(built):
        await until_all_is_taken_in(built)
        await nothing_is_missing(built)
    assert written.index("S0") < written.index(f"R{N - 1}"), "they have passed"
    assert [one for one in written if one.startswith("S")] == [f"S{n}" for n in range(N)]
    assert max(sizes) <= 2 * bounds["slice_entries"]
    assert len(written) == 2 * N


async def test_one_that_shares_a_reference_with_what_waits_keeps_its_place(real_redis, namespace):
    """Of two pushed together the first in the stream wins."""
    built = services_on(real_redis, namespace, policies=quick(intake=BOUNDS))
    sale = {"payload": a_bill(reference_code=f"R{N - 1}", observation="otra"), "priority": "high"}
    await push(built, *waiting(N), a_job("", **sale), a_job("S", priority="high"))
    written = written_by(built)
    async with running(built) as rig:
        refused, validated = await rig.events(2)
        await nothing_is_missing(built)
    assert (validated["type"], validated["reference_code"]) == ("invoice.validated", "S")
    assert (refused["errors"][0]["code"], refused["reference_code"]) == ("reference.conflict", f"R{N - 1}")
    # The sale behind it is of the same lane and priority: it waits as well.
    assert written.index("S") > written.index(f"R{N - 1}")


async def test_a_refusal_passes_as_well_and_is_told_once(real_redis, namespace):
    built = services_on(real_redis, namespace, policies=quick(intake=BOUNDS))
    bad = {"id": "bad", "priority": "high", "payload": {"reference_code": "X"}}
    await push(built, *waiting(N), a_job("", **bad))
    async with running(built) as rig:
        (refused,) = await rig.events(1)
        await until_all_is_taken_in(built)
        await nothing_is_missing(built)
    assert (refused["type"], refused["job_id"]) == ("job.refused", "bad")
    assert await real_redis.xlen(built.keys.results()) == 1


@pytest.mark.parametrize("kind", ["taken", "refused"])
async def test_one_that_was_read_before_it_was_taken_ahead_counts_once(redis, namespace, kind):
    """The leader reads on while a look is under way: it may have the same entry twice in its hands."""
    built = services_on(redis, namespace, policies=QUICK)
    intake = built.intake
    await intake._keep_lead()
    await intake._reader.begin()
    await intake._watch.look()
    await push(built, a_job("S", priority="high", **({} if kind == "taken" else {"payload": {}})))
    (entry,) = await intake._reader.more()
    ahead = (await intake._reader.claimed(built.keys.jobs(), [entry.id.encode()]))[1]
    for one in (*ahead, entry, entry):
        await intake._writer.write(intake._writer.prepare(one))
    assert await built.redis.hget(built.keys.intake_facts(), f"taken:{built.keys.jobs()}") == b"1"
    assert await built.redis.xlen(built.keys.results()) == (kind == "refused")
    await nothing_is_missing(built)


async def test_a_look_that_nobody_took_is_forgotten_with_all_it_knew(redis, namespace):
    """Whoever leads next begins with what is not taken in: none of a lane passes another that was found and left."""
    built = services_on(redis, namespace, policies=quick(intake=BOUNDS))
    intake, lookout = built.intake, built.intake._lookout
    await intake._reader.begin()
    await push(built, a_job("R"), a_job("S1", priority="high"), a_job("S2", priority="high"))
    lookout.begin(built.keys.jobs())
    lookout.clear()
    lookout.begin(built.keys.jobs())
    found = await lookout.found()
    assert [json.loads(entry.raw)["payload"]["reference_code"] for entry, _ in found] == ["S1", "S2"]
    lookout.begin(built.keys.jobs())
    assert await lookout.found() == []


@pytest.mark.parametrize("priority", ['"high"', '"hi\\u0067h"', '"\\u0068\\u0069\\u0067\\u0068"'])
async def test_what_may_be_a_sale_is_seen_however_it_is_written(redis, namespace, priority):
    built = services_on(redis, namespace, policies=quick(intake=BOUNDS))
    await built.intake._reader.begin()
    sale = a_job("S", priority="?").replace('"?"', priority)
    await push(built, *waiting(3), sale, *waiting(3))
    last, n, sales = await built.intake._reader.look_over(built.keys.jobs(), "")
    ids = [id_.decode() for id_, _ in await built.redis.xrange(built.keys.jobs())]
    assert (last, n, sales) == (ids[-1], 7, [ids[3]])


async def test_of_a_backlog_is_read_what_may_be_in_the_way_of_a_sale_alone(redis, namespace, monkeypatch):
    built = services_on(redis, namespace, policies=quick(intake=BOUNDS))
    reader, lookout = built.intake._reader, built.intake._lookout
    await reader.begin()
    await push(built, *waiting(N))
    asked, read, in_the_way = [], [], reader.in_the_way

    async def noted(*given):
        last, rows = await in_the_way(*given)
        asked.append(last)
        read.extend(raw for _, raw in rows)
        return last, rows

    monkeypatch.setattr(reader, "in_the_way", noted)
    for _ in range(3):
        lookout.begin(built.keys.jobs())
        assert await lookout.found() == []
    assert asked == []
    other, sale = a_job("T", id="other"), a_job("S", priority="high")
    await push(built, other.replace('"T"', '"\\u0054"'), sale, a_job("S", priority="low"))
    found = []
    while not found:
        lookout.begin(built.keys.jobs())
        found = await lookout.found()
    assert [entry.raw for entry, _ in found] == [sale.encode()]
    assert len(asked) > 1
    assert asked[-1] == found[0][0].id
    assert [json.loads(raw) for raw in read] == [json.loads(other), json.loads(sale)]


async def test_a_sale_that_somebody_removed_stops_no_look(redis, namespace, monkeypatch):
    built = services_on(redis, namespace, policies=quick(intake=BOUNDS))
    reader, lookout, stream = built.intake._reader, built.intake._lookout, built.keys.jobs()
    await reader.begin()
    await push(built, a_job("R1"), a_job("S1", priority="high"))
    look_over = reader.look_over

    async def removed_meanwhile(stream, after):
        found = await look_over(stream, after)
        await built.redis.xtrim(stream, maxlen=0, approximate=False)
        return found

    monkeypatch.setattr(reader, "look_over", removed_meanwhile)
    lookout.begin(stream)
    assert await lookout.found() == []
    monkeypatch.undo()
    await push(built, a_job("R2"), a_job("S2", priority="high"))
    lookout.begin(stream)
    (found,) = await lookout.found()
    assert json.loads(found[0].raw)["payload"]["reference_code"] == "S2"


async def test_a_look_without_an_answer_stops_nobody_and_the_next_begins_anew(redis, namespace, monkeypatch):
    built = services_on(redis, namespace, policies=quick(intake=BOUNDS))
    reader, lookout, stream = built.intake._reader, built.intake._lookout, built.keys.jobs()
    await reader.begin()
    await push(built, a_job("R"), a_job("S", priority="high"))

    async def cut(*_):
        raise RedisConnectionError("cut")

    for step in ("claimed", "in_the_way", "look_over"):
        monkeypatch.setattr(reader, step, cut)
        lookout.begin(stream)
        assert await lookout.found() == []
        monkeypatch.undo()
    lookout.begin(stream)
    ((entry, _),) = await lookout.found()
    assert json.loads(entry.raw)["payload"]["reference_code"] == "S"


async def test_what_fails_beside_something_else_that_fails_is_no_traceback(real_redis, namespace, monkeypatch):
    """Reading and writing go on side by side. Where both are cut, the failure of one of them is told."""
    built = services_on(real_redis, namespace, policies=quick(intake=BOUNDS))
    await push(built, *waiting(N))
    untold: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: untold.append(context))
    run, happened, wait_s = Scripts.run, [], 0.01

    async def cut(self, name, *given, **how):
        nonlocal wait_s
        if name == "read_entries" and happened == ["writing"]:
            happened.append("reading is cut")
            raise RedisConnectionError("cut")
        if name != "intake" or "reading is cut" in happened:
            return await run(self, name, *given, **how)
        happened[:] = ["writing"]
        wait_s = min(2 * wait_s, 2.0)  # for as long as this machine needs to read beside it
        await asyncio.sleep(wait_s)
        if "reading is cut" in happened:
            raise RedisConnectionError("cut")
        happened.clear()
        return await run(self, name, *given, **how)

    async with running(built):
        monkeypatch.setattr(Scripts, "run", cut)
        await push(built, *waiting(2 * N)[N:])
        await until_all_is_taken_in(built)
    gc.collect()
    assert "reading is cut" in happened
    assert untold == []
