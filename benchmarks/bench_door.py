"""
How many pushes a second does one core of the HTTP door take, and how long does one take beside a busy worker?

A real ``serve`` process, bills of two items, a producer's token, connections that stay open; the client speaks HTTP by
hand, so that it costs little. The pace is told for a second of the door's own processor time, beside what the clock
says: on a machine of two cores the client and Valkey share them. Then a worker issues at a sandbox while pushes come in
at a steady pace.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import lab

from tests.door_in_process import producer_token, write_files

_AIM = 800


def request(reference: str, token: str) -> bytes:
    body = lab.job(reference, "acme").encode()
    head = (
        f"POST /api/v1/jobs HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {reference}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def push(host: str, port: int, requests: Iterator[bytes], times: list[float]) -> None:
    """Send one request after the other over one connection."""
    reader, writer = await asyncio.open_connection(host, port)
    for one in requests:
        began = time.perf_counter()
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 202"):
            raise SystemExit(head.decode())
        found = re.search(rb"(?i)content-length: (\d+)", head)
        assert found
        await reader.readexactly(int(found[1]))
        times.append(time.perf_counter() - began)
    writer.close()


async def pace(bench: lab.Lab, n: int, n_connections: int) -> None:
    token = producer_token(lab.KEYS.namespace)
    with bench.door(write_files(bench.folder)) as (pid, host, port):
        await push(host, port, iter([request(f"WARM-{k}", token) for k in range(50)]), [])
        requests = iter([request(f"D-{k}", token) for k in range(n)])
        times: list[float] = []
        began, used = time.perf_counter(), lab.cpu_s(pid)
        await asyncio.gather(*(push(host, port, requests, times) for _ in range(n_connections)))
        wall_s, cpu_s = time.perf_counter() - began, lab.cpu_s(pid) - used
    redis = bench.connect()
    n_pushed = await redis.xlen(lab.KEYS.jobs())
    await redis.flushall()
    await redis.aclose()
    if n_pushed != n + 50:
        raise SystemExit(f"{n_pushed} of {n + 50} jobs are in the stream")
    rate = n / cpu_s
    lab.show("pushes for a second of one core", f"{rate:.0f}/s", f"{_AIM}/s", is_met=rate >= _AIM)
    print(f"  {1e6 * cpu_s / n:.0f} us each; by the clock {n / wall_s:.0f}/s over {n_connections} connections")


async def beside_a_worker(bench: lab.Lab, n: int, per_s: float) -> None:
    token = producer_token(lab.KEYS.namespace)
    redis = bench.connect()
    await lab.push(redis, [lab.job(f"B-{k}", "acme") for k in range(20 * n)])
    times: list[float] = []

    def paced() -> Iterator[bytes]:
        for k in range(n):
            yield request(f"P-{k}", token)

    with bench.door(write_files(bench.folder)) as (_pid, host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for one in paced():
            began = time.perf_counter()
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            assert found
            await reader.readexactly(int(found[1]))
            times.append(time.perf_counter() - began)
            await asyncio.sleep(1 / per_s)
        writer.close()
    await redis.aclose()
    figure = f"p50 {1e3 * lab.quantile(times, 0.5):.1f} ms, p99 {1e3 * lab.quantile(times, 0.99):.1f} ms"
    lab.show("a push beside a busy worker", figure)
    print(f"  {n} pushes at {per_s:.0f}/s")


def main() -> None:
    options = lab.arguments(
        __doc__,
        lambda parser: (
            parser.add_argument("--jobs", type=int, default=0, help="pushes (default: 1000, with --full 10000)"),
            parser.add_argument("--connections", type=int, default=16),
        ),
    )
    n = options.jobs or (10_000 if options.full else 1_000)
    with lab.open_lab(options.folder) as bench:
        lab.announce(bench, f"{n} bills of 2 items over {options.connections} connections, one token; no TLS")
        lab.run(pace(bench, n, options.connections))
        url = bench.sandbox(rate_limit=0)
        accounts = bench.accounts_file(["acme"], url, limit=lab.UNLIMITED)
        bench.worker(accounts)
        lab.run(beside_a_worker(bench, 600 if options.full else 150, 30.0))


if __name__ == "__main__":
    main()
