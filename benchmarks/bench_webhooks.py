"""
How many events does one process deliver, and what do 100,000 that wait for a dead endpoint cost the others?

A process as an operator runs it, a Valkey that syncs every write, and a receiver that answers 200 at once, in a process
of its own. The dead endpoint refuses connections: it costs most, since each attempt ends at once. What waits for it is
another account's, so that the run beside it has the same work as the one alone; in the last run each event is for both,
which is twice the deliveries to be made.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import subprocess
import time
from pathlib import Path
from typing import Protocol

import lab
from redis.asyncio import Redis

from schemas.contract.event import Event, stream_fields
from tests.service_processes import ROOT, start_process
from worker.cli.contract.example_events import events_of_family
from worker.settings.environment import environment_for_child

_AIM_PER_S = 1000
_ITS, _OTHERS = "acme", "northwind"
"""Whose events the dead endpoint takes as well, and whose it does not."""
_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class _Number(Protocol):
    """A number that processes share."""

    value: int


class _Receiver(asyncio.Protocol):
    """Counts heads that came, answers each; bodies are small and come with their heads."""

    def __init__(self, count: _Number) -> None:
        self._count, self._rest = count, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._rest) < end + 4 + length:
                return
            self._rest = self._rest[end + 4 + length :]
            self._count.value += 1
            self._transport.write(_OK)


def _receive(port: _Number, count: _Number) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Receiver(count), "127.0.0.1", 0)
        port.value = server.sockets[0].getsockname()[1]
        await asyncio.sleep(3600)

    asyncio.run(serve())


def _closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def publish(redis: Redis, n: int, name: str, account: str) -> None:
    """Validated invoices of jobs of their own, pipelined."""
    example = events_of_family("invoice")["invoice.validated"]
    for start in range(0, n, 500):
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + 500, n)):
                job = f"{name}-{number}"
                event: Event = example.model_copy(
                    update={"id": f"{account}/{job}/1", "job_id": job, "account": account}
                )
                pipe.xadd(lab.KEYS.results(), dict(stream_fields(event)))
            await pipe.execute()


async def delivered(count: _Number, target: int, timeout_s: float) -> None:
    """Until so many have come since the beginning."""
    began = time.perf_counter()
    while count.value < target:
        if time.perf_counter() - began > timeout_s:
            raise SystemExit(f"{target - count.value} of {target} deliveries are missing")
        await asyncio.sleep(0.005)


async def main(bench: lab.Lab, n: int, n_dead: int) -> None:
    port, count = multiprocessing.Value("i", 0), multiprocessing.Value("i", 0)
    receiver = multiprocessing.Process(target=_receive, args=(port, count), daemon=True)
    receiver.start()
    while not port.value:
        await asyncio.sleep(0.02)
    dead = _closed_port()
    file = bench.folder / "webhooks.toml"
    common = f'secrets = ["{_SECRET}"]\nallow_http = true\nallow_networks = ["127.0.0.0/8"]\nstart = "all"\n'
    quick = f'[endpoints.quick]\nurl = "http://127.0.0.1:{port.value}/"\nconcurrency = 64\n{common}'
    file.write_text(quick)
    redis = bench.connect()
    await publish(redis, n, "warm", _OTHERS)
    process = start(bench, file)
    try:
        await delivered(count, n, 120)  # the first run opens connections and learns the scripts
        alone = await measured(redis, count, process, n, "alone", _OTHERS)
        file.write_text(quick + f'[endpoints.dead]\nurl = "http://127.0.0.1:{dead}/"\naccounts = ["{_ITS}"]\n{common}')
        target = count.value + n_dead
        await publish(redis, n_dead, "dead", _ITS)
        await delivered(count, target, 600)
        while await redis.zcard(lab.KEYS.hook("dead", "order")) < n_dead:
            await asyncio.sleep(0.2)
        used = (await redis.info("memory"))["used_memory"] / 2**20
        beside = await measured(redis, count, process, n, f"beside {n_dead:,} that wait", _OTHERS)
        lab.show(
            "  cost to the quick endpoint",
            f"{(1 - beside / alone) * 100:.0f} %",
            "nothing",
            is_met=beside > 0.9 * alone,
        )
        await measured(redis, count, process, n, "with events for both", _ITS)
        memory, most = lab.memory_mib(process.pid)
        print(f"  process {memory:.0f} MiB (most {most:.0f}); Redis {used:.0f} MiB with the stream")
    finally:
        process.terminate()
        process.wait(60)
        receiver.kill()
        await redis.aclose()


async def measured(
    redis: Redis, count: _Number, process: subprocess.Popen[bytes], n: int, what: str, account: str
) -> float:
    """Deliveries a second from the first publication to the last delivery."""
    cpu = lab.cpu_s(process.pid)
    began = time.perf_counter()
    target = count.value + n
    await publish(redis, n, what.replace(" ", "-"), account)
    await delivered(count, target, 300)
    per_s = n / (time.perf_counter() - began)
    cpu = lab.cpu_s(process.pid) - cpu
    lab.show(f"deliveries, {what}", f"{per_s:.0f}/s", f"{_AIM_PER_S}/s", is_met=per_s >= _AIM_PER_S)
    print(f"  {cpu / n * 1000:.2f} ms of processor time for each: {n / cpu:.0f}/s on a core of its own")
    return per_s


def start(bench: lab.Lab, file: Path) -> subprocess.Popen[bytes]:
    """A process that delivers, with its log beside it."""
    told = {"FACTUS_REDIS_URL": bench.redis_url, "FACTUS_WEBHOOKS_FILE": str(file), "FACTUS_LOG_FORMAT": "json"}
    return start_process(
        "worker", "webhooks", "--log-level", "warning",
        folder=bench.folder, log=bench.folder / "webhooks.log",
        env=environment_for_child(PYTHONPATH=str(ROOT), **told),
    )  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--n", type=int, help="events of a run (default 6,000; 20,000 with --full)")
    parser.add_argument("--dead", type=int, help="deliveries that wait (default 20,000; 100,000 with --full)")


if __name__ == "__main__":
    given = lab.arguments(__doc__, options)
    n_events = given.n or (20_000 if given.full else 6_000)
    n_waiting = given.dead or (100_000 if given.full else 20_000)
    with lab.open_lab(given.folder) as bench:
        size = len(events_of_family("invoice")["invoice.validated"].to_json())
        lab.announce(bench, f"{n_events:,} invoices of {size} bytes, one process, endpoints of 64 and 8 at once")
        lab.run(main(bench, n_events, n_waiting))
