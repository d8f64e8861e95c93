"""Processes as an operator runs them: killed at any time, their file changed under them, looked after by commands."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from jobs.webhooks.signing import message_id
from schemas.contract.event import stream_fields
from tests.commands import typed
from tests.patience import PATIENCE_S
from tests.receiver import OK, Receiver, answered, receiver
from tests.service_processes import ROOT, start_process, stop_processes
from tests.webhooks_rig import SECRET, an_event
from worker.settings.environment import environment_for_child

pytestmark = pytest.mark.timeout(600)


def file_text(port: int, **more: str) -> str:
    lines = [
        "# ours, do not sort", "[endpoints.shop]", f'url = "http://127.0.0.1:{port}/hook?token=geheim"',
        f'secrets = ["{SECRET}"]', "allow_http = true", 'allow_networks = ["127.0.0.0/8"]', 'start = "all"',
    ]  # fmt: skip
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in more.items())]) + "\n"


class Place:
    """A folder with a file of endpoints, and the environment of whoever runs there."""

    def __init__(self, folder: Path, url: str, namespace: str, port: int) -> None:
        self.folder, self.file = folder, folder / "webhooks.toml"
        self.write(file_text(port, concurrency="2"))
        self.log = folder / "webhooks.log"
        self.env = environment_for_child(
            PYTHONPATH=str(ROOT),
            FACTUS_REDIS_URL=url,
            FACTUS_NAMESPACE=namespace,
            FACTUS_WEBHOOKS_FILE=str(self.file),
            FACTUS_LOG_FORMAT="json",
            FACTUS_LANG="en",
        )
        self.processes: list[subprocess.Popen[bytes]] = []

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o600)

    def start(self) -> subprocess.Popen[bytes]:
        made = start_process("worker", "webhooks", folder=self.folder, log=self.log, env=self.env)
        self.processes.append(made)
        return made

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """A command beside the process, as it is typed; in this process."""
        done = await asyncio.to_thread(typed, "webhooks", *arguments, env=self.env, folder=self.folder)
        return done.status, done.out, done.err

    async def json(self, *arguments: str) -> Any:
        _, out, err = await self.run(*arguments, "--json")
        assert out, err
        return json.loads(out)

    async def until_logged(self, event: str, n: int = 1, timeout_s: float = 2 * PATIENCE_S) -> None:
        async with asyncio.timeout(timeout_s):
            while self.log.read_text().count(f'"event": "{event}"') < n:
                await asyncio.sleep(0.05)


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, valkey_url: str, namespace: str, shop: Receiver) -> Iterator[Place]:
    found = Place(tmp_path, valkey_url, namespace, shop.port)
    yield found
    stop_processes(found.processes)


async def until(condition, timeout_s: float = 2 * PATIENCE_S) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.deep
async def test_killed_at_any_time_it_repeats_what_was_under_way_and_loses_nothing(real_redis, namespace, place, shop):
    """Two at once: every kill may cost two repeats, whose leases end after the endpoint's timeout and 15 s."""

    async def slow(writer) -> None:
        await asyncio.sleep(0.03)
        writer.write(OK + b"")
        await writer.drain()

    shop.replies = [slow]
    place.write(place.file.read_text() + 'timeout = "1s"\n')
    events = [an_event(f"j{n % 7}", 1 + n // 7) for n in range(140)]
    for event in events:
        await real_redis.xadd(f"{namespace}:results", dict(stream_fields(event)))
    chance, n_kills = random.Random(5), 2
    for kill in range(n_kills):
        process = place.start()
        n_before = len(shop.requests)
        await until(lambda n=n_before: len(shop.requests) > n + 3, 200)
        await asyncio.sleep(chance.random() * 0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(shop.requests) < len(events) + 2 * kill + 2
    place.start()
    async with asyncio.timeout(200):
        while await real_redis.zcard(f"{namespace}:hooks:endpoint:shop:order") or not await real_redis.exists(
            f"{namespace}:hooks:endpoint:shop"
        ):
            await asyncio.sleep(0.1)
    got = Counter(request.message for request in shop.requests)
    assert set(got) == {message_id(event.id) for event in events}, "each at least once"
    assert sum(got.values()) - len(events) <= 2 * n_kills, "and at most those under way twice"
    for job in range(7):
        seqs = [one["seq"] for one in map(json.loads, (r.body for r in shop.requests)) if one["job_id"] == f"j{job}"]
        first = [seq for n, seq in enumerate(seqs) if seq not in seqs[:n]]
        assert first == sorted(first), "each for the first time in the order of seq"
    for request in shop.requests:
        Webhook(SECRET).verify(request.body, request.headers)


async def test_commands_and_a_file_that_changes(real_redis, namespace, place, shop):
    """What an operator does in a day, on a running process."""
    status, out, _ = await place.run("test", "shop")
    assert (status, "answered 200" in out) == (0, True)
    assert json.loads(shop.requests[0].body)["type"] == "webhook.test"
    Webhook(SECRET).verify(shop.requests[0].body, shop.requests[0].headers)
    process = place.start()
    await place.until_logged("webhooks.endpoint_begins")
    event = an_event()
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(event)))
    await until(lambda: len(shop.requests) == 2)
    async with asyncio.timeout(2 * PATIENCE_S):
        while await real_redis.zcard(f"{namespace}:hooks:endpoint:shop:order"):
            await asyncio.sleep(0.05)  # it was answered, and its end is being written

    listed = await place.json("list")
    (row,) = listed["endpoints"]
    assert listed["processes"] == 1
    assert (row["name"], row["state"], row["waiting"], row["last_status"]) == ("shop", "on", 0, 200)

    found = await place.json("disable", "shop")
    assert (found["state"], found["changed"]) == ("disabled", True)
    second = an_event()
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(second)))
    async with asyncio.timeout(200):
        while await real_redis.zcard(f"{namespace}:hooks:endpoint:shop:order") < 1:
            await asyncio.sleep(0.05)
    assert (await place.json("show", "shop"))["state"] == "disabled"
    assert len(shop.requests) == 2
    await place.json("enable", "shop")
    await until(lambda: len(shop.requests) == 3)

    done = await place.json("replay", "shop", "--since", "1h", "--reference", event.reference_code or "")
    assert (done["found"], done["replayed"]) == (1, 1)
    await until(lambda: len(shop.requests) == 4)
    assert shop.requests[3].message == shop.requests[1].message == message_id(event.id)
    assert shop.requests[3].body == shop.requests[1].body

    status, secret, _ = await place.run("rotate", "shop")
    secret = secret.strip()
    assert status == 0
    assert place.file.stat().st_mode & 0o777 == 0o600
    assert place.file.read_text().startswith("# ours, do not sort")
    await place.until_logged("webhooks.file_read")
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(an_event())))
    await until(lambda: len(shop.requests) == 5)
    for one in (secret, SECRET):
        Webhook(one).verify(shop.requests[4].body, shop.requests[4].headers)
    # A day later the old one signs no more, and leaves the file.
    key = f"{namespace}:hooks:rotations"
    kept = json.loads(await real_redis.hget(key, "shop"))
    kept["leave_at"] = {one: at - 86_400_000 for one, at in kept["leave_at"].items()}
    await real_redis.hset(key, "shop", json.dumps(kept))
    await place.until_logged("webhooks.secrets_left")
    assert SECRET not in place.file.read_text()
    assert secret in place.file.read_text()
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(an_event())))
    await until(lambda: len(shop.requests) == 6)
    Webhook(secret).verify(shop.requests[5].body, shop.requests[5].headers)
    assert len(shop.requests[5].headers["webhook-signature"].split(" ")) == 1

    # A file that turns bad is told and not taken; one that is good again is.
    good = place.file.read_text()
    place.write(good + "concurency = 3\n")
    await place.until_logged("webhooks.file_refused")
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(an_event())))
    await until(lambda: len(shop.requests) == 7)
    place.write(good + 'types = ["x.*"]\n')
    await place.until_logged("webhooks.file_read", 3)

    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 60) == 0
    log = place.log.read_text()
    for word in (SECRET[6:], secret[6:], "geheim"):
        assert word not in log
    assert "Traceback" not in log


async def test_a_bad_file_stops_the_start_with_one_line(place):
    place.write(place.file.read_text() + "concurency = 3\n")
    status, out, err = await place.run()
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "endpoints.shop: concurency is no setting; did you mean concurrency?" in err


async def test_one_that_does_not_answer_well_fails_the_test(place, shop):
    shop.replies = [answered(503, body=b"no \x1b[31mred")]
    status, out, _ = await place.run("test", "shop")
    assert status == 1
    assert "answered 503" in out
    assert "\x1b" not in out
    found = await place.json("test", "shop")
    assert (found["success"], found["status"]) == (False, 503)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_file_that_cannot_be_written_is_told_with_what_to_write(place, tmp_path):
    tmp_path.chmod(0o500)
    try:
        status, out, err = await place.run("rotate", "shop")
    finally:
        tmp_path.chmod(0o700)
    assert status == 1
    assert out.startswith("whsec_")
    assert "first into the list secrets of [endpoints.shop]" in err
    assert SECRET not in out + err


async def test_an_endpoint_with_ten_secrets_is_given_no_other_and_nothing_is_noted(real_redis, namespace, place):
    """What is noted has the older ones leave; and a secret that nobody was shown signs nothing."""
    secrets = [f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(10)]
    text = place.file.read_text().replace(f'["{SECRET}"]', json.dumps(secrets))
    place.write(text)
    status, out, err = await place.run("rotate", "shop")
    assert (status, out) == (1, "")
    assert "[endpoints.shop] has 10 secrets" in err
    assert "Take the last one" in err
    assert not [one for one in secrets if one in err]
    assert place.file.read_text() == text
    assert not await real_redis.exists(f"{namespace}:hooks:rotations")
    place.write(text.replace(f', "{secrets[-1]}"', ""))
    assert (await place.run("rotate", "shop"))[0] == 0


async def test_listen_sends_what_comes(real_redis, namespace, place, shop):
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(an_event())))
    log = place.folder / "listen.log"
    process = start_process(
        "worker", "webhooks", "listen", "--forward", f"http://127.0.0.1:{shop.port}/dev", "--type", "invoice.*",
        folder=place.folder, log=log, env=place.env,
    )  # fmt: skip
    place.processes.append(process)
    await until(lambda: "Waiting for events" in log.read_text())
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(an_event(type="credit_note.validated"))))
    for foreign in ({"hello": "world"}, {"event": "no JSON"}, {"event": "{}", "account": b"\xff"}):
        await real_redis.xadd(f"{namespace}:results", foreign)
    event = an_event()
    deadline = time.monotonic() + 200
    await real_redis.xadd(f"{namespace}:results", dict(stream_fields(event)))
    await until(lambda: shop.requests or time.monotonic() > deadline)
    (request,) = shop.requests
    assert request.message == message_id(event.id)
    # Served since, and with a stream of its own that was not there before.
    own = an_event(id="own/y/1", account="own")
    await real_redis.zadd(f"{namespace}:intake:served", {"own": 1})
    await real_redis.xadd(f"{namespace}:results:own", dict(stream_fields(own)))
    await until(lambda: len(shop.requests) > 1 or time.monotonic() > deadline)
    assert [one.message for one in shop.requests] == [message_id(event.id), message_id(own.id)]
    (secret,) = [word for word in log.read_text().split() if word.startswith("whsec_")]
    Webhook(secret).verify(request.body, request.headers)
