"""
Ten faults on one running set, planted one after the other: for each the operator reads in ``status`` and in ``doctor``
what it is and what to do (docs/operations.md, "Ten faults").

Each fault is a function that plants it, and takes it away again when its block ends. ``EYES`` are the places in which a
fault has to be seen: the page and the metrics go there, each as a function from the set to the text that it shows, with
what a fault has to say there in a column of ``Fault``.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import redis
from arq.connections import ArqRedis
from click.testing import CliRunner
from structlog.testing import capture_logs

from jobs import answers
from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from schemas.factus import DocumentView
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from tests.service_processes import until
from worker.cli.group import cli
from worker.store import connection, embedded_binary

NAMESPACE: Final = "factus"
SIX_MIN_MS, TWELVE_MIN_MS = 360_000, 720_000
LONG: Final = {"backoff_base": 200.0, "backoff_max": 300.0}
ACCOUNTS: Final = ("dead", "readonly", "full", "password", "payment", "foreign", "dian", "lagging", "webhook", "range")
"""An account for each fault: what one has met says nothing of the next."""


@dataclass(frozen=True)
class RunningSet:
    """The set, and the server under it."""

    service: ServiceInProcess
    factus: FakeFactus
    redis: ArqRedis
    admin: redis.Redis
    process: subprocess.Popen[bytes]
    folder: Path
    factus_url: str

    @property
    def keys(self) -> Any:
        return self.service.services.keys

    async def held(self, place: str, field: str = "held_since") -> None:
        async with asyncio.timeout(60):
            while not await self.redis.hget(place, field):
                await self.redis.ping()

    async def ago(self, place: str, *fields: str, ms: int = SIX_MIN_MS) -> None:
        for field in fields:
            await self.redis.hincrby(place, field, -ms)


Plant = Callable[[RunningSet], AbstractAsyncContextManager[None]]


# -- the faults --------------------------------------------------------------------------------------------------------
@asynccontextmanager
async def worker_dead(at: RunningSet) -> AsyncIterator[None]:
    """Nobody gives a sign of life any more. The last one: the set does not get up again."""
    await at.service.stop()
    yield


@asynccontextmanager
async def redis_read_only(at: RunningSet) -> AsyncIterator[None]:
    at.admin.replicaof("127.0.0.1", "1")
    try:
        yield
    finally:
        at.admin.replicaof("NO", "ONE")


@asynccontextmanager
async def disk_full(at: RunningSet) -> AsyncIterator[None]:
    """The log may grow no further: the kernel refuses the write, as on a full disk."""
    size = max(path.stat().st_size for path in (at.folder / "appendonlydir").iterdir())
    soft_and_hard = (size, resource.RLIM_INFINITY)
    resource.prlimit(at.process.pid, resource.RLIMIT_FSIZE, soft_and_hard)
    try:
        async with asyncio.timeout(60):
            while at.admin.info("persistence")["aof_last_write_status"] == "ok":
                try:
                    at.admin.set("some", "x" * 100)
                except redis.ResponseError:
                    pass
                await asyncio.sleep(0)
        yield
    finally:
        resource.prlimit(at.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        async with asyncio.timeout(60):
            while at.admin.info("persistence")["aof_last_write_status"] != "ok":
                await asyncio.sleep(0)


@asynccontextmanager
async def answered(at: RunningSet, account: str, *script: answers.Answer) -> AsyncIterator[None]:
    """Factus answers a document so, and the account or its lane is held."""
    at.factus.script.extend(script)
    await at.service.push_bill(f"{account}-0001", account=account)
    try:
        yield
    finally:
        at.factus.script.clear()
        at.factus.blocker = answers.Absent()
        await typed("resume", account)
        while (await at.service.events(1))[0]["type"] != "invoice.validated":
            continue


@asynccontextmanager
async def wrong_password(at: RunningSet) -> AsyncIterator[None]:
    async with answered(at, "password", answers.CredentialsRefused("invalid_grant")):
        await at.held(at.keys.account("password"))
        yield


@asynccontextmanager
async def payment(at: RunningSet) -> AsyncIterator[None]:
    async with answered(at, "payment", answers.PaymentRequired("sin saldo")):
        await at.held(at.keys.account("payment"))
        yield


@asynccontextmanager
async def foreign_document(at: RunningSet) -> AsyncIterator[None]:
    """Somebody else's document, for twelve minutes: it has been told."""
    foreign = {"reference_code": "POS-77", "number": "SETP1", "is_validated": False}
    at.factus.blocker = answers.DocumentSeen(DocumentView(foreign))
    lane = at.keys.lane("foreign/invoice")
    async with answered(at, "foreign", *[answers.Conflicted("409")] * 9):
        await at.held(lane)
        await at.ago(lane, "held_since", "conflict_since", ms=TWELVE_MIN_MS)
        await at.redis.hset(lane, "hold_until", "0")
        await at.service.look("foreign/invoice")
        await at.held(at.keys.account("foreign"), "blocked:invoice")
        yield


@asynccontextmanager
async def dian_silent(at: RunningSet) -> AsyncIterator[None]:
    lane = at.keys.lane("dian/invoice")
    async with answered(at, "dian", answers.Acknowledged()):
        await at.held(lane)
        await at.ago(lane, "held_since")
        yield


@asynccontextmanager
async def consumer_lags(at: RunningSet) -> AsyncIterator[None]:
    """Its group has read nothing of a stream that is cut."""
    stream = at.keys.results()
    await at.redis.xgroup_create(stream, "erp", id="0", mkstream=True)
    for _ in range(3):
        await at.redis.xadd(stream, {"event": "{}"})
    await at.redis.xtrim(stream, maxlen=1, approximate=False)
    try:
        yield
    finally:
        await at.redis.xgroup_destroy(stream, "erp")


@asynccontextmanager
async def endpoint_dead(at: RunningSet) -> AsyncIterator[None]:
    """As its process keeps an endpoint that answers 503 since six minutes."""
    now_ms = int((await at.redis.time())[0]) * 1000
    await at.redis.zadd(at.keys.hooks_seen(), {"tienda": now_ms})
    await at.redis.zadd(at.keys.hook_processes(), {"h-1-1": now_ms + 600_000})
    since = {"failing_since": str(now_ms - SIX_MIN_MS), "last_status": "503"}
    await at.redis.hset(at.keys.hook("tienda"), mapping=since)
    await at.redis.zadd(at.keys.hook("tienda", "order"), {"m1": 1})
    try:
        yield
    finally:
        endpoint = (at.keys.hook("tienda"), at.keys.hook("tienda", "order"))
        await at.redis.delete(at.keys.hooks_seen(), at.keys.hook_processes(), *endpoint)


@asynccontextmanager
async def range_at_its_end(at: RunningSet) -> AsyncIterator[None]:
    """Twenty numbers are left."""
    async with httpx.AsyncClient(base_url=at.factus_url, headers={"User-Agent": "a-person/1"}) as person:
        form = {"grant_type": "password", "client_id": "c", "client_secret": "s", "username": "u@x", "password": "p"}
        token = (await person.post("/oauth/token", data=form)).json()["access_token"]
        person.headers["Authorization"] = f"Bearer {token}"
        (bills,) = [
            one for one in (await person.get("/v2/numbering-ranges")).json()["data"]["data"] if one["id"] == 389
        ]
        moved = await person.patch("/v2/numbering-ranges/389/current", json={"current": bills["to"] - 19})
        assert moved.status_code == 200
        yield


# -- what has to be said -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Fault:
    """
    One fault: who plants it, and what each eye has to say: words of the cause, and of the mend. ``check`` is the id of
    ``doctor``; ``problem`` that of the list, None where only Factus knows of it.
    """

    plant: Plant
    check: str
    problem: str | None
    cause: str
    mend: str
    calls: bool = False
    account: str = ""


FAULTS: Final = {
    "Redis read-only": Fault(
        redis_read_only, "redis.replicas", "redis.writes", "es una réplica", "apunte FACTUS_REDIS_URL al primario"
    ),
    "disk full": Fault(disk_full, "redis.persistence", "redis.writes", "MISCONF", "haga lugar"),
    "wrong password": Fault(
        wrong_password, "accounts", "account.held", "rechaza las credenciales", "corrija usuario, clave",
        account="password",
    ),
    "402": Fault(payment, "accounts", "account.held", "exige un pago", "renueve el plan", account="payment"),
    "foreign document": Fault(
        foreign_document, "accounts", "lane.held", "POS-77", "valide o elimine", account="foreign"
    ),
    "DIAN silent": Fault(
        dian_silent, "accounts", "lane.held", "la DIAN no ha respondido", "no lo elimine", account="dian"
    ),
    "consumer lags": Fault(consumer_lags, "intake", "group.lost", "grupo erp", "inicie el consumidor"),
    "endpoint dead": Fault(
        endpoint_dead, "webhooks", "webhook.failing", "responde 503 (1 entrega espera)", "webhooks test tienda"
    ),
    "range at its end": Fault(
        range_at_its_end, "factus.ranges", None, "le quedan 20 de", "autorización de numeración", calls=True,
        account="range",
    ),
    "worker dead": Fault(
        worker_dead, "workers", "workers.none", "ningún trabajador está en marcha", "factus-worker run"
    ),
}  # fmt: skip


async def typed(*arguments: str) -> tuple[int, str]:
    """A command beside the loop of the set."""
    done = await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


async def in_status(fault: Fault) -> None:
    if fault.problem is None:
        return  # what only Factus knows is no matter of a command that asks Redis alone
    code, lines = await typed("status")
    assert code == 1
    assert fault.cause in lines
    assert fault.mend in lines
    _, found = await typed("status", "--json")
    told = [one for one in json.loads(found)["problems"] if one["id"] == fault.problem]
    assert any(fault.cause in f"{one['message']} {one['mend']}" and fault.mend in one["mend"] for one in told), told


async def told_by_status() -> set[str]:
    """The ids of the problems."""
    _, found = await typed("status", "--json")
    return {one["id"] for one in json.loads(found)["problems"]}


async def in_doctor(fault: Fault) -> None:
    options = [*(["--calls"] if fault.calls else []), *(["--account", fault.account] if fault.account else [])]
    _, found = await typed("doctor", "--json", *options)
    checks = [one for one in json.loads(found)["checks"] if one["id"] == fault.check]
    told = [one for one in checks if one["status"] in ("warning", "failure")]
    assert any(fault.cause in f"{one['found']} {one['mend']}" and fault.mend in (one["mend"] or "") for one in told), (
        checks
    )


EYES: Final[dict[str, Callable[[Fault], Awaitable[None]]]] = {"status": in_status, "doctor": in_doctor}
"""Where a fault has to be seen. The page of ``serve`` and the metrics stand beside these two."""


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """What the service logs would stand between the lines of the commands."""
    with capture_logs():
        yield


# -- the running set ---------------------------------------------------------------------------------------------------
@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis, Path]]:
    """
    A server whose log may be stopped from growing. It leaves the signal of that limit alone, as it inherits, and does
    not end of a failing write: with ``appendfsync always`` it would (the fault is then "Redis does not answer").
    """
    folder = tmp_path / "server"
    folder.mkdir()
    options = ["--port", "0", "--dir", folder, "--unixsocket", folder / "s", "--appendonly", "yes", "--logfile", "log"]
    options += ["--appendfsync", "everysec", "--save", "", "--auto-aof-rewrite-percentage", "0"]
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    process = subprocess.Popen([embedded_binary.find_binary(), *options], restore_signals=False)
    first = redis.Redis(unix_socket_path=str(folder / "s"))

    def answers_now() -> bool:
        try:
            return bool(first.ping())
        except redis.ConnectionError:
            return False

    until(answers_now, timeout_s=30)
    first.execute_command("ACL", "SETUSER", "root", "on", ">root", "+@all", "~*", "&*")
    first.close()
    path = str(folder / "s")
    with redis.Redis(unix_socket_path=path, username="root", password="root", decode_responses=True) as admin:
        yield process, admin, folder
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture
async def running_set(
    server: tuple[subprocess.Popen[bytes], redis.Redis, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[RunningSet]:
    process, admin, folder = server
    url = f"unix://{folder}/s"
    monkeypatch.chdir(tmp_path)
    for name in ("FACTUS_LANG", "FACTUS_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FACTUS_REDIS_URL", url)
    monkeypatch.setenv("FACTUS_ARCHIVE_URL", f"file:{tmp_path}/archive")
    sandbox = SandboxConfig()
    async with serve(sandbox) as factus_url:
        file = tmp_path / "accounts.toml"
        login = 'client_id = "c"\nclient_secret = "s"\nusername = "u@x"\npassword = "p"\n'
        file.write_text("".join(f'[accounts.{name}]\n{login}base_url = "{factus_url}"\n' for name in ACCOUNTS))
        file.chmod(0o600)
        monkeypatch.setenv("FACTUS_ACCOUNTS_FILE", str(file))
        client, factus = connection.connect(url), FakeFactus()
        made = services_on(client, NAMESPACE, *map(an_account, ACCOUNTS), gateway=factus, **LONG)
        async with running(made) as service:
            while not await client.exists(made.keys.workers()):
                await client.ping()
            yield RunningSet(service, factus, client, admin, process, folder, factus_url)
        await connection.close(client)


async def test_each_of_ten_faults_is_told_with_the_mend(running_set: RunningSet) -> None:
    """One set for all of them, which has to be well again after each."""
    for name, fault in FAULTS.items():
        async with fault.plant(running_set):
            for eye, look in EYES.items():
                try:
                    await look(fault)
                except AssertionError as exc:
                    raise AssertionError(f"{name}, in {eye}: {exc}") from exc
        if fault.plant is worker_dead:
            break
        while not await running_set.redis.exists(running_set.keys.worker(running_set.service.services.worker_id)):
            await running_set.redis.ping()
        # Failures of its loops while Redis refused stay counted until the worker starts anew.
        assert await told_by_status() <= {"worker.failures"}, f"after {name}"
