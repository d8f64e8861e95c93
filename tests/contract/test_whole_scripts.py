"""
Every script does all of its work or nothing, whatever its keys hold.

Real calls of every script are recorded in a run of the service, with what Redis held before each. They are made again
with each key of a wrong type, and with each number replaced by what is none: an error comes before the first write.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import fakeredis
import pytest
import redis as sync_redis
from arq.connections import ArqRedis

from jobs import seen as s
from jobs.outcomes import Final
from jobs.standing import Standing
from schemas.factus import Remark
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.rig import an_account, running, services_on
from worker.guard import redis_key, redis_word
from worker.lua import Scripts, source
from worker.process import run_tasks
from worker.rate_limit import RateLimit, SendMark
from worker.taking import SetAside, Taken
from worker.token_cache import Issued, TokenCache

NAMESPACE = "whole"
LIBRARIES = {"lib_types", "lib_lanes", "lib_batches", "lib_ends"}
ELSEWHERE = {"intake"}
"""Its call holds a whole slice of entries: what it does with a broken one is told in the intake's own tests."""

EVERY = {
    path.name.removesuffix(".lua")
    for path in files("worker").joinpath("scripts").iterdir()
    if path.name.endswith(".lua")
}
GARBAGE = (b"abc", b"1e+99", b"99999999999999999999", b"1.5", b"nan")

Dump = dict[bytes, tuple[str, Any, bool]]


_READ = {
    "string": lambda pipe, key: pipe.get(key),
    "hash": lambda pipe, key: pipe.hgetall(key),
    "list": lambda pipe, key: pipe.lrange(key, 0, -1),
    "set": lambda pipe, key: pipe.smembers(key),
    "zset": lambda pipe, key: pipe.zrange(key, 0, -1, withscores=True),
    "stream": lambda pipe, key: pipe.xrange(key),
}


def dump(client: sync_redis.Redis) -> Dump:
    """All keys of the namespace: type, value, and whether it has an end."""
    keys = sorted(client.scan_iter(f"*{NAMESPACE}:*", count=10_000))
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.type(key)
    kinds = [kind.decode() for kind in pipe.execute()]
    for key, kind in zip(keys, kinds, strict=True):
        _READ[kind](pipe, key)
        pipe.pttl(key)
    found = pipe.execute()
    return {
        key: (kind, found[2 * n], found[2 * n + 1] > 0) for n, (key, kind) in enumerate(zip(keys, kinds, strict=True))
    }


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
            for id_, fields in value:
                client.xadd(key, fields, id=id_)


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

    def note(self, name: str, keys: list[Any], args: list[Any]) -> None:
        if name in ELSEWHERE:
            return
        shape: tuple = (name,)
        if name == "finish":
            shape = (name, args[16], *(min(int(n), 1) for n in args[24:29]), len(keys) > 20)
        if name in ("drain", "release", "permit", "turn", "token_get", "last_word"):
            shape = (name, len(keys))
        # The last one of a shape: by then there is the most to be broken.
        self.samples[shape] = Sample(name, [*keys], [*args], dump(self.client))


class Dies(FakeFactus):
    """Ends creates as the references ask for."""

    async def create(self, job, *, latest_ms):
        if job.reference_code == "down" and self.calls["create"] < 3:
            self._note("create")
            return s.NotSent("sin conexión")
        if job.reference_code == "family" and not self.calls["blocked"]:
            self._note("blocked")
            return s.Denied("product", "no")
        return await super().create(job, latest_ms=latest_ms)


async def record() -> list[Sample]:
    server = fakeredis.FakeServer()
    recorder = Recorder(fakeredis.FakeStrictRedis(server=server))
    fake = fakeredis.FakeAsyncRedis(server=server)
    redis = ArqRedis(pool_or_conn=fake.connection_pool)
    run = Scripts.run

    async def noting(self, name, keys, args):
        recorder.note(name, list(keys), args)
        return await run(self, name, keys, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scripts, "run", noting)
        patch.setattr("jobs.deciding.ACCOUNT_PAUSE_S", 0.05)
        factus = Dies(gate=asyncio.Event())
        built = services_on(redis, NAMESPACE, gateway=factus)
        keys = built.keys
        async with running(built) as rig:
            await rig.push_bill("A", id="one", options={"archive": ["pdf"]}, batch="b", batch_size=3)
            await rig.push_bill("A", id="two", options={"archive": ["pdf"]}, batch="b")
            await rig.push_bill("waits", id="three", batch="b")
            await rig.push_bill("late", id="four", issue_on="2020-01-01", batch="b")
            await rig.taken_in()
            mark = SendMark(keys.job("acme", "one"), 1, 0)
            limit = RateLimit(built.ledger._scripts, keys, an_account())
            await limit.acquire(patience_s=0, mark=mark)
            await limit.acquire(patience_s=0)
            await limit.correct(5)
            await limit.throttled(0.01)
            patch.setattr("worker.sweep.LOST_AFTER_MS", 0)
            await built.sweep.sweep()
            arq_id = f"{NAMESPACE}:acme:one:1"
            record = await built.ledger.job("acme", "one")
            await built.arq._release(arq_id, SetAside(Taken(arq_id, record, Standing()), 0.0, 1))
            await built.arq._release(arq_id)
            await built.arq._renew()
            factus.gate.set()
            await rig.rest()
            factus.script = [s.RulesRefused((Remark("Regla: X, Rechazo: x", "X"),))]
            await rig.push_bill("rejected")
            await rig.push_bill("down")
            await rig.push_bill("family")
            await rig.push({"type": "invoice.delete", "account": "acme", "payload": {"reference_code": "waits"}})
            await rig.rest()
        factus.documents["B"] = factus.documents["A"]
        tokens = TokenCache(Scripts(redis), keys, "acme", "w1")

        async def issue():
            return Issued("token", 3600)

        await tokens.get(issue)
        await last_words(redis, factus)
    await redis.aclose()
    return list(recorder.samples.values())


async def last_words(redis: ArqRedis, factus: FakeFactus) -> None:
    """An end that finish.lua refuses, and a dead letter that is pushed again."""
    built = services_on(redis, NAMESPACE, gateway=factus)
    taker = built.ledger
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
    sound = built.runner.ledger._finish

    async def refuse(taken, end, page, follow_ups):
        if end[0] == "final" and taken.job.id == "last":
            await taker.last_word(taken, final_of(taken), page)
            return 0
        return await sound(taken, end, page, follow_ups)

    def final_of(taken):
        return Final("validated", "ok", data={}, number="SETP1")

    taker._finish = refuse
    factus.gate.set()
    while await redis.zcard(built.keys.ended_due()) or not await redis.exists(built.keys.dead()):
        await asyncio.sleep(0)
    while await redis.zcard(built.keys.deadlines()):
        await asyncio.sleep(0)
    stopping.set()
    await task
    ((letter, _),) = await redis.xrange(built.keys.dead(), count=1)
    document = built.keys.document("acme", "invoice", "gone")
    names = [built.keys.dead(), built.keys.jobs(), built.keys.job("acme", "new"), document]
    await built.ledger._scripts.run("retry_letter", names, [letter, "{}", "old", 1000])


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return asyncio.run(record())


@pytest.fixture(params=["fake", "valkey"])
def client(request):
    if request.param == "fake":
        yield fakeredis.FakeStrictRedis(server=fakeredis.FakeServer())
        return
    found = sync_redis.Redis.from_url(request.getfixturevalue("valkey_url"))
    yield found
    for key in found.scan_iter(f"*{NAMESPACE}:*"):
        found.delete(key)
    found.close()


def test_every_script_was_recorded(samples):
    assert {sample.name for sample in samples} == EVERY - LIBRARIES - ELSEWHERE


def fill(client: sync_redis.Redis, before: Dump) -> None:
    pipe = client.pipeline(transaction=True)  # one write to the disk
    for key in client.scan_iter(f"*{NAMESPACE}:*", count=10_000):
        pipe.delete(key)
    for key, (kind, value, _) in before.items():
        if value or kind == "string":
            restore(pipe, key, kind, value)
    pipe.execute()


def attempt(client: sync_redis.Redis, sample: Sample, key: bytes, kind: str, value: Any) -> Exception | None:
    """Run it with another value under a key. With an error nothing may have changed; the key is mended."""
    restore(client, key, kind, value)
    before = dump(client)
    found = None
    try:
        client.eval(source(sample.name), len(sample.keys), *sample.keys, *sample.args)
    except sync_redis.ResponseError as exc:
        found = exc
    if found is None:
        fill(client, sample.before)
        return None
    assert dump(client) == before, f"{sample.name} failed after its first write: {found}"
    kind, value, _ = sample.before.get(key, ("string", b"", False))
    client.delete(key)
    if key in sample.before:
        restore(client, key, kind, value)
    return found


def wrong_for(kind: str) -> tuple[str, Any]:
    return ("list", [b"x", b"y"]) if kind != "list" else ("hash", {b"wrong": b"1"})


def test_a_key_of_a_wrong_type_is_an_error_before_the_first_write(samples, client):
    """Told with the key's name, or it does not matter to the script at all."""
    n_told = 0
    for sample in samples:
        fill(client, sample.before)
        named = {key.encode() if isinstance(key, str) else key for key in sample.keys}
        for key in sorted(named | {key for key in sample.before if b":acme" in key or b":batch:" in key}):
            exc = attempt(client, sample, key, *wrong_for(sample.before.get(key, ("",))[0]))
            if exc:
                n_told += 1
                assert redis_word(exc) == "WRONGTYPE", (sample.name, key, exc)
                assert sample.name in ("lead", "resign", "note") or redis_key(exc), (sample.name, key, exc)
    assert n_told > 80


def test_no_number_that_is_none_is_an_error(samples, client):
    for sample in samples:
        fill(client, sample.before)
        for key, (kind, value, _) in sample.before.items():
            if kind == "hash" and b":worker:" not in key:
                spoilt = [{**value, name: one} for name in value for one in garbage_for(value[name])]
            elif kind == "list":
                spoilt = [[one, *value[1:]] for one in GARBAGE if one]
            else:
                continue
            for one in spoilt:
                exc = attempt(client, sample, key, kind, one)
                assert exc is None, (sample.name, key, one, exc)


def garbage_for(value: bytes) -> tuple[bytes, ...]:
    return GARBAGE if value.isdigit() else ()
