"""Signed jobs on the whole way: who may push what, what a denied job costs, and that tokens leave no trace."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from arq.connections import ArqRedis
from structlog.testing import capture_logs

from jobs.errors import ConfigurationError
from jobs.rights.denial import DENIED_MESSAGE
from schemas.records import JobRecord
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.patience import PATIENCE_S
from tests.service_in_process import ServiceInProcess, an_account, quick, running, services_on
from tests.tokens import PRIVATE, PUBLIC, SECRET, claims, header, key_set, token
from worker.bootstrap import Services, services
from worker.cli.dead.letters import DeadLetters, Pushed, Wanted
from worker.metrics.endpoint import Endpoint
from worker.metrics.reader import ScrapeReader
from worker.rights.signatures import new_key
from worker.settings.model import Settings

NOW_S = int(time.time())


def signed(namespace: str, jwk: Any = PRIVATE, head: Any = None, **changed: Any) -> str:
    """A token that is good now; the claims of *changed* are other ones."""
    good = {"iat": NOW_S - 100, "exp": NOW_S + 3600, "aud": namespace}
    return token(jwk, claims(**{**good, **changed}), head)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(PUBLIC, SECRET))
    return path


@pytest.fixture
def revoked_file(tmp_path: Path) -> Path:
    path = tmp_path / "revoked.json"
    path.write_text("{}")
    return path


@pytest.fixture
def built(redis: ArqRedis, namespace: str, factus: FakeFactus, keys_file: Path, revoked_file: Path) -> Services:
    accounts = [an_account(), an_account("other"), an_account("own", own_streams=True)]
    return services_on(
        redis, namespace, *accounts, gateway=factus, policies=quick(trust_look_s=0.02), jobs_signed=True,
        jobs_keys=keys_file, jobs_revoked=revoked_file,
    )  # fmt: skip


@pytest.fixture
async def rig(built: Services) -> AsyncIterator[ServiceInProcess]:
    async with running(built) as found:
        yield found


def a_job(reference: str = "A", **envelope: Any) -> dict[str, Any]:
    job = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code=reference), **envelope}
    return {name: value for name, value in job.items() if value is not None}


async def push_beside(rig: ServiceInProcess, job: dict[str, Any] | bytes, *tokens: str) -> bytes:
    """Push with tokens in fields of the entry; returns the bytes of the job."""
    raw = job if isinstance(job, bytes) else json.dumps(job).encode()
    fields: list[Any] = [part for one in tokens for part in ("token", one)]
    await rig.services.redis.execute_command("XADD", rig.services.keys.jobs(), "*", *fields, "job", raw)
    return raw


async def everything(redis: ArqRedis, namespace: str) -> bytes:
    """All that stands in Redis, names and values."""
    found: list[bytes] = []
    async for key in redis.scan_iter(match=f"{namespace}:*"):
        found.append(key)
        match await redis.type(key):
            case b"string":
                found.append(await redis.get(key))
            case b"hash":
                found += [part for pair in (await redis.hgetall(key)).items() for part in pair]
            case b"list":
                found += await redis.lrange(key, 0, -1)
            case b"set":
                found += await redis.smembers(key)
            case b"zset":
                found += await redis.zrange(key, 0, -1)
            case b"stream":
                for _, fields in await redis.xrange(key):
                    found += [part for pair in fields.items() for part in pair]
    return b"\n".join(found)


# -- accepted ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("jwk", [PRIVATE, SECRET])
async def test_a_token_in_the_envelope_or_beside_it(rig, namespace, jwk):
    good = signed(namespace, jwk)
    await rig.push(a_job("A", token=good))
    await push_beside(rig, a_job("B"), good)
    assert {event["type"] for event in await rig.events(2)} == {"invoice.validated"}


async def test_many_together_are_read_and_judged_one_by_one(rig, namespace):
    """More than the wait brings at once: the script reads them."""
    good, bad = signed(namespace), signed(namespace, accounts=["other"])
    for n in range(30):
        await push_beside(rig, a_job(f"R-{n}", id=f"j{n}"), bad if n % 3 == 0 else good)
    events = {event["job_id"]: event["type"] for event in await rig.events(30)}
    assert events == {f"j{n}": "job.refused" if n % 3 == 0 else "invoice.validated" for n in range(30)}


async def test_bound_to_its_job(rig, namespace):
    job = a_job("A", id="one")
    bound = signed(namespace, job_sha256=hashlib.sha256(json.dumps(job).encode()).hexdigest())
    await push_beside(rig, job, bound)
    await push_beside(rig, a_job("B", id="two"), bound)
    events = {event["job_id"]: event["type"] for event in await rig.events(2)}
    assert events == {"one": "invoice.validated", "two": "job.refused"}


async def test_an_account_that_is_left_out_has_to_be_granted_too(redis, namespace, factus, keys_file):
    only = services_on(redis, namespace, an_account(), gateway=factus, jobs_signed=True, jobs_keys=keys_file)
    async with running(only) as rig:
        await rig.push(a_job("A", account=None, token=signed(namespace, accounts=["other"])))
        await rig.push(a_job("B", account=None, token=signed(namespace)))
        assert [event["type"] for event in await rig.events(2)] == ["job.refused", "invoice.validated"]


# -- denied ------------------------------------------------------------------------------------------------------------
def _denied_jobs(namespace: str) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Jobs and the tokens beside them, by why they are denied."""
    good = signed(namespace)
    stranger = new_key("ed-1", "EdDSA")
    return {
        "missing": (a_job(), []),
        "null": (a_job(token=None), []),
        "empty": (a_job(token=""), []),
        "no text": (a_job(token={"alg": "none"}), []),
        "no token": (a_job(token="x"), []),
        "two beside": (a_job(), [good, good]),
        "beside and within": (a_job(token=good), [good]),
        "forged": (a_job(token=signed(namespace, stranger)), []),
        "forged beside": (a_job(), [signed(namespace, stranger)]),
        "no ascii beside": (a_job(), [good + "é"]),
        "too long beside": (a_job(), [good + "A" * 9000]),
        "unknown key": (a_job(token=signed(namespace, head=header(PRIVATE, kid="k"))), []),
        "expired": (a_job(token=signed(namespace, exp=NOW_S - 3600)), []),
        "algorithm": (a_job(token=signed(namespace, SECRET, header(SECRET, alg="EdDSA"))), []),
        "none": (a_job(token=signed(namespace, head=header(PRIVATE, alg="none"))), []),
        "another service": (a_job(token=signed(namespace, aud=f"{namespace}:door")), []),
        "another account": (a_job(token=signed(namespace, accounts=["other"])), []),
        "another type": (a_job(token=signed(namespace, types=["invoice.get"])), []),
        "a cancellation": (
            {"type": "job.cancel", "account": "acme", "payload": {"batch": "L"}, "token": good}, []
        ),
        "an unknown type": (a_job(type="payroll.isue", token=good), []),
        "an unknown account": (a_job(account="nobody", token=good), []),
        "too many fields": (a_job(token="x", **{f"k{n}": 1 for n in range(200)}), []),
        "another job": (a_job(), [signed(namespace, job_sha256="0" * 64)]),
    }  # fmt: skip


async def test_all_are_denied_with_the_same_words(rig, namespace):
    jobs = _denied_jobs(namespace)
    with capture_logs() as logs:
        for job, beside in jobs.values():
            await push_beside(rig, job, *beside)
        events = await rig.events(len(jobs))
    told = {json.dumps([event["type"], event["message"], event["errors"], event["data"]]) for event in events}
    assert len(told) == 1, told
    (error,) = events[0]["errors"]
    assert (error["code"], error["message"]) == ("auth.denied", DENIED_MESSAGE)
    checks = [line["check"] for line in logs if line["event"] == "envelope.refused"]
    assert checks == [
        "missing", "missing", "missing", "form", "form", "several", "several", "signature", "signature", "form",
        "size", "kid", "expired", "algorithm", "algorithm", "aud", "account_not_granted", "type_not_granted",
        "type_not_granted", "type_not_granted", "account_not_granted", "form", "job_sha256",
    ]  # fmt: skip
    assert {line["kid"] for line in logs if line["event"] == "envelope.refused"} == {"", "ed-1", "hs-1", "k"}


async def test_a_denied_job_costs_the_account_nothing(rig, built, namespace, factus):
    """No id, no reference, no batch, no size; and what comes after it with a good token is the first."""
    bad = signed(namespace, accounts=["other"])
    said = {"id": "one", "batch": "L", "batch_size": 2, "metadata": {"a": 1}}
    await rig.push(a_job("A", token=bad, **said))
    (denied,) = await rig.events(1)
    assert denied["errors"][0]["code"] == "auth.denied"
    assert not await built.redis.exists(built.keys.job("acme", "one"))
    assert not await built.redis.exists(built.keys.document("acme", "invoice", "A"))
    assert not await built.redis.exists(built.keys.batch("acme/L"))
    await rig.push(a_job("A", token=signed(namespace), **said))
    (validated,) = await rig.events(1)
    assert (validated["type"], validated["job_id"]) == ("invoice.validated", "one")
    assert denied["id"] != validated["id"]
    counts = await built.redis.hgetall(built.keys.batch("acme/L"))
    assert b"job.refused" not in b"".join(counts)


async def test_a_denied_job_joins_nothing_and_learns_nothing(rig, namespace):
    good, bad = signed(namespace), signed(namespace, accounts=["other"])
    await rig.push(a_job("A", id="one", token=good))
    (first,) = await rig.events(1)
    assert first["type"] == "invoice.validated"
    for job in (a_job("A"), a_job("A", id="one"), a_job("B", id="one"), a_job("A", id="two", payload={})):
        await rig.push({**job, "token": bad})
    told = await rig.events(4)
    assert {json.dumps([event["type"], event["message"], event["errors"], event["data"]]) for event in told} == {
        json.dumps(["job.refused", told[0]["message"], told[0]["errors"], None])
    }
    assert first["data"]["number"] not in json.dumps(told)


async def test_a_job_beyond_the_bounds_needs_a_token_as_well(rig, built, namespace):
    """Its id could be read, and would be used up."""
    good, bad = signed(namespace), signed(namespace, accounts=["other"])
    for n, one in enumerate((bad, good)):
        job = json.dumps({"id": "one", "type": "invoice.issue", "account": "acme", "token": one})
        await rig.push(job.replace("}", f', "payload": {{"a": 1, "a": {n}}}}}'))
    codes = [event["errors"][0]["code"] for event in await rig.events(2)]
    assert codes == ["auth.denied", "envelope.invalid"]
    await push_beside(rig, b'{"id": "two", "account": "acme", "type": "x", "payload": {"a": 1, "a": 2}}', bad)
    await push_beside(rig, b'{"id": "two", "account": "acme", "type": "invoice.x", "payload": {"a": 1, "a": 2}}', good)
    codes = [event["errors"][0]["code"] for event in await rig.events(2)]
    assert codes == ["auth.denied", "envelope.invalid"]


async def test_an_own_stream_still_names_no_other_account(rig, built, namespace):
    good = signed(namespace, accounts=["*"])
    keys = built.keys
    await rig.push(a_job("A", account="acme", token=good), stream=keys.jobs("own"))
    (event,) = await rig.events(1, stream=keys.results("own"))
    assert "pertenece a la cuenta own" in event["errors"][0]["message"]
    await rig.push(a_job("A", account="own", token=signed(namespace)), stream=keys.jobs("own"))
    (event,) = await rig.events(1, stream=keys.results("own"))
    assert event["errors"][0]["message"] == DENIED_MESSAGE


async def test_a_granted_account_that_is_not_served_is_told_as_such(rig, namespace):
    await rig.push(a_job("A", account="nobody", token=signed(namespace, accounts=["*"])))
    (event,) = await rig.events(1)
    assert event["errors"][0]["code"] == "account.unknown"


# -- keys and revocations ----------------------------------------------------------------------------------------------
async def _within_moments(rig: ServiceInProcess, job: dict[str, Any], wanted: str) -> None:
    """Push until the event is what is wanted: the files are looked at now and then."""
    ends_at, n = time.monotonic() + PATIENCE_S, 0
    while True:
        n += 1
        await rig.push({**job, "payload": a_bill(reference_code=f"{wanted}-{n}")})
        (event,) = await rig.events(1)
        if event["type"] == wanted:
            return
        assert time.monotonic() < ends_at
        await asyncio.sleep(0.02)


async def test_a_producer_that_is_revoked_is_refused_and_a_key_that_is_gone(rig, namespace, keys_file, revoked_file):
    job = a_job(token=signed(namespace))
    await _within_moments(rig, job, "invoice.validated")
    revoked_file.write_text(json.dumps({"producers": [{"iss": "erp", "before": NOW_S}]}))
    await _within_moments(rig, job, "job.refused")
    revoked_file.write_text("{}")
    await _within_moments(rig, job, "invoice.validated")
    keys_file.write_bytes(key_set(SECRET))
    await _within_moments(rig, job, "job.refused")
    await _within_moments(rig, a_job(token=signed(namespace, SECRET)), "invoice.validated")


async def test_the_service_goes_on_with_the_last_good_keys(rig, built, namespace, keys_file):
    keys_file.write_text("{")
    ends_at = time.monotonic() + PATIENCE_S
    while not built.trust.fault:
        assert time.monotonic() < ends_at
        await asyncio.sleep(0.01)
    await rig.push(a_job(token=signed(namespace)))
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"


@pytest.mark.parametrize("content", [None, b"{", b'{"keys": []}', key_set({**SECRET, "alg": "none"})])
async def test_bad_keys_stop_the_start(tmp_path: Path, content: bytes | None):
    path = tmp_path / "keys.json"
    if content is not None:
        path.write_bytes(content)
    given = dict.fromkeys(("client_id", "client_secret", "username", "password"), "x")
    settings = Settings(jobs_signed=True, jobs_keys=path, redis_url=f"embedded:{tmp_path}/data", **given)
    with pytest.raises(ConfigurationError, match="FACTUS_JOBS_KEYS"):
        async with services(settings):
            pass
    assert not (tmp_path / "data").exists(), "before a server is started for it"


async def test_signed_without_keys_stops_the_start():
    given = dict.fromkeys(("client_id", "client_secret", "username", "password"), "x")
    with pytest.raises(ConfigurationError, match="FACTUS_JOBS_SIGNED needs FACTUS_JOBS_KEYS"):
        async with services(Settings(jobs_signed=True, **given)):
            pass


# -- without signing ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", ["x", "x" * 9000, 7, {"a": 1}, None])
async def test_with_signing_off_a_token_is_ignored(redis, namespace, factus, given):
    async with running(services_on(redis, namespace, gateway=factus)) as rig:
        await push_beside(rig, {**a_job(), "token": given}, "y", "z" * 9000)
        (event,) = await rig.events(1)
        assert event["type"] == "invoice.validated"


# -- no trace ----------------------------------------------------------------------------------------------------------
async def test_tokens_leave_no_trace(rig, built, namespace, redis):
    """In no key, event, letter, log or metric: good ones, bad ones, and such as stand where none belongs."""
    good, bad = signed(namespace, jti="planted-good"), signed(namespace, accounts=["other"], jti="planted-bad")
    with capture_logs() as logs:
        await rig.push(a_job("A", token=good))
        await push_beside(rig, a_job("B"), good)
        await rig.push(a_job("C", token=bad))
        await push_beside(rig, a_job("D"), bad)
        await push_beside(rig, a_job("D2"), bad, good)
        await rig.push(a_job("E", token=good, payload={}))  # refused for its payload
        await rig.push(a_job("F", token=good, payload={"token": good}))
        await rig.push(a_job("G", Token=good, auth={"token": good}, token=good))
        await rig.push(json.dumps(a_job("H", token=good))[:-9])  # unreadable
        await rig.push(json.dumps(a_job("I", token=good)).encode("utf-16"))
        await push_beside(rig, b"not json, and " + good.encode(), good)
        await rig.push(json.dumps(a_job("J", token=good, filler="x" * 2_000_000)))
        await redis.execute_command("XADD", built.keys.jobs(), "*", "token", good, "other", "x")  # no job
        await redis.execute_command("XADD", built.keys.jobs(), "*", "job", "1", "job", "2", "token", good)
        await redis.execute_command("XADD", built.keys.jobs(), "*", "Job", json.dumps(a_job("K", token=good)))
        await rig.events(15)
    scrape = ScrapeReader(built.redis, built.keys, built.accounts, "test")
    shown = (await Endpoint(scrape, lambda: (built.figures, 0, 8)).metrics({})).body
    signatures = [one.rpartition(".")[2].encode() for one in (good, bad)]
    parts = [one.split(".")[1].encode() for one in (good, bad)]
    kept = await everything(redis, namespace)
    flat = kept.replace(b"\0", b"")
    assert b"invoice.validated" in kept
    assert not any(one in flat for one in (*signatures, *parts))
    assert not any(one in json.dumps(logs, default=str).encode() for one in (*signatures, *parts))
    assert b"planted" not in flat
    assert b"factus_jobs_total" in shown
    assert not any(one in shown for one in (*signatures, *parts, b"planted"))


# -- pushed again by the operator --------------------------------------------------------------------------------------
async def test_a_letter_is_pushed_again_without_a_token(rig, built, namespace):
    """The token is not kept; who may write the stream of repetitions is the operator's Redis user."""
    await rig.push(a_job("A", id="one", token=signed(namespace), issue_on="2020-01-01"))
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.failed"
    dead = DeadLetters(built.redis, built.keys, retention_ms=1000)
    (letter,) = [letter async for letter in dead.letters(Wanted())]
    pushed = await dead.retry(letter)
    assert isinstance(pushed, Pushed)
    (event,) = await rig.events(1)
    assert (event["type"], event["job_id"]) == ("invoice.validated", "one.r1")


async def test_the_operators_own_stream_is_the_only_one_without_tokens(rig, built):
    await built.redis.xadd(built.keys.retry(), {"job": json.dumps(a_job("A")), "owner": ""})
    (event,) = await rig.events(1)
    assert event["type"] == "invoice.validated"
    await built.redis.xadd(built.keys.jobs(), {"job": json.dumps(a_job("B")), "owner": ""})
    (event,) = await rig.events(1)
    assert event["errors"][0]["code"] == "auth.denied"


async def test_a_job_that_the_operator_pushed_and_that_is_refused_keeps_whose_it_was(rig, built):
    """Its letter can be pushed again, by the same way."""
    await built.redis.xadd(built.keys.retry(), {"job": json.dumps(a_job(account="own", payload={})), "owner": "own"})
    await rig.events(1, stream=built.keys.results("own"))
    dead = DeadLetters(built.redis, built.keys, retention_ms=1000)
    (letter,) = [letter async for letter in dead.letters(Wanted())]
    assert letter.stream == built.keys.jobs("own")


async def test_no_record_holds_a_token(rig, built, namespace):
    await rig.push(a_job("A", id="one", token=signed(namespace)))
    await rig.events(1)
    record = JobRecord.from_hash(dict(await built.redis.hgetall(built.keys.job("acme", "one"))))
    assert "eyJ" not in repr(record)
