"""
A day that is closed at 23:50 and again next morning, with what happened in between, against a Factus that gives a
deleted number again and one that never does. Everything is the product's own but the network; time is virtual.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

import pytest
from fakeredis import FakeServer

from sandbox.app import create_app
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import read_rules
from schemas.factus import BOGOTA
from tests.builders import a_bill
from tests.fakes import MemoryArchive
from tests.service_in_process import an_account, some_settings
from tests.simulation.network import FactusWire, Network, Plug, imitation, track_tasks
from tests.simulation.quick import VIRTUAL, logs_in_courses
from tests.simulation.virtual_time import run_virtual
from worker.bootstrap import build
from worker.factus.client import client_of
from worker.process import run_tasks
from worker.queue.day_book import begin_day_index
from worker.store import connection
from worker.store.keys import Keys

DAY = "2026-11-30"
START = datetime(2026, 11, 30, 23, 40, tzinfo=BOGOTA)
KEYS = Keys("overnight")
RULES = {"FAK24": "Regla: FAK24, Rechazo: El DV no corresponde"}
REJECTED = [{"on": "create", "reference": "LATE", "effect": {"kind": "reject", "rules": RULES}}]


async def two_closes(*, reuses: bool) -> tuple[dict[str, Any], dict[str, Any], dict[str, str]]:
    """The certificate of 23:50, that of the next morning, and the numbers by reference."""
    track_tasks(asyncio.get_running_loop())
    config = SandboxConfig(rate_limit=0, faults=read_rules(REJECTED), now=lambda: time.time(), reuses_numbers=reuses)
    server, app, network = FakeServer(), create_app(config), Network(Random(1))
    driver = imitation(server, Plug(network))
    await begin_day_index(driver, KEYS)

    @asynccontextmanager
    async def a_worker() -> AsyncIterator[None]:
        """Between the times that matter none runs: hours in which nothing happens cost nothing."""
        plug = Plug(network)
        built = build(
            some_settings("overnight"),
            {"acme": an_account(base_url="http://factus.test")},
            imitation(server, plug),
            imitation(server, plug, blocking=True),
            VIRTUAL.policies,
            gateway_of=partial(client_of, transport=FactusWire(app, plug)),
            archive=MemoryArchive(),
        )
        stopping = asyncio.Event()
        task = plug.start(run_tasks(built, stopping))
        yield
        stopping.set()
        await asyncio.gather(task)
        await built.close()
        for redis in (built.redis, built.intake._reader._blocking):
            await connection.close(redis)

    numbers: dict[str, str] = {}

    async def end_of(type_: str, payload: dict[str, Any]) -> dict[str, Any]:
        entry = (await driver.xadd(KEYS.jobs(), {"job": json.dumps({"type": type_, "payload": payload})})).decode()
        while True:
            for _, fields in await driver.xrange(KEYS.results()):
                event: dict[str, Any] = json.loads(fields[b"event"])
                if event["job_id"] == entry and not event["type"].endswith(".pending"):
                    return event
            await asyncio.sleep(0.05)

    async def issue(reference: str) -> None:
        event = await end_of("invoice.issue", a_bill(reference_code=reference))
        numbers[reference] = event["data"]["number"]

    async def close() -> dict[str, Any]:
        event = await end_of("day.close", {"day": DAY})
        assert event["success"], event
        data: dict[str, Any] = event["data"]
        return data

    async with a_worker():
        await issue("FIRST")
        await issue("LATE")
    await asyncio.sleep(_until("2026-11-30T23:50"))
    async with a_worker():
        evening = await close()
        await issue("LAST")
    await asyncio.sleep(_until("2026-12-01T08:00"))
    async with a_worker():
        await issue("TOMORROW")
        morning = await close()
    await connection.close(driver)
    return evening, morning, numbers


def _until(moment: str) -> float:
    return datetime.fromisoformat(f"{moment}:00-05:00").timestamp() - time.time()


@pytest.mark.parametrize("reuses", [True, False], ids=["given again", "never again"])
def test_the_evening_s_and_the_morning_s_certificate(reuses: bool) -> None:
    with logs_in_courses():
        evening, morning, numbers = run_virtual(two_closes(reuses=reuses), START)
    assert (numbers["LAST"] == numbers["LATE"]) is reuses
    # At 23:50 the number that was taken away is the day's last, and the day is not over.
    (row,) = evening["prefixes"]
    assert (row["first"], row["last"]) == (numbers["FIRST"], numbers["LATE"])
    assert (row["issued"], row["deleted"], row["unexplained"], row["span"]) == (1, 1, 0, 2)
    assert (row["gaps"][0]["reference_code"], row["gaps"][0]["rule"]) == ("LATE", "FAK24")
    assert not evening["is_final"]
    # In the morning it is LAST's, or still a gap with its reason; tomorrow's invoice is none of this day.
    (row,) = morning["prefixes"]
    assert (row["first"], row["last"]) == (numbers["FIRST"], numbers["LAST"])
    assert (row["issued"], row["deleted"], row["unexplained"]) == (2, 0 if reuses else 1, 0)
    assert row["span"] == (2 if reuses else 3)
    assert [gap["reference_code"] for gap in row["gaps"]] == ([] if reuses else ["LATE"])
    assert [one["reference_code"] for one in morning["refused"]] == (["LATE"] if reuses else [])
    assert row["total"] == "166600.00"
    assert morning["is_final"]
    assert morning["previous_sha256"] == evening["sha256"]
