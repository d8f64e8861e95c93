"""
Real calls of every script, recorded in a run of the service, with what Redis held before each.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import fakeredis
import pytest
import redis as sync_redis
from arq.connections import ArqRedis

from jobs import answers
from jobs.families import FAMILIES
from jobs.outcomes import AccountState, Finished
from jobs.webhooks.notices import About, disabled_event, enabled_event
from jobs.webhooks.verdict import Answer, Verdict
from schemas.factus import Remark
from tests.builders import a_bill, fiscal_day
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, quick, running, services_on
from tests.webhooks_rig import QUICK as QUICK_HOOKS
from tests.webhooks_rig import an_endpoint, an_event
from worker.bootstrap import Services
from worker.factus.rate_limit import Granted, RateLimit, SendMark
from worker.factus.token_cache import Issued, TokenCache
from worker.guard import Guard
from worker.intake.policy import IntakePolicy
from worker.intake.reader import GROUP, EntryReader
from worker.process import run_tasks
from worker.queue.claims import ClaimedJob, SetAside
from worker.queue.holds import AccountHolds
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, ScriptKeys, Scripts, packed
from worker.webhooks.book import DeliveryValues, Ended, Move, WebhookBook
from worker.webhooks.slices import slice_of
from worker.webhooks.streams import Entry

NAMESPACE = "whole"
EVERY = sorted(
    path.name.removesuffix(".lua")
    for path in files("worker.store").joinpath("lua").iterdir()
    if path.name.endswith(".lua")
)
Dump = dict[bytes, tuple[str, Any, bool]]

_READ = {
    "string": lambda pipe, key: pipe.get(key),
    "hash": lambda pipe, key: pipe.hgetall(key),
    "list": lambda pipe, key: pipe.lrange(key, 0, -1),
    "set": lambda pipe, key: pipe.smembers(key),
    "zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    "stream": lambda pipe, key: pipe.xrange(key, "-", "+"),
}


def dump(client: sync_redis.Redis) -> Dump:
    """All keys of the namespace: type, value, and whether it has an end."""
    names = sorted(client.scan_iter(f"*{NAMESPACE}:*", count=10_000))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
    types = {name: kind.decode() for name, kind in zip(names, pipe.execute(), strict=True)}
    # What has ended since its name was read is of the type "none".
    keys = [name for name in names if types[name] != "none"]
    kinds = [types[key] for key in keys]
    for key, kind in zip(keys, kinds, strict=True):
        _READ[kind](pipe, key)
        pipe.pttl(key)
    found = pipe.execute()
    held: Dump = {}
    for n, (key, kind) in enumerate(zip(keys, kinds, strict=True)):
        value = found[2 * n]
        if value is None:
            continue  # it has ended since we asked for its type
        if kind == "stream":
            value = (value, groups_of(client, key))
        held[key] = (kind, value, found[2 * n + 1] > 0)
    return held


def groups_of(client: sync_redis.Redis, stream: bytes) -> list[tuple[bytes, bytes, list[tuple[bytes, bytes]]]]:
    """The groups of a stream: name, last id that was given out, and what is pending with whom."""
    return [
        (group["name"], group["last-delivered-id"], pending_of(client, stream, group["name"]))
        for group in client.xinfo_groups(stream)
    ]


def pending_of(client: sync_redis.Redis, stream: bytes, group: bytes) -> list[tuple[bytes, bytes]]:
    rows = client.xpending_range(stream, group, "-", "+", 1000)
    return [(row["message_id"], row["consumer"]) for row in rows]


def restore(client: sync_redis.Redis, key: bytes, kind: str, value: Any) -> None:
    client.delete(key)
    match kind:
        case "string":
            client.set(key, value)
        case "hash":
            client.hset(key, mapping=value)
        case "list":
            client.rpush(key, *value)
        case "set":
            client.sadd(key, *value)
        case "zset":
            client.zadd(key, dict(value))
        case _:
            entries, groups = value
            for id_, fields in entries:
                client.xadd(key, fields, id=id_)
            for name, last_id, pending in groups:
                client.xgroup_create(key, name, id=last_id, mkstream=True)
                for id_, consumer in pending:
                    client.xclaim(key, name, consumer, 0, [id_], force=True, justid=True)


def fill(client: sync_redis.Redis, before: Dump) -> None:
    pipe = client.pipeline(transaction=True)  # one write to the disk
    for key in client.scan_iter(f"*{NAMESPACE}:*", count=10_000):
        pipe.delete(key)
    for key, (kind, value, _) in before.items():
        if value or kind == "string":
            restore(pipe, key, kind, value)
    pipe.execute()


@dataclass
class Sample:
    """One call, and what Redis held before it."""

    name: str
    keys: list[Any]
    args: list[Any]
    before: Dump


@dataclass
class Recorder:
    """Keeps the calls of scripts that differ in what they ask for."""

    client: sync_redis.Redis
    samples: dict[tuple, Sample] = field(default_factory=dict)
    has_late_ones: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the scripts have run that come in their own time: by a leader each second, or after a hold."""

    def note(self, name: str, keys: ScriptKeys, args: ScriptArgs) -> None:
        in_order = packed(name, keys, args)
        shape: tuple = (name,)
        if name == "end_attempt":
            counts = [min(args[n], 1) for n in ("n_events", "n_fields", "n_dead", "n_notices", "n_follow_ups")]
            shape = (name, args["ending"], *counts, len(keys["follow_ups"]) > 0)
        if name in ("end_joined", "requeue_job", "permit", "acquire_change_lock", "token_get", "last_word", "resume"):
            shape = (name, len(in_order[0]))
        if name in ("take_events", "serve_endpoint", "switch_endpoint"):
            shape = (name, len(args.get("rest", ())), args.get("state"))
        if name == "cancel_job":
            shape = (name, args["heir"] != "")
        if name == "intake":
            said = {arg for arg in args["rest"] if isinstance(arg, str)}
            shape = (name, *sorted(said & {"accept", "follow", "watch", "close", "job.refused"}))
        if name in ("read_entries", "look_at_streams"):
            shape = (name, *(self.client.xlen(key) > 0 for key in keys["streams"]))
        # The last one of a shape: by then there is the most to be broken.
        self.samples[shape] = Sample(name, *in_order, dump(self.client))
        if {sample.name for sample in self.samples.values()} >= {"close_batch", "trim_letters", "acquire_change_lock"}:
            self.has_late_ones.set()


class Dies(FakeFactus):
    """Ends creates as the references ask for."""

    async def create(self, job, *, latest_ms):
        if job.reference_code == "down" and self.calls["create"] < 3:
            self._note("create")
            return answers.NotSent("sin conexión")
        if job.reference_code == "family" and not self.calls["blocked"]:
            self._note("blocked")
            return answers.Denied("product", "no")
        return await super().create(job, latest_ms=latest_ms)


async def record() -> list[Sample]:
    server = fakeredis.FakeServer()
    recorder = Recorder(fakeredis.FakeStrictRedis(server=server))
    fake = fakeredis.FakeAsyncRedis(server=server)
    redis = ArqRedis(pool_or_conn=fake.connection_pool)
    run = Scripts.run

    async def noting(self, name, keys, args, **how):
        recorder.note(name, keys, args)
        return await run(self, name, keys, args, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripts, "run", noting)
        factus = Dies(gate=asyncio.Event())
        no_rows = answers.Replied({"data": {"data": [], "pagination": {"last_page": 1, "total": 0}}})
        factus.replies = {f"GET {family.collection}": [no_rows] for family in FAMILIES.values()}
        policies = quick(patience={"account_pause_s": 0.05}, sweep={"lost_after_ms": 0})
        accounts = an_account(), an_account("own", own_streams=True)
        built = services_on(redis, NAMESPACE, *accounts, gateway=factus, policies=policies)
        keys = built.keys
        async with running(built) as rig:
            await rig.push_bill("A", id="one", options={"archive": ["pdf"]}, batch="b", batch_size=3)
            await rig.push_bill("A", id="two", options={"archive": ["pdf"]}, batch="b")
            await rig.push_bill("waits", id="three", batch="b")
            await rig.push_bill("late", id="four", issue_on="2020-01-01", batch="b")
            await rig.taken_in()
            fence = int(await redis.hget(keys.job("acme", "one"), "fence") or 0)
            mark = SendMark(keys.job("acme", "one"), fence, 0)
            limit = RateLimit(built.ledger._scripts, keys, an_account())
            await limit.acquire(patience_s=0, mark=mark)
            granted = await limit.acquire(patience_s=0)
            assert isinstance(granted, Granted)
            await limit.note_usage(5, granted)
            await limit.throttled(0.01)
            await built.sweep.sweep()
            await built.sweep.end_overdue()  # while the lane is full: it would be started in its turn
            arq_id = f"{NAMESPACE}:acme:one:1"
            record = await built.reader.job("acme", "one")
            claimed = ClaimedJob(arq_id, record, AccountState())
            await built.arq._release(claimed, SetAside(claimed, 0.0, 1))
            await built.arq._put_back(arq_id.encode(), 0.0)
            await built.arq._renew()
            await rig.push({"type": "job.cancel", "account": "acme", "payload": {"job_id": "two"}})
            await rig.push_bill("waits", id="heir", batch="b", issue_on=str(fiscal_day()))
            await rig.push_bill("A", id="fifth", options={"archive": ["pdf"]}, batch="b")
            await rig.push({"type": "job.cancel", "account": "acme", "payload": {"job_id": "three"}})
            await rig.events(5)
            factus.gate.set()
            await rig.rest()
            factus.script = [answers.RulesRefused((Remark("Regla: X, Rechazo: x", "X"),))]
            await rig.push_bill("rejected")
            await rig.push_bill("down")
            await rig.push_bill("family")
            await rig.push({"type": "invoice.delete", "account": "acme", "payload": {"reference_code": "waits"}})
            await rig.push({"type": "day.close", "account": "acme", "payload": {"day": str(fiscal_day())}})
            await asyncio.wait_for(recorder.has_late_ones.wait(), 120)
            await rig.rest()
        factus.documents["B"] = factus.documents["A"]
        tokens = TokenCache(Scripts(redis), keys, "acme", "w1")

        async def issue():
            return Issued("token", 3600)

        async def refuse():
            return answers.NoToken("ilegible")

        await tokens.get(issue)
        await TokenCache(Scripts(redis), keys, "own", "w1").get(refuse)
        await last_words(redis, factus)
        await by_hand(redis, built)
        await webhooks(redis)
    await redis.aclose()
    return list(recorder.samples.values())


async def last_words(redis: ArqRedis, factus: FakeFactus) -> None:
    """An end that end_attempt.lua refuses, and a dead letter that is pushed again."""
    built = services_on(redis, NAMESPACE, gateway=factus)
    claimer = built.ledger
    stopping = asyncio.Event()
    factus.gate = asyncio.Event()
    task = asyncio.create_task(run_tasks(built, stopping))
    for id_ in ("last", "joins"):
        job = {"type": "invoice.issue", "id": id_, "payload": a_bill(reference_code="L"), "batch": "c", "batch_size": 2}
        await redis.xadd(built.keys.jobs(), {"job": json.dumps(job)})
    n_creates = factus.calls["create"]
    await factus.called("create", n_creates + 1)
    while not await redis.exists(built.keys.joined(built.keys.document("acme", "invoice", "L"))):
        await asyncio.sleep(0)
    sound = built.ledger._finish

    async def refuse(claimed, end, page, follow_ups):
        if end["ending"] == "final" and claimed.job.id == "last":
            await claimer.last_word(claimed, final_of(claimed), page)
            return 0
        return await sound(claimed, end, page, follow_ups)

    def final_of(claimed):
        return Finished("validated", "ok", data={}, number="SETP1")

    claimer._finish = refuse
    factus.gate.set()
    while await redis.zcard(built.keys.ended_due()) or not await redis.exists(built.keys.dead()):
        await asyncio.sleep(0)
    while await redis.zcard(built.keys.deadlines()):
        await asyncio.sleep(0)
    stopping.set()
    await task
    ((letter, _),) = await redis.xrange(built.keys.dead(), count=1)
    document = built.keys.document("acme", "invoice", "gone")
    names = {"dead": built.keys.dead(), "stream": built.keys.retry(), "record": built.keys.job("acme", "new")}
    values = {"letter": letter, "envelope": "{}", "owner": "", "job_id": "old", "retention_ms": 1000}
    await built.ledger._scripts.run("retry_letter", {**names, "document": document}, values)


async def webhooks(redis: ArqRedis) -> None:
    """Deliveries of every end, one that is tried anew, a switch, and an endpoint that goes. Named as accounts are."""
    name = "acme"
    book = WebhookBook(redis, Scripts(redis), Keys(NAMESPACE), replace(QUICK_HOOKS, quiet_s=0.0, most_failed=1))
    entries = [Entry("s", f"{n}-0", an_event("j", n).to_json().encode()) for n in (1, 2)]
    entries += [Entry("s", f"{n}-0", an_event().to_json().encode()) for n in range(3, 8)]
    made = slice_of(entries, [an_endpoint(name)])
    await book.take([Move(name, "", "a")], made.bodies, made.deliveries)
    notice = disabled_event(About(name, 1, 2, 3), "gone", now=datetime.now(UTC))
    again, over = Verdict("again", 0.0), Verdict("exhausted")
    gone = Verdict("again", 60.0, disables="gone")
    ended: list[Ended] = []
    for verdict in (Verdict("delivered"), again, over, over, gone):
        served = await book.serve(name, ended, room=1, width=8, lease_ms=60_000)
        (delivery,) = served.deliveries
        events = (notice,) if verdict.disables else ()
        ended = [Ended(delivery, Answer(200 if verdict.outcome == "delivered" else 500), verdict, events)]
    await book.serve(name, ended, room=1, width=8, lease_ms=60_000)
    await book.switch(name, is_on=False, event=notice)
    await book.switch(name, is_on=True, event=enabled_event(About(name, 1, 2, 3), now=datetime.now(UTC)))
    (failed,) = await book.failed(name)
    (row,) = await book.records(name, [failed])
    renewed = DeliveryValues(name, row.id, "", row.rank, "0", row.type, row.account, row.reference, 0)
    await book.take([], {}, [renewed])
    await redis.zadd(book.keys.hooks_seen(), {name: 1})
    await book.forget(name)


async def by_hand(redis: ArqRedis, built: Services) -> None:
    """What a calm run does not come to: entries that an earlier leader has left, a removal, holds, too many letters."""
    keys, scripts = built.keys, Scripts(redis)
    reader = EntryReader(redis, {keys.jobs(): ""}, "w2", IntakePolicy(), Guard("intake"))
    for content in ("first", "second"):
        await redis.xadd(keys.jobs(), {"job": content})
    await redis.xreadgroup(GROUP, "dead", {keys.jobs(): ">"})
    ids = await reader.pending(keys.jobs())
    await reader.claimed(keys.jobs(), ids)
    await scripts.run("entry_part", {"stream": keys.jobs()}, {"entry": ids[0], "first": 0, "n_bytes": 3})
    bounds = {"most": 10, "most_bytes": 1000, "largest": 1000, "beginning": 100}
    streams = {"streams": [keys.jobs("own"), keys.jobs()]}
    await scripts.run("read_entries", streams, {"group": GROUP, "worker": "w2", **bounds})

    job, document = keys.job("acme", "remover"), keys.document("acme", "invoice", "A")
    await redis.hset(job, mapping={"v": "1", "state": "inflight", "fence": "1"})
    await redis.hset(document, mapping={"state": "rejected", "free_at": "1"})
    await redis.rpush(keys.removals(document), "remover", "other")
    removal = {"job": job, "document": document, "waiters": keys.removals(document)}
    values = {"fence": "1", "settle_ms": 1000, "job_prefix": keys.job("acme", "")}
    await scripts.run("begin_removal", removal, values)

    await redis.hset(keys.account("acme"), mapping={"hold_until": "99999999999999", "hold_reason": "factus.denied"})
    await redis.sadd(keys.lanes(), "acme/invoice")
    await redis.zadd(keys.later("acme/invoice"), {"remover": 1})
    await AccountHolds(redis, keys).lift("acme")
    await AccountHolds(redis, keys).heed_credentials(built.accounts)
    for _ in range(2):
        await redis.xadd(keys.dead(), {"reason": "internal"})
    letters = {"dead": keys.dead(), "denied": keys.denied(), "facts": keys.intake_facts()}
    await redis.rpush(keys.denied(), "1-1", "1-2")
    await scripts.run("trim_letters", letters, {"most": 1, "most_bytes": 10**9, "most_denied": 1})
    told = {
        "n_told": 0,
        "is_at_risk": 1,
        "will_miss": 3,
        "maxlen": 10,
        "keep_ms": 1000,
        "event": ["{}", "x", "a", "", "", ""],
    }
    await redis.hset(keys.day_told("acme", "2026-11-30"), mapping={"n_told": "0", "told_at": "1"})
    await scripts.run("tell_day", {"state": keys.day_told("acme", "2026-11-30"), "results": keys.results()}, told)
    await redis.set(keys.leader("intake"), "w2")
    await redis.xadd(keys.jobs(), {"job": "{}"})
    bounds = {"after": "", "most": 10, "most_bytes": 1000, "largest": 1000}
    await scripts.run("look_over", {"stream": keys.jobs()}, bounds)
    await scripts.run("in_the_way", {"stream": keys.jobs()}, {**bounds, "up_to": "+", "texts": ["A", "B"]})
    lead = {"worker": "w2", "other": "w3", "lease_ms": 5000}
    await scripts.run("hand_over", {"leader": keys.leader("intake")}, lead)
