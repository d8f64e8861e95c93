"""
A bill's clock whose worker dies at each instruction of it that anybody can see: a script before and after the server
ran it, a call before and after Factus did it, the evidence before and after it was stored.

Everything is the product's own but the network: the client over HTTP, the scripts, the sandbox. Time is virtual.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import httpx
import pytest
from fakeredis import FakeServer

from sandbox.app import create_app
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import read_rules
from sandbox.state.radian import add_event
from schemas.factus import BOGOTA
from tests.builders import a_bill
from tests.service_in_process import an_account, some_settings
from tests.simulation.checks.radian import clock_faults
from tests.simulation.network import FactusWire, Network, Plug, imitation, track_tasks
from tests.simulation.quick import VIRTUAL, logs_in_courses
from tests.simulation.radian_times import PERSON
from tests.simulation.storage import MemoryShelf
from tests.simulation.virtual_time import run_virtual
from worker.archive.archive import Archive
from worker.bootstrap import Services, build
from worker.factus.client import client_of
from worker.process import run_tasks
from worker.store import connection
from worker.store.keys import Keys

START = datetime(2026, 11, 30, 10, tzinfo=BOGOTA)
SCRIPTS = frozenset({"claim_jobs", "end_attempt", "permit", "dispatch"})
KEYS = Keys("deaths")


@dataclass
class Deaths:
    """Kills whoever makes the *n*-th step; counts them all."""

    at: int
    n: int = 0
    is_armed: bool = False
    has_struck: bool = False

    def step(self, plug: Plug) -> None:
        if not self.is_armed:
            return
        self.n += 1
        if self.n == self.at:
            self.has_struck = True
            plug.is_dead = True
        if plug.is_dead:
            raise asyncio.CancelledError("killed")


class Wire(FactusWire):
    """Factus goes on with what has arrived, whoever is gone."""

    def __init__(self, app: Any, plug: Plug, deaths: Deaths) -> None:
        super().__init__(app, plug)
        self._deaths = deaths

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_radian = "/radian/" in request.url.path
        if is_radian:
            self._deaths.step(self._plug)
        response = await super().handle_async_request(request)
        if is_radian:
            self._deaths.step(self._plug)
        return response


@dataclass
class Shelf(MemoryShelf):
    deaths: Deaths | None = None
    plug: Plug | None = None

    async def create(self, name: str, content: bytes, *, content_type: str) -> bool:
        assert self.deaths
        assert self.plug
        self.deaths.step(self.plug)
        is_new = await super().create(name, content, content_type=content_type)
        self.deaths.step(self.plug)
        return is_new


@dataclass
class Came:
    """What came of one run."""

    radian: list[dict[str, Any]]
    files: dict[str, bytes]
    codes: list[str]
    n_accepted: int
    n_steps: int
    has_struck: bool


async def one_life(die_at: int, rules: list[dict[str, Any]]) -> Came:
    track_tasks(asyncio.get_running_loop())
    server, deaths, files = FakeServer(), Deaths(die_at), {}
    app = create_app(SandboxConfig(rate_limit=0, faults=read_rules(rules), now=lambda: time.time()))
    network = Network(random.Random(1))
    driver = imitation(server, Plug(network))

    def a_worker() -> tuple[Services, Plug, asyncio.Task[None], asyncio.Event]:
        plug = Plug(network)
        account = an_account(base_url="http://factus.test", radian_person=PERSON)
        built = build(
            some_settings("deaths", radian_interval=1.0, timeout=1.0),
            {"acme": account},
            imitation(server, plug),
            imitation(server, plug, blocking=True),
            VIRTUAL.policies,
            gateway_of=partial(client_of, transport=Wire(app, plug, deaths)),
            archive=Archive(Shelf(files, deaths, plug)),
        )
        _die_around(built, plug, deaths)
        stopping = asyncio.Event()
        return built, plug, plug.start(run_tasks(built, stopping)), stopping

    built, plug, task, stopping = a_worker()
    bill = a_bill(reference_code="A")
    bill["payment_details"][0] |= {"payment_form": "2", "due_date": "2099-12-31"}
    job = {"type": "invoice.issue", "payload": bill, "options": {"tacit_acceptance": True}}
    await driver.xadd(KEYS.jobs(), {"job": json.dumps(job)})
    while not await driver.xlen(KEYS.results()):
        await asyncio.sleep(0.01)
    document = next(iter(app.state.sandbox.accounts.all()[0].shelf("bills").newest_first()))
    for code in ("030", "032"):
        add_event(document.code, document.events, code, time.time() - 9 * 86_400)
    deaths.is_armed = True
    gives_up_at = time.time() + 300
    while await driver.zcard(KEYS.deadlines()) and time.time() < gives_up_at:
        await asyncio.sleep(0.05)
        if plug.is_dead:
            await plug.kill()
            await asyncio.gather(task, return_exceptions=True)
            built, plug, task, stopping = a_worker()
    deaths.is_armed = False
    stopping.set()
    await asyncio.gather(task, return_exceptions=True)
    radian = [json.loads(fields[b"event"]) for _, fields in await driver.xrange(KEYS.radian())]
    n_terms = await driver.zcard(KEYS.terms())
    assert n_terms == 0
    await built.close()
    for redis in (driver, built.redis, built.intake._reader._blocking):
        await connection.close(redis)
    account = app.state.sandbox.accounts.all()[0]
    codes = [event["event_code"] for event in document.events]
    n_accepted = sum(account.changes.get("bills.accept", Counter()).values())
    return Came(radian, files, codes, n_accepted, deaths.n, deaths.has_struck)


def _die_around(built: Services, plug: Plug, deaths: Deaths) -> None:
    """Scripts of this worker are steps, before the server has run them and after."""
    scripts = built.ledger._scripts
    run = scripts.run

    async def stepping(name: str, *args: Any, **given: Any) -> Any:
        if name in SCRIPTS:
            deaths.step(plug)
        reply = await run(name, *args, **given)
        if name in SCRIPTS:
            deaths.step(plug)
        return reply

    scripts.run = stepping


PLANS: dict[str, list[dict[str, Any]]] = {
    "plain": [],
    "the answer to 034 is lost": [{"on": "accept", "effect": "drop_after", "times": 1}],
    "034 is not done and nobody says so": [{"on": "accept", "effect": "drop_before", "times": 1}],
}


def lives(plan: str, first: int, stride: int) -> Iterator[Came]:
    """One life with a death at each step, or each *stride*-th from *first* on, until there is none left to die at."""
    at = first - stride
    while True:
        at += stride
        with logs_in_courses():
            came = run_virtual(one_life(at, PLANS[plan]), START)
        yield came
        if not came.has_struck:
            assert at > 10, "it died nowhere"
            return


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("first", "plan"), [*enumerate(PLANS, 1)])
def test_it_happens_once_wherever_its_worker_dies(first, plan):
    """Three plans, each third step of one: all of them are the deep test's."""
    judge(lives(plan, first, len(PLANS)))


@pytest.mark.deep
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("plan", PLANS)
def test_it_happens_once_at_every_step_of_every_plan(plan):
    judge(lives(plan, 1, 1))


def judge(found: Iterator[Came]) -> None:
    for came in found:
        assert came.codes == ["030", "032", "034"]
        assert came.n_accepted == 1
        types = [event["type"] for event in came.radian]
        assert types.count("radian.event") == 3
        assert [one for one in types if one != "radian.event"] == ["radian.clock", "radian.due", "radian.accepted"]
        assert [event["seq"] for event in came.radian] == list(range(2, 8))
        assert clock_faults(came.radian, len(came.files)) == []
        (content,) = came.files.values()
        told = json.loads(content)
        assert [event["event_code"] for event in told["before"]["events"]] == ["030", "032"]
        assert [event["event_code"] for event in told["after"]["events"]] == ["030", "032", "034"]
        assert (told["accepted"]["kind"], told["accepted"]["by"]) == ("tacit", "service")
        assert told["sent"]
