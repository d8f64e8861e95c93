"""``factus-worker resume`` on a real server, as an operator types it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import redis
from click.testing import CliRunner, Result

from worker.cli.group import cli

Run = Callable[..., Result]


@pytest.fixture
def run(valkey_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FACTUS_REDIS_URL", valkey_url)
    monkeypatch.setenv("FACTUS_NAMESPACE", namespace)
    return lambda *arguments: CliRunner().invoke(cli, ["resume", *arguments])


def hold(client: redis.Redis, key: str, reason: str = "factus.credentials") -> None:
    client.hset(key, mapping={"hold_until": int(time.time() * 1000) + 300_000, "hold_reason": reason})


def test_a_held_account_and_its_lanes_are_asked_again_and_no_other(
    run: Run, client: redis.Redis, namespace: str
) -> None:
    client.sadd(f"{namespace}:lanes", "acme/invoice", "acme/calls", "acme2/invoice")
    held = [f"{namespace}:account:acme", f"{namespace}:lane:acme/invoice"]
    for key in (*held, f"{namespace}:account:acme2", f"{namespace}:lane:acme2/invoice"):
        hold(client, key)
    client.zadd(f"{namespace}:lane:acme/calls:later", {"paused": 9e12, "not-yet": 9e12})
    client.hset(f"{namespace}:job:acme:paused", "failures", 1)
    done = run("acme")
    assert (done.exit_code, "acme" in done.output, "2" in done.output) == (0, True, True)
    assert not any(client.hexists(key, "hold_until") for key in held)
    assert client.hexists(f"{namespace}:account:acme2", "hold_until")
    assert {name for name, _ in client.zscan_iter(f"{namespace}:lanes:due")} == {b"acme/invoice", b"acme/calls"}
    later = dict(client.zrange(f"{namespace}:lane:acme/calls:later", 0, -1, withscores=True))
    assert later[b"paused"] < 9e12 == later[b"not-yet"], "what waits for its time goes on waiting"


def test_nothing_held_is_1(run: Run) -> None:
    done = run("acme")
    assert (done.exit_code, done.output) == (1, "Nada detiene a la cuenta acme.\n")


def test_what_is_typed_is_printed_without_what_a_terminal_obeys(run: Run) -> None:
    assert "\x1b" not in run("a\x1b[2Jb").output


def test_no_account_is_wrong_usage(run: Run) -> None:
    assert run().exit_code == 2
