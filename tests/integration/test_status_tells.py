"""
``status`` on a running set: for each trouble an operator finds, from it alone, the cause, since when, what holds, and
what to do about it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from jobs import answers
from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import read_rules
from schemas.factus import DocumentView
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from worker.cli.group import cli
from worker.status.problems import KINDS

Run = Callable[..., Any]
SIX_MIN_MS = 360_000
LONG = {"backoff_base": 200.0, "backoff_max": 300.0}


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """What the service logs meanwhile would stand between the lines of the commands."""
    with capture_logs():
        yield


@pytest.fixture
def run(valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command as an operator types it, beside the loop of the service."""
    for name in ("FACTUS_REDIS_URL", "FACTUS_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FACTUS_REDIS_URL", valkey_url)
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)

    async def typed(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))

    return typed


@asynccontextmanager
async def service(real_redis: Any, namespace: str, factus: FakeFactus) -> AsyncIterator[ServiceInProcess]:
    async with running(services_on(real_redis, namespace, gateway=factus, **LONG)) as rig:
        while not await real_redis.exists(rig.services.keys.workers()):
            await real_redis.ping()
        yield rig


async def held(rig: ServiceInProcess, place: str, field: str = "held_since") -> None:
    """Wait until an account or a lane is held."""
    while not await rig.services.redis.hget(place, field):
        await rig.services.redis.ping()


async def ago(rig: ServiceInProcess, place: str, *fields: str) -> None:
    """It has been so for six minutes."""
    redis = rig.services.redis
    for field in fields:
        await redis.hincrby(place, field, -SIX_MIN_MS)


# -- nobody works ------------------------------------------------------------------------------------------------------
async def push_without_worker(redis: Any, namespace: str, **envelope: Any) -> None:
    async with running(services_on(redis, namespace, gateway=FakeFactus(gate=asyncio.Event()))) as rig:
        await rig.push_bill("ACME-0001", **envelope)
        await rig.taken_in()
        rig.services.runner.gateways["acme"].gate.set()


async def test_no_worker_and_jobs_for_later(run: Run, real_redis: Any, namespace: str) -> None:
    await push_without_worker(real_redis, namespace, not_before="2026-12-31T00:00:00-05:00")
    found = await run("status")
    assert found.exit_code == 1
    assert "ningún trabajador está en marcha (1 trabajo abierto)" in found.output
    assert "factus-worker run" in found.output
    one = await run("status", "ACME-0001")
    assert one.exit_code == 1
    assert "ningún trabajador está en marcha" in one.output


async def test_no_worker_and_a_document_that_nobody_has_taken_in(run: Run, real_redis: Any, namespace: str) -> None:
    await real_redis.xadd(f"{namespace}:jobs", {"job": json.dumps({"payload": {"reference_code": "ACME-0001"}})})
    one = await run("status", "ACME-0001")
    assert one.exit_code == 1
    assert "Ningún trabajador está en marcha: inicie uno con factus-worker run" in one.output


async def test_no_worker_is_a_problem_with_nothing_to_do(run: Run) -> None:
    found = await run("status")
    assert (found.exit_code, "ningún trabajador está en marcha\n" in found.output) == (1, True)


# -- accounts ----------------------------------------------------------------------------------------------------------
ACCOUNT = {
    "wrong password": (
        answers.CredentialsRefused("The user credentials were incorrect."),
        "rechaza las credenciales",
        "corrija usuario",
    ),
    "402": (answers.PaymentRequired("sin saldo"), "exige un pago", "renueve el plan"),
    "403": (answers.Denied("version", "La versión no está habilitada"), "niega el acceso", "pida a Factus"),
    "wrong address": (answers.Misrouted(404, True), "la ruta de tokens no está", "FACTUS_BASE_URL"),
}


@pytest.mark.parametrize("kind", ACCOUNT)
async def test_what_only_a_person_mends_is_told_at_once(run: Run, real_redis: Any, namespace: str, kind: str) -> None:
    seen, cause, mend = ACCOUNT[kind]
    async with service(real_redis, namespace, FakeFactus(script=[seen])) as rig:
        await rig.push_bill("A")
        await held(rig, rig.services.keys.account("acme"))
        found, as_json = await run("status"), await run("status", "--json")
    assert found.exit_code == 1
    for words in ("cuenta acme", cause, mend, "factus-worker resume acme", "desde:", "lo detiene: A", "sigue:"):
        assert words in found.output, words
    (problem,) = json.loads(as_json.output)["problems"]
    assert (problem["id"], problem["subject"], problem["holder"]) == ("account.held", "acme", "A")
    assert None not in (problem["since"], problem["mend"], problem["next"], problem["next_at"])
    assert "no se sabe" in found.output or kind == "403", "nobody knows when such a backlog will be done"


async def test_factus_down_is_told_when_it_lasts(run: Run, real_redis: Any, namespace: str) -> None:
    factus = FakeFactus(script=[answers.NotSent("sin conexión")])
    async with service(real_redis, namespace, factus) as rig:
        place = rig.services.keys.account("acme")
        await rig.push_bill("A")
        await held(rig, place)
        assert (await run("status")).exit_code == 0, "a short outage is no matter of an operator"
        await ago(rig, place, "held_since")
        found = await run("status")
    assert found.exit_code == 1
    for words in ("Factus no responde", "sin conexión", "nada por ahora", "6 min"):
        assert words in found.output, words


async def test_a_call_of_one_type_that_is_denied_is_told(run: Run, real_redis: Any, namespace: str) -> None:
    factus = FakeFactus(replies={"GET /v2/companies": [answers.Denied("permission", "sin permiso")]})
    async with service(real_redis, namespace, factus) as rig:
        await rig.push({"type": "company.get", "account": "acme", "payload": {}})
        await held(rig, rig.services.keys.account("acme"), "blocked:company.get")
        found = await run("status")
    assert found.exit_code == 1
    assert "niega los trabajos company.get (403)" in found.output


SLOW_DOWN = {"on": "create", "times": 9, "effect": {"kind": "rate_limited", "retry_after": 60}}


async def test_a_429_is_told_as_what_it_is_and_is_no_problem(
    run: Run, real_redis: Any, namespace: str, tmp_path: Path
) -> None:
    """The lane that met it said that Factus does not answer."""
    file = tmp_path / "c.json"
    file.write_text(json.dumps(a_bill(reference_code="C")))
    async with serve(SandboxConfig(faults=read_rules({"rules": [SLOW_DOWN]}))) as url:
        made = services_on(real_redis, namespace, an_account(base_url=url), over_http=True, **LONG)
        async with running(made) as rig:
            await rig.push_bill("A")
            await rig.push_bill("B")
            await held(rig, rig.services.keys.account("acme"), "n_throttled")
            await held(rig, rig.services.keys.lane("acme/invoice"))
            found, one = await run("status"), await run("status", "B")
            waiting = await run("submit", "--wait", "--timeout", "8s", str(file))
    assert found.exit_code == 0, found.output
    assert "Factus pidió ir más despacio (429)" in found.output
    assert "Factus pidió ir más despacio (429)" in one.output
    assert "pausa: Factus pidió ir más despacio" in waiting.output
    for said in (found, one, waiting):
        assert "no responde" not in said.output


# -- lanes -------------------------------------------------------------------------------------------------------------
async def test_dian_silent_on_a_document_is_told_and_its_neighbours_name_it(
    run: Run, real_redis: Any, namespace: str
) -> None:
    async with service(real_redis, namespace, FakeFactus(script=[answers.Acknowledged()])) as rig:
        place = rig.services.keys.lane("acme/invoice")
        await rig.push_bill("PEND-0001")
        await held(rig, place)
        await rig.push_bill("PEND-0002")
        await rig.push({"type": "catalog.search", "account": "acme", "payload": {"catalog": "taxes"}})
        while await real_redis.zcard(rig.services.keys.waiting("acme/invoice")) != 2:
            await real_redis.ping()
        assert (await run("status")).exit_code == 0
        await ago(rig, place, "held_since")
        found, one = await run("status"), await run("status", "PEND-0002")
    assert found.exit_code == 1
    for words in ("carril acme/invoice detenido", "la DIAN no ha respondido", "lo detiene: PEND-0001", "no lo elimine"):
        assert words in found.output, words
    assert one.exit_code == 0
    for words in ("PEND-0001", "la DIAN no ha respondido", "desde 20", "se intenta otra vez"):
        assert words in one.output, words


async def test_a_foreign_document_is_named_to_all_that_wait_behind_it(
    run: Run, real_redis: Any, namespace: str
) -> None:
    foreign = {"reference_code": "POS-EXTERNO-77", "number": "SETP1", "is_validated": False}
    factus = FakeFactus(script=[answers.Conflicted("409")] * 9, blocker=answers.DocumentSeen(DocumentView(foreign)))
    async with service(real_redis, namespace, factus) as rig:
        redis, keys = rig.services.redis, rig.services.keys
        place = keys.lane("acme/invoice")
        for name in ("FOR-0001", "FOR-0002", "FOR-0003", "FOR-0004"):
            await rig.push_bill(name)
        await held(rig, place)
        for _ in range(2):  # eleven minutes later, and asked again
            await ago(rig, place, "held_since", "conflict_since")
        await redis.hset(place, "hold_until", 0)
        n_asked = factus.calls["create"]
        await rig.look("acme/invoice")
        await factus.called("find_unvalidated", 1)
        await held(rig, keys.account("acme"), "blocked:invoice")
        assert factus.calls["create"] > n_asked
        (blocked,) = await rig.events(1)
        found, last = await run("status"), await run("status", "FOR-0004")
    assert blocked["type"] == "account.blocked"
    assert blocked["data"]["since"] < blocked["time"][:19], "since when it is blocked, not since it is told"
    assert "factus-worker resume acme" in blocked["data"]["mend"]
    assert found.exit_code == 1
    for words in (
        "carril acme/invoice detenido",
        "POS-EXTERNO-77",
        "lo detiene: FOR-0001",
        "valide o elimine",
        "12 min",
    ):
        assert words in found.output, words
    for words in ("POS-EXTERNO-77", "FOR-0001", "valide o elimine"):
        assert words in last.output, words


async def test_an_end_of_the_trouble_ends_the_problem(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, FakeFactus(script=[answers.CredentialsRefused("no")])) as rig:
        await rig.push_bill("A")
        await held(rig, rig.services.keys.account("acme"))
        assert (await run("status")).exit_code == 1
        assert (await run("resume", "acme")).exit_code == 0
        while (await rig.events(1))[0]["type"] != "invoice.validated":
            continue
        found = await run("status")
    assert (found.exit_code, "Todo en orden." in found.output) == (0, True), found.output


# -- what else an operator has to know ---------------------------------------------------------------------------------
async def test_a_refused_job_is_no_problem_and_a_failed_one_that_an_operator_must_see_is(
    run: Run, real_redis: Any, namespace: str
) -> None:
    async with service(real_redis, namespace, FakeFactus()) as rig:
        await rig.push({"type": "invoice.issue", "account": "acme", "payload": {"nada": 1}})
        await rig.events(1)
        found = await run("status")
        assert found.exit_code == 0, found.output
        assert "1 los corrige quien los envió" in found.output
        for code in ("internal", "factus.unavailable"):
            await rig.services.redis.xadd(rig.services.keys.dead(), {"reason": code, "raw": "{}"})
        found = await run("status")
    assert found.exit_code == 1
    for words in ("2 trabajos apartados que un operador debe mirar", "1 internal", "1 factus.unavailable"):
        assert words in found.output, words


async def test_entries_that_a_dead_consumer_holds_are_told(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, FakeFactus()) as rig:
        await rig.push_bill("A")
        await rig.events(1)
        redis, stream = rig.services.redis, rig.services.keys.results()
        await redis.xgroup_create(stream, "erp", id="0")
        ((_, ((entry, _),)),) = await redis.xreadgroup("erp", "till-1", {stream: ">"})
        assert (await run("status")).exit_code == 0
        await redis.xclaim(stream, "erp", "till-1", 0, [entry], idle=3_700_000)
        found = await run("status")
    assert found.exit_code == 1
    assert "1 entradas entregadas hace más de una hora y sin confirmar" in found.output
    assert "XAUTOCLAIM" in found.output


async def test_workers_that_know_different_accounts_are_told(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, FakeFactus()) as rig:
        keys, redis = rig.services.keys, rig.services.redis
        now = int((await redis.time())[0]) * 1000
        await redis.zadd(keys.workers(), {"w3": now})
        await redis.hset(keys.worker("w3"), mapping={"pid": 1, "accounts": "acme,delta"})
        found = await run("status")
    assert found.exit_code == 1
    assert "conocen cuentas distintas" in found.output
    assert "w3: acme, delta" in found.output


async def test_redis_down_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTUS_REDIS_URL", "redis://127.0.0.1:1/0")
    found = await run("status")
    assert found.exit_code == 1
    assert "Revise FACTUS_REDIS_URL, y que esté en marcha" in str(found.exception)


async def test_the_environment_is_told_to_who_has_the_address_of_redis_only(
    run: Run, real_redis: Any, namespace: str
) -> None:
    async with service(real_redis, namespace, FakeFactus()):
        found = await run("status")
        seen = json.loads((await run("status", "--json")).output)
    assert "local, sin validez fiscal" in found.output
    assert [(one["name"], one["environment"]) for one in seen["accounts"]] == [("acme", "local")]


async def test_a_batch_is_told(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, FakeFactus()) as rig:
        for n in range(3):
            await rig.push_bill(f"B-{n}", batch="cierre-29", batch_size=5)
        await rig.events(3)
        shown, as_json = (
            await run("status", "--batch", "cierre-29"),
            await run("status", "--batch", "cierre-29", "--json"),
        )
        nobody = await run("status", "--batch", "otro")
    assert (shown.exit_code, as_json.exit_code, nobody.exit_code) == (0, 0, 1)
    seen = json.loads(as_json.output)
    assert (seen["batch"], seen["account"], seen["size"], seen["left"]) == ("cierre-29", "acme", 5, 2)
    assert seen["counts"] == {"invoice.validated": 3}
    assert "faltan:" in shown.output


async def test_english_says_the_same_and_json_is_one(
    run: Run, real_redis: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(real_redis, namespace, FakeFactus(script=[answers.PaymentRequired("sin saldo")])) as rig:
        await rig.push_bill("A")
        await held(rig, rig.services.keys.account("acme"))
        spanish = json.loads((await run("status", "--json")).output)
        monkeypatch.setenv("FACTUS_LANG", "en")
        found, english = await run("status"), json.loads((await run("status", "--json")).output)
    assert "Problem: account acme is held: Factus asks for a payment" in found.output
    assert spanish["problems"] == english["problems"]


# -- the rest of what an operator has to know --------------------------------------------------------------------------
async def test_no_worker_and_jobs_that_wait(run: Run, real_redis: Any, namespace: str) -> None:
    """With `account.unserved`: a worker that runs and does not know the account is none for its jobs."""
    await push_without_worker(real_redis, namespace)
    for name in ("ACME-0002", "ACME-0003"):
        job = {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code=name)}
        await real_redis.xadd(f"{namespace}:jobs", {"job": json.dumps(job)})
    found = await run("status")
    assert found.exit_code == 1
    assert "ningún trabajador está en marcha" in found.output
    assert "abiertos)" in found.output
    assert "qué hacer: inicie uno: factus-worker run" in found.output


async def test_an_account_that_no_worker_serves_is_told(run: Run, real_redis: Any, namespace: str) -> None:
    await push_without_worker(real_redis, namespace, not_before="2026-12-31T00:00:00-05:00")
    async with running(services_on(real_redis, namespace, an_account("otra"), gateway=FakeFactus())) as rig:
        while not await real_redis.exists(rig.services.keys.workers()):
            await real_redis.ping()
        found = await run("status")
    assert found.exit_code == 1
    assert "ningún trabajador en marcha tiene las credenciales de la cuenta acme" in found.output
    assert "configúrela y reinicie" in found.output


async def test_results_that_were_trimmed_unread_are_told(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, FakeFactus()) as rig:
        stream = rig.services.keys.results()
        await real_redis.xgroup_create(stream, "erp", id="0", mkstream=True)
        for n in range(3):
            await rig.push_bill(f"A-{n}")
        await rig.events(3)
        assert (await run("status")).exit_code == 0
        await real_redis.xtrim(stream, maxlen=1, approximate=False)
        found = await run("status")
    assert found.exit_code == 1
    for words in (f"grupo erp de {stream}", "se recortaron 2 entradas que no había leído", "inicie el consumidor"):
        assert words in found.output, words


async def test_a_group_that_lags_is_told_before_anything_is_trimmed(
    run: Run, real_redis: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTUS_RESULTS_MAXLEN", "1000")
    async with service(real_redis, namespace, FakeFactus()) as rig:
        stream = rig.services.keys.results()
        await real_redis.xgroup_create(stream, "erp", id="0", mkstream=True)
        for _ in range(801):
            await real_redis.xadd(stream, {"event": "{}"})
        found = await run("status")
    assert found.exit_code == 1
    for words in ("esperan 801 entradas; en 1.000 (FACTUS_RESULTS_MAXLEN)", "inicie el consumidor"):
        assert words in found.output, words


async def test_jobs_that_were_trimmed_unread_are_told(run: Run, real_redis: Any, namespace: str) -> None:
    stream = f"{namespace}:jobs"
    for n in range(5):
        await real_redis.xadd(stream, {"job": json.dumps({"id": f"x-{n}"})})
    await real_redis.xtrim(stream, maxlen=2, approximate=False)
    async with service(real_redis, namespace, FakeFactus()) as rig:
        await rig.rest()
        await rig.services.intake._watch.look()
        found = await run("status")
    assert found.exit_code == 1
    for words in ("se quitaron 3 entradas antes de leerlas", "desde: 20", "ningún productor debe recortarla"):
        assert words in found.output, words


async def test_poison_jobs_are_counted_and_stop_nothing(run: Run, real_redis: Any, namespace: str) -> None:
    unknown = {"type": "invoice.issue", "account": "x", "payload": a_bill()}
    poison = (b"\xff\xfe", b"{", b"[]", b'{"type": "nada"}', b"null", json.dumps(unknown).encode())
    async with service(real_redis, namespace, FakeFactus()) as rig:
        for raw in poison:
            await rig.push(raw)
        await rig.push_bill("A")
        assert (await rig.events(7))[-1]["type"] == "invoice.validated"
        found, letters = await run("status"), await run("dead", "list")
    assert found.exit_code == 1, "an account that nobody knows is for an operator"
    assert "Trabajos apartados: 6 (5 los corrige quien los envió)" in found.output
    assert "1 trabajo apartado que un operador debe mirar: 1 account.unknown" in found.output
    assert "factus-worker dead list" in found.output
    assert len(letters.output.splitlines()) == 6


async def test_a_key_that_holds_something_else_is_told(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, FakeFactus()) as rig:
        await real_redis.set(rig.services.keys.account("acme"), "x")
        found = await run("status")
    assert found.exit_code == 1
    assert "contiene otra cosa que la que guarda el servicio" in found.output


ELSEWHERE = {
    "redis.writes": "tests/integration/test_redis_refusing.py",
    "intake.id_ahead": "tests/contract/test_intake_ids.py",
    "intake.stream_renewed": "tests/contract/test_intake_ids.py",
    "letters.trimmed": "tests/contract/test_letters.py",
    "worker.failures": "tests/contract/test_loops.py",
    "workers.signing": "tests/unit/worker/status/test_problems.py",
    "range.ended": "tests/unit/worker/status/test_problem_kinds.py",
    "range.ending": "tests/unit/worker/status/test_problem_kinds.py",
    "webhooks.failures": "tests/contract/webhooks/test_faults.py",
    "webhooks.none": "tests/unit/worker/status/test_problem_kinds.py",
    "webhook.failing": "tests/unit/worker/status/test_problem_kinds.py",
    "webhook.disabled": "tests/unit/worker/status/test_problem_kinds.py",
    "webhook.behind": "tests/unit/worker/status/test_problem_kinds.py",
    "webhook.lost": "tests/unit/worker/status/test_problem_kinds.py",
    "jobs.keys": "tests/unit/worker/status/test_problems.py",
}
HERE = {
    "redis.key", "workers.none", "workers.accounts", "account.unserved", "account.held", "account.blocked",
    "type.blocked", "lane.held", "intake.entries_gone", "group.lost", "group.lagging", "group.stale",
    "letters.operator",
}  # fmt: skip


def test_no_problem_is_without_a_test_on_a_running_set() -> None:
    root = Path(__file__).resolve().parents[2]
    assert KINDS.keys() == HERE | ELSEWHERE.keys()
    assert all((root / path).is_file() for path in ELSEWHERE.values())
