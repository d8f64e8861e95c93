"""
How soon does the page of ``serve`` begin to answer with 10,000 jobs waiting, and how often does a look ask Redis?

The jobs went through the real intake of a worker whose accounts may make one call an hour, on a real server that syncs
every write; all must go out today, and belong to a batch. First of three accounts, then of a hundred. The page is asked
by hand over one connection: the first byte of a ``serve`` that has just started, then fifty more, a quarter of a second
apart. Round trips are counted in this process, in which one look is made over a connection that counts.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import lab
from redis.asyncio import ConnectionPool

from schemas.factus import BOGOTA
from tests.door_in_process import producer_token, write_files
from worker.http.door import opened
from worker.http.page.look import Looks
from worker.http.policy import POLICY
from worker.settings.model import Settings

_AIM_MS = 200.0
_APART_S = 0.25


def door_files(bench: lab.Lab, accounts: Path) -> dict[str, Path]:
    """The files that the settings of the door name."""
    return {**write_files(bench.folder), "accounts_file": accounts}


async def fill(bench: lab.Lab, accounts: Sequence[str], n: int) -> None:
    """Push so many jobs, one account after the other, and wait until all are taken in."""
    today = datetime.now(BOGOTA).date().isoformat()
    redis = bench.connect()
    jobs = []
    for k in range(n):
        account = accounts[k % len(accounts)]
        jobs.append(lab.job(f"P-{k}", account, issue_on=today, batch="noviembre"))
    await lab.push(redis, jobs)
    while await redis.xlen(lab.KEYS.jobs()):
        await asyncio.sleep(0.2)
    n_waiting = sum([await redis.zcard(lab.KEYS.waiting(f"{name}/invoice")) for name in accounts])
    print(f"  {n_waiting:,} jobs wait, of {len(accounts)} accounts")
    await redis.aclose()


async def first_bytes_ms(host: str, port: int, n: int) -> tuple[list[float], int]:
    """How long each of so many requests waited for the first byte; and the bytes of the last page."""
    reader, writer = await asyncio.open_connection(host, port)
    token = producer_token(lab.KEYS.namespace, accounts=["*"])
    asked = f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    times, size = [], 0
    for k in range(n):
        if k:
            await asyncio.sleep(_APART_S)
        began = time.perf_counter()
        writer.write(asked)
        first = await reader.readexactly(1)
        times.append((time.perf_counter() - began) * 1000)
        head = first + await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(head.decode())
        found = re.search(rb"(?i)content-length: (\d+)", head)
        assert found
        size = len(await reader.readexactly(int(found[1])))
    writer.close()
    return times, size


class _Counted:
    """How often a pool's connections have sent something."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.n = 0
        counted, kind = self, pool.connection_class

        class Connection(kind):
            async def send_packed_command(self, *args: Any, **options: Any) -> None:
                counted.n += 1
                await super().send_packed_command(*args, **options)

        pool.connection_class = Connection


async def one_look(bench: lab.Lab, accounts: Path) -> tuple[int, float, float]:
    """Round trips of a look, and its time by the clock and of this process's processor, ms."""
    settings = Settings(
        redis_url=bench.redis_url, namespace=lab.KEYS.namespace, http_port=0, **door_files(bench, accounts)
    )
    async with opened(settings, POLICY, bench.redis_url) as found:
        counted = _Counted(found.redis.connection_pool)
        await found.redis.ping()
        counted.n = 0
        began, used = time.perf_counter(), time.process_time()
        await Looks(found).newest()
        return counted.n, (time.perf_counter() - began) * 1000, (time.process_time() - used) * 1000


async def scene(bench: lab.Lab, path: Path, accounts: Sequence[str], n_jobs: int, n_asked: int) -> None:
    await fill(bench, accounts, n_jobs)
    with bench.door(door_files(bench, path)) as (pid, host, port):
        used = lab.cpu_s(pid)
        ((cold,), _) = await first_bytes_ms(host, port, 1)
        cold_cpu_ms = (lab.cpu_s(pid) - used) * 1000
        times, size = await first_bytes_ms(host, port, n_asked)
    of = f"{len(accounts)} accounts"
    p50, p99 = lab.quantile(times, 0.5), lab.quantile(times, 0.99)
    lab.show(f"first byte, cold, {of}", f"{cold:.0f} ms", f"{_AIM_MS:.0f} ms", is_met=cold <= _AIM_MS)
    print(f"  {cold_cpu_ms:.0f} ms of the door's processor; {size / 1024:.0f} KiB")
    figure = f"p50 {p50:.1f} ms, p99 {p99:.0f} ms"
    lab.show(f"first byte, {n_asked} more, {of}", figure, f"{_AIM_MS:.0f} ms", is_met=p99 <= _AIM_MS)
    n, wall_ms, busy_ms = await one_look(bench, path)
    lab.show(f"round trips, {of}", f"{n}")
    print(f"  {wall_ms:.0f} ms, {busy_ms:.0f} of them of the processor")


def main() -> None:
    options = lab.arguments(
        __doc__,
        lambda parser: parser.add_argument("--jobs", type=int, default=0, help="(default: 1000, with --full 10000)"),
    )
    n = options.jobs or (10_000 if options.full else 1_000)
    for n_accounts in (3, 100):
        names = [f"a{k}" for k in range(n_accounts)]
        with lab.open_lab(options.folder) as bench:
            lab.announce(bench, f"{n:,} jobs wait, of {n_accounts} accounts with one call an hour each; no TLS")
            accounts = bench.accounts_file(names, bench.sandbox(rate_limit=0), limit=1, window="1h")
            bench.worker(accounts)
            lab.run(scene(bench, accounts, names, n, 50))


if __name__ == "__main__":
    main()
