"""
``factus-worker doctor`` as it is typed, on real servers: every fault of Redis on its line, no traceback, no secret, and
not a key of Redis that is another one afterwards.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from sandbox.server import serve
from sandbox.state.config import SandboxConfig
from sandbox.state.faults import read_rules
from tests.fakes import FakeFactus
from tests.service_in_process import running, services_on
from tests.service_processes import a_valkey
from worker.cli.group import cli
from worker.doctor.checks import CALL_IDS, IDS
from worker.doctor.factus_reader import MOST_CALLS
from worker.rights.signatures import new_key, public_part
from worker.store import connection

SECRET: Final = "geheim-4711"
Doctor = Callable[..., Awaitable["Found"]]


class Found:
    """What one run has said."""

    def __init__(self, result: Result) -> None:
        self.result = result
        assert SECRET not in result.output
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception

    @property
    def checks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.result.stdout)["checks"]
        return found

    def of(self, id_: str) -> list[dict[str, Any]]:
        return [one for one in self.checks if one["id"] == id_]

    def one(self, id_: str) -> dict[str, Any]:
        (found,) = self.of(id_)
        return found

    def troubled(self) -> set[str]:
        return {one["id"] for one in self.checks if one["status"] in ("warning", "failure")}


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """What the service logs would stand between the lines of the command."""
    with capture_logs():
        yield


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    """A server that is set up well, and may be spoilt."""
    options = ("--appendfsync", "always", "--maxmemory-policy", "noeviction")
    with a_valkey(tmp_path_factory.mktemp("server"), *options) as (_, client):
        yield client


def url_of(server: redis.Redis, user: str = "") -> str:
    path = server.connection_pool.connection_kwargs["path"]
    return f"unix://{user}:{SECRET}@{path}" if user else f"unix://{path}"


@pytest.fixture
def doctor(server: redis.Redis, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Doctor:
    """The command beside the loop of the test, with one account configured."""
    monkeypatch.chdir(tmp_path)
    accounts = tmp_path / "accounts.toml"
    login = "".join(f'{name} = "{SECRET}"\n' for name in ("client_id", "client_secret", "username", "password"))
    accounts.write_text(f'[accounts.acme]\n{login}base_url = "http://127.0.0.1:9"\n')
    accounts.chmod(0o600)
    monkeypatch.setenv("FACTUS_REDIS_URL", url_of(server))
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)
    monkeypatch.setenv("FACTUS_ACCOUNTS_FILE", str(accounts))
    monkeypatch.setenv("FACTUS_ARCHIVE_URL", f"file:{tmp_path}/archive")
    monkeypatch.delenv("FACTUS_LANG", raising=False)

    async def typed(*arguments: str) -> Found:
        return Found(await asyncio.to_thread(CliRunner().invoke, cli, ["doctor", *arguments]))

    return typed


def dump(server: redis.Redis) -> dict[str, Any]:
    """Every key with its bytes and when it dies."""
    raw = redis.Redis(unix_socket_path=server.connection_pool.connection_kwargs["path"])
    return {key: (raw.dump(key), raw.expiretime(key)) for key in raw.scan_iter()}


# -- what it says ------------------------------------------------------------------------------------------------------
async def test_without_a_worker_only_that_is_told_and_nothing_is_changed(doctor: Doctor, server: redis.Redis) -> None:
    server.set("another", "x")
    before = dump(server)
    found = await doctor("--json")
    assert [one["id"] for one in found.checks] == list(IDS)
    assert found.troubled() == {"workers"}
    assert {one["status"] for one in found.checks if one["id"] in ("jobs.keys", "webhooks")} == {"skipped"}
    assert found.result.exit_code == 1
    assert all(set(one) == {"id", "status", "subject", "found", "mend"} for one in found.checks)
    assert dump(server) == before


async def test_beside_a_running_set_all_is_well(
    doctor: Doctor, server: redis.Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connection.connect(url_of(server))
    async with running(services_on(client, namespace, gateway=FakeFactus())) as rig:
        while not (
            await client.exists(rig.services.keys.workers()) and await client.exists(rig.services.keys.leader("intake"))
        ):
            await client.ping()
        found = await doctor("--json", "--account", "acme")
        assert (found.troubled(), found.result.exit_code) == (set(), 0), found.checks
        lines = (await doctor()).result.output
        monkeypatch.setenv("FACTUS_LANG", "en")
        english = (await doctor()).result.output
    await connection.close(client)
    assert "ok       redis.reachable" in lines
    assert "0 fallas, 0 avisos" in lines
    assert "0 failures, 0 warnings" in english


async def test_an_account_that_is_not_configured_is_wrong_usage_and_names_those_that_are(doctor: Doctor) -> None:
    found = await doctor("--account", "nadie")
    assert (found.result.exit_code, "acme" in found.result.output) == (2, True)


# -- faults of Redis ---------------------------------------------------------------------------------------------------
CONFIGURED: Final = {
    "everysec": ({"appendfsync": "everysec"}, {}, "redis.persistence", "warning"),
    "no log": ({"appendonly": "no"}, {"appendonly": "yes"}, "redis.persistence", "failure"),
    "evicts": ({"maxmemory-policy": "allkeys-lru"}, {}, "redis.eviction", "failure"),
    "memory": ({"maxmemory": "1mb"}, {"maxmemory": "0"}, "redis.memory", "failure"),
    "no replicas": ({"min-replicas-to-write": "1"}, {"min-replicas-to-write": "0"}, "redis.replicas", "failure"),
}
GOOD: Final = {"appendfsync": "always", "maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("fault", CONFIGURED)
async def test_a_fault_of_redis_is_told_on_its_line_alone(doctor: Doctor, server: redis.Redis, fault: str) -> None:
    settings, undo, id_, status = CONFIGURED[fault]
    try:
        for name, value in settings.items():
            server.config_set(name, value)
        found = await doctor("--json")
    finally:
        for name, value in {**GOOD, **undo}.items():
            server.config_set(name, value)
    assert found.one(id_)["status"] == status
    assert found.one(id_)["mend"]
    # No worker runs here, which is told where writes are taken: a sign of life is one.
    assert found.troubled() | {"workers"} == {id_, "workers"}


async def test_a_replica_is_told_as_one(doctor: Doctor, server: redis.Redis) -> None:
    server.replicaof("127.0.0.1", "1")
    try:
        found = await doctor("--json")
    finally:
        server.replicaof("NO", "ONE")
    assert found.one("redis.replicas")["status"] == "failure"
    assert "réplica" in found.one("redis.replicas")["mend"]


USERS: Final = {
    "may only look": (["~*", "-@all", "+@read", "+info", "+time", "+ping", "+eval"], "redis.rights", "warning"),
    "no INFO": (["~*", "&*", "+@all", "-info"], "redis.version", "skipped"),
    "no CONFIG": (["~*", "&*", "+@all", "-config"], "redis.persistence", "warning"),
    "no TIME": (["~*", "&*", "+@all", "-time"], "clock.redis", "skipped"),
    "nothing at all": (["-@all"], "redis.version", "skipped"),
}  # fmt: skip


@pytest.mark.parametrize("user", USERS)
async def test_a_user_with_few_rights_is_told_what_it_may_not_see(
    doctor: Doctor, server: redis.Redis, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    rights, id_, status = USERS[user]
    server.execute_command("ACL", "SETUSER", "few", "reset", "on", f">{SECRET}", *rights)
    monkeypatch.setenv("FACTUS_REDIS_URL", url_of(server, "few"))
    found = await doctor("--json")
    assert found.one("redis.reachable")["status"] == "ok"
    assert found.one(id_)["status"] == status
    assert not [one for one in found.checks if one["status"] == "failure" and one["id"].startswith("redis")]


async def test_a_wrong_password_of_redis_is_told_and_the_rest_is_skipped(
    doctor: Doctor, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.execute_command("ACL", "SETUSER", "few", "reset", "on", ">another")
    monkeypatch.setenv("FACTUS_REDIS_URL", url_of(server, "few"))
    found = await doctor("--json")
    assert found.one("redis.reachable")["status"] == "failure"
    assert "usuario y clave" in found.one("redis.reachable")["mend"], found.checks
    assert {one["status"] for one in found.checks if one["id"] in ("redis.version", "workers")} == {"skipped"}


async def test_a_redis_that_is_not_there_or_never_answers_ends_it_soon(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        urls = [f"redis://u:{SECRET}@127.0.0.1:{port}", f"redis://u:{SECRET}@127.0.0.1:1", f"embedded:{tmp_path}/none"]
        for url in urls:
            monkeypatch.setenv("FACTUS_REDIS_URL", url)
            found = await doctor("--json", "--calls")
            assert found.one("redis.reachable")["status"] == "failure"
            assert found.result.exit_code == 1
            assert found.one("archive")["status"] == "ok", "what needs no Redis is looked at all the same"
            assert [one["status"] for one in found.checks if one["id"] in CALL_IDS] == ["skipped"] * len(CALL_IDS)
    assert not (tmp_path / "none").exists()


# -- faults of this machine --------------------------------------------------------------------------------------------
async def test_faults_of_files_and_settings_are_told_on_their_lines(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "accounts.toml").chmod(0o644)
    (tmp_path / "hooks.toml").write_text(f'[endpoints.shop]\nurl = "https://x/{SECRET}"\n')
    (tmp_path / "hooks.toml").chmod(0o600)
    (tmp_path / "keys.json").write_text("{")
    monkeypatch.setenv("FACTUS_WEBHOOKS_FILE", str(tmp_path / "hooks.toml"))
    monkeypatch.setenv("FACTUS_JOBS_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.setenv("FACTUS_JOBS_SIGNED", "true")
    monkeypatch.setenv("FACTUS_ARCHIVE_URL", f"file:{tmp_path}/keys.json")
    monkeypatch.setenv("FACTUS_RATE_LIMITS", "80")
    monkeypatch.setenv("FACTUS_HOLIDAYS_REMOVE", "2026-12-02")
    found = await doctor("--json")
    told = {id_: found.one(id_)["status"] for id_ in ("settings", "secrets.modes", "webhooks", "jobs.keys", "archive")}
    assert told == {
        "settings": "warning", "secrets.modes": "failure", "webhooks": "failure", "jobs.keys": "failure",
        "archive": "failure",
    }  # fmt: skip
    assert found.one("calendar")["status"] == "warning"
    monkeypatch.setenv("FACTUS_RATE_LIMIT", "many")
    found = await doctor("--json")
    assert (found.one("settings")["status"], found.result.exit_code) == ("failure", 1)
    assert [one["status"] for one in found.checks].count("skipped") == len(IDS) - 1


_BOUNDED: Final = {"factus_iss": "erp", "factus_accounts": ["acme"], "factus_types": ["invoice.*"]}


@pytest.mark.parametrize(
    ("jwk", "status", "told"),
    [
        (public_part(new_key("erp-1", "EdDSA")), "ok", "1 llave"),
        (new_key("erp-1", "EdDSA"), "warning", "parte privada: erp-1"),
        (new_key("erp-1", "HS256"), "warning", "sin límites: erp-1"),
        (new_key("erp-1", "HS256") | {**_BOUNDED, "factus_types": None}, "warning", "sin límites: erp-1"),
        (new_key("erp-1", "HS256") | _BOUNDED, "ok", "1 llave"),
    ],
)
async def test_keys_that_let_others_sign_are_warned_of(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, jwk: dict[str, Any], status: str, told: str
) -> None:
    """Who can check with a key of HS256 can sign with it: such a key says for whom, and for what."""
    kept = {name: value for name, value in jwk.items() if value is not None}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [kept]}))
    (tmp_path / "keys.json").chmod(0o600)
    monkeypatch.setenv("FACTUS_JOBS_KEYS", str(tmp_path / "keys.json"))
    monkeypatch.setenv("FACTUS_JOBS_SIGNED", "true")
    found = await doctor("--json")
    checks = [one for one in found.checks if one["id"] == "jobs.keys"]
    assert (checks[0]["status"], told in checks[0]["found"]) == (status, True), checks


async def test_no_account_and_a_bad_file_of_accounts_are_told(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "accounts.toml").write_text(f'[accounts.acme]\nclient_id = "{SECRET}"\n')
    assert "lacks" in (await doctor("--json")).one("accounts")["found"]
    monkeypatch.delenv("FACTUS_ACCOUNTS_FILE")
    assert "FACTUS_CLIENT_ID" in (await doctor("--json")).one("accounts")["mend"]


# -- Factus ------------------------------------------------------------------------------------------------------------
LOGIN: Final = {"client_id": "c", "client_secret": "s", "username": "u@x", "password": "p"}
CALLS: Final = {
    "all is well": ([], {}, {}),
    "wrong password": ([{"on": "token", "effect": {"kind": "unauthorized"}}], {}, {"factus.credentials": "failure"}),
    "version 2 is off": ([{"on": "list", "effect": {"kind": "forbidden_version"}}], {}, {"factus.version": "failure"}),
    "402": ([{"on": "list", "effect": {"kind": "payment_required"}}], {}, {"factus.version": "failure"}),
    "a larger allowance": ([], {"rate_limit": 40}, {"factus.allowance": "failure"}),
    "lost": ([{"on": "any", "effect": {"kind": "drop_before"}}], {}, {"factus.credentials": "failure"}),
}


@pytest.mark.parametrize("fault", CALLS)
async def test_six_calls_at_most_are_made_and_counted_and_each_fault_is_told(
    doctor: Doctor, server: redis.Redis, namespace: str, tmp_path: Path, fault: str
) -> None:
    rules, config, told = CALLS[fault]
    asked: list[str] = []
    before = dump(server).keys()
    async with serve(SandboxConfig(faults=read_rules({"rules": rules}), log=asked.append, **config)) as url:
        login = "".join(f'{name} = "{value}"\n' for name, value in LOGIN.items())
        (tmp_path / "accounts.toml").write_text(f'[accounts.acme]\n{login}base_url = "{url}"\n')
        found = await doctor("--json", "--calls")
    statuses = {one["id"]: one["status"] for one in found.checks if one["id"] in CALL_IDS}
    assert statuses.keys() == set(CALL_IDS)
    assert {id_: status for id_, status in statuses.items() if status in ("failure", "warning")} == told
    assert 1 <= len(asked) <= MOST_CALLS
    assert not [line for line in asked if "POST" in line and "/oauth/token" not in line]
    grants = f"{namespace}:grants:acme"
    assert server.llen(grants) == len(asked)
    assert dump(server).keys() - before == {grants.encode()}, "nothing else stays, the token neither"


async def test_documents_that_wait_go_first(
    doctor: Doctor, server: redis.Redis, namespace: str, tmp_path: Path
) -> None:
    server.sadd(f"{namespace}:lanes", "acme/invoice")
    server.zadd(f"{namespace}:lane:acme/invoice:waiting", {f"j-{n}": n for n in range(80)})
    asked: list[str] = []
    async with serve(SandboxConfig(log=asked.append)) as url:
        (tmp_path / "accounts.toml").write_text(
            "[accounts.acme]\n"
            + "".join(f'{name} = "{value}"\n' for name, value in LOGIN.items())
            + f'base_url = "{url}"\n'
        )
        found = await doctor("--json", "--calls")
    assert asked == []
    assert {one["status"] for one in found.checks if one["id"] in CALL_IDS} == {"skipped"}
    assert "van antes" in found.of("factus.credentials")[0]["found"]
