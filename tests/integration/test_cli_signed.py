"""Our own commands where jobs are signed: each pushes with the producer's token, and says so where it has none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jobs import answers
from jobs.families import FAMILIES
from tests.builders import a_bill
from tests.door_in_process import producer_token
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from tests.tokens import PUBLIC, key_set
from worker.cli.group import cli

Run = Callable[..., Any]

NOTHING = answers.Replied({"data": {"data": [], "pagination": {"last_page": 1, "total": 0}}})
COMMANDS = {
    "invoice.issue": ["submit", "job.json", "--wait", "--timeout", "90s"],
    "job.cancel": ["cancel", "--batch", "nada", "--account", "acme", "--timeout", "90s"],
    "day.close": ["close", "2026-01-15", "--account", "acme", "--timeout", "90s"],
}
"""What is typed, by the type that it pushes."""

ALL = pytest.mark.parametrize("type_", COMMANDS)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_bytes(key_set(PUBLIC))
    return file


@pytest.fixture
async def rig(real_redis: Any, namespace: str, keys_file: Path) -> AsyncIterator[ServiceInProcess]:
    factus = FakeFactus(replies={f"GET {family.collection}": [NOTHING] for family in FAMILIES.values()})
    built = services_on(real_redis, namespace, an_account(), gateway=factus, jobs_signed=True, jobs_keys=keys_file)
    async with running(built) as found:
        yield found


@pytest.fixture
def run(valkey_url: str, namespace: str, keys_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    (tmp_path / "job.json").write_text(json.dumps(a_bill(reference_code="FIRMADA-1")))
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "REDIS_URL": valkey_url, "NAMESPACE": namespace, "JOBS_SIGNED": "true", "JOBS_KEYS": str(keys_file),
    }.items():  # fmt: skip
        monkeypatch.setenv(f"FACTUS_{name}", value)

    async def typed(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, list(arguments))

    return typed


@ALL
async def test_a_good_token_goes_beside_the_job(
    run: Run, rig: ServiceInProcess, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: str
) -> None:
    (tmp_path / "token").write_text(producer_token(namespace, types=[type_]))
    monkeypatch.setenv("FACTUS_JOBS_TOKEN_FILE", "token")
    await run(*COMMANDS[type_])
    (event,) = await rig.events(1)
    assert event["job_type"] == type_
    assert "auth.denied" not in json.dumps(event)


@ALL
async def test_one_that_does_not_grant_it_is_told(
    run: Run, rig: ServiceInProcess, namespace: str, tmp_path: Path, type_: str
) -> None:
    """Its refusal ends the wait: nobody sits there for ten minutes."""
    (tmp_path / "token").write_text(producer_token(namespace, types=["invoice.get"]))
    found = await run(*COMMANDS[type_], "--token-file", "token")
    assert found.exit_code == 1, found.output
    assert "no está autorizado" in found.output.replace("\n", " ")


@ALL
async def test_without_one_nothing_is_pushed(run: Run, real_redis: Any, namespace: str, type_: str) -> None:
    found = await run(*COMMANDS[type_])
    assert found.exit_code == 1, found.output
    assert "--token-file" in f"{found.output}{found.exception}"
    assert not await real_redis.exists(f"{namespace}:jobs")
