"""Every script of the way of a job, with its connection cut before and after the server ran it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from jobs import answers
from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import read_rules
from tests.fakes import FakeFactus
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, quick, running, services_on
from tests.service_processes import get_json

SCRIPTS = [
    "intake",
    "acquire_leadership",
    "dispatch",
    "claim_jobs",
    "permit",
    "end_attempt",
    "token_get",
    "token_put",
    "mark_deleting",
]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_cut_connection_loses_nothing_and_repeats_nothing(real_redis, namespace, cut, name, moment):
    rejected = {"on": "create", "reference": "rejected", "effect": "reject"}
    waits = {"on": "create", "reference": "waits", "attempt": 1, "effect": {"kind": "pending", "polls": 1}}
    faults = read_rules({"rules": [rejected, waits]})
    codes = ["waits", "A", "rejected"]
    async with serve(SandboxConfig(faults=faults)) as url:
        n_cut = cut(name, moment)
        soon = quick(patience={"least_settle_ms": 500})
        built = services_on(real_redis, namespace, an_account(base_url=url), over_http=True, policies=soon, timeout=5.0)
        async with running(built) as rig:
            for code in codes:
                await rig.push_bill(code)
            finals = await _finals(rig, 3)
            await rig.rest()
            assert len(await real_redis.xrange(built.keys.results())) == rig.n_seen, "not one event more"
            assert not await built.sweep.sweep()
        documents = await asyncio.to_thread(get_json, f"{url}/_sandbox/documents")
        report = await asyncio.to_thread(get_json, f"{url}/_sandbox/report")
    assert n_cut[name] >= 1
    assert sorted((event["reference_code"], event["type"]) for event in finals) == [
        ("A", "invoice.validated"),
        ("rejected", "invoice.rejected"),
        ("waits", "invoice.validated"),
    ]
    assert sorted(document["reference_code"] for document in documents) == ["A", "waits"]
    assert report["totals"]["forbidden_deletes"] == 0
    assert await real_redis.zcard(built.keys.in_flight("acme/invoice")) == 0


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_cut_at_the_final_event_starts_what_follows_once(real_redis, namespace, cut, moment):
    """The followers are written with the event: both are there, or neither, whoever hears of it."""
    n_cut = cut("end_attempt", moment)
    factus = FakeFactus()
    async with running(services_on(real_redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("A", options={"archive": ["pdf"]})
        events = await rig.events(2)
        await rig.rest()
        assert await real_redis.xlen(rig.services.keys.results()) == 2
    assert [(event["type"], event["seq"]) for event in events] == [("invoice.validated", 1), ("invoice.archived", 2)]
    assert factus.calls["GET /v2/bills/SETP990000001/download-pdf"] == 1
    assert n_cut["end_attempt"] == 1
    assert len(factus.documents) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", ["expire_job", "close_batch"])
async def test_a_cut_in_the_housekeeping_is_made_good(real_redis, namespace, cut, name, moment):
    """A job whose time is up in a lane that is held, and the batch that it closes."""
    # Asked again every 0.2 s, it is held for longer than the job has.
    factus = FakeFactus(script=[answers.Denied("version", "Version de API no disponible")] * 100)
    n_cut = cut(name, moment)
    async with running(services_on(real_redis, namespace, gateway=factus)) as rig:
        await rig.push_bill("holds")
        await rig.events(1)
        soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        await rig.push_bill("late", expires_at=soon, batch="b", batch_size=1)
        events = await rig.events(2)
        await rig.services.sweep.end_expired_and_close_batches()
        factus.script.clear()  # the account answers again, and the first document is issued
        await rig.events(2)
        await rig.rest()
        assert len(await real_redis.xrange(rig.services.keys.results())) == rig.n_seen, "not one event more"
    assert [event["type"] for event in events] == ["invoice.failed", "batch.completed"]
    assert n_cut[name] == 1


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_cut_in_the_allowance_costs_no_document(real_redis, namespace, cut, moment):
    """Factus says 429 once, and the hold cannot be written: the document is issued once all the same."""
    throttled = {"on": "create", "times": 1, "effect": {"kind": "rate_limited", "retry_after": 1}}
    async with serve(SandboxConfig(faults=read_rules({"rules": [throttled]}))) as url:
        n_cut = cut("hold_account", moment)
        built = services_on(real_redis, namespace, an_account(base_url=url), over_http=True)
        async with running(built) as rig:
            await rig.push_bill("A")
            (event,) = await rig.events(1)
        documents = await asyncio.to_thread(get_json, f"{url}/_sandbox/documents")
    assert (event["type"], len(documents), n_cut["hold_account"]) == ("invoice.validated", 1, 1)


async def _finals(rig, n):
    """The next *n* final events, sooner than the sweep could help."""
    finals = []
    async with asyncio.timeout(PATIENCE_S):
        while len(finals) < n:
            finals += [event for event in await rig.events(1) if event["type"] != "invoice.pending"]
    return finals
