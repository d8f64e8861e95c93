"""A Redis that answers and refuses: told with its own word by worker, ``status`` and ``submit``, without a payload."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import structlog
from redis import exceptions

from tests import processes
from tests.builders import a_bill
from worker.speech import ENGLISH
from worker.status.problems import problems
from worker.status.reader import StatusReader
from worker.store import embedded_server
from worker.store.connection import close, connect
from worker.store.embedded_server import EmbeddedServer
from worker.store.keys import Keys
from worker.store.refusals import RefusalWatch


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    found = embedded_server.start(tmp_path / "data")
    yield found
    with admin(found) as client:
        for name, value in (("maxmemory", "0"), ("min-replicas-to-write", "0")):
            client.config_set(name, value)
        client.replicaof("NO", "ONE")
        client.execute_command("ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*", "&*")
    embedded_server.stop(found)


def admin(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis(
        unix_socket_path=str(server.socket_path), username="root", password="root", decode_responses=True
    )


def memory_is_full(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1mb")


def is_a_replica(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", "1")


def too_few_replicas(client: redis.Redis) -> None:
    client.config_set("min-replicas-to-write", "1")


def no_right_to_write(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-@write", "+hello", "+client")


def no_right_to_push(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-xadd")


def wants_a_password(client: redis.Redis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "resetpass", ">another")


def stream_is_a_string(client: redis.Redis) -> None:
    client.set("factus:jobs", "x")


def streams_are_strings(client: redis.Redis) -> None:
    for name in ("jobs", "results", "radian", "dead"):
        client.set(f"factus:{name}", "x")


HARMS = [
    (memory_is_full, "OutOfMemoryError"),
    (is_a_replica, "ReadOnlyError"),
    (too_few_replicas, "NOREPLICAS"),
    (no_right_to_push, "NoPermissionError"),
    (wants_a_password, "Authentication"),
    (stream_is_a_string, "WRONGTYPE"),
]


def with_rights(server: EmbeddedServer) -> redis.Redis:
    """A user for the test itself, which keeps all rights."""
    with redis.Redis(unix_socket_path=str(server.socket_path)) as first:
        first.execute_command("ACL", "SETUSER", "root", "on", ">root", "+@all", "~*", "&*")
    return admin(server)


@pytest.fixture(autouse=True)
def root(server: EmbeddedServer) -> Iterator[redis.Redis]:
    with with_rights(server) as client:
        yield client


def run(server: EmbeddedServer, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("FACTUS_")}
    env["FACTUS_REDIS_URL"] = server.url()
    env["PYTHONPATH"] = str(Path(__file__).parents[2])
    return processes.run("worker", *arguments, folder=folder, env=env)


@pytest.mark.parametrize(("harm", "told"), HARMS)
def test_submit_tells_the_refusal_and_nothing_of_the_invoice(
    server: EmbeddedServer, root: redis.Redis, tmp_path: Path, harm: Callable[[redis.Redis], None], told: str
) -> None:
    (tmp_path / "bills.jsonl").write_text("".join(json.dumps(a_bill(reference_code=f"R{n}")) + "\n" for n in range(3)))
    harm(root)
    for options in ([], ["--wait", "--timeout", "2s"]):
        done = run(server, tmp_path, "submit", "bills.jsonl", *options)
        shown = done.stdout + done.stderr
        assert done.returncode == 1
        assert told in shown
        assert shown.count("\n") == 1
        assert len(shown) < 500
        assert not any(word in shown for word in ("XADD", '"payload', "R0", "customer", "Traceback"))


def test_submit_counts_what_is_in_before_the_refusal(server: EmbeddedServer, root: redis.Redis, tmp_path: Path) -> None:
    """Redis refuses each command of a pipeline by itself: of a chunk, some may be in."""
    job = {"type": "invoice.issue", "payload": a_bill()}
    (tmp_path / "bills.jsonl").write_text(
        json.dumps({**job, "account": "a"}) + "\n" + json.dumps({**job, "account": "b"}) + "\n"
    )
    (tmp_path / "accounts.toml").write_text(
        "".join(
            f'[accounts.{name}]\nclient_id="x"\nclient_secret="x"\nusername="x"\npassword="x"\nown_streams=true\n'
            for name in "ab"
        )
    )
    (tmp_path / ".env").write_text("FACTUS_ACCOUNTS_FILE=accounts.toml\n")
    root.set("factus:jobs:b", "x")
    done = run(server, tmp_path, "submit", "bills.jsonl")
    assert "Se enviaron 1 de 2 trabajos y luego falló Redis: ResponseError: WRONGTYPE" in done.stderr


@pytest.mark.parametrize("command", [["status"], ["status", "R1"], ["results", "--group", "g"], ["dead", "list"]])
@pytest.mark.parametrize(("harm", "told"), [(wants_a_password, "Authentication"), (streams_are_strings, "WRONGTYPE")])
def test_every_command_has_a_line_for_it(
    server: EmbeddedServer,
    root: redis.Redis,
    tmp_path: Path,
    harm: Callable[[redis.Redis], None],
    told: str,
    command: list[str],
) -> None:
    harm(root)
    done = run(server, tmp_path, *command)
    shown = done.stdout + done.stderr
    assert done.returncode == 1
    assert "Traceback" not in shown
    assert "a defect of the service" not in shown
    assert told in shown or command == ["status"]


# -- status ------------------------------------------------------------------------------------------------------------
async def overview(server: EmbeddedServer) -> tuple[list[str], str | None]:
    client = connect(server.url())
    try:
        reader = StatusReader(client, Keys("factus"), {}, limit=80, window_s=60.0, results_maxlen=100)
        seen = await reader.overview()
    finally:
        await close(client)
    found = problems(seen, ENGLISH)  # that no worker runs is none of them
    return [f"{one.what}; {one.mend}" for one in found if one.subject != "workers"], seen.writes_refused


@pytest.mark.parametrize(
    ("harm", "word", "mend"),
    [
        (memory_is_full, "OutOfMemoryError", "raise maxmemory"),
        (is_a_replica, "ReadOnlyError", "it is a replica"),
        (too_few_replicas, "NOREPLICAS", "too few replicas"),
    ],
)
def test_status_tells_that_redis_takes_no_writes(
    server: EmbeddedServer, root: redis.Redis, harm: Callable[[redis.Redis], None], word: str, mend: str
) -> None:
    assert asyncio.run(overview(server)) == ([], None)
    harm(root)
    (problem,), refused = asyncio.run(overview(server))
    assert refused is not None
    assert word in refused
    assert mend in problem


def test_a_user_who_may_only_look_is_no_problem(server: EmbeddedServer, root: redis.Redis) -> None:
    no_right_to_write(root)
    assert asyncio.run(overview(server)) == ([], None)


def test_the_write_of_status_leaves_nothing(server: EmbeddedServer, root: redis.Redis) -> None:
    asyncio.run(overview(server))
    assert all(0 < root.pttl(key) <= 5000 for key in root.keys("*"))


def test_keys_of_the_wrong_type_are_named_and_the_rest_is_shown(server: EmbeddedServer, root: redis.Redis) -> None:
    """One key each, then all at once: whoever restores a backup by hand gets it wrong in a hurry."""
    keys = Keys("factus")
    root.sadd(keys.lanes(), "acme/invoice", "acme/calls")
    root.zadd(keys.workers(), {"w": 1})
    names = [
        keys.jobs(), keys.results(), keys.radian(), keys.dead(), keys.leader("intake"), keys.lanes_due(),
        keys.waiting("acme/invoice"), keys.later("acme/calls"), keys.in_flight("acme/invoice"),
        keys.lane("acme/invoice"),
        keys.account("acme"), keys.grants("acme"), keys.token("acme"), keys.worker("w"), keys.workers(), keys.lanes(),
    ]  # fmt: skip
    for name in names:
        for of_kind in ("string", "list"):
            root.delete(name)
            if of_kind == "string" and name != keys.leader("intake"):
                root.set(name, "x")
            else:
                root.geoadd(name, (1, 1, "x")) if name == keys.grants("acme") else root.rpush(name, "x")
            found, _ = asyncio.run(overview(server))
            is_list = of_kind == "list"
            assert any(name in problem for problem in found) or (is_list and name == keys.grants("acme")), (name, found)


# -- the worker's log --------------------------------------------------------------------------------------------------
def test_the_log_tells_a_refusal_once_and_its_end() -> None:
    watch = RefusalWatch()
    full = exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device")
    with structlog.testing.capture_logs() as lines:
        watch.succeeded()
        watch.failed(exceptions.ConnectionError("gone"))
        watch.failed(full)
        watch.failed(full)
        watch.failed(exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."))
        watch.succeeded()
        watch.succeeded()
    assert [(line["log_level"], line["event"], line["error"]) for line in lines] == [
        ("error", "redis.writes_refused", "MISCONF"),
        ("error", "redis.writes_refused", "OOM"),
        ("warning", "redis.writes_taken", "OOM"),
    ]
    assert "No space left" in lines[0]["reason"]
    assert "make room" in lines[0]["detail"]
