"""What each of the Redis users of ``deploy/users.acl`` may do on a real server, and what none may."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import redis

from tests.integration.redis_users.users import USERS, Connect, all_denied, denied
from tests.patience import PATIENCE_S
from tests.service_processes import ROOT
from worker.store import embedded_binary


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
    harmful = set(HARMFUL) - NEEDED_BY.get(user, set())
    # Not known to this server, or (DEBUG) switched off in it: then nobody may.
    assert not all_denied(connect, user, *harmful, refusals=("unknown", "not allowed"))


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
