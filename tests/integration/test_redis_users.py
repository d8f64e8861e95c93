"""The Redis users of deploy/users.acl on a real server: each can do its work, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.webhooks.verdict import Answer
from tests.builders import a_bill
from tests.commands import typed
from tests.door_in_process import a_door
from tests.patience import PATIENCE_S
from tests.service_in_process import an_account, running, services_on
from tests.service_processes import until
from tests.webhooks_rig import SECRET, an_endpoint, hooks
from worker.store import connection, embedded_binary

AN_EVENT = {
    "type": "job.refused", "time": "2026-11-29T08:00:00.000Z", "account": "acme", "job_id": "1-1", "job_type": None,
    "reference_code": None, "data": None, "message": "x", "errors": [{"code": "envelope.invalid", "message": "x"}],
    "success": False,
}  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent.parent
OWN = frozenset({"own"})
Connect = Callable[[str], redis.Redis]


USERS = (
    "admin", "worker", "operator", "viewer", "monitor", "door", "webhooks", "producer", "consumer", "producer-acme",
    "consumer-acme",
)  # fmt: skip


def servers() -> list[Path]:
    """The bundled one, and Redis where it is installed: both read the same file, and not every word of it alike."""
    found = [embedded_binary.find_binary()]
    if on_path := shutil.which("redis-server"):
        found.append(Path(on_path))
    return found


@pytest.fixture(scope="module", params=servers(), ids=lambda binary: binary.name)
def socket(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real server with our configuration and users; the password of each is its name."""
    folder = tmp_path_factory.mktemp("acl")
    of_account = (ROOT / "deploy" / "users-of-account.acl").read_text()
    of_account = of_account.replace("_ACCOUNT_SHA256", "-ACME_SHA256").replace("ACCOUNT", "acme")
    users = (ROOT / "deploy" / "users.acl").read_text() + of_account
    for name in USERS:
        users = users.replace(f"#{name.upper()}_SHA256", f"#{hashlib.sha256(name.encode()).hexdigest()}")
    (folder / "users.acl").write_text(users)
    socket = folder / "s"
    options = ["--port", "0", "--dir", folder, "--unixsocket", socket, "--aclfile", folder / "users.acl"]
    server = subprocess.Popen([request.param, ROOT / "deploy" / "redis.conf", *options, "--logfile", "log"])
    until(lambda: _answers(socket, server), what=(folder / "log").read_text)
    yield socket
    server.terminate()
    server.wait(PATIENCE_S)


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
    command = [embedded_binary.find_binary(), "--port", "0", "--dir", tmp_path, "--aclfile"]
    done = subprocess.run([*command, ROOT / "deploy" / "users.acl"], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode != 0
    assert "ACL" in done.stdout


def test_configuration_is_what_the_service_relies_on(connect: Connect) -> None:
    config = connect("admin").config_get("*")
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "always")
    assert (config["maxmemory-policy"], config["save"]) == ("noeviction", "")
    assert config["proto-max-bulk-len"] == str(16 * 2**20)
    assert config["client-query-buffer-limit"] == str(64 * 2**20)


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
    assert denied(worker.rename, "factus:job:acme:1", "other:key")
    assert denied(worker.execute_command, "MEMORY", "USAGE", "other:key")
    assert denied(worker.flushall)
    assert denied(worker.config_set, "appendonly", "no")
    assert denied(worker.shutdown)


HARMFUL = (
    "CONFIG GET *", "CONFIG SET dir /", "CONFIG REWRITE", "FUNCTION LIST", "FUNCTION FLUSH", "FUNCTION LOAD x",
    "SCRIPT FLUSH", "SCRIPT KILL", "SELECT 1", "SWAPDB 0 1", "KEYS *", "SCAN 0", "RANDOMKEY", "FLUSHALL", "FLUSHDB",
    "DEBUG SLEEP 0", "MONITOR", "SHUTDOWN", "SAVE", "BGSAVE", "BGREWRITEAOF", "ACL LIST", "ACL WHOAMI", "CLIENT LIST",
    "CLIENT KILL ID 1", "CLIENT PAUSE 1", "SLOWLOG GET", "LATENCY LATEST", "MEMORY STATS", "MODULE LIST", "COMMAND",
    "REPLICAOF 127.0.0.1 1", "SLAVEOF 127.0.0.1 1", "SYNC", "PSYNC ? -1", "MIGRATE h 1 k 0 1", "DUMP factus:jobs",
    "RESTORE factus:x 0 x", "SORT factus:x", "OBJECT ENCODING factus:jobs", "RENAME factus:a factus:b",
    "MOVE factus:a 1", "PSUBSCRIBE *", "PUBSUB CHANNELS", "SUBSCRIBE other", "PUBLISH other x", "GET other",
    "XADD other * a 1", "EVAL return 1 1 other", "WAIT 0 0", "FAILOVER", "CLUSTER INFO",
    "FCALL f 0", "COPY factus:a b",
)  # fmt: skip


_CONFIRMED = {"WAIT 0 0"}
NEEDED_BY = {"worker": {"RENAME factus:a factus:b"} | _CONFIRMED} | dict.fromkeys(
    ("operator", "door", "producer", "producer-acme"), _CONFIRMED
)
"""A user's own work; its keys bound it. Who pushes may ask whether a replica has it: that stops nobody else."""


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
def test_no_user_but_admin_can_do_harm_beyond_its_keys(connect: Connect, user: str) -> None:
    allowed = []
    for command in set(HARMFUL) - NEEDED_BY.get(user, set()):
        with connect(user) as client:
            try:
                client.execute_command(*command.split(" "))
                allowed.append(command)
            except redis.exceptions.NoPermissionError:
                pass
            except redis.exceptions.ResponseError as exc:
                # Not known to this server, or (DEBUG) switched off in it: then nobody may.
                if not any(word in str(exc).lower() for word in ("unknown", "not allowed")):
                    allowed.append(f"{command}: {exc}")
    assert not allowed


@pytest.mark.parametrize("user", [user for user in USERS if user not in ("admin", "worker")])
def test_nobody_but_the_worker_comes_near_a_token(connect: Connect, user: str) -> None:
    connect("worker").hset("factus:token:acme", "token", "secret")
    for command in ("HGETALL", "HGET", "TYPE", "DEL"):
        call = (command, "factus:token:acme", *(["token"] if command == "HGET" else []))
        assert denied(connect(user).execute_command, *call)


def test_an_account_has_its_own_two_users(connect: Connect) -> None:
    worker = connect("worker")
    for name in ("results", "radian", "results:acme", "radian:acme", "results:other"):
        worker.xadd(f"factus:{name}", {"event": "{}"})
    producer, consumer = connect("producer-acme"), connect("consumer-acme")
    assert producer.xadd("factus:jobs:acme", {"job": "{}"})
    assert consumer.xrange("factus:results:acme")
    assert consumer.xrange("factus:radian:acme")
    for stream in ("factus:jobs", "factus:jobs:other", "factus:jobs:acme:x", "factus:results:acme"):
        assert denied(producer.xadd, stream, {"job": "{}"})
    for stream in ("factus:results", "factus:radian", "factus:results:other", "factus:jobs:acme", "factus:dead"):
        assert denied(consumer.xrange, stream)


def test_a_viewer_changes_nothing(connect: Connect) -> None:
    viewer = connect("viewer")
    assert viewer.xlen("factus:dead") == 0
    for command in ("SET factus:x 1", "DEL factus:jobs", "XADD factus:jobs * job x", "HSET factus:account:a b c",
                    "XACK factus:results g 1-1", "XGROUP CREATE factus:results g 0", "EVAL return 1 0"):  # fmt: skip
        assert denied(viewer.execute_command, *command.split(" ")), command


def all_denied(connect: Connect, user: str, *commands: str) -> list[str]:
    """Which of these a user may do although it should not."""
    allowed = []
    for text in commands:
        with connect(user) as client:
            try:
                client.execute_command(*text.split(" "))
                allowed.append(text)
            except redis.exceptions.NoPermissionError:
                pass
            except redis.exceptions.ResponseError as exc:
                if "ACL failure in script" not in str(exc):
                    allowed.append(f"{text}: {exc}")
    return allowed


def test_only_the_operator_and_the_worker_write_what_needs_no_token(connect: Connect) -> None:
    """Whoever may write {ns}:retry pushes for everybody."""
    for user in ("operator", "worker"):
        assert connect(user).xadd("factus:retry", {"job": "{}", "owner": ""})
    for user in ("viewer", "monitor", "door", "webhooks", "producer", "consumer", "producer-acme", "consumer-acme"):
        assert not all_denied(connect, user, "XADD factus:retry * job {}", "DEL factus:retry", "SET factus:retry x"), (
            user
        )


def test_the_door_pushes_and_reads_and_writes_nothing_else(connect: Connect) -> None:
    worker, door = connect("worker"), connect("door")
    worker.delete("factus:dead", "factus:job:acme:1", "factus:jobs", "factus:jobs:acme")
    worker.hset("factus:job:acme:1", "state", "final")
    worker.xadd("factus:results", {"event": "{}"})
    assert door.xadd("factus:jobs", {"job": "{}", "token": "t"})
    assert door.xadd("factus:jobs:acme", {"job": "{}"})
    assert door.xread({"factus:results": "0"})
    assert isinstance(door.xrange("factus:radian"), list)
    assert door.hgetall("factus:job:acme:1") == {"state": "final"}
    assert door.xlen("factus:dead") == 0
    assert door.set("factus:probe:x", "1", px=10)
    assert not all_denied(
        connect,
        "door",
        "XADD factus:results * event {}",
        "XADD factus:dead * raw x",
        "DEL factus:jobs",
        "XTRIM factus:jobs MAXLEN 0",
        "SET factus:jobs x",
        "SET factus:job:acme:1 x",
        "HSET factus:job:acme:1 state open",
        "XACK factus:results g 1-1",
        "XREADGROUP GROUP g c STREAMS factus:results >",
        "EVAL return 1 0",
        "PUBLISH factus:wake x",
        "DEL factus:probe:x",
        "XGROUP CREATE factus:results g 0",
        "SET factus:leader:intake x",
    )


def test_webhooks_read_results_keep_their_deliveries_and_tell_of_them(connect: Connect) -> None:
    worker, webhooks = connect("worker"), connect("webhooks")
    worker.xadd("factus:results:acme", {"event": "{}"})
    assert webhooks.xread({"factus:results:acme": "0"})
    assert isinstance(webhooks.xrange("factus:radian"), list)
    assert webhooks.hset("factus:hooks:endpoint:erp", "state", "enabled") in (0, 1)
    assert webhooks.zadd("factus:hooks:next", {"erp": 1}) in (0, 1)
    script = (
        "redis.call('HSET', KEYS[1], 'a', 1) return redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100, '*', 'event', '{}')"
    )
    assert webhooks.eval(script, 2, "factus:hooks:places", "factus:results")
    assert webhooks.delete("factus:hooks:places") == 1
    assert not all_denied(
        connect,
        "webhooks",
        "DEL factus:results",
        "XTRIM factus:results MAXLEN 0",
        "SET factus:results x",
        "XADD factus:jobs * job {}",
        "XADD factus:results:acme * event {}",
        "XRANGE factus:jobs - +",
        "HGETALL factus:job:acme:1",
        "XRANGE factus:dead - +",
        "HSET factus:worker:x a b",
        "EVAL return(redis.call('DEL',KEYS[1])) 1 factus:results",
        "XADD factus:radian * event {}",
    )


def test_a_monitor_counts_and_reads_no_document(connect: Connect) -> None:
    worker, monitor = connect("worker"), connect("monitor")
    worker.hset("factus:worker:w", mapping={"host": "x"})
    worker.xadd("factus:dead", {"raw": "{}"})
    assert monitor.xlen("factus:dead") >= 1
    assert monitor.hgetall("factus:worker:w") == {"host": "x"}
    assert monitor.zcard("factus:lanes:due") == 0
    assert monitor.info("memory")
    assert not all_denied(
        connect,
        "monitor",
        "XRANGE factus:dead - +",
        "XRANGE factus:results - +",
        "XINFO STREAM factus:dead",
        "HGETALL factus:job:acme:1",
        "XREAD STREAMS factus:results 0",
        "HGETALL factus:doc:acme:invoice:1",
        "XADD factus:jobs * job {}",
        "SET factus:probe:x 1",
        "DEL factus:worker:w",
        "HSET factus:worker:w a b",
        "EVAL return 1 0",
    )


def test_nobody_enters_without_a_name(socket: Path) -> None:
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(unix_socket_path=str(socket)).ping()


async def test_the_service_needs_no_more_than_its_user_may(socket: Path, connect: Connect) -> None:
    """Good, repeated and broken jobs alike: no script names a key outside the namespace."""
    admin, producer, consumer = connect("admin"), connect("producer"), connect("consumer")
    admin.flushall()
    admin.acl_log_reset()
    own = connection.connect(f"unix://worker:worker@{socket}")
    async with running(services_on(own, "factus")) as rig:
        bill = json.dumps({"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="FV/1")})
        for job in (bill, bill, "not JSON", '{"type": "invoice.issue", "account": "nobody", "payload": {}}'):
            await asyncio.to_thread(producer.xadd, "factus:jobs", {"job": job})
        found = await rig.events(4)
    await connection.close(own)

    assert sorted(event["type"] for event in found) == ["invoice.validated"] * 2 + ["job.refused"] * 2
    consumer.xgroup_create("factus:results", "erp", id="0")
    ((_, entries),) = consumer.xreadgroup("erp", "one", {"factus:results": ">"})
    assert len(entries) == 4
    denials = [entry["object"] for entry in admin.acl_log() if entry["username"] == "worker"]
    assert not denials


async def test_a_door_and_webhooks_need_no_more_than_their_users_may(
    socket: Path, connect: Connect, tmp_path: Path
) -> None:
    """Three processes' worth of work, each with its own user: pushed, waited for, looked at, listened to, delivered."""
    admin = connect("admin")
    admin.flushall()
    admin.acl_log_reset()
    own, of_webhooks = (connection.connect(f"unix://{user}:{user}@{socket}") for user in ("worker", "webhooks"))
    endpoint = an_endpoint()
    async with (
        running(services_on(own, "factus", an_account("acme"), an_account("own", own_streams=True))) as rig,
        hooks(of_webhooks, f"unix://webhooks:webhooks@{socket}", "factus", endpoint, own_streams=OWN) as told,
        a_door(f"unix://door:door@{socket}", "factus", tmp_path) as door,
    ):
        for account in ("acme", "own"):
            payload = a_bill(reference_code=f"U-{account}")
            job = {"type": "invoice.issue", "account": account, "id": "u-1", "payload": payload}
            mine = door.bearer(accounts=["*"])
            answer = await door.post(job, Prefer="wait=60", **mine)
            again = await door.post(job, Prefer="wait=60", **mine)
            assert (answer.status_code, again.json()) == (200, answer.json()), answer.text
            for path in ("/jobs/u-1", f"/documents/invoice/U-{account}"):
                assert (await door.get(path, mine, account=account)).status_code == 200, path
        events = (await door.get("/events", door.bearer(accounts=["*"]))).json()["data"]["events"]
        assert [one["event"]["account"] for one in events] == ["acme", "own"]
        await told.until(lambda: len(told.sender.of("shop")) == 2)
        # What fails is written down and told by the same user.
        told.sender.answers["shop"] = [Answer(410)]
        await rig.push_bill("U-3")
        await told.until(lambda: told.operator_events())
    await connection.close(own)
    await connection.close(of_webhooks)
    denials = {(entry["username"], entry["object"]) for entry in admin.acl_log()}
    # A story tells what it may not see, an account's token among it, as not seen.
    assert {one for one in denials if not one[1].startswith("factus:token:")} == set()


COMMANDS = [
    ("operator", ["submit", "job.json"], 0, "Enviados 1 trabajo"),
    ("operator", ["status"], 1, "Trabajos apartados"),
    ("operator", ["results", "--group", "ops"], 0, ""),
    ("operator", ["resume", "acme"], 0, "acme"),
    ("operator", ["dead", "list"], 0, "envelope.invalid"),
    ("operator", ["dead", "retry", "--all", "--yes"], 0, "Enviados 1 de 1"),
    ("operator", ["cancel", "FV-1", "--account", "acme", "--timeout", "1ms"], 1, "No llegó respuesta a tiempo"),
    ("operator", ["cancel", "--batch", "b", "--account", "acme", "--timeout", "1ms"], 1, "No llegó respuesta a tiempo"),
    ("operator", ["health"], 1, "Ningún trabajador de este equipo"),
    ("viewer", ["health"], 1, "Ningún trabajador de este equipo"),
    ("monitor", ["health"], 1, "Ningún trabajador de este equipo"),
    ("monitor", ["dead", "list"], 1, "NoPermissionError"),
    ("monitor", ["submit", "job.json"], 1, "NoPermissionError"),
    ("door", ["submit", "job.json"], 0, "Enviados 1 trabajo"),
    ("door", ["dead", "retry", "--all", "--yes"], 1, "NoPermissionError"),
    ("viewer", ["status", "--batch", "b"], 1, "No se conoce ningún lote b"),
    ("viewer", ["status"], 1, "Trabajos apartados"),
    ("viewer", ["dead", "list"], 0, ""),
    ("viewer", ["doctor"], 1, "sirve para mirar, no para un trabajador"),
    ("viewer", ["resume", "acme"], 1, "NoPermissionError"),
    ("viewer", ["submit", "job.json"], 1, "NoPermissionError"),
    ("producer", ["submit", "job.json"], 0, "Enviados 1 trabajo"),
    ("consumer", ["results", "--group", "erp"], 0, ""),
    ("webhooks", ["webhooks", "list"], 0, "shop"),
    ("webhooks", ["webhooks", "show", "shop"], 0, "shop"),
    ("webhooks", ["webhooks", "disable", "shop"], 0, "shop"),
    ("webhooks", ["webhooks", "enable", "shop"], 0, "shop"),
    ("webhooks", ["webhooks", "test", "shop"], 1, "shop"),
    ("webhooks", ["webhooks", "rotate", "shop"], 0, "whsec_"),
    ("webhooks", ["webhooks", "replay", "shop", "--since", "1h"], 1, "no hay eventos así"),
    ("webhooks", ["results"], 0, ""),
    ("webhooks", ["submit", "job.json"], 1, "NoPermissionError"),
    ("webhooks", ["dead", "list"], 1, "NoPermissionError"),
    ("producer", ["results"], 1, "NoPermissionError"),
    ("consumer", ["submit", "job.json"], 1, "NoPermissionError"),
    ("viewer", ["webhooks", "list"], 1, "NoPermissionError"),
]


@pytest.fixture
def held(connect: Connect) -> redis.Redis:
    """An event, a letter and a hold; the log of denials is empty."""
    admin, worker = connect("admin"), connect("worker")
    admin.flushall()
    worker.sadd("factus:lanes", "acme/invoice")
    worker.xadd("factus:results", {"event": json.dumps(AN_EVENT), "type": "x", "account": "acme"})
    raw = json.dumps({"type": "invoice.issue", "payload": a_bill()})
    letter = {"reason": "envelope.invalid", "errors": json.dumps(AN_EVENT), "raw": raw, "entry": "1-1"}
    worker.xadd("factus:dead", letter)
    worker.hset("factus:account:acme", mapping={"hold_until": "99999999999999", "hold_reason": "factus.denied"})
    admin.acl_log_reset()
    return admin


@pytest.mark.parametrize(
    ("user", "arguments", "status", "told"), COMMANDS, ids=[f"{user} {' '.join(words)}" for user, words, *_ in COMMANDS]
)
def test_the_commands_need_no_more_than_the_users_of_people_may(
    socket: Path, held: redis.Redis, tmp_path: Path, user: str, arguments: list[str], status: int, told: str
) -> None:
    (tmp_path / "job.json").write_text(json.dumps(a_bill()))
    hooks_file = tmp_path / "webhooks.toml"
    hooks_file.write_text(f'[endpoints.shop]\nurl = "https://127.0.0.1:9/"\nsecrets = ["{SECRET}"]\n')
    hooks_file.chmod(0o600)
    env = {"FACTUS_REDIS_URL": f"unix://{user}:{user}@{socket}", "FACTUS_WEBHOOKS_FILE": str(hooks_file)}
    done = typed(*arguments, env=env, folder=tmp_path)
    assert (done.status, told in done.shown) == (status, True), done.shown
    # An account's token is looked at and may be denied; a viewer's try to write too.
    denials = {entry["object"] for entry in held.acl_log()}
    assert told == "NoPermissionError" or all("factus:token" in one or user == "viewer" for one in denials), denials
