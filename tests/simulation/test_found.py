"""What the simulation has found, each as the shortest test that shows it."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import datetime

import httpx
from fakeredis import FakeServer
from redis.exceptions import ConnectionError as RedisConnectionError

from jobs import answers
from jobs.account_verbs import set_range_status
from jobs.backoff import BackoffPolicy
from jobs.calls import CallContext, CallPolicy, run_call
from jobs.entry import Entry, Refused
from jobs.events import blocked_event, resumed_event
from jobs.intake import EntryValidator
from jobs.issue import issue
from jobs.issue_policy import IssuePolicy
from jobs.outcomes import AccountState, Block, Finished, Retry
from jobs.patience import PatiencePolicy
from schemas.contract.event import ErrorDetail
from schemas.factus import BOGOTA
from schemas.records import JobRecord
from tests.builders import a_bill
from tests.fakes import FakeFactus, FreeChangeLock, MemoryArchive
from tests.service_in_process import an_account, quick, running, services_on
from tests.simulation.network import Network, Plug, imitation
from worker.factus.client import FactusClient
from worker.factus.rate_limit import RateLimit
from worker.factus.token_cache import TokenCache
from worker.settings.model import ApiLimits
from worker.store import connection
from worker.store.keys import Keys
from worker.store.scripts import Scripts


async def test_what_factus_holds_goes_before_any_priority(redis, namespace):
    """
    A document that waits for DIAN bars its family. A job of higher priority that overtook it met 409 for ever, and the
    one that would have freed the lane was never sent again.
    """
    factus = FakeFactus(script=[answers.Acknowledged()] * 3)
    built = services_on(redis, namespace, gateway=factus)
    async with running(built) as rig:
        await rig.push_bill("waits", priority="low")
        (pending,) = await rig.events(1)
        assert pending["type"] == "invoice.pending"
        await rig.push_bill("urgent", priority="high")
        await rig.events(2)
    assert factus.order == ["waits"] * 4 + ["urgent"]


async def test_an_intake_that_lost_its_lead_goes_on(redis, namespace):
    """The script's refusal was one word short, and the whole worker ended of it."""
    built = services_on(redis, namespace)
    async with running(built) as rig:
        await rig.push_bill("A")
        await rig.events(1)
        writer = built.intake._writer
        write = writer.write

        async def write_too_late(items):
            writer.write = write
            await redis.set(built.keys.leader("intake"), "another worker", px=300)
            await write(items)

        writer.write = write_too_late
        await rig.push_bill("B")
        (event,) = await rig.events(1, timeout_s=40)
        assert event["reference_code"] == "B"
        assert not rig.task.done()


async def test_entries_of_a_lost_answer_are_taken_up_at_once():
    """XREADGROUP sent again by the client library left what its lost answer held with nobody, as long as one led."""
    server, network = FakeServer(), Network(random.Random(1))
    plug = Plug(network)
    redis, blocking = imitation(server, Plug(network)), imitation(server, plug, blocking=True)
    built = services_on(redis, "cut", blocking=blocking)
    lost = []

    def lose_the_first(reply):
        if isinstance(reply, list) and reply and not lost:
            lost.append(reply)
            raise RedisConnectionError("the answer was lost")

    plug.after = lose_the_first
    async with running(built) as rig:
        await rig.push_bill("A")
        (event,) = await rig.events(1, timeout_s=40)
    assert event["reference_code"] == "A"
    assert lost
    for client in (redis, blocking):
        await connection.close(client)


async def test_what_a_sleeper_read_after_it_lost_the_lead_is_taken_up(redis, namespace):
    """A leader that stood still reads before it learns that another leads: only the new one may write that."""
    built = services_on(redis, namespace, policies=quick(intake={"lease_ms": 900}))
    async with running(built) as rig:
        await rig.push_bill("A")
        await rig.events(1)
        code = "B"
        envelope = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code=code)}
        async with redis.pipeline(transaction=True) as pipe:  # in one step, so that the leader cannot be first
            pipe.xadd(built.keys.jobs(), {"job": json.dumps(envelope)})
            pipe.xreadgroup("intake", "sleeper", {built.keys.jobs(): ">"}, count=10)
            await pipe.execute()
        (event,) = await rig.events(1, timeout_s=40)
    assert event["reference_code"] == code


class NoRemovals:
    """The part of the ledger that an attempt asks before it looks."""

    async def is_being_removed(self, job):
        return False


async def test_a_look_that_had_no_turn_is_not_the_last_word_at_the_deadline():
    """The document was sent and Factus may hold it: our own allowance is no reason to call it failed unseen."""
    job = JobRecord(
        account="a", id="1", type="invoice.issue", family="invoice", lane="a/invoice", entry="1-0", sent="unknown"
    )
    policy = IssuePolicy(replace(job, deadline_at=1000), BackoffPolicy(1, 2), lambda: 0.5)
    attempted = await issue(policy, FakeFactus(finds=[answers.NoPermit(1.0)]), NoRemovals(), now_ms=2000, day_ends_ms=0)
    assert isinstance(attempted.ending, Retry)


async def test_a_token_that_another_process_fetched_may_be_dead_as_well(fake_redis, namespace):
    """Two revocations while a worker was idle looked like refused credentials, and held the account for minutes."""
    issued: list[str] = []
    dead: set[str] = set()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            issued.append(f"t{len(issued) + 1}")
            return httpx.Response(200, json={"access_token": issued[-1], "expires_in": 3600})
        if request.headers["Authorization"].removeprefix("Bearer ") in dead:
            return httpx.Response(401, json={"message": "Unauthenticated."})
        return httpx.Response(200, json={"data": {"data": []}})

    account, keys, scripts = an_account(), Keys(namespace), Scripts(fake_redis)

    def a_client(worker_id: str) -> FactusClient:
        tokens = TokenCache(scripts, keys, account.name, worker_id)
        limit = RateLimit(scripts, keys, account)
        return FactusClient(account, ApiLimits(1, 1), limit, tokens, keys, transport=httpx.MockTransport(answer))

    busy, idle = a_client("busy"), a_client("idle")
    assert isinstance(await idle.find("invoice", "A"), answers.Absent)
    for _ in range(2):
        dead |= set(issued)
        assert isinstance(await busy.find("invoice", "A"), answers.Absent)
    dead |= set(issued)
    assert isinstance(await idle.find("invoice", "A"), answers.Absent)
    assert issued == ["t1", "t2", "t3", "t4"]
    await busy.close()
    await idle.close()


async def test_a_write_that_may_still_arrive_is_not_sent_beside_itself():
    """A toggle that Factus carried out after nobody waited for it any more was undone by its own repetition."""
    factus = FakeFactus(replies={"GET /v2/numbering-ranges/8": [answers.Replied({"data": {"is_active": 0}})]})
    toggle = "PATCH /v2/numbering-ranges/8/toggle-status"
    factus.replies[toggle] = [answers.Replied({"data": {"is_active": 1}})]
    job = JobRecord(
        account="a",
        id="1",
        type="numbering_range.set_status",
        family="numbering_range",
        lane="a/calls",
        entry="1-0",
        payload='{"numbering_range_id":"8","is_active":true}',
        sent="unknown",
        sending_at=1000,
        deadline_at=10_000,
    )

    async def turn(now_ms: int):
        state, patience = AccountState(now_ms=now_ms), PatiencePolicy(least_settle_ms=2000)
        deciding = CallPolicy(job, BackoffPolicy(1, 2), lambda: 0.5, state, settle_ms=2000, patience=patience)
        return await run_call(
            set_range_status,
            CallContext(deciding, factus, MemoryArchive(), FreeChangeLock()),
            now_ms=now_ms,
            day_ends_ms=0,
        )

    early = await turn(1500)
    assert isinstance(early.ending, Retry)
    assert (early.ending.sent, factus.calls[toggle]) == ("unknown", 0)
    assert isinstance((await turn(3001)).ending, Finished)
    assert factus.calls[toggle] == 1


async def test_an_operator_s_news_never_goes_into_the_stream_of_radian_events(redis, namespace):
    """A job that watches a bill publishes to another stream than all others: so did what blocked it."""
    denied = answers.Denied("permission", "sin permiso")
    ended = answers.Replied({"data": [{"number": "AP1", "cude": "c", "event_code": "033", "event_name": "Aceptación"}]})
    factus = FakeFactus(replies={"GET /v2/bills/SETP990000001/radian/events": [denied, ended]})
    bill = a_bill(reference_code="A")
    bill["payment_details"][0] |= {"payment_form": "2", "due_date": "2099-12-31"}
    policies = quick(patience={"account_pause_s": 0.05})
    built = services_on(redis, namespace, gateway=factus, policies=policies, radian_interval=0.05)
    async with running(built) as rig:
        await rig.push({"type": "invoice.issue", "payload": bill, "options": {"track_radian": True}})
        told = [event["type"] for event in await rig.events(3)]
        rig._last = "0-0"
        (event,) = await rig.events(1, stream=built.keys.radian())
        assert await redis.xlen(built.keys.radian()) == 2
    assert told == ["invoice.validated", "account.blocked", "account.resumed"]
    assert event["type"] == "radian.event"


def test_a_family_s_issuing_and_its_calls_are_told_under_two_ids():
    """Both were blocked and went on in one millisecond: two events had one id, as had those of two jobs."""
    now = datetime.now(BOGOTA)
    error = ErrorDetail(code="factus.denied", message="no")
    ids = {
        *(
            blocked_event("a", Block("payroll", error, of), n_waiting=1, since=now, now=now, by=by).id
            for of in ("", "payroll.get")
            for by in ("one", "other")
        ),
        *(resumed_event("a", "payroll", since=now, now=now, by="one", job_type=of).id for of in ("", "payroll.get")),
    }
    assert len(ids) == 6


def test_what_cannot_be_read_belongs_to_the_owner_of_its_stream():
    """Two streams may give one entry id: refusals of both had the same id, under no account."""
    validator = EntryValidator({"a": an_account("a").zone}, lambda: 0)
    for raw in (b"not json", None, b"\xff"):
        own, common = (validator.validate(Entry("s", "1-0", raw, owner=owner)) for owner in ("a", ""))
        assert isinstance(own, Refused)
        assert isinstance(common, Refused)
        assert (own.remains.account, common.remains.account) == ("a", None)
