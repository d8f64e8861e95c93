"""The Redis users of deploy/users.acl on a real server: each can do its work, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.builders import a_bill
from tests.processes import until
from tests.rig import running, services_on
from worker import embedded_redis, redis_connection

ROOT = Path(__file__).resolve().parent.parent.parent
Connect = Callable[[str], redis.Redis]


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real server with our configuration and users; the password of each is its name."""
    folder = tmp_path_factory.mktemp("acl")
    users = (ROOT / "deploy" / "users.acl").read_text()
    for name in ("admin", "worker", "producer", "consumer"):
        users = users.replace(f"#{name.upper()}_SHA256", f"#{hashlib.sha256(name.encode()).hexdigest()}")
    (folder / "users.acl").write_text(users)
    socket = folder / "s"
    options = ["--port", "0", "--dir", folder, "--unixsocket", socket, "--aclfile", folder / "users.acl"]
    server = subprocess.Popen(
        [embedded_redis.find_binary(), ROOT / "deploy" / "redis.conf", *options, "--logfile", "log"]
    )
    until(lambda: _answers(socket, server), timeout_s=10, what=(folder / "log").read_text)
    yield socket
    server.terminate()
    server.wait(timeout=10)


def _answers(socket: Path, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "the server ended"
    try:
        return bool(client(socket, "admin").ping())
    except redis.ConnectionError:
        return False


def client(socket: Path, user: str) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket), username=user, password=user, decode_responses=True)


@pytest.fixture(scope="module")
def connect(socket: Path) -> Connect:
    return lambda user: client(socket, user)


def denied(call: Callable[..., Any], *arguments: Any) -> bool:
    try:
        call(*arguments)
    except redis.exceptions.NoPermissionError:
        return True
    return False


def test_users_without_a_password_do_not_load(tmp_path: Path) -> None:
    """Forgotten places must not become passwords that everybody can read."""
    command = [embedded_redis.find_binary(), "--port", "0", "--dir", tmp_path, "--aclfile"]
    done = subprocess.run([*command, ROOT / "deploy" / "users.acl"], capture_output=True, text=True, timeout=10)
    assert done.returncode != 0
    assert "ACL" in done.stdout


def test_configuration_is_what_the_service_relies_on(connect: Connect) -> None:
    config = connect("worker").config_get("append*", "maxmemory-policy", "save")
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "always")
    assert (config["maxmemory-policy"], config["save"]) == ("noeviction", "")


def test_producer_can_push_and_nothing_else(connect: Connect) -> None:
    producer = connect("producer")
    assert producer.xadd("factus:jobs", {"job": "{}"})
    assert denied(producer.xadd, "factus:results", {"event": "{}"})
    assert denied(producer.xread, {"factus:jobs": 0})
    assert denied(producer.xlen, "factus:jobs")
    assert denied(producer.xtrim, "factus:jobs", 0)
    assert denied(producer.delete, "factus:jobs")
    assert denied(producer.get, "factus:token:acme")
    assert denied(producer.flushall)
    assert denied(producer.config_get, "*")


def test_consumer_reads_results_with_a_group_and_nothing_else(connect: Connect) -> None:
    connect("worker").xadd("factus:results", {"event": "{}"})
    consumer = connect("consumer")
    consumer.xgroup_create("factus:results", "erp", id="0")
    ((_, entries),) = consumer.xreadgroup("erp", "one", {"factus:results": ">"})
    assert consumer.xack("factus:results", "erp", entries[0][0]) == 1
    assert denied(consumer.xadd, "factus:results", {"event": "{}"})
    assert denied(consumer.xadd, "factus:jobs", {"job": "{}"})
    assert denied(consumer.xrange, "factus:jobs")
    assert denied(consumer.xgroup_destroy, "factus:results", "erp")
    assert denied(consumer.delete, "factus:results")
    assert denied(consumer.hgetall, "factus:token:acme")


def test_worker_keeps_to_its_namespace_and_administers_nothing(connect: Connect) -> None:
    worker = connect("worker")
    script = "return redis.call('HSET', KEYS[1], 'a', 1)"
    worker.delete("factus:job:acme:1")
    assert worker.eval(script, 1, "factus:job:acme:1") == 1
    assert worker.set("arq:job:1", "{}")  # arq's prefix is fixed
    assert worker.info("server")
    assert worker.dbsize() >= 0
    pubsub = worker.pubsub()
    pubsub.subscribe("factus:wake")
    pubsub.close()
    assert denied(worker.set, "other:key", "1")
    assert denied(worker.eval, script, 1, "other:key")
    assert denied(worker.flushall)
    assert denied(worker.config_set, "appendonly", "no")
    assert denied(worker.shutdown)


def test_nobody_enters_without_a_name(socket: Path) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(unix_socket_path=str(socket)).ping()


async def test_the_service_needs_no_more_than_its_user_may(socket: Path, connect: Connect) -> None:
    """Good, repeated and broken jobs alike: no script names a key outside the namespace."""
    admin, producer, consumer = connect("admin"), connect("producer"), connect("consumer")
    admin.flushall()
    admin.acl_log_reset()
    own = redis_connection.connect(f"unix://worker:worker@{socket}")
    async with running(services_on(own, "factus")) as rig:
        bill = json.dumps({"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="FV/1")})
        for job in (bill, bill, "not JSON", '{"type": "invoice.issue", "account": "nobody", "payload": {}}'):
            await asyncio.to_thread(producer.xadd, "factus:jobs", {"job": job})
        found = await rig.events(4)
    await redis_connection.close(own)

    assert sorted(event["type"] for event in found) == ["invoice.validated"] * 2 + ["job.refused"] * 2
    consumer.xgroup_create("factus:results", "erp", id="0")
    ((_, entries),) = consumer.xreadgroup("erp", "one", {"factus:results": ">"})
    assert len(entries) == 4
    denials = [entry["object"] for entry in admin.acl_log() if entry["username"] == "worker"]
    assert not denials
