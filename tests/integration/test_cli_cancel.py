"""``factus-worker cancel`` and ``health``, as they are typed beside a running service."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jobs import answers
from tests.builders import a_bill
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from tests.service_processes import start_process, until
from worker.cli.group import cli
from worker.settings.environment import environment_for_child

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., Any]


@pytest.fixture
def run(valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FACTUS_REDIS_URL", valkey_url)
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)

    async def typed(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))

    return typed


@asynccontextmanager
async def service(real_redis: Any, namespace: str, *accounts: Any) -> AsyncIterator[ServiceInProcess]:
    """Held, so that everything waits."""
    factus = FakeFactus(script=[answers.CredentialsRefused("no")] * 9)
    built = services_on(real_redis, namespace, *accounts, gateway=factus, backoff_base=200.0, backoff_max=300.0)
    async with running(built) as rig:
        while not await real_redis.exists(rig.services.keys.workers()):
            await real_redis.ping()
        yield rig


async def taken(rig: ServiceInProcess, *ids: str, account: str = "acme") -> None:
    for id_ in ids:
        while not await rig.services.redis.exists(rig.services.keys.job(account, id_)):
            await rig.services.redis.ping()
    while not await rig.services.redis.hget(rig.services.keys.account(account), "hold_until"):
        await rig.services.redis.ping()


async def test_a_reference_a_job_and_a_batch_are_cancelled(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace) as rig:
        for n in range(4):
            await rig.push_bill(f"R-{n}", id=f"j-{n}", batch="b" if n > 1 else None)
        await taken(rig, "j-0", "j-1", "j-2", "j-3")
        by_reference, by_id = await run("cancel", "R-0"), await run("cancel", "j-1", "--json")
        by_batch, again = await run("cancel", "--batch", "b"), await run("cancel", "R-0")
    assert by_reference.exit_code == 0, by_reference.output
    assert "1 trabajo cancelado" in by_reference.output
    # The service beside it, in this process, may log into what is captured.
    shown, _ = json.JSONDecoder().raw_decode(by_id.output, by_id.output.index("{\n"))
    (answer,) = shown["answers"]
    assert answer["data"] == {"cancelled": ["j-1"], "kept": []}
    assert (by_batch.exit_code, "2 trabajos cancelados" in by_batch.output) == (0, True)
    assert again.exit_code == 1, "it is final"
    assert "ya terminó (invoice.failed)" in again.output


async def test_entries_of_others_among_the_results_end_no_waiting(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace) as rig:
        await rig.push_bill("R-0", id="j-0")
        await taken(rig, "j-0")
        cancelling = asyncio.create_task(run("cancel", "R-0"))
        while not cancelling.done():
            await real_redis.xadd(rig.services.keys.results(), {"job_id": b"\xff", "hello": "world"})
    assert cancelling.result().exit_code == 0, cancelling.result().output


async def test_what_nobody_knows_is_1_and_said(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace):
        found = await run("cancel", "NADIE")
    assert found.exit_code == 1
    assert "no se conoce" in found.output


async def test_the_same_name_in_two_accounts_wants_the_account(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace, an_account(), an_account("other")) as rig:
        for account in ("acme", "other"):
            await rig.push_bill("R-1", id="j", account=account)
        for account in ("acme", "other"):
            await taken(rig, "j", account=account)
        both, one = await run("cancel", "R-1"), await run("cancel", "R-1", "--account", "other")
        left = await real_redis.hget(rig.services.keys.job("acme", "j"), "state")
    assert (both.exit_code, "acme, other" in both.output) == (2, True)
    assert one.exit_code == 0
    assert left != b"final"


async def test_without_a_worker_it_stays_pushed(run: Run, real_redis: Any, namespace: str) -> None:
    async with service(real_redis, namespace) as rig:
        await rig.push_bill("R-1", id="j")
        await taken(rig, "j")
    found = await run("cancel", "R-1", "--timeout", "1ms")
    assert found.exit_code == 1
    assert "No llegó respuesta a tiempo" in found.output
    assert await real_redis.xlen(f"{namespace}:jobs") == 1


@pytest.mark.parametrize("arguments", [[], ["R-1", "--batch", "b"], ["R-1", "--timeout", "5"]])
async def test_wrong_usage_is_2(run: Run, arguments: list[str]) -> None:
    assert (await run("cancel", *arguments)).exit_code == 2


# -- health ------------------------------------------------------------------------------------------------------------
async def test_health_is_that_of_a_worker_of_this_host_and_of_redis(
    run: Run, real_redis: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(real_redis, namespace) as rig:
        await rig.push_bill("R-1", id="j")
        await taken(rig, "j")
        await rig.services.redis.xadd(rig.services.keys.dead(), {"reason": "internal"})
        found = await run("health")
        assert found.exit_code == 0, "a held account and letters are no matter of a restart"
        monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
        other = await run("health")
        assert (other.exit_code, "en otros: 1" in other.output) == (1, True)
    monkeypatch.undo()


async def test_without_a_worker_it_is_not_well(run: Run) -> None:
    found = await run("health")
    assert (found.exit_code, "Ningún trabajador de este equipo" in found.output) == (1, True)


async def test_a_sign_that_is_old_does_not_count(run: Run, real_redis: Any, namespace: str) -> None:
    now = int((await real_redis.time())[0]) * 1000
    await real_redis.zadd(f"{namespace}:workers", {"w1": now - 11_000})
    await real_redis.hset(f"{namespace}:worker:w1", mapping={"host": socket.gethostname()})
    assert (await run("health")).exit_code == 1


async def test_a_redis_that_does_not_answer_is_not_well(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTUS_REDIS_URL", "redis://127.0.0.1:1/0")
    assert (await run("health")).exit_code == 1


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------
async def test_whoever_stops_waiting_is_told_what_goes_on(
    valkey_url: str, real_redis: Any, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "cierre.jsonl"
    file.write_text("".join(json.dumps(a_bill(reference_code=f"C-{n}"), default=str) + "\n" for n in range(3)))
    env = environment_for_child(PYTHONPATH=str(ROOT), FACTUS_REDIS_URL=valkey_url, FACTUS_NAMESPACE=namespace)
    log = tmp_path / "shown.txt"
    command = ("worker", "submit", str(file), "--batch", "cierre-29", "--wait")
    process = start_process(*command, folder=tmp_path, log=log, env=env)
    await asyncio.to_thread(until, lambda: "de 3" in log.read_text())  # it waits by now
    process.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(process.wait, 60) == 1
    shown = log.read_text()
    assert "0 terminados; 3 siguen en cola y SE VAN A EMITIR." in shown
    assert "factus-worker status --batch cierre-29" in shown
    assert "factus-worker cancel --batch cierre-29" in shown
    assert "Traceback" not in shown
